"""effects_budgets.py - what shows that the keys of budgets and of retraining act: see effects.py."""
from effects import accepted, budget, lines, publish, replay, retrain, running, shows

GOOD, BAD = 0.9, 0.5


@shows("budgets[].models")
def _(case):
    events = [{"model": f"shop/{name}/v1", "accuracy": BAD} for name in ("a", "b")]
    case.assertEqual([t["model"] for t in replay(case, {"budgets": [budget(models="shop/b")]}, events)], ["shop/b/v1"])


@shows("budgets[].window")
def _(case):
    case.assertEqual(lines(case, budget(window=2), *[GOOD] * 60, BAD), [60])
    case.assertEqual(lines(case, budget(window=100), *[GOOD] * 60, BAD), [])


@shows("budgets[].min_events")
def _(case):
    case.assertEqual(lines(case, budget(min_events=5, backoff="1h"), *[BAD] * 30), [4])


@shows("budgets[].consecutive_failures")
def _(case):
    case.assertEqual(lines(case, budget(consecutive_failures=5, backoff="1h"), *[BAD] * 30), [4])


@shows("budgets[].backoff")
def _(case):
    case.assertEqual(lines(case, budget(backoff="4m"), *[BAD] * 10), [0, 4, 8])


@shows("budgets[].recover_after")
def _(case):
    """The second healthy evaluation in a row takes back what nobody has begun."""
    with running({"budgets": [budget(recover_after=2)]}) as daemon:
        publish(daemon, BAD)
        daemon.wait_status(lambda status: status["requests"].get("PENDING") == 1)
        publish(daemon, GOOD, GOOD)
        daemon.wait_status(lambda status: status["requests"].get("CANCELLED") == 1)


@shows("budgets[].stale_after")
def _(case):
    with running({"budgets": [budget(stale_after="50ms")]}) as daemon:
        publish(daemon, GOOD)
        daemon.wait_status(lambda status: status["models"] == {"stale": 1})


def evidence(case, block=None, **sections):
    """The value at which evidence against a budget triggers first."""
    rule = budget(kpis={"accuracy": {"min": 0.8, "test": "evidence"}}, backoff="1d", **(block or {}))
    return lines(case, rule, *[0.7] * 2000, **sections)[0]


@shows("budgets[].false_alarms")
def _(case):
    case.assertLess(evidence(case, {"false_alarms": "1 per 100 events"}), evidence(case, {"false_alarms": "1 per 1000000 events"}))


@shows("budgets[].event_rate")
def _(case):
    case.assertLess(evidence(case, {"event_rate": "1/d"}), evidence(case, {"event_rate": "100/s"}))


@shows("fleet_false_alarms")
def _(case):
    case.assertLess(evidence(case), evidence(case, fleet_false_alarms="1 per 30d"))


@shows("budgets[].kpis", "budgets[].kpis.<metric>")
def _(case):
    case.assertEqual(lines(case, budget(kpis={"own.score": {"min": 3}}), 4, 2, metric="own.score"), [1])
    two = {"budgets": [budget(), {"models": "shop", "kpis": {"accuracy": "off"}}]}
    case.assertEqual(replay(case, two, [{"accuracy": BAD}]), [])


@shows("budgets[].kpis.<metric>.min")
def _(case):
    case.assertEqual(lines(case, budget(kpis={"loss": {"min": 3, "max": 9}}), 3, 2.9, metric="loss"), [1])


@shows("budgets[].kpis.<metric>.max")
def _(case):
    case.assertEqual(lines(case, budget(kpis={"loss": {"min": 3, "max": 9}}), 9, 9.1, metric="loss"), [1])


@shows("budgets[].kpis.<metric>.over")
def _(case):
    """Of 1, 2, ..., 100 in the window, and of a last value of 0: each word has a number of its own."""
    numbers = {"last": 0, "mean": 50, "min": 0, "max": 100, "median": 50, "p90": 90, "p95": 95, "p99": 99, "ewma": 49.1}
    values = [*range(1, 101), 0]
    for over, number in numbers.items():
        for limit, expected in ((number + 0.05, [100]), (number - 0.05, [])):
            rule = budget(window=101, min_events=101, kpis={"m": {"min": limit, "over": over}})
            if over == "ewma":  # 2/(window+1), from the first value
                number = values[0]
                for value in values[1:]:
                    number += (value - number) * 2 / 102
                rule["kpis"]["m"]["min"] = number + 0.05 if expected else number - 0.05
            case.assertEqual(lines(case, rule, *values, metric="m"), expected, over)


@shows("budgets[].kpis.<metric>.test")
def _(case):
    """Evidence needs more than one bad value; the window, here of one value, does not."""
    for test, expected in (("evidence", []), ("window", [0])):
        case.assertEqual(lines(case, budget(kpis={"accuracy": {"min": 0.8, "test": test}}), 0.7), expected)


@shows("budgets[].kpis.<metric>.range")
def _(case):
    """The wider the bounds, the less a value says."""
    def first(most):
        kpi = {"score": {"min": 3, "test": "evidence", "range": [0, most]}}
        return lines(case, budget(kpis=kpi, backoff="1d"), *[2] * 2000, metric="score")[0]
    case.assertLess(first(5), first(50))


@shows("budgets[].drift")
def _(case):
    rule = {"metric": "loss", "detector": "page_hinkley", "min_instances": 5, "threshold": 1, "direction": "up"}
    case.assertEqual(lines(case, budget(kpis={}, drift=[rule]), *[0] * 30, 5, metric="loss"), [30])
    # The bounds of evidence, written as a KPI writes them or as the detector has them: the same.
    bounds = ({"range": [0, 10]}, {"low": 0, "high": 10}, {"range": [0, 100]})
    found = [lines(case, budget(kpis={}, drift=[{"metric": "loss", "detector": "evidence", "budget": 3, **bound}]), *[1] * 2000,
                   metric="loss")[0] for bound in bounds]
    case.assertEqual(found[0], found[1])
    case.assertLess(found[0], found[2])


@shows("retraining.seed")
def _(case):
    """Chance, which the seed decides: twenty models, and not twenty times the same."""
    events = [{"model": f"shop/m{i}/v1", "accuracy": BAD} for i in range(20)]
    def chosen(seed):
        document = {"budgets": [budget()], "retraining": {"choose": "random", "seed": seed}}
        return replay(case, document, events, as_table=True).split("\n", 1)[1]  # the first line names the file
    case.assertEqual(chosen(1), chosen(1))
    case.assertNotEqual(chosen(1), chosen(2))


def held_by(case, retraining, models, done=False):
    """Which limit holds the second of two requests, while the first is with a trainer (or done)."""
    with running({"retraining": {"choose": "bayesian", **retraining}}) as daemon:
        trainer, job, _ = accepted(case, daemon, models[0])
        if done:
            case.assertTrue(trainer.say("done", job, version="v2")["ok"])
        request = retrain(case, daemon, models[1])
        return daemon.ask("request", request=request)["held_by"]


TWO, SAME = ("shop/a/v1", "shop/b/v1"), ("shop/a/v1", "shop/a/v1")


@shows("retraining.limits.concurrent")
def _(case):
    case.assertEqual(held_by(case, {"limits": {"concurrent": 1}}, TWO), "concurrent")


@shows("retraining.limits.per_model_per_day")
def _(case):
    case.assertEqual(held_by(case, {"limits": {"per_model_per_day": 1}}, SAME, done=True), "per_model_per_day")


@shows("retraining.limits.per_day")
def _(case):
    case.assertEqual(held_by(case, {"limits": {"per_day": 1}}, TWO), "per_day")


@shows("retraining.limits.gpu_hours_per_day")
def _(case):
    case.assertEqual(held_by(case, {"limits": {"gpu_hours_per_day": 4}}, TWO), "gpu_hours_per_day")


def held_in_project(case, limit, value, models, **more):
    limits = {"limits": {"projects": {"shop": {limit: value}}}}
    case.assertEqual(held_by(case, limits, models, **more), f"projects.shop.{limit}")
    other = (models[0].replace("shop", "farm"), models[1].replace("shop", "farm"))
    case.assertIsNone(held_by(case, limits, other, **more))


@shows("retraining.limits.projects.<project>.concurrent")
def _(case):
    held_in_project(case, "concurrent", 1, TWO)


@shows("retraining.limits.projects.<project>.per_model_per_day")
def _(case):
    held_in_project(case, "per_model_per_day", 1, SAME, done=True)


@shows("retraining.limits.projects.<project>.per_day")
def _(case):
    held_in_project(case, "per_day", 1, TWO)


@shows("retraining.limits.projects.<project>.gpu_hours_per_day")
def _(case):
    held_in_project(case, "gpu_hours_per_day", 4, TWO)


@shows("retraining.give_up_after")
def _(case):
    """Retrained, not recovered, and triggering again: once is enough here."""
    document = {"budgets": [budget(backoff="2m")], "retraining": {"give_up_after": 1}}
    told = replay(case, document, [{"accuracy": BAD}] * 7, as_table=True)
    case.assertIn("Triggers: 4; 1 asked for a retraining", told)
    case.assertIn("3 came after retraining was given up", told)


@shows("retraining.choose")
def _(case):
    for choose in ("pbt", "grid_search"):
        with running({"retraining.choose": choose}) as daemon:
            case.assertEqual(accepted(case, daemon)[1]["strategy"], choose)


@shows("retraining.strategies.<name>.gpu_hours")
def _(case):
    for cheap in ("a", "b"):
        strategies = {name: {"gpu_hours": 0.5 if name == cheap else 5} for name in ("a", "b")}
        with running({"retraining": {"choose": "cheapest", "strategies": strategies}}) as daemon:
            case.assertEqual(accepted(case, daemon)[1]["strategy"], cheap)


@shows("retraining.strategies.<name>.parameters")
def _(case):
    strategies = {"mine": {"parameters": {"deep": {"list": [1, "x", None]}}}}
    with running({"retraining.strategies": strategies}) as daemon:
        case.assertEqual(accepted(case, daemon)[1]["parameters"], {"deep": {"list": [1, "x", None]}})


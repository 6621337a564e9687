/* Charts whose reference is too short for some rates: what is kept, and what judges where nothing can be. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/calibrate/chart.h"
#include "lib/detect/detector.h"
#include "lib/monitor/monitor.h"
#include "tests/normal.h"
#include "tests/run_suite.h"

#define SECOND INT64_C(1000000000)
#define MONTH_S (30.0 * 86400)
#define TOP (RULE_STEPS_MAX - 1)

static const char *const charts[] = {"cusum", "ewma", "shewhart"};

static struct detect_params params_of(const char *chart, double reference)
{
    struct detect_params params;
    ck_assert_int_eq(detect_params_init(&params, chart, NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "reference", reference, NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "prewhiten", 1, NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "robust", 1, NULL), 0);
    ck_assert_int_eq(detect_params_set_text(&params, "log", text_of("auto"), NULL), 0);
    return params;
}

/* One CUSUM on "foo", and a false alarm in a month. */
struct plan {
    struct drift_rule rule;
    struct detect_params steps[RULE_STEPS_MAX];
    struct monitor_settings settings;
    struct monitor *monitor;
    int64_t now_ns;
};

static void begin(struct plan *self, double reference, double event_rate)
{
    *self = (struct plan){.rule = {.metric = "foo", .detector = "cusum", .kpi = RULE_NO_KPI,
                                   .params = params_of("cusum", reference)}};
    self->settings = (struct monitor_settings){.window = 16, .min_events = 8, .consecutive_failures = 3,
                                               .recover_after = 4, .backoff_ns = 1, .rules = &self->rule, .rule_count = 1,
                                               .alarms = {.every_s = MONTH_S}, .event_rate = event_rate};
    ck_assert_int_eq(drift_rules_promise(&self->rule, 1, &self->settings.alarms, event_rate, self->steps), 0);
    ck_assert_int_eq(monitor_new(&self->monitor, &self->settings), 0);
}

static bool send(struct plan *self, double value, int64_t apart_ns)
{
    const struct metric metric = {.name = text_of("foo"), .kind = METRIC_NUMBER, .number = value};
    const struct metric_event event = {.timestamp_s = NAN, .n = 1, .metrics = &metric, .metric_count = 1};
    struct verdict verdict;
    self->now_ns += apart_ns;
    ck_assert_int_eq(monitor_add(self->monitor, &event, self->now_ns, (double)self->now_ns / 1e9, &verdict), 0);
    return verdict.triggered;
}

static uint32_t healthy(struct plan *self, uint32_t values, int64_t apart_ns)
{
    uint32_t alarms = 0;
    for (uint32_t i = 0; i < values; i++)
        alarms += send(self, 10 + normal(), apart_ns);
    return alarms;
}

static struct monitor_rule seen(const struct plan *self)
{
    struct monitor_rule rule;
    monitor_rule_at(self->monitor, 0, &rule);
    return rule;
}

/* Ten models for half a day at a value a second: 0.17 false alarms were promised, and with h = 5 there are hundreds. */
START_TEST(a_promise_is_kept_at_the_rate_that_is_measured)
{
    static const double references[] = {100, 110, 120, 150};
    uint32_t alarms = 0;
    normal_seed = 88172645463325252u;
    for (size_t k = 0; k < sizeof references / sizeof *references; k++) {
        struct plan plan;
        begin(&plan, references[k], 0);
        ck_assert_uint_eq(plan.rule.step_count, RULE_STEPS_MAX);
        ck_assert_msg(plan.steps[TOP].promise > 0 || references[k] < 150, "reference %g", references[k]);
        for (int model = 0; model < 3; model++) {
            monitor_destroy(&plan.monitor);
            ck_assert_int_eq(monitor_new(&plan.monitor, &plan.settings), 0);
            alarms += healthy(&plan, 40000, SECOND);
            ck_assert_double_eq(seen(&plan).promise, MONTH_S);
            ck_assert_double_eq(seen(&plan).threshold, plan.steps[2].stage[0].limit[0]);
        }
        int found = 0;
        while (!send(&plan, 13 + normal(), SECOND))
            ck_assert_int_lt(++found, 40);
        monitor_destroy(&plan.monitor);
    }
    ck_assert_msg(alarms <= 2, "%u false alarms", alarms);
}
END_TEST

/* Beyond what its reference can promise a chart judges with the largest limit, measured or given, and as soon as the rate
 * falls to where there is a promise, that is kept. */
START_TEST(where_nothing_can_be_promised_the_strictest_threshold_judges)
{
    normal_seed = 88172645463325252u;
    for (int given = 0; given < 2; given++) {
        struct plan plan;
        begin(&plan, 100, given ? 50 : 0);
        ck_assert_uint_eq(plan.rule.step_count, given ? 1 : RULE_STEPS_MAX);
        ck_assert_double_eq(seen(&plan).promise, 0);
        ck_assert_uint_eq(healthy(&plan, 100000, SECOND / 50), 0);
        ck_assert_double_eq(seen(&plan).promise, 0);
        ck_assert_double_eq(seen(&plan).threshold, CHART_LIMIT_MAX);
        if (!given) {
            ck_assert_uint_eq(healthy(&plan, 2000, SECOND), 0);
            ck_assert_double_eq(seen(&plan).promise, MONTH_S);
            ck_assert_uint_eq(healthy(&plan, 9000, SECOND / 50), 0);
            ck_assert_double_eq(seen(&plan).promise, 0);
        }
        int found = 0;
        while (!send(&plan, 13 + normal(), SECOND / 50))
            ck_assert_int_lt(++found, 100);
        monitor_destroy(&plan.monitor);
    }
}
END_TEST

/* Whatever a chart can promise, the strictest thresholds lie beyond it; and that is all it can promise. */
START_TEST(nothing_is_stricter_than_the_strictest)
{
    static const double references[] = {100, 130, 199, 200, 500};
    for (size_t c = 0; c < sizeof charts / sizeof *charts; c++)
        for (size_t k = 0; k < sizeof references / sizeof *references; k++) {
            struct detect_params strictest = params_of(charts[c], references[k]);
            double most;
            ck_assert_int_eq(detect_params_strictest(&strictest), 0);
            ck_assert_double_eq(strictest.promise, 0);
            ck_assert_int_eq(detect_params_promise_most(&strictest, &most), 0);
            ck_assert_double_gt(most, 1e6);
            for (double events = 1e3; events <= most; events *= 100) {
                struct detect_params promised = params_of(charts[c], references[k]);
                ck_assert_int_eq(detect_params_promise(&promised, events, NULL), 0);
                ck_assert_uint_eq(promised.stages, strictest.stages);
                const struct detect_stage *last = &promised.stage[promised.stages - 1];
                const struct detect_stage *end = &strictest.stage[strictest.stages - 1];
                for (uint32_t i = 0; i < last->choices; i++)
                    ck_assert(last->limit[i] <= end->limit[0] && last->slack[i] <= end->slack[0]);
            }
            if (most >= CHART_RUN_LENGTH_MAX)
                continue;
            struct detect_params beyond = params_of(charts[c], references[k]);
            ck_assert_int_eq(detect_params_promise(&beyond, most * 0.999, NULL), 0);
            ck_assert_int_eq(detect_params_promise(&beyond, most * 1.001, NULL), -ERANGE);
        }
    struct detect_params other;
    double most;
    ck_assert_int_eq(detect_params_init(&other, "evidence", NULL), 0);
    ck_assert_int_eq(detect_params_strictest(&other), -ENOTSUP);
    ck_assert_int_eq(detect_params_promise_most(&other, &most), -ENOTSUP);
}
END_TEST

/* A CUSUM without an allowance wanders off: with a known reference too there is an end to what it can promise. */
START_TEST(a_known_reference_may_be_without_a_promise_too)
{
    struct detect_params params;
    double most;
    ck_assert_int_eq(detect_params_init(&params, "cusum", NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "mean", 10, NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "sd", 1, NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "k", 0, NULL), 0);
    ck_assert_int_eq(detect_params_promise_most(&params, &most), 0);
    ck_assert(most > 1000 && most < 10000);
    struct drift_rule rule = {.metric = "foo", .detector = "cusum", .kpi = RULE_NO_KPI, .params = params};
    struct detect_params steps[RULE_STEPS_MAX];
    const struct alarm_budget month = {.every_s = MONTH_S};
    ck_assert_int_eq(drift_rules_promise(&rule, 1, &month, 0, steps), 0);
    ck_assert_uint_eq(rule.step_count, RULE_STEPS_MAX);
    for (uint32_t i = 0; i < RULE_STEPS_MAX; i++) {
        ck_assert_double_eq(steps[i].promise, 0);
        ck_assert_double_eq(steps[i].stage[0].limit[0], CHART_LIMIT_MAX);
    }
    /* A distance whose threshold was given has that one, and nothing to choose from. */
    rule = (struct drift_rule){.metric = "foo", .detector = "psi", .kpi = RULE_NO_KPI};
    ck_assert_int_eq(detect_params_init(&rule.params, "psi", NULL), 0);
    ck_assert_int_eq(detect_params_set(&rule.params, "threshold", 0.2, NULL), 0);
    ck_assert_int_eq(drift_rules_promise(&rule, 1, &month, 0, steps), 0);
    ck_assert_uint_eq(rule.step_count, 0);
}
END_TEST

/* A running monitor is given another rate, or budget, of which only one has a promise. */
START_TEST(a_rule_goes_on_from_a_promise_to_none_and_back)
{
    struct plan none, kept;
    begin(&none, 100, 50);
    begin(&kept, 100, 1);
    normal_seed = 88172645463325252u;
    for (int back = 0; back < 2; back++) {
        struct plan *from = back ? &kept : &none, *to = back ? &none : &kept;
        ck_assert_uint_eq(healthy(from, 150, SECOND), 0);
        monitor_destroy(&to->monitor);
        to->monitor = from->monitor;
        from->monitor = NULL;
        ck_assert_int_eq(monitor_change(&to->monitor, &to->settings), 0);
        to->now_ns = from->now_ns;
        ck_assert_uint_eq(seen(to).taken, back ? 301 : 150);
        ck_assert_double_eq(seen(to).promise, back ? 0 : MONTH_S);
        ck_assert(!send(to, 10, SECOND));
        ck_assert_double_eq(seen(to).threshold, to->steps[0].stage[0].limit[0]);
    }
    monitor_destroy(&none.monitor);
    monitor_destroy(&kept.monitor);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("promises");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_promise_is_kept_at_the_rate_that_is_measured);
    tcase_add_test(cases, where_nothing_can_be_promised_the_strictest_threshold_judges);
    tcase_add_test(cases, nothing_is_stricter_than_the_strictest);
    tcase_add_test(cases, a_known_reference_may_be_without_a_promise_too);
    tcase_add_test(cases, a_rule_goes_on_from_a_promise_to_none_and_back);
    Suite *suite = suite_create("rule_promises");
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

/* Each kind of mistake in one key, with the whole of what is told. */
#include "tests/unit/check_config.h"

#include <errno.h>

#define TEXT_KEYS "metrics, jobs, feedback, events, control, http, workers, state, log, security, projects, fleet_false_alarms, budgets, retraining"

START_TEST(five_mistakes_at_once)
{
    expect_told("metrics:\n"
                "  quue: 1000\n"
                "jobs: {lease: 30}\n"
                "log:\n"
                "\tlevel: info\n"
                "budgets:\n"
                "  - models: \"*\"\n"
                "    window: 0\n"
                "    kpis:\n"
                "      accuracy: {min: 0.9x, over: mean}\n",
                "2:3: metrics.quue: unknown key; did you mean queue? allowed here: bind, connect, queue, max_message, "
                "max_models, max_future\n"
                "3:15: jobs.lease: 30 has no unit; allowed: a duration, 1ms to 30d, with a unit: d, h, m, s, ms, us\n"
                "5:1: log: a tab in the indentation; indent with spaces\n"
                "8:13: budgets[].window: 0 is out of range; allowed: a whole number, 1 to 1000000\n"
                "10:23: budgets[].kpis.accuracy.min: \"0.9x\" is no number; allowed: a number, 0 to 1");
}
END_TEST

START_TEST(unknown_keys)
{
    expect_told("metrcs: {}", "1:1: metrcs: unknown key; did you mean metrics? allowed here: " TEXT_KEYS);
    expect_told("qqqqqqqq: 1", "1:1: qqqqqqqq: unknown key; allowed here: " TEXT_KEYS);
    expect_told("\"\": 1", "1:1: \"\": unknown key; allowed here: " TEXT_KEYS);
    expect_told("window: 5", "1:1: window: unknown key; did you mean budgets[].window? allowed here: " TEXT_KEYS);
    expect_told("jobs: {retry: {frist: 1s}}",
                "1:16: jobs.retry.frist: unknown key; did you mean first? allowed here: first, max");
    expect_told(
        "budgets: [{models: x, <metric>: 1}]",
        "1:23: budgets[].<metric>: unknown key; allowed here: models, window, min_events, consecutive_failures, "
        "backoff, recover_after, stale_after, false_alarms, event_rate, kpis, drift");
    expect_told(
        "retraining: {limits: {projects: {p: {perday: 1}}}}",
        "1:38: retraining.limits.projects.p.perday: unknown key; did you mean per_day? allowed here: concurrent, "
        "per_model_per_day, per_day, gpu_hours_per_day");
    expect_told("\"a\\nb\\u009b\": 1", "1:1: a\\nb?: unknown key; allowed here: " TEXT_KEYS);
}
END_TEST

START_TEST(keys_given_twice)
{
    expect_told("workers: 1\nlog: {level: info,\n  level: bad}\nworkers: x\nworkers: 2\n",
                "3:3: log.level: given twice, first in line 2; keep one\n"
                "4:1: workers: given twice, first in line 1; keep one\n"
                "5:1: workers: given twice, first in line 1; keep one");
    expect_told("budgets:\n  - models: a\n    kpis:\n      accuracy: {min: 0, min: 1}\n",
                "4:26: budgets[].kpis.accuracy.min: given twice, first in line 4; keep one");
    expect_told("retraining: {strategies: {s: {parameters: {a: [{b: 1, b: 2}]}}}}",
                "1:55: retraining.strategies.s.parameters.a[].b: given twice, first in line 1; keep one");
}
END_TEST

START_TEST(wrong_types)
{
    expect_told("metrics: 5", "1:10: metrics: \"5\" cannot stand here; allowed: a map of bind, connect, queue, "
                              "max_message, max_models, max_future");
    expect_told("metrics: []", "1:10: metrics: this is a list; allowed: a map of bind, connect, queue, "
                               "max_message, max_models, max_future");
    expect_told("workers: {a: 1}", "1:10: workers: this is a map; allowed: auto or a whole number, 0 to 64");
    expect_told("workers: [1]", "1:10: workers: this is a list; allowed: auto or a whole number, 0 to 64");
    expect_told("workers:", "1:9: workers: there is no value; allowed: auto or a whole number, 0 to 64");
    expect_told("workers: ~", "1:10: workers: there is no value; allowed: auto or a whole number, 0 to 64");
    expect_told("workers: '2'", "1:10: workers: \"2\" is a text, because it stands in quotes; allowed: auto or a whole "
                                "number, 0 to 64");
    expect_told("workers: 2.0", "1:10: workers: \"2.0\" is no whole number; allowed: auto or a whole number, 0 to 64");
    expect_told("workers: 02", "1:10: workers: \"02\" is no whole number; allowed: auto or a whole number, 0 to 64");
    expect_told("workers: 0x2", "1:10: workers: \"0x2\" is no whole number; allowed: auto or a whole number, 0 to 64");
    expect_told("workers: yes", "1:10: workers: \"yes\" is no whole number; allowed: auto or a whole number, 0 to 64");
    expect_told("log: {level: loud, format: Json}",
                "1:14: log.level: \"loud\" cannot stand here; allowed: debug, info, warning or error\n"
                "1:28: log.format: \"Json\" cannot stand here; allowed: auto, journal, logfmt or json");
    expect_told("budgets: {models: x}", "1:10: budgets: this is a map; allowed: a list of blocks, each of them a map "
                                        "with the key models");
    expect_told("budgets: [x, [y]]",
                "1:11: budgets[]: \"x\" cannot stand here; allowed: a list of blocks, each of them a map with the key "
                "models\n"
                "1:14: budgets[]: this is a list; allowed: a list of blocks, each of them a map with the key models");
    expect_told("- a", "1:1: YAML: the file is a list; allowed: a map of " TEXT_KEYS);
    expect_told("just text", "1:1: YAML: the file is just text; allowed: a map of " TEXT_KEYS);
}
END_TEST

START_TEST(lists_and_maps_for_values)
{
    static const char *const keys[] = {
        "metrics: {max_message: %s}",
        "metrics: {max_future: %s}",
        "log: {level: %s}",
        "state: {dir: %s}",
        "budgets: [{models: %s}]",
        "budgets: [{models: a, min_events: %s}]",
        "budgets: [{models: a, kpis: {m: {min: %s}}}]",
        "budgets: [{models: a, kpis: {m: {max: 1, over: %s}}}]",
        "retraining: {choose: %s}",
        "retraining: {limits: {gpu_hours_per_day: %s}}",
        "retraining: {strategies: {s: {gpu_hours: %s}}}",
    };
    for (size_t i = 0; i < 2 * sizeof(keys) / sizeof(keys[0]); i++) {
        struct config *config = NULL;
        struct told told;
        char yaml[128];
        const char *hole = strstr(keys[i / 2], "%s");
        snprintf(yaml, sizeof(yaml), "%.*s%s%s", (int)(hole - keys[i / 2]), keys[i / 2], i % 2 ? "{a: 1}" : "[1]",
                 hole + 2);
        ck_assert_int_eq(parse_with(&config, yaml, NULL, &told), -EINVAL);
        ck_assert_msg(told.count == 1 && strstr(told.lines[0], i % 2 ? ": this is a map; allowed: "
                                                                     : ": this is a list; "
                                                                       "allowed: "),
                      "%s", told.lines[0]);
        told_free(&told);
    }
    expect_told(
        "retraining:\n"
        "  limits: {projects: [a]}\n"
        "  strategies: [a]\n",
        "2:22: retraining.limits.projects: this is a list; allowed: a map from projects to their limits\n"
        "3:15: retraining.strategies: this is a list; allowed: a map from names to strategies, as in grid_search: "
        "{gpu_hours: 8}");
    expect_told("budgets: [{models: a, kpis: 5}]", "1:29: budgets[].kpis: \"5\" cannot stand here; allowed: a map from "
                                                   "metrics to their budgets, as in accuracy: {min: 0.9}");
}
END_TEST

static void expect_first(const char *yaml, const char *beginning)
{
    struct config *config = NULL;
    struct told told;
    ck_assert_int_eq(parse_with(&config, yaml, NULL, &told), -EINVAL);
    ck_assert_int_eq(told.count, 1);
    ck_assert_msg(strncmp(told.lines[0], beginning, strlen(beginning)) == 0, "%s", told.lines[0]);
    told_free(&told);
}

START_TEST(too_many_and_too_long)
{
    static char yaml[8192];
    sprintf(yaml, "state: {dir: /%04096d}", 0);
    expect_first(yaml, "driftd.yaml:1:14: state.dir: the path is longer than 4095 bytes; allowed: ");
    sprintf(yaml, "retraining: {choose: %065d}", 0);
    expect_first(yaml,
                 "driftd.yaml:1:22: retraining.choose: \"0000000000000000000000000000000000000000000000000000000000000"
                 "000...\" is longer than 64 bytes; allowed: ");
    strcpy(yaml, "events: {bind: [");
    for (int i = 1; i <= 33; i++)
        sprintf(yaml + strlen(yaml), "'tcp://h:%d', ", i);
    strcat(yaml, "]}");
    expect_first(yaml, "driftd.yaml:1:16: events.bind: more than 32 of them; allowed: ");
    strcpy(yaml, "retraining: {strategies: {");
    for (int i = 0; i < 65; i++)
        sprintf(yaml + strlen(yaml), "s%d: {}, ", i);
    strcat(yaml, "}}");
    expect_first(yaml, "driftd.yaml:1:26: retraining.strategies: more than 64 strategies; allowed: ");
}
END_TEST

START_TEST(numbers_out_of_range)
{
    expect_told("metrics: {queue: 0, max_models: -1}",
                "1:18: metrics.queue: 0 is out of range; allowed: a whole number, 1 to 1000000\n"
                "1:33: metrics.max_models: -1 is out of range; allowed: a whole number, 1 to 10000000");
    expect_told("workers: 65", "1:10: workers: 65 is out of range; allowed: auto or a whole number, 0 to 64");
    expect_told("workers: 18446744073709551616",
                "1:10: workers: 18446744073709551616 is out of range; allowed: auto or a whole number, 0 to 64");
    expect_told("retraining: {seed: 18446744073709551616}",
                "1:20: retraining.seed: 18446744073709551616 is out of range; allowed: a whole number, 0 to "
                "18446744073709551615");
    expect_told("retraining: {limits: {per_day: 0, gpu_hours_per_day: -1}}",
                "1:32: retraining.limits.per_day: 0 is out of range; allowed: none or a whole number, 1 to 1000000\n"
                "1:54: retraining.limits.gpu_hours_per_day: -1 is out of range; allowed: none or a number, 0.001 to "
                "1000000000");
    expect_told(
        "retraining: {strategies: {s: {gpu_hours: 0}, t: {gpu_hours: .inf}, u: {gpu_hours: 1e400}}}",
        "1:42: retraining.strategies.s.gpu_hours: 0 is out of range; allowed: a number, 0.001 to 1000000\n"
        "1:61: retraining.strategies.t.gpu_hours: \".inf\" is no number; allowed: a number, 0.001 to 1000000\n"
        "1:83: retraining.strategies.u.gpu_hours: 1e400 is too large or too fine to be held; allowed: a number, "
        "0.001 to 1000000");
}
END_TEST

START_TEST(kpis_out_of_range)
{
    expect_told(
        "budgets:\n"
        "  - models: \"*\"\n"
        "    kpis:\n"
        "      accuracy: {min: 1.01}\n"
        "      precision: {max: -0.01}\n"
        "      recall: {min: 1e400}\n"
        "      latency_ms: {max: -1}\n"
        "      processed_fps: {min: -0.5}\n"
        "      my.own_1: {min: -1e300, max: nan}\n",
        "4:23: budgets[].kpis.accuracy.min: 1.01 is out of range; allowed: a number, 0 to 1\n"
        "5:24: budgets[].kpis.precision.max: -0.01 is out of range; allowed: a number, 0 to 1\n"
        "6:21: budgets[].kpis.recall.min: 1e400 is too large or too fine to be held; allowed: a number, 0 to 1\n"
        "7:25: budgets[].kpis.latency_ms.max: -1 is out of range; allowed: a number, 0 or more\n"
        "8:28: budgets[].kpis.processed_fps.min: -0.5 is out of range; allowed: a number, 0 or more\n"
        "9:36: budgets[].kpis.my.own_1.max: \"nan\" is no number; allowed: a number");
    expect_told("budgets: [{models: a, kpis: {accuracy: {min: 0.9, max: 0.8}}}]",
                "1:46: budgets[].kpis.accuracy: min 0.9 is above max 0.8; allowed: a min up to the max");
    expect_told("budgets: [{models: a, kpis: {Accuracy: {min: 1}, seq: {min: 1}, \"\": off, 1a: off}}]",
                "1:30: budgets[].kpis.Accuracy: no name of a metric; allowed: a small letter, then up to 63 small "
                "letters, digits, '_' and '.'\n"
                "1:50: budgets[].kpis.seq: a member of every event and no metric; allowed: accuracy, latency_ms or any "
                "other metric\n"
                "1:65: budgets[].kpis.\"\": no name of a metric; allowed: a small letter, then up to 63 small letters, "
                "digits, '_' and '.'\n"
                "1:74: budgets[].kpis.1a: no name of a metric; allowed: a small letter, then up to 63 small letters, "
                "digits, '_' and '.'");
    expect_told("budgets: [{models: a, kpis: {accuracy: 0.9, recall: on, precision: }}]",
                "1:40: budgets[].kpis.accuracy: \"0.9\" cannot stand here; allowed: off or a map of min, max, over, "
                "test, range\n"
                "1:53: budgets[].kpis.recall: \"on\" cannot stand here; allowed: off or a map of min, max, over, test, range\n"
                "1:68: budgets[].kpis.precision: there is no value; allowed: off or a map of min, max, over, test, range");
    expect_told("budgets: [{models: a, kpis: {accuracy: {over: p50}}}]",
                "1:30: budgets[].kpis.accuracy: neither min nor max is given, here or in a block above; allowed: at "
                "least one of them, or off\n"
                "1:47: budgets[].kpis.accuracy.over: \"p50\" cannot stand here; allowed: last, mean, min, max, median, "
                "p90, p95, p99 or ewma");
}
END_TEST

START_TEST(durations_and_sizes)
{
#define DURATION "; allowed: a duration, 1ms to 30d, with a unit: d, h, m, s, ms, us"
    expect_told("jobs: {lease: 300}", "1:15: jobs.lease: 300 has no unit" DURATION);
    expect_told("jobs: {lease: 5min}", "1:15: jobs.lease: \"5min\" is no duration" DURATION);
    expect_told("jobs: {lease: 5 m}", "1:15: jobs.lease: \"5 m\" is no duration" DURATION);
    expect_told("jobs: {lease: -5m}", "1:15: jobs.lease: \"-5m\" is no duration" DURATION);
    expect_told("jobs: {lease: 31d}", "1:15: jobs.lease: 31d is out of range" DURATION);
    expect_told("jobs: {lease: 1us}", "1:15: jobs.lease: 1us is out of range" DURATION);
    expect_told("jobs: {lease: 999999999999d}",
                "1:15: jobs.lease: 999999999999d is too large or too fine to be held" DURATION);
    expect_told("jobs: {lease: 1.0001us}", "1:15: jobs.lease: 1.0001us is too large or too fine to be held" DURATION);
    expect_told("jobs: {lease: off}", "1:15: jobs.lease: \"off\" is no duration" DURATION);
#define SIZE "; allowed: a size, 256B to 1GiB, with a unit: B, KiB, MiB, GiB"
    expect_told("metrics: {max_message: 1048576}", "1:24: metrics.max_message: 1048576 has no unit" SIZE);
    expect_told("metrics: {max_message: 1MB}", "1:24: metrics.max_message: \"1MB\" is no size" SIZE);
    expect_told("metrics: {max_message: 2GiB}", "1:24: metrics.max_message: 2GiB is out of range" SIZE);
}
END_TEST

START_TEST(endpoints)
{
#define ENDPOINTS "; allowed: a list of endpoints: tcp://host:port, ipc://path or inproc://name"
    expect_told(
        "metrics: {bind: [localhost:5570, tcp://:1, tcp://h, tcp://h:0, tcp://h:65536, tcp://::1:5, \"tcp://a b:1\"]}",
        "1:18: metrics.bind: \"localhost:5570\": not an endpoint" ENDPOINTS "\n"
        "1:34: metrics.bind: \"tcp://:1\": the host is missing" ENDPOINTS "\n"
        "1:44: metrics.bind: \"tcp://h\": the port is missing, as in tcp://127.0.0.1:5570" ENDPOINTS "\n"
        "1:53: metrics.bind: \"tcp://h:0\": the port must be 1 to 65535" ENDPOINTS "\n"
        "1:64: metrics.bind: \"tcp://h:65536\": the port must be 1 to 65535" ENDPOINTS "\n"
        "1:79: metrics.bind: \"tcp://::1:5\": the host must be a name, an address, or '*' to bind every "
        "interface; an IPv6 address stands in brackets" ENDPOINTS "\n"
        "1:92: metrics.bind: \"tcp://a b:1\": the host must be a name, an address, or '*' to bind every "
        "interface; an IPv6 address stands in brackets" ENDPOINTS);
    expect_told("metrics: {connect: [\"tcp://*:1\", \"tcp://h:*\", \"ipc://*\", udp://h:1]}",
                "1:21: metrics.connect: \"tcp://*:1\": the host '*' only serves to bind; write the host of the other "
                "side" ENDPOINTS "\n"
                "1:34: metrics.connect: \"tcp://h:*\": the port '*' only serves to bind; write the port of the other "
                "side" ENDPOINTS "\n"
                "1:47: metrics.connect: \"ipc://*\": the path '*' only serves to bind; write the path of the other "
                "side" ENDPOINTS "\n"
                "1:58: metrics.connect: \"udp://h:1\": not an endpoint" ENDPOINTS);
    expect_told("events: {bind: [ipc://a, ipc://a, {x: 1}, [], ~, '']}",
                "1:26: events.bind: \"ipc://a\" stands here twice" ENDPOINTS "\n"
                "1:35: events.bind: this is a map" ENDPOINTS "\n"
                "1:43: events.bind: this is a list" ENDPOINTS "\n"
                "1:47: events.bind: there is no value" ENDPOINTS "\n"
                "1:50: events.bind: the text is empty" ENDPOINTS);
    expect_told("events: {bind: }", "1:16: events.bind: there is no value" ENDPOINTS);
    expect_told(
        "control: {bind: tcp://0.0.0.0:5574}",
        "1:17: control.bind: \"tcp://0.0.0.0:5574\": whoever reaches this socket may command: use ipc://path, or "
        "tcp:// on 127.0.0.1; allowed: a list of endpoints: ipc://path, inproc://name or tcp://127.0.0.1:port");
}
END_TEST

START_TEST(patterns)
{
    struct config *config = NULL;
    struct told told;
    static const char *const bad[] = {"''", "a/b/c/d", "a//b", "/a", "a/", "\" a\"", "\"[a]\"", "\"a\\u0007\""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char yaml[64];
        snprintf(yaml, sizeof(yaml), "budgets: [{models: %s}]", bad[i]);
        ck_assert_int_eq(parse_with(&config, yaml, NULL, &told), -EINVAL);
        ck_assert_int_eq(told.count, 1);
        ck_assert_int_eq(strncmp(told.lines[0], "driftd.yaml:1:20: budgets[].models: ", 36), 0);
        ck_assert_ptr_nonnull(strstr(told.lines[0],
                                     "; allowed: project, project/name or project/name/version, with * and ? "
                                     "within a segment"));
        told_free(&told);
    }
    expect_told("budgets: [{window: 5}]",
                "1:11: budgets[]: the key models is missing; it takes project, project/name or "
                "project/name/version, with * and ? within a segment");
    expect_told("budgets: [{models: [a, b]}]",
                "1:20: budgets[].models: this is a list; allowed: project, project/name or "
                "project/name/version, with * and ? within a segment");
}
END_TEST

START_TEST(retry_times)
{
    expect_told("jobs: {retry: {first: 2m, max: 1m}}",
                "1:23: jobs.retry.first: longer than jobs.retry.max; allowed: up to it");
    expect_told("jobs: {retry: {max: 10s}}",
                "1:21: jobs.retry.max: shorter than jobs.retry.first, which is 30s where nothing is set; allowed: from "
                "it on");
    expect_told("jobs: {retry: {first: 2h}}",
                "1:23: jobs.retry.first: longer than jobs.retry.max, which is 1h where nothing is set; allowed: up to it");
    /* Nothing is concluded from a value that is wrong by itself. */
    expect_told(
        "jobs: {retry: {first: 2x, max: 1s}}",
        "1:23: jobs.retry.first: \"2x\" is no duration; allowed: a duration, 0s to 30d, with a unit: d, h, m, s, "
        "ms, us");
}
END_TEST

START_TEST(strategies)
{
    expect_told("retraining: {choose: pbd}", "1:22: retraining.choose: \"pbd\" is none of the strategies; allowed: "
                                             "history, cheapest, round_robin, random or the name of a strategy: grid_search, "
                                             "bayesian, pbt");
    expect_told(
        "retraining: {choose: pbt, strategies: {mine: {}}}",
        "1:22: retraining.choose: \"pbt\" is none of the strategies; allowed: history, cheapest, round_robin, random or the "
        "name of a strategy: mine");
    expect_told("retraining: {strategies: {random: {}, \"a b\": {}, '': {}, c: 5, history: {}}}",
                "1:27: retraining.strategies.random: a way to choose, which retraining.choose could not tell from a "
                "strategy; allowed: another name\n"
                "1:39: retraining.strategies.a b: no name of a strategy; allowed: a letter or digit, then up to 63 of "
                "letters, digits, '_', '-' and '.'\n"
                "1:50: retraining.strategies.\"\": no name of a strategy; allowed: a letter or digit, then up to 63 of "
                "letters, digits, '_', '-' and '.'\n"
                "1:61: retraining.strategies.c: \"5\" cannot stand here; allowed: a map of gpu_hours, parameters\n"
                "1:64: retraining.strategies.history: a way to choose, which retraining.choose could not tell from a "
                "strategy; allowed: another name");
    expect_told("retraining: {strategies: {s: {parameters: [1]}}}",
                "1:43: retraining.strategies.s.parameters: this is a list; allowed: a map, which trainers get as it "
                "stands");
    expect_told(
        "retraining: {strategies: {s: {parameters: {a: .inf, b: 9223372036854775808, c: 1e999}}}}",
        "1:47: retraining.strategies.s.parameters: .inf is a number that JSON does not have; put quotes around "
        "it to pass it as text\n"
        "1:56: retraining.strategies.s.parameters: 9223372036854775808 is beyond a whole number of 64 bits; put "
        "quotes around it to pass it as text\n"
        "1:80: retraining.strategies.s.parameters: 1e999 is too large or too fine for a number; put quotes "
        "around it to pass it as text");
    expect_told(
        "retraining: {limits: {projects: {\"a/b\": {}, \"*\": {}, c: }}}",
        "1:34: retraining.limits.projects.a/b: no name of a project; allowed: 1 to 128 bytes without /, *, ?, [, "
        "control characters, and without a blank at either end\n"
        "1:45: retraining.limits.projects.*: no name of a project; allowed: 1 to 128 bytes without /, *, ?, [, "
        "control characters, and without a blank at either end\n"
        "1:57: retraining.limits.projects.c: there is no value; allowed: a map of concurrent, "
        "per_model_per_day, per_day, gpu_hours_per_day");
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("mistakes");
    tcase_add_test(cases, five_mistakes_at_once);
    tcase_add_test(cases, unknown_keys);
    tcase_add_test(cases, keys_given_twice);
    tcase_add_test(cases, wrong_types);
    tcase_add_test(cases, lists_and_maps_for_values);
    tcase_add_test(cases, too_many_and_too_long);
    tcase_add_test(cases, numbers_out_of_range);
    tcase_add_test(cases, kpis_out_of_range);
    tcase_add_test(cases, durations_and_sizes);
    tcase_add_test(cases, endpoints);
    tcase_add_test(cases, patterns);
    tcase_add_test(cases, retry_times);
    tcase_add_test(cases, strategies);
    return run_tests(cases, "config mistakes");
}

/* Each kind of mistake, with the whole of what is told. */
#include "tests/unit/check_config.h"

#include <errno.h>

#define TEXT_KEYS                                                                                                       \
    "metrics, jobs, feedback, events, control, workers, state, log, budgets, retraining"

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
    expect_told("budgets: [{models: x, <metric>: 1}]",
                "1:23: budgets[].<metric>: unknown key; allowed here: models, window, min_events, consecutive_failures, "
                "backoff, recover_after, stale_after, kpis");
    expect_told("retraining: {limits: {projects: {p: {perday: 1}}}}",
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
    expect_told("retraining: {strategies: {s: {gpu_hours: 0}, t: {gpu_hours: .inf}, u: {gpu_hours: 1e400}}}",
                "1:42: retraining.strategies.s.gpu_hours: 0 is out of range; allowed: a number, 0.001 to 1000000\n"
                "1:61: retraining.strategies.t.gpu_hours: \".inf\" is no number; allowed: a number, 0.001 to 1000000\n"
                "1:83: retraining.strategies.u.gpu_hours: 1e400 is too large or too fine to be held; allowed: a number, "
                "0.001 to 1000000");
}
END_TEST

START_TEST(kpis_out_of_range)
{
    expect_told("budgets:\n"
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
                "test\n"
                "1:53: budgets[].kpis.recall: \"on\" cannot stand here; allowed: off or a map of min, max, over, test\n"
                "1:68: budgets[].kpis.precision: there is no value; allowed: off or a map of min, max, over, test");
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
    expect_told("jobs: {lease: 999999999999d}", "1:15: jobs.lease: 999999999999d is too large or too fine to be held" DURATION);
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
    expect_told("metrics: {bind: [localhost:5570, tcp://:1, tcp://h, tcp://h:0, tcp://h:65536, tcp://::1:5, \"tcp://a b:1\"]}",
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
    expect_told("control: {bind: tcp://0.0.0.0:5574}",
                "1:17: control.bind: \"tcp://0.0.0.0:5574\": whoever reaches this socket may command: use ipc://path, or "
                "tcp:// on 127.0.0.1; allowed: a list of endpoints: ipc://path, inproc://name or tcp://127.0.0.1:port");
}
END_TEST

START_TEST(sockets_together)
{
    expect_told("metrics: {bind: []}", "1:17: metrics.bind: no endpoint here and none in metrics.connect; allowed: at "
                                       "least one of them, or no event comes in");
    expect_told("jobs: {bind: []}", "1:14: jobs.bind: no endpoint; allowed: at least one, or no job goes out");
    expect_told("feedback: {bind: []}", "1:18: feedback.bind: no endpoint; allowed: at least one, or jobs: {feedback: "
                                        "none} for trainers that only pull");
    expect_told("jobs: {bind: tcp://127.0.0.1:5570}",
                "1:14: jobs.bind: \"tcp://127.0.0.1:5570\" is that of metrics.bind too; allowed: an endpoint of its own");
    expect_told("metrics: {bind: tcp://127.0.0.1:5573}",
                "1:17: metrics.bind: \"tcp://127.0.0.1:5573\" is that of events.bind too; allowed: an endpoint of its own");
    struct config *config = parse_good("metrics: {bind: [], connect: tcp://h:1}\n"
                                       "jobs: {bind: tcp://127.0.0.1:*, feedback: none}\n"
                                       "feedback: {bind: []}\nevents: {bind: tcp://127.0.0.1:*}\n");
    config_destroy(&config);
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
        ck_assert_ptr_nonnull(strstr(told.lines[0], "; allowed: project, project/name or project/name/version, with * and ? "
                                                    "within a segment"));
        told_free(&told);
    }
    expect_told("budgets: [{window: 5}]", "1:11: budgets[]: the key models is missing; it takes project, project/name or "
                                          "project/name/version, with * and ? within a segment");
    expect_told("budgets: [{models: [a, b]}]", "1:20: budgets[].models: this is a list; allowed: project, project/name or "
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
                "1:23: jobs.retry.first: longer than jobs.retry.max; allowed: up to it");
    /* Nothing is concluded from a value that is wrong by itself. */
    expect_told("jobs: {retry: {first: 2x, max: 1s}}",
                "1:23: jobs.retry.first: \"2x\" is no duration; allowed: a duration, 0s to 30d, with a unit: d, h, m, s, "
                "ms, us");
}
END_TEST

START_TEST(strategies)
{
    expect_told("retraining: {choose: pbd}", "1:22: retraining.choose: \"pbd\" is none of the strategies; allowed: "
                                             "cheapest, round_robin, random or the name of a strategy: grid_search, "
                                             "bayesian, pbt");
    expect_told("retraining: {choose: pbt, strategies: {mine: {}}}",
                "1:22: retraining.choose: \"pbt\" is none of the strategies; allowed: cheapest, round_robin, random or the "
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
    expect_told("retraining: {strategies: {s: {parameters: {a: .inf, b: 9223372036854775808, c: 1e999}}}}",
                "1:47: retraining.strategies.s.parameters: .inf is a number that JSON does not have; put quotes around "
                "it to pass it as text\n"
                "1:56: retraining.strategies.s.parameters: 9223372036854775808 is beyond a whole number of 64 bits; put "
                "quotes around it to pass it as text\n"
                "1:80: retraining.strategies.s.parameters: 1e999 is too large or too fine for a number; put quotes "
                "around it to pass it as text");
    expect_told("retraining: {limits: {projects: {\"a/b\": {}, \"*\": {}, c: }}}",
                "1:34: retraining.limits.projects.a/b: no name of a project; allowed: 1 to 128 bytes without /, *, ?, [, "
                "control characters, and without a blank at either end\n"
                "1:45: retraining.limits.projects.*: no name of a project; allowed: 1 to 128 bytes without /, *, ?, [, "
                "control characters, and without a blank at either end\n"
                "1:57: retraining.limits.projects.c: there is no value; allowed: a map of concurrent, "
                "per_model_per_day, per_day, gpu_hours_per_day");
}
END_TEST

START_TEST(not_in_this_release)
{
    expect_told("http: {listen: 127.0.0.1:9570}\n"
                "security:\n  curve: off\n"
                "state: {checkpoint: 30s, keep: 90d}\n"
                "fleet_false_alarms: 1 per 1d\n"
                "budgets:\n"
                "  - models: \"*\"\n"
                "    false_alarms: 1 per 30d\n"
                "    event_rate: auto\n"
                "    kpis:\n"
                "      accuracy: {min: 0.9, test: evidence, range: [0, 1]}\n"
                "    drift: []\n"
                "retraining: {choose: history}\n",
                "1:1: http: not in this release (there is no HTTP server yet); remove the key\n"
                "2:1: security: not in this release (there is no CURVE yet); remove the key\n"
                "4:9: state.checkpoint: not in this release (monitors are not checkpointed yet); remove the key\n"
                "4:26: state.keep: not in this release (ended requests are not cleared away yet); remove the key\n"
                "5:1: fleet_false_alarms: not in this release (no statistical thresholds are computed yet); remove the "
                "key\n"
                "8:5: budgets[].false_alarms: not in this release (no statistical thresholds are computed yet); remove "
                "the key\n"
                "9:5: budgets[].event_rate: not in this release (no statistical thresholds are computed yet); remove the "
                "key\n"
                "11:34: budgets[].kpis.accuracy.test: evidence is not in this release (there is no e-detector yet); "
                "allowed: window\n"
                "11:44: budgets[].kpis.accuracy.range: not in this release (it serves test: evidence, which is not there "
                "yet); remove the key\n"
                "12:5: budgets[].drift: not in this release (there are no drift rules yet); remove the key\n"
                "13:22: retraining.choose: history is not in this release (outcomes are not weighed yet); allowed: "
                "cheapest, round_robin, random or the name of a strategy");
}
END_TEST

START_TEST(variables)
{
    static const char *const set[] = {"TEXT=abc", "LATIN=\xe9", NULL};
    const struct config_options options = {.getenv = told_getenv, .getenv_argument = (void *)(uintptr_t)set};
    expect_told("workers: ${WORKERS}", "1:10: workers: WORKERS is not set in the environment; set it, or write "
                                       "${WORKERS:-default}");
    expect_told_with("workers: ${WORKERS:?say how many}", &options, "1:10: workers: WORKERS: say how many");
    /* What is shown is the text of the file: a value of the environment may be a secret. */
    expect_told_with("workers: ${TEXT}", &options,
                     "1:10: workers: \"${TEXT}\" is no whole number; allowed: auto or a whole number, 0 to 64");
    expect_told_with("state: {dir: \"${LATIN}\"}", &options, "1:14: state.dir: the value of LATIN is no UTF-8");
#define SHAPE "\"${\" begins a variable: write ${NAME}, ${NAME:-default} or ${NAME:?message}, or $${ for the characters themselves"
    expect_told("state:\n  dir: ${}\n", "2:8: state.dir: " SHAPE);
    expect_told("state:\n  dir: ${1A}\n", "2:8: state.dir: " SHAPE);
    expect_told("state:\n  dir: ${A:=b}\n", "2:8: state.dir: " SHAPE);
    expect_told("state:\n  dir: ${A\n", "2:8: state.dir: \"${\" without its \"}\"");
    expect_told("state:\n  dir: ${A:-${B}}\n", "2:8: state.dir: a variable inside the default or message of another; only "
                                               "plain text may stand there");
    expect_told("workers: ${A:-}", "1:10: workers: there is no value; allowed: auto or a whole number, 0 to 64");
    expect_told("jobs: {lease: ${A:-5}s}", "1:16: jobs: between brackets, \"${NAME}\" stands in quotes");
}
END_TEST

START_TEST(variables_have_a_bound)
{
    char *big = malloc(5 + 60001);
    memcpy(big, "BIG=", 4);
    memset(big + 4, 'x', 60000);
    big[60004] = '\0';
    const char *const set[] = {big, NULL};
    const struct config_options options = {.getenv = told_getenv, .getenv_argument = (void *)(uintptr_t)set};
    expect_told_with("state:\n  dir: ${BIG}${BIG}\n", &options,
                     "2:8: state.dir: longer than 65536 bytes once its variables are in");
    char yaml[8192] = "retraining:\n  strategies:\n    s:\n      parameters:\n        a:\n";
    for (int i = 0; i < 281; i++)
        strcat(yaml, "        - ${BIG}\n");
    expect_told_with(yaml, &options, "285:11: retraining.strategies.s.parameters.a[]: the variables of this file come to "
                                     "more than 16 MiB\n"
                                     "286:11: retraining.strategies.s.parameters.a[]: the variables of this file come to "
                                     "more than 16 MiB");
    free(big);
}
END_TEST

START_TEST(yaml_that_is_not_taken)
{
    expect_told("log: &a {level: info}", "1:6: log: an anchor (&); anchors and aliases are not supported, write the value "
                                         "out");
    expect_told("a: &a [x]\nb: *a\n",
                "1:1: a: unknown key; allowed here: " TEXT_KEYS "\n"
                "1:4: a: an anchor (&); anchors and aliases are not supported, write the value out\n"
                "2:1: b: unknown key; allowed here: " TEXT_KEYS "\n"
                "2:4: b: an alias (*); anchors and aliases are not supported, write the value out, and put quotes around a "
                "text that begins with '*'");
    expect_told("budgets:\n  - models: *x\n",
                "2:13: budgets[].models: an alias (*); anchors and aliases are not supported, write the value out, and "
                "put quotes around a text that begins with '*'");
    expect_told("workers: !!int 3", "1:10: workers: a tag (!); tags are not supported, a value's kind follows from how it "
                                    "is written");
    expect_told("workers: ! 3", "1:10: workers: a tag (!); tags are not supported, a value's kind follows from how it is "
                                "written");
    expect_told("log:\n  <<: {level: info}\n", "2:3: log: a merge key (<<); merging is not supported, write the keys out");
    expect_told("[a]: 1\n{b: c}: 2\nworkers: 65\n",
                "1:1: YAML: a list or a map as a key; a key must be a plain text\n"
                "2:1: YAML: a list or a map as a key; a key must be a plain text\n"
                "3:10: workers: 65 is out of range; allowed: auto or a whole number, 0 to 64");
    expect_told("state: {dir: \"a\\0b\"}", "1:14: state.dir: a NUL character in a text; there is no use for one");
    expect_told("workers: 1\n---\nworkers: 2\n", "2:1: YAML: a second document; a file holds one");
    expect_told("workers: 1\n...\nworkers: 2\n", "3:1: YAML: text after the end of the document; a file holds one");
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
    struct config *config = NULL;
    struct told told = {.count = 0};
    const char nul[] = "workers: 1\nlog:\0 {}\n";
    ck_assert_int_eq(config_parse(&config, "f", (struct text){nul, sizeof(nul) - 1}, NULL, told_take, &told), -EINVAL);
    ck_assert_str_eq(told.lines[0], "f:2:5: YAML: a NUL byte; the file must be text in UTF-8");
    ck_assert_int_eq(told.count, 1);
    told_free(&told);
    static const char *const no_utf8[] = {"\xe9", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xff\xfe"};
    for (size_t i = 0; i < sizeof(no_utf8) / sizeof(no_utf8[0]); i++) {
        char yaml[64];
        snprintf(yaml, sizeof(yaml), "# \xc3\xa9\r\n\r# \xe2\x82\xac%s", no_utf8[i]);
        expect_told(yaml, "3:4: YAML: a byte that is no UTF-8; save the file as UTF-8");
    }
    expect_told("log: {} # \x1b[0m", "1:11: YAML: a control character; only tab and line breaks may stand in a text");
    expect_told("log: {} # \xc2\x9b", "1:11: YAML: a control character; only tab and line breaks may stand in a text");
}
END_TEST

START_TEST(syntax)
{
    expect_told("log: level: info", "1:11: YAML: a ':' that no key can have here; indent keys of one map alike, and put "
                                    "quotes around a text that holds ': '");
    expect_told("log: {level: \"info}\n", "1:14: log.level: a quote that is never closed");
    expect_told("log: {level: @info}\n", "1:14: log.level: a character that no value can begin with; put quotes around the "
                                         "text");
    expect_told("log:\n    level: info\n  format: json\n", "3:3: YAML: this is indented unlike the keys above it");
    expect_told("budgets:\n  - models: a\n - models: b\n", "3:2: YAML: this is indented unlike the keys above it");
    expect_told("events: {bind: [ipc://a, ipc://b}\n", "1:16: events.bind[]: a '[' whose ']' or a ',' is missing");
    expect_told("log: {level: info\nworkers: 65\n",
                "1:6: log: a '{' whose '}' or a ',' is missing\n"
                "2:10: workers: 65 is out of range; allowed: auto or a whole number, 0 to 64");
    expect_told("log:\n  level: info\n\tformat: json\nworkers: 65\n",
                "3:1: log.level: a tab in the indentation; indent with spaces\n"
                "4:10: workers: 65 is out of range; allowed: auto or a whole number, 0 to 64");
    expect_told("workers\nlog: {}\n", "2:4: YAML: a ':' that no key can have here; indent keys of one map alike, and put "
                                      "quotes around a text that holds ': '");
    /* Keys of all the pieces are of one map. */
    expect_told("workers: 1\nlog: {level: @}\nworkers: 2\nstate: {dir: @}\nlog: {}\n",
                "2:14: log.level: a character that no value can begin with; put quotes around the text\n"
                "3:1: workers: given twice, first in line 1; keep one\n"
                "4:14: state.dir: a character that no value can begin with; put quotes around the text\n"
                "5:1: log: given twice, first in line 2; keep one");
}
END_TEST

START_TEST(depth_is_bounded)
{
    static char yaml[200001];
    memset(yaml, '[', 200000);
    expect_told(yaml, "1:65: YAML: nested deeper than 64; nothing here is read further");
    for (size_t i = 0; i < 200000; i += 5)
        memcpy(yaml + i, "{a: ", 5);
    memcpy(yaml, "retraining: {strategies: {s: {parameters: ", 42);
    memset(yaml + 42, '[', 200000 - 42);
    expect_told(yaml, "1:103: YAML: nested deeper than 64; nothing here is read further");
    for (int i = 0; i < 70; i++)
        sprintf(yaml + 2 * i, "- ");
    strcpy(yaml + 140, "x\n");
    expect_told(yaml, "1:129: YAML: nested deeper than 64; nothing here is read further");
    /* 64 are allowed: 4 maps and 60 lists. */
    strcpy(yaml, "retraining: {strategies: {s: {parameters: {a: ");
    memset(yaml + strlen(yaml), 0, 1000);
    memset(yaml + strlen(yaml), '[', 59);
    memset(yaml + strlen(yaml), ']', 59);
    strcat(yaml, "}}}}");
    struct config *config = parse_good(yaml);
    config_destroy(&config);
}
END_TEST

START_TEST(mistakes_have_a_bound)
{
    char *yaml = calloc(1, 40000);
    struct config *config = NULL;
    struct told told;
    for (int i = 0; i < 1005; i++)
        sprintf(yaml + strlen(yaml), "k%d: [{}]\n", i);
    ck_assert_int_eq(parse_with(&config, yaml, NULL, &told), -EINVAL);
    ck_assert_int_eq(told.count, 1001);
    ck_assert_str_eq(told.lines[1000], "driftd.yaml: 5 mistakes more are not shown");
    told_free(&told);
    /* A syntax that breaks in every line. */
    *yaml = '\0';
    for (int i = 0; i < 1000; i++)
        strcat(yaml, "log: {level: @}\n");
    ck_assert_int_eq(parse_with(&config, yaml, NULL, &told), -EINVAL);
    ck_assert_int_eq(told.count, 16 + 15);
    told_free(&told);
    free(yaml);
}
END_TEST

START_TEST(long_texts_are_cut)
{
    expect_told("workers: \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
                "1:10: workers: \"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9...\" is no whole number; allowed: auto or a whole "
                "number, 0 to 64");
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("mistakes");
    tcase_add_test(cases, five_mistakes_at_once);
    tcase_add_test(cases, unknown_keys);
    tcase_add_test(cases, keys_given_twice);
    tcase_add_test(cases, wrong_types);
    tcase_add_test(cases, numbers_out_of_range);
    tcase_add_test(cases, kpis_out_of_range);
    tcase_add_test(cases, durations_and_sizes);
    tcase_add_test(cases, endpoints);
    tcase_add_test(cases, sockets_together);
    tcase_add_test(cases, patterns);
    tcase_add_test(cases, retry_times);
    tcase_add_test(cases, strategies);
    tcase_add_test(cases, not_in_this_release);
    tcase_add_test(cases, variables);
    tcase_add_test(cases, variables_have_a_bound);
    tcase_add_test(cases, yaml_that_is_not_taken);
    tcase_add_test(cases, bytes_that_are_no_text);
    tcase_add_test(cases, syntax);
    tcase_add_test(cases, depth_is_bounded);
    tcase_add_test(cases, mistakes_have_a_bound);
    tcase_add_test(cases, long_texts_are_cut);
    return run_tests(cases, "config mistakes");
}

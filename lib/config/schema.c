/* The rows, which are long on purpose: everything that can be said of a key stands in one place. */
#include "lib/config/schema.h"

#include <math.h>

#include "lib/config/budgets.h"
#include "lib/config/config.h"

#define IN_CONFIG(field) .offset = offsetof(struct config, field)
#define IN_SETTINGS(field) .offset = offsetof(struct budget_block, settings.field)
#define IN_KPI(field) .offset = offsetof(struct kpi_budget, field)
#define IN_PROJECT(field) .offset = offsetof(struct config_project_limits, limits.field)
#define IN_OWN(field) .offset = offsetof(struct config_project, field)
#define IN_STRATEGY(field) .offset = offsetof(struct strategy, field)
#define NOWHERE .offset = SCHEMA_NOWHERE
#define RANGE(from, to) .least = (from), .most = (to)
#define DEFAULT(text) .standard = (text)
#define WORDS(list) .words = (list)

static const struct schema_word feedback_words[] = {
    {"required", CONFIG_FEEDBACK_REQUIRED}, {"none", CONFIG_FEEDBACK_NONE}, {0}};
static const struct schema_word workers_words[] = {{"auto", -1}, {0}};
static const struct schema_word level_words[] = {{"debug", CONFIG_LOG_DEBUG},
                                                 {"info", CONFIG_LOG_INFO},
                                                 {"warning", CONFIG_LOG_WARNING},
                                                 {"error", CONFIG_LOG_ERROR},
                                                 {0}};
static const struct schema_word format_words[] = {{"auto", CONFIG_LOG_AUTO},
                                                  {"journal", CONFIG_LOG_JOURNAL},
                                                  {"logfmt", CONFIG_LOG_LOGFMT},
                                                  {"json", CONFIG_LOG_JSON},
                                                  {0}};
static const struct schema_word listen_words[] = {{"off", 0}, {0}};
static const struct schema_word limit_words[] = {{"none", 0}, {0}};
static const struct schema_word over_words[] = {{"last", WINDOW_LAST},     {"mean", WINDOW_MEAN},
                                                {"min", WINDOW_MIN},       {"max", WINDOW_MAX},
                                                {"median", WINDOW_MEDIAN}, {"p90", WINDOW_P90},
                                                {"p95", WINDOW_P95},       {"p99", WINDOW_P99},
                                                {"ewma", WINDOW_EWMA},     {0}};
static const struct schema_word test_words[] = {{"window", KPI_WINDOW}, {"evidence", KPI_EVIDENCE}, {0}};
static const struct schema_word rate_words[] = {{"auto", 0}, {0}};
static const struct schema_word curve_words[] = {{"off", CONFIG_CURVE_OFF}, {"on", CONFIG_CURVE_ON}, {0}};
static const struct schema_word yes_words[] = {{"false", CONFIG_NO}, {"true", CONFIG_YES}, {0}};
static const struct schema_word choose_words[] = {{"history", 0},
                                                  {"cheapest", 0},
                                                  {"round_robin", 0},
                                                  {"random", 0},
                                                  {0}};

const struct schema_row schema_rows[] = {
    {"metrics", SCHEMA_MAP, NOWHERE},
    {"metrics.bind", SCHEMA_BIND, DEFAULT("[tcp://127.0.0.1:5570]"), IN_CONFIG(metrics.bind)},
    {"metrics.connect", SCHEMA_CONNECT, DEFAULT("[]"), IN_CONFIG(metrics.connect)},
    {"metrics.queue", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("1000"), IN_CONFIG(metrics.queue)},
    {"metrics.max_message", SCHEMA_SIZE, RANGE("256B", "1GiB"), DEFAULT("1MiB"), IN_CONFIG(metrics.max_message_bytes)},
    {"metrics.max_models", SCHEMA_COUNT, RANGE("1", "10000000"), DEFAULT("100000"), IN_CONFIG(metrics.max_models)},
    {"metrics.max_future", SCHEMA_DURATION, RANGE("0s", "3650d"), DEFAULT("5m"), IN_CONFIG(metrics.max_future_ns)},

    {"jobs", SCHEMA_MAP, NOWHERE},
    {"jobs.bind", SCHEMA_BIND, DEFAULT("[tcp://127.0.0.1:5571]"), IN_CONFIG(jobs.bind)},
    {"jobs.feedback", SCHEMA_WORD, DEFAULT("required"), IN_CONFIG(jobs.feedback), WORDS(feedback_words)},
    {"jobs.accept_within", SCHEMA_DURATION, RANGE("1ms", "30d"), DEFAULT("30s"), IN_CONFIG(jobs.accept_within_ns)},
    {"jobs.lease", SCHEMA_DURATION, RANGE("1ms", "30d"), DEFAULT("5m"), IN_CONFIG(jobs.lease_ns)},
    {"jobs.max_run", SCHEMA_DURATION, RANGE("1ms", "365d"), DEFAULT("12h"), IN_CONFIG(jobs.max_run_ns)},
    {"jobs.attempts", SCHEMA_COUNT, RANGE("1", "1000"), DEFAULT("5"), IN_CONFIG(jobs.attempts)},
    {"jobs.retry", SCHEMA_MAP, NOWHERE},
    {"jobs.retry.first", SCHEMA_DURATION, RANGE("0s", "30d"), DEFAULT("30s"), IN_CONFIG(jobs.retry_first_ns)},
    {"jobs.retry.max", SCHEMA_DURATION, RANGE("0s", "365d"), DEFAULT("1h"), IN_CONFIG(jobs.retry_max_ns)},

    {"feedback", SCHEMA_MAP, NOWHERE},
    {"feedback.bind", SCHEMA_BIND, DEFAULT("[tcp://127.0.0.1:5572]"), IN_CONFIG(feedback)},
    {"events", SCHEMA_MAP, NOWHERE},
    {"events.bind", SCHEMA_BIND, DEFAULT("[tcp://127.0.0.1:5573]"), IN_CONFIG(events)},
    {"control", SCHEMA_MAP, NOWHERE},
    {"control.bind", SCHEMA_CONTROL, DEFAULT("[ipc:///run/driftd/control.sock]"), IN_CONFIG(control)},
    {"http", SCHEMA_MAP, NOWHERE},
    {"http.listen", SCHEMA_LISTEN, DEFAULT("127.0.0.1:9570"), IN_CONFIG(http.listen), WORDS(listen_words)},
    {"http.hosts", SCHEMA_HOSTS, DEFAULT("[localhost, 127.0.0.1]"), IN_CONFIG(http.hosts)},
    {"workers", SCHEMA_COUNT, RANGE("0", "64"), DEFAULT("auto"), IN_CONFIG(workers), WORDS(workers_words)},

    {"state", SCHEMA_MAP, NOWHERE},
    {"state.dir", SCHEMA_PATH, DEFAULT("/var/lib/driftd"), IN_CONFIG(state.dir)},
    {"state.checkpoint", SCHEMA_DURATION, RANGE("100ms", "1d"), DEFAULT("30s"), IN_CONFIG(state.checkpoint_ns)},
    {"state.keep", SCHEMA_DURATION, RANGE("1d", "36500d"), DEFAULT("90d"), IN_CONFIG(state.keep_ns)},
    {"log", SCHEMA_MAP, NOWHERE},
    {"log.level", SCHEMA_WORD, DEFAULT("info"), IN_CONFIG(log.level), WORDS(level_words)},
    {"log.format", SCHEMA_WORD, DEFAULT("auto"), IN_CONFIG(log.format), WORDS(format_words)},
    {"security", SCHEMA_MAP, NOWHERE},
    {"security.curve", SCHEMA_WORD, DEFAULT("off"), IN_CONFIG(security.curve), WORDS(curve_words)},
    {"security.server_key", SCHEMA_PATH, DEFAULT("${CREDENTIALS_DIRECTORY:-/etc/driftd}/curve.secret"),
     IN_CONFIG(security.server_key)},
    {"security.clients", SCHEMA_PATH, DEFAULT("/etc/driftd/clients.yaml"), IN_CONFIG(security.clients)},
    {"security.i_know", SCHEMA_WORD, DEFAULT("false"), IN_CONFIG(security.i_know), WORDS(yes_words)},
    {"security.overlap", SCHEMA_MAP, NOWHERE},
    {"security.overlap.server_key", SCHEMA_PATH, DEFAULT("/etc/driftd/curve.next.secret"),
     IN_CONFIG(security.overlap.server_key)},
    {"security.overlap.metrics", SCHEMA_BIND, DEFAULT("[]"), IN_CONFIG(security.overlap.metrics)},
    {"security.overlap.jobs", SCHEMA_BIND, DEFAULT("[]"), IN_CONFIG(security.overlap.jobs)},
    {"security.overlap.feedback", SCHEMA_BIND, DEFAULT("[]"), IN_CONFIG(security.overlap.feedback)},
    {"security.overlap.events", SCHEMA_BIND, DEFAULT("[]"), IN_CONFIG(security.overlap.events)},
    {"projects", SCHEMA_OWN, DEFAULT("{}"), IN_CONFIG(projects)},
    {"projects.<project>", SCHEMA_PROJECT, NOWHERE},
    {"projects.<project>.jobs", SCHEMA_BIND, DEFAULT("[]"), IN_OWN(jobs)},
    {"projects.<project>.events", SCHEMA_BIND, DEFAULT("[]"), IN_OWN(events)},
    {"fleet_false_alarms", SCHEMA_ALARMS, IN_CONFIG(fleet_alarms)},

    {"budgets", SCHEMA_BLOCKS, NOWHERE},
    {"budgets[].models", SCHEMA_PATTERN, .offset = offsetof(struct budget_block, models)},
    {"budgets[].window", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("64"), IN_SETTINGS(window)},
    {"budgets[].min_events", SCHEMA_COUNT64, RANGE("0", "1000000000"), DEFAULT("16"), IN_SETTINGS(min_events)},
    {"budgets[].consecutive_failures", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("3"),
     IN_SETTINGS(consecutive_failures)},
    {"budgets[].backoff", SCHEMA_DURATION, RANGE("0s", "3650d"), DEFAULT("30m"), IN_SETTINGS(backoff_ns)},
    {"budgets[].recover_after", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("32"), IN_SETTINGS(recover_after)},
    {"budgets[].stale_after", SCHEMA_DURATION, RANGE("1ms", "3650d"), DEFAULT("10m"), IN_SETTINGS(stale_after_ns)},
    {"budgets[].false_alarms", SCHEMA_ALARMS, DEFAULT("1 per 30d"), IN_SETTINGS(alarms)},
    {"budgets[].event_rate", SCHEMA_RATE, DEFAULT("auto"), IN_SETTINGS(event_rate), WORDS(rate_words)},
    {"budgets[].kpis", SCHEMA_KPIS, NOWHERE},
    {"budgets[].kpis.<metric>", SCHEMA_KPI, NOWHERE},
    {"budgets[].kpis.<metric>.min", SCHEMA_LIMIT, IN_KPI(min)},
    {"budgets[].kpis.<metric>.max", SCHEMA_LIMIT, IN_KPI(max)},
    {"budgets[].kpis.<metric>.over", SCHEMA_WORD, DEFAULT("mean"), IN_KPI(over), WORDS(over_words)},
    {"budgets[].kpis.<metric>.test", SCHEMA_WORD, DEFAULT("window"), IN_KPI(test), WORDS(test_words)},
    {"budgets[].kpis.<metric>.range", SCHEMA_RANGE, IN_KPI(range)},
    {"budgets[].drift", SCHEMA_DRIFT, .offset = offsetof(struct budget_block, drift)},

    {"retraining", SCHEMA_MAP, NOWHERE},
    {"retraining.seed", SCHEMA_COUNT64, RANGE("0", "18446744073709551615"), DEFAULT("0"), IN_CONFIG(retraining.seed)},
    {"retraining.limits", SCHEMA_MAP, NOWHERE},
    {"retraining.limits.concurrent", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("4"),
     IN_CONFIG(retraining.limits.concurrent), WORDS(limit_words)},
    {"retraining.limits.per_model_per_day", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("2"),
     IN_CONFIG(retraining.limits.per_model_per_day), WORDS(limit_words)},
    {"retraining.limits.per_day", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("20"),
     IN_CONFIG(retraining.limits.per_day), WORDS(limit_words)},
    {"retraining.limits.gpu_hours_per_day", SCHEMA_NUMBER, RANGE("0.001", "1000000000"), DEFAULT("64"),
     IN_CONFIG(retraining.limits.gpu_hours_per_day), WORDS(limit_words)},
    {"retraining.limits.projects", SCHEMA_PROJECTS, NOWHERE},
    {"retraining.limits.projects.<project>", SCHEMA_PROJECT, NOWHERE},
    {"retraining.limits.projects.<project>.concurrent", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("none"),
     IN_PROJECT(concurrent), WORDS(limit_words)},
    {"retraining.limits.projects.<project>.per_model_per_day", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("none"),
     IN_PROJECT(per_model_per_day), WORDS(limit_words)},
    {"retraining.limits.projects.<project>.per_day", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("none"),
     IN_PROJECT(per_day), WORDS(limit_words)},
    {"retraining.limits.projects.<project>.gpu_hours_per_day", SCHEMA_NUMBER, RANGE("0.001", "1000000000"),
     DEFAULT("none"), IN_PROJECT(gpu_hours_per_day), WORDS(limit_words)},
    {"retraining.give_up_after", SCHEMA_COUNT, RANGE("1", "1000000"), DEFAULT("3"),
     IN_CONFIG(retraining.give_up_after)},
    {"retraining.choose", SCHEMA_CHOICE, DEFAULT("history"), IN_CONFIG(retraining.choose), WORDS(choose_words)},
    {"retraining.strategies", SCHEMA_STRATEGIES, NOWHERE},
    {"retraining.strategies.<name>", SCHEMA_STRATEGY, NOWHERE},
    {"retraining.strategies.<name>.gpu_hours", SCHEMA_NUMBER, RANGE("0.001", "1000000"), DEFAULT("1"),
     IN_STRATEGY(gpu_hours)},
    {"retraining.strategies.<name>.parameters", SCHEMA_PARAMETERS, DEFAULT("{}"), IN_STRATEGY(parameters_json)},
};

const uint32_t schema_row_count = sizeof(schema_rows) / sizeof(schema_rows[0]);

void schema_metric_range(struct text metric, double *least, double *most)
{
    static const struct {
        const char *metric;
        double least, most;
    } ranges[] = {
        {"accuracy", 0, 1},
        {"precision", 0, 1},
        {"recall", 0, 1},
        {"expected_accuracy", 0, 1},
        {"latency_ms", 0, INFINITY},
        {"processed_fps", 0, INFINITY},
    };
    *least = -INFINITY;
    *most = INFINITY;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (!text_is(metric, ranges[i].metric))
            continue;
        *least = ranges[i].least;
        *most = ranges[i].most;
    }
}

/* decisions_monitor.c - monitors with a rule for each detector, told of triggers and held now and then: see
 * decisions.h. */
#include "bench/decisions.h"
#include "lib/monitor/monitor.h"

#define MODELS 200
#define STEP_NS INT64_C(200000000)
#define WALL_S 1.76e9

static const char *const names[] = {"accuracy", "latency_ms", "fps", "confidence", "brightness"};
#define METRICS (sizeof names / sizeof *names)

static const struct kpi_budget kpis[] = {
    {.metric = "accuracy", .min = 0.3, .max = NAN, .over = WINDOW_MEAN},
    {.metric = "latency_ms", .min = NAN, .max = 1e9, .over = WINDOW_P95},
    {.metric = "accuracy", .min = 0.6, .max = NAN, .over = WINDOW_MEAN, .test = KPI_EVIDENCE, .range = {0, 1}},
};
static struct drift_rule rules[MONITOR_RULES_MAX], few[MONITOR_RULES_MAX];
static struct detect_params steps[MONITOR_RULES_MAX * RULE_STEPS_MAX];
static struct monitor_settings settings = {.window = 16,
                                           .min_events = 4,
                                           .consecutive_failures = 3,
                                           .recover_after = 5,
                                           .backoff_ns = 20 * STEP_NS,
                                           .kpis = kpis,
                                           .kpi_count = sizeof kpis / sizeof *kpis,
                                           .rules = rules,
                                           .alarms = {.every_s = 864000}};
static struct monitor_settings calm;     /* the same with few rules, none of them easily alarmed */
static struct monitor_settings ruleless; /* and with none */

static void settings_make(void)
{
    uint32_t count = 0;
    rules[count] = (struct drift_rule){.metric = "accuracy", .detector = "evidence", .kpi = 2};
    if (detect_params_init(&rules[0].params, "evidence", NULL) != 0)
        stop("evidence");
    detect_params_set(&rules[count++].params, "budget", 0.6, NULL);
    for (uint32_t d = 1; detect_name(d); d++, count++) {
        struct drift_rule *rule = &rules[count];
        *rule = (struct drift_rule){.detector = detect_name(d), .kpi = RULE_NO_KPI};
        snprintf(rule->metric, sizeof rule->metric, "%s", names[d % METRICS]);
        if (detect_params_init(&rule->params, rule->detector, NULL) != 0)
            stop(rule->detector);
        set(&rule->params, "robust", 1);
    }
    settings.rule_count = count;
    if (drift_rules_promise(rules, 3, &settings.alarms, 0, steps) != 0) /* evidence, cusum, ewma follow the rate */
        stop("drift_rules_promise");
    calm = ruleless = settings;
    ruleless.rules = NULL;
    ruleless.rule_count = 0;
    calm.rules = few;
    calm.rule_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        static const char *const names_of_few[] = {"evidence", "cusum", "ewma", "page_hinkley", "adwin", "shewhart"};
        for (uint32_t name = 0; name < sizeof names_of_few / sizeof *names_of_few; name++)
            if (strcmp(rules[i].detector, names_of_few[name]) == 0)
                few[calm.rule_count++] = rules[i];
    }
}

static const struct monitor_settings *settings_of(uint32_t model)
{
    return model % 4 == 0 ? &settings : model % 8 == 6 ? &ruleless : &calm;
}

/* What others tell a monitor, also one that was just loaded. */
static void tell(struct monitor *monitor, uint32_t i, int64_t triggered_ns)
{
    if (triggered_ns)
        monitor_triggered_at(monitor, triggered_ns);
    monitor_hold(monitor, i % 600 > 560 ? (i / 600 + 1) * 600 * STEP_NS : INT64_MIN);
}

static void print_trigger(uint32_t model, uint32_t i, const struct trigger *t)
{
    printf("model %" PRIu32 " %s event %" PRIu32 " %s observed %a limit %a change %a size %a %a %a n %" PRIu64 "\n",
           model, i < HALF ? "first" : "second", i, t->rule, t->observed, t->limit, t->change_at_s, t->size,
           t->size_lower, t->size_upper, t->n);
}

/* How the rules stand only now and then: whoever looks at them may bring them to do what they had put off. */
static void hash_monitor(uint64_t *hash, const struct monitor *monitor, const struct verdict *verdict, int64_t now_ns,
                         bool rules_too)
{
    hash_u64(hash, (uint64_t)verdict->evaluation << 4 | (uint64_t)verdict->violation_began << 3 |
                       (uint64_t)verdict->triggered << 2 | (uint64_t)verdict->recovered << 1);
    hash_u64(hash, (uint64_t)monitor_state(monitor, now_ns) << 32 | monitor_failures(monitor));
    for (uint32_t i = 0; rules_too && i < monitor_rule_count(monitor); i++) {
        struct monitor_rule rule;
        monitor_rule_at(monitor, i, &rule);
        hash_f64(hash, rule.statistic);
        hash_f64(hash, rule.threshold);
        hash_f64(hash, rule.promise);
        hash_f64(hash, rule.rate);
        hash_u64(hash, rule.taken << 8 | rule.step);
        hash_u64(hash, rule.refused);
    }
}

/* One event of up to five numbers, a histogram and categories. Metrics are missing now and then, and change places. */
static int add_event(struct monitor *monitor, struct stream streams[METRICS], uint32_t model, uint32_t i, bool fed,
                     struct verdict *verdict)
{
    static const double edges[] = {0, 0.25, 0.5, 0.75, 1};
    const bool ill = i % 900 > 800;
    struct metric metrics[METRICS + 2];
    struct metric_category categories[] = {{text_of("cat"), i % 7 + 1}, {text_of("dog"), ill ? 40 : i % 5}};
    const uint64_t counts[] = {i % 9, i % 4, ill ? 50 : i % 5, i % 3 + 1};
    uint32_t count = 0;
    for (uint32_t m = 0; m < METRICS; m++) {
        const double value = value_of(&streams[m], model + m, i + 100 * model);
        if ((i + m) % 29 == 0)
            continue;
        metrics[count++] = (struct metric){.name = text_of(names[m]), .key = 100 + m, .number = value};
    }
    if (i % 13 == 0 && count > 1) {
        const struct metric first = metrics[0];
        metrics[0] = metrics[count - 1];
        metrics[count - 1] = first;
    }
    if (model % 3 == 1) {
        metrics[count] = (struct metric){.name = text_of("bins"), .kind = METRIC_HISTOGRAM};
        metrics[count].histogram.edges = edges;
        metrics[count].histogram.counts = counts;
        metrics[count++].histogram.bins = 4;
        metrics[count] = (struct metric){.name = text_of("classes"), .kind = METRIC_CATEGORIES};
        metrics[count].categories.at = categories;
        metrics[count++].categories.count = 2;
    }
    uint64_t shape = HASH_FIRST;
    for (uint32_t m = 0; m < count; m++)
        hash_u64(&shape, metrics[m].key);
    const struct metric_event event = {.shape = model % 3 == 1 ? 0 : shape,
                                       .timestamp_s = model % 2 ? (double)NAN : WALL_S + i * 0.2,
                                       .n = model % 4 == 3 && i % 3 == 0 ? i % 50 + 1 : 1,
                                       .metrics = metrics,
                                       .metric_count = count};
    return fed ? monitor_add(monitor, &event, 1 + i * STEP_NS, WALL_S + i * 0.2, verdict) : 0;
}

static void *saved_monitor(const struct monitor *monitor, size_t *size_p)
{
    *size_p = monitor_save(monitor, NULL, 0);
    void *bytes = malloc(*size_p);
    if (!bytes || monitor_save(monitor, bytes, *size_p) != *size_p)
        stop("monitor_save");
    return bytes;
}

static void again_monitor(struct monitor **monitor, uint32_t model, void *bytes, size_t size, uint32_t i,
                          int64_t triggered_ns)
{
    monitor_destroy(monitor);
    if (monitor_load(monitor, settings_of(model), bytes, size, 0) != 0)
        stop("monitor_load");
    tell(*monitor, i, triggered_ns);
    free(bytes);
}

static void run_monitor(uint32_t model, uint32_t restarts, bool first_run, uint64_t hash[2])
{
    struct stream streams[METRICS];
    struct monitor *monitor;
    int64_t triggered_ns = 0;
    size_t size;
    if (monitor_new(&monitor, settings_of(model)) != 0)
        stop("monitor_new");
    for (uint32_t m = 0; m < METRICS; m++)
        streams[m] = stream_seeded(11 + m, model);
    hash[0] = hash[1] = HASH_FIRST;
    for (uint32_t i = 0; i < VALUES; i++) {
        struct verdict verdict;
        if (i == HALF && from) {
            void *bytes = read_state(&size), *moment = read_state(&(size_t){0});
            memcpy(&triggered_ns, moment, sizeof triggered_ns);
            free(moment);
            again_monitor(&monitor, model, bytes, size, i, triggered_ns);
        } else if (i == HALF && keep && first_run) {
            void *bytes = saved_monitor(monitor, &size);
            write_state(bytes, size);
            write_state(&triggered_ns, sizeof triggered_ns);
            free(bytes);
        }
        tell(monitor, i, 0);
        if (restarts && i % restarts == restarts - 1) {
            void *bytes = saved_monitor(monitor, &size);
            again_monitor(&monitor, model, bytes, size, i, triggered_ns);
        }
        if (add_event(monitor, streams, model, i, !from || i >= HALF, &verdict) != 0)
            stop("monitor_add");
        if (from && i < HALF)
            continue;
        hash_monitor(&hash[i >= HALF], monitor, &verdict, 1 + i * STEP_NS, verdict.triggered || i % 37 == model % 37);
        if (verdict.triggered && first_run)
            print_trigger(model, i, monitor_trigger(monitor));
        if (verdict.triggered)
            triggered_ns = 1 + i * STEP_NS;
    }
    monitor_destroy(&monitor);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    settings_make();
    for (uint32_t model = 0; model < MODELS; model++) {
        uint64_t plain[2], restarted[2] = {0};
        run_monitor(model, 0, true, plain);
        if (!from)
            run_monitor(model, 41, false, restarted);
        say("model", model, plain, restarted);
    }
    return end();
}

/* hotpath.c - the daemon's own part of an event alone: hash, find, decode, update, without a socket.
 *
 *   hotpath MODELS MESSAGES [json|msgpack|batch] [ROWS] [budgets|detectors] [large|small|thread]
 *
 * Hands pre-encoded messages to the station of the workers as ingest does, in batches of FRAME_BATCH_MAX, on one shard
 * and without threads. Prints CPU nanoseconds a message, memory a model by the difference of the resident set, and the
 * longest turn of those that make the models and let the tables grow. The memory is put into large pages once before
 * the clock runs, as the daemon's would be by then; not with `small`, and with `thread` by a thread meanwhile, as in
 * the daemon, whose turns wait for it: the longest of all by the clock on the wall is printed for that. With `batch`
 * the messages are JSON for batch/<node>, each with an event of ROWS models; there are more models than fit the cache
 * then, or the prefetching has nothing to do. Under callgrind with
 * --toggle-collect=workers_take the count is that of the hot path alone and the same from run to run: bench/gate.py
 * holds it against bench/gate.json.
 */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "bench/traffic.h"
#include "daemon/base/large_pages.h"
#include "daemon/base/memory_limit.h"
#include "daemon/workers/workers.h"
#include "lib/detect/reference.h"

#define LAP_SHIFT                                                                                                      \
    (16 * 37)           /* each lap a model gets other values from the same one of 16 nodes; models: a multiple of 16 */
#define LAPS_BEFORE 140 /* laps that make the models and fill their windows, before the clock runs; 2 for very many */
#define LAPS_REFERENCE 520 /* that fill the detectors' references as well */
#define BATCH_LAPS 5       /* of a batch's models, until their values come again */

enum form { FORM_JSON, FORM_MSGPACK, FORM_BATCH };

static struct kpi_budget kpis[] = {
    {.metric = "accuracy", .min = 0.80, .max = NAN, .over = WINDOW_MEAN},
    {.metric = "latency_ms", .min = NAN, .max = 250, .over = WINDOW_P95},
    {.metric = "processed_fps", .min = 20, .max = NAN, .over = WINDOW_MEAN},
};
static struct drift_rule rules[4];
static struct detect_params steps[4 * RULE_STEPS_MAX];
static struct monitor_settings settings = {.window = 128,
                                           .min_events = 16,
                                           .consecutive_failures = 3,
                                           .recover_after = 32,
                                           .backoff_ns = INT64_C(1800000000000),
                                           .stale_after_ns = INT64_C(600000000000),
                                           .kpis = kpis,
                                           .kpi_count = 3};

static void add_rule(const char *metric, const char *detector)
{
    struct drift_rule *rule = &rules[settings.rule_count++];
    snprintf(rule->metric, sizeof rule->metric, "%s", metric);
    rule->detector = detector;
    rule->kpi = RULE_NO_KPI;
    if (detect_params_init(&rule->params, detector, NULL))
        abort();
    settings.rules = rules;
}

static void set(uint32_t rule, const char *name, double value)
{
    if (detect_params_set(&rules[rule].params, name, value, NULL))
        abort();
}

/* With what the configuration gives charts unasked, and a promise of one false alarm in 30 days a model. */
static void add_rules(void)
{
    static const struct alarm_budget alarms = {.every_s = 30 * 86400.0};
    add_rule("accuracy", "evidence");
    set(0, "budget", 0.8);
    add_rule("accuracy", "cusum");
    set(1, "prewhiten", 1);
    set(1, "robust", 1);
    set(1, "log", REFERENCE_LOG_AUTO);
    set(1, "direction", DETECT_DOWN);
    add_rule("latency_ms", "page_hinkley");
    set(2, "threshold", 1e6);
    add_rule("processed_fps", "adwin");
    if (drift_rules_promise(rules, settings.rule_count, &alarms, 0, steps) != 0)
        abort();
    settings.alarms = alarms;
}

static int settings_for(void *argument, const struct model_id *model, const struct monitor_settings **out)
{
    (void)argument, (void)model;
    *out = &settings;
    return 0;
}

static uint64_t told;

static void drop_notice(void *argument, struct retrain_notice *notice)
{
    (void)argument;
    told++;
    retrain_notice_destroy(&notice);
}

static void drop_event(void *argument, struct cloud_event *event)
{
    (void)argument;
    told++;
    cloud_event_drop(event);
}

static double seconds_of(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_seconds(void)
{
    return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

struct message {
    char *payload;
    size_t len, seq_at;
    char topic[40];
    size_t topic_len;
};

static enum form form_of(const char *word)
{
    if (strcmp(word, "batch") == 0)
        return FORM_BATCH;
    return strcmp(word, "msgpack") == 0 ? FORM_MSGPACK : FORM_JSON;
}

/* `count` messages a lap. */
static struct message *encode(uint64_t count, unsigned rows, enum form form)
{
    const bool msgpack = form == FORM_MSGPACK, batch = form == FORM_BATCH;
    const uint64_t all = batch ? BATCH_LAPS * count : count;
    struct message *messages = calloc(all, sizeof *messages);
    char *scratch = malloc(256 * (size_t)rows + 64);
    if (!messages || !scratch)
        abort();
    for (uint64_t m = 0; m < all; m++) {
        struct message *message = &messages[m];
        size_t len = batch ? traffic_batch(scratch, m % count * rows, rows, m / count)
                           : traffic_payload(scratch, m, rows, msgpack);
        const char *key = msgpack ? "seq\xcf" : "\"seq\":";
        message->payload = malloc(len + 1);
        if (!message->payload)
            abort();
        memcpy(message->payload, scratch, len);
        message->len = len;
        message->seq_at = (size_t)((char *)memmem(scratch, len, key, strlen(key)) - scratch) + strlen(key);
        message->topic_len = batch ? traffic_batch_topic(message->topic, m % count) : traffic_topic(message->topic, m);
    }
    free(scratch);
    return messages;
}

static double longest_s; /* of the turns that make the models, in CPU time of this thread */
static double longest_wait_s; /* of all turns, on the wall */

/* One message for each model, or for as many as are in one. */
static void lap(struct workers *workers, struct message *messages, uint64_t models, uint64_t seq, enum form form,
                struct frame frames[FRAME_BATCH_MAX])
{
    const uint64_t all = form == FORM_BATCH ? BATCH_LAPS * models : models,
                   shift = form == FORM_BATCH ? models : LAP_SHIFT;
    struct now now = {.steady_ns = INT64_C(1000000000) * (int64_t)(seq + 1), .wall_s = 1.7e9 + (double)seq};
    for (uint64_t m = 0; m < models;) {
        uint32_t count = 0;
        for (; count < FRAME_BATCH_MAX && m < models; count++, m++) {
            const struct message *topic = &messages[m], *message = &messages[(m + seq * shift) % all];
            struct frame *frame = &frames[count];
            traffic_seq(message->payload + message->seq_at, seq, form == FORM_MSGPACK);
            frame_borrow(frame, topic->topic, topic->topic_len, message->payload, message->len);
            frame->kind = form == FORM_BATCH ? FRAME_BATCH : FRAME_METRICS;
            frame->parts = 2;
        }
        double began = seq == 0 ? cpu_seconds() : 0, began_wait = seconds_of(CLOCK_MONOTONIC);
        workers_take(workers, frames, count, now);
        longest_wait_s = fmax(longest_wait_s, seconds_of(CLOCK_MONOTONIC) - began_wait);
        if (seq == 0)
            longest_s = fmax(longest_s, cpu_seconds() - began);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(
            stderr,
            "usage: hotpath MODELS MESSAGES [json|msgpack|batch] [ROWS] [budgets|detectors] [large|small|thread]\n");
        return 64;
    }
    uint64_t models = strtoull(argv[1], NULL, 10), want = strtoull(argv[2], NULL, 10);
    const enum form form = form_of(argc > 3 ? argv[3] : "json");
    const unsigned rows = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
    const uint64_t count = form == FORM_BATCH ? models / rows : models; /* messages a lap */
    const bool detectors = argc > 5 && strcmp(argv[5], "detectors") == 0;
    const char *pages = argc > 6 ? argv[6] : "large";
    if (detectors)
        add_rules();
    struct message *messages = encode(count, rows, form);
    struct workers_options options = {.max_message_bytes = 1 << 20, .max_future_s = 300, .max_models = 4000000};
    struct shard_ports ports = {
        .settings = settings_for, .notice = drop_notice, .event = drop_event, .source = "driftd/bench"};
    struct workers *workers;
    struct frame frames[FRAME_BATCH_MAX];
    struct large_pages *thread = NULL;
    struct large_pages_figures large = {.bytes = 0};
    if (workers_new(&workers, &options, &ports) < 0)
        return 1;
    if (strcmp(pages, "thread") == 0 && large_pages_start(&thread) < 0)
        return 1;
    for (uint32_t i = 0; i < FRAME_BATCH_MAX; i++)
        frame_init(&frames[i]);
    const int64_t before = memory_resident();
    uint64_t seq = 0;
    const uint64_t before_laps = models > 100000 ? 2 : detectors ? LAPS_REFERENCE : LAPS_BEFORE;
    for (; seq < before_laps; seq++)
        lap(workers, messages, count, seq, form, frames);
    if (strcmp(pages, "large") == 0)
        large_pages_pass(&large); /* where there are any */
    double cpu = cpu_seconds();
    uint64_t laps = (want + count - 1) / count;
    for (uint64_t i = 0; i < laps; i++, seq++)
        lap(workers, messages, count, seq, form, frames);
    cpu = cpu_seconds() - cpu;
    if (thread)
        large_pages_figures(thread, &large);
    large_pages_stop(&thread);
    struct workers_sums sums = workers_sums(workers);
    uint64_t events = seq * count * rows;
    printf("{\"messages\": %llu, \"cpu_ns\": %.1f, \"bytes_a_model\": %.0f, \"longest_turn_us\": %.0f, "
           "\"longest_wait_us\": %.0f, \"large_mb\": %.0f, \"slowest_piece_us\": %.0f, \"told\": %llu}\n",
           (unsigned long long)(laps * count), laps ? cpu * 1e9 / (double)(laps * count) : 0.0,
           (double)(memory_resident() - before) / (double)models, longest_s * 1e6, longest_wait_s * 1e6,
           (double)large.bytes / 1e6, (double)large.slowest_ns / 1e3, (unsigned long long)told);
    if (sums.events != events || sums.dropped || sums.lost) {
        fprintf(stderr, "hotpath: %llu events of %llu, dropped %llu, lost %llu\n", (unsigned long long)sums.events,
                (unsigned long long)events, (unsigned long long)sums.dropped, (unsigned long long)sums.lost);
        return 1;
    }
    for (uint32_t i = 0; i < FRAME_BATCH_MAX; i++)
        frame_close(&frames[i]);
    workers_destroy(&workers);
    for (uint64_t m = 0; m < (form == FORM_BATCH ? BATCH_LAPS * count : count); m++)
        free(messages[m].payload);
    free(messages);
    return 0;
}

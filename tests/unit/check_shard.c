#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/workers/workers.h"
#include "tests/run_suite.h"

#define S INT64_C(1000000000)

/* --- what a shard tells, kept for the test to look at --- */

enum { KEPT_MAX = 256 };
static struct {
    struct retrain_notice *notices[KEPT_MAX];
    struct cloud_event *events[KEPT_MAX];
    uint32_t notice_count, event_count;
} told;

static const struct kpi_budget kpis[] = {
    {.metric = "accuracy", .min = 0.80, .max = NAN, .over = WINDOW_MEAN},
    {.metric = "latency_ms", .min = NAN, .max = 400, .over = WINDOW_LAST},
};
static const struct monitor_settings judged = {.window = 4,
                                               .min_events = 1,
                                               .consecutive_failures = 3,
                                               .recover_after = 4,
                                               .backoff_ns = 10 * S,
                                               .stale_after_ns = 600 * S,
                                               .kpis = kpis,
                                               .kpi_count = 2};

static int settings_for(void *argument, const struct model_id *model, const struct monitor_settings **out)
{
    (void)argument, (void)model;
    *out = &judged;
    return 0;
}

static void keep_notice(void *argument, struct retrain_notice *notice)
{
    (void)argument;
    ck_assert_uint_lt(told.notice_count, KEPT_MAX);
    told.notices[told.notice_count++] = notice;
}

static void keep_event(void *argument, struct cloud_event *event)
{
    (void)argument;
    ck_assert_uint_lt(told.event_count, KEPT_MAX);
    told.events[told.event_count++] = event;
}

static void forget_told(void)
{
    for (uint32_t i = 0; i < told.notice_count; i++)
        retrain_notice_destroy(&told.notices[i]);
    for (uint32_t i = 0; i < told.event_count; i++)
        cloud_event_drop(told.events[i]);
    told.notice_count = told.event_count = 0;
}

static uint32_t notices_of(enum retrain_notice_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < told.notice_count; i++)
        count += told.notices[i]->kind == kind;
    return count;
}

static const struct retrain_notice *notice_of(enum retrain_notice_kind kind)
{
    for (uint32_t i = 0; i < told.notice_count; i++) {
        if (told.notices[i]->kind == kind)
            return told.notices[i];
    }
    return NULL;
}

static const struct cloud_event *event_of(const char *type)
{
    for (uint32_t i = 0; i < told.event_count; i++) {
        if (strncmp(told.events[i]->topic, type, strlen(type)) == 0)
            return told.events[i];
    }
    return NULL;
}

/* --- the shards under test --- */

static struct workers *workers;
static struct inbox *replies;
static struct now now;

static struct workers_options options_of(uint32_t threads)
{
    return (struct workers_options){.threads = threads,
                                    .key = {11, 22},
                                    .run = 0xabc,
                                    .max_message_bytes = 2000,
                                    .max_future_s = 300,
                                    .max_models = 100};
}

static const struct shard_ports ports = {
    .settings = settings_for, .notice = keep_notice, .event = keep_event, .source = "driftd/test"};

static void begin(uint32_t max_models)
{
    struct workers_options options = options_of(0);
    if (max_models)
        options.max_models = max_models;
    now = (struct now){.steady_ns = 1000 * S, .wall_s = 1.8e9};
    ck_assert_int_eq(workers_new(&workers, &options, &ports), 0);
    ck_assert_int_eq(workers_start(workers), 0);
}

static void enter(void)
{
    ck_assert_int_eq(inbox_new(&replies), 0);
    begin(0);
}

static void leave(void)
{
    workers_destroy(&workers);
    ck_assert_ptr_null(workers);
    inbox_destroy(&replies);
    forget_told();
}

static void settle(void)
{
    while (workers_turn(workers, now))
        ;
}

static void pass(int64_t ns)
{
    now.steady_ns += ns;
    now.wall_s += (double)ns / 1e9;
    settle();
}

static void fill(zmq_msg_t *message, const char *bytes, size_t len)
{
    zmq_msg_close(message);
    zmq_msg_init_size(message, len);
    memcpy(zmq_msg_data(message), bytes, len);
}

static void send_bytes(enum frame_kind kind, uint32_t parts, const char *topic, const char *payload, size_t len)
{
    struct frame frame;
    frame_init(&frame);
    fill(&frame.topic, topic, strlen(topic));
    fill(&frame.payload, payload, len);
    frame.topic_len = strlen(topic);
    frame.payload_len = len;
    frame.kind = kind;
    frame.parts = parts;
    workers_take(workers, &frame, 1, now);
    frame_close(&frame);
}

static void send_metrics(const char *model, const char *payload)
{
    char topic[512];
    snprintf(topic, sizeof topic, "metrics/%s", model);
    send_bytes(FRAME_METRICS, 2, topic, payload, strlen(payload));
}

static json_t *ask_shard(uint32_t shard, const char *ask)
{
    struct question *question = calloc(1, sizeof *question);
    question->ask = strdup(ask);
    question->reply_to = replies;
    inbox_put(workers_inbox(workers, shard), (struct letter){LETTER_QUESTION, question, question_drop});
    settle();
    struct pollfd poller = {.fd = inbox_fd(replies), .events = POLLIN};
    ck_assert_int_eq(poll(&poller, 1, 20000), 1);
    struct letter letter;
    ck_assert(inbox_take(replies, &letter));
    ck_assert_int_eq(letter.kind, LETTER_ANSWER);
    question = letter.body;
    ck_assert_int_eq(question->from, (int)shard);
    json_error_t error;
    json_t *json = json_loads(question->answer, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(json != NULL, "%s: %s", error.text, question->answer);
    question_drop(question);
    return json;
}

static json_t *ask(const char *text)
{
    return ask_shard(0, text);
}

static int64_t figure(const char *section, const char *name)
{
    json_t *status = ask("{\"do\":\"status\"}");
    json_t *from = section ? json_object_get(status, section) : status;
    int64_t value = json_integer_value(json_object_get(from, name));
    json_decref(status);
    return value;
}

static const char bad[] = "{\"accuracy\":0.5,\"latency_ms\":800}", good[] = "{\"accuracy\":0.9,\"latency_ms\":100}";

/* --- judging and telling --- */

START_TEST(the_third_failure_triggers_once)
{
    for (int i = 0; i < 4; i++) {
        now.steady_ns += S / 100;
        now.wall_s += 0.01;
        send_metrics("visutility/object-detector/v1.2.3", bad);
        ck_assert_uint_eq(told.event_count, 1); /* with the first failure, and not again */
    }
    ck_assert_uint_eq(told.notice_count, 2);
    ck_assert_int_eq(told.notices[0]->kind, NOTICE_SERVING);
    const struct retrain_notice *notice = told.notices[1];
    ck_assert_int_eq(notice->kind, NOTICE_TRIGGERED);
    ck_assert_str_eq(notice->model, "visutility/object-detector/v1.2.3");
    ck_assert_int_eq(notice->at_ns, 1000 * S + 3 * S / 100);
    ck_assert_int_eq(notice->first_seen_ns, 1000 * S + S / 100);
    ck_assert_str_eq(notice->trigger.metric, "accuracy");
    ck_assert_uint_eq(notice->trigger.failures, 3);
    ck_assert(notice->trigger.observed == 0.5 && notice->trigger.limit == 0.8);
    ck_assert_str_eq(notice->metrics_json, "{\"accuracy\":{\"last\":0.5,\"mean\":0.5,\"n\":3},"
                                           "\"latency_ms\":{\"last\":800,\"mean\":800,\"n\":3}}");
    const struct cloud_event *event = event_of("driftd.budget.violated");
    ck_assert_ptr_nonnull(event);
    ck_assert_str_eq(event->topic, "driftd.budget.violated/visutility/object-detector/v1.2.3");
    json_t *json = json_loads(event->json, JSON_REJECT_DUPLICATES, NULL);
    const char *type, *source, *subject, *id, *version, *metric, *over;
    double observed, min, max;
    ck_assert_int_eq(json_unpack(json, "{s:s, s:s, s:s, s:s, s:{s:{s:s}, s:[{s:s, s:s, s:F, s:F}, {s:F} !]}}", "type",
                                 &type, "source", &source, "subject", &subject, "id", &id, "data", "model", "version",
                                 &version, "violations", "metric", &metric, "over", &over, "observed", &observed, "min",
                                 &min, "max", &max),
                     0);
    ck_assert_str_eq(type, "driftd.budget.violated");
    ck_assert_str_eq(source, "driftd/test");
    ck_assert_str_eq(subject, "visutility/object-detector/v1.2.3");
    ck_assert_str_eq(id, "0000000000000abc/0/1");
    ck_assert_str_eq(version, "v1.2.3");
    ck_assert_str_eq(metric, "accuracy");
    ck_assert_str_eq(over, "mean");
    ck_assert(observed == 0.5 && min == 0.8 && max == 400.0);
    json_decref(json);
}
END_TEST

START_TEST(one_sick_among_many)
{
    char model[32];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 90; i++) {
            snprintf(model, sizeof model, "p/m%d/v1", i);
            send_metrics(model, i == 77 ? bad : good);
        }
    }
    ck_assert_uint_eq(notices_of(NOTICE_TRIGGERED), 1);
    ck_assert_str_eq(notice_of(NOTICE_TRIGGERED)->model, "p/m77/v1");
    ck_assert_uint_eq(notices_of(NOTICE_SERVING), 90);
    ck_assert_uint_eq(workers_models(workers), 90);
    ck_assert_uint_eq(workers_events(workers), 360);
}
END_TEST

START_TEST(recovery_is_told)
{
    for (int i = 0; i < 3; i++)
        send_metrics("p/n/v", bad);
    forget_told();
    for (int i = 0; i < 10; i++)
        send_metrics("p/n/v", good);
    ck_assert_uint_ge(notices_of(NOTICE_RECOVERED), 1);
    ck_assert_str_eq(notice_of(NOTICE_RECOVERED)->trigger.metric, "accuracy");
    ck_assert_uint_eq(told.event_count, 1);
    ck_assert_str_eq(told.events[0]->topic, "driftd.model.recovered/p/n/v");
}
END_TEST

/* --- silence --- */

START_TEST(silence_is_told_once_and_the_return_too)
{
    send_metrics("p/n/v", good);
    forget_told();
    pass(599 * S);
    ck_assert_uint_eq(told.notice_count, 0);
    pass(2 * S);
    ck_assert_uint_eq(told.notice_count, 1);
    ck_assert_int_eq(told.notices[0]->kind, NOTICE_SILENT);
    ck_assert_str_eq(told.events[0]->topic, "driftd.model.stale/p/n/v");
    pass(1000 * S);
    ck_assert_uint_eq(told.notice_count, 1);
    ck_assert_int_eq(figure("models", "stale"), 1);
    forget_told();
    send_metrics("p/n/v", good);
    ck_assert_uint_eq(notices_of(NOTICE_SERVING), 1);
    ck_assert_int_eq(figure("models", "stale"), 0);
    pass(601 * S);
    ck_assert_uint_eq(notices_of(NOTICE_SILENT), 1);
}
END_TEST

/* --- updates of the keeper of requests --- */

static void update(const char *model, bool live, uint64_t episode, int64_t triggered_ns, int64_t ended_ns)
{
    struct retrain_update *news = calloc(1, sizeof *news);
    strcpy(news->model, model);
    news->live = live;
    news->episode = episode;
    news->triggered_ns = triggered_ns;
    news->ended_ns = ended_ns;
    workers_update(workers, news);
}

START_TEST(what_the_store_knows_holds_from_the_first_event)
{
    update("p/n/v", true, 3, 995 * S, retrain_never_ns());
    settle();
    ck_assert_uint_eq(workers_models(workers), 1);
    ck_assert_int_eq(figure("models", "retraining"), 1);
    for (int i = 0; i < 10; i++)
        send_metrics("p/n/v", bad);
    ck_assert_uint_eq(notices_of(NOTICE_TRIGGERED), 0); /* in back-off since 995 s, for 10 s */
    pass(6 * S);
    update("p/n/v", false, 3, 995 * S, 1002 * S); /* the end begins it anew */
    settle();
    send_metrics("p/n/v", bad);
    ck_assert_uint_eq(notices_of(NOTICE_TRIGGERED), 0);
    json_t *model = ask("{\"do\":\"model\",\"model\":\"p/n/v\"}");
    ck_assert_int_eq(json_integer_value(json_object_get(model, "episode")), 3);
    ck_assert(fabs(json_real_value(json_object_get(model, "backoff_left_s")) - 6.0) < 1e-9);
    json_decref(model);
    pass(6 * S);
    send_metrics("p/n/v", bad); /* the first failing event after it */
    ck_assert_uint_eq(notices_of(NOTICE_TRIGGERED), 1);
}
END_TEST

static void ask_what_it_shows(const char *model, const char *metric, bool fresh)
{
    struct retrain_update *update = calloc(1, sizeof *update);
    snprintf(update->model, sizeof update->model, "%s", model);
    snprintf(update->shows, sizeof update->shows, "%s", metric);
    update->fresh = fresh;
    workers_update(workers, update);
    settle();
}

START_TEST(what_a_version_shows_is_told)
{
    ask_what_it_shows("p/n/v2", "latency_ms", false); /* not known, and not made for it */
    ck_assert_uint_eq(workers_models(workers), 0);
    send_metrics("p/n/v2", "{\"accuracy\": 0.9}");
    ask_what_it_shows("p/n/v2", "accuracy", false);
    pass(S);
    ck_assert_uint_eq(notices_of(NOTICE_SHOWN), 1);
    ck_assert_str_eq(notice_of(NOTICE_SHOWN)->trigger.metric, "accuracy");
    ck_assert_double_eq_tol(notice_of(NOTICE_SHOWN)->trigger.observed, 0.9, 1e-6);
    ck_assert_uint_eq(notice_of(NOTICE_SHOWN)->trigger.n, 1);
    pass(S);
    ck_assert_uint_eq(notices_of(NOTICE_SHOWN), 1);
    for (int i = 0; i < 3; i++)
        send_metrics("p/n/v2", "{\"accuracy\": 0.8, \"latency_ms\": 20}");
    pass(S);
    ck_assert_uint_eq(notices_of(NOTICE_SHOWN), 2);
    ck_assert_double_eq_tol(told.notices[told.notice_count - 1]->trigger.observed, 0.825, 1e-6);
    /* Of a model that served before, only a window of new values counts. */
    ask_what_it_shows("p/n/v2", "latency_ms", true);
    pass(S);
    ck_assert_uint_eq(notices_of(NOTICE_SHOWN), 2);
    for (int i = 1; i <= 4; i++)
        send_metrics("p/n/v2", i < 4 ? "{\"latency_ms\": 30}" : "{\"latency_ms\": 40}");
    pass(S);
    pass(S);
    ck_assert_uint_eq(notices_of(NOTICE_SHOWN), 3);
    ck_assert_double_eq_tol(told.notices[told.notice_count - 1]->trigger.observed, 40, 1e-6); /* over: last */
}
END_TEST

START_TEST(a_model_given_up)
{
    struct retrain_update *news = calloc(1, sizeof *news);
    strcpy(news->model, "p/n/v");
    news->unrecoverable = true;
    news->episode = 3;
    news->triggered_ns = news->ended_ns = retrain_never_ns();
    workers_update(workers, news);
    settle();
    ck_assert_int_eq(figure("models", "unrecoverable"), 1);
    news = calloc(1, sizeof *news);
    strcpy(news->model, "no model");
    workers_update(workers, news);
    settle();
    ck_assert_uint_eq(workers_models(workers), 1);
}
END_TEST

/* Known from the store, never heard: after stale_after it counts as silent, so that its successor can take its place.
 */
START_TEST(a_model_that_never_came_back)
{
    update("p/n/v", false, 1, 100 * S, 200 * S);
    settle();
    pass(601 * S);
    ck_assert_uint_eq(notices_of(NOTICE_SILENT), 1);
    ck_assert_int_eq(figure("models", "stale"), 1);
}
END_TEST

/* --- the door --- */

START_TEST(every_drop_has_its_reason)
{
    static char large[2002];
    memset(large, ' ', sizeof large - 1);
    send_bytes(FRAME_WRONG, 1, "metrics/p/n/v", "", 0);
    send_bytes(FRAME_WRONG, 3, "metrics/p/n/v", "x", 1);
    send_metrics("p/n", good);
    send_metrics("p//v", good);
    send_bytes(FRAME_BATCH, 2, "batch/", "[]", 2);
    send_metrics("p/n/v", "{\"accuracy\":0.5");
    send_metrics("p/n/v", "{\"accuracy\":0.5,\"accuracy\":0.6}");
    send_metrics("p/n/v", "{\"accuracy\":\"high\"}");
    send_metrics("p/n/v", "{\"accuracy\":1.5}");
    send_metrics("p/n/v", "[{\"accuracy\":-0.5},{\"accuracy\":0.9},{\"accuracy\":7}]");
    send_metrics("p/n/v", "{\"accuracy\":1e400}");
    send_metrics("p/n/v", "{\"accuracy\":0.5,\"timestamp\":1800000301}");
    send_metrics("p/n/v", large);
    settle();
    ck_assert_int_eq(figure("dropped", "frames"), 2);
    ck_assert_int_eq(figure("dropped", "topic"), 3);
    ck_assert_int_eq(figure("dropped", "syntax"), 2);
    ck_assert_int_eq(figure("dropped", "type"), 1);
    ck_assert_int_eq(figure("dropped", "range"), 3);
    ck_assert_int_eq(figure("dropped", "not_finite"), 1);
    ck_assert_int_eq(figure("dropped", "future"), 1);
    ck_assert_int_eq(figure("dropped", "too_large"), 1);
    ck_assert_int_eq(figure(NULL, "events"), 1);
    ck_assert_uint_eq(workers_models(workers), 1);
    ck_assert_uint_eq(workers_sums(workers).dropped, 14);
    json_t *rejects = ask("{\"do\":\"rejects\"}"), *list = json_object_get(rejects, "rejects");
    ck_assert_uint_eq(json_array_size(list), 8);
    size_t i;
    json_t *reject;
    json_array_foreach (list, i, reject) {
        const char *reason, *topic, *payload, *detail;
        ck_assert_int_eq(json_unpack(reject, "{s:s, s:{s:s, s:s, s:s}}", "reason", &reason, "last", "topic", &topic,
                                     "payload", &payload, "detail", &detail),
                         0);
        ck_assert_msg(*detail, "%s has no sentence", reason);
        if (strcmp(reason, "frames") == 0)
            ck_assert_str_eq(detail, "3 frames where there must be two");
        if (strcmp(reason, "future") == 0)
            ck_assert_str_eq(payload, "{\"accuracy\":0.5,\"timestamp\":1800000301}");
    }
    json_decref(rejects);
}
END_TEST

/* What is malformed must not take the place of a model. */
START_TEST(models_are_bounded)
{
    leave();
    ck_assert_int_eq(inbox_new(&replies), 0);
    begin(3);
    send_metrics("p/n/garbage", "{");
    send_metrics("p/n/wrong", "{\"accuracy\":2}");
    ck_assert_uint_eq(workers_models(workers), 0);
    char model[32];
    for (int i = 0; i < 5; i++) {
        snprintf(model, sizeof model, "p/n/v%d", i);
        send_metrics(model, "[{\"accuracy\":0.9},{\"accuracy\":0.9}]");
    }
    ck_assert_uint_eq(workers_models(workers), 3);
    ck_assert_int_eq(figure("dropped", "too_many_models"), 4);
    send_metrics("p/n/v0", good); /* who is in stays in */
    ck_assert_int_eq(figure(NULL, "events"), 7);
}
END_TEST

/* What a model asked for goes back with it, to the byte; who is in goes on, with the metrics that it has. */
START_TEST(memory_is_bounded)
{
    struct ceiling ceiling;
    struct workers_options options = options_of(0);
    workers_destroy(&workers);
    const int64_t least = (int64_t)(shard_model_bytes(&judged) + monitor_least_bytes(&judged));
    const int64_t metric = (int64_t)monitor_metric_most_bytes(judged.window, true);
    ceiling_init(&ceiling, 3 * least + 4 * metric);
    options.ceiling = &ceiling;
    options.keep_ns = 100 * S;
    ck_assert_int_eq(workers_new(&workers, &options, &ports), 0);
    ck_assert_int_eq(workers_start(workers), 0);
    for (int i = 0; i < 4; i++) {
        char model[32];
        snprintf(model, sizeof model, "p/n/v%d", i);
        send_metrics(model, "{\"accuracy\":0.9}");
    }
    ck_assert_uint_eq(workers_models(workers), 3);
    ck_assert_int_eq(figure("dropped", "too_many_models"), 1);
    ck_assert_uint_ge(ceiling_refused(&ceiling), 1);
    for (int i = 0; i < 40; i++) {
        char payload[64];
        snprintf(payload, sizeof payload, "{\"accuracy\":0.9,\"extra_%d\":1}", i);
        send_metrics("p/n/v0", payload);
    }
    ck_assert_int_le(ceiling_used(&ceiling), ceiling_most(&ceiling));
    ck_assert_int_eq(figure(NULL, "events"), 43); /* each was taken, with less of it */
    pass(60 * S);
    send_metrics("p/n/v0", good);
    pass(60 * S);
    pass(S);
    ck_assert_uint_eq(workers_models(workers), 1);
    send_metrics("p/n/v3", "{\"accuracy\":0.9}"); /* there is room again */
    ck_assert_uint_eq(workers_models(workers), 2);
    pass(200 * S);
    pass(S);
    ck_assert_uint_eq(workers_models(workers), 0);
    ck_assert_int_eq(ceiling_used(&ceiling), 0);
    workers_destroy(&workers); /* before the ceiling */
    begin(0);
}
END_TEST

/* --- sequences --- */

START_TEST(gaps_are_counted_and_told)
{
    send_metrics("p/n/v", "{\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":0}");
    send_metrics("p/n/v", "{\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":4}");
    static const char beacon[] = "{\"node\":\"cam\",\"boot\":\"x\",\"topics\":{\"p/n/v\":6,\"batch\":1}}";
    static const char batch[] = "[{\"model\":\"p/n/v\",\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":0}]";
    send_bytes(FRAME_BATCH, 2, "batch/cam", batch, sizeof batch - 1);
    send_bytes(FRAME_BEACON, 2, "beacon/cam", beacon, sizeof beacon - 1);
    ck_assert_int_eq(figure("lost", "cam"), 3 + 2 + 1);
    ck_assert_int_eq(figure(NULL, "beacons"), 1);
    pass(S);
    const struct cloud_event *event = event_of("driftd.frames.lost");
    ck_assert_ptr_nonnull(event);
    ck_assert_str_eq(event->topic, "driftd.frames.lost/cam");
    ck_assert_ptr_nonnull(strstr(event->json, "\"lost\":6"));
    forget_told();
    send_metrics("p/n/v", "{\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":9}");
    pass(5 * S);
    ck_assert_ptr_null(event_of("driftd.frames.lost")); /* one report in ten seconds */
    pass(6 * S);
    ck_assert_ptr_nonnull(event_of("driftd.frames.lost"));
    ck_assert_uint_eq(workers_sums(workers).lost, 8);
}
END_TEST

/* --- answers --- */

START_TEST(models_as_the_operator_sees_them)
{
    char model[32];
    for (int i = 0; i < 40; i++) {
        snprintf(model, sizeof model, "p%d/n/v", i % 2);
        snprintf(model, sizeof model, "p%d/n%d/v", i % 2, i);
        send_metrics(model, i % 4 == 0 ? bad : good);
    }
    json_t *reply = ask("{\"do\":\"models\",\"limit\":1000}");
    ck_assert_uint_eq(json_array_size(json_object_get(reply, "models")), 40);
    json_decref(reply);
    reply = ask("{\"do\":\"models\",\"limit\":1000,\"pattern\":\"p1\"}");
    ck_assert_int_eq(json_integer_value(json_object_get(reply, "matched")), 20);
    json_decref(reply);
    reply = ask("{\"do\":\"models\",\"limit\":3,\"state\":\"failing\"}");
    ck_assert_int_eq(json_integer_value(json_object_get(reply, "matched")), 10);
    ck_assert_uint_eq(json_array_size(json_object_get(reply, "models")), 3);
    json_t *first = json_array_get(json_object_get(reply, "models"), 0);
    const char *state, *name, *over;
    int failures, episode, violated, judged_now, n;
    double backoff, observed, min, last;
    json_error_t error;
    ck_assert_msg(json_unpack_ex(first, &error, 0,
                                 "{s:s, s:i, s:i, s:F, s:[{s:s, s:s, s:F, s:F, s:n, s:b, s:b, s:i, s:[F !]}, {} !]}",
                                 "state", &state, "failures", &failures, "episode", &episode, "backoff_left_s",
                                 &backoff, "kpis", "name", &name, "over", &over, "observed", &observed, "min", &min,
                                 "max", "violated", &violated, "judged", &judged_now, "n", &n, "recent", &last) == 0,
                  "%s", error.text);
    ck_assert_str_eq(state, "failing");
    ck_assert_int_eq(failures, 1);
    ck_assert_int_eq(episode, 0);
    ck_assert(backoff == 0.0 && observed == 0.5 && min == 0.8 && last == 0.5);
    ck_assert_str_eq(name, "accuracy");
    ck_assert_str_eq(over, "mean");
    ck_assert_int_eq(violated && judged_now, 1);
    ck_assert_int_eq(n, 1);
    json_decref(reply);
    reply = ask("{\"do\":\"model\",\"model\":\"p0/n0/v\"}");
    ck_assert(json_is_true(json_object_get(reply, "ok")));
    ck_assert_uint_eq(json_array_size(json_object_get(reply, "metrics")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(reply, "settings"), "window")), 4);
    json_decref(reply);
    reply = ask("{\"do\":\"model\",\"model\":\"p0/n0/w\"}");
    ck_assert_str_eq(json_string_value(json_object_get(reply, "error")), "unknown_model");
    json_decref(reply);
}
END_TEST

START_TEST(the_rate_is_that_of_the_last_seconds)
{
    for (int second = 0; second < 20; second++) {
        for (int i = 0; i < 50; i++)
            send_metrics("p/n/v", good);
        pass(S);
    }
    json_t *status = ask("{\"do\":\"status\"}");
    ck_assert(fabs(json_number_value(json_object_get(status, "events_per_s")) - 50.0) < 1.0);
    json_decref(status);
    for (int second = 0; second < 7; second++)
        pass(S);
    status = ask("{\"do\":\"status\"}");
    ck_assert(json_number_value(json_object_get(status, "events_per_s")) == 0.0);
    json_decref(status);
}
END_TEST

START_TEST(questions_left_behind)
{
    struct question *question = calloc(1, sizeof *question);
    question->ask = strdup("nonsense");
    question->reply_to = replies;
    inbox_put(workers_inbox(workers, 0), (struct letter){LETTER_QUESTION, question, question_drop});
    settle();
    struct letter letter;
    ck_assert(inbox_take(replies, &letter));
    ck_assert_ptr_nonnull(strstr(((struct question *)letter.body)->answer, "unknown_command"));
    question_drop(letter.body);
    question = calloc(1, sizeof *question);
    question->ask = strdup("{\"do\":\"status\"}");
    question->reply_to = replies;
    inbox_put(workers_inbox(workers, 0), (struct letter){LETTER_QUESTION, question, question_drop});
    /* destroyed with the question in the inbox */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shard");
    TCase *tcase = tcase_create("shard");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, enter, leave);
    tcase_add_test(tcase, the_third_failure_triggers_once);
    tcase_add_test(tcase, one_sick_among_many);
    tcase_add_test(tcase, recovery_is_told);
    tcase_add_test(tcase, silence_is_told_once_and_the_return_too);
    tcase_add_test(tcase, what_the_store_knows_holds_from_the_first_event);
    tcase_add_test(tcase, what_a_version_shows_is_told);
    tcase_add_test(tcase, a_model_given_up);
    tcase_add_test(tcase, a_model_that_never_came_back);
    tcase_add_test(tcase, every_drop_has_its_reason);
    tcase_add_test(tcase, models_are_bounded);
    tcase_add_test(tcase, memory_is_bounded);
    tcase_add_test(tcase, gaps_are_counted_and_told);
    tcase_add_test(tcase, models_as_the_operator_sees_them);
    tcase_add_test(tcase, the_rate_is_that_of_the_last_seconds);
    tcase_add_test(tcase, questions_left_behind);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

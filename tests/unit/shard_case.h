/* shard_case.h - what the tests of a shard share: one shard on a virtual clock, what it tells, and how it is fed and
 * asked. Add enter() and leave() as the checked fixture. */
#ifndef TESTS_SHARD_CASE_H
#define TESTS_SHARD_CASE_H

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/workers/workers.h"

#define S INT64_C(1000000000)

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

static const struct monitor_settings *settings_now = &judged;

static inline int settings_for(void *argument, const struct model_id *model, const struct monitor_settings **out)
{
    (void)argument, (void)model;
    *out = settings_now;
    return 0;
}

static inline void keep_notice(void *argument, struct retrain_notice *notice)
{
    (void)argument;
    ck_assert_uint_lt(told.notice_count, KEPT_MAX);
    told.notices[told.notice_count++] = notice;
}

static inline void keep_event(void *argument, struct cloud_event *event)
{
    (void)argument;
    ck_assert_uint_lt(told.event_count, KEPT_MAX);
    told.events[told.event_count++] = event;
}

static inline void forget_told(void)
{
    for (uint32_t i = 0; i < told.notice_count; i++)
        retrain_notice_destroy(&told.notices[i]);
    for (uint32_t i = 0; i < told.event_count; i++)
        cloud_event_drop(told.events[i]);
    told.notice_count = told.event_count = 0;
}

static inline const struct cloud_event *event_of(const char *type)
{
    for (uint32_t i = 0; i < told.event_count; i++) {
        if (strncmp(told.events[i]->topic, type, strlen(type)) == 0)
            return told.events[i];
    }
    return NULL;
}

static struct workers *workers;
static struct inbox *replies;
static struct now now;

static inline struct workers_options options_of(uint32_t threads)
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

static inline void begin(uint32_t max_models)
{
    struct workers_options options = options_of(0);
    if (max_models)
        options.max_models = max_models;
    settings_now = &judged;
    now = (struct now){.steady_ns = 1000 * S, .wall_s = 1.8e9};
    ck_assert_int_eq(workers_new(&workers, &options, &ports), 0);
    ck_assert_int_eq(workers_start(workers), 0);
}

static inline void enter(void)
{
    ck_assert_int_eq(inbox_new(&replies), 0);
    begin(0);
}

static inline void leave(void)
{
    workers_destroy(&workers);
    ck_assert_ptr_null(workers);
    inbox_destroy(&replies);
    forget_told();
}

static inline void settle(void)
{
    while (workers_turn(workers, now))
        ;
}

static inline void pass(int64_t ns)
{
    now.steady_ns += ns;
    now.wall_s += (double)ns / 1e9;
    settle();
}

static inline void send_bytes(enum frame_kind kind, uint32_t parts, const char *topic, const char *payload, size_t len)
{
    struct frame frame;
    frame_init(&frame);
    frame_borrow(&frame, topic, strlen(topic), payload, len);
    frame.kind = kind;
    frame.parts = parts;
    workers_take(workers, &frame, 1, now);
    frame_close(&frame);
}

static inline void send_metrics(const char *model, const char *payload)
{
    char topic[512];
    snprintf(topic, sizeof topic, "metrics/%s", model);
    send_bytes(FRAME_METRICS, 2, topic, payload, strlen(payload));
}

static inline json_t *ask_shard(uint32_t shard, const char *ask)
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

static inline json_t *ask(const char *text)
{
    return ask_shard(0, text);
}

static inline int64_t figure(const char *section, const char *name)
{
    json_t *status = ask("{\"do\":\"status\"}");
    json_t *from = section ? json_object_get(status, section) : status;
    int64_t value = json_integer_value(json_object_get(from, name));
    json_decref(status);
    return value;
}

static const char bad[] = "{\"accuracy\":0.5,\"latency_ms\":800}", good[] = "{\"accuracy\":0.9,\"latency_ms\":100}";

#endif

/* wire_promises.h - what a decoded message always keeps, whatever bytes it was made of; a broken promise aborts.
 *
 * Every byte that is handed out is read, so that a sanitizer sees one that is not there.
 */
#ifndef TESTS_FUZZ_WIRE_PROMISES_H
#define TESTS_FUZZ_WIRE_PROMISES_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/metric_message.h"
#include "lib/wire/utf8.h"

#define PROMISE(condition) promise(condition, #condition, __LINE__)

static inline void promise(bool kept, const char *what, int line)
{
    if (!kept) {
        fprintf(stderr, "line %d: broken: %s\n", line, what);
        abort();
    }
}

static inline void promise_name(struct text name)
{
    PROMISE(name.len >= 1 && name.len <= METRIC_NAME_MAX && name.at[0] >= 'a' && name.at[0] <= 'z');
    for (size_t i = 0; i < name.len; i++) {
        PROMISE(name.at[i] != '\0' && strchr("abcdefghijklmnopqrstuvwxyz0123456789_.", name.at[i]) != NULL);
    }
}

static inline void promise_metric(const struct metric *metric)
{
    promise_name(metric->name);
    bool ratio = text_is(metric->name, "accuracy") || text_is(metric->name, "precision") || text_is(metric->name, "recall");
    bool positive = text_is(metric->name, "latency_ms") || text_is(metric->name, "processed_fps");
    PROMISE(metric->kind == METRIC_NUMBER || !(ratio || positive));
    if (metric->kind == METRIC_NUMBER) {
        PROMISE(isfinite(metric->number));
        PROMISE(!ratio || (metric->number >= 0 && metric->number <= 1));
        PROMISE(!positive || metric->number >= 0);
    } else if (metric->kind == METRIC_HISTOGRAM) {
        uint64_t sum = 0;
        PROMISE(metric->histogram.bins >= 1 && metric->histogram.bins <= METRIC_BINS_MAX);
        for (uint32_t i = 0; i < metric->histogram.bins; i++) {
            PROMISE(isfinite(metric->histogram.edges[i]) && isfinite(metric->histogram.edges[i + 1]));
            PROMISE(metric->histogram.edges[i] < metric->histogram.edges[i + 1]);
            sum += metric->histogram.counts[i];
        }
        __asm__ volatile("" : : "r"(sum));
    } else {
        PROMISE(metric->kind == METRIC_CATEGORIES && metric->categories.count <= METRIC_BINS_MAX);
        for (uint32_t i = 0; i < metric->categories.count; i++) {
            PROMISE(utf8_valid(metric->categories.at[i].name));
        }
    }
}

static inline void promise_event(const struct metric_event *event, double latest_s)
{
    struct model_id again;
    PROMISE(model_id_parse(&again, event->model->whole) == 0 && text_equal(again.version, event->model->version));
    PROMISE(event->n >= 1 && event->metric_count <= METRIC_EVENT_MAX);
    PROMISE(isnan(event->timestamp_s) || (event->timestamp_s <= latest_s && event->timestamp_s >= -62167219200.0));
    for (uint32_t i = 0; i < event->metric_count; i++) {
        promise_metric(&event->metrics[i]);
        /* Looking for a name that comes twice among the first few is enough here. */
        for (uint32_t j = 0; j < i && i < 12; j++) {
            PROMISE(!text_equal(event->metrics[j].name, event->metrics[i].name));
        }
    }
}

static inline void promise_drops(const uint32_t dropped[DROP_REASONS], const char *const detail[DROP_REASONS])
{
    for (unsigned i = 0; i < DROP_REASONS; i++) {
        PROMISE((detail[i] != NULL) == (dropped[i] > 0));
        if (detail[i] != NULL) {
            struct text sentence = text_of(detail[i]);
            PROMISE(sentence.len > 0 && sentence.len < 400 && utf8_valid(sentence) && strpbrk(detail[i], "\n\r\t\033\177") == NULL);
        }
    }
}

static inline void promise_message(const struct metric_message *message, size_t payload_bytes, double latest_s)
{
    uint64_t dropped = 0, metrics = 0;
    promise_drops(message->dropped, message->detail);
    for (unsigned i = 0; i < DROP_REASONS; i++) {
        dropped += message->dropped[i];
    }
    PROMISE(message->event_count + dropped <= payload_bytes + 1);
    PROMISE(message->dropped[DROP_SYNTAX] == 0 || (dropped == 1 && message->event_count == 0 && !message->has_seq));
    PROMISE(message->node.len <= METRIC_NODE_MAX && utf8_valid(message->node));
    PROMISE(message->boot.len <= METRIC_NODE_MAX && utf8_valid(message->boot));
    for (uint32_t i = 0; i < message->event_count; i++) {
        promise_event(&message->events[i], latest_s);
        metrics += message->events[i].metric_count;
    }
    PROMISE(metrics <= (payload_bytes > 65536 ? payload_bytes : 65536));
}

static inline void promise_beacon(const struct beacon_message *beacon)
{
    struct model_id id;
    promise_drops(beacon->dropped, beacon->detail);
    PROMISE(utf8_valid(beacon->node) && utf8_valid(beacon->boot));
    for (uint32_t i = 0; i < beacon->topic_count; i++) {
        PROMISE(text_is(beacon->topics[i].topic, "batch") || model_id_parse(&id, beacon->topics[i].topic) == 0);
    }
}

static inline void promise_same_event(const struct metric_event *a, const struct metric_event *b)
{
    PROMISE(text_equal(a->model->whole, b->model->whole) && a->n == b->n && a->metric_count == b->metric_count);
    PROMISE(memcmp(&a->timestamp_s, &b->timestamp_s, sizeof a->timestamp_s) == 0);
    for (uint32_t i = 0; i < a->metric_count; i++) {
        const struct metric *left = &a->metrics[i], *right = &b->metrics[i];
        PROMISE(left->kind == right->kind && text_equal(left->name, right->name));
        PROMISE(left->kind != METRIC_NUMBER || memcmp(&left->number, &right->number, sizeof left->number) == 0);
    }
}

/* The ways that are shorter say the same as the long one, before and after they have learnt what the payload looks like. */
static inline void promise_same(struct metric_decoder *decoder, const struct model_id *model, struct text payload,
                                double now_s)
{
    static struct metric_decoder *careful;
    const struct metric_message *a, *b;
    if (careful == NULL) {
        struct metric_options options = {.max_future_s = 300, .secret = {1, 2}, .careful = true};
        PROMISE(metric_decoder_new(&careful, &options) == 0);
    }
    PROMISE(metric_decode(careful, model, payload, now_s, &a) == 0);
    for (int times = 0; times < 8; times++) {
        PROMISE(metric_decode(decoder, model, payload, now_s, &b) == 0);
        PROMISE(a->event_count == b->event_count && a->ignored == b->ignored && a->drops == b->drops);
        PROMISE(text_equal(a->node, b->node) && text_equal(a->boot, b->boot));
        PROMISE(a->has_seq == b->has_seq && a->seq == b->seq);
        PROMISE(memcmp(a->dropped, b->dropped, sizeof a->dropped) == 0);
        for (uint32_t i = 0; i < a->event_count; i++)
            promise_same_event(&a->events[i], &b->events[i]);
    }
}

/* The payload taken for a topic. */
static inline void promise_topic(struct text topic)
{
    struct model_id model, again;
    struct text node = text_of("");
    switch (metric_topic_parse(topic, &model, &node)) {
    case TOPIC_METRICS:
        PROMISE(model_id_parse(&again, model.whole) == 0 && model.whole.len < topic.len);
        break;
    case TOPIC_BATCH:
    case TOPIC_BEACON:
        PROMISE(node.len >= 1 && node.len <= METRIC_NODE_MAX && utf8_valid(node));
        break;
    case TOPIC_INVALID:
        break;
    }
}

/* The same payload as a line of a recording, which says itself when it came and under which topic. */
static inline void promise_recorded(struct text payload, double now_s)
{
    static struct metric_decoder *decoder;
    const struct metric_message *message;
    if (decoder == NULL) {
        struct metric_options options = {.max_future_s = 300, .secret = {1, 2}, .recorded = true};
        PROMISE(metric_decoder_new(&decoder, &options) == 0);
    }
    PROMISE(metric_decode(decoder, NULL, payload, now_s, &message) == 0);
    promise_message(message, payload.len, now_s + 300);
    PROMISE(message->taken.len <= payload.len && utf8_valid(message->taken));
}

/* Decodes a payload in each of the three ways, and checks all promises. */
static inline void promise_payload(struct metric_decoder *decoder, struct text payload)
{
    const double now_s = 1.8e9, future_s = 300;
    const struct metric_message *message;
    const struct beacon_message *beacon;
    struct model_id model;
    PROMISE(model_id_parse(&model, text_of("p/n/v")) == 0);
    promise_same(decoder, NULL, payload, now_s);
    promise_same(decoder, &model, payload, now_s);
    PROMISE(metric_decode(decoder, &model, payload, now_s, &message) == 0);
    promise_message(message, payload.len, now_s + future_s);
    uint32_t syntax = message->dropped[DROP_SYNTAX];
    PROMISE(metric_decode(decoder, NULL, payload, now_s, &message) == 0);
    promise_message(message, payload.len, now_s + future_s);
    PROMISE(message->dropped[DROP_SYNTAX] == syntax); /* which topic it came on does not decide what is well formed */
    PROMISE(beacon_decode(decoder, payload, &beacon) == 0);
    promise_beacon(beacon);
    PROMISE(beacon->dropped[DROP_SYNTAX] == syntax);
    promise_recorded(payload, now_s);
}

#endif

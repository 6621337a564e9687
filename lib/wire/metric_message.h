/* metric_message.h - what a serving node says, decoded: frames of the metrics socket to events.
 *
 * One decoder takes both JSON and MessagePack: single events, arrays, columnar batches and many-model batches all come
 * out as the same list of events. An event that breaks a rule is left out and counted; a payload that is not one
 * well-formed value costs the whole message. docs/protocol.md has the rules.
 *
 * Threads: a decoder belongs to one thread. Memory: the message that metric_decode() fills borrows from the payload and
 * from the decoder, until the next call. A decoder holds 230 KiB, up to 64 shapes of mostly 4 KiB (metric_shape.h), and up
 * to 10 MiB of what earlier messages needed. An ordinary message takes two to three times its size; the worst (empty
 * objects, columns of one-byte numbers) 240 times, which the next call gives back. Nothing is ever taken by a length that a payload only claims. Failure: only -ENOMEM;
 * bad input is counted, not an error.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_MESSAGE_H
#define DRIFT_LIB_WIRE_METRIC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/model_id.h"
#include "lib/siphash.h"
#include "lib/text.h"
#include "lib/wire/metric_sender.h"

#define METRIC_NAME_MAX 64       /* bytes */
#define METRIC_NODE_MAX 128      /* bytes */
#define METRIC_EVENT_MAX 256     /* metrics in one event */
#define METRIC_DEPTH_MAX 16      /* nesting of a payload */
#define METRIC_BINS_MAX 4096     /* bins of a histogram, categories of a metric */

/* Why something was dropped at the door. */
enum metric_drop {
    DROP_TOPIC,
    DROP_FRAMES,
    DROP_SYNTAX,
    DROP_TYPE,
    DROP_RANGE,
    DROP_NOT_FINITE,
    DROP_TOO_LARGE,
    DROP_TOO_MANY_MODELS,
    DROP_FUTURE,
    DROP_UNAUTHORIZED,
    DROP_REASONS
};
const char *metric_drop_name(enum metric_drop reason);

enum metric_kind { METRIC_NUMBER, METRIC_HISTOGRAM, METRIC_CATEGORIES };

struct metric_category {
    struct text name;
    uint64_t count;
};

struct metric {
    struct text name;
    uint64_t key; /* stands for the name among all metrics of decoders with the same secret, up to one in 2^64; 0: none */
    enum metric_kind kind;
    union {
        double number; /* finite */
        struct {
            const double *edges;    /* bins + 1, rising */
            const uint64_t *counts; /* bins */
            uint32_t bins;
        } histogram;
        struct {
            const struct metric_category *at;
            uint32_t count;
        } categories;
    };
};

struct metric_event {
    const struct model_id *model; /* the same pointer as the event before where it is the same */
    double timestamp_s; /* seconds since the Unix epoch, or NAN: not given */
    uint64_t n;         /* predictions summed up, >= 1 */
    const struct metric *metrics;
    uint32_t metric_count;
    uint64_t shape; /* stands for the metrics' keys in their order, where all are numbers, as a key does for a name; 0: not
                       known, which says nothing */
};

struct metric_message {
    struct text node, boot; /* empty: not given; an integer boot in decimal */
    bool same_sender; /* node and boot are those that were told. False says nothing */
    bool has_seq;
    uint64_t seq;
    const struct metric_event *events;
    uint32_t event_count;
    bool drops;                     /* `dropped` is not all zero */
    uint32_t dropped[DROP_REASONS]; /* events, or 1 for the message as a whole */
    uint32_t ignored;               /* string and boolean members under unknown names */
    const char *detail[DROP_REASONS]; /* NULL, or a sentence about the last one of each reason; the decoder's */
    /* Of an event that was recorded (lib/wire/recorded.h); NAN and empty where it does not say. */
    double received_s;  /* seconds since the epoch */
    struct text taken;
};

struct metric_options {
    bool recorded;       /* `received_at` and `taken` are no metrics, but say when an event was received; read the long way */
    double max_future_s; /* an event further ahead of now_s than this is dropped: DROP_FUTURE */
    struct siphash_key secret; /* random, so that no sender can choose names that collide; all zero works as well */
    bool careful; /* takes the long way through every event: the result is the same, and tests see to that */
};

struct metric_decoder;

int metric_decoder_new(struct metric_decoder **self_p, const struct metric_options *options);

/* Decodes a payload. `model` is the one of a metrics/ topic, or NULL for batch/<node>, where each event names its own.
 * `now_s` is the time of arrival in seconds since the epoch. */
int metric_decode(struct metric_decoder *self, const struct model_id *model, struct text payload, double now_s,
                  const struct metric_message **out);

/* The same for who knows of a sender: *like is 0 at first, and the decoder's afterwards. Senders whose messages look
 * different are so told apart, where the decoder alone would expect each to look like the one before. `told` is who sent
 * the message before, or NULL. */
int metric_decode_like(struct metric_decoder *self, const struct model_id *model, struct text payload, double now_s,
                       const struct metric_sender *told, uint16_t *like, const struct metric_message **out);

/* What a topic means. */
enum metric_topic { TOPIC_METRICS, TOPIC_BATCH, TOPIC_BEACON, TOPIC_INVALID };

/* For TOPIC_METRICS fills *model, for TOPIC_BATCH and TOPIC_BEACON *node. */
enum metric_topic metric_topic_parse(struct text topic, struct model_id *model, struct text *node);

/* A beacon: the highest seq that a node has sent on each of its topics. */
struct beacon_topic {
    struct text topic; /* project/name/version, or "batch" */
    uint64_t seq;
};

struct beacon_message {
    struct text node, boot;
    const struct beacon_topic *topics;
    uint32_t topic_count;
    uint32_t dropped[DROP_REASONS];
    const char *detail[DROP_REASONS];
};

int beacon_decode(struct metric_decoder *self, struct text payload, const struct beacon_message **out);

/* Events may be that far ahead of now_s from the next message on. */
void metric_decoder_allow(struct metric_decoder *self, double max_future_s);

void metric_decoder_destroy(struct metric_decoder **self_p);

#endif

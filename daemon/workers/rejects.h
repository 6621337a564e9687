/* rejects.h - what was dropped at the door: how much, why, and the last example of each reason.
 *
 * Threads: one. Memory: a plain value, nothing is allocated. Failure: none.
 */
#ifndef DRIFTD_WORKERS_REJECTS_H
#define DRIFTD_WORKERS_REJECTS_H

#include <stdint.h>

#include "lib/wire/metric_message.h"

#define REJECT_TOPIC_MAX 160   /* bytes kept of an example's topic, */
#define REJECT_DETAIL_MAX 160  /* of the sentence about it, */
#define REJECT_PAYLOAD_MAX 240 /* and of its payload */

struct reject {
    uint64_t count;
    double at_s; /* when the last one came, seconds since the epoch */
    uint16_t topic_len, payload_len;
    uint64_t payload_bytes; /* of the whole payload */
    char topic[REJECT_TOPIC_MAX], payload[REJECT_PAYLOAD_MAX];
    char detail[REJECT_DETAIL_MAX];
};

struct rejects {
    struct reject of[DROP_REASONS];
    uint64_t told; /* of the sum, what the log was told of */
};

/* Counts `count` drops for one reason; keeps the message as its example. `detail` may be NULL. */
void rejects_count(struct rejects *self, enum metric_drop reason, uint64_t count, struct text topic,
                   struct text payload, const char *detail, double now_s);

uint64_t rejects_sum(const struct rejects *self);

/* Bytes from outside as text that can be shown: what is no printable ASCII is written \xNN. Ends with a NUL. */
void rejects_visible(const char *bytes, size_t len, char *out, size_t size);

#endif

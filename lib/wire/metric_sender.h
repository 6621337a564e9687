/* metric_sender.h - who sent the message before, for who keeps it beside a topic.
 *
 * Nearly every message of a model comes from the node that sent the one before. Whose node and boot are told to the
 * decoder (metric_decode_like()) is recognised by a comparison of bytes: they were found good before.
 *
 * Threads: values, no state. Memory: none. Failure: none; all zero: nobody is known.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_SENDER_H
#define DRIFT_LIB_WIRE_METRIC_SENDER_H

#include <endian.h>
#include <stdint.h>

#include "lib/text.h"

#define METRIC_SENDER_BYTES 25

struct metric_sender {
    uint8_t node_len, boot_len;
    bool plain;                      /* as JSON writes it without escapes: printable ASCII, no quotes and backslashes */
    char bytes[METRIC_SENDER_BYTES]; /* the node at their beginning, the boot at their end */
};

/* The node and the boot of a message that was found good. False: they are too long to be kept, and *self stays. */
bool metric_sender_put(struct metric_sender *self, struct text node, struct text boot);

static inline struct text metric_sender_its_node(const struct metric_sender *self)
{
    return (struct text){self->bytes, self->node_len};
}

static inline struct text metric_sender_its_boot(const struct metric_sender *self)
{
    return (struct text){self->bytes + METRIC_SENDER_BYTES - self->boot_len, self->boot_len};
}

static inline bool metric_sender_is(const struct metric_sender *self, struct text node, struct text boot)
{
    return self->node_len == node.len && self->boot_len == boot.len && text_same_few(self->bytes, node.at, node.len) &&
           text_same_few(self->bytes + METRIC_SENDER_BYTES - boot.len, boot.at, boot.len);
}

static inline uint64_t metric_sender_word(const void *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

/* Whether the `node_len` bytes at `at`, where eight can be read, are the node. An empty one is not compared: false. */
static inline bool metric_sender_node(const struct metric_sender *self, const unsigned char *at)
{
    const unsigned len = self->node_len;
    if (len - 1 >= 8)
        return len && text_same_few(at, self->bytes, len);
    return (metric_sender_word(at) ^ metric_sender_word(self->bytes)) << ((64 - 8 * len) & 63) == 0;
}

/* Whether the `boot_len` bytes that end at `end`, before which eight can be read, are the boot. */
static inline bool metric_sender_boot(const struct metric_sender *self, const unsigned char *end)
{
    const unsigned len = self->boot_len;
    const char *last = self->bytes + METRIC_SENDER_BYTES;
    if (len - 1 >= 8)
        return len && text_same_few(end - len, last - len, len);
    return (metric_sender_word(end - 8) ^ metric_sender_word(last - 8)) >> ((64 - 8 * len) & 63) == 0;
}

#endif

/* metric_fast.h - the short way through an event: one pass over a flat object of numbers and short texts.
 *
 * Takes exactly those events that are good in every respect and hold nothing unusual: known names, each once; finite
 * numbers in their range; times; node, boot and seq; ignored strings; null. Whatever else it meets, a nested value, an
 * escape, a mistake, makes it say no and leave no trace: the event is then read from its beginning by the long way
 * (metric_event.c), which alone knows what is wrong with it. So both agree on all there is (check_metric_fast, fuzz).
 *
 * Before it an event is tried as one of a shape that was met before (metric_shape.h), which is shorter still.
 *
 * Cost, JSON: about 25 instructions a member for its name and 30 for a number of up to 8 digits before or after the
 * point; a double with 17 digits 50 more for an exact division. MessagePack: about 25 and 10.
 *
 * Threads, memory, failure: as metric_decoder.h says.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_FAST_H
#define DRIFT_LIB_WIRE_METRIC_FAST_H

#include "lib/wire/metric_decoder.h"

/* Reads the event whose map was opened; reader->at stands behind its end then. False: nothing has changed. */
bool fast_read(struct metric_decoder *self, struct wire_value *map, struct event_draft *draft);

/* metric_fast_json.c and metric_fast_msgpack.c: return where the event ends, or NULL. */
const unsigned char *fast_json(struct metric_decoder *self, struct fast_event *out);
const unsigned char *fast_msgpack(struct metric_decoder *self, struct fast_event *out, uint32_t members);

/* What the first event says of its sender is the message's. */
static inline void fast_sender(struct metric_decoder *self, const struct fast_event *event)
{
    struct metric_message *message = &self->message;
    self->first_done = true;
    message->node = fast_said_text(&event->node);
    message->boot = fast_said_text(&event->boot);
    message->same_sender = event->same == (FAST_NODE | FAST_BOOT) ||
                           metric_sender_is(event->told, fast_said_text(&event->node), fast_said_text(&event->boot));
    message->seq = event->seq;
    message->has_seq = (event->carried >> MEMBER_SEQ & 1) != 0;
}

/* --- values; false or NULL: the long way --- */

static inline bool fast_in_range(enum member member, double number)
{
    return member == MEMBER_METRIC || (number >= 0 && (number <= 1 || member != MEMBER_RATIO));
}

static inline void fast_put(struct metric *out, struct text name, uint64_t key, double number)
{
    out->name = name;
    out->key = key;
    out->kind = METRIC_NUMBER;
    out->number = number;
}

static inline bool fast_metric(struct fast_event *out, const struct known_name *name, struct text text, double number)
{
    if (out->event->metric_count == METRIC_EVENT_MAX || !fast_in_range((enum member)name->member, number))
        return false;
    fast_put(&out->metrics[out->event->metric_count++], text, name->key, number);
    return true;
}

bool fast_time(struct fast_event *out, double seconds);

static inline bool fast_integer(struct fast_event *out, enum member member, uint64_t whole, struct text written)
{
    if (member == MEMBER_SEQ)
        out->seq = whole;
    else if (member == MEMBER_BOOT)
        out->boot = fast_said(written.at, written.len);
    else
        out->event->n = whole;
    return member != MEMBER_N || whole >= 1;
}

/* A text under a name that may have one. */
bool fast_other_text(struct metric_decoder *self, struct fast_event *out, enum member member, struct text text);

static inline bool fast_text(struct metric_decoder *self, struct fast_event *out, enum member member, struct text text)
{
    if (member != MEMBER_NODE)
        return fast_other_text(self, out, member, text);
    out->node = fast_said(text.at, text.len);
    return text.len <= METRIC_NODE_MAX;
}

/* Of the metrics of an event that which a member is. */
static inline struct metric *shape_metric(const struct shape_member *member, struct metric *metrics)
{
    return (struct metric *)(void *)((char *)metrics + member->number);
}

/* Whether the metrics' names stand already where the next event is written: those of the last message were of the same
 * shapes, up to this one. */
static inline bool fast_named(const struct metric_decoder *self, const struct shape *shape)
{
    return self->event_count < self->named_count && self->named[self->event_count] == shape->serial;
}

/* Writes them. */
void fast_name(struct metric_decoder *self, const struct shape *shape, struct metric *metrics);

/* The node that was told, which stands at `at`; and the boot, which ends at `end`: they were found good before. False:
 * they are others. The caller has seen to what is before and behind them, and that eight bytes can be read. */
static inline bool fast_told_node(struct fast_event *out, const unsigned char *at)
{
    if (!metric_sender_node(out->told, at))
        return false;
    out->node = fast_said(at, out->told->node_len);
    out->same |= FAST_NODE;
    return true;
}

static inline bool fast_told_boot(struct fast_event *out, const unsigned char *end)
{
    if (!metric_sender_boot(out->told, end))
        return false;
    out->boot = fast_said(end - out->told->boot_len, out->told->boot_len);
    out->same |= FAST_BOOT;
    return true;
}

/* JSON: any number that is finite. `end` is behind a bracket. */
const unsigned char *fast_json_number(const unsigned char *at, const unsigned char *end, double *out);

/* MessagePack: a number, as a double and, where it is one that is not negative, as an integer. */
struct fast_number {
    double value;
    uint64_t whole;
    bool is_whole;
};
const unsigned char *fast_msgpack_number(const unsigned char *at, const unsigned char *end, struct fast_number *out);
const unsigned char *fast_msgpack_text(const unsigned char *at, const unsigned char *end, struct text *out);
bool fast_msgpack_integer(struct metric_decoder *self, struct fast_event *out, enum member member, uint64_t whole);

#endif

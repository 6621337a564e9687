/* metric_fast.h - the short way through an event: one pass over a flat object of numbers and short texts.
 *
 * Takes exactly those events that are good in every respect and hold nothing unusual: known names, each once; finite
 * numbers in their range; times; node, boot and seq; ignored strings; null. Whatever else it meets, a nested value, an
 * escape, a mistake, makes it say no and leave no trace: the event is then read from its beginning by the long way
 * (metric_event.c), which alone knows what is wrong with it. So both agree on all there is (check_metric_fast, fuzz).
 *
 * Cost, JSON: about 25 instructions a member for its name and 30 for a number of up to 8 digits before or after the
 * point; a double with 17 digits takes one division of 128 bits more. MessagePack: about 25 and 10.
 *
 * Threads, memory, failure: as metric_decoder.h says.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_FAST_H
#define DRIFT_LIB_WIRE_METRIC_FAST_H

#include "lib/wire/metric_decoder.h"

/* What one event says, before any of it counts. */
struct fast_event {
    struct metric_event *event;
    struct metric *metrics; /* room for METRIC_EVENT_MAX */
    double latest_s;
    struct text node, boot;
    uint64_t seq, carried; /* a bit for each enum member that came */
    uint32_t ignored;
};

/* Reads the event whose map was opened; reader->at stands behind its end then. False: nothing has changed. */
bool fast_read(struct metric_decoder *self, struct wire_value *map, struct event_draft *draft);

/* metric_fast_json.c and metric_fast_msgpack.c: return where the event ends, or NULL. */
const unsigned char *fast_json(struct metric_decoder *self, struct fast_event *out);
const unsigned char *fast_msgpack(struct metric_decoder *self, struct fast_event *out, uint32_t members);

/* A value of a member; false: the long way. */
static inline bool fast_number(struct fast_event *out, const struct known_name *name, struct text text, double number)
{
    struct metric *metric = &out->metrics[out->event->metric_count];
    if (out->event->metric_count == METRIC_EVENT_MAX)
        return false;
    if (name->member == MEMBER_RATIO ? !(number >= 0 && number <= 1)
                                     : name->member == MEMBER_NOT_NEGATIVE && !(number >= 0))
        return false;
    metric->name = text;
    metric->key = name->key;
    metric->kind = METRIC_NUMBER;
    metric->number = number;
    out->event->metric_count++;
    return true;
}

bool fast_time(struct fast_event *out, double seconds);

/* A text under a name that may have one. */
bool fast_text(struct metric_decoder *self, struct fast_event *out, const struct known_name *name, struct text text);

#endif

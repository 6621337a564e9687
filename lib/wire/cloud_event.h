/* cloud_event.h - what observers are told: a CloudEvents 1.0 JSON object.
 *
 * Threads: pure functions. Memory: what is returned is the caller's to free. Failure: NULL when memory was short.
 */
#ifndef DRIFT_LIB_WIRE_CLOUD_EVENT_H
#define DRIFT_LIB_WIRE_CLOUD_EVENT_H

#include "lib/model_id.h"
#include "lib/wire/json_write.h"

struct cloud_event_head {
    const char *type;    /* "driftd.retraining.requested" */
    const char *source;  /* "driftd/<host>" */
    const char *id;      /* unique for the source */
    const char *subject; /* project/name/version, a node, or NULL */
    bool of_model;       /* the first of these */
    double time_s;       /* seconds since the epoch */
};

/* The object; `data` is a JSON object as text. */
char *cloud_event_text(const struct cloud_event_head *head, struct text data);

/* Writes the members of the head, for events whose data is written piece by piece: the object is left open behind the
 * key "data". */
void cloud_event_open(struct json_write *out, const struct cloud_event_head *head);

/* The member "model" of an event's data: {"project": …, "name": …, "version": …}. */
void cloud_event_model(struct json_write *out, const struct model_id *model);

#endif

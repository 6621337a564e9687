/* recorded.h - a recording: what a daemon took, a line each, in the order in which it took it.
 *
 * Lines are JSON objects. A line without any of the three members below is an event as on the wire, with `model` and
 *
 *   received_at  seconds since the epoch: the time that its monitor was given, to the last bit
 *   taken        "<nanoseconds of the daemon's steady clock> <which event of its model it is, from 1>": what back-off
 *                and rates run on; a place that is missing was not recorded, and a 1 that comes again is a new monitor
 *
 * The others tell what the life of requests says to monitors, and to people:
 *
 *   stands      {"live", "unrecoverable", "episode", "triggered_ns", "ended_ns"}: how a model's requests stand, where
 *               its monitor heard of it, episode 0 where there was none; "held_ns" where it is silenced; with `model`, `received_at` and `taken`
 *   transition  the cloud event of a request's step, as observers get it; with `model` and `received_at`
 *   lost        so many events were not recorded here
 *
 * Threads: pure functions. Memory: texts are borrowed; writers append to the caller's. Failure: as said.
 */
#ifndef DRIFT_LIB_WIRE_RECORDED_H
#define DRIFT_LIB_WIRE_RECORDED_H

#include "lib/wire/json_write.h"
#include "lib/wire/metric_message.h"

/* When something was taken. */
struct recorded_at {
    double received_s;
    int64_t steady_ns;
    uint64_t place; /* among its model's events */
};

struct recorded_standing {
    bool live, unrecoverable;
    uint64_t episode;
    int64_t triggered_ns, ended_ns; /* INT64_MIN: never */
    int64_t held_ns;                /* nothing triggers before: somebody silenced the model; INT64_MIN: not so */
};

/* Each writes one line, without its end. */
void recorded_event(struct json_write *out, const struct metric_event *event, const struct recorded_at *at);
void recorded_stands(struct json_write *out, struct text model, const struct recorded_at *at,
                     const struct recorded_standing *standing);
void recorded_transition(struct json_write *out, struct text model, double received_s, struct text cloud_event);
void recorded_lost(struct json_write *out, uint64_t events);

/* Reads the text of `taken`. False: it is none; nothing is changed then. */
bool recorded_taken(struct text taken, struct recorded_at *out);

enum recorded_kind {
    RECORDED_EVENT, /* or anything else that is none of the others */
    RECORDED_STANDS,
    RECORDED_TRANSITION,
    RECORDED_LOST
};

/* A line that is no event. `model`, `request`, `strategy`, `state` and `by` are "" where the line has none. */
struct recorded_line {
    enum recorded_kind kind;
    char model[MODEL_ID_MAX + 1];
    struct recorded_at at;
    struct recorded_standing standing;
    uint64_t lost;
    char type[64], request[40], state[16], strategy[72], by[160]; /* of a transition */
    double observed, limit; /* of the trigger that it tells of; NAN: none */
};

/* Whether a line may be something else than an event: only a look, for speed. */
bool recorded_may_be_other(struct text line);

/* Reads such a line; RECORDED_EVENT: it is one, or nothing that can be read. */
enum recorded_kind recorded_read(struct text line, struct recorded_line *out);

#endif

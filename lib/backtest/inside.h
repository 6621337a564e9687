/* inside.h - what the files of the backtest share; for them alone.
 *
 * Threads, memory, failure: as backtest.h says.
 */
#ifndef DRIFT_LIB_BACKTEST_INSIDE_H
#define DRIFT_LIB_BACKTEST_INSIDE_H

#include "lib/backtest/backtest.h"
#include "lib/retrain/map.h"
#include "lib/wire/recorded.h"

#define TRIGGERS_KNOWN 4 /* of a model, to tell its own from those of another configuration */

struct label {
    struct label *next;          /* of all, in the order they were given */
    struct label *next_of_model;
    double from_s, to_s;
    uint64_t events, delay; /* of the model inside it; delay 0: not found */
};

/* A project/name, and its latest request. */
struct family {
    struct map_link link;
    bool any, live, recovered, unrecoverable;
    bool assumed; /* its request was made by a recorded trigger, and the recording has yet to say how it goes */
    enum request_state state;
    int64_t ended_ns;
    const struct past_model *of; /* whose request it is */
    uint32_t fruitless;
    uint64_t requests;
    char request[REQUEST_ID_LEN + 1];
    char name[];
};

struct past_model {
    struct map_link link;
    struct model_id id; /* points into `text` */
    struct family *family;
    struct monitor *monitor; /* NULL before its first event */
    struct label *labels;

    bool begun, steady; /* its clock runs by `taken` */
    int64_t first_ns, now_ns, offset_ns;
    double first_s, now_s;
    uint64_t place;     /* of its last event, as recorded; 0: not said */

    uint64_t episode, joined; /* joined: the family's count of requests when an episode began to wait for one */
    int64_t served_ns;
    int64_t triggers[TRIGGERS_KNOWN]; /* its own, of this run */
    uint32_t trigger_count;
    enum backtest_fate fate; /* of the last one, BACKTEST_FATES before it */
    double cost;             /* GPU-hours that it asked for */
    bool asked;              /* and the recording says that it made a request */
    bool by_hand;  /* a person has made a request, of which the monitor has yet to hear */
    bool following; /* the recording says how its request goes */
    bool stands;   /* `standing` is what its monitor heard last */
    struct recorded_standing standing;
    char text[];
};

struct backtest {
    struct backtest_options options;
    struct metric_decoder *decoder;
    struct map models, families;
    struct backtest_sums sums;
    struct label *labels, **labels_end;
    double last_s;
    bool transitions; /* the recording tells of requests */
    struct past_model *only; /* the latest: files are mostly of one model, or of few */
};

/* backtest.c: the model, made where it is not there yet. -ENOSPC: there are too many. */
int past_model_get(struct backtest *self, const struct model_id *id, struct past_model **out);
/* Its monitor, new. */
int past_model_restart(struct backtest *self, struct past_model *model);

/* clock.c: an event's time. Returns 0; -ERANGE: no clock counts so far; -ENODATA: it has none. */
int past_model_clock(struct past_model *model, double at_s, const struct recorded_at *taken, bool *back_p);

/* fate.c: the requests. */
void fate_event(struct backtest *self, struct past_model *model, const struct verdict *verdict);
int fate_recorded(struct backtest *self, const struct recorded_line *line);

/* labels.c */
void labels_event(struct past_model *model);
bool labels_trigger(struct past_model *model);
void labels_sums(const struct backtest *self, struct backtest_sums *out);
void labels_free(struct backtest *self);

#endif

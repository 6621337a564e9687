/* inside.h - what the files of the backtest share; for them alone.
 *
 * Threads, memory, failure: as backtest.h says.
 */
#ifndef DRIFT_LIB_BACKTEST_INSIDE_H
#define DRIFT_LIB_BACKTEST_INSIDE_H

#include "lib/backtest/backtest.h"
#include "lib/retrain/map.h"
#include "lib/wire/recorded.h"

#define TRIGGERS_KNOWN 32 /* of a model: while its store is full, the keeper of requests takes them late */
#define REQUESTS_KNOWN 8

#define ASSUMED_NS INT64_C(5000000000) /* the daemon's monitors hear of a request within that */

#define NO_GUESS UINT64_MAX

/* Who made a request: a trigger of this run, by its number, or */
#define MAKER_NOT_KNOWN UINT64_MAX   /* it is yet to be found, */
#define MAKER_OTHER (UINT64_MAX - 1) /* a person, or what this run does not trigger */

struct label {
    struct label *next;          /* of all, in the order they were given */
    struct label *next_of_model;
    double from_s, to_s;
    uint64_t events, delay; /* of the model inside it; delay 0: not found */
};

/* What is known of the requests of a project/name, of the latest above all. */
struct family_past {
    bool any, recovered, unrecoverable;
    enum request_state state;
    int64_t ended_ns;
    struct past_model *of; /* whose request it is */
    uint32_t fruitless;
    uint64_t requests;
    char request[REQUEST_ID_LEN + 1];
};

/* A project/name. */
struct family {
    struct map_link link;
    bool live;
    bool assumed;   /* its request was made by a recorded trigger, and the recording has yet to say how it goes */
    uint64_t guess; /* the trigger that made the latest request by a guess of this run, or NO_GUESS */
    struct family_past past, before; /* before: the guess */
    char name[];
};

/* A trigger of this run. What became of it is a guess until the recording has told. */
struct past_trigger {
    uint64_t number; /* among all of the run */
    int64_t at_ns, change_ns;
    double at_s, observed, limit;
    double gpu_hours;
    enum backtest_fate fate;
    bool labelled, told;
};

/* A request of a model, as the recording says. */
struct past_request {
    char id[REQUEST_ID_LEN + 1];
    uint64_t maker;
    double at_s, observed, limit; /* NAN: not said */
    double gpu_hours;             /* of further attempts, before its maker was known */
    enum request_state state;
};

/* The latest of them, each at its number modulo how many are known. */
struct past_known {
    struct past_trigger triggers[TRIGGERS_KNOWN];
    struct past_request requests[REQUESTS_KNOWN];
    uint32_t trigger_count, request_count;
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
    struct past_known *known; /* NULL before its first trigger or recorded request */
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

/* fate.c: what becomes of triggers. 0 or -ENOMEM. */
int fate_event(struct backtest *self, struct past_model *model, const struct verdict *verdict);
/* The recording says that a trigger made a request, which is noted in both; or that it made none. */
void fate_made(struct backtest *self, struct past_model *model, struct past_trigger *trigger, struct past_request *request);
void fate_made_none(struct backtest *self, struct past_model *model, struct past_trigger *trigger,
                    enum backtest_fate fate);
/* GPU-hours of a strategy; 0: the configuration does not know it. */
double fate_cost(const struct backtest *self, const char *strategy);

/* known.c: what is known of a model's triggers and requests. A new one, which takes the place of the oldest; NULL: no
 * memory. */
struct past_trigger *known_add_trigger(struct past_model *model);
struct past_request *known_add_request(struct past_model *model);
/* NULL: none, or no longer known. */
struct past_trigger *known_numbered(const struct past_model *model, uint64_t number);
struct past_request *known_request(const struct past_model *model, const char *id);
struct past_request *known_made_by(const struct past_model *model, uint64_t trigger);
/* The trigger that the keeper of requests dates so: by its own look at the clock where that is the earlier one. */
struct past_trigger *known_dated(const struct past_model *model, int64_t at_ns);
/* By figures and time: the request that a trigger has made, and the trigger that made a request. */
struct past_request *known_request_of(const struct past_model *model, const struct past_trigger *trigger);
struct past_trigger *known_trigger_of(const struct past_model *model, const struct past_request *request);

/* told.c: a line of a recording that is no event. 0 or -ENOMEM. */
int told_line(struct backtest *self, const struct recorded_line *line);

/* labels.c */
void labels_event(struct past_model *model);
bool labels_trigger(struct past_model *model);
void labels_sums(const struct backtest *self, struct backtest_sums *out);
void labels_free(struct backtest *self);

#endif

/* backtest.h - the line from event to request under a virtual clock: what would have been triggered, when and why.
 *
 * Takes recorded events (lib/wire/recorded.h, or any object as on the wire with `model` and a time), decodes them by the
 * rules of the wire, and gives them to the same monitors, under the same configuration, as the daemon does. Its clock is
 * what each event says: `taken`, else `received_at`, else `timestamp`; every model has its own, so that files may stand
 * one behind the other. It never goes back, and stands still for an event without a time.
 *
 * A request counts as done at once, its model unchanged, but where the recording tells how it went: then monitors hear
 * what they heard in the daemon, at the same place, and a trigger has made a request, joined one or come after the end
 * as it did there, which is told later where the recording tells it later. That holds for requests that this run's
 * triggers make as well, for those of before the recording, and for those that a person made. What another configuration
 * had asked for is passed over.
 *
 * Threads: one. Memory: grows with the models, not with the events; the configuration is borrowed and must outlive it.
 * Failure: -ENOMEM, after which only backtest_destroy() may be called. Bad input is counted, not an error.
 */
#ifndef DRIFT_LIB_BACKTEST_BACKTEST_H
#define DRIFT_LIB_BACKTEST_BACKTEST_H

#include "lib/config/config.h"
#include "lib/retrain/request.h"
#include "lib/wire/metric_message.h"

/* What became of a trigger. */
enum backtest_fate {
    BACKTEST_REQUESTED,
    BACKTEST_JOINED,   /* a request of this project/name is live: recorded in its history */
    BACKTEST_GIVEN_UP, /* give_up_after fruitless episodes in a row: the model is unrecoverable */
    BACKTEST_FATES
};

struct backtest_trigger {
    uint64_t number; /* from 0, in the order of the run */
    const char *model;
    double time_s; /* by the virtual clock, seconds since the epoch */
    const struct trigger *figures; /* NULL where something else was said of the trigger before */
    enum backtest_fate fate;
    const char *request; /* of REQUESTED and JOINED: the id that the daemon gives it; "": not known */
    const char *strategy, *strategy_reason; /* of REQUESTED; "" else */
    double gpu_hours;
    bool labelled; /* inside a change that is labelled */
};

struct backtest_options {
    struct config *config;
    const struct model_id *model; /* of every event, whatever it says; NULL: each names its own */
    /* Called for each trigger, in the middle of backtest_take(); what it is given is borrowed. May be NULL. */
    void (*trigger)(void *argument, const struct backtest_trigger *trigger);
    /* The same when the recording tells later that something else became of it. May be NULL. */
    void (*corrected)(void *argument, const struct backtest_trigger *trigger);
    void *argument;
};

struct backtest;

int backtest_new(struct backtest **self_p, const struct backtest_options *options);

/* A true change of a model. Before the first event. */
int backtest_label(struct backtest *self, const struct model_id *model, double from_s, double to_s);

/* What one line came to. */
struct backtest_line {
    uint32_t events;       /* that were taken */
    uint32_t dropped;      /* that were not, */
    enum metric_drop reason; /* the last one for this */
    const char *detail;    /* NULL, or a sentence; borrowed until the next line */
};

int backtest_take(struct backtest *self, struct text line, struct backtest_line *out);

/* Counts a line that could not be made one for backtest_take(). */
void backtest_drop(struct backtest *self, enum metric_drop reason);

struct backtest_sums {
    uint64_t events, models, dropped[DROP_REASONS];
    uint64_t triggers, fates[BACKTEST_FATES];
    double gpu_hours;       /* asked for */
    double first_s, last_s; /* of all events; NAN: no event had a time */
    double watched_s;       /* of each model, from its first event to its last; summed up */
    uint64_t timeless;      /* events without a time */
    uint64_t back;          /* events whose time lies before that of the one before */
    /* of a recording */
    uint64_t missing;       /* events that were not recorded */
    uint64_t late;          /* models whose first events are not in it */
    uint64_t restarted;     /* monitors that began anew, as the daemon's did */
    uint64_t rewound;       /* monitors that went back to an earlier state, which this run could not follow */
    uint64_t foreign;       /* requests in it that this run did not ask for */
    uint64_t followed;      /* requests in it that were followed */
    /* against the labels; one inside whose time its model sent nothing is among the missed, and in `blind` too */
    uint64_t labels, found, missed, blind, false_alarms;
};
void backtest_sums(const struct backtest *self, struct backtest_sums *out);

/* The delay of found change `index`, in the order of the labels: how many of the model's events it took, the one that
 * triggered among them. */
uint64_t backtest_delay(const struct backtest *self, uint64_t index);

void backtest_destroy(struct backtest **self_p);

#endif

/* request.h - one retraining request and the rules of its life, as docs/requests.md tells them.
 *
 * request_apply() is the whole table: what an event does to a request at a moment. It changes the value it is given and
 * says what happened; it stores nothing and tells nobody.
 *
 * Threads: pure functions on values. Memory: a request is a plain value; the two JSON texts in it belong to whoever made
 * it. Failure: none; an event that does not fit a request leaves it as it is.
 */
#ifndef DRIFT_LIB_RETRAIN_REQUEST_H
#define DRIFT_LIB_RETRAIN_REQUEST_H

#include <stdint.h>

#include "lib/model_id.h"
#include "lib/retrain/strategy.h"
#include "lib/wire/metric_message.h"

#define REQUEST_ID_LEN 32 /* hex digits */
#define REQUEST_TRAINER_MAX 128
#define REQUEST_NOTE_MAX 256
#define REQUEST_BY_MAX (REQUEST_TRAINER_MAX + 16)
#define REQUEST_WHY_MAX 512

enum request_state {
    REQUEST_PENDING,
    REQUEST_OFFERED,
    REQUEST_RUNNING,
    REQUEST_DONE,
    REQUEST_DEAD,
    REQUEST_CANCELLED,
    REQUEST_SUPERSEDED,
    REQUEST_STATES
};

/* "PENDING" and so on. */
const char *request_state_name(enum request_state state);

/* Reads a state's name, in any case. 0, or -EINVAL. */
int request_state_of(struct text name, enum request_state *out);

static inline bool request_state_final(enum request_state state)
{
    return state >= REQUEST_DONE;
}

/* A point in time on both clocks. */
struct moment {
    int64_t steady_ns; /* never jumps; what decisions are made by */
    double wall_s;     /* seconds since the epoch; what people read */
};

static inline struct moment moment_never(void)
{
    return (struct moment){.steady_ns = INT64_MIN, .wall_s = -1.0};
}

static inline bool moment_is_never(struct moment moment)
{
    return moment.steady_ns == INT64_MIN;
}

static inline struct moment moment_after(struct moment moment, int64_t ns)
{
    return (struct moment){.steady_ns = moment.steady_ns + ns, .wall_s = moment.wall_s + (double)ns / 1e9};
}

struct request {
    int64_t number; /* its own in the store; 0: it is not there yet */
    char id[REQUEST_ID_LEN + 1];
    char model[MODEL_ID_MAX + 1];
    uint64_t episode; /* of the model, from 1 */
    enum request_state state;
    uint32_t attempt; /* the current one, from 1 */
    uint32_t offers;  /* how often the current attempt was offered without being accepted in time */
    bool taken;       /* some attempt was accepted, or delivered: the request has cost something */
    bool cancel_asked; /* a person wants it to end; the trainer has yet to hear of it */
    bool silent;       /* the requested version is silent */

    char strategy[STRATEGY_NAME_MAX + 1]; /* of the current attempt */
    char strategy_reason[STRATEGY_REASON_MAX];
    double gpu_hours; /* that it is expected to cost */

    char trainer[REQUEST_TRAINER_MAX + 1]; /* who holds the current attempt; empty: nobody */
    double fraction;                       /* of the work, as the trainer last said; NAN: it has not */
    char note[REQUEST_NOTE_MAX + 1];

    double severity;
    char metric[METRIC_NAME_MAX + 1]; /* the KPI that triggered; empty: by hand */
    double observed, limit;
    char *trigger_json, *metrics_json; /* as job messages carry them; not this struct's */

    struct moment created, not_before, first_offered, offered, accepted, ended;
    int64_t offered_for_ns; /* earlier offers since the request was made or last accepted, summed up */
    int64_t lease_end_ns, run_end_ns;
};

struct request_rules {
    bool feedback_required;
    int64_t accept_within_ns, lease_ns, max_run_ns, retry_first_ns, retry_max_ns;
    uint32_t attempts; /* at most, >= 1 */
};

/* How long a request may be offered in all before somebody accepts it. */
#define REQUEST_UNWANTED_NS (INT64_C(24) * 3600 * 1000000000)

/* What happens to a request. Their numbers are in stores, as bits of what an attempt's trainer has said: new ones go to the end. */
enum request_event_kind {
    REQUEST_OFFER,     /* dispatcher: due, within the limits, a trainer is free */
    REQUEST_NOT_TAKEN, /* the job could not be handed over after all */
    REQUEST_HANDED,    /* feedback none: the job was handed to a trainer */
    REQUEST_TIME,      /* request_deadline_ns() has come */
    REQUEST_RESTART,   /* the daemon was started and finds the request in its store */
    REQUEST_ACCEPT,    /* what trainers say */
    REQUEST_PROGRESS,
    REQUEST_FINISH,
    REQUEST_FAIL,
    REQUEST_CANCEL,    /* a person */
    REQUEST_RECOVERED, /* the KPI held its budget again */
    REQUEST_REPLACED,  /* a newer version serves and the requested one is silent */
    REQUEST_UNSERVED,  /* the configuration has its strategy no more */
    REQUEST_EVENTS
};

/* How an attempt ended, as the family's history keeps it. */
enum attempt_outcome { ATTEMPT_RUNNING, ATTEMPT_DONE, ATTEMPT_FAILED, ATTEMPT_LOST, ATTEMPT_DELIVERED, ATTEMPT_OUTCOMES };
const char *attempt_outcome_name(enum attempt_outcome outcome);
int attempt_outcome_of(struct text name, enum attempt_outcome *out);

/* What is kept of an attempt that somebody accepted: enough to answer a repetition as it was answered then. */
struct attempt_record {
    char trainer[REQUEST_TRAINER_MAX + 1];
    uint32_t said; /* bit 1 << kind for each of ACCEPT, PROGRESS, FINISH and FAIL that was granted */
    enum attempt_outcome outcome;
};

struct request_event {
    enum request_event_kind kind;
    /* of what trainers say */
    uint32_t attempt;
    const char *trainer;
    const struct attempt_record *record; /* of that attempt; NULL: nobody accepted it */
    double fraction;                     /* PROGRESS; NAN: not said */
    const char *note;                    /* PROGRESS, FAIL, CANCEL, REPLACED: what to say in the history; may be NULL */
    bool retry;                          /* FAIL */
    double done_gpu_hours;               /* FINISH, FAIL; NAN: not said */
};

/* How a trainer is answered. */
enum request_answer {
    ANSWER_NONE,
    ANSWER_GRANTED,
    ANSWER_CANCEL, /* granted, and the trainer is to stop */
    ANSWER_UNKNOWN_REQUEST,
    ANSWER_STALE_ATTEMPT,
    ANSWER_NOT_ACCEPTED,
    ANSWER_ENDED,
    ANSWER_BAD_MESSAGE,
    ANSWER_UNAVAILABLE,
    ANSWERS
};

/* The code of a refusal on the wire; NULL for what is none. */
const char *request_refusal_code(enum request_answer answer);

/* What request_apply() did. */
struct request_step {
    bool changed; /* the request differs from before */
    bool told;    /* the history gets a line: from, to, by, why */
    enum request_state from, to;
    char by[REQUEST_BY_MAX];
    char why[REQUEST_WHY_MAX]; /* for a refusal: the sentence of the reply */
    enum request_answer answer;
    bool attempt_began; /* somebody accepted */
    bool attempt_ended; /* with `outcome`; `attempt` and `trainer` say which and whose */
    enum attempt_outcome outcome;
    uint32_t attempt;
    char trainer[REQUEST_TRAINER_MAX + 1];
    bool next_strategy; /* the attempt that is current now waits for its strategy */
    bool late;         /* a done on a SUPERSEDED request: to be recorded, not applied */
    bool again;        /* the answer repeats an earlier one */
};

/* Writes the id of the request of an episode: 32 hex digits of two SipHash-2-4 under fixed keys over project, name,
 * version and episode. Two owners who overlap make the same request. */
void request_make_id(const struct model_id *model, uint64_t episode, char out[REQUEST_ID_LEN + 1]);

/* Applies an event. */
struct request_step request_apply(struct request *self, const struct request_event *event,
                                  const struct request_rules *rules, struct moment now);

/* When REQUEST_TIME is due (OFFERED, RUNNING), or when a PENDING request may be offered; INT64_MAX: never by itself. */
int64_t request_deadline_ns(const struct request *self, const struct request_rules *rules);

/* The wait before attempt n + 1, n the attempt that failed: min(first 2^(n-1), max), give or take 20 % that follow from
 * id and attempt. */
int64_t request_retry_wait_ns(const char *id, uint32_t failed_attempt, const struct request_rules *rules);

#endif

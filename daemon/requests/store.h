/* store.h - the SQLite file that requests live in: opened with suspicion, written in transactions, read by rows.
 *
 * One file, `requests.db` in the state folder, one connection, one thread. Beside it stands `requests.db-made`, from
 * which a start knows that an empty or missing store was not always so. docs/requests.md has the schema.
 *
 * Writes begin a transaction by themselves and are checked once, by store_commit(): the first error sticks until
 * store_commit() or store_rollback(). Errors are -ENOSPC and -ENOMEM (cannot be taken now, will heal), anything else
 * means that the station must end: after a failed fsync a later commit can falsely succeed.
 *
 * Threads: one owner. Memory: texts in rows that are read are the caller's to free (request_texts_free()).
 */
#ifndef DRIFTD_REQUESTS_STORE_H
#define DRIFTD_REQUESTS_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/retrain/request.h"
#include "lib/retrain/silence.h"
#include "lib/retrain/strategy.h"

#define STORE_WHY_MAX 512

struct store;

/* Opens or makes the store in `dir`. `boot` names the machine's boot: moments of another boot are brought to this one's
 * steady clock by way of the wall clock, and never lie in the future. Returns 0, or a negative error and a sentence:
 * -EBUSY locked by another process; -EILSEQ foreign, newer, damaged or unexpectedly empty; others from the disk. */
int store_open(struct store **self_p, const char *dir, const char *boot, struct moment now, char why[STORE_WHY_MAX]);

/* What is not committed is lost. */
void store_close(struct store **self_p);

/* 0, -ENOSPC, -ENOMEM, or what ends the station. On failure everything since the last commit is undone. */
int store_commit(struct store *self);
void store_rollback(struct store *self);
/* The same where something failed beside, a read or the memory for one: returns `error`, or one of a write that weighs
 * more. After anything but -ENOSPC and -ENOMEM nothing more is written, and the store is not closed in order. */
int store_give_up(struct store *self, int error);

/* Writes something that says nothing, so that a commit shows whether there is room again. */
void store_probe(struct store *self);

/* What a failed commit or read had to say. */
const char *store_complaint(const struct store *self);

/* The path of the database; borrowed. */
const char *store_file(const struct store *self);

/* Brings the file up to date with its log when there is much in it; for a moment when nobody waits. `soon`: even when
 * there is little. 0, or what ends the station. */
int store_tidy(struct store *self, bool soon);

/* -- requests ------------------------------------------------------------------------------------------------------ */

/* Returns the request's number, by which it is set and its lines point at it; 0 when it failed. It is new: at its first
 * attempt, due from its making on. Who made it and why is the first line of its history, which has the same number. */
int64_t store_add_request(struct store *self, const struct request *request, const char *by, const char *why);
void store_set_request(struct store *self, const struct request *request);

/* A request that has ended: one that is live has no place in the index of ids yet, and is known to who made it. 1 and
 * the request; 0: there is none; a negative error. */
int store_get_ended(struct store *self, const char *id, struct request *out);
void request_texts_free(struct request *request);

/* Called for each row; the texts are moved out by setting them to NULL, or freed after the call. A result other than 0
 * ends the walk and is returned. */
typedef int store_request_fn(void *argument, struct request *request);
int store_each_live(struct store *self, store_request_fn *visit, void *argument);
/* The newest first; `state` REQUEST_STATES: all. */
int store_each_newest(struct store *self, enum request_state state, uint32_t most, store_request_fn *visit,
                      void *argument);
int store_count_states(struct store *self, uint64_t counts[REQUEST_STATES]);

/* -- history: append-only -------------------------------------------------------------------------------------------- */

struct store_line {
    int64_t request; /* its number */
    uint32_t attempt;
    double at_s;
    const char *from; /* NULL: the request is made by this; its line is not added */
    const char *to, *by, *why;
};

/* Returns the line's number in the whole history, 0 when it failed. */
int64_t store_add_line(struct store *self, const struct store_line *line);
typedef void store_line_fn(void *argument, const struct store_line *line);
int store_each_line(struct store *self, int64_t request, store_line_fn *visit, void *argument);

/* -- outcomes: a row for each attempt that somebody accepted --------------------------------------------------------- */

struct store_outcome {
    const char *request, *strategy, *trainer;
    uint32_t attempt;
    enum attempt_outcome outcome;
    double expected_gpu_hours, gpu_hours; /* NAN: not known */
    double gain;                          /* in the KPI that triggered, as the trainer claims it */
    double measured;                      /* the same as the monitors saw it */
    double recovery;                      /* as it counts in the tallies; NAN: it does not, yet */
    const char *version, *artifact, *metrics_json, *error; /* NULL: none */
};

void store_begin_attempt(struct store *self, const struct store_outcome *attempt, struct text family, struct moment at);
/* Trainer `said` (1 << kind) was granted. */
void store_said(struct store *self, const char *request, uint32_t attempt, uint32_t said, struct moment at);
void store_end_attempt(struct store *self, const struct store_outcome *attempt, struct moment at);
/* What a trainer reported when it was too late: kept, the outcome is not changed. */
void store_late_report(struct store *self, const struct store_outcome *attempt);
int store_get_attempt(struct store *self, const char *request, uint32_t attempt, struct attempt_record *out);

typedef void store_outcome_fn(void *argument, const struct store_outcome *outcome);
/* The family's latest attempts that have ended, newest first. */
int store_each_outcome(struct store *self, struct text family, uint32_t most, store_outcome_fn *visit, void *argument);
/* The family's latest attempt that was done or delivered: 1, 0 there is none, negative. */
int store_last_trained(struct store *self, struct text family, store_outcome_fn *visit, void *argument);
/* What came of it: `measured` and `recovery`. */
void store_measured(struct store *self, const struct store_outcome *attempt);
/* The attempts of one request, oldest first. */
int store_each_attempt(struct store *self, const char *request, store_outcome_fn *visit, void *argument);

/* -- tallies of strategies -------------------------------------------------------------------------------------------- */

/* Everything 0 where there is no row. 0, or a negative error. */
int store_get_tally(struct store *self, struct text family, const char *strategy, struct history_row *out);
/* The family's tallies of `count` strategies, and the fleet's sums, in their order: what there is a row of is set. */
int store_get_tallies(struct store *self, struct text family, const struct strategy *strategies, uint32_t count,
                      struct history_row *out);
int store_get_fleet(struct store *self, const struct strategy *strategies, uint32_t count, struct history_row *out);
void store_put_tally(struct store *self, struct text family, const char *strategy, const struct history_row *row);

/* -- what counts against the limits of a day -------------------------------------------------------------------------- */

/* First offers and attempts of the last 24 hours, of requests that were taken or are live. gpu_hours NAN: a first
 * offer. */
typedef int store_use_fn(void *argument, const char *request, uint32_t attempt, struct text family, double gpu_hours,
                         struct moment at);
int store_each_use(struct store *self, struct moment now, store_use_fn *visit, void *argument);

/* -- models and families ---------------------------------------------------------------------------------------------- */

struct store_model {
    char model[MODEL_ID_MAX + 1];
    uint64_t episode;                 /* the latest; 0: none */
    char request[REQUEST_ID_LEN + 1]; /* the live request it waits for; empty: none */
    struct moment first_seen, served; /* served: had min_events events */
    struct moment triggered, ended;   /* the last trigger; the end of the last request it waited for */
};

int store_get_model(struct store *self, const char *model, struct store_model *out);
void store_put_model(struct store *self, const struct store_model *model);
typedef void store_model_fn(void *argument, const struct store_model *model);
/* All with an episode. */
int store_each_episode(struct store *self, store_model_fn *visit, void *argument);
/* Those of a family. */
int store_each_of_family(struct store *self, struct text family, store_model_fn *visit, void *argument);
/* Those of a family that wait for a request. */
int store_each_waiting(struct store *self, struct text family, const char *request, store_model_fn *visit,
                       void *argument);
/* The versions of a family that have served. */
int store_each_version(struct store *self, struct text family, store_model_fn *visit, void *argument);

struct store_family {
    uint64_t requests; /* made so far */
    uint32_t fruitless;
    bool unrecoverable;
    bool recovered;                        /* since the last request was made */
    char last_request[REQUEST_ID_LEN + 1]; /* empty: none */
};

int store_get_family(struct store *self, struct text family, struct store_family *out);
void store_put_family(struct store *self, struct text family, const struct store_family *row);

/* -- what has been kept for long enough ------------------------------------------------------------------------------ */

/* Forgets up to `most` requests that ended before `before`, with their history and outcomes, but the last one of each
 * family. Adds to gone[state] how many; returns how many there were in all, or an error. */
int store_forget(struct store *self, struct moment before, uint32_t most, uint64_t gone[REQUEST_STATES]);

/* -- silences --------------------------------------------------------------------------------------------------------- */

/* `silence->until` is `for_ns` after `made`. One of the same pattern is replaced. */
void store_put_silence(struct store *self, const struct silence *silence, int64_t for_ns, struct moment made);
/* Ends that of a pattern; NULL: all. */
void store_end_silences(struct store *self, const char *pattern);
/* Those that have not ended. */
typedef int store_silence_fn(void *argument, const struct silence *silence);
int store_each_silence(struct store *self, struct moment now, store_silence_fn *visit, void *argument);

#endif

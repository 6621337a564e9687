/* requests.h - the station that keeps retraining requests: store, life cycle, leases, limits, choice of strategy.
 *
 * One thread, sole owner of the store. It takes notices from its inbox, feedback from the port it is handed, and time.
 * Whatever it decides is committed first; only then are jobs sent, trainers answered and monitors told (group commit:
 * one turn of the loop is one transaction).
 *
 * Threads: requests_start() and requests_stop() by the engine; everything else happens in the thread. Memory: options
 * are copied, ports and sinks must outlive the station. Failure: see requests_start().
 */
#ifndef DRIFTD_REQUESTS_REQUESTS_H
#define DRIFTD_REQUESTS_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/heart.h"
#include "daemon/base/inbox.h"
#include "daemon/base/job_port.h"
#include "lib/retrain/notice.h"
#include "lib/retrain/silence.h"
#include "lib/retrain/strategy.h"

struct requests_project {
    const char *project;
    uint32_t concurrent, per_model_per_day, per_day; /* 0: no limit */
    double gpu_hours_per_day;
};

struct requests_options {
    const char *state_dir;
    int64_t keep_ns; /* ended requests, for so long; 0: for ever */
    const char *source; /* "driftd/<host>", for CloudEvents */
    bool feedback_required;
    int64_t accept_within_ns, lease_ns, max_run_ns, retry_first_ns, retry_max_ns;
    uint32_t attempts;
    uint64_t seed;
    const char *choose;
    const struct strategy *strategies;
    uint32_t strategy_count;
    uint32_t give_up_after;
    struct requests_project fleet; /* .project NULL */
    const struct requests_project *projects;
    uint32_t project_count;
};

/* LETTER_RENEW: other options. Folder and source stay as they were; the rest holds from the next turn on, for what
 * is live as well. `options` and all they point to are borrowed until `reply_to` gets LETTER_RENEWED. One at a time. */
struct requests_renewal {
    struct requests_options options;
    struct job_doors *doors; /* for the job port's renew(); NULL: they stay as they are */
    struct inbox *reply_to;
};

struct requests_ports {
    struct job_port job;
    /* Tells the keeper of a model how its requests stand; takes the update over. Called after the commit. */
    void (*update)(void *argument, struct retrain_update *update);
    /* Tells the keepers of models all silences that stand; borrowed. Called after the commit, and during the start. */
    void (*silences)(void *argument, const struct silences *silences);
    /* Hands an event to observers; takes it over. */
    void (*event)(void *argument, struct cloud_event *event);
    void *argument;
    struct inbox *engine; /* gets LETTER_ALARM when the station ends by itself (I/O error of the store) */
};

#define REQUESTS_WHY_MAX 512

struct requests;

/* Opens the store, tells every model's keeper how its requests stand, opens the job port, and starts the thread; returns
 * when it is ready. 0, or a negative error with a sentence in `why`: -EBUSY the store is locked by another process,
 * -EILSEQ foreign, newer, damaged or unexpectedly empty, -EIO and others from the disk; what the port's open() answers,
 * -EADDRINUSE for one. Updates and events are handed over from the station's thread, the first before this returns. */
int requests_start(struct requests **self_p, const struct requests_options *options, const struct requests_ports *ports,
                   char why[REQUESTS_WHY_MAX]);

/* LETTER_NOTICE, LETTER_RENEW and LETTER_QUESTION ("requests", "request", "status", "retrain", "cancel", "requeue",
 * "silence", "unsilence") go in here. A
 * question comes back as LETTER_ANSWER to its reply_to, with `from` as it was. */
struct inbox *requests_inbox(struct requests *self);

/* Beats once a turn, at least every HEART_TURN_MAX_MS. */
const struct heart *requests_heart(const struct requests *self);

/* Ends the thread after everything in the inbox is committed; *left_p says how many requests are live. */
void requests_stop(struct requests **self_p, uint32_t *left_p);

#endif

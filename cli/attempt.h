/* attempt.h - one attempt of one request, from the accept to the reply that its outcome got.
 *
 * Accepts, runs the command once the daemon has granted it, keeps the lease with progress, stops the command when the
 * daemon wants no more of it, and says the outcome until the daemon has it.
 *
 * Threads: one, with SIGCHLD blocked. Memory: the job is taken over, the talk borrowed. Failure: logged; see the
 * outcome.
 */
#ifndef DRIFT_CLI_ATTEMPT_H
#define DRIFT_CLI_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/job.h"
#include "cli/talk.h"

struct attempt;

struct attempt_options {
    const char *command; /* for /bin/sh -c */
    const char *trainer; /* what this trainer calls itself */
    double grace_s;      /* between SIGTERM and SIGKILL */
    bool retry;          /* a failure may be tried again */
    bool json;           /* steps as JSON lines on stdout instead of text on stderr */
};

enum attempt_end {
    ATTEMPT_GOES_ON,
    ATTEMPT_NOT_OURS, /* the accept was refused */
    ATTEMPT_DONE,     /* and the daemon has it */
    ATTEMPT_FAILED,   /* and the daemon has it */
    ATTEMPT_UNWANTED, /* the daemon wanted no outcome */
    ATTEMPT_UNTOLD,   /* the daemon could not be reached before this program had to end */
};

struct attempt *attempt_begin(struct job *job, struct talk *talk, const struct attempt_options *options,
                              int64_t now_ns);

/* What to poll beside the talk's socket; -1: nothing. */
int attempt_output(const struct attempt *self);
int attempt_errors(const struct attempt *self);

/* Does what is to be done. *next_ns_p: when to call again at the latest. */
enum attempt_end attempt_turn(struct attempt *self, int64_t now_ns, int64_t *next_ns_p);

/* This program has to end: the command is stopped, and the daemon told that somebody else may try. */
void attempt_stop(struct attempt *self, int64_t now_ns);

/* A command that still runs is killed. */
void attempt_destroy(struct attempt **self_p);

#endif

/* dispatch.h - how jobs leave and feedback comes in: PUSH sockets and a ROUTER behind the requests station's job port.
 *
 * Jobs: the first PUSH is for all projects but those that have one of their own, an outlet each. A trainer's pipe holds
 * one job (SNDHWM 1), and only trainers that are connected have a pipe. Feedback: whoever sends gets one reply behind
 * the same frames, up to and including the first empty one; a DEALER that sends none gets none. A message that is not
 * one frame behind these comes out empty, so that its sender is told.
 *
 * Threads: dispatch_new(), dispatch_destroy() by the engine; everything else by the thread that called the port's
 * open(), until its close(). Memory: options are borrowed until open(), the keyring until dispatch_destroy(). Failure:
 * open() answers a negative error and keeps a sentence; later nothing fails: a reply to a trainer that has gone, or that
 * reads none of thousands, is lost and counted, and the trainer asks again.
 */
#ifndef DRIFTD_DISPATCH_DISPATCH_H
#define DRIFTD_DISPATCH_DISPATCH_H

#include "daemon/base/doors.h"
#include "daemon/base/handshakes.h"
#include "daemon/base/job_port.h"
#include "daemon/base/keyring.h"

/* What the job port's renew() takes. A job that was handed to a trainer who is cut off, and that he did not accept, is
 * offered again when its time is over. */
struct job_doors {
    struct doors_wish jobs, feedback;
    const struct doors_project *own; /* for the jobs of single projects, in the order and number of the start */
    uint32_t own_count;
    int error; /* 0, or the first of doors_open(), with its sentence */
    char why[ENDPOINT_WHY_MAX];
};

struct dispatch_options {
    struct job_doors doors;
    bool feedback_required; /* false: what was handed over must still leave when the daemon stops */
    struct handshakes *handshakes; /* NULL: none; used at open() */
    struct keyring *keyring; /* with CURVE: who may answer; NULL: there is no CURVE */
};

struct dispatch;

/* Returns 0 or -ENOMEM. No socket is made before open(). */
int dispatch_new(struct dispatch **self_p, const struct dispatch_options *options);

struct job_port dispatch_port(struct dispatch *self);

/* After open(): the n-th endpoint as it is bound, with the port that stands for "*"; false: there is none. Any thread.
 */
bool dispatch_jobs_endpoint(struct dispatch *self, uint32_t n, char out[ENDPOINT_MAX]);
bool dispatch_own_endpoint(struct dispatch *self, const char *project, uint32_t n, char out[ENDPOINT_MAX]);
bool dispatch_feedback_endpoint(struct dispatch *self, uint32_t n, char out[ENDPOINT_MAX]);

/* Messages of whom the keyring does not let speak, and replies that nobody took. Any thread. */
struct dispatch_counts {
    uint64_t unauthorized, replies_lost;
};
struct dispatch_counts dispatch_counts(const struct dispatch *self);

/* After the requests station has stopped. */
void dispatch_destroy(struct dispatch **self_p);

#endif

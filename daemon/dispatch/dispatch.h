/* dispatch.h - how jobs leave and feedback comes in: a PUSH and a ROUTER socket behind the requests station's job port.
 *
 * Jobs: a trainer's pipe holds one job (SNDHWM 1), and only trainers that are connected have a pipe. Feedback: whoever
 * sends gets one reply behind the same frames, up to and including the first empty one; a DEALER that sends none gets
 * none. A message that is not one frame behind these comes out empty, so that its sender is told.
 *
 * Threads: dispatch_new(), dispatch_destroy() by the engine; everything else by the thread that called the port's open(),
 * until its close(). Memory: options are copied. Failure: open() answers a negative error and keeps a sentence; later
 * nothing fails: a reply to a trainer that has gone is lost, and the trainer asks again.
 */
#ifndef DRIFTD_DISPATCH_DISPATCH_H
#define DRIFTD_DISPATCH_DISPATCH_H

#include "daemon/base/curve.h"
#include "daemon/base/job_port.h"
#include "daemon/base/keyring.h"

struct dispatch_options {
    const char *const *jobs; /* endpoints to bind */
    uint32_t job_count;
    const char *const *feedback;
    uint32_t feedback_count;
    bool feedback_required; /* false: what was handed over must still leave when the daemon stops */
    const struct curve_server *curve; /* NULL: none */
    struct keyring *keyring;          /* with CURVE: who may answer */
};

struct dispatch;

/* Returns 0 or -ENOMEM. No socket is made before open(). */
int dispatch_new(struct dispatch **self_p, const struct dispatch_options *options);

struct job_port dispatch_port(struct dispatch *self);

/* After open(): the n-th endpoint as it was bound, with the port that stands for "*"; NULL: there is none. Any thread that
 * knows that open() has returned may ask. */
const char *dispatch_jobs_endpoint(const struct dispatch *self, uint32_t n);
const char *dispatch_feedback_endpoint(const struct dispatch *self, uint32_t n);

/* After the requests station has stopped. */
void dispatch_destroy(struct dispatch **self_p);

#endif

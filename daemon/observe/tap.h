/* tap.h - what the shards have taken, for `driftc record`: lines of a recording out on a socket of their own.
 *
 * The socket stands beside the control socket, as private as that one. Lines are made only while somebody records. The
 * line of events never waits for it: what waits here is bounded, and what is dropped is counted, and told in the
 * recording at its place. A recorder that has just come gets an empty frame first.
 *
 * Threads: tap_put(), tap_event(), tap_session() and the counters by any; the rest by the engine. Memory: up to
 * TAP_WAITING_BYTES of lines; they are taken over. Failure: tap_new() says in a sentence why nothing can be recorded.
 */
#ifndef DRIFTD_OBSERVE_TAP_H
#define DRIFTD_OBSERVE_TAP_H

#include <stdatomic.h>
#include <stdint.h>

#include "daemon/base/endpoint.h"
#include "daemon/base/heart.h"
#include "daemon/base/inbox.h"

#define TAP_WAITING_BYTES (64 << 20)

struct tap;

/* `control` is the endpoint of the control socket. -ENOTSUP: there can be none beside it; -ENOMEM; or why it could not
 * be bound. *self_p is NULL then. */
int tap_new(struct tap **self_p, const char *control, char why[ENDPOINT_WHY_MAX]);
const char *tap_endpoint(const struct tap *self);

int tap_start(struct tap *self);

/* 0: nobody records; else another number each time that somebody begins to. */
const atomic_uint *tap_session(const struct tap *self);

/* Hands lines over, to be sent or dropped. */
void tap_put(struct tap *self, struct tape *tape);

/* The same of a cloud event, where it is a step of a request; it stays the caller's. */
void tap_event(struct tap *self, const struct cloud_event *event, double now_s);

uint64_t tap_sent(const struct tap *self); /* events */
uint64_t tap_lost(const struct tap *self);
const struct heart *tap_heart(const struct tap *self);

/* Sends what waits and ends the thread. */
void tap_stop(struct tap *self);
void tap_destroy(struct tap **self_p);

#endif

/* observe.h - the station that tells observers: cloud events out on PUB sockets. The first has all of them, and a
 * project's own what is about models of that project.
 *
 * Observers never hold the line up: what waits here is bounded, and so is what libzmq keeps for a slow subscriber; the
 * rest is dropped. What is dropped here is counted, and so is each time that an observer falls behind: how many events
 * libzmq then leaves it out of nobody can tell but itself, by the number of each event of a socket.
 *
 * Threads: observe_put(), observe_heart(), observe_endpoint() and the counters by any; the rest by the engine. Memory:
 * an event is taken over. Failure: observe_new() says in a sentence which endpoint could not be had.
 */
#ifndef DRIFTD_OBSERVE_OBSERVE_H
#define DRIFTD_OBSERVE_OBSERVE_H

#include <stdint.h>

#include "daemon/base/doors.h"
#include "daemon/base/handshakes.h"
#include "daemon/base/heart.h"
#include "daemon/base/inbox.h"

#define OBSERVE_WAITING_MAX 10000 /* events */

struct observe;

/* Of the letter the wishes count; `handshakes` may be NULL. */
int observe_new(struct observe **self_p, const struct doors_letter *doors, struct handshakes *handshakes,
                char why[ENDPOINT_WHY_MAX]);

/* The n-th endpoint as it is bound, with its real port; false: there is none. Any thread. */
bool observe_endpoint(struct observe *self, uint32_t n, char out[ENDPOINT_MAX]);
bool observe_own_endpoint(struct observe *self, const char *project, uint32_t n, char out[ENDPOINT_MAX]);

/* LETTER_EVENT, LETTER_DOORS and LETTER_STOP go in here. */
struct inbox *observe_inbox(struct observe *self);

int observe_start(struct observe *self);

/* Hands an event over, to be sent or dropped. */
void observe_put(struct observe *self, struct cloud_event *event);

uint64_t observe_sent(const struct observe *self);
uint64_t observe_dropped(const struct observe *self);
uint64_t observe_behind(const struct observe *self); /* times that an observer had no room left */
const struct heart *observe_heart(const struct observe *self);

/* Sends what waits and ends the thread. */
void observe_stop(struct observe *self);
void observe_destroy(struct observe **self_p);

#endif

/* publisher.h - the sending side of the metrics socket: a serving node that loses nothing it can help losing.
 *
 * An XPUB socket that hears who subscribes, blocks instead of dropping when the subscriber is slow or away, numbers the
 * messages of each topic, and tells in beacons how far it has come, so that what is lost all the same can be seen.
 *
 * Threads: one. Memory: payloads are copied. Failure: a sentence is said, and the exit status returned.
 */
#ifndef DRIFT_CLI_PUBLISHER_H
#define DRIFT_CLI_PUBLISHER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/curve.h"
#include "cli/payload.h"

struct publisher_options {
    const char *endpoint;
    const char *node; /* what this publisher calls itself */
    enum payload_format format;
    double timeout_s; /* until somebody subscribes; six times that long one may take nothing, or be away */
    const volatile sig_atomic_t *stopping;
    const struct curve *curve; /* outlives the publisher; NULL: none */
};

struct publisher;

/* Connects. Returns 0, or EX_USAGE for what is no endpoint. */
int publisher_open(struct publisher **self_p, const struct publisher_options *options);

/* Waits for a subscriber to `topic`, at most `seconds`. 0, EX_UNAVAILABLE, or EX_TEMPFAIL when told to stop. */
int publisher_wait(struct publisher *self, const char *topic, double seconds);

/* Sends `events` (an object, or a batch of them) on metrics/<model>, or on batch/<node> when `model` is NULL, with
 * node, boot and number in its first event. A batch that encodes to more than 256 KiB leaves in parts. */
int publisher_send(struct publisher *self, const char *model, json_t *events);

/* Sends beacons when they are due, or now: `all` the topics or those with news. */
int publisher_beacon(struct publisher *self, bool now, bool all);

uint64_t publisher_messages(const struct publisher *self);
uint64_t publisher_bytes(const struct publisher *self);
uint64_t publisher_topics(const struct publisher *self);
const char *publisher_boot(const struct publisher *self);

/* Waits until what was sent has left, and half a second more behind a long row of messages, so that a busy subscriber
 * can read them; closes. Returns 0, or EX_UNAVAILABLE: the last messages are still here after six times the time-out.
 */
int publisher_close(struct publisher **self_p);

#endif

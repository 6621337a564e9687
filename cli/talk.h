/* talk.h - what a trainer has to say to the feedback socket, said until it is answered.
 *
 * One message at a time. It is sent again, with growing patience and over a new connection now and then, until a reply
 * to it comes: through a lost reply, a busy store, a daemon that was restarted. Every message carries a frame of its
 * own before the empty one, which the daemon echoes, so that a late reply to an earlier message is not taken for this
 * one's.
 *
 * Threads: one. Memory: messages are taken over, replies are the caller's. Failure: none but EX_USAGE when it is
 * opened.
 */
#ifndef DRIFT_CLI_TALK_H
#define DRIFT_CLI_TALK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/curve.h"

struct talk;

/* Returns 0, or EX_USAGE, said, for what is no endpoint. The context and `curve` must outlive it. */
int talk_open(struct talk **self_p, void *context, const char *endpoint, const struct curve *curve);

/* Says a message, in place of one that is not answered yet. */
void talk_say(struct talk *self, json_t *message, int64_t now_ns);

/* How long to wait for a reply before the first repetition. */
void talk_patience(struct talk *self, int64_t patience_ns);

/* Whether a message waits for its reply; and how often it was sent in vain. */
bool talk_waits(const struct talk *self);
unsigned talk_tries(const struct talk *self);

/* Gives up on it. */
void talk_drop(struct talk *self);

/* The socket to poll; another one after talk_turn(). */
void *talk_socket(const struct talk *self);

/* Sends again what is due. Returns when that will be next; INT64_MAX: never. */
int64_t talk_turn(struct talk *self, int64_t now_ns);

/* Takes the reply to what was said, if it has come: an object with a member `ok`, the caller's. NULL: not yet. A reply
 * `unavailable` is none: the message is sent again. */
json_t *talk_hear(struct talk *self);

void talk_close(struct talk **self_p);

#endif

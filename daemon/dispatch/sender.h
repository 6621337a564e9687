/* sender.h - one message of a trainer as the ROUTER has it: the frames that its reply goes behind, and its body.
 *
 * Threads: the one that owns the socket. Memory: a sender lives until sender_reply(). Failure: as each function says.
 */
#ifndef DRIFTD_DISPATCH_SENDER_H
#define DRIFTD_DISPATCH_SENDER_H

#include "daemon/base/job_port.h"

struct sender;

/* The sender of the next message, whoever it is, and its body, borrowed; NULL: there is none. A message that is not one
 * frame behind its envelope has an empty body. */
struct sender *sender_take(void *router, struct feedback_letter *out);

/* The CURVE key it was sent with, Z85, borrowed; NULL: none. Before sender_reply(). */
const char *sender_key(struct sender *self);

/* Replies and frees. False: a trainer that has gone, or that reads nothing, loses its reply; it asks again when it is back. */
bool sender_reply(struct sender *self, void *router, const char *json, size_t bytes);

#endif

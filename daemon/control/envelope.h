/* envelope.h - who sent a message to a ROUTER socket, kept for the reply.
 *
 * The envelope is every frame up to and including the first empty one; of a sender that puts no empty frame (a DEALER)
 * it is the routing id alone.
 *
 * Threads: that of the socket. Memory: an envelope owns its frames, at most ENVELOPE_FRAMES_MAX. Failure: a message
 * with more frames, or with another number of frames behind the envelope than one, has no body.
 */
#ifndef DRIFTD_CONTROL_ENVELOPE_H
#define DRIFTD_CONTROL_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

#define ENVELOPE_FRAMES_MAX 16

struct envelope {
    zmq_msg_t frames[ENVELOPE_FRAMES_MAX];
    uint32_t count;
};

/* Takes the next message. Returns 0 and the body, which the caller closes; -EAGAIN: there is none; -EBADMSG: it has no
 * body, but an envelope to answer to; -EPROTO: not even that, and it was let go. */
int envelope_receive(void *handle, struct envelope *envelope, zmq_msg_t *body);

/* Sends a reply, and empties both the envelope and the body. Whoever has gone away gets nothing. */
void envelope_reply(void *handle, struct envelope *envelope, zmq_msg_t *body);

/* Moves *from, which is empty then, to *to, which was. */
void envelope_move(struct envelope *to, struct envelope *from);

void envelope_clear(struct envelope *envelope);

#endif

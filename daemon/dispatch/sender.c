#include "daemon/dispatch/sender.h"

#include <errno.h>
#include <stdlib.h>
#include <zmq.h>

#include "daemon/base/curve.h"

#define FRAMES_MAX 16 /* before and with the body; a message of more comes out empty */

struct sender {
    zmq_msg_t frames[FRAMES_MAX];
    uint32_t envelope; /* of these, the first are echoed */
    uint32_t count;
};

static void sender_free(struct sender *sender)
{
    for (uint32_t i = 0; i < sender->count; i++)
        zmq_msg_close(&sender->frames[i]);
    free(sender);
}

/* Takes all frames of one message. What is beyond FRAMES_MAX is let go; *more_p says that there was such. -EAGAIN:
 * there is no message. */
static int receive(struct sender *sender, void *router, bool *more_p)
{
    bool more = true;
    *more_p = false;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        int rc;
        while ((rc = zmq_msg_recv(&frame, router, ZMQ_DONTWAIT)) < 0 && zmq_errno() == EINTR)
            ;
        if (rc < 0) {
            zmq_msg_close(&frame);
            return -EAGAIN;
        }
        more = zmq_msg_more(&frame);
        if (sender->count < FRAMES_MAX) {
            zmq_msg_init(&sender->frames[sender->count]);
            zmq_msg_move(&sender->frames[sender->count++], &frame);
        } else {
            *more_p = true;
        }
        zmq_msg_close(&frame);
    }
    return 0;
}

/* The identity and every frame up to and including the first empty one; without an empty one, the identity alone. */
static uint32_t envelope_of(struct sender *sender)
{
    for (uint32_t i = 1; i < sender->count; i++) {
        if (zmq_msg_size(&sender->frames[i]) == 0)
            return i + 1;
    }
    return 1;
}

struct sender *sender_take(void *router, struct feedback_letter *out)
{
    struct sender *sender = calloc(1, sizeof *sender);
    bool too_many;
    if (!sender)
        return NULL;
    if (receive(sender, router, &too_many) < 0) {
        sender_free(sender);
        return NULL;
    }
    sender->envelope = envelope_of(sender);
    *out = (struct feedback_letter){
        .json = "", .peer = zmq_msg_gets(&sender->frames[sender->count - 1], "Peer-Address"), .sender = sender};
    if (!too_many && sender->count == sender->envelope + 1) {
        zmq_msg_t *body = &sender->frames[sender->envelope];
        out->json = zmq_msg_data(body);
        out->bytes = zmq_msg_size(body);
    }
    return sender;
}

const char *sender_key(struct sender *self)
{
    return curve_sender(&self->frames[self->count - 1]);
}

bool sender_reply(struct sender *self, void *router, const char *json, size_t bytes)
{
    bool good = true;
    for (uint32_t i = 0; good && i < self->envelope; i++)
        good = zmq_msg_send(&self->frames[i], router, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
    good = good && zmq_send(router, json, bytes, ZMQ_DONTWAIT) >= 0;
    sender_free(self);
    return good;
}

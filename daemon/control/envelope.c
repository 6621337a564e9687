#include "daemon/control/envelope.h"

#include <errno.h>

static int receive_part(void *handle, zmq_msg_t *part)
{
    int rc;
    do
        rc = zmq_msg_recv(part, handle, ZMQ_DONTWAIT);
    while (rc < 0 && zmq_errno() == EINTR);
    return rc < 0 ? -EAGAIN : 0;
}

/* Keeps the first frames of the message, counts all of it. Returns how many there were; 0: no message. */
static uint32_t receive_frames(void *handle, struct envelope *envelope)
{
    uint32_t frames = 0;
    bool more = true;
    envelope->count = 0;
    while (more) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        if (receive_part(handle, &part) < 0) {
            zmq_msg_close(&part);
            break;
        }
        more = zmq_msg_more(&part);
        frames++;
        if (frames <= ENVELOPE_FRAMES_MAX) {
            zmq_msg_init(&envelope->frames[envelope->count]);
            zmq_msg_move(&envelope->frames[envelope->count++], &part);
        }
        zmq_msg_close(&part);
    }
    return frames;
}

static void cut(struct envelope *envelope, uint32_t count)
{
    while (envelope->count > count)
        zmq_msg_close(&envelope->frames[--envelope->count]);
}

int envelope_receive(void *handle, struct envelope *envelope, zmq_msg_t *body)
{
    uint32_t frames = receive_frames(handle, envelope);
    if (frames == 0)
        return -EAGAIN;
    uint32_t head = 1; /* frames of the envelope; without an empty one, the routing id */
    for (uint32_t i = 1; i < envelope->count; i++) {
        if (zmq_msg_size(&envelope->frames[i]) == 0) {
            head = i + 1;
            break;
        }
    }
    if (frames > ENVELOPE_FRAMES_MAX) {
        cut(envelope, 0);
        return -EPROTO;
    }
    if (frames != head + 1) {
        cut(envelope, head);
        return -EBADMSG;
    }
    zmq_msg_init(body);
    zmq_msg_move(body, &envelope->frames[head]);
    cut(envelope, head);
    return 0;
}

void envelope_reply(void *handle, struct envelope *envelope, zmq_msg_t *body)
{
    bool sent = true;
    for (uint32_t i = 0; i < envelope->count && sent; i++)
        sent = zmq_msg_send(&envelope->frames[i], handle, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
    if (sent)
        zmq_msg_send(body, handle, ZMQ_DONTWAIT);
    zmq_msg_close(body);
    cut(envelope, 0);
}

void envelope_move(struct envelope *to, struct envelope *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        zmq_msg_init(&to->frames[i]);
        zmq_msg_move(&to->frames[i], &from->frames[i]);
    }
    to->count = from->count;
    cut(from, 0);
}

void envelope_clear(struct envelope *envelope)
{
    cut(envelope, 0);
}

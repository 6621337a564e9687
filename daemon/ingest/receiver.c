#include "daemon/ingest/receiver.h"

#include <string.h>

static enum frame_kind kind_of(const struct frame *frame)
{
    if (frame->parts != 2)
        return FRAME_WRONG;
    const char *topic = frame->topic;
    const size_t len = frame->topic_len;
    if (len >= 8 && memcmp(topic, "metrics/", 8) == 0)
        return FRAME_METRICS;
    if (len >= 6 && memcmp(topic, "batch/", 6) == 0)
        return FRAME_BATCH;
    if (len >= 7 && memcmp(topic, "beacon/", 7) == 0)
        return FRAME_BEACON;
    return FRAME_WRONG;
}

static int receive_part(void *handle, zmq_msg_t *part)
{
    int rc;
    do
        rc = zmq_msg_recv(part, handle, ZMQ_DONTWAIT);
    while (rc < 0 && zmq_errno() == EINTR);
    return rc;
}

/* One message; false when none waits. libzmq hands a message out whole: once there is a first part, the others are
 * here. What is more than two is received and let go, part by part, so it takes no memory of ours. */
static bool receive(void *handle, struct frame *frame)
{
    if (receive_part(handle, &frame->topic_message) < 0)
        return false;
    frame->parts = 1;
    bool more = zmq_msg_more(&frame->topic_message);
    if (more && receive_part(handle, &frame->payload_message) >= 0) {
        frame->parts = 2;
        more = zmq_msg_more(&frame->payload_message);
    } else {
        zmq_msg_close(&frame->payload_message);
        zmq_msg_init(&frame->payload_message);
        more = false;
    }
    while (more) {
        zmq_msg_t extra;
        zmq_msg_init(&extra);
        more = receive_part(handle, &extra) >= 0 && zmq_msg_more(&extra);
        zmq_msg_close(&extra);
        if (frame->parts < UINT32_MAX)
            frame->parts++;
    }
    frame_own(frame);
    return true;
}

static uint32_t take_from_socket(struct receiver *self, struct frame *frames, uint32_t count)
{
    while (self->socket_used && count < FRAME_BATCH_MAX && receive(self->handle, &frames[count])) {
        frames[count].kind = kind_of(&frames[count]);
        count++;
    }
    return count;
}

static uint32_t take_from_nodes(struct receiver *self, struct frame *frames, uint32_t count, int64_t now_ns)
{
    uint32_t i = count;
    if (count < FRAME_BATCH_MAX)
        count += nodes_take(self->nodes, frames + count, FRAME_BATCH_MAX - count, now_ns);
    for (; i < count; i++) {
        if (frames[i].kind != FRAME_TOO_LARGE)
            frames[i].kind = kind_of(&frames[i]);
    }
    return count;
}

/* Whoever has much to say leaves the others their turn. */
uint32_t receiver_take(struct receiver *self, struct frame *frames, int64_t now_ns)
{
    self->socket_first = !self->socket_first;
    return self->socket_first ? take_from_nodes(self, frames, take_from_socket(self, frames, 0), now_ns)
                              : take_from_socket(self, frames, take_from_nodes(self, frames, 0, now_ns));
}

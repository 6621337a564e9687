/* receiver.h - messages as they come, from the socket of libzmq's and from the nodes that are read without it.
 *
 * Threads: the owner's. Memory: the caller's. Failure: none; what is broken is carried along to be counted.
 */
#ifndef DRIFTD_INGEST_RECEIVER_H
#define DRIFTD_INGEST_RECEIVER_H

#include "daemon/ingest/nodes.h"

struct receiver {
    void *handle; /* of the socket, for libzmq's own functions: czmq's are too slow for each message */
    struct nodes *nodes;
    bool socket_used;  /* it is, or has been, bound or connected to something */
    bool socket_first; /* in this turn */
};

/* Fills up to FRAME_BATCH_MAX frames, without waiting, and says what kind each is of. They must be initialised, and
 * stay as they are until the next call. */
uint32_t receiver_take(struct receiver *self, struct frame *frames, int64_t now_ns);

#endif

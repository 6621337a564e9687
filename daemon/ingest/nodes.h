/* nodes.h - the connections of serving nodes that come in over plain TCP and Unix sockets, read without libzmq.
 *
 * libzmq takes two thousand instructions a message to carry it from one thread to another, which is more than all that
 * is done with it afterwards (docs/decisions/0036-plain-tcp-is-read-by-ourselves.md). Here the thread that judges reads
 * the sockets itself, as much at a time as waits there, and hands out messages that point into what was read.
 *
 * A connection holds memory for the message that is not complete yet, as far as it has come and an eighth more, and a
 * message is bounded. Whoever breaks the protocol is ended and told of in the log, with the peer's address; what was
 * complete before is handed out.
 *
 * Threads: the owner's; nodes_count() and nodes_ended() any. `now_ns` may be that of the turn before. Failure:
 * as each function says.
 */
#ifndef DRIFTD_INGEST_NODES_H
#define DRIFTD_INGEST_NODES_H

#include "daemon/base/endpoint.h"
#include "daemon/base/frame.h"

struct nodes_options {
    const char *const *prefixes; /* of the topics to subscribe to, of up to 60 bytes, then a NULL; borrowed */
    uint64_t most_bytes;         /* of a frame, as zmtp_init() has it */
    int dead_s;                  /* a node that is gone without a word is found so within this */
    int64_t handshake_ns;        /* who has not finished it by then is ended */
};

#define NODES_LEAVE 64 /* descriptors that nodes leave to others, or a quarter of all where that is fewer */

struct nodes;

/* 0, -ENOMEM, or the error of epoll_create1(2). */
int nodes_new(struct nodes **self_p, const struct nodes_options *options);

/* For struct doors_plain. What the kernel had of a node as its endpoint was shut is still handed out; then the
 * connection is ended. */
int nodes_open(void *self, const char *key, const char *endpoint, char actual[ENDPOINT_MAX],
               char why[ENDPOINT_WHY_MAX]);
void nodes_shut(void *self, const char *actual);

/* Lets nodes in and hands out up to `most` messages, each a frame that borrows until the next call, with its `parts`;
 * `kind` is FRAME_TOO_LARGE for those that were too large to be received, else FRAME_WRONG. */
uint32_t nodes_take(struct nodes *self, struct frame *frames, uint32_t most, int64_t now_ns);

/* Whether there is more to take at once; and what is readable once there is. */
bool nodes_more(const struct nodes *self);
int nodes_fd(const struct nodes *self);

/* Who is connected. */
uint32_t nodes_count(const struct nodes *self);
/* How many connections were ended here, for what they sent or did not. */
uint64_t nodes_ended(const struct nodes *self);
void nodes_destroy(struct nodes **self_p);

#endif

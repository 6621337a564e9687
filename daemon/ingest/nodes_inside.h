/* nodes_inside.h - what nodes.c (who is there) and nodes_read.c (what they say) share. */
#ifndef DRIFTD_INGEST_NODES_INSIDE_H
#define DRIFTD_INGEST_NODES_INSIDE_H

#include <stdatomic.h>
#include <sys/epoll.h>

#include "daemon/base/clock.h"
#include "daemon/ingest/node.h"
#include "daemon/ingest/nodes.h"
#include "daemon/base/told.h"

#define DOORS_MAX 64
#define ROOM_BYTES (UINT32_C(256) * 1024)
#define PIECE_BYTES (UINT32_C(64) * 1024) /* read of one node before the next has its turn */
#define IN_PLACE_BYTES (PIECE_BYTES / 2)  /* a message of more is put together in its node's memory */
#define EVENTS 64
#define IN_A_TURN 64             /* nodes that are let in */
#define LOOK_NS (CLOCK_S_NS / 4) /* how often somebody looks for handshakes that take too long */

static_assert(FRAME_BATCH_MAX <= EVENTS, "as many messages may be put together in nodes' memory as frames go out");

/* What was read stands in the room, one piece behind the other, or in its node's memory; frames point there until the
 * next call. Of a node whose bytes did not all fit into the frames of one call the rest is at hand for the next. */
struct nodes {
    struct nodes_options options;
    int epoll;
    struct door {
        int fd;
        char actual[ENDPOINT_MAX];
    } doors[DOORS_MAX];
    uint32_t door_count;
    bool full; /* no descriptor was left: nobody is let in until the next look */

    struct node *first, *last;
    atomic_uint count;
    atomic_uint_fast64_t ended;
    int64_t looked_ns;
    struct told told; /* of whose connections were ended */

    struct epoll_event ready[EVENTS]; /* with a node, or NULL: somebody is at a door */
    int ready_at, ready_count;
    bool cut; /* a piece was full: of its node there may be more */

    unsigned char *room;
    size_t filled;
    struct node *at_hand;
    const unsigned char *at, *end;  /* what is to be read of it, */
    bool in_place;                  /* in its own memory */
    void *retired[FRAME_BATCH_MAX]; /* memory of nodes that frames point to */
    uint32_t retired_count;
};

/* Its connection is over: quietly, or with a line that says why, a literal; the same of
 * the same host is told once a minute. */
void nodes_forget(struct nodes *self, struct node *node);
void nodes_end(struct nodes *self, struct node *node, const char *why);

/* Has a node's memory stay until the next call; the node goes on without. */
void nodes_retire(struct nodes *self, struct node *node);
void nodes_free_retired(struct nodes *self);

void nodes_let_in(struct nodes *self);
/* For what nobody says: handshakes that take too long, doors that were closed for want of descriptors. */
void nodes_look_around(struct nodes *self, int64_t now_ns);

#endif

/* node.h - one node's connection: its descriptor, how far its bytes were read, and those of a message that is not
 * complete yet.
 *
 * Threads: the owner's. Memory: node_close() frees it. Failure: as each function says.
 */
#ifndef DRIFTD_INGEST_NODE_H
#define DRIFTD_INGEST_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/address.h"
#include "lib/wire/zmtp.h"

#define NODE_WITHOUT_LIMIT INT64_MAX

struct node {
    int fd;
    int door; /* the descriptor that it came in through */
    struct zmtp zmtp;
    unsigned char *rest; /* of the message at hand; and perhaps room for more of it */
    size_t rest_len, rest_room;
    int64_t left; /* bytes that are still read of it */
    int64_t since_ns;
    uint8_t answer[ZMTP_ANSWER_MAX]; /* that is still to be sent */
    uint8_t answer_len;
    bool ready_sent; /* our part of the handshake */
    char peer[ADDRESS_TEXT_MAX];
    struct node *next, *before; /* all, in the order in which they came */
};

/* Takes over a connection that was accepted, and greets. NULL: no memory, and it is not taken over. */
struct node *node_new(int fd, int door, uint64_t most_bytes, int64_t now_ns);

/* Sends a few bytes, which a buffer has room for whose reader reads: false where it has not, and perhaps a part was
 * sent. That the peer is gone shows when it is read from, after what it has left. */
bool node_send(struct node *self, const void *bytes, size_t len);

/* Our part of the handshake, once. */
bool node_send_ready(struct node *self);

/* As recv(2) without waiting, of what `left` leaves: how many bytes came, 0 at the end, -EAGAIN or another error. */
long node_receive(struct node *self, void *to, size_t most);

/* Keeps `len` bytes for later, which may stand in `rest` already. 0 or -ENOMEM. */
int node_keep(struct node *self, const unsigned char *at, size_t len);

/* Makes room in `rest` for more of a message of zmtp.need bytes, and perhaps of what comes behind it: at least one
 * byte, and no more than twice what has come. 0 or -ENOMEM. */
int node_reserve(struct node *self);

void node_close(struct node *self);

#endif

#include "daemon/ingest/node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM_LEAST 512
#define ROOM_KEPT 16384 /* more is given back once it is empty, or nearly so */
#define ROOM_GROWS 8    /* by this part of itself at least */

struct node *node_new(int fd, int door, uint64_t most_bytes, int64_t now_ns)
{
    uint8_t opening[ZMTP_OPENING_BYTES];
    struct node *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->fd = fd;
    self->door = door;
    self->left = NODE_WITHOUT_LIMIT;
    self->since_ns = now_ns;
    zmtp_init(&self->zmtp, most_bytes);
    address_of_peer(fd, self->peer);
    if (!*self->peer) /* gone already */
        snprintf(self->peer, sizeof self->peer, "unknown");
    zmtp_opening(opening);
    (void)node_send(self, opening, sizeof opening); /* without it there is no handshake, which is waited for */
    return self;
}

bool node_send(struct node *self, const void *bytes, size_t len)
{
    ssize_t sent;
    do
        sent = send(self->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)len || (sent < 0 && (errno == EPIPE || errno == ECONNRESET));
}

bool node_send_ready(struct node *self)
{
    uint8_t ready[ZMTP_ANSWER_MAX];
    const bool sent = self->ready_sent || node_send(self, ready, zmtp_ready(ready));
    self->ready_sent = true;
    return sent;
}

/* How many more bytes to read at most, `room` of which there is. */
static size_t wanted(const struct node *self, size_t room)
{
    return self->left < (int64_t)room ? (size_t)self->left : room;
}

long node_receive(struct node *self, void *to, size_t most)
{
    ssize_t got;
    do
        got = recv(self->fd, to, wanted(self, most), MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    if (self->left != NODE_WITHOUT_LIMIT)
        self->left -= got;
    return got;
}

static int resize(struct node *self, size_t room)
{
    unsigned char *rest = realloc(self->rest, room);
    if (!rest)
        return -ENOMEM;
    self->rest = rest;
    self->rest_room = room;
    return 0;
}

static int make_room(struct node *self, size_t room)
{
    return room <= self->rest_room ? 0 : resize(self, room);
}

int node_keep(struct node *self, const unsigned char *at, size_t len)
{
    if (len == 0 && self->rest_room > ROOM_KEPT) {
        free(self->rest);
        self->rest = NULL;
        self->rest_room = 0;
    }
    self->rest_len = 0;
    if (len == 0)
        return 0;
    /* Of what stands in `rest` there is never more than it has room for. */
    if (make_room(self, len > ROOM_LEAST ? len : ROOM_LEAST) < 0)
        return -ENOMEM;
    if (at != self->rest)
        memmove(self->rest, at, len);
    self->rest_len = len;
    if (self->rest_room > ROOM_KEPT && len < self->rest_room / ROOM_GROWS)
        (void)resize(self, len > ROOM_LEAST ? len : ROOM_LEAST); /* if that fails, it has more than it needs */
    return 0;
}

/* Only once it is full, and by a part of itself: so no byte moves often, however small the pieces are that it comes in,
 * or those that the message is made of. */
int node_reserve(struct node *self)
{
    const size_t twice = 2 * self->rest_len, least = self->rest_len + self->rest_len / ROOM_GROWS;
    const size_t room = self->zmtp.need < twice ? self->zmtp.need : twice;
    if (self->rest_len < self->rest_room)
        return 0;
    return make_room(self, room > least ? room : least);
}

void node_close(struct node *self)
{
    close(self->fd);
    free(self->rest);
    free(self);
}

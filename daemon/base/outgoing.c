#include "daemon/base/outgoing.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct outgoing {
    atomic_llong used;
    int64_t most;
    atomic_uint holders; /* the station, and each message */
};

/* What libzmq hands back with a text. */
struct sent {
    struct outgoing *outgoing;
    int64_t bytes;
};

struct outgoing *outgoing_new(int64_t most)
{
    struct outgoing *self = malloc(sizeof *self);
    if (!self)
        return NULL;
    atomic_init(&self->used, 0);
    atomic_init(&self->holders, 1);
    self->most = most;
    return self;
}

static void release(struct outgoing *self)
{
    if (atomic_fetch_sub_explicit(&self->holders, 1, memory_order_acq_rel) == 1)
        free(self);
}

bool outgoing_take(struct outgoing *self, int64_t bytes)
{
    if (outgoing_used(self) + bytes > self->most)
        return false;
    atomic_fetch_add_explicit(&self->used, bytes, memory_order_relaxed);
    return true;
}

void outgoing_give(struct outgoing *self, int64_t bytes)
{
    atomic_fetch_sub_explicit(&self->used, bytes, memory_order_relaxed);
}

int64_t outgoing_used(const struct outgoing *self)
{
    return atomic_load_explicit(&self->used, memory_order_relaxed);
}

static void has_been_sent(void *text, void *hint)
{
    struct sent *sent = hint;
    free(text);
    outgoing_give(sent->outgoing, sent->bytes);
    release(sent->outgoing);
    free(sent);
}

int outgoing_message(struct outgoing *self, zmq_msg_t *message, char *text, size_t len)
{
    struct sent *sent = malloc(sizeof *sent);
    if (!sent || zmq_msg_init_data(message, text, len, has_been_sent, sent) < 0) {
        free(sent);
        free(text);
        return -ENOMEM;
    }
    *sent = (struct sent){.outgoing = self, .bytes = len < OUTGOING_SHORT ? 0 : (int64_t)len};
    atomic_fetch_add_explicit(&self->holders, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&self->used, sent->bytes, memory_order_relaxed);
    return 0;
}

void outgoing_drop(struct outgoing **self_p)
{
    if (*self_p)
        release(*self_p);
    *self_p = NULL;
}

#include "daemon/base/frame.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Positions only grow; a slot is its position modulo the size. What who puts writes and what who takes writes stand on
 * cache lines of their own.
 *
 * Sleeping: who sleeps raises its flag and then looks once more; who wakes publishes its position and then looks at the
 * flag. Both are sequentially consistent, so at least one of them sees the other: no wake is lost. */
struct frame_ring {
    struct frame *slots;
    uint32_t size;
    int wake_fd, space_fd;

    _Alignas(64) _Atomic uint32_t tail; /* published by who puts */
    _Atomic bool waiting;               /* who puts sleeps on space_fd */
    uint32_t filled;                    /* the next slot to fill; not before tail */
    uint32_t head_seen;                 /* head when who puts last looked */

    _Alignas(64) _Atomic uint32_t head; /* published by who takes */
    _Atomic bool sleeping;              /* who takes sleeps on wake_fd */
};

void frame_init(struct frame *self)
{
    *self = (struct frame){.topic = "", .payload = "", .kind = FRAME_WRONG};
    zmq_msg_init(&self->topic_message);
    zmq_msg_init(&self->payload_message);
}

void frame_close(struct frame *self)
{
    zmq_msg_close(&self->topic_message);
    zmq_msg_close(&self->payload_message);
}

void frame_release(struct frame *self)
{
    frame_close(self);
    frame_init(self);
}

/* Few bytes stand in the message itself: where they are changes when it moves. */
static void point(struct frame *self)
{
    self->topic = zmq_msg_data(&self->topic_message);
    self->payload = zmq_msg_data(&self->payload_message);
    self->holds = true;
}

void frame_own(struct frame *self)
{
    point(self);
    self->topic_len = zmq_msg_size(&self->topic_message);
    self->payload_len = zmq_msg_size(&self->payload_message);
}

int frame_hold(struct frame *self)
{
    if (self->holds)
        return 0;
    zmq_msg_t topic;
    if (zmq_msg_init_size(&topic, self->topic_len) < 0)
        return -ENOMEM;
    if (zmq_msg_init_size(&self->payload_message, self->payload_len) < 0) {
        zmq_msg_close(&topic);
        zmq_msg_init(&self->payload_message);
        return -ENOMEM;
    }
    zmq_msg_move(&self->topic_message, &topic);
    memcpy(zmq_msg_data(&self->topic_message), self->topic, self->topic_len);
    memcpy(zmq_msg_data(&self->payload_message), self->payload, self->payload_len);
    point(self);
    return 0;
}

static void copy_facts(struct frame *to, const struct frame *from)
{
    to->topic_len = from->topic_len;
    to->payload_len = from->payload_len;
    to->hash = from->hash;
    to->hashed = from->hashed;
    to->parts = from->parts;
    to->kind = from->kind;
    to->accounts = from->accounts;
}

void frame_move(struct frame *to, struct frame *from)
{
    assert(from->holds);
    zmq_msg_move(&to->topic_message, &from->topic_message);
    zmq_msg_move(&to->payload_message, &from->payload_message);
    copy_facts(to, from);
    point(to);
    from->topic = from->payload = "";
    from->topic_len = from->payload_len = 0;
    from->holds = false;
}

void frame_share(struct frame *to, struct frame *from)
{
    assert(from->holds);
    zmq_msg_copy(&to->topic_message, &from->topic_message);
    zmq_msg_copy(&to->payload_message, &from->payload_message);
    copy_facts(to, from);
    point(to);
}

int ring_new(struct frame_ring **self_p, uint32_t slots)
{
    assert(slots > 0 && (slots & (slots - 1)) == 0);
    *self_p = NULL;
    struct frame_ring *self = aligned_alloc(64, sizeof *self);
    if (!self)
        return -ENOMEM;
    *self = (struct frame_ring){.size = slots, .wake_fd = -1, .space_fd = -1};
    self->slots = calloc(slots, sizeof *self->slots);
    if (!self->slots) {
        ring_destroy(&self);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < slots; i++)
        frame_init(&self->slots[i]);
    self->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    self->space_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->wake_fd < 0 || self->space_fd < 0) {
        int error = errno;
        ring_destroy(&self);
        return -error;
    }
    *self_p = self;
    return 0;
}

static void lower(int fd)
{
    eventfd_t ignored;
    (void)!eventfd_read(fd, &ignored);
}

/* Sleeps until there is room; false when the patience is over first. */
static bool wait_for_space(struct frame_ring *self, int patience_ms)
{
    ring_publish(self);
    atomic_store(&self->waiting, true);
    self->head_seen = atomic_load(&self->head);
    if (self->filled - self->head_seen == self->size) {
        struct pollfd poller = {.fd = self->space_fd, .events = POLLIN};
        poll(&poller, 1, patience_ms);
        self->head_seen = atomic_load(&self->head);
    }
    atomic_store(&self->waiting, false);
    lower(self->space_fd);
    return self->filled - self->head_seen < self->size;
}

bool ring_put(struct frame_ring *self, struct frame *frame, int patience_ms)
{
    if (self->filled - self->head_seen == self->size) {
        self->head_seen = atomic_load_explicit(&self->head, memory_order_acquire);
        if (self->filled - self->head_seen == self->size && !wait_for_space(self, patience_ms))
            return false;
    }
    frame_move(&self->slots[self->filled & (self->size - 1)], frame);
    self->filled++;
    return true;
}

void ring_publish(struct frame_ring *self)
{
    if (atomic_load_explicit(&self->tail, memory_order_relaxed) == self->filled)
        return;
    atomic_store(&self->tail, self->filled);
    if (atomic_load(&self->sleeping) && atomic_exchange(&self->sleeping, false))
        (void)!eventfd_write(self->wake_fd, 1);
}

uint32_t ring_take(struct frame_ring *self, struct frame *out, uint32_t most)
{
    uint32_t head = atomic_load_explicit(&self->head, memory_order_relaxed);
    uint32_t count = atomic_load_explicit(&self->tail, memory_order_acquire) - head;
    if (count > most)
        count = most;
    if (count == 0)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        frame_move(&out[i], &self->slots[(head + i) & (self->size - 1)]);
    atomic_store(&self->head, head + count);
    if (atomic_load(&self->waiting) && atomic_exchange(&self->waiting, false))
        (void)!eventfd_write(self->space_fd, 1);
    return count;
}

bool ring_may_sleep(struct frame_ring *self)
{
    atomic_store(&self->sleeping, true);
    if (atomic_load(&self->tail) == atomic_load_explicit(&self->head, memory_order_relaxed))
        return true;
    ring_awake(self);
    return false;
}

void ring_awake(struct frame_ring *self)
{
    atomic_store(&self->sleeping, false);
    lower(self->wake_fd);
}

void ring_wake(struct frame_ring *self)
{
    (void)!eventfd_write(self->wake_fd, 1);
}

int ring_fd(const struct frame_ring *self)
{
    return self->wake_fd;
}

void ring_destroy(struct frame_ring **self_p)
{
    struct frame_ring *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; self->slots && i < self->size; i++)
        frame_close(&self->slots[i]);
    free(self->slots);
    if (self->wake_fd >= 0)
        close(self->wake_fd);
    if (self->space_fd >= 0)
        close(self->space_fd);
    free(self);
}

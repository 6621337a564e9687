#include "daemon/workers/streams.h"

#include <errno.h>
#include <stdlib.h>

#define STREAMS_FIRST 256u /* slots to begin with; always a power of two */

/* Instead of a node. */
#define MOVED UINT32_MAX /* in the table before a growth: it stands in the larger one */
#define ELSEWHERE (UINT32_MAX - 1)
#define CARRIED 4 /* slots a new stream; two would do */

int streams_open(struct streams *self)
{
    *self = (struct streams){.slots = calloc(STREAMS_FIRST, sizeof *self->slots), .size = STREAMS_FIRST};
    return self->slots ? 0 : -ENOMEM;
}

void streams_close(struct streams *self)
{
    free(self->slots);
    free(self->before);
}

/* Where a name stands in a table, or the free slot where it would. */
static struct stream_slot *slot_in(struct stream_slot *slots, uint32_t size, uint64_t name)
{
    uint32_t at = (uint32_t)name & (size - 1);
    while (slots[at].name && slots[at].name != name)
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static struct stream_slot *carry(struct stream_slot *old, struct stream_slot *slot)
{
    *slot = *old;
    old->here.node = MOVED;
    return slot;
}

/* Where it stands, or the free slot where it would. */
static struct stream_slot *slot_of(struct streams *self, uint64_t name)
{
    struct stream_slot *slot = slot_in(self->slots, self->size, name);
    if (slot->name || !self->before)
        return slot;
    struct stream_slot *old = slot_in(self->before, self->size / 2, name);
    return old->name && old->here.node != MOVED ? carry(old, slot) : slot;
}

/* Carries up to so many slots over. */
static void carry_on(struct streams *self, uint32_t slots)
{
    for (; slots && self->before && self->carried < self->size / 2; slots--) {
        struct stream_slot *old = &self->before[self->carried++];
        if (old->name && old->here.node != MOVED)
            carry(old, slot_in(self->slots, self->size, old->name));
    }
    if (self->before && self->carried == self->size / 2) {
        free(self->before);
        self->before = NULL;
    }
}

static bool grow(struct streams *self)
{
    struct stream_slot *larger = calloc((size_t)self->size * 2, sizeof *larger);
    if (!larger)
        return false;
    carry_on(self, UINT32_MAX);
    self->before = self->slots;
    self->carried = 0;
    self->slots = larger;
    self->size *= 2;
    return true;
}

/* Takes slot `at` out and moves back what was pushed behind it. */
static void take_out(struct streams *self, uint32_t at)
{
    uint32_t mask = self->size - 1;
    self->slots[at].name = 0;
    self->used--;
    for (uint32_t i = (at + 1) & mask; self->slots[i].name; i = (i + 1) & mask) {
        uint32_t home = (uint32_t)self->slots[i].name & mask;
        if (((i - home) & mask) < ((i - at) & mask))
            continue;
        self->slots[at] = self->slots[i];
        self->slots[i].name = 0;
        at = i;
    }
}

static struct stream *stream_in(struct stream_slot *slot)
{
    return slot->here.node == ELSEWHERE ? slot->elsewhere : &slot->here;
}

struct stream *streams_find(struct streams *self, uint64_t name)
{
    struct stream_slot *slot = slot_of(self, name);
    return slot->name ? stream_in(slot) : NULL;
}

bool streams_room(struct streams *self)
{
    return self->used < self->size / 4 * 3 || grow(self);
}

/* No turn waits for a table to be carried over: each new stream carries a little. */
struct stream *streams_add(struct streams *self, uint64_t name)
{
    carry_on(self, CARRIED);
    struct stream_slot *slot = slot_of(self, name);
    *slot = (struct stream_slot){.name = name};
    self->used++;
    return &slot->here;
}

void streams_lend(struct streams *self, uint64_t name, struct stream *to)
{
    struct stream_slot *slot = slot_of(self, name);
    *to = slot->here;
    slot->here = (struct stream){.node = ELSEWHERE};
    slot->elsewhere = to;
}

void streams_back(struct streams *self, uint64_t name)
{
    struct stream_slot *slot = slot_of(self, name);
    slot->here = *slot->elsewhere;
}

struct stream *streams_next(struct streams *self, uint32_t *at_p, uint64_t *name_p)
{
    carry_on(self, UINT32_MAX);
    while (*at_p < self->size) {
        struct stream_slot *slot = &self->slots[(*at_p)++];
        *name_p = slot->name;
        if (slot->name)
            return stream_in(slot);
    }
    return NULL;
}

void streams_sweep(struct streams *self, uint32_t slots, uint32_t now_s, uint32_t forget_s)
{
    carry_on(self, slots);
    if (slots > self->size)
        slots = self->size;
    for (uint32_t i = 0; i < slots; i++) {
        const uint32_t at = self->hand & (self->size - 1);
        struct stream *stream = self->slots[at].name ? stream_in(&self->slots[at]) : NULL;
        if (stream && now_s - stream->seen_s > forget_s) {
            *stream = (struct stream){0};
            take_out(self, at); /* another may stand there now: look at it in the next step */
        } else {
            self->hand = at + 1;
        }
    }
}

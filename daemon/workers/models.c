#include "daemon/workers/models.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define SLOTS_FIRST 1024u

/* tag: the upper half of the hash; the lower half says where to look first. place: index + 1; 0: free. */
struct slot {
    uint32_t tag, place;
};

/* At most 3/4 of the slots are used, so a search ends. */
struct models {
    struct slot *slots;
    uint32_t size; /* a power of two */
    struct model **at;
    uint32_t count, room;
};

int models_new(struct models **self_p)
{
    *self_p = NULL;
    struct models *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->size = SLOTS_FIRST;
    self->slots = calloc(self->size, sizeof *self->slots);
    if (!self->slots) {
        free(self);
        return -ENOMEM;
    }
    *self_p = self;
    return 0;
}

void models_prefetch(const struct models *self, uint64_t hash)
{
    __builtin_prefetch(&self->slots[(uint32_t)hash & (self->size - 1)]);
}

void models_prefetch_head(const struct models *self, uint64_t hash)
{
    const struct slot *slot = &self->slots[(uint32_t)hash & (self->size - 1)];
    if (!slot->place || slot->tag != (uint32_t)(hash >> 32))
        return;
    const struct model *model = self->at[slot->place - 1];
    __builtin_prefetch(model);
    __builtin_prefetch((const char *)model + 64);
    __builtin_prefetch((const char *)model + 128);
}

struct model *models_find(const struct models *self, uint64_t hash, struct text id)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t i = (uint32_t)hash & (self->size - 1); self->slots[i].place; i = (i + 1) & (self->size - 1)) {
        if (self->slots[i].tag != tag)
            continue;
        struct model *model = self->at[self->slots[i].place - 1];
        if (model->hash == hash && text_equal(model->id.whole, id))
            return model;
    }
    return NULL;
}

static void put(struct slot *slots, uint32_t size, uint64_t hash, uint32_t place)
{
    uint32_t i = (uint32_t)hash & (size - 1);
    while (slots[i].place)
        i = (i + 1) & (size - 1);
    slots[i] = (struct slot){.tag = (uint32_t)(hash >> 32), .place = place};
}

static int make_room(struct models *self)
{
    if (self->count == self->room) {
        uint32_t room = self->room ? self->room * 2 : SLOTS_FIRST / 2;
        struct model **at = realloc(self->at, room * sizeof *at);
        if (!at)
            return -ENOMEM;
        self->at = at;
        self->room = room;
    }
    if (self->count < self->size / 4 * 3)
        return 0;
    struct slot *slots = calloc((size_t)self->size * 2, sizeof *slots);
    if (!slots)
        return -ENOMEM;
    for (uint32_t i = 0; i < self->count; i++)
        put(slots, self->size * 2, self->at[i]->hash, i + 1);
    free(self->slots);
    self->slots = slots;
    self->size *= 2;
    return 0;
}

int models_add(struct models *self, uint64_t hash, const struct model_id *id, struct monitor *monitor, int64_t now_ns,
               struct model **out)
{
    assert(!models_find(self, hash, id->whole));
    if (make_room(self) < 0)
        return -ENOMEM;
    struct model *model = calloc(1, sizeof *model + id->whole.len + 1);
    if (!model)
        return -ENOMEM;
    memcpy(model->text, id->whole.at, id->whole.len);
    int rc = model_id_parse(&model->id, (struct text){model->text, id->whole.len});
    assert(rc == 0);
    (void)rc;
    model->hash = hash;
    model->monitor = monitor;
    model->first_seen_ns = model->heard_ns = now_ns;
    model->silenced_ns = model->tape_silenced_ns = INT64_MIN;
    model->triggered_ns = model->ended_ns = INT64_MIN;
    self->at[self->count++] = model;
    put(self->slots, self->size, hash, self->count);
    *out = model;
    return 0;
}

static uint32_t slot_of(const struct models *self, uint32_t place)
{
    uint32_t i = (uint32_t)self->at[place]->hash & (self->size - 1);
    while (self->slots[i].place != place + 1)
        i = (i + 1) & (self->size - 1);
    return i;
}

static uint32_t home_of(const struct models *self, uint32_t slot)
{
    return (uint32_t)self->at[self->slots[slot].place - 1]->hash & (self->size - 1);
}

/* Frees a slot, and moves back what was pushed behind it. */
static void slot_free(struct models *self, uint32_t free_slot)
{
    const uint32_t mask = self->size - 1;
    for (uint32_t i = (free_slot + 1) & mask; self->slots[i].place; i = (i + 1) & mask) {
        if (((i - home_of(self, i)) & mask) < ((i - free_slot) & mask))
            continue;
        self->slots[free_slot] = self->slots[i];
        free_slot = i;
    }
    self->slots[free_slot] = (struct slot){.place = 0};
}

static void model_free(struct model *model)
{
    monitor_destroy(&model->monitor);
    recorder_clear(&model->recorder);
    free(model);
}

void models_remove(struct models *self, uint32_t place)
{
    struct model *model = self->at[place];
    const uint32_t last = self->count - 1;
    slot_free(self, slot_of(self, place));
    if (place != last) {
        self->slots[slot_of(self, last)].place = place + 1;
        self->at[place] = self->at[last];
    }
    self->count--;
    model_free(model);
}

uint32_t models_count(const struct models *self)
{
    return self->count;
}

struct model *models_at(const struct models *self, uint32_t place)
{
    return self->at[place];
}

void models_destroy(struct models **self_p)
{
    struct models *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->count; i++)
        model_free(self->at[i]);
    free(self->at);
    free(self->slots);
    free(self);
}

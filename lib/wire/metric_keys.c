#include <errno.h>
#include <stdlib.h>

#include "lib/wire/metric_keys.h"
#include "lib/wire/metric_memory.h"

/* Names that differ in length, first or last byte mostly differ in this, so that few are ever compared. */
static uint64_t kind_bit(struct text name)
{
    size_t mixed = name.len;
    if (name.len > 0) {
        mixed += (size_t)(unsigned char)name.at[0] * 5 + (size_t)(unsigned char)name.at[name.len - 1] * 11;
    }
    return UINT64_C(1) << (mixed & 63);
}

static bool put(struct metric_keys *self, struct text name)
{
    if (self->count == self->room) {
        struct text *at = memory_grow(self->at, &self->room, self->count + 1, sizeof *at);
        if (at == NULL) {
            return false;
        }
        self->at = at;
    }
    self->at[self->count++] = name;
    return true;
}

/* The slot of a name, or the free one where it belongs. The table is never more than half full. */
static struct key_slot *find(const struct metric_keys *self, const struct key_scope *scope, struct text name,
                             uint32_t *tag_p)
{
    uint64_t hash = siphash13(&self->secret, name.at, name.len);
    struct key_slot *table = self->slots + scope->slots_first;
    const struct text *names = self->at + scope->first;
    size_t mask = scope->slot_count - 1;
    *tag_p = (uint32_t)(hash >> 32);
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        struct key_slot *slot = &table[i];
        if (slot->place == 0 || (slot->tag == *tag_p && text_equal(names[slot->place - 1], name))) {
            return slot;
        }
    }
}

/* Makes the object's table, or one of twice the size. It is the topmost: whatever was above it is closed. */
static bool spread(struct metric_keys *self, struct key_scope *scope)
{
    size_t wanted = scope->slot_count == 0 ? 4 * KEYS_LINEAR : 2 * scope->slot_count;
    size_t used = scope->slots_first + wanted;
    if (used > self->slots_room) {
        struct key_slot *slots = memory_grow(self->slots, &self->slots_room, used, sizeof *slots);
        if (slots == NULL) {
            return false;
        }
        self->slots = slots;
    }
    memset(self->slots + scope->slots_first, 0, wanted * sizeof *self->slots);
    self->slots_used = used;
    scope->slot_count = wanted;
    for (size_t i = scope->first; i < self->count; i++) {
        uint32_t tag;
        struct key_slot *slot = find(self, scope, self->at[i], &tag);
        *slot = (struct key_slot){.tag = tag, .place = (uint32_t)(i - scope->first) + 1};
    }
    return true;
}

static int add_hashed(struct metric_keys *self, struct key_scope *scope, struct text name)
{
    size_t count = self->count - scope->first;
    if ((count + 1) * 2 > scope->slot_count && !spread(self, scope)) {
        return -ENOMEM;
    }
    uint32_t tag;
    struct key_slot *slot = find(self, scope, name, &tag);
    if (slot->place != 0) {
        return -EEXIST;
    }
    *slot = (struct key_slot){.tag = tag, .place = (uint32_t)count + 1};
    return put(self, name) ? 0 : -ENOMEM;
}

int keys_add(struct metric_keys *self, struct key_scope *scope, struct text name)
{
    if (self->count - scope->first >= KEYS_LINEAR) {
        return add_hashed(self, scope, name);
    }
    uint64_t bit = kind_bit(name);
    if ((scope->seen & bit) != 0) {
        for (size_t i = scope->first; i < self->count; i++) {
            if (text_equal(self->at[i], name)) {
                return -EEXIST;
            }
        }
    }
    scope->seen |= bit;
    return put(self, name) ? 0 : -ENOMEM;
}

void keys_reset(struct metric_keys *self)
{
    self->count = 0;
    self->slots_used = 0;
    self->at = memory_trim(self->at, &self->room, sizeof *self->at);
    self->slots = memory_trim(self->slots, &self->slots_room, sizeof *self->slots);
}

void keys_free(struct metric_keys *self)
{
    free(self->at);
    free(self->slots);
    self->at = NULL;
    self->slots = NULL;
    self->count = self->room = self->slots_used = self->slots_room = 0;
}

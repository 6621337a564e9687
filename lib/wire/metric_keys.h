/* metric_keys.h - the names of the objects that are open, to find one that comes twice.
 *
 * Objects nest, so the names stand on a stack: those of an inner object above those of the outer one, gone when it is
 * closed. A few are compared one by one; from KEYS_LINEAR on a table keyed with a secret hash finds them, so that no
 * sender can make it slow by his choice of names.
 *
 * Threads: belongs to one thread. Memory: borrows the names; its own is kept for the next message, up to MEMORY_KEPT.
 * At most 72 bytes a name. Failure: -ENOMEM.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_KEYS_H
#define DRIFT_LIB_WIRE_METRIC_KEYS_H

#include <stdint.h>

#include "lib/siphash.h"
#include "lib/text.h"

#define KEYS_LINEAR ((size_t)16)

struct key_slot {
    uint32_t tag;   /* of the hash */
    uint32_t place; /* 1 + index among the object's names; 0: free */
};

struct metric_keys {
    struct text *at;
    size_t count, room;
    struct key_slot *slots;
    size_t slots_used, slots_room;
    struct siphash_key secret;
};

/* The names of one open object. */
struct key_scope {
    uint64_t seen;      /* a bit for each kind of name that came */
    size_t first;       /* index of its first name */
    size_t slots_first; /* and of its table */
    size_t slot_count;  /* a power of two, or 0: no table yet */
};

static inline void keys_open(const struct metric_keys *self, struct key_scope *scope)
{
    scope->seen = 0;
    scope->first = self->count;
    scope->slots_first = self->slots_used;
    scope->slot_count = 0;
}

static inline void keys_close(struct metric_keys *self, const struct key_scope *scope)
{
    self->count = scope->first;
    self->slots_used = scope->slots_first;
}

/* Adds a name to the object that was opened last. Returns 0; -EEXIST: it has it already; -ENOMEM. */
int keys_add(struct metric_keys *self, struct key_scope *scope, struct text name);

/* Makes ready for the next message. */
void keys_reset(struct metric_keys *self);

void keys_free(struct metric_keys *self);

#endif

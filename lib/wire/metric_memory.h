/* metric_memory.h - the scratch memory of a decoder: arrays that grow, and an arena whose pieces stay where they are.
 *
 * Threads: an arena belongs to one thread. Memory: what a message took is kept for the next one, up to MEMORY_KEPT
 * bytes of each array and arena; the rest is given back. Failure: NULL, and what was there before is still there.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_MEMORY_H
#define DRIFT_LIB_WIRE_METRIC_MEMORY_H

#include <stddef.h>

#define MEMORY_KEPT ((size_t)1024 * 1024) /* bytes */

/* Room for `need` things of `size` bytes: `at` itself, or moved, with *room raised (by half at least). */
void *memory_grow(void *at, size_t *room, size_t need, size_t size);

/* Gives an array back when it is larger than MEMORY_KEPT: returns NULL then, with *room 0. */
void *memory_trim(void *at, size_t *room, size_t size);

struct arena_chunk;

struct memory_arena {
    struct arena_chunk *first, *current;
    unsigned char *at, *end; /* what is free in the current chunk */
};

void *memory_arena_more(struct memory_arena *self, size_t bytes);

/* Free room of so many bytes, not taken yet: another call may return the same. */
static inline void *memory_arena_room(struct memory_arena *self, size_t bytes)
{
    return self->at != NULL && (size_t)(self->end - self->at) >= bytes ? self->at : memory_arena_more(self, bytes);
}

/* Takes the first `bytes` of what memory_arena_room() returned; a multiple of 8. */
static inline void memory_arena_take(struct memory_arena *self, size_t bytes)
{
    self->at += bytes;
}

/* Everything is free again. */
void memory_arena_reset(struct memory_arena *self);

void memory_arena_free(struct memory_arena *self);

#endif

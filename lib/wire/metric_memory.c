#include <stdint.h>
#include <stdlib.h>

#include "lib/wire/metric_memory.h"

#define CHUNK_BYTES ((size_t)64 * 1024)

struct arena_chunk {
    struct arena_chunk *next;
    size_t bytes;
    _Alignas(max_align_t) unsigned char at[];
};

void *memory_grow(void *at, size_t *room, size_t need, size_t size)
{
    size_t wanted = *room + *room / 2 + 16;
    if (wanted < need) {
        wanted = need;
    }
    if (wanted > SIZE_MAX / size) {
        return NULL;
    }
    void *grown = realloc(at, wanted * size);
    if (grown != NULL) {
        *room = wanted;
    }
    return grown;
}

void *memory_trim(void *at, size_t *room, size_t size)
{
    if (*room * size <= MEMORY_KEPT) {
        return at;
    }
    free(at);
    *room = 0;
    return NULL;
}

static void use(struct memory_arena *self, struct arena_chunk *chunk)
{
    self->current = chunk;
    self->at = chunk != NULL ? chunk->at : NULL;
    self->end = chunk != NULL ? chunk->at + chunk->bytes : NULL;
}

void *memory_arena_more(struct memory_arena *self, size_t bytes)
{
    struct arena_chunk *next = self->current != NULL ? self->current->next : self->first;
    if (next == NULL || next->bytes < bytes) {
        size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        struct arena_chunk *chunk = malloc(sizeof *chunk + room);
        if (chunk == NULL) {
            return NULL;
        }
        chunk->bytes = room;
        chunk->next = next;
        if (self->current != NULL) {
            self->current->next = chunk;
        } else {
            self->first = chunk;
        }
        next = chunk;
    }
    use(self, next);
    return self->at;
}

void memory_arena_reset(struct memory_arena *self)
{
    size_t kept = 0;
    if (self->current == self->first && (self->first == NULL || self->first->next == NULL) &&
        (self->first == NULL || self->first->bytes <= MEMORY_KEPT)) {
        self->at = self->first != NULL ? self->first->at : NULL; /* the usual case: one chunk, and it stays */
        return;
    }
    struct arena_chunk **next_p = &self->first;
    while (*next_p != NULL) {
        struct arena_chunk *chunk = *next_p;
        if (kept + chunk->bytes > MEMORY_KEPT) {
            *next_p = chunk->next;
            free(chunk);
            continue;
        }
        kept += chunk->bytes;
        next_p = &chunk->next;
    }
    use(self, self->first);
}

void memory_arena_free(struct memory_arena *self)
{
    while (self->first != NULL) {
        struct arena_chunk *next = self->first->next;
        free(self->first);
        self->first = next;
    }
    use(self, NULL);
}

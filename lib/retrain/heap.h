/* heap.h - a binary heap of things that know their place in it.
 *
 * The first element is the one that comes before all others by `before`. An element holds a size_t at `place_offset`
 * that the heap keeps: its position + 1, or 0 outside; so any element can be taken out or moved in O(log n).
 *
 * Threads: one owner. Memory: elements are the caller's; the array grows. Failure: heap_reserve(), heap_put(): -ENOMEM,
 * nothing changed then.
 */
#ifndef DRIFT_LIB_RETRAIN_HEAP_H
#define DRIFT_LIB_RETRAIN_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct heap {
    void **at;
    size_t count, room;
    size_t place_offset;
    bool (*before)(const void *a, const void *b); /* a strict order */
};

void heap_init(struct heap *self, bool (*before)(const void *, const void *), size_t place_offset);

/* Makes room for `count` elements in all: heap_put() cannot fail until there are more. */
int heap_reserve(struct heap *self, size_t count);

int heap_put(struct heap *self, void *element);

/* NULL when empty. */
void *heap_first(const struct heap *self);

bool heap_holds(const struct heap *self, const void *element);

/* Puts an element right whose order has changed. */
void heap_moved(struct heap *self, void *element);

/* Takes an element out; nothing happens when it is not inside. */
void heap_remove(struct heap *self, void *element);

/* Frees the array, not the elements. */
void heap_free(struct heap *self);

#endif

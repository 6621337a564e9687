#include "lib/retrain/heap.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

void heap_init(struct heap *self, bool (*before)(const void *, const void *), size_t place_offset)
{
    *self = (struct heap){.before = before, .place_offset = place_offset};
}

static size_t *place_of(const struct heap *self, const void *element)
{
    return (size_t *)((uintptr_t)element + self->place_offset);
}

static void set(struct heap *self, size_t index, void *element)
{
    self->at[index] = element;
    *place_of(self, element) = index + 1;
}

static void rise(struct heap *self, size_t index)
{
    void *element = self->at[index];
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!self->before(element, self->at[parent]))
            break;
        set(self, index, self->at[parent]);
        index = parent;
    }
    set(self, index, element);
}

static void sink(struct heap *self, size_t index)
{
    void *element = self->at[index];
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= self->count)
            break;
        if (child + 1 < self->count && self->before(self->at[child + 1], self->at[child]))
            child++;
        if (!self->before(self->at[child], element))
            break;
        set(self, index, self->at[child]);
        index = child;
    }
    set(self, index, element);
}

int heap_reserve(struct heap *self, size_t count)
{
    if (count <= self->room)
        return 0;
    size_t room = self->room ? self->room * 2 : 16;
    while (room < count)
        room *= 2;
    void **at = reallocarray(self->at, room, sizeof *at);
    if (!at)
        return -ENOMEM;
    self->at = at;
    self->room = room;
    return 0;
}

int heap_put(struct heap *self, void *element)
{
    if (heap_reserve(self, self->count + 1) < 0)
        return -ENOMEM;
    set(self, self->count++, element);
    rise(self, self->count - 1);
    return 0;
}

void *heap_first(const struct heap *self)
{
    return self->count ? self->at[0] : NULL;
}

bool heap_holds(const struct heap *self, const void *element)
{
    return *place_of(self, element) != 0;
}

void heap_moved(struct heap *self, void *element)
{
    size_t index = *place_of(self, element) - 1;
    rise(self, index);
    sink(self, *place_of(self, element) - 1);
}

void heap_remove(struct heap *self, void *element)
{
    size_t place = *place_of(self, element);
    if (place == 0)
        return;
    *place_of(self, element) = 0;
    void *last = self->at[--self->count];
    if (last == element)
        return;
    set(self, place - 1, last);
    heap_moved(self, last);
}

void heap_free(struct heap *self)
{
    free(self->at);
    self->at = NULL;
    self->count = self->room = 0;
}

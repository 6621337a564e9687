#include "lib/config/arena.h"

#include <stdint.h>
#include <stdlib.h>

struct arena_piece {
    struct arena_piece *before;
    _Alignas(max_align_t) unsigned char bytes[];
};

void *arena_take(struct arena *self, size_t count, size_t bytes)
{
    struct arena_piece *piece = NULL;
    if (bytes == 0 || count <= (SIZE_MAX / 2 - sizeof(*piece)) / bytes)
        piece = calloc(1, sizeof(*piece) + count * bytes);
    if (!piece) {
        self->failed = true;
        return NULL;
    }
    piece->before = self->last;
    self->last = piece;
    return piece->bytes;
}

char *arena_text(struct arena *self, struct text text)
{
    char *copy = arena_take(self, text.len + 1, 1);
    if (copy && text.len > 0)
        memcpy(copy, text.at, text.len);
    return copy;
}

void arena_free(struct arena *self)
{
    while (self->last) {
        struct arena_piece *before = self->last->before;
        free(self->last);
        self->last = before;
    }
    self->failed = false;
}

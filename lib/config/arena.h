/* arena.h - memory that is given back all at once.
 *
 * Threads: an arena belongs to one thread. Memory: every piece lives until arena_free(); each is an allocation of its
 * own, so that memory checkers see its edges. Failure: arena_take() returns NULL, and `failed` stays true from then on,
 * so that a long row of calls can be checked once at its end.
 */
#ifndef DRIFT_LIB_CONFIG_ARENA_H
#define DRIFT_LIB_CONFIG_ARENA_H

#include "lib/text.h"

struct arena_piece;

struct arena {
    struct arena_piece *last;
    bool failed;
};

/* `count` things of `bytes` each, all zero. */
void *arena_take(struct arena *self, size_t count, size_t bytes);

/* A copy with a NUL behind it. */
char *arena_text(struct arena *self, struct text text);

void arena_free(struct arena *self);

#endif

/* pages.h - memory that very many need for a while, and that is gone when they have given it back.
 *
 * What the allocator gets back lies between what stays, and remains resident. Pages stand apart from all else, and each
 * goes back to the system by itself when it is given.
 *
 * Cost: some 30 instructions to take one, and a call of the system to give one.
 *
 * Threads: any, at the same time. Memory: address space that is never given back, twice what was needed at once; of it
 * only pages that somebody has are resident (where the system's pages are larger than these, all that ever were).
 * Failure: NULL.
 */
#ifndef DRIFT_LIB_PAGES_H
#define DRIFT_LIB_PAGES_H

#include <stddef.h>

#define PAGES_BYTES 4096

/* A page of any content, which begins on a multiple of its size. */
void *pages_take(void);

/* Gives it back; NULL does nothing. */
void pages_give(void *page);

/* Bytes that the allocator counts as taken, and nobody has. */
size_t pages_idle_bytes(void);

#endif

/* lines.h - memory that begins on a line of the cache.
 *
 * For what is made many times over: aligned_alloc() leaves a piece before and one behind, over a hundred bytes a block
 * into which little fits later, and does not take a block of the same size that was given back.
 *
 * Threads: any. Memory: 64 bytes more than asked for. Failure: NULL.
 */
#ifndef DRIFT_LIB_LINES_H
#define DRIFT_LIB_LINES_H

#include <stddef.h>

#define LINES_BYTES 64 /* of one */

/* So many bytes of any content, or of zeros; lines_free() gives them back, and does nothing with NULL. Of many zeros the
 * pages come when they are touched. */
void *lines_new(size_t bytes);
void *lines_zeroed(size_t bytes);
void lines_free(void *at);

/* Begins to load the line that `at` is in, if it is in any. To gcc a function that does no more than that has no effect, and
 * it leaves calls of it out: the empty statement is one. */
static inline void lines_ask(const void *at)
{
    __builtin_prefetch(at);
    __asm__ volatile("");
}

#endif

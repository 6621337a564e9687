/* random.h - bytes that nobody outside can guess: keys of hash tables, names of a run.
 *
 * Threads: any. Memory: none. Failure: a negative error where the kernel has no random bytes to give.
 */
#ifndef DRIFTD_BASE_RANDOM_H
#define DRIFTD_BASE_RANDOM_H

#include <stddef.h>

int random_bytes(void *out, size_t bytes);

#endif

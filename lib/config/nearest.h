/* nearest.h - how far one word is from another, to guess what a person meant.
 *
 * Threads: pure functions. Memory: nothing is taken. Failure: none.
 */
#ifndef DRIFT_LIB_CONFIG_NEAREST_H
#define DRIFT_LIB_CONFIG_NEAREST_H

#include <stdint.h>

#include "lib/text.h"

#define NEAREST_BYTES_MAX 64

/* Fewest insertions, deletions, replacements and swaps of neighbours that make one of the other (optimal string
 * alignment: no part is edited twice). UINT32_MAX where either is longer than NEAREST_BYTES_MAX. */
uint32_t nearest_distance(struct text a, struct text b);

#endif

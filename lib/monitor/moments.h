/* moments.h - when the values of a long stream came, in little room.
 *
 * Level k keeps the times of the last four values whose number is a multiple of 2^k. The time of a value that is `age`
 * values old is so known from neighbours at most about age apart, with a straight line between them: exactly where
 * values come evenly, and for the last four in any case.
 *
 * Threads: a value, no state of its own. Memory: none. Failure: none.
 */
#ifndef DRIFT_LIB_MONITOR_MOMENTS_H
#define DRIFT_LIB_MONITOR_MOMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/codec.h"

#define MOMENTS_LEVELS 32
#define MOMENTS_EACH 4

/* All zero: empty. */
struct moments {
    uint64_t count;
    double last_s;
    double at_s[MOMENTS_LEVELS][MOMENTS_EACH];
};

void moments_add(struct moments *self, double at_s);

/* When value `index`, from 0, came. There is one at least, and index is one of them (else the newest answers). */
double moments_get(const struct moments *self, uint64_t index);

/* Saves them or loads them; as many numbers as the length of the stream needs. */
void moments_walk(struct moments *self, struct codec *codec);

#endif

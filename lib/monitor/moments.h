/* moments.h - when the values of a long stream came, in little room.
 *
 * Level k keeps the times of the last four values whose number is a multiple of 2^k. The time of a value that is `age`
 * values old is so known from neighbours at most about age apart, with a straight line between them: exactly where
 * values come evenly, and for the last four in any case.
 *
 * Threads: a value, no state of its own. Memory: for streams of more than 256 values, moments_clear() gives it back.
 * Failure: none; where there is no memory, old times are known less well.
 */
#ifndef DRIFT_LIB_MONITOR_MOMENTS_H
#define DRIFT_LIB_MONITOR_MOMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/codec.h"

#define MOMENTS_LEVELS 32
#define MOMENTS_EACH 4
#define MOMENTS_NEAR 8 /* levels that are always there */

typedef double moments_level[MOMENTS_EACH];

/* All zero: empty. What every value touches comes first. */
struct moments {
    uint64_t count;
    double last_s;
    moments_level near[MOMENTS_NEAR];
    double first_s;
    moments_level *far; /* further levels, */
    uint32_t far_count; /* of which so many are there */
};

void moments_add(struct moments *self, double at_s);

/* The same for several, one after the other. */
void moments_add_all(struct moments *self, const double *at_s, uint32_t count);

/* Begins empty ones with `count` values, at least one, of which no more is known than that they came by at_s. */
void moments_begin(struct moments *self, uint64_t count, double at_s);

/* Copies them into empty ones. */
void moments_copy(struct moments *self, const struct moments *from);

/* Whether both say the same of each value, now and later. */
bool moments_same(const struct moments *a, const struct moments *b);

/* When value `index`, from 0, came. There is one at least, and index is one of them (else the newest answers). */
double moments_get(const struct moments *self, uint64_t index);

/* Forgets all. */
void moments_clear(struct moments *self);

/* Saves them or loads them into empty ones; as many numbers as the length of the stream needs. */
void moments_walk(struct moments *self, struct codec *codec);

#endif

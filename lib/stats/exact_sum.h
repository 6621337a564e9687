/* exact_sum.h - a sum that forgets nothing: terms are added and later taken away again, exactly.
 *
 * A fixed-point number wide enough for every float there is: no term is rounded, whatever else is in the sum, so a sum
 * that is kept for years is the one that a fresh addition of what is in it would give. 1e30 and 1e-3 live side by side.
 * Source of the idea: Kulisch, "Computer Arithmetic and Validity", 2008, ch. 8 (the complete register).
 *
 * Threads: an instance belongs to one thread. Memory: 48 bytes, the caller's. Failure: none within the limits below.
 */
#ifndef DRIFT_LIB_STATS_EXACT_SUM_H
#define DRIFT_LIB_STATS_EXACT_SUM_H

#include <stdint.h>

/* Two's complement, least word first; the lowest bit is worth 2^-149, the smallest float. Room for 2^20 terms of
 * FLT_MAX times EXACT_SUM_WEIGHT_MAX: 149 + 128 + 36 + 20 bits and a sign. */
struct exact_sum {
    uint64_t word[6];
};

#define EXACT_SUM_WEIGHT_MAX (UINT64_C(1) << 36)

void exact_sum_clear(struct exact_sum *self);

/* Adds value * weight, or takes it away. `value` is finite, `weight` at most EXACT_SUM_WEIGHT_MAX. */
void exact_sum_add(struct exact_sum *self, float value, uint64_t weight);
void exact_sum_take(struct exact_sum *self, float value, uint64_t weight);

/* The sum as a double, within one part in 2^51 of the exact one: 0 only when it is 0. */
double exact_sum_get(const struct exact_sum *self);

#endif

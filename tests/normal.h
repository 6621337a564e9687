/* normal.h - values that look like chance and are the same in every run: Marsaglia's xorshift64 (Journal of Statistical
 * Software 8, 2003), and Box and Muller's normal ones of it. Whoever uses them sets `normal_seed` first. */
#ifndef DRIFT_TESTS_NORMAL_H
#define DRIFT_TESTS_NORMAL_H

#include <math.h>
#include <stdint.h>

static uint64_t normal_seed;

static double uniform(void)
{
    normal_seed ^= normal_seed << 13;
    normal_seed ^= normal_seed >> 7;
    normal_seed ^= normal_seed << 17;
    return ((double)(normal_seed >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

#endif

/* log_near.h - a natural logarithm to within LOG_NEAR_ERROR, for who only wants to know whether the exact one can be
 * left alone: a third of the time of log(3), no branch and no call.
 *
 * A number is 2^k z with z between the roots of 1/2 and 2; with s = (z - 1) / (z + 1), ln z = 2 (s + s^3/3 + s^5/5 +
 * ...), of which three terms are taken: as |s| <= 0.1716, what is left out is below 1.3e-6.
 *
 * Threads: pure. Memory: none. Failure: none.
 */
#ifndef DRIFT_LIB_LOG_NEAR_H
#define DRIFT_LIB_LOG_NEAR_H

#include <stdint.h>
#include <string.h>

#define LOG_NEAR_ERROR 2e-6

/* Of positive normal numbers. */
static inline double log_near(double value)
{
    const double ln2 = 0x1.62e42fefa39efp-1;
    const uint64_t root_half = UINT64_C(0x3fe6a09e667f3bcd); /* of 1/2, as bits */
    uint64_t bits;
    double z;
    memcpy(&bits, &value, sizeof bits);
    const int64_t k = (int64_t)(bits - root_half) >> 52;
    bits -= (uint64_t)k << 52;
    memcpy(&z, &bits, sizeof z);
    const double s = (z - 1) / (z + 1), ss = s * s;
    return (double)k * ln2 + 2 * s * (1 + ss * (1.0 / 3 + ss * (1.0 / 5)));
}

#endif

/* tilt.h - how much less a residual has to count for a chart to go astray no more often than with normal ones.
 *
 * The chance of a far excursion of a chart is that of an exponentially tilted walk: exp(2 k z) for a CUSUM with
 * allowance k, and for an EWMA with limit L one weight for each past residual. Residuals whose cumulants at those
 * weights exceed the normal ones go there more often; scaled until the cumulants agree, they go there as often (Cramer
 * 1938; Wald 1947).
 *
 * Threads: pure functions. Memory: none. Failure: none. Cost: six exponentials a bin and weight, or one where residuals
 * are no worse than normal ones.
 */
#ifndef DRIFT_LIB_DETECT_TILT_H
#define DRIFT_LIB_DETECT_TILT_H

#include <stdint.h>

#define TILT_BINS 64

/* Residuals of deviation 1, in bins: how many, and their sum. There are no empty bins. */
struct tilt_residuals {
    uint32_t bins;
    double all; /* how many, of all bins */
    double count[TILT_BINS], sum[TILT_BINS];
};

/* What a residual is to count for, 0 to 1, on the side of `sign`. lambda: of an EWMA, or 0: a CUSUM with allowance
 * `slack`. */
double tilt_scale(const struct tilt_residuals *residuals, double lambda, double slack, double limit, double sign);

#endif

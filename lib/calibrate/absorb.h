/* absorb.h - expected time until a chain of states is left, without a single subtraction.
 *
 * States 0..n-1; `move` is n x n by rows, move[i*n+j] >= 0 the probability (or quadrature weight) of going from i to j,
 * leave[i] > 0 that of leaving for good. The diagonal is never read: staying is what is left of 1. Solved by the
 * elimination of Grassmann, Taksar and Heyman (Operations Research 33, 1985), whose error is relative: a mean time of
 * 10^12 comes out as precisely as one of 10.
 *
 * Threads: pure functions. Memory: the caller's; absorb_factor() works in place. Failure: none.
 */
#ifndef DRIFT_LIB_CALIBRATE_ABSORB_H
#define DRIFT_LIB_CALIBRATE_ABSORB_H

#include <stdint.h>

/* Eliminates in place; `pivot` takes n values. */
void absorb_factor(uint32_t n, double *move, double *leave, double *pivot);

/* Solves x_i = cost_i + sum_j move_ij x_j with what absorb_factor() left; `cost` >= 0 becomes x. */
void absorb_solve(uint32_t n, const double *move, const double *pivot, double *cost);

#endif

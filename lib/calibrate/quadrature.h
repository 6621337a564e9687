/* quadrature.h - nodes, weights and the normal distribution: what the integrals of this folder are made of.
 *
 * Threads: pure functions. Memory: the caller's. Failure: none.
 */
#ifndef DRIFT_LIB_CALIBRATE_QUADRATURE_H
#define DRIFT_LIB_CALIBRATE_QUADRATURE_H

#include <stdint.h>

/* Gauss-Legendre nodes (rising) and weights of order n >= 1 on [low, high]: exact for polynomials of degree 2n - 1.
 * Newton's method on the Legendre polynomial, from Tricomi's approximation (Abramowitz and Stegun 22.16.6). */
void quadrature_legendre(uint32_t n, double low, double high, double *nodes, double *weights);

double normal_density(double x);
double normal_below(double x);             /* P(Z <= x); exact to rounding in the far tail as well */
double normal_above(double x);             /* P(Z > x); likewise */
double normal_between(double a, double b); /* P(a < Z <= b), a <= b */

#endif

/* recursion.h - the one integral equation behind CUSUM and EWMA.
 *
 * The statistic goes from s to keep * s + take * x - slack, x normal; it alarms above `high`, and below `low` it either
 * alarms too or is held at `low`. CUSUM: keep 1, take 1, held at 0. EWMA: keep 1 - lambda, take lambda.
 *
 * Threads: one at a time. Memory: recursion_solve() allocates, recursion_free() gives back. Failure: -ENOMEM.
 */
#ifndef DRIFT_LIB_CALIBRATE_RECURSION_H
#define DRIFT_LIB_CALIBRATE_RECURSION_H

#include <stdbool.h>
#include <stdint.h>

struct recursion {
    double keep, take, slack;
    double low, high;
    bool held;
    double shift, scale; /* of x */
    uint32_t n;          /* nodes */
    uint32_t states;     /* nodes, and `low` itself where the statistic is held there */
    double *nodes, *weights, *move, *leave, *pivot, *length, *barycentric; /* of recursion_solve() */
    void *memory;
};

/* Finds the mean run length from every node. The fields up to `scale` are the caller's to fill. */
int recursion_solve(struct recursion *self);

/* The mean run length from s, low <= s <= high. */
double recursion_length(const struct recursion *self, double s);

/* To first order, how much longer the run from s becomes when x is cut off at +-cut: (I - K)^-1 (K_cut - K) L. */
int recursion_winsor_gain(const struct recursion *self, double s, double cut, double *out);

void recursion_free(struct recursion *self);

#endif

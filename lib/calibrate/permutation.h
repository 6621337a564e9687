/* permutation.h - how large a distance between two samples gets when nothing has changed.
 *
 * The events of a reference are dealt into two parts at random, again and again, and the distance of the parts is
 * measured: what is exceeded by a fraction alpha of the deals is the threshold. Events that depend on their neighbours
 * are dealt in blocks. The deals come from a generator with a constant seed: the same reference gives the same
 * threshold.
 *
 * Threads: one at a time. Memory: the caller's. Failure: none.
 */
#ifndef DRIFT_LIB_CALIBRATE_PERMUTATION_H
#define DRIFT_LIB_CALIBRATE_PERMUTATION_H

#include <stdbool.h>
#include <stdint.h>

#define PERMUTATION_ROUNDS 999
#define PERMUTATION_TOP 101 /* deals that are kept: the largest tenth, and the one before */
#define PERMUTATION_ALPHA_MOST 0.1

/* The distance when event i, in order of time, belongs to the second part where second[i] is 1. */
typedef double permutation_distance_fn(void *argument, const uint8_t *second);

struct permutation {
    uint32_t events;
    uint32_t second; /* events dealt into the second part, less than `events` */
    uint32_t block;  /* events that stay together, >= 1 */
    permutation_distance_fn *distance;
    void *argument;
};

/* The largest distances of all deals, falling: what every threshold is made of. `flags` is scratch for `events` bytes,
 * `order` for `events` numbers. */
void permutation_deal(const struct permutation *self, double top[PERMUTATION_TOP], uint8_t *flags, uint32_t *order);

/* The threshold for `alpha`, at most PERMUTATION_ALPHA_MOST: with exchangeable blocks a further deal exceeds it with
 * probability alpha at most. Below 1 / (PERMUTATION_ROUNDS + 1) no deal has gone there: the tail is extrapolated by a
 * generalised Pareto distribution over the largest tenth (probability-weighted moments, Hosking and Wallis 1987), no
 * lighter than exponential, and *approximate is set. */
double permutation_threshold(const double top[PERMUTATION_TOP], double alpha, bool *approximate);

/* The length of blocks for a lag-1 autocorrelation: 1 where chance explains it, else three times the factor by which it
 * swells the variance of a mean, at most a tenth of the events. */
uint32_t permutation_block(double autocorrelation, uint32_t events);

/* What squares of a threshold by blocks are multiplied by, >= 1, to hold for what hangs together: 1 for single events.
 * Blocks lose what hangs across their ends, of an AR(1) 2 r / (1 - r^2) / block of the variance of a mean (Kunsch 1989);
 * and so few of them know that variance no better than Student's t allows for (its quantile after Wallace 1959). */
double permutation_widening(double autocorrelation, uint32_t block, uint32_t events, double alpha);

#endif

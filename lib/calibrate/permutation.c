#include "lib/calibrate/permutation.h"

#include <math.h>
#include <string.h>

#include "lib/calibrate/chart.h"

#define TOP (PERMUTATION_TOP - 1)
#define SEED UINT64_C(0x6a09e667f3bcc908)
#define SHAPE_MOST 0.3
#define LOST_MOST 0.75
#define FREEDOM_LEAST 5.0
#define SHAPE_ERROR 1.15 /* standard error of a shape of 0, times the root of n (Hosking and Wallis 1987) */

/* Splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Deals blocks to the second part until it is full; the last one may be cut. */
static void deal(const struct permutation *self, uint64_t *state, uint8_t *flags, uint32_t *order)
{
    uint32_t blocks = (self->events + self->block - 1) / self->block, left = self->second;
    memset(flags, 0, self->events);
    for (uint32_t i = 0; i < blocks && left > 0; i++) {
        uint32_t pick = i + (uint32_t)(((next_random(state) >> 32) * (blocks - i)) >> 32);
        uint32_t block = order[pick];
        order[pick] = order[i];
        order[i] = block;
        uint32_t from = block * self->block, to = from + self->block;
        if (to > self->events)
            to = self->events;
        for (; from < to && left > 0; from++, left--)
            flags[from] = 1;
    }
}

/* Keeps the TOP + 1 largest, falling. */
static void keep(double *top, uint32_t *count, double value)
{
    uint32_t i = *count;
    if (i == TOP + 1) {
        if (value <= top[TOP])
            return;
        i--;
    } else {
        (*count)++;
    }
    for (; i > 0 && top[i - 1] < value; i--)
        top[i] = top[i - 1];
    top[i] = value;
}

/* Beyond the deals: a generalised Pareto distribution over what exceeds top[TOP]. Its shape is lowered by its standard
 * error, since what chance adds to it would be multiplied by the whole extrapolation; lighter tails than the
 * exponential are not believed. */
static double extrapolate(const double *top, double alpha)
{
    double floor = top[TOP], mean = 0, weighted = 0;
    uint32_t above = 0;
    while (above < TOP && top[above] > floor)
        above++;
    if (above == 0)
        return top[0];
    for (uint32_t i = 0; i < above; i++) {
        /* 1 - p with plotting positions (rank - 0.35) / n; top[i] has rank above - i. */
        double beyond = 1 - ((double)(above - i) - 0.35) / above;
        mean += (top[i] - floor) / above;
        weighted += beyond * (top[i] - floor) / above;
    }
    double shape = 2 - mean / (mean - 2 * weighted) - SHAPE_ERROR / sqrt(above);
    shape = fmax(0, fmin(shape, SHAPE_MOST));
    double scale = mean * (1 - shape); /* keeps the mean, whatever shape was allowed */
    double rarer = log((double)above / PERMUTATION_ROUNDS / alpha);
    double reach = shape > 1e-6 ? scale * expm1(shape * rarer) / shape : scale * rarer;
    return fmax(floor + reach, top[0]);
}

void permutation_deal(const struct permutation *self, double top[PERMUTATION_TOP], uint8_t *flags, uint32_t *order)
{
    uint32_t kept = 0;
    uint64_t state = SEED;
    memset(top, 0, PERMUTATION_TOP * sizeof *top);
    for (uint32_t i = 0; i < self->events; i++)
        order[i] = i;
    for (uint32_t round = 0; round < PERMUTATION_ROUNDS; round++) {
        deal(self, &state, flags, order);
        keep(top, &kept, self->distance(self->argument, flags));
    }
}

double permutation_threshold(const double top[PERMUTATION_TOP], double alpha, bool *approximate)
{
    /* Exceeding the r-th largest of n deals has probability r / (n + 1). */
    double rank = alpha * (PERMUTATION_ROUNDS + 1);
    *approximate = rank < 1 - 1e-9;
    if (*approximate)
        return extrapolate(top, alpha);
    uint32_t index = (uint32_t)(rank + 1e-9) - 1;
    return top[index < TOP ? index : TOP];
}

uint32_t permutation_block(double autocorrelation, uint32_t events)
{
    if (!(autocorrelation > 2 / sqrt(events)))
        return 1;
    double length = ceil(3 * (1 + autocorrelation) / fmax(1 - autocorrelation, 1e-3));
    double most = fmax(1, floor(events / 10.0));
    return (uint32_t)fmin(length, most);
}

double permutation_widening(double autocorrelation, uint32_t block, uint32_t events, double alpha)
{
    const struct chart normal = {.kind = CHART_SHEWHART, .two_sided = true};
    double z;
    if (block == 1 || chart_limit(&normal, 1 / alpha, &z) != 0)
        return 1;
    double lost = 2 * autocorrelation / (1 - autocorrelation * autocorrelation) / block;
    double freedom = fmax((double)events / block - 1, FREEDOM_LEAST);
    double grown = z * (8 * freedom + 3) / (8 * freedom + 1);
    double student = freedom * expm1(grown * grown / freedom) / (z * z);
    return student / (1 - fmin(lost, LOST_MOST));
}

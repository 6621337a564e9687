/* pooled.h - two samples side by side, in order of value: what every two-sample distance is computed from.
 *
 * A walk yields groups of equal values (equal within rounding) with how many of each sample they hold. Samples are
 * sorted values, one sorted sample dealt into two by flags, or cells with counts; a distance does not see which.
 *
 * Threads: values, no state of their own. Memory: borrowed. Failure: none.
 */
#ifndef DRIFT_LIB_DETECT_POOLED_H
#define DRIFT_LIB_DETECT_POOLED_H

#include <stdbool.h>
#include <stdint.h>

struct pooled {
    /* Two sorted samples; or one, and for each of its values the event it came from and the part of that event. */
    const double *first, *second;
    uint32_t first_count, second_count;
    const uint32_t *event;
    const uint8_t *part; /* NULL: two samples */
    double rounding;     /* values this close are equal */
    /* Or cells: their places, and the two counts of each. */
    const double *place, *first_cells, *second_cells;
    uint32_t cells; /* 0: no cells */
    /* Where the walk is. */
    uint32_t i, j;
};

struct group {
    double value;
    double first, second; /* counts */
};

/* The next group, or false at the end. The walk starts at i = j = 0. */
bool pooled_next(struct pooled *self, struct group *out);

/* How many values each sample has. */
void pooled_totals(const struct pooled *self, double *first, double *second);

/* Bins: regions of value that hold about a `bins`-th of the first sample each, after its quantiles. A value that holds
 * that much by itself is a bin by itself, so that a constant can be left in both directions. The outer bins are open.
 */
#define POOLED_BINS_MAX 100
struct binned {
    uint32_t count;
    double first[2 * POOLED_BINS_MAX + 3], second[2 * POOLED_BINS_MAX + 3];
};
void pooled_bin(const struct pooled *self, double first_total, uint32_t bins, struct binned *out);

#endif

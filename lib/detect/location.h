/* location.h - Huber's location of a reference: where values that are cut off have mean zero (Huber 1964).
 *
 * Threads: pure functions. Memory: none. Failure: none.
 *
 * Cost: some 15 looks at all values, of about 12 instructions a value each.
 */
#ifndef DRIFT_LIB_DETECT_LOCATION_H
#define DRIFT_LIB_DETECT_LOCATION_H

#include <stdint.h>

struct location {
    const double *values; /* number i is values[i] - phi values[i - 1], number 0 values[0] */
    uint32_t from, count; /* those from `from` on, less than `count` */
    double phi;
    double median, reach; /* what is further from the median does not count at all */
    double sd, cut;       /* their deviation, above 0; what is further from the location counts as cut deviations */
};

/* The location between low and high, by 60 bisections to the last bit. */
double location_find(const struct location *self, double low, double high);

#endif

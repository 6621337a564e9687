/* metric_clock.h - the ring of a table of metrics, and whose times stand in it; for metric_table.c alone.
 *
 * A row with times of its own is a clock. The rows of `together` have one clock, the first of them: their windows are
 * as far in every respect.
 *
 * Threads, memory, failure: as metric_table.h says.
 */
#ifndef DRIFT_LIB_MONITOR_METRIC_CLOCK_H
#define DRIFT_LIB_MONITOR_METRIC_CLOCK_H

#include "lib/lines.h"
#include "lib/monitor/metric_table.h"

static inline uint64_t metric_bit(uint32_t row)
{
    return UINT64_C(1) << row;
}

/* The seconds to the value at a place from the one before it, beside the values of a clock. */
static inline float *metric_gap(const struct window *clock, uint32_t place)
{
    return window_place(clock, place) + 1;
}

/* Whether an event with these rows, once each, has all of those that share times or none. */
static inline bool metric_come_together(const struct metric_table *self, uint64_t rows)
{
    return (rows & self->together) == 0 || (~rows & self->together) == 0;
}

/* The window of the clock of a row; NULL: it is not timed. */
const struct window *metric_clock_of(const struct metric_table *self, uint32_t row);

/* How many of so many timed rows, of which no values have come, would be clocks. */
uint32_t metric_clocks_of(const struct metric_table *self, uint32_t timed);

/* Times for a new row. */
void metric_time(struct metric_table *self, uint32_t row);

/* Sees to it that a row shares no times. 0 or -ENOMEM. */
int metric_clock_own(struct metric_table *self, uint32_t row);

/* Has a row's window look at its column. */
void metric_point(const struct metric_table *self, uint32_t row);

/* Lays the ring out anew with room for so many columns, and these rows as clocks: those that were none get a copy. 0 or
 * -ENOMEM: nothing has changed then. */
int metric_lay_out(struct metric_table *self, uint32_t stride, uint32_t values, uint64_t clocks);

/* The times of a clock, the oldest first. The ring is filled from its start when it is loaded, as the window's is. */
void metric_walk_gaps(const struct window *clock, struct codec *codec);

#endif

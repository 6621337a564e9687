/* metric_table.h - the metrics of one model: a name, a window of values and their times for each.
 *
 * Made for a handful of metrics that come in the same order again and again: a search begins where the last one should
 * have led to, so that it mostly is one comparison of names.
 *
 * Threads: a table belongs to one thread. Memory: metric_table_put() and metric_table_reserve_weights() take it;
 * metric_table_add() cannot fail. Names are the table's, until the next metric_table_put().
 */
#ifndef DRIFT_LIB_MONITOR_METRIC_TABLE_H
#define DRIFT_LIB_MONITOR_METRIC_TABLE_H

#include <stdint.h>

#include "lib/stats/window.h"

#define METRIC_TABLE_NONE UINT32_MAX

struct metric_row;

/* All zero: an empty table. */
struct metric_table {
    struct metric_row *rows;
    char *names; /* one behind the other, each with its NUL */
    uint32_t count, room;
    uint32_t names_bytes;
};

/* What is kept of a metric. */
struct metric_keep {
    uint32_t values; /* capacity of its window */
    struct window_use use; /* what is asked of it after each */
    bool timed;      /* for metric_table_start_s() */
};

/* The row of a name, looked for from row `first` on and around; METRIC_TABLE_NONE when there is none. */
uint32_t metric_table_find(const struct metric_table *self, struct text name, uint32_t first);

/* Adds a row for a new name at the end. Returns 0 or -ENOMEM: nothing has changed then. */
int metric_table_put(struct metric_table *self, struct text name, const struct metric_keep *keep);

/* Takes the newest rows away again, down to `count`. */
void metric_table_cut(struct metric_table *self, uint32_t count);

/* See window_reserve_weights(). */
int metric_table_reserve_weights(struct metric_table *self, uint32_t row);

/* Begins to load what metric_table_add() will touch, once metric_table_find() has found the row. A model whose turn it
 * is has mostly left the cache: an event's metrics are best found first, then loaded together, then added. */
void metric_table_prefetch(const struct metric_table *self, uint32_t row);

/* Adds a value that was measured at `at_s`, seconds since the epoch. */
void metric_table_add(struct metric_table *self, uint32_t row, double value, uint64_t weight, double at_s);

const char *metric_table_name(const struct metric_table *self, uint32_t row);
const struct window *metric_table_window(const struct metric_table *self, uint32_t row);

/* When the oldest and the newest value in a timed row's window were measured; NAN while it is empty. The oldest is
 * known to one part in 10^7 of the time between. */
double metric_table_start_s(const struct metric_table *self, uint32_t row);
double metric_table_end_s(const struct metric_table *self, uint32_t row);

/* Saves a row without its name, or loads it into one that is empty, which then goes on bit for bit. A row of another
 * capacity, or one that was not timed where this one is, is passed over, as all is for METRIC_TABLE_NONE: false. */
bool metric_table_walk(struct metric_table *self, uint32_t row, struct codec *codec);

void metric_table_clear(struct metric_table *self);

#endif

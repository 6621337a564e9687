/* metric_table.h - the metrics of one model: a name, a window of values and their times for each.
 *
 * Made for a handful of metrics that come in the same order again and again: a search begins where the last one should
 * have led to, so that it mostly is one comparison of keys. All values that come together, and the times from the
 * values before to them, stand side by side in one ring: an event of five metrics touches one or two lines of it, a
 * line of each window. Timed rows whose values have always come together share their times, and part with the first
 * event that has some of them and not others.
 *
 * Threads: a table belongs to one thread. Memory: metric_table_put(), metric_table_part() and
 * metric_table_reserve_weights() take it; metric_table_add() cannot fail. Names are the table's, until the next
 * metric_table_put().
 */
#ifndef DRIFT_LIB_MONITOR_METRIC_TABLE_H
#define DRIFT_LIB_MONITOR_METRIC_TABLE_H

#include <stdint.h>

#include "lib/stats/window_inside.h"
#include "lib/wire/metric_message.h"

#define METRIC_TABLE_NONE UINT32_MAX
#define METRIC_TABLE_MAX 64

/* A cache line: all that an event of a known shape touches of a metric, but its place in the ring. */
struct metric_slot {
    struct window window; /* its ring is a column of the table's */
    double newest_s;      /* when the newest value was measured, in a timed row */
};

/* The rest. */
struct metric_row {
    uint64_t key; /* of the name, as the last event had it (struct metric); 0: not known yet */
    uint16_t name_at;
    uint8_t name_len; /* METRIC_NAME_MAX at most */
    uint8_t column;   /* of the ring; that of a row with times of its own is followed by the seconds from the value before
                         to each */
};

static_assert(METRIC_TABLE_MAX * (METRIC_NAME_MAX + 1) <= UINT16_MAX && 2 * METRIC_TABLE_MAX <= UINT8_MAX &&
                  METRIC_NAME_MAX <= UINT8_MAX,
              "names and columns of all rows can be told");

/* All zero: an empty table. Slots and rows stand in one block that begins on a cache line. */
struct metric_table {
    struct metric_row *rows;
    float *ring;       /* as many places as a window has values, each with `stride` floats */
    char *names;       /* one behind the other, each with its NUL */
    uint64_t together; /* a bit for each row that shares the times of the first of them */
    uint32_t names_bytes;
    uint32_t room; /* METRIC_TABLE_MAX at most */
    uint32_t columns;

    /* What an event of a known shape touches. */
    uint32_t count, stride; /* of rows; and of the ring, of whose floats `columns` are used */
    struct metric_slot *slots;
    uint64_t timed;  /* a bit for each row; */
    uint64_t clocks; /* for those with times of their own */
    uint64_t shape;  /* events of this shape (struct metric_event) have the first rows' metrics, in their order, and
                        all these are plain; 0: not known */
};

/* What is kept of a metric. */
struct metric_keep {
    uint32_t values;       /* capacity of its window */
    struct window_use use; /* what is asked of it after each */
    bool timed;            /* for metric_table_start_s() */
};

/* The row of a name, looked for from row `first` on and around; METRIC_TABLE_NONE when there is none. */
uint32_t metric_table_find(const struct metric_table *self, struct text name, uint32_t first);

/* The same for a name with a key (struct metric); 0: it has none. */
static inline uint32_t metric_table_find_key(struct metric_table *self, uint64_t key, struct text name, uint32_t first)
{
    if (first < self->count && key && self->rows[first].key == key)
        return first;
    const uint32_t row = metric_table_find(self, name, first);
    if (row != METRIC_TABLE_NONE && key)
        self->rows[row].key = key;
    return row;
}

/* Makes room at once for so many metrics that will be put, some of them timed. Returns 0 or -ENOMEM. */
int metric_table_expect(struct metric_table *self, uint32_t metrics, uint32_t timed, uint32_t values);

/* Adds a row for a new name at the end; all rows keep the same number of values. Returns 0 or -ENOMEM: nothing has
 * changed then. Windows move. */
int metric_table_put(struct metric_table *self, struct text name, const struct metric_keep *keep);

/* Takes the newest rows away again, down to `count`. */
void metric_table_cut(struct metric_table *self, uint32_t count);

/* Puts a row of another table at the end of one that keeps other things: with its values, where it keeps as many of
 * them, else empty. Times that were not kept are not known. Returns 0 or -ENOMEM: nothing has changed then. */
int metric_table_copy(const struct metric_table *from, uint32_t index, struct metric_table *to,
                      const struct metric_keep *keep);

/* See window_reserve_weights(). */
int metric_table_reserve_weights(struct metric_table *self, uint32_t row);

/* Begin to load what an event will touch: the rows, and once they are there so many places in the ring that are next. A
 * model whose turn it is has mostly left the cache. */
void metric_table_prefetch(const struct metric_table *self);
void metric_table_prefetch_places(const struct metric_table *self, uint32_t places);

/* Has rows part whose values do not come together: the next event has a value for each row of `rows`, and more than one
 * for those that are in `twice` as well. Returns 0 or -ENOMEM: nothing has changed then. */
int metric_table_part(struct metric_table *self, uint64_t rows, uint64_t twice);

/* Has rows share what is the same of their times, after they were loaded or copied. */
void metric_table_share(struct metric_table *self);

/* Adds a value that was measured at `at_s`, seconds since the epoch. Of rows that share times each has one for every
 * event. */
void metric_table_add(struct metric_table *self, uint32_t row, double value, uint64_t weight, double at_s);

/* The same for all metrics of an event of weight 1, where each is a number with a key that a row of its own, behind
 * that of the one before, has as well, and no window has weights or an order: true, with a bit for each row in *carried
 * (there are 64 rows at most). False: something is otherwise, and nothing was taken. Cost: about 70 instructions a
 * metric where the last event was of the same shape, else 20 more. */
bool metric_table_take(struct metric_table *self, const struct metric_event *event, double at_s, uint64_t *carried);

/* Several events: when each was measured, and the numbers of the first metric, with those of each further one `apart`
 * bytes behind. */
struct metric_columns {
    const double *at_s;
    struct window_numbers values;
    uint32_t apart, count;
};

/* Adds what came of the first rows in several events of the shape that was last taken so, one after the other. */
void metric_table_take_all(struct metric_table *self, uint32_t rows, const struct metric_columns *events);

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

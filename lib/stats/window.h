/* window.h - the last values of one metric, with weights, and what is asked of them.
 *
 * Values are kept in single precision (24 bits) and summed exactly: the mean is that of the values kept, to one part
 * in 2^50, however many have come and gone. So what the window says is good to one part in 10^7, and whoever compares
 * it with a limit uses window_below() and window_above(), which count what is equal in single precision as equal. A
 * magnitude beyond FLT_MAX saturates. Weights are whole up to 2^24, good to 24 bits beyond, and saturate at 2^36.
 *
 * Threads: an instance belongs to one thread. Memory: taken in window_new(), that of weights in
 * window_reserve_weights(): 4 bytes a value, as much again for an order, and both again for weights; 48 bytes once the
 * sum outgrows a double, without which the mean only takes longer. window_add() cannot fail.
 */
#ifndef DRIFT_LIB_STATS_WINDOW_H
#define DRIFT_LIB_STATS_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/codec.h"
#include "lib/text.h"

enum window_stat {
    WINDOW_LAST,
    WINDOW_MEAN, /* weighted */
    WINDOW_MIN,
    WINDOW_MAX,
    WINDOW_MEDIAN, /* quantiles: the smallest value whose cumulative weight reaches q of the whole */
    WINDOW_P90,
    WINDOW_P95,
    WINDOW_P99,
    WINDOW_EWMA, /* 2/(capacity+1) an event, begins at the first value, ignores weights */
    WINDOW_STATS
};

struct window;

/* Makes a window of the last `capacity` values, 1 to WINDOW_CAPACITY_MAX. `ordered` keeps them sorted as well, for who
 * asks for WINDOW_MIN to WINDOW_P99 after each value. Returns 0, -EINVAL or -ENOMEM; on failure *self_p is NULL. */
#define WINDOW_CAPACITY_MAX 1000000
int window_new(struct window **self_p, uint32_t capacity, bool ordered);

/* What is asked after each value, and so kept at hand. All else can be asked too, and is made of the values then; but
 * for WINDOW_EWMA, which is not in them. */
struct window_use {
    bool sum, ewma;
    uint32_t ranks;        /* statistics from WINDOW_MIN to WINDOW_P99; where it is one alone, */
    enum window_stat rank; /* this, */
    double min, max;       /* against these limits (NAN: none), in window_judge() */
};
int window_new_for(struct window **self_p, uint32_t capacity, const struct window_use *use);

/* Takes the memory that weights other than 1 need: a window that never meets one does without. Returns 0 or -ENOMEM:
 * nothing has changed then. Costs nothing from the second time on. */
int window_reserve_weights(struct window *self);

/* Takes a finite value of weight >= 1; other than 1 only after window_reserve_weights(). */
void window_add(struct window *self, double value, uint64_t weight);

/* One statistic; NAN while the window is empty, or where it is not kept. */
double window_get(const struct window *self, enum window_stat stat);

/* Whether a statistic is below a minimum (-1), above a maximum (1) or neither, as window_below() and window_above()
 * say; NAN: there is no such limit. *observed: the statistic where it is beyond a limit, otherwise it or NAN. */
int window_judge(const struct window *self, enum window_stat stat, double min, double max, double *observed);

/* Whether `most` values of weight 1, or fewer, leave a statistic within limits that it keeps to now, at each of them,
 * as long as they lie from *low to *high, which this narrows. False: not that anybody knew in a few dozen instructions.
 */
bool window_quiet(const struct window *self, enum window_stat stat, double min, double max, uint32_t most, double *low,
                  double *high);

/* Values in the window; and ever taken. */
uint32_t window_count(const struct window *self);
uint64_t window_total(const struct window *self);
uint32_t window_capacity(const struct window *self);

/* Copies the newest values, oldest first, at most `most`, and returns how many. */
uint32_t window_recent(const struct window *self, float *out, uint32_t most);

/* Whether an observed statistic is below (above) a limit by more than single precision can blur: |limit| * 2^-24, half
 * a unit of a float's last place. A value on the limit that was rounded to a float, and a mean of such values of one
 * sign, lie within it. */
bool window_below(double observed, double limit);
bool window_above(double observed, double limit);

/* "last", "mean", ... Returns 0 or -ENOENT. */
int window_stat_of(struct text name, enum window_stat *out);
const char *window_stat_name(enum window_stat stat);

void window_reset(struct window *self);

/* Saves the window, or loads it into an empty one, which then goes on bit for bit as the one that was saved. Where the
 * one that was saved has another capacity, or `self` is NULL, the bytes are passed over and nothing is loaded: false.
 * codec.failed: damaged, or out_of_memory; the window is empty then. What is kept besides the values, in whatever
 * layout, is made of them again. */
bool window_walk(struct window *self, struct codec *codec);
void window_destroy(struct window **self_p);

#endif

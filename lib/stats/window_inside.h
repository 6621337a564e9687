/* window_inside.h - what the files of a window share; for them alone.
 *
 * Threads, memory, failure: as window.h says.
 */
#ifndef DRIFT_LIB_STATS_WINDOW_INSIDE_H
#define DRIFT_LIB_STATS_WINDOW_INSIDE_H

#include <assert.h>
#include <math.h>

#include "lib/stats/exact_sum.h"
#include "lib/stats/window.h"

#define WINDOW_ORDER_ABOVE 1024 /* up to so many values a quantile is found among them when it is asked for */

/* How much of the window lies beyond the limits of the one order statistic that is judged: that alone says whether it
 * is beyond one itself, without an order. */
struct watch {
    enum window_stat stat;
    double min, max;               /* as they were given */
    double below, above;           /* what is below (above) these is beyond them */
    uint64_t below_weight, above_weight;
};

/* The ring and, where an order is kept, behind it the same values in order; weights likewise, in an array of their own.
 * An order runs by value, then by weight, so that the pair that leaves can be found again.
 *
 * Cost of window_add(): about 25 instructions and two cache lines, the head and the place in the ring; a sum 15 more, a
 * watch 15 and a line; an order two searches and a move. The sum is a double for as long as that holds it exactly, which
 * for values of one kind is always (24 bits each, and 29 to spare); what is lost in an addition is known exactly (Knuth,
 * TAOCP 2, 4.2.2, theorem B), and the first loss makes it a register wide enough for all. */
struct window {
    uint32_t capacity, count;
    uint32_t next;      /* where in the ring the next value goes; once it is full, that is the oldest */
    bool ordered, sums, averages; /* what is kept besides the values */
    bool exact;         /* `sum` is the sum; otherwise it is in `wide`, or nowhere: added up when it is asked for */
    uint64_t total;     /* values ever taken */
    uint64_t weight;    /* of all in the window: exact, 2^36 * 2^20 at most */
    double sum, ewma;
    struct exact_sum *wide; /* NULL until it is needed */
    struct watch *watch;    /* NULL: none */
    float *weights;         /* NULL while all are 1 */
    float values[];
};

static_assert(WINDOW_CAPACITY_MAX <= 1 << 20, "the sums have room for 2^20 values");

static inline bool window_by_rank(enum window_stat stat)
{
    return stat >= WINDOW_MIN && stat <= WINDOW_P99;
}

/* Half a unit of the last place of a float, which is how far rounding moves a value; a little more for the double
 * arithmetic behind it, and the half unit that the smallest floats have, so that a limit of 0 has one as well. */
static inline double window_blur(double limit)
{
    return fabs(limit) * 0x1.00001p-24 + 0x1p-150;
}

static inline void watch_take(struct watch *watch, double x, uint64_t w, double out, uint64_t out_weight)
{
    watch->below_weight += (x < watch->below ? w : 0) - (out < watch->below ? out_weight : 0);
    watch->above_weight += (x > watch->above ? w : 0) - (out > watch->above ? out_weight : 0);
}

/* window.c: sums up the values that are there. */
void window_sum_again(struct window *self);

/* window_rank.c: the order, where one is kept, behind the ring; and a statistic from WINDOW_MIN to WINDOW_P99 of a window
 * that is not empty. window_order_take() brings (value, weight) in; in a full window the pair that `next` points at leaves. */
float *window_order(struct window *self);
void window_order_take(struct window *self, float value, float weight);
double window_rank(const struct window *self, enum window_stat stat);

#endif

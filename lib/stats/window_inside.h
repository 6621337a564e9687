/* window_inside.h - what the files of a window share, and lib/monitor/metric_table.c, which lays the windows of a model
 * side by side: the values of one event then stand on one cache line.
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
    double below, above; /* what is below (above) these is beyond the limits */
    uint64_t below_weight, above_weight;
    double min, max; /* the limits as they were given */
    enum window_stat stat;
};

/* What only some windows have. The order runs by value, then by weight, so that the pair that leaves can be found again;
 * weights stand beside the ring, without a stride, and behind them those of the order. */
struct window_more {
    struct watch watch;
    float *order;           /* NULL: none is kept */
    float *weights;         /* NULL while all are 1 */
    uint64_t weight;        /* of all in the window, where there are weights: exact, 2^36 * 2^20 at most */
    struct exact_sum *wide; /* NULL until it is needed */
    bool watches;
};

/* One cache line, and the ring elsewhere.
 *
 * Cost of window_add(): about 25 instructions and two cache lines, this one and the place in the ring, which neighbours
 * share; a sum 15 more, a watch 15 and a line; an order two searches and a move. The sum is a double for as long as that
 * holds it exactly, which for values of one kind is always (24 bits each, and 29 to spare); what is lost in an addition is
 * known exactly (Knuth, TAOCP 2, 4.2.2, theorem B), and the first loss makes it a register wide enough for all. */
struct window {
    float *values;            /* the ring's first place */
    struct window_more *more; /* NULL: nothing of it */
    double sum, ewma;
    uint64_t total;           /* values ever taken */
    uint32_t capacity, stride; /* of the ring: places, and floats from one to the next */
    uint32_t next;            /* the place of the next value; once the ring is full, that of the oldest */
    bool sums, averages;      /* what is kept besides the values */
    bool exact;               /* `sum` is the sum; otherwise it is in `wide`, or nowhere: added up when it is asked for */
};

static inline uint32_t window_held(const struct window *self)
{
    return self->total < self->capacity ? (uint32_t)self->total : self->capacity;
}

static inline float *window_place(const struct window *self, uint32_t place)
{
    return self->values + (size_t)place * self->stride;
}

static inline bool window_weighted(const struct window *self)
{
    return self->more && self->more->weights;
}

static inline float window_weight_at(const struct window *self, uint32_t place)
{
    return window_weighted(self) ? self->more->weights[place] : 1;
}

static inline uint64_t window_weight(const struct window *self)
{
    return window_weighted(self) ? self->more->weight : window_held(self);
}

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

static inline void window_watch(struct watch *watch, double x, uint64_t w, double out, uint64_t out_weight)
{
    watch->below_weight += (x < watch->below ? w : 0) - (out < watch->below ? out_weight : 0);
    watch->above_weight += (x > watch->above ? w : 0) - (out > watch->above ? out_weight : 0);
}

/* window.c: a window that stands inside of something, which gives it its ring and may move it. window_init() returns 0
 * or -ENOMEM; window_clear() gives back all but the ring. */
int window_init(struct window *self, uint32_t capacity, const struct window_use *use);
void window_clear(struct window *self);

/* Sums up the values that are there. */
void window_sum_again(struct window *self);

/* window_rank.c: a statistic from WINDOW_MIN to WINDOW_P99 of a window that is not empty. window_order_take() brings
 * (value, weight) into the order that is kept; in a full window the pair that `next` points at leaves. */
void window_order_take(struct window *self, float value, float weight);
double window_rank(const struct window *self, enum window_stat stat);

#endif

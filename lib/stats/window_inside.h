/* window_inside.h - what the files of a window share, and lib/monitor/metric_table.c, which lays the windows of a model
 * side by side: the values of one event then stand on one cache line.
 *
 * Threads, memory, failure: as window.h says.
 */
#ifndef DRIFT_LIB_STATS_WINDOW_INSIDE_H
#define DRIFT_LIB_STATS_WINDOW_INSIDE_H

#include <assert.h>
#include <float.h>
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
    uint8_t percent; /* window_percent() of it */
    bool on;         /* it is kept */
};

/* What only some windows have. The order runs by value, then by weight, so that the pair that leaves can be found
 * again; weights stand beside the ring, without a stride, and behind them those of the order. */
struct window_more {
    struct watch watch;
    float *weights;         /* NULL while all are 1 */
    float *order;           /* NULL: none is kept */
    uint64_t weight;        /* of all in the window, where there are weights: exact, 2^36 * 2^20 at most */
    struct exact_sum *wide; /* NULL until it is needed */
};

/* One cache line, and the ring elsewhere.
 *
 * Cost of window_add_plain(): about 40 instructions and two cache lines, this one and the place in the ring, which
 * neighbours share; a sum 25 more, a watch 12 and a line. window_add(): 20 more; an order two searches and a move. The
 * sum is a double for as long as that holds it exactly, which for values of one kind is always (24 bits each, and 29 to
 * spare); the first addition that loses something makes it a register wide enough for all. */
struct window {
    float *values;            /* the ring's first place */
    struct window_more *more; /* NULL: nothing of it */
    double sum, ewma;
    uint64_t total;            /* values ever taken */
    uint32_t capacity, stride; /* of the ring: places, and floats from one to the next */
    uint32_t next;             /* the place of the next value; once the ring is full, that of the oldest */
    bool sums, averages;       /* what is kept besides the values */
    bool exact; /* `sum` is the sum; otherwise it is in `wide`, or nowhere: added up when it is asked for */
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
    const double low = x < out ? x : out, high = x < out ? out : x;
    if (!(low < watch->below || high > watch->above)) /* mostly */
        return;
    watch->below_weight += (x < watch->below ? w : 0) - (out < watch->below ? out_weight : 0);
    watch->above_weight += (x > watch->above ? w : 0) - (out > watch->above ? out_weight : 0);
}

/* Magnitudes saturate. -0 becomes 0: one zero, one place in the order. */
static inline float window_single(double value)
{
    if (fabs(value) > (double)FLT_MAX)
        return value > 0 ? FLT_MAX : -FLT_MAX;
    return (float)value + 0.0F;
}

/* How much of the average over time (WINDOW_EWMA) the newest value makes up. */
static inline double window_rate(const struct window *self)
{
    return 2.0 / (self->capacity + 1.0);
}

/* Adds a term (of at most 48 bits, so a double) to a sum; false when that loses something. The greater of the two taken
 * from what they make leaves a double (Dekker 1971), which is the other if nothing was lost: so both are looked at. */
static inline bool window_add_exactly(double *sum, double term)
{
    const double before = *sum, whole = before + term;
    *sum = whole;
    return whole - before == term && whole - term == before;
}

/* window.c: for a sum that does not, or not any more, stand in a double. */
void window_widen(struct window *self);
void window_sum_wide(struct window *self, float x, uint64_t w, float out, uint64_t out_weight);

/* Whether there is neither a weight nor an order. */
static inline bool window_plain(const struct window *self)
{
    return !self->more || !(self->more->weights || self->more->order);
}

/* window.c: window_add_plain() of a window that is not full yet, or keeps no average. */
void window_add_young(struct window *self, float x, double rate);

/* window_add() for a plain window and a weight of 1; `rate` is window_rate(). */
static inline void window_add_plain(struct window *self, float x, double rate)
{
    if (self->total < self->capacity || !self->averages) {
        window_add_young(self, x, rate);
        return;
    }
    float *place = window_place(self, self->next);
    const double in = (double)x, out = (double)*place;
    *place = x;
    self->next = self->next + 1 == self->capacity ? 0 : self->next + 1;
    self->ewma = (1.0 - rate) * self->ewma + rate * in;
    self->total++;
    if (self->more && self->more->watch.on)
        window_watch(&self->more->watch, in, 1, out, 1);
    if (!self->sums)
        return;
    if (!self->exact)
        window_sum_wide(self, x, 1, (float)out, 1);
    else if (!window_add_exactly(&self->sum, -out) || !window_add_exactly(&self->sum, in))
        window_widen(self);
}

/* Numbers that stand as far apart, as floats or as doubles. */
struct window_numbers {
    const char *at;
    uint32_t stride; /* bytes */
    bool singles;
};

static inline double window_number(const struct window_numbers *self, uint32_t index)
{
    const char *at = self->at + (size_t)index * self->stride;
    return self->singles ? (double)*(const float *)(const void *)at : *(const double *)(const void *)at;
}

/* window_add_plain() for values of a full window whose places do not begin anew in between, from number `from` on; how
 * many of them it took: it stops where the sum would lose something. `sums` and whether there is a watch are known where it
 * is called. */
static inline uint32_t window_add_run(struct window *self, const struct window_numbers values, uint32_t from,
                                      uint32_t count, double rate, const bool sums, struct watch *const watch)
{
    float *place = window_place(self, self->next);
    const size_t step = self->stride;
    double sum = self->sum, ewma = self->ewma;
    uint32_t i = 0;
    for (; i < count; i++, place += step) {
        const float x = (float)window_number(&values, from + i) + 0.0F;
        const double in = (double)x, out = (double)*place;
        double after = sum;
        if (sums && (!window_add_exactly(&after, -out) || !window_add_exactly(&after, in)))
            break;
        *place = x;
        sum = after;
        ewma = (1.0 - rate) * ewma + rate * in;
        if (watch)
            window_watch(watch, in, 1, out, 1);
    }
    self->sum = sum;
    self->ewma = ewma;
    self->next = self->next + i == self->capacity ? 0 : self->next + i;
    self->total += i;
    return i;
}

/* window_add_plain() for several values, one after the other, none of which a float would have to saturate. 20
 * instructions a value, 30 more for a sum. */
static inline void window_add_all(struct window *self, const struct window_numbers values, uint32_t count, double rate)
{
    struct watch *watch = self->more && self->more->watch.on ? &self->more->watch : NULL;
    for (uint32_t run, from = 0, taken = 0; from < count; from += taken) {
        run = self->capacity - self->next < count - from ? self->capacity - self->next : count - from;
        if (self->total < self->capacity || !self->averages || (self->sums && !self->exact))
            taken = 0;
        else if (watch)
            taken = window_add_run(self, values, from, run, rate, self->sums, watch);
        else if (self->sums)
            taken = window_add_run(self, values, from, run, rate, true, NULL);
        else
            taken = window_add_run(self, values, from, run, rate, false, NULL);
        if (taken > 0)
            continue;
        window_add_plain(self, window_single(window_number(&values, from)), rate);
        taken = 1;
    }
}

/* The same for up to WINDOW_MANY values of two full windows that are as far, the place of each value of `beside` right
 * behind that of the other's, or of one (NULL), up to the end of the ring. The numbers of `beside` stand `apart` bytes
 * behind; floats, side by side. False, and nothing was taken: window_add_all() has more to do than this does. Some 20
 * instructions for two values, sums included. */
#define WINDOW_MANY 64
bool window_add_many(struct window *self, struct window *beside, struct window_numbers values, size_t apart,
                     uint32_t count, double rate);

static inline bool window_are_beside(const struct window *self, const struct window *other)
{
    return other->values == self->values + 1 && other->next == self->next && other->stride == self->stride &&
           other->capacity == self->capacity;
}

/* Whether the watched statistic is beyond a limit, by the weight of what is. */
static inline int window_watch_side(const struct window *self)
{
    const struct watch *watch = &self->more->watch;
    if ((watch->below_weight | watch->above_weight) == 0)
        return 0;
    const uint64_t weight = window_weight(self), needed = weight * watch->percent; /* in hundredths: below 2^63 */
    if (watch->below_weight > 0 && watch->below_weight * 100 >= needed)
        return -1;
    const uint64_t within = weight - watch->above_weight;
    return within == 0 || within * 100 < needed ? 1 : 0;
}

/* True: window_judge() of a window that is not empty would say 0, and *observed does not matter. False: ask it. */
static inline bool window_within(const struct window *self, enum window_stat stat, double min, double max)
{
    if (stat == WINDOW_MEAN && self->sums && self->exact && !window_weighted(self)) {
        const double observed = self->sum / (double)window_held(self);
        if (!(observed < min) && !(observed > max)) /* false for NAN */
            return true;
        return !(observed < min - window_blur(min)) && !(observed > max + window_blur(max));
    }
    const struct watch *watch = self->more && self->more->watch.on ? &self->more->watch : NULL;
    return watch && watch->stat == stat && memcmp(&watch->min, &min, sizeof min) == 0 &&
           memcmp(&watch->max, &max, sizeof max) == 0 && window_watch_side(self) == 0;
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
uint32_t window_percent(enum window_stat stat);

#endif

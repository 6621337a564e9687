#include "lib/stats/window.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "lib/stats/window_inside.h"



static const char *const stat_names[WINDOW_STATS] = {
    [WINDOW_LAST] = "last", [WINDOW_MEAN] = "mean",     [WINDOW_MIN] = "min",
    [WINDOW_MAX] = "max",   [WINDOW_MEDIAN] = "median", [WINDOW_P90] = "p90",
    [WINDOW_P95] = "p95",   [WINDOW_P99] = "p99",       [WINDOW_EWMA] = "ewma",
};

static size_t slots_of(const struct window *self)
{
    return (size_t)self->capacity * (self->ordered ? 2 : 1);
}

int window_new_for(struct window **self_p, uint32_t capacity, const struct window_use *use)
{
    *self_p = NULL;
    if (capacity < 1 || capacity > WINDOW_CAPACITY_MAX)
        return -EINVAL;
    const bool ordered = use->ranks > 1 || (use->ranks == 1 && capacity > WINDOW_ORDER_ABOVE);
    const bool watched = use->ranks == 1 && !ordered;
    size_t bytes = sizeof(struct window) + (size_t)capacity * (ordered ? 2 : 1) * sizeof(float);
    const size_t watch_at = (bytes + 7) & ~(size_t)7;
    bytes = watched ? watch_at + sizeof(struct watch) : bytes;
    struct window *self = malloc(bytes);
    if (!self)
        return -ENOMEM;
    *self = (struct window){.capacity = capacity, .ordered = ordered, .sums = use->sum, .averages = use->ewma, .exact = true};
    if (watched) {
        self->watch = (struct watch *)(void *)((char *)self + watch_at);
        *self->watch = (struct watch){.stat = use->rank,
                                      .min = use->min,
                                      .max = use->max,
                                      .below = isnan(use->min) ? -INFINITY : use->min - window_blur(use->min),
                                      .above = isnan(use->max) ? INFINITY : use->max + window_blur(use->max)};
    }
    *self_p = self;
    return 0;
}

int window_new(struct window **self_p, uint32_t capacity, bool ordered)
{
    return window_new_for(self_p, capacity, &(struct window_use){.sum = true, .ewma = true, .ranks = ordered ? 2 : 0});
}

int window_reserve_weights(struct window *self)
{
    if (self->weights)
        return 0;
    float *weights = malloc(slots_of(self) * sizeof(float));
    if (!weights)
        return -ENOMEM;
    for (size_t i = 0; i < slots_of(self); i++)
        weights[i] = 1;
    self->weights = weights;
    return 0;
}

static float single(double value)
{
    if (value > (double)FLT_MAX)
        return FLT_MAX;
    if (value < -(double)FLT_MAX)
        return -FLT_MAX;
    return (float)value + 0.0F; /* -0 becomes 0: one zero, one place in the order */
}

/* --- the sum --- */

static struct exact_sum sum_up(const struct window *self)
{
    struct exact_sum sum;
    exact_sum_clear(&sum);
    for (uint32_t i = 0; i < self->count; i++)
        exact_sum_add(&sum, self->values[i], self->weights ? (uint64_t)self->weights[i] : 1);
    return sum;
}

/* Adds a term (of at most 48 bits, so a double) to a sum; false when that loses something. */
static inline bool add_exactly(double *sum, double term)
{
    const double whole = *sum + term, part = whole - *sum;
    const double lost = (*sum - (whole - part)) + (term - part);
    *sum = whole;
    return lost == 0.0;
}

static void widen(struct window *self)
{
    self->exact = false;
    if (!self->wide)
        self->wide = malloc(sizeof *self->wide);
    if (self->wide)
        *self->wide = sum_up(self);
}

/* Once a round: perhaps what needed so much room has left. */
static void narrow(struct window *self)
{
    double sum = 0;
    bool exact = true;
    for (uint32_t i = 0; i < self->count && exact; i++)
        exact = add_exactly(&sum, (double)self->values[i] * (self->weights ? (double)self->weights[i] : 1));
    self->exact = exact;
    self->sum = sum;
}

void window_sum_again(struct window *self)
{
    narrow(self);
    if (!self->exact)
        widen(self);
}

/* `x` has come and stands in the ring already; `out` has left, where out_weight is not 0. */
static void sum_wide(struct window *self, float x, uint64_t w, float out, uint64_t out_weight)
{
    if (self->next == 0)
        narrow(self);
    if (self->exact || !self->wide)
        return;
    if (out_weight)
        exact_sum_take(self->wide, out, out_weight);
    exact_sum_add(self->wide, x, w);
}

void window_add(struct window *self, double value, uint64_t weight)
{
    assert(isfinite(value) && weight >= 1 && (weight == 1 || self->weights));
    const float x = single(value);
    const float w = weight == 1 ? 1 : (float)(weight < EXACT_SUM_WEIGHT_MAX ? weight : EXACT_SUM_WEIGHT_MAX);
    float out = 0, out_weight = 0;
    if (self->ordered)
        window_order_take(self, x, w);
    if (self->count == self->capacity) {
        out = self->values[self->next];
        out_weight = self->weights ? self->weights[self->next] : 1;
    } else {
        self->count++;
    }
    self->weight += (uint64_t)w - (uint64_t)out_weight;
    self->values[self->next] = x;
    if (self->weights)
        self->weights[self->next] = w;
    self->next = self->next + 1 == self->capacity ? 0 : self->next + 1;
    if (self->watch)
        watch_take(self->watch, (double)x, (uint64_t)w, (double)out, (uint64_t)out_weight);
    if (self->sums) {
        if (!self->exact)
            sum_wide(self, x, (uint64_t)w, out, (uint64_t)out_weight);
        else if (!add_exactly(&self->sum, -(double)out * (double)out_weight) ||
                 !add_exactly(&self->sum, (double)x * (double)w))
            widen(self);
    }
    if (self->averages) {
        /* Written so that a rate of 1 gives x itself, whatever came before. */
        double rate = 2.0 / (self->capacity + 1.0);
        self->ewma = self->total ? (1.0 - rate) * self->ewma + rate * (double)x : (double)x;
    }
    self->total++;
}

void window_prefetch_head(const struct window *self)
{
    __builtin_prefetch(self, 1);
    __builtin_prefetch((const char *)self + 64, 1);
}

/* A short order is loaded whole; in a long one the search finds its own way. */
void window_prefetch(const struct window *self)
{
    const float *order = self->values + self->capacity;
    __builtin_prefetch(self->values + self->next, 1);
    if (self->watch)
        __builtin_prefetch(self->watch, 1);
    if (self->weights)
        __builtin_prefetch(self->weights + self->next, 1);
    if (self->ordered)
        for (uint32_t i = 0; i < self->count && i < 128; i += 16)
            __builtin_prefetch(order + i, 1);
}

static double mean(const struct window *self)
{
    if (self->sums && self->exact)
        return self->sum / (double)self->weight;
    if (self->sums && self->wide)
        return exact_sum_get(self->wide) / (double)self->weight;
    const struct exact_sum sum = sum_up(self);
    return exact_sum_get(&sum) / (double)self->weight;
}

double window_get(const struct window *self, enum window_stat stat)
{
    if (self->count == 0 || (stat == WINDOW_EWMA && !self->averages))
        return NAN;
    if (window_by_rank(stat))
        return window_rank(self, stat);
    switch (stat) {
    case WINDOW_LAST:
        return (double)self->values[self->next ? self->next - 1 : self->capacity - 1];
    case WINDOW_MEAN:
        return mean(self);
    case WINDOW_EWMA:
        return self->ewma;
    case WINDOW_MIN:
    case WINDOW_MAX:
    case WINDOW_MEDIAN:
    case WINDOW_P90:
    case WINDOW_P95:
    case WINDOW_P99:
    case WINDOW_STATS:
        break;
    }
    return NAN;
}

uint32_t window_count(const struct window *self)
{
    return self->count;
}

uint64_t window_total(const struct window *self)
{
    return self->total;
}

uint32_t window_capacity(const struct window *self)
{
    return self->capacity;
}

uint32_t window_recent(const struct window *self, float *out, uint32_t most)
{
    uint32_t count = most < self->count ? most : self->count;
    uint32_t from_start = count < self->next ? count : self->next; /* those before `next`; older ones end the ring */
    uint32_t from_end = count - from_start;
    memcpy(out, self->values + self->capacity - from_end, from_end * sizeof *out);
    memcpy(out + from_end, self->values + self->next - from_start, from_start * sizeof *out);
    return count;
}

bool window_below(double observed, double limit)
{
    return observed < limit - window_blur(limit);
}

bool window_above(double observed, double limit)
{
    return observed > limit + window_blur(limit);
}

int window_stat_of(struct text name, enum window_stat *out)
{
    for (int i = 0; i < WINDOW_STATS; i++) {
        if (text_is(name, stat_names[i])) {
            *out = (enum window_stat)i;
            return 0;
        }
    }
    return -ENOENT;
}

const char *window_stat_name(enum window_stat stat)
{
    assert(stat >= 0 && stat < WINDOW_STATS);
    return stat_names[stat];
}

void window_reset(struct window *self)
{
    self->count = self->next = 0;
    self->total = self->weight = 0;
    self->exact = true;
    self->sum = self->ewma = 0;
    if (self->watch)
        self->watch->below_weight = self->watch->above_weight = 0;
}

void window_destroy(struct window **self_p)
{
    if (!*self_p)
        return;
    free((*self_p)->weights);
    free((*self_p)->wide);
    free(*self_p);
    *self_p = NULL;
}

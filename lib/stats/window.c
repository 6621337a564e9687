#include <errno.h>
#include <stdlib.h>

#include "lib/stats/window_inside.h"

static const char *const stat_names[WINDOW_STATS] = {
    [WINDOW_LAST] = "last", [WINDOW_MEAN] = "mean",     [WINDOW_MIN] = "min",
    [WINDOW_MAX] = "max",   [WINDOW_MEDIAN] = "median", [WINDOW_P90] = "p90",
    [WINDOW_P95] = "p95",   [WINDOW_P99] = "p99",       [WINDOW_EWMA] = "ewma",
};

static struct window_more *more_of(struct window *self)
{
    if (!self->more)
        self->more = calloc(1, sizeof *self->more);
    return self->more;
}

static struct watch watch_for(const struct window_use *use)
{
    return (struct watch){.stat = use->rank,
                          .percent = (uint8_t)window_percent(use->rank),
                          .on = true,
                          .min = use->min,
                          .max = use->max,
                          .below = isnan(use->min) ? -INFINITY : use->min - window_blur(use->min),
                          .above = isnan(use->max) ? INFINITY : use->max + window_blur(use->max)};
}

int window_init(struct window *self, uint32_t capacity, const struct window_use *use)
{
    *self = (struct window){.capacity = capacity, .stride = 1, .sums = use->sum, .averages = use->ewma, .exact = true};
    if (use->ranks == 0)
        return 0;
    if (!more_of(self))
        return -ENOMEM;
    if (use->ranks == 1 && capacity <= WINDOW_ORDER_ABOVE) {
        self->more->watch = watch_for(use);
        return 0;
    }
    self->more->order = malloc(capacity * sizeof *self->more->order);
    if (self->more->order)
        return 0;
    window_clear(self);
    return -ENOMEM;
}

int window_new_for(struct window **self_p, uint32_t capacity, const struct window_use *use)
{
    *self_p = NULL;
    if (capacity < 1 || capacity > WINDOW_CAPACITY_MAX)
        return -EINVAL;
    struct window *self = malloc(sizeof *self + capacity * sizeof *self->values);
    if (!self)
        return -ENOMEM;
    if (window_init(self, capacity, use) != 0) {
        free(self);
        return -ENOMEM;
    }
    self->values = (float *)(self + 1);
    *self_p = self;
    return 0;
}

int window_new(struct window **self_p, uint32_t capacity, bool ordered)
{
    return window_new_for(self_p, capacity, &(struct window_use){.sum = true, .ewma = true, .ranks = ordered ? 2 : 0});
}

int window_reserve_weights(struct window *self)
{
    if (window_weighted(self))
        return 0;
    if (!more_of(self))
        return -ENOMEM;
    size_t slots = (size_t)self->capacity * (self->more->order ? 2 : 1);
    float *weights = malloc(slots * sizeof *weights);
    if (!weights)
        return -ENOMEM;
    for (size_t i = 0; i < slots; i++)
        weights[i] = 1;
    self->more->weights = weights;
    self->more->weight = window_held(self);
    return 0;
}

/* --- the sum --- */

static struct exact_sum sum_up(const struct window *self)
{
    struct exact_sum sum;
    exact_sum_clear(&sum);
    for (uint32_t i = 0, held = window_held(self); i < held; i++)
        exact_sum_add(&sum, *window_place(self, i), (uint64_t)window_weight_at(self, i));
    return sum;
}

static struct exact_sum *wide_of(const struct window *self)
{
    return self->more ? self->more->wide : NULL;
}

/* Without memory the sum is added up each time it is asked for. */
void window_widen(struct window *self)
{
    self->exact = false;
    if (more_of(self) && !self->more->wide)
        self->more->wide = malloc(sizeof *self->more->wide);
    if (wide_of(self))
        *self->more->wide = sum_up(self);
}

/* Once a round: perhaps what needed so much room has left. */
static void narrow(struct window *self)
{
    self->sum = 0;
    self->exact = true;
    for (uint32_t i = 0, held = window_held(self); i < held && self->exact; i++)
        self->exact =
            window_add_exactly(&self->sum, (double)*window_place(self, i) * (double)window_weight_at(self, i));
}

void window_sum_again(struct window *self)
{
    narrow(self);
    if (!self->exact)
        window_widen(self);
}

/* `x` has come and stands in the ring already; `out` has left, where out_weight is not 0. */
void window_sum_wide(struct window *self, float x, uint64_t w, float out, uint64_t out_weight)
{
    if (self->next == 0)
        narrow(self);
    if (self->exact || !wide_of(self))
        return;
    if (out_weight)
        exact_sum_take(self->more->wide, out, out_weight);
    exact_sum_add(self->more->wide, x, w);
}

/* --- taking a value --- */

static void take_place(struct window *self, float x, double rate)
{
    *window_place(self, self->next) = x;
    self->next = self->next + 1 == self->capacity ? 0 : self->next + 1;
    if (self->averages) /* written so that a rate of 1 gives x itself, whatever came before */
        self->ewma = self->total ? (1.0 - rate) * self->ewma + rate * (double)x : (double)x;
    self->total++;
}

void window_add_young(struct window *self, float x, double rate)
{
    const bool full = self->total >= self->capacity;
    const double in = (double)x, out = full ? (double)*window_place(self, self->next) : 0;
    take_place(self, x, rate);
    if (self->more && self->more->watch.on)
        window_watch(&self->more->watch, in, 1, out, full);
    if (!self->sums)
        return;
    if (!self->exact)
        window_sum_wide(self, x, 1, (float)out, full);
    else if (!window_add_exactly(&self->sum, -out) || !window_add_exactly(&self->sum, in))
        window_widen(self);
}

/* With weights or an order. */
static void add_more(struct window *self, float x, uint64_t weight)
{
    struct window_more *more = self->more;
    const uint32_t place = self->next;
    const bool full = self->total >= self->capacity;
    const float w = (float)(weight < EXACT_SUM_WEIGHT_MAX ? weight : EXACT_SUM_WEIGHT_MAX);
    const float out = full ? *window_place(self, place) : 0, out_weight = full ? window_weight_at(self, place) : 0;
    if (more->order)
        window_order_take(self, x, w);
    if (more->weights) {
        more->weights[place] = w;
        more->weight += (uint64_t)w - (uint64_t)out_weight;
    }
    take_place(self, x, window_rate(self));
    if (more->watch.on)
        window_watch(&more->watch, (double)x, (uint64_t)w, (double)out, (uint64_t)out_weight);
    if (!self->sums)
        return;
    if (!self->exact)
        window_sum_wide(self, x, (uint64_t)w, out, (uint64_t)out_weight);
    else if (!window_add_exactly(&self->sum, -(double)out * (double)out_weight) ||
             !window_add_exactly(&self->sum, (double)x * (double)w))
        window_widen(self);
}

void window_add(struct window *self, double value, uint64_t weight)
{
    assert(isfinite(value) && weight >= 1 && (weight == 1 || window_weighted(self)));
    if (window_plain(self))
        window_add_plain(self, window_single(value), window_rate(self));
    else
        add_more(self, window_single(value), weight);
}

static double mean(const struct window *self)
{
    const double weight = (double)window_weight(self);
    if (self->sums && self->exact)
        return self->sum / weight;
    if (self->sums && wide_of(self))
        return exact_sum_get(self->more->wide) / weight;
    const struct exact_sum sum = sum_up(self);
    return exact_sum_get(&sum) / weight;
}

double window_get(const struct window *self, enum window_stat stat)
{
    if (self->total == 0 || (stat == WINDOW_EWMA && !self->averages))
        return NAN;
    if (window_by_rank(stat))
        return window_rank(self, stat);
    switch (stat) {
    case WINDOW_LAST:
        return (double)*window_place(self, self->next ? self->next - 1 : self->capacity - 1);
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
    return window_held(self);
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
    const uint32_t held = window_held(self), count = most < held ? most : held;
    uint32_t place = self->next >= count ? self->next - count : self->next + self->capacity - count;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = *window_place(self, place);
        place = place + 1 == self->capacity ? 0 : place + 1;
    }
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
    self->next = 0;
    self->total = 0;
    self->exact = true;
    self->sum = self->ewma = 0;
    if (self->more) {
        self->more->weight = 0;
        self->more->watch.below_weight = self->more->watch.above_weight = 0;
    }
}

void window_clear(struct window *self)
{
    if (!self->more)
        return;
    free(self->more->order);
    free(self->more->weights);
    free(self->more->wide);
    free(self->more);
    self->more = NULL;
}

void window_destroy(struct window **self_p)
{
    if (!*self_p)
        return;
    window_clear(*self_p);
    free(*self_p);
    *self_p = NULL;
}

#include "lib/stats/window.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "lib/stats/exact_sum.h"

/* The ring and, behind it, the same values in order; weights likewise, in an array of their own. An order runs by
 * value, then by weight, so that the pair that leaves can be found again. */
struct window {
    uint32_t capacity, count;
    uint32_t next; /* where in the ring the next value goes; once it is full, that is the oldest */
    bool ordered;
    uint64_t total;  /* values ever taken */
    uint64_t weight; /* of all in the window: exact, 2^36 * 2^20 at most */
    struct exact_sum sum;
    double ewma;
    float *weights; /* NULL while all are 1 */
    float values[];
};

static_assert(WINDOW_CAPACITY_MAX <= 1 << 20, "the sums have room for 2^20 values");

static const char *const stat_names[WINDOW_STATS] = {
    [WINDOW_LAST] = "last", [WINDOW_MEAN] = "mean",     [WINDOW_MIN] = "min",
    [WINDOW_MAX] = "max",   [WINDOW_MEDIAN] = "median", [WINDOW_P90] = "p90",
    [WINDOW_P95] = "p95",   [WINDOW_P99] = "p99",       [WINDOW_EWMA] = "ewma",
};

static size_t slots_of(const struct window *self)
{
    return (size_t)self->capacity * (self->ordered ? 2 : 1);
}

int window_new(struct window **self_p, uint32_t capacity, bool ordered)
{
    *self_p = NULL;
    if (capacity < 1 || capacity > WINDOW_CAPACITY_MAX)
        return -EINVAL;
    struct window *self = malloc(sizeof *self + (size_t)capacity * (ordered ? 2 : 1) * sizeof(float));
    if (!self)
        return -ENOMEM;
    *self = (struct window){.capacity = capacity, .ordered = ordered};
    *self_p = self;
    return 0;
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

static float *order_of(struct window *self)
{
    return self->values + self->capacity;
}

/* How many of the order stand before (value, weight). */
static uint32_t order_find(const float *values, const float *weights, uint32_t count, float value, float weight)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        bool before = values[middle] < value || (weights && values[middle] == value && weights[middle] < weight);
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    return low;
}

/* Closes the gap at `out` and opens one at `in`, a place of the order as it stands before; puts `item` there. */
static void order_move(float *at, uint32_t out, uint32_t in, float item)
{
    if (in > out) {
        in--; /* what leaves stood before it */
        memmove(at + out, at + out + 1, (in - out) * sizeof *at);
    } else {
        memmove(at + in + 1, at + in, (out - in) * sizeof *at);
    }
    at[in] = item;
}

/* Brings (value, weight) into the order; in a full window the pair that `next` points at leaves it. */
static void order_take(struct window *self, float value, float weight)
{
    float *values = order_of(self), *weights = self->weights ? self->weights + self->capacity : NULL;
    uint32_t out = self->count;
    if (self->count == self->capacity) {
        float leaving = weights ? self->weights[self->next] : 1;
        out = order_find(values, weights, self->count, self->values[self->next], leaving);
    }
    uint32_t in = order_find(values, weights, self->count, value, weight);
    order_move(values, out, in, value);
    if (weights)
        order_move(weights, out, in, weight);
}

static float single(double value)
{
    if (value > (double)FLT_MAX)
        return FLT_MAX;
    if (value < -(double)FLT_MAX)
        return -FLT_MAX;
    return (float)value + 0.0F; /* -0 becomes 0: one zero, one place in the order */
}

void window_add(struct window *self, double value, uint64_t weight)
{
    assert(isfinite(value) && weight >= 1 && (weight == 1 || self->weights));
    const float x = single(value);
    const float w = (float)(weight < EXACT_SUM_WEIGHT_MAX ? weight : EXACT_SUM_WEIGHT_MAX);
    if (self->ordered)
        order_take(self, x, w);
    if (self->count == self->capacity) {
        uint64_t leaving = self->weights ? (uint64_t)self->weights[self->next] : 1;
        exact_sum_take(&self->sum, self->values[self->next], leaving);
        self->weight -= leaving;
    } else {
        self->count++;
    }
    exact_sum_add(&self->sum, x, (uint64_t)w);
    self->weight += (uint64_t)w;
    self->values[self->next] = x;
    if (self->weights)
        self->weights[self->next] = w;
    self->next = self->next + 1 == self->capacity ? 0 : self->next + 1;

    /* Written so that a rate of 1 gives x itself, whatever came before. */
    double rate = 2.0 / (self->capacity + 1.0);
    self->ewma = self->total ? (1.0 - rate) * self->ewma + rate * (double)x : (double)x;
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
    if (self->weights)
        __builtin_prefetch(self->weights + self->next, 1);
    if (self->ordered)
        for (uint32_t i = 0; i < self->count && i < 128; i += 16)
            __builtin_prefetch(order + i, 1);
}

/* The smallest value whose cumulative weight reaches `percent` of the whole, in whole numbers: no rounding decides. */
static double quantile(const struct window *self, uint32_t percent)
{
    const float *values = self->values + self->capacity;
    if (!self->weights)
        return (double)values[((uint64_t)self->count * percent + 99) / 100 - 1];
    const float *weights = self->weights + self->capacity;
    const uint64_t needed = self->weight * percent; /* in hundredths: below 2^63 */
    uint32_t at = self->count - 1;
    uint64_t below = self->weight - (uint64_t)weights[at]; /* cumulative weight of the next lower one */
    while (at > 0 && below * 100 >= needed)
        below -= (uint64_t)weights[--at];
    return (double)values[at];
}

double window_get(const struct window *self, enum window_stat stat)
{
    bool needs_order = stat >= WINDOW_MIN && stat <= WINDOW_P99;
    if (self->count == 0 || (needs_order && !self->ordered))
        return NAN;
    switch (stat) {
    case WINDOW_LAST:
        return (double)self->values[self->next ? self->next - 1 : self->capacity - 1];
    case WINDOW_MEAN:
        return exact_sum_get(&self->sum) / (double)self->weight;
    case WINDOW_MIN:
        return (double)self->values[self->capacity];
    case WINDOW_MAX:
        return (double)self->values[self->capacity + self->count - 1];
    case WINDOW_MEDIAN:
        return quantile(self, 50);
    case WINDOW_P90:
        return quantile(self, 90);
    case WINDOW_P95:
        return quantile(self, 95);
    case WINDOW_P99:
        return quantile(self, 99);
    case WINDOW_EWMA:
        return self->ewma;
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

/* Half a unit of the last place of a float, which is how far rounding moves a value; a little more for the double
 * arithmetic behind it, and the half unit that the smallest floats have, so that a limit of 0 has one as well. */
static double blur(double limit)
{
    return fabs(limit) * 0x1.00001p-24 + 0x1p-150;
}

bool window_below(double observed, double limit)
{
    return observed < limit - blur(limit);
}

bool window_above(double observed, double limit)
{
    return observed > limit + blur(limit);
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
    exact_sum_clear(&self->sum);
    self->ewma = 0;
}

/* --- saving and loading --- */

/* Values or weights, the oldest first. What is loaded fills the ring from its start. */
static void walk_ring(struct window *self, float *ring, struct codec *codec)
{
    const uint32_t oldest = !codec_loads(codec) && self->count == self->capacity ? self->next : 0;
    codec_f32s(codec, ring + oldest, self->count - oldest);
    codec_f32s(codec, ring, oldest);
}

struct pair {
    float value, weight;
};

static int by_value(const void *a, const void *b)
{
    const float *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static int by_value_then_weight(const void *a, const void *b)
{
    const struct pair *left = a, *right = b;
    const int by = by_value(&left->value, &right->value);
    return by ? by : by_value(&left->weight, &right->weight);
}

/* The order of the values that the ring holds from its start. */
static int order_make(struct window *self)
{
    float *values = order_of(self);
    if (!self->weights) {
        memcpy(values, self->values, self->count * sizeof *values);
        qsort(values, self->count, sizeof *values, by_value);
        return 0;
    }
    struct pair *pairs = malloc((self->count + (size_t)1) * sizeof *pairs);
    if (!pairs)
        return -ENOMEM;
    for (uint32_t i = 0; i < self->count; i++)
        pairs[i] = (struct pair){self->values[i], self->weights[i]};
    qsort(pairs, self->count, sizeof *pairs, by_value_then_weight);
    for (uint32_t i = 0; i < self->count; i++) {
        values[i] = pairs[i].value;
        self->weights[self->capacity + i] = pairs[i].weight;
    }
    free(pairs);
    return 0;
}

/* Makes of the values in the ring what else is kept. False: they are not what window_add() lets in. */
static bool rebuild(struct window *self, struct codec *codec)
{
    bool good = isfinite(self->ewma) && (self->total == self->count || (self->total > self->count && self->count == self->capacity));
    for (uint32_t i = 0; good && i < self->count; i++) {
        const float w = self->weights ? self->weights[i] : 1;
        good = isfinite(self->values[i]) && w >= 1 && w <= (float)EXACT_SUM_WEIGHT_MAX;
        if (!good)
            break;
        exact_sum_add(&self->sum, self->values[i], (uint64_t)w);
        self->weight += (uint64_t)w;
    }
    self->next = self->count == self->capacity ? 0 : self->count;
    if (good && self->ordered && order_make(self) != 0)
        codec->out_of_memory = true;
    return good && !codec->out_of_memory;
}

bool window_walk(struct window *self, struct codec *codec)
{
    struct window head = {.capacity = 0};
    if (!codec_loads(codec))
        head = *self;
    bool weighted = head.weights != NULL;
    codec_u32(codec, &head.capacity, WINDOW_CAPACITY_MAX);
    codec_u32(codec, &head.count, head.capacity);
    codec_u64(codec, &head.total);
    codec_f64(codec, &head.ewma);
    codec_flag(codec, &weighted);
    if (codec->failed)
        return false;
    if (codec_loads(codec)) {
        if (!self || self->capacity != head.capacity) {
            codec_skip(codec, head.count * sizeof(float) * (weighted ? 2 : 1));
            return false;
        }
        self->count = head.count;
        self->total = head.total;
        self->ewma = head.ewma;
        if (weighted && window_reserve_weights(self) != 0)
            codec->failed = codec->out_of_memory = true;
    }
    walk_ring(self, self->values, codec);
    if (weighted)
        walk_ring(self, self->weights, codec);
    if (!codec_loads(codec))
        return true;
    if (codec->failed || !rebuild(self, codec)) {
        window_reset(self);
        codec->failed = true;
        return false;
    }
    return true;
}

void window_destroy(struct window **self_p)
{
    if (!*self_p)
        return;
    free((*self_p)->weights);
    free(*self_p);
    *self_p = NULL;
}

#include <assert.h>

#include "lib/stats/window_inside.h"

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

void window_order_take(struct window *self, float value, float weight)
{
    const uint32_t held = window_held(self);
    float *values = self->more->order, *weights = self->more->weights ? self->more->weights + self->capacity : NULL;
    uint32_t out = held;
    if (held == self->capacity)
        out = order_find(values, weights, held, *window_place(self, self->next), window_weight_at(self, self->next));
    uint32_t in = order_find(values, weights, held, value, weight);
    order_move(values, out, in, value);
    if (weights)
        order_move(weights, out, in, weight);
}

uint32_t window_percent(enum window_stat stat)
{
    switch (stat) {
    case WINDOW_MEDIAN:
        return 50;
    case WINDOW_P90:
        return 90;
    case WINDOW_P95:
        return 95;
    case WINDOW_P99:
        return 99;
    case WINDOW_MAX:
        return 100;
    case WINDOW_LAST:
    case WINDOW_MEAN:
    case WINDOW_MIN:
    case WINDOW_EWMA:
    case WINDOW_STATS:
        break;
    }
    return 0; /* the least: reached by the first value */
}

/* The smallest value whose cumulative weight reaches `percent` of the whole, in whole numbers: no rounding decides. */
static double quantile(const struct window *self, uint32_t percent)
{
    const uint32_t held = window_held(self);
    const float *values = self->more->order;
    if (!self->more->weights)
        return (double)values[((uint64_t)held * percent + 99) / 100 - 1];
    const float *weights = self->more->weights + self->capacity;
    const uint64_t needed = self->more->weight * percent; /* in hundredths: below 2^63 */
    uint32_t at = held - 1;
    uint64_t below = self->more->weight - (uint64_t)weights[at]; /* cumulative weight of the next lower one */
    while (at > 0 && below * 100 >= needed)
        below -= (uint64_t)weights[--at];
    return (double)values[at];
}

/* Floats as whole numbers in the same order. */
static uint32_t key_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static float value_of(uint32_t key)
{
    const uint32_t bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Without an order: the least value whose cumulative weight is enough, one bit after the other from the highest. Takes
 * no memory, and 32 looks at the window. */
static double search(const struct window *self, uint32_t percent)
{
    uint32_t key = 0;
    const uint32_t held = window_held(self);
    const uint64_t needed = window_weight(self) * percent;
    for (uint32_t bit = 1u << 31; bit; bit >>= 1) {
        uint64_t below = 0; /* of what is less than key + bit */
        for (uint32_t i = 0; i < held; i++)
            below += key_of(*window_place(self, i)) < key + bit ? (uint64_t)window_weight_at(self, i) : 0;
        if (below * 100 < needed || below == 0)
            key += bit;
    }
    return (double)value_of(key);
}

/* Which value the smallest `rank` + 1 of `at` end with (Hoare 1961). */
static float select_rank(float *at, uint32_t count, uint32_t rank)
{
    while (count > 1) {
        /* cppcheck-suppress uninitvar ; at[0] to at[count - 1] are the caller's */
        const float pivot = at[(count - 1) / 2];
        uint32_t i = 0, j = count - 1;
        for (;;) {
            while (i < count - 1 && at[i] < pivot)
                i++;
            while (j > 0 && pivot < at[j])
                j--;
            if (i >= j)
                break;
            const float other = at[i];
            at[i++] = at[j];
            at[j--] = other;
        }
        /* What is before j + 1 is at most the pivot, what is behind it at least. */
        if (rank <= j) {
            count = j + 1;
        } else {
            at += j + 1;
            rank -= j + 1;
            count -= j + 1;
        }
    }
    return at[0];
}

double window_rank(const struct window *self, enum window_stat stat)
{
    const uint32_t percent = window_percent(stat), held = window_held(self);
    if (self->more && self->more->order)
        return stat == WINDOW_MIN ? (double)self->more->order[0] : quantile(self, percent);
    if (window_weighted(self) || held > WINDOW_ORDER_ABOVE)
        return search(self, percent);
    assert(held > 0);
    float copy[WINDOW_ORDER_ABOVE];
    for (uint32_t i = 0; i < held; i++)
        copy[i] = *window_place(self, i);
    const uint64_t reached = ((uint64_t)held * percent + 99) / 100;
    /* cppcheck-suppress uninitvar ; held > 0 */
    return (double)select_rank(copy, held, reached ? (uint32_t)reached - 1 : 0);
}

static bool same_limit(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

int window_judge(const struct window *self, enum window_stat stat, double min, double max, double *observed)
{
    const struct watch *watch = self->more && self->more->watch.on ? &self->more->watch : NULL;
    *observed = NAN;
    if (watch && self->total && watch->stat == stat && same_limit(watch->min, min) && same_limit(watch->max, max)) {
        const int side = window_watch_side(self);
        if (side)
            *observed = window_get(self, stat);
        return side;
    }
    *observed = window_get(self, stat);
    return !isnan(min) && window_below(*observed, min) ? -1 : !isnan(max) && window_above(*observed, max) ? 1 : 0;
}

#include <errno.h>
#include <stdlib.h>

#include "lib/stats/window_inside.h"

/* Values or weights, the oldest first. What is loaded fills the ring from its start. */
static void walk_ring(const struct window *self, float *ring, uint32_t stride, struct codec *codec)
{
    const uint32_t held = window_held(self);
    uint32_t place = !codec_loads(codec) && held == self->capacity ? self->next : 0;
    for (uint32_t i = 0; i < held; i++) {
        codec_f32s(codec, ring + (size_t)place * stride, 1);
        place = place + 1 == self->capacity ? 0 : place + 1;
    }
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
    const uint32_t held = window_held(self);
    float *values = self->more->order;
    if (!self->more->weights) {
        for (uint32_t i = 0; i < held; i++)
            values[i] = *window_place(self, i);
        qsort(values, held, sizeof *values, by_value);
        return 0;
    }
    struct pair *pairs = malloc((held + (size_t)1) * sizeof *pairs);
    if (!pairs)
        return -ENOMEM;
    for (uint32_t i = 0; i < held; i++)
        pairs[i] = (struct pair){*window_place(self, i), self->more->weights[i]};
    qsort(pairs, held, sizeof *pairs, by_value_then_weight);
    for (uint32_t i = 0; i < held; i++) {
        values[i] = pairs[i].value;
        self->more->weights[self->capacity + i] = pairs[i].weight;
    }
    free(pairs);
    return 0;
}

/* Makes of the values in the ring what else is kept. False: they are not what window_add() lets in. */
static bool rebuild(struct window *self, struct codec *codec)
{
    const uint32_t held = window_held(self);
    bool good = isfinite(self->ewma);
    uint64_t weight = 0;
    for (uint32_t i = 0; good && i < held; i++) {
        const float value = *window_place(self, i), w = window_weight_at(self, i);
        good = isfinite(value) && w >= 1 && w <= (float)EXACT_SUM_WEIGHT_MAX;
        if (!good)
            break;
        weight += (uint64_t)w;
        if (self->more && self->more->watch.on)
            window_watch(&self->more->watch, (double)value, (uint64_t)w, 0, 0);
    }
    self->next = held == self->capacity ? 0 : held;
    if (window_weighted(self))
        self->more->weight = weight;
    if (good && self->sums)
        window_sum_again(self);
    if (good && self->more && self->more->order && order_make(self) != 0)
        codec->out_of_memory = true;
    return good && !codec->out_of_memory;
}

bool window_walk(struct window *self, struct codec *codec)
{
    struct window head = {.capacity = 0};
    uint32_t held = 0;
    if (!codec_loads(codec)) {
        head = *self;
        held = window_held(self);
    }
    bool weighted = window_weighted(&head);
    codec_u32(codec, &head.capacity, WINDOW_CAPACITY_MAX);
    codec_u32(codec, &held, head.capacity);
    codec_u64(codec, &head.total);
    codec_f64(codec, &head.ewma);
    codec_flag(codec, &weighted);
    if (codec->failed)
        return false;
    if (codec_loads(codec)) {
        if (!self || self->capacity != head.capacity) {
            codec_skip(codec, held * sizeof(float) * (weighted ? 2 : 1));
            return false;
        }
        self->total = head.total;
        self->ewma = head.ewma;
        if (held != window_held(self) || (weighted && window_reserve_weights(self) != 0)) {
            codec->out_of_memory = held == window_held(self);
            codec->failed = true;
            window_reset(self);
            return false;
        }
    }
    walk_ring(self, self->values, self->stride, codec);
    if (weighted)
        walk_ring(self, self->more->weights, 1, codec);
    if (!codec_loads(codec))
        return true;
    if (codec->failed || !rebuild(self, codec)) {
        window_reset(self);
        codec->failed = true;
        return false;
    }
    return true;
}

#include <errno.h>
#include <stdlib.h>

#include "lib/stats/window_inside.h"

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
    float *values = window_order(self);
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
        self->weight += (uint64_t)w;
        if (self->watch)
            watch_take(self->watch, (double)self->values[i], (uint64_t)w, 0, 0);
    }
    if (good && self->sums)
        window_sum_again(self);
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

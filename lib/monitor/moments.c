#include "lib/monitor/moments.h"

void moments_add(struct moments *self, double at_s)
{
    const uint64_t index = self->count++;
    for (uint32_t level = 0; level < MOMENTS_LEVELS && index % (UINT64_C(1) << level) == 0; level++)
        self->at_s[level][(index >> level) % MOMENTS_EACH] = at_s;
    self->last_s = at_s;
}

double moments_get(const struct moments *self, uint64_t index)
{
    const uint64_t newest = self->count ? self->count - 1 : 0;
    if (index >= newest)
        return self->last_s;
    uint32_t level = 0;
    while (level + 1 < MOMENTS_LEVELS && (newest >> level) - (index >> level) >= MOMENTS_EACH)
        level++;
    const uint64_t step = UINT64_C(1) << level, before = index >> level, after = before + 1;
    const double from_s = self->at_s[level][before % MOMENTS_EACH];
    const bool kept = after <= newest >> level;
    const double to_s = kept ? self->at_s[level][after % MOMENTS_EACH] : self->last_s;
    const uint64_t length = kept ? step : newest - before * step;
    return length ? from_s + (to_s - from_s) * (double)(index - before * step) / (double)length : from_s;
}

/* Above the level of which the stream has two values, each has the first value's time alone. */
void moments_walk(struct moments *self, struct codec *codec)
{
    if (codec_loads(codec))
        *self = (struct moments){0};
    codec_u64(codec, &self->count);
    codec_f64(codec, &self->last_s);
    const uint64_t newest = self->count ? self->count - 1 : 0;
    double first_s = 0;
    for (uint32_t level = 0; level < MOMENTS_LEVELS && self->count; level++) {
        const uint64_t kept = (newest >> level) + 1;
        if (level == 0 || kept > 1)
            codec_f64s(codec, self->at_s[level], kept < MOMENTS_EACH ? (size_t)kept : MOMENTS_EACH);
        else
            self->at_s[level][0] = codec_loads(codec) ? first_s : self->at_s[level][0];
        first_s = self->at_s[level][0];
    }
}

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

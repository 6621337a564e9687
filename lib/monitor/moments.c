#include "lib/monitor/moments.h"

#include <stdlib.h>
#include <string.h>

#define ALL_LEVELS 3 /* that moments_add_all() does together */
#define ALL_STEP (UINT64_C(1) << ALL_LEVELS)
#define FAR_STEP 2 /* levels are made so many at a time */

static uint32_t levels_of(const struct moments *self)
{
    return MOMENTS_NEAR + self->far_count;
}

static double *level_at(const struct moments *self, uint32_t level)
{
    return (double *)(level < MOMENTS_NEAR ? self->near[level] : self->far[level - MOMENTS_NEAR]);
}

/* Begins the next level, with its first value's time: at its second value, since nobody asks before. */
static bool add_level(struct moments *self)
{
    if (self->far_count % FAR_STEP == 0) {
        moments_level *far = realloc(self->far, (self->far_count + FAR_STEP) * sizeof *far);
        if (!far)
            return false;
        self->far = far;
    }
    double *level = self->far[self->far_count++];
    memset(level, 0, sizeof *self->far);
    level[0] = self->first_s;
    return true;
}

/* The levels from `level` on. */
static void add_above(struct moments *self, uint32_t level, uint64_t index, double at_s)
{
    for (; level < MOMENTS_LEVELS && index % (UINT64_C(1) << level) == 0; level++) {
        if (level >= MOMENTS_NEAR && level == levels_of(self) && (index != UINT64_C(1) << level || !add_level(self)))
            break;
        level_at(self, level)[(index >> level) % MOMENTS_EACH] = at_s;
    }
}

void moments_add(struct moments *self, double at_s)
{
    const uint64_t index = self->count++;
    if (index == 0)
        self->first_s = at_s;
    self->near[0][index % MOMENTS_EACH] = at_s;
    self->last_s = at_s;
    if (index % 2 == 0)
        add_above(self, 1, index, at_s);
}

/* What one level keeps of the values from `first` on, of which `count` came. */
static inline void keep_level(struct moments *self, uint32_t level, uint64_t first, const double *at_s, uint32_t count)
{
    const uint64_t past = (first + count - 1) >> level; /* the newest that it keeps */
    uint64_t at = (first + (UINT64_C(1) << level) - 1) >> level;
    if (at + MOMENTS_EACH <= past)
        at = past + 1 - MOMENTS_EACH;
    for (; at <= past; at++)
        self->near[level][at % MOMENTS_EACH] = at_s[(at << level) - first];
}

/* Level by level, and of each only what will be left of them; levels that are reached once in a while one by one. */
void moments_add_all(struct moments *self, const double *at_s, uint32_t count)
{
    const uint64_t first = self->count, end = first + count;
    if (first == 0 || count == 0) {
        for (uint32_t i = 0; i < count; i++)
            moments_add(self, at_s[i]);
        return;
    }
    self->count = end;
    self->last_s = at_s[count - 1];
    keep_level(self, 0, first, at_s, count);
    keep_level(self, 1, first, at_s, count);
    keep_level(self, 2, first, at_s, count);
    for (uint64_t at = (first + ALL_STEP - 1) / ALL_STEP * ALL_STEP; at < end; at += ALL_STEP)
        add_above(self, ALL_LEVELS, at, at_s[at - first]);
}

void moments_begin(struct moments *self, uint64_t count, double at_s)
{
    self->count = count;
    self->first_s = self->last_s = at_s;
    for (uint32_t level = 0; level < MOMENTS_NEAR; level++)
        for (uint32_t i = 0; i < MOMENTS_EACH; i++)
            self->near[level][i] = at_s;
}

void moments_copy(struct moments *self, const struct moments *from)
{
    *self = *from;
    self->far = NULL;
    self->far_count = 0;
    if (from->far_count == 0)
        return;
    const size_t room = (from->far_count + FAR_STEP - 1) / FAR_STEP * FAR_STEP;
    self->far = malloc(room * sizeof *self->far);
    if (!self->far)
        return;
    memcpy(self->far, from->far, from->far_count * sizeof *self->far);
    self->far_count = from->far_count;
}

static bool same_level(const moments_level a, const moments_level b)
{
    bool same = true;
    for (uint32_t i = 0; i < MOMENTS_EACH; i++)
        same = same && a[i] == b[i];
    return same;
}

/* Places of a level that are not taken yet are zero in all. */
bool moments_same(const struct moments *a, const struct moments *b)
{
    bool same =
        a->count == b->count && a->far_count == b->far_count && a->first_s == b->first_s && a->last_s == b->last_s;
    for (uint32_t level = 0; same && level < levels_of(a); level++)
        same = same_level(level_at(a, level), level_at(b, level));
    return same;
}

double moments_get(const struct moments *self, uint64_t index)
{
    const uint64_t newest = self->count ? self->count - 1 : 0;
    if (index >= newest)
        return self->last_s;
    uint32_t level = 0;
    while (level + 1 < levels_of(self) && (newest >> level) - (index >> level) >= MOMENTS_EACH)
        level++;
    const uint64_t step = UINT64_C(1) << level, before = index >> level, after = before + 1;
    if ((newest >> level) - before >= MOMENTS_EACH)
        return self->first_s; /* a level is missing */
    const double from_s = level_at(self, level)[before % MOMENTS_EACH];
    const bool kept = after <= newest >> level;
    const double to_s = kept ? level_at(self, level)[after % MOMENTS_EACH] : self->last_s;
    const uint64_t length = kept ? step : newest - before * step;
    return length ? from_s + (to_s - from_s) * (double)(index - before * step) / (double)length : from_s;
}

void moments_clear(struct moments *self)
{
    free(self->far);
    *self = (struct moments){0};
}

/* Only levels of two values and more: the others have the first value's time alone. A level that there was no memory
 * for is saved as if it had only that. */
void moments_walk(struct moments *self, struct codec *codec)
{
    codec_u64(codec, &self->count);
    codec_f64(codec, &self->last_s);
    const uint64_t newest = self->count ? self->count - 1 : 0;
    uint32_t level = 0;
    for (; level < MOMENTS_LEVELS && self->count && (level == 0 || newest >> level) && !codec->failed; level++) {
        const uint64_t kept = (newest >> level) + 1;
        moments_level missing = {self->first_s, self->first_s, self->first_s, self->first_s};
        if (codec_loads(codec) && level == levels_of(self) && !add_level(self))
            codec->failed = codec->out_of_memory = true;
        double *at_s = level < levels_of(self) ? level_at(self, level) : missing;
        codec_f64s(codec, at_s, kept < MOMENTS_EACH ? (size_t)kept : MOMENTS_EACH);
        if (codec_loads(codec))
            self->first_s = at_s[0]; /* of the last of them */
    }
    for (; codec_loads(codec) && level < MOMENTS_NEAR; level++)
        self->near[level][0] = self->first_s;
}

/* cusum: tabular CUSUM of a mean, in two directions (Page 1954; Montgomery, Introduction to Statistical Quality
 * Control, section 9.1), with an optional head start (Lucas and Crosier 1982).
 *
 *     up = max(0, up + z - k), down = max(0, down - z - k); drift above h; z the residual of reference.h.
 *
 * When it alarms, the change is thought to have begun after the sum was last zero, and its size is k + sum / length
 * (Montgomery, eq. 9.5). */
#include <math.h>

#include "lib/calibrate/chart.h"
#include "lib/detect/reference.h"

struct side {
    double sum, start; /* what it began with: the head start or 0 */
    uint64_t began;    /* the first value in it */
};

struct cusum {
    double head_start;
    enum detect_direction direction;
    bool fresh;
    struct side up, down;
    struct reference reference;
};

static const struct detect_param params[] = {
    REFERENCE_PARAMS_KNOWN,
    {"k", DETECT_NUMBER, 0.5, 0, 10, false, NULL, "allowance: half the shift to find, in standard deviations"},
    {"h", DETECT_NUMBER, 5, 0, CHART_LIMIT_MAX, true, NULL, "decision interval, in standard deviations"},
    {"head_start", DETECT_NUMBER, 0, 0, 0.99, false, NULL, "what the sums start at, as a fraction of h"},
    REFERENCE_PARAM_DIRECTION,
    REFERENCE_PARAMS_FIT,
};

static size_t bytes(const struct detect_params *given)
{
    (void)given;
    return sizeof(struct cusum);
}

static void init(void *state, const struct detect_params *given)
{
    struct cusum *self = state;
    self->head_start = detect_params_get(given, "head_start");
    self->direction = (enum detect_direction)detect_params_get(given, "direction");
    reference_init(&self->reference, given, detect_params_get(given, "h"));
}

static void begin(struct cusum *self, uint64_t index)
{
    double limit = self->reference.limit, start = isfinite(limit) ? self->head_start * limit : 0;
    self->up = self->down = (struct side){.sum = start, .start = start, .began = index};
    self->fresh = false;
}

static void restart(void *state)
{
    struct cusum *self = state;
    reference_restart(&self->reference);
    self->fresh = true;
}

static void accumulate(struct side *side, double step, uint64_t index)
{
    side->sum += step;
    if (side->sum <= 0)
        *side = (struct side){.began = index + 1};
}

static void tell(const struct cusum *self, bool up, uint64_t index, struct detect_verdict *out)
{
    const struct side *side = up ? &self->up : &self->down;
    double length = (double)(index + 1 - side->began), scale = self->reference.scale[up ? 0 : 1];
    double mean = (self->reference.slack + (side->sum - side->start) / length) / scale;
    out->state = DETECT_DRIFT;
    out->changed_at = side->began;
    reference_size(&self->reference, up ? mean : -mean, DETECT_NORMAL_95 / sqrt(length), out);
}

/* Both sums after one residual. */
static inline void judge(struct cusum *self, uint64_t index, double z, struct detect_verdict *out)
{
    const double slack = self->reference.slack;
    accumulate(&self->up, z * self->reference.scale[0] - slack, index);
    accumulate(&self->down, -z * self->reference.scale[1] - slack, index);
    const bool up = self->direction == DETECT_UP || (self->direction == DETECT_BOTH && self->up.sum >= self->down.sum);
    out->statistic = up ? self->up.sum : self->down.sum;
    out->threshold = self->reference.limit;
    if (out->statistic > out->threshold)
        tell(self, up, index, out);
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct cusum *self = state;
    double z;
    switch (reference_take(&self->reference, value, &z)) {
    case REFERENCE_RENEWED:
        self->fresh = true;
        return;
    case REFERENCE_COLLECTED:
        return;
    case REFERENCE_JUDGED:
        break;
    }
    if (self->fresh)
        begin(self, index);
    judge(self, index, z, out);
}

static void add_quiet(void *state, uint64_t index, const double *values, uint32_t count, struct detect_verdict *out)
{
    struct cusum *self = state;
    const bool full = reference_full(&self->reference);
    for (uint32_t i = 0; i < count; i++)
        if (full)
            judge(self, index + i, reference_residual(&self->reference, reference_seen(&self->reference, values[i])),
                  out);
        else
            add(self, index + i, values[i], out);
}

/* The mean residual with which so many more leave a sum within the limit. */
static double room(const struct cusum *self, double sum, double scale, uint32_t most)
{
    const double limit = self->reference.limit, left = limit - sum;
    if (!isfinite(limit))
        return INFINITY;
    return left > 1e-6 * limit ? (self->reference.slack + left * (1 - 1e-9) / most) / scale : -1;
}

static void quiet(const void *state, uint32_t most, struct detect_quiet *out)
{
    const struct cusum *self = state;
    const struct reference *reference = &self->reference;
    const double rise = self->direction == DETECT_DOWN ? INFINITY : room(self, self->up.sum, reference->scale[0], most);
    const double fall = self->direction == DETECT_UP ? INFINITY : room(self, self->down.sum, reference->scale[1], most);
    reference_quiet(reference, fall, rise, most, out);
    if (self->fresh && reference->judged > 0)
        out->values = 0;
}

static void walk(void *state, struct codec *codec)
{
    struct cusum *self = state;
    struct side *sides[] = {&self->up, &self->down};
    codec_flag(codec, &self->fresh);
    for (int i = 0; i < 2; i++) {
        codec_f64(codec, &sides[i]->sum);
        codec_f64(codec, &sides[i]->start);
        codec_u64(codec, &sides[i]->began);
    }
    reference_walk(&self->reference, codec);
}

static void chart(const struct detect_params *given, struct chart *out)
{
    *out = (struct chart){.kind = CHART_CUSUM,
                          .two_sided = detect_params_get(given, "direction") == DETECT_BOTH,
                          .slack = detect_params_get(given, "k"),
                          .head_start = detect_params_get(given, "head_start"),
                          .limit = detect_params_get(given, "h")};
}

const struct detector detector_cusum = {
    .name = "cusum",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .hot = offsetof(struct cusum, reference) + REFERENCE_HOT,
    .reference_at = offsetof(struct cusum, reference),
    .quiet = quiet,
    .add_quiet = add_quiet,
    .walk = walk,
    .check = reference_check,
    .promise = reference_promise,
    .chart = chart,
};

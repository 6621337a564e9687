/* ewma: exponentially weighted moving average with fixed, that is asymptotic, limits (Lucas and Saccucci 1990).
 *
 *     average = (1 - lambda) average + lambda z; drift beyond L standard deviations of the settled average,
 *     sqrt(lambda / (2 - lambda)).
 *
 * When it alarms, the change is thought to have begun when the average last crossed the reference. */
#include <math.h>

#include "lib/calibrate/chart.h"
#include "lib/detect/reference.h"

struct ewma {
    double lambda, settled;
    enum detect_direction direction;
    bool fresh;
    double average;
    double sum;     /* of residuals since the average last changed its sign */
    uint64_t began; /* the first of them */
    struct reference reference;
};

static const struct detect_param params[] = {
    REFERENCE_PARAMS_KNOWN,
    {"lambda", DETECT_NUMBER, 0.1, 0.001, 1, false, NULL, "weight of the newest value"},
    {"L", DETECT_NUMBER, 2.814, 0, CHART_LIMIT_MAX, true, NULL, "limit, in standard deviations of the settled average"},
    REFERENCE_PARAM_DIRECTION,
    REFERENCE_PARAMS_FIT,
};

static size_t bytes(const struct detect_params *given)
{
    (void)given;
    return sizeof(struct ewma);
}

static void init(void *state, const struct detect_params *given)
{
    struct ewma *self = state;
    self->lambda = detect_params_get(given, "lambda");
    self->settled = sqrt(self->lambda / (2 - self->lambda));
    self->direction = (enum detect_direction)detect_params_get(given, "direction");
    reference_init(&self->reference, given, detect_params_get(given, "L"));
}

static void restart(void *state)
{
    struct ewma *self = state;
    reference_restart(&self->reference);
    self->fresh = true;
}

static void average(struct ewma *self, double z, uint64_t index)
{
    double before = self->average;
    self->average = (1 - self->lambda) * before + self->lambda * z;
    /* An average of exactly 0 is on the reference: a constant's is, for as long as it stays one. */
    if (self->fresh || before == 0 || (self->average > 0) != (before > 0)) {
        self->sum = 0;
        self->began = index;
        self->fresh = false;
    }
    self->sum += z;
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct ewma *self = state;
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
        self->average = 0;
    average(self, z, index);
    double up = self->average / self->settled * self->reference.scale[0];
    double down = -self->average / self->settled * self->reference.scale[1];
    out->statistic = self->direction == DETECT_UP ? up : self->direction == DETECT_DOWN ? down : fmax(up, down);
    out->threshold = self->reference.limit;
    if (out->statistic > out->threshold) {
        double length = (double)(index + 1 - self->began);
        out->state = DETECT_DRIFT;
        out->changed_at = self->began;
        reference_size(&self->reference, self->sum / length, DETECT_NORMAL_95 / sqrt(length), out);
    }
}

/* The residual which, were it to come so often, would take the average from where it is to its limit on one side. */
static double room(const struct ewma *self, double average, double scale, uint32_t most)
{
    const double limit = self->reference.limit * self->settled / scale * (1 - 1e-9) - 1e-12 * fabs(average);
    double kept = 1 - self->lambda;
    for (uint32_t i = 1; i < most; i++)
        kept *= 1 - self->lambda;
    return average < limit ? (limit - kept * average) / (1 - kept) : -1;
}

static void quiet(const void *state, uint32_t most, struct detect_quiet *out)
{
    const struct ewma *self = state;
    const struct reference *reference = &self->reference;
    const double rise =
        self->direction == DETECT_DOWN ? INFINITY : room(self, self->average, reference->scale[0], most);
    const double fall = self->direction == DETECT_UP ? INFINITY : room(self, -self->average, reference->scale[1], most);
    reference_quiet(reference, fall, rise, most, out);
    if (self->fresh && reference->judged > 0)
        out->values = 0;
}

static void walk(void *state, struct codec *codec)
{
    struct ewma *self = state;
    codec_flag(codec, &self->fresh);
    codec_f64(codec, &self->average);
    codec_f64(codec, &self->sum);
    codec_u64(codec, &self->began);
    reference_walk(&self->reference, codec);
}

static void chart(const struct detect_params *given, struct chart *out)
{
    *out = (struct chart){.kind = CHART_EWMA,
                          .two_sided = detect_params_get(given, "direction") == DETECT_BOTH,
                          .lambda = detect_params_get(given, "lambda"),
                          .limit = detect_params_get(given, "L")};
}

const struct detector detector_ewma = {
    .name = "ewma",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .hot = offsetof(struct ewma, reference) + REFERENCE_HOT,
    .reference_at = offsetof(struct ewma, reference),
    .quiet = quiet,
    .walk = walk,
    .check = reference_check,
    .promise = reference_promise,
    .chart = chart,
};

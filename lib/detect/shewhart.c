/* shewhart: one value against limits of L standard deviations (Shewhart 1931). For changes that are large and sudden;
 * residuals are never cut off. */
#include <math.h>

#include "lib/calibrate/chart.h"
#include "lib/detect/reference.h"

struct shewhart {
    enum detect_direction direction;
    struct reference reference;
};

static const struct detect_param params[] = {
    REFERENCE_PARAMS_KNOWN,
    {"L", DETECT_NUMBER, 3, 0, CHART_LIMIT_MAX, true, NULL, "limit, in standard deviations"},
    REFERENCE_PARAM_DIRECTION,
    REFERENCE_PARAMS_FIT,
};

static size_t bytes(const struct detect_params *given)
{
    (void)given;
    return sizeof(struct shewhart);
}

static void init(void *state, const struct detect_params *given)
{
    struct shewhart *self = state;
    self->direction = (enum detect_direction)detect_params_get(given, "direction");
    reference_init(&self->reference, given, detect_params_get(given, "L"));
}

static void restart(void *state)
{
    struct shewhart *self = state;
    reference_restart(&self->reference);
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct shewhart *self = state;
    double z;
    if (reference_take(&self->reference, value, &z) != REFERENCE_JUDGED)
        return;
    out->statistic = self->direction == DETECT_UP ? z : self->direction == DETECT_DOWN ? -z : fabs(z);
    out->threshold = self->reference.limit;
    if (out->statistic > out->threshold) {
        out->state = DETECT_DRIFT;
        out->changed_at = index;
        reference_size(&self->reference, z, DETECT_NORMAL_95, out);
    }
}

static void quiet(const void *state, uint32_t most, struct detect_quiet *out)
{
    const struct shewhart *self = state;
    const double most_sd = self->reference.limit * (1 - 1e-9);
    reference_quiet(&self->reference, self->direction == DETECT_UP ? INFINITY : most_sd,
                    self->direction == DETECT_DOWN ? INFINITY : most_sd, most, out);
}

static void walk(void *state, struct codec *codec)
{
    struct shewhart *self = state;
    reference_walk(&self->reference, codec);
}

static void chart(const struct detect_params *given, struct chart *out)
{
    *out = (struct chart){.kind = CHART_SHEWHART,
                          .two_sided = detect_params_get(given, "direction") == DETECT_BOTH,
                          .limit = detect_params_get(given, "L")};
}

const struct detector detector_shewhart = {
    .name = "shewhart",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .hot = offsetof(struct shewhart, reference) + REFERENCE_HOT,
    .reference_at = offsetof(struct shewhart, reference),
    .quiet = quiet,
    .walk = walk,
    .check = reference_check,
    .promise = reference_promise,
    .chart = chart,
};

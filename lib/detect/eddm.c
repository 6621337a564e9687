/* eddm: early drift detection method, on the distances between errors (Baena-Garcia and others 2006).
 *
 *     p, s mean and standard deviation of the distances since the last alarm, judged at every error;
 *     level = (p + 2 s) / max(p + 2 s); warning below alpha, drift below beta, after warm_start errors.
 *
 * Decides as River 0.24 does, but for one fault: the maximum is taken from error number warm_start on, not from value
 * number warm_start on, when it may rest on a handful of errors. A value above one half is an error. The statistic of a
 * verdict is the level: drift is below the threshold. A warning stands until the next error. */
#include <math.h>

#include "lib/detect/detector.h"

struct eddm {
    uint32_t warm_start;
    double alpha, beta;
    uint64_t clipped;
    uint64_t n, errors, last_error, most_at;
    double mean, squares, most; /* of the distances; `most` of p + 2 s */
    bool warning;
};

static const struct detect_param params[] = {
    {"warm_start", DETECT_WHOLE, 30, 2, 1e9, false, NULL, "errors before the first judgement"},
    {"alpha", DETECT_NUMBER, 0.95, 0, 1, true, NULL, "level of a warning"},
    {"beta", DETECT_NUMBER, 0.9, 0, 1, true, NULL, "level of a drift, at most alpha"},
};

static bool check(const struct detect_params *given, struct detect_error *error)
{
    if (detect_params_get(given, "beta") <= detect_params_get(given, "alpha"))
        return true;
    detect_say(error, "beta: %g is not allowed; it takes at most alpha, which is %g", detect_params_get(given, "beta"),
               detect_params_get(given, "alpha"));
    return false;
}

static size_t bytes(const struct detect_params *given)
{
    (void)given;
    return sizeof(struct eddm);
}

static void init(void *state, const struct detect_params *given)
{
    struct eddm *self = state;
    self->warm_start = (uint32_t)detect_params_get(given, "warm_start");
    self->alpha = detect_params_get(given, "alpha");
    self->beta = detect_params_get(given, "beta");
}

static void restart(void *state)
{
    struct eddm *self = state;
    self->n = self->errors = self->last_error = self->most_at = 0;
    self->mean = self->squares = 0;
    self->most = -1;
    self->warning = false;
}

static void judge(struct eddm *self, uint64_t index, struct detect_verdict *out)
{
    double reach = self->mean + 2 * sqrt(self->squares / (double)(self->errors - 1));
    if (reach > self->most) {
        self->most = reach;
        self->most_at = index;
        return;
    }
    if (self->errors <= self->warm_start)
        return;
    out->statistic = reach / self->most;
    out->threshold = self->beta;
    self->warning = out->statistic < self->alpha;
    if (out->statistic < self->beta)
        out->state = DETECT_DRIFT;
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct eddm *self = state;
    self->n++;
    if (detect_error_rate(value, &self->clipped) > 0.5 + DETECT_ROUNDING) {
        double distance = (double)(self->n - self->last_error);
        self->errors++;
        self->last_error = self->n;
        double before = distance - self->mean;
        self->mean += before / (double)self->errors;
        self->squares += before * (distance - self->mean);
        if (self->errors >= self->warm_start)
            judge(self, index, out);
    }
    if (out->state == DETECT_NONE && self->warning)
        out->state = DETECT_WARNING;
    if (out->state != DETECT_NONE)
        out->changed_at = self->most_at + 1;
}

static void walk(void *state, struct codec *codec)
{
    struct eddm *self = state;
    codec_u64(codec, &self->clipped);
    codec_u64(codec, &self->n);
    codec_u64(codec, &self->errors);
    codec_u64(codec, &self->last_error);
    codec_u64(codec, &self->most_at);
    codec_f64(codec, &self->mean);
    codec_f64(codec, &self->squares);
    codec_f64(codec, &self->most);
    codec_flag(codec, &self->warning);
}

static uint64_t clipped(const void *state)
{
    const struct eddm *self = state;
    return self->clipped;
}

const struct detector detector_eddm = {
    .name = "eddm",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .walk = walk,
    .check = check,
    .clipped = clipped,
};

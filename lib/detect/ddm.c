/* ddm: drift detection method on a stream of errors (Gama, Medas, Castillo, Rodrigues 2004).
 *
 *     p the error rate since the last alarm, s = sqrt(p (1 - p) / n); p_min, s_min those where p + s was least, taken
 *     from warm_start values on; warning when p + s > p_min + 2 s_min, drift when p + s > p_min + 3 s_min.
 *
 * Decides as River 0.24 does, but for one fault: while there was no error at all no minimum is taken. River takes
 * p_min = s_min = 0 then, and the very first error is a drift. Values are error rates, 0 to 1; others are clipped. */
#include <math.h>

#include "lib/detect/detector.h"

struct ddm {
    uint32_t warm_start;
    double warning, drift;
    uint64_t clipped;
    uint64_t n, least_n;
    double rate, least_rate, least_spread, least;
};

static const struct detect_param params[] = {
    {"warm_start", DETECT_WHOLE, 30, 1, 1e9, false, NULL, "values before the first judgement"},
    {"warning_threshold", DETECT_NUMBER, 2, 0, 100, true, NULL, "deviations above the minimum"},
    {"drift_threshold", DETECT_NUMBER, 3, 0, 100, true, NULL, "deviations above the minimum"},
};

static size_t bytes(const struct detect_params *given)
{
    (void)given;
    return sizeof(struct ddm);
}

static void init(void *state, const struct detect_params *given)
{
    struct ddm *self = state;
    self->warm_start = (uint32_t)detect_params_get(given, "warm_start");
    self->warning = detect_params_get(given, "warning_threshold");
    self->drift = detect_params_get(given, "drift_threshold");
}

static void restart(void *state)
{
    struct ddm *self = state;
    self->n = self->least_n = 0;
    self->rate = 0;
    self->least_rate = self->least_spread = self->least = INFINITY;
}

static void tell(const struct ddm *self, uint64_t index, struct detect_verdict *out)
{
    double n = (double)self->n, before = (double)self->least_n, after = n - before;
    if (!(after > 0))
        return;
    double rate = (self->rate * n - self->least_rate * before) / after;
    out->changed_at = index + 1 - (uint64_t)after;
    detect_size(out, rate - self->least_rate,
                DETECT_NORMAL_95 * sqrt(fmax(0, rate * (1 - rate)) / after + self->least_spread * self->least_spread));
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct ddm *self = state;
    self->n++;
    self->rate += (detect_error_rate(value, &self->clipped) - self->rate) / (double)self->n;
    double spread = sqrt(fmax(0, self->rate * (1 - self->rate)) / (double)self->n);
    if (self->n <= self->warm_start || self->rate <= 0)
        return;
    if (self->rate + spread <= self->least) {
        self->least_rate = self->rate;
        self->least_spread = spread;
        self->least = self->rate + spread;
        self->least_n = self->n;
    }
    out->statistic = self->rate + spread;
    out->threshold = self->least_rate + self->drift * self->least_spread;
    if (out->statistic > out->threshold)
        out->state = DETECT_DRIFT;
    else if (out->statistic > self->least_rate + self->warning * self->least_spread)
        out->state = DETECT_WARNING;
    if (out->state != DETECT_NONE)
        tell(self, index, out);
}

static void walk(void *state, struct codec *codec)
{
    struct ddm *self = state;
    codec_u64(codec, &self->clipped);
    codec_u64(codec, &self->n);
    codec_u64(codec, &self->least_n);
    codec_f64(codec, &self->rate);
    codec_f64(codec, &self->least_rate);
    codec_f64(codec, &self->least_spread);
    codec_f64(codec, &self->least);
}

static uint64_t clipped(const void *state)
{
    const struct ddm *self = state;
    return self->clipped;
}

const struct detector detector_ddm = {
    .name = "ddm",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .walk = walk,
    .clipped = clipped,
};

/* hddm_a: drift by Hoeffding's bound on averages (Frias-Blanco and others 2015, the A-test).
 *
 *     z the mean since the last alarm; cut: the mean of the first n values, n where mean + eps was least,
 *     eps(n) = sqrt(ln(1/delta) / (2 n)); drift when z - cut >= sqrt(m/2 ln(2/delta)), m = (N - n)/(n N).
 *
 * Decides as River 0.24 (which follows MOA) does on values of 0 to 1; others are clipped, since the bound holds for
 * bounded values only and a single absurd one would silence it. */
#include <math.h>

#include "lib/detect/detector.h"

struct cut {
    uint64_t n;
    double mean;
};

struct hddm_a {
    double drift, warning; /* confidences */
    bool two_sided;
    uint64_t clipped;
    struct cut all, least, most;
};

static const struct detect_param params[] = {
    {"drift_confidence", DETECT_NUMBER, 0.001, 0, 1, true, NULL, "chance of a false alarm at one test"},
    {"warning_confidence", DETECT_NUMBER, 0.005, 0, 1, true, NULL, "the same for a warning"},
    {"two_sided", DETECT_SWITCH, 0, 0, 1, false, NULL, "falling error rates as well"},
};

static size_t bytes(const struct detect_params *given)
{
    (void)given;
    return sizeof(struct hddm_a);
}

static void init(void *state, const struct detect_params *given)
{
    struct hddm_a *self = state;
    self->drift = detect_params_get(given, "drift_confidence");
    self->warning = detect_params_get(given, "warning_confidence");
    self->two_sided = detect_params_get(given, "two_sided") == 1;
}

static void restart(void *state)
{
    struct hddm_a *self = state;
    self->all = self->least = self->most = (struct cut){0};
}

static double hoeffding(const struct hddm_a *self, uint64_t n)
{
    return sqrt(1 / (2 * (double)n) * log(1 / self->drift));
}

static double bound(const struct hddm_a *self, const struct cut *cut, double confidence)
{
    double n = (double)cut->n, all = (double)self->all.n;
    return sqrt((all - n) / n * (1 / all) / 2 * log(2 / confidence));
}

/* How far the mean has moved since a cut, in its direction; nothing can be said of a cut at the newest value. */
static bool moved(const struct hddm_a *self, const struct cut *cut, double sign, double confidence)
{
    return cut->n < self->all.n && sign * (self->all.mean - cut->mean) >= bound(self, cut, confidence);
}

static void tell(const struct hddm_a *self, const struct cut *cut, double sign, uint64_t index,
                 struct detect_verdict *out)
{
    double n = (double)cut->n, all = (double)self->all.n;
    out->statistic = sign * (self->all.mean - cut->mean);
    out->threshold = bound(self, cut, self->drift);
    if (out->state == DETECT_NONE)
        return;
    double after = all - n, mean = (self->all.mean * all - cut->mean * n) / after;
    out->changed_at = index + 1 - (self->all.n - cut->n);
    /* Hoeffding's interval for the difference of two means. */
    detect_size(out, mean - cut->mean, sqrt((1 / n + 1 / after) / 2 * log(2 / 0.05)));
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct hddm_a *self = state;
    self->all.n++;
    self->all.mean += (detect_error_rate(value, &self->clipped) - self->all.mean) / (double)self->all.n;
    double eps = hoeffding(self, self->all.n);
    if (self->least.n == 0 || self->least.mean + hoeffding(self, self->least.n) >= self->all.mean + eps)
        self->least = self->all;
    if (self->most.n == 0 || self->most.mean - hoeffding(self, self->most.n) <= self->all.mean - eps)
        self->most = self->all;
    bool rises = moved(self, &self->least, 1, self->drift);
    bool falls = self->two_sided && moved(self, &self->most, -1, self->drift);
    bool rising = moved(self, &self->least, 1, self->warning);
    bool falling = self->two_sided && moved(self, &self->most, -1, self->warning);
    if (rises || falls)
        out->state = DETECT_DRIFT;
    else if (rising || falling)
        out->state = DETECT_WARNING;
    bool down = falls || (!rises && !rising && falling);
    if (down)
        tell(self, &self->most, -1, index, out);
    else if (self->least.n < self->all.n)
        tell(self, &self->least, 1, index, out);
}

static void walk(void *state, struct codec *codec)
{
    struct hddm_a *self = state;
    struct cut *cuts[] = {&self->all, &self->least, &self->most};
    codec_u64(codec, &self->clipped);
    for (int i = 0; i < 3; i++) {
        codec_u64(codec, &cuts[i]->n);
        codec_f64(codec, &cuts[i]->mean);
    }
}

static uint64_t clipped(const void *state)
{
    const struct hddm_a *self = state;
    return self->clipped;
}

const struct detector detector_hddm_a = {
    .name = "hddm_a",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .walk = walk,
    .clipped = clipped,
};

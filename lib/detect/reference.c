#include "lib/detect/reference.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "lib/calibrate/chart.h"

#define EARLY_VALUES 100      /* of a reference of 500: judged from here on, with a limit widened for it */
#define EARLY_LEAST 200       /* shorter references are judged when they are full */
#define OUTLIER_MADS 4.0      /* of a normal distribution 6 in 100,000 lie beyond */
#define ABSURD 1e9            /* times the level: not even a plain mean takes it */
#define MAD_TO_SD 1.482602218505602
#define LOG_LEAST 1e-12       /* what zero and less count as in logarithms */
#define SKEW_FOR_LOGS 0.1     /* of (q90 + q10 - 2 median) / (q90 - q10); a normal one has 0 */
#define PHI_MOST 0.99
#define CUT_CHANGE 0.01       /* how much a cut may change the run length */
#define AR_FREEDOM 3.0        /* with a fitted AR(1) the deviation is as uncertain as from a third of the values */
#define ROBUST_FREEDOM 1.1
#define LOCATION_STEPS 60

size_t reference_bytes(const struct detect_params *params)
{
    struct reference sample = {0};
    reference_init(&sample, params, 0);
    return sizeof(sample) + sample.wanted * sizeof(sample.buffer[0]);
}

bool reference_check(const struct detect_params *params, struct detect_error *error)
{
    if (isnan(detect_params_get(params, "mean")) == isnan(detect_params_get(params, "sd")))
        return true;
    detect_say(error, "mean and sd go together: give both for a known reference, or none");
    return false;
}

void reference_init(struct reference *self, const struct detect_params *params, double limit)
{
    self->known_mean = detect_params_get(params, "mean");
    self->known_sd = detect_params_get(params, "sd");
    self->prewhiten = detect_params_get(params, "prewhiten") == 1;
    self->robust = detect_params_get(params, "robust") == 1;
    double log = detect_params_get(params, "log");
    self->log = isnan(log) ? REFERENCE_LOG_OFF : (enum reference_log)log;
    bool known = !isnan(self->known_mean);
    if (known && self->log == REFERENCE_LOG_AUTO)
        self->log = REFERENCE_LOG_OFF;
    self->wanted = known && !self->prewhiten ? 0 : (uint32_t)detect_params_get(params, "reference");
    if (params->stages > 0) {
        reference_retune(self, params);
    } else {
        self->stages = 1;
        self->stage[0] = (struct detect_stage){.values = self->wanted, .limit = limit, .cut = INFINITY};
    }
}

void reference_retune(struct reference *self, const struct detect_params *params)
{
    if (params->stages == 0)
        return;
    self->stages = params->stages;
    memcpy(self->stage, params->stage, sizeof(self->stage));
}

void reference_restart(struct reference *self)
{
    self->count = 0;
    self->judged = 0;
    self->logs = self->log == REFERENCE_LOG_ON;
    self->first = self->mean = self->squares = self->phi = self->previous = 0;
    self->centre = self->known_mean;
    self->sd = self->known_sd;
    if (self->wanted == 0)
        self->judged = self->stages;
}

void reference_walk(struct reference *self, struct codec *codec)
{
    codec_u32(codec, &self->count, self->wanted);
    codec_flag(codec, &self->logs);
    codec_f64(codec, &self->first);
    codec_f64(codec, &self->mean);
    codec_f64(codec, &self->squares);
    codec_f64(codec, &self->centre);
    codec_f64(codec, &self->sd);
    codec_f64(codec, &self->phi);
    codec_f64(codec, &self->previous);
    if (self->count < self->wanted)
        codec_f32s(codec, self->buffer, self->count);
    for (self->judged = 0; self->judged < self->stages && self->stage[self->judged].values <= self->count;)
        self->judged++;
}

const struct detect_stage *reference_stage(const struct reference *self)
{
    return &self->stage[self->judged ? self->judged - 1 : 0];
}

/* Fitting --------------------------------------------------------------------------------------------------------- */

/* A value of the reference, transformed, less `first` (which is 0 for logarithms); then what the AR(1) leaves of it. */
static double value_at(const struct reference *self, uint32_t i)
{
    return self->buffer[i];
}

static double left_at(const struct reference *self, uint32_t i)
{
    return i == 0 ? self->buffer[0] : self->buffer[i] - self->phi * self->buffer[i - 1];
}

typedef double at_fn(const struct reference *self, uint32_t i);

/* Orders floats as unsigned integers. */
static uint32_t key_of(double value)
{
    float narrow = (float)value;
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof(bits));
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static double value_of(uint32_t key)
{
    uint32_t bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
    float narrow;
    memcpy(&narrow, &bits, sizeof(narrow));
    return narrow;
}

/* The value of rank `rank` (from 0) among those from `from` on, or of their distances from `centre` when that is a
 * number: by bisection of the bits, which needs no memory and leaves the order alone. */
static double select_rank(const struct reference *self, at_fn *at, uint32_t from, uint32_t rank, double centre)
{
    uint32_t low = 0, high = UINT32_MAX;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2, below = 0;
        for (uint32_t i = from; i < self->count; i++) {
            double value = at(self, i);
            below += key_of(isnan(centre) ? value : fabs(value - centre)) <= middle;
        }
        if (below > rank)
            high = middle;
        else
            low = middle + 1;
    }
    return value_of(low);
}

static double quantile(const struct reference *self, at_fn *at, uint32_t from, double q, double centre)
{
    double place = q * (self->count - from - 1);
    uint32_t rank = (uint32_t)place;
    double below = select_rank(self, at, from, rank, centre);
    if (place == rank)
        return below;
    return below + (place - rank) * (select_rank(self, at, from, rank + 1, centre) - below);
}

/* A summary of values (or of what the AR(1) leaves): where the bulk lies, and what is no part of it. */
struct bulk {
    double median, mad; /* MAD as a deviation */
    double low, high;   /* beyond: outliers, which count as lying there */
};

static struct bulk bulk_of(const struct reference *self, at_fn *at, uint32_t from)
{
    struct bulk bulk;
    bulk.median = quantile(self, at, from, 0.5, NAN);
    bulk.mad = MAD_TO_SD * quantile(self, at, from, 0.5, bulk.median);
    /* A plain reference leaves out only what would make it blind for good. Where more than half of the values are the
     * same, as with errors of 0 and 1, the MAD tells nothing. */
    double reach = ABSURD * fmax(1, fmax(fabs(bulk.median + self->first), bulk.mad));
    if (self->robust && bulk.mad > DETECT_ROUNDING * fmax(1, fabs(bulk.median + self->first)))
        reach = fmin(reach, OUTLIER_MADS * bulk.mad);
    bulk.low = bulk.median - reach;
    bulk.high = bulk.median + reach;
    return bulk;
}

static double clip(double value, const struct bulk *bulk)
{
    return value < bulk->low ? bulk->low : value > bulk->high ? bulk->high : value;
}

static bool absurd(const struct reference *self, double value, const struct bulk *bulk)
{
    double reach = ABSURD * fmax(1, fmax(fabs(bulk->median + self->first), bulk->mad));
    return fabs(value - bulk->median) > reach;
}

/* Whether a metric is positive and skewed as logarithms would mend. */
static bool wants_logs(const struct reference *self)
{
    if (select_rank(self, value_at, 0, 0, NAN) <= 0)
        return false;
    double low = quantile(self, value_at, 0, 0.1, NAN), middle = quantile(self, value_at, 0, 0.5, NAN),
           high = quantile(self, value_at, 0, 0.9, NAN);
    if (!(high > low))
        return false;
    double skew = (high + low - 2 * middle) / (high - low);
    double skew_of_logs = log(high * low / (middle * middle)) / log(high / low);
    return skew > SKEW_FOR_LOGS && fabs(skew_of_logs) < skew;
}

static void take_logs(struct reference *self)
{
    for (uint32_t i = 0; i < self->count; i++)
        self->buffer[i] = (float)log(fmax(self->buffer[i], LOG_LEAST));
    self->logs = true;
}

/* The AR(1) by the lag-1 autocorrelation, its small-sample bias of -(1 + 3 phi) / n mended (Kendall 1954). */
static double fit_phi(const struct reference *self, const struct bulk *bulk, double mean)
{
    double along = 0, squares = 0, before = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        double value = absurd(self, value_at(self, i), bulk) ? 0 : clip(value_at(self, i), bulk) - mean;
        along += value * before;
        squares += value * value;
        before = value;
    }
    if (!(squares > 0))
        return 0;
    double phi = along / squares;
    phi += (1 + 3 * phi) / self->count;
    return fmax(-PHI_MOST, fmin(phi, PHI_MOST));
}

static void moments(const struct reference *self, at_fn *at, uint32_t from, const struct bulk *bulk, double *mean,
                    double *sd)
{
    double sum = 0, squares = 0;
    uint32_t taken = 0;
    for (uint32_t i = from; i < self->count; i++) {
        if (absurd(self, at(self, i), bulk))
            continue;
        double apart = clip(at(self, i), bulk) - bulk->median;
        sum += apart;
        squares += apart * apart;
        taken++;
    }
    *mean = bulk->median + sum / taken;
    *sd = sqrt(fmax(0, squares - sum * sum / taken) / (taken > 1 ? taken - 1 : 1));
}

/* Where residuals that are cut off at +-cut have mean zero (Huber's location, by bisection): what is cut off must not
 * look like drift to the other side. */
static double location(const struct reference *self, uint32_t from, const struct bulk *bulk, double sd, double cut)
{
    double low = bulk->low, high = bulk->high;
    for (int step = 0; step < LOCATION_STEPS; step++) {
        double middle = 0.5 * (low + high), sum = 0;
        for (uint32_t i = from; i < self->count; i++)
            if (!absurd(self, left_at(self, i), bulk))
                sum += fmax(-cut, fmin((left_at(self, i) - middle) / sd, cut));
        if (sum > 0)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

static bool any_absurd(const struct reference *self, const struct bulk *bulk)
{
    return absurd(self, select_rank(self, value_at, 0, 0, NAN), bulk) ||
           absurd(self, select_rank(self, value_at, 0, self->count - 1, NAN), bulk);
}

static void fit(struct reference *self)
{
    if (self->log == REFERENCE_LOG_AUTO && !self->logs && self->judged == 0 && wants_logs(self))
        take_logs(self);
    struct bulk bulk = bulk_of(self, value_at, 0);
    double mean, sd;
    self->phi = 0;
    moments(self, value_at, 0, &bulk, &mean, &sd);
    if (self->prewhiten)
        self->phi = fit_phi(self, &bulk, isnan(self->known_mean) ? mean : self->known_mean - self->first);
    if (!isnan(self->known_mean)) {
        self->centre = self->known_mean * (1 - self->phi);
        self->sd = self->known_sd * sqrt(1 - self->phi * self->phi);
        return;
    }
    uint32_t from = self->phi == 0 ? 0 : 1;
    bulk = bulk_of(self, left_at, from);
    moments(self, left_at, from, &bulk, &mean, &sd);
    double cut = self->stage[self->judged].cut;
    if (self->robust && sd > 0 && isfinite(cut))
        mean = location(self, from, &bulk, sd, cut);
    self->centre = mean + self->first * (1 - self->phi);
    if (!self->robust && !self->prewhiten && !self->logs && !any_absurd(self, &bulk)) {
        self->centre = self->mean;
        sd = sqrt(self->squares / (self->count > 1 ? self->count - 1 : 1));
    }
    double level = self->centre / (1 - self->phi);
    self->sd = fmax(sd, DETECT_ROUNDING * fmax(1, fabs(level)));
}

/* Taking values --------------------------------------------------------------------------------------------------- */

static double transformed(const struct reference *self, double value)
{
    return self->logs ? log(fmax(value, LOG_LEAST)) : value;
}

static void collect(struct reference *self, double value)
{
    if (self->count == 0 && self->log == REFERENCE_LOG_OFF)
        self->first = value;
    double kept = transformed(self, value) - self->first;
    self->buffer[self->count++] = (float)fmax(-FLT_MAX, fmin(kept, FLT_MAX));
    double before = value - self->mean;
    self->mean += before / self->count;
    self->squares += before * (value - self->mean);
}

enum reference_taken reference_take(struct reference *self, double value, double *residual)
{
    bool judging = self->judged > 0;
    if (self->count < self->wanted) {
        collect(self, value);
        if (self->count == self->stage[self->judged].values) {
            fit(self);
            self->judged++;
            self->previous = transformed(self, value);
            return judging ? REFERENCE_RENEWED : REFERENCE_COLLECTED;
        }
    }
    double seen = transformed(self, value);
    if (judging) {
        double cut = reference_stage(self)->cut;
        *residual = (seen - self->phi * self->previous - self->centre) / self->sd;
        *residual = fmax(-cut, fmin(*residual, cut));
    }
    self->previous = seen;
    return judging ? REFERENCE_JUDGED : REFERENCE_COLLECTED;
}

void reference_size(const struct reference *self, double shift, double half, struct detect_verdict *out)
{
    double unit = self->sd / (1 - self->phi);
    if (self->wanted > 0 && isnan(self->known_mean))
        half = sqrt(half * half + DETECT_NORMAL_95 * DETECT_NORMAL_95 / self->count);
    if (!self->logs) {
        detect_size(out, shift * unit, half * fabs(unit));
        return;
    }
    double level = exp(self->centre / (1 - self->phi));
    out->size = level * expm1(shift * unit);
    out->lower = level * expm1((shift - half) * unit);
    out->upper = level * expm1((shift + half) * unit);
}

/* The promise ----------------------------------------------------------------------------------------------------- */

static int promise_stage(struct detect_params *params, const struct chart *chart, double events, uint32_t values,
                         double freedom)
{
    struct chart kept = *chart;
    int error = values ? chart_limit_estimated(chart, events, values, fmax(freedom, 10), &kept.limit)
                       : chart_limit(chart, events, &kept.limit);
    if (error)
        return error;
    struct detect_stage stage = {.values = values, .limit = kept.limit, .cut = INFINITY};
    if (detect_params_get(params, "robust") == 1 && (error = chart_winsor(&kept, CUT_CHANGE, &stage.cut)))
        return error;
    params->stage[params->stages++] = stage;
    return 0;
}

int reference_promise(struct detect_params *params, const struct chart *chart, double events)
{
    bool known = !isnan(detect_params_get(params, "mean")), prewhiten = detect_params_get(params, "prewhiten") == 1;
    uint32_t wanted = (uint32_t)detect_params_get(params, "reference");
    params->stages = 0;
    if (known && !prewhiten)
        return promise_stage(params, chart, events, 0, 0);
    uint32_t early[DETECT_STAGES_MAX - 1] = {EARLY_VALUES, (uint32_t)sqrt((double)EARLY_VALUES * wanted)};
    for (uint32_t i = 0; i <= DETECT_STAGES_MAX - 1; i++) {
        bool last = i == DETECT_STAGES_MAX - 1;
        uint32_t values = last ? wanted : early[i];
        if (!last && wanted < EARLY_LEAST)
            continue;
        double freedom = values / (prewhiten ? AR_FREEDOM : ROBUST_FREEDOM);
        int error = promise_stage(params, chart, events, values, freedom);
        /* So few values cannot keep it: then it is judged when there are more. */
        if (error && (last || error != -ERANGE))
            return error;
    }
    return 0;
}

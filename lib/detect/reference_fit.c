/* Fitting a reference: transformation, AR(1), centre and deviation, and what residuals count for on either side. */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/calibrate/chart.h"
#include "lib/detect/location.h"
#include "lib/detect/reference.h"
#include "lib/detect/tilt.h"

#define OUTLIER_MADS 4.0 /* of a normal distribution 6 in 100,000 lie beyond */
#define ABSURD 1e9       /* times the level: not even a plain mean takes it */
#define MAD_TO_SD 1.482602218505602
#define SKEW_FOR_LOGS 2.0 /* standard errors of a normal sample's skewness */
#define PHI_MOST 0.99
#define COPIED_MOST 1024 /* values that a rank is found among in a copy, on the stack */
#define TRUST_LEAST 0.7  /* of a residual, however uncertain its AR(1) */

/* A value of the reference, transformed; then what the AR(1) leaves of it. */
static double value_at(const struct reference *self, uint32_t i)
{
    return self->buffer[i];
}

static double left_at(const struct reference *self, uint32_t i)
{
    return i == 0 ? self->buffer[0] : self->buffer[i] - self->phi * self->buffer[i - 1];
}

typedef double at_fn(const struct reference *self, uint32_t i);

#define SIGN_BIT (UINT64_C(1) << 63)

/* Orders doubles as unsigned integers. */
static uint64_t key_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits & SIGN_BIT ? ~bits : bits | SIGN_BIT;
}

static double value_of(uint64_t key)
{
    uint64_t bits = key & SIGN_BIT ? key & ~SIGN_BIT : ~key;
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The key of rank `rank` among `count` (Hoare 1961). */
static uint64_t select_key(uint64_t *at, uint32_t count, uint32_t rank)
{
    while (count > 1) {
        const uint64_t pivot = at[(count - 1) / 2];
        uint32_t i = 0, j = count - 1;
        for (;;) {
            while (i < count - 1 && at[i] < pivot)
                i++;
            while (j > 0 && pivot < at[j])
                j--;
            if (i >= j)
                break;
            const uint64_t other = at[i];
            at[i++] = at[j];
            at[j--] = other;
        }
        /* What is before j + 1 is at most the pivot, what is behind it at least. */
        if (rank <= j) {
            count = j + 1;
        } else {
            at += j + 1;
            rank -= j + 1;
            count -= j + 1;
        }
    }
    return at[0];
}

/* The value of rank `rank` (from 0) among those from `from` on, or of their distances from `centre` when that is a
 * number. Of many values by bisection of the bits, which needs no memory and leaves the order alone, but 64 looks at
 * all. */
static double select_rank(const struct reference *self, at_fn *at, uint32_t from, uint32_t rank, double centre)
{
    uint64_t low = 0, high = UINT64_MAX;
    assert(from < self->count);
    if (self->count - from <= COPIED_MOST) {
        uint64_t keys[COPIED_MOST];
        for (uint32_t i = from; i < self->count; i++) {
            const double value = at(self, i);
            keys[i - from] = key_of(isnan(centre) ? value : fabs(value - centre));
        }
        return value_of(select_key(keys, self->count - from, rank));
    }
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        uint32_t below = 0;
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
    double reach = ABSURD * fmax(1, fmax(fabs(bulk.median), bulk.mad));
    if (self->robust && bulk.mad > DETECT_ROUNDING * fmax(1, fabs(bulk.median)))
        reach = fmin(reach, OUTLIER_MADS * bulk.mad);
    bulk.low = bulk.median - reach;
    bulk.high = bulk.median + reach;
    return bulk;
}

static double clip(double value, const struct bulk *bulk)
{
    return value < bulk->low ? bulk->low : value > bulk->high ? bulk->high : value;
}

static double absurd_reach(const struct bulk *bulk)
{
    return ABSURD * fmax(1, fmax(fabs(bulk->median), bulk->mad));
}

static bool absurd(double value, const struct bulk *bulk)
{
    return fabs(value - bulk->median) > absurd_reach(bulk);
}

/* Skewness of values of which `mean` and the sums of squares and cubes around it are known. */
static double skewness(double n, double squares, double cubes)
{
    double spread = sqrt(squares / n);
    return spread > 0 ? cubes / n / (spread * spread * spread) : 0;
}

/* Skewness of the metric as it comes and of its logarithms, outliers cut off. */
static void skews(const struct reference *self, const struct bulk *bulk, double *plain, double *logs)
{
    double n = self->count, mean[2] = {0, 0}, squares[2] = {0, 0}, cubes[2] = {0, 0};
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < self->count; i++) {
            double value = clip(value_at(self, i), bulk), x[2];
            x[0] = self->logs ? exp(value) : value;
            x[1] = self->logs ? value : detect_log(value);
            for (int k = 0; k < 2; k++) {
                double apart = x[k] - mean[k];
                if (pass == 1) {
                    squares[k] += apart * apart;
                    cubes[k] += apart * apart * apart;
                }
            }
            if (pass == 0) {
                mean[0] += (x[0] - mean[0]) / (i + 1);
                mean[1] += (x[1] - mean[1]) / (i + 1);
            }
        }
    }
    *plain = skewness(n, squares[0], cubes[0]);
    *logs = skewness(n, squares[1], cubes[1]);
}

/* Whether a metric is positive, and skewed as logarithms would mend. */
static bool wants_logs(const struct reference *self, const struct bulk *bulk)
{
    double plain, logs;
    if (!self->logs && select_rank(self, value_at, 0, 0, NAN) <= 0)
        return false;
    skews(self, bulk, &plain, &logs);
    return plain > SKEW_FOR_LOGS * sqrt(6.0 / self->count) && fabs(logs) < plain;
}

static void take_logs(struct reference *self, bool logs)
{
    for (uint32_t i = 0; i < self->count; i++)
        self->buffer[i] = logs ? detect_log(self->buffer[i]) : exp(self->buffer[i]);
    self->logs = logs;
}

/* The AR(1) by the lag-1 autocorrelation, its small-sample bias of -(1 + 3 phi) / n mended (Kendall 1954). */
static double fit_phi(const struct reference *self, const struct bulk *bulk, double mean)
{
    double along = 0, squares = 0, before = 0;
    for (uint32_t i = 0; i < self->count; i++) {
        double value = absurd(value_at(self, i), bulk) ? 0 : clip(value_at(self, i), bulk) - mean;
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
        if (absurd(at(self, i), bulk))
            continue;
        double apart = clip(at(self, i), bulk) - bulk->median;
        sum += apart;
        squares += apart * apart;
        taken++;
    }
    *mean = bulk->median + sum / taken;
    *sd = sqrt(fmax(0, squares - sum * sum / taken) / (taken > 1 ? taken - 1 : 1));
}

/* Where residuals that are cut off at +-cut have mean zero: what is cut off must not look like drift to the other side.
 */
static double location(const struct reference *self, uint32_t from, const struct bulk *bulk, double sd, double cut)
{
    const struct location residuals = {.values = self->buffer,
                                       .from = from,
                                       .count = self->count,
                                       .phi = self->phi,
                                       .median = bulk->median,
                                       .reach = absurd_reach(bulk),
                                       .sd = sd,
                                       .cut = cut};
    return location_find(&residuals, bulk->low, bulk->high);
}

static void estimate(struct reference *self)
{
    struct bulk bulk = bulk_of(self, value_at, 0);
    if (self->log == REFERENCE_LOG_AUTO && wants_logs(self, &bulk) != self->logs) {
        take_logs(self, !self->logs);
        bulk = bulk_of(self, value_at, 0);
    }
    double mean, sd;
    self->phi = 0;
    moments(self, value_at, 0, &bulk, &mean, &sd);
    if (self->prewhiten)
        self->phi = fit_phi(self, &bulk, isnan(self->known_mean) ? mean : self->known_mean);
    if (!isnan(self->known_mean)) {
        self->centre = self->known_mean * (1 - self->phi);
        self->sd = self->known_sd * sqrt(1 - self->phi * self->phi);
        return;
    }
    uint32_t from = self->phi == 0 ? 0 : 1;
    bulk = bulk_of(self, left_at, from);
    moments(self, left_at, from, &bulk, &mean, &sd);
    double cut = reference_stage(self, self->judged).cut;
    if (self->robust && sd > 0 && isfinite(cut))
        mean = location(self, from, &bulk, sd, cut);
    self->centre = mean;
    double level = self->centre / (1 - self->phi);
    self->sd = fmax(sd, DETECT_ROUNDING * fmax(1, fabs(level)));
}

/* What normal theory is to hold for ------------------------------------------------------------------------------ */

/* The reference's residuals, in bins. */
static void collect_residuals(const struct reference *self, double cut, struct tilt_residuals *out)
{
    double count[TILT_BINS] = {0}, sum[TILT_BINS] = {0};
    for (uint32_t i = self->phi == 0 ? 0 : 1; i < self->count; i++) {
        double z = fmax(-cut, fmin((left_at(self, i) - self->centre) / self->sd, cut));
        int bin = (int)((z + cut) / (2 * cut) * (TILT_BINS - 1));
        count[bin]++;
        sum[bin] += z;
    }
    out->bins = 0;
    out->all = 0;
    for (int bin = 0; bin < TILT_BINS; bin++) {
        if (count[bin] == 0)
            continue;
        out->all += count[bin];
        out->count[out->bins] = count[bin];
        out->sum[out->bins++] = sum[bin];
    }
}

/* The AR(1)'s coefficient is known to sqrt((1 - phi^2) / n), and what its error leaves in the residuals hangs together:
 * an EWMA scatters by a factor more or less that the limit, widened for uncorrelated values, does not know. With a tail
 * of exp(-X / factor^2), X = L^2 / 2, and a factor of relative deviation s the expected rate is exp(-X + 2 (X s)^2):
 * how much less a residual has to count for that to stay what it is for phi = 0. */
static double trust_of(const struct reference *self, double limit)
{
    if (!(self->lambda > 0) || !(self->phi > 0))
        return 1;
    double keep = 1 - self->lambda, n = self->count, own = 1 / (2 * n);
    double left = keep / (1 - keep * self->phi) * sqrt((1 - self->phi * self->phi) / n);
    double at_zero = own + keep * keep / n, here = own + left * left;
    double x = limit * limit / 2, wanted = x - 2 * x * x * at_zero;
    double most = 1 / (4 * here), inside = 1 - 8 * here * wanted;
    double needed = inside > 0 ? most * (1 - sqrt(inside)) : most;
    return fmax(TRUST_LEAST, fmin(1, sqrt(x / needed)));
}

/* Takes the allowance that finds a shift of the level soonest: of 2 k deviations of the metric, of which the AR(1)
 * leaves sqrt((1 - phi) / (1 + phi)) in the residuals. Without the reference's values residuals go on counting for what
 * they count for. */
static void choose(struct reference *self)
{
    const struct detect_stage chosen = reference_stage(self, self->judged), *stage = &chosen;
    const double before[2] = {self->scale[0], self->scale[1]};
    struct tilt_residuals residuals;
    double left = sqrt((1 - self->phi) / (1 + self->phi)), soonest = INFINITY;
    const bool tilt = self->robust && isfinite(stage->cut) && !isnan(self->lambda), values = self->buffer;
    if (tilt && values)
        collect_residuals(self, stage->cut, &residuals);
    for (uint32_t i = 0; i < stage->choices; i++) {
        double scale[2] = {1, 1}, delay = 0;
        for (int side = 0; side < 2; side++) {
            if (!self->watched[side])
                continue;
            if (tilt)
                scale[side] =
                    !values ? before[side]
                            : trust_of(self, stage->limit[i]) * tilt_scale(&residuals, self->lambda, stage->slack[i],
                                                                           stage->limit[i], side == 0 ? 1 : -1);
            double shift = scale[side] * left * 2 * stage->slack[0];
            if (stage->choices > 1)
                delay = fmax(delay, chart_cusum_delay(stage->slack[i], stage->limit[i], shift));
        }
        if (delay < soonest) {
            soonest = delay;
            self->chosen = (uint8_t)i;
            memcpy(self->scale, scale, sizeof scale);
        }
    }
}

void reference_fit(struct reference *self)
{
    estimate(self);
    choose(self);
}

void reference_choose(struct reference *self)
{
    self->judged--;
    choose(self);
    self->judged++;
}

/* evidence: an e-detector against a budget, in Shiryaev-Roberts form (Shin, Ramdas, Rinaldo 2022).
 *
 *     x: the metric scaled to 0..1, harm upwards; m: the budget likewise; 8 bets lambda_k of 0..1/m;
 *     M_k = (1 + lambda_k (x - m)) (M_k + 1); drift when sum_k w_k M_k >= 1 / alpha.
 *
 * While E[x | past] <= m, M_k less the number of values is a supermartingale, whatever the distribution: the mean time
 * to a false alarm is at least 1 / alpha values. It needs no reference and no warm-up. What is promised ends where the
 * conditional mean does not keep to the budget: a level that swings beyond it for stretches is reported, although its
 * long-run mean is within.
 *
 * The bets halve from 0.9 / m: large ones see a collapse at once, small ones a fall of a hundredth in the long run. */
#include <math.h>
#include <string.h>

#include "lib/detect/detector.h"
#include "lib/detect/evidence.h"

#define BETS EVIDENCE_BETS

/* Where a bet's run began. */
struct beginning {
    double sum, squares; /* of x before the run */
    uint64_t before;     /* values before the run */
};

/* What every value touches comes first. */
struct evidence {
    double budget, low, high, alpha; /* budget: scaled */
    enum detect_direction direction;
    uint64_t clipped;
    uint64_t n;
    double sum, squares;    /* of x */
    double previous, along; /* the x before; sum of each x times the one before */
    double evidence[BETS];  /* M_k */
    double run[BETS];       /* of the run that began when it was last below 1: a sequential likelihood ratio */
    struct beginning beginning[BETS]; /* of runs above 1 */
};

static const struct detect_param params[] = {
    {"budget", DETECT_NUMBER, NAN, -DETECT_VALUE_MAX, DETECT_VALUE_MAX, false, NULL, "what the mean has to keep to"},
    {"alpha", DETECT_NUMBER, 0.001, 0, 0.5, true, NULL, "one over the mean number of values to a false alarm"},
    {"direction", DETECT_CHOICE, DETECT_DOWN, 1, 2, false, "both|up|down", "where values do harm: up or down"},
    {"low", DETECT_NUMBER, 0, -DETECT_VALUE_MAX, DETECT_VALUE_MAX, false, NULL, "least value there can be"},
    {"high", DETECT_NUMBER, 1, -DETECT_VALUE_MAX, DETECT_VALUE_MAX, false, NULL, "largest value there can be"},
};

static bool check(const struct detect_params *given, struct detect_error *error)
{
    double budget = detect_params_get(given, "budget"), low = detect_params_get(given, "low"),
           high = detect_params_get(given, "high");
    double scaled = (budget - low) / (high - low);
    if (isnan(budget))
        detect_say(error, "budget: evidence needs one, between low and high");
    else if (!(low < high))
        detect_say(error, "high: %g is not allowed; it takes a number above low, which is %g", high, low);
    else if (!(scaled > DETECT_ROUNDING && scaled < 1 - DETECT_ROUNDING))
        detect_say(error, "budget: %g is not allowed; it takes a number above %g and below %g", budget, low, high);
    else
        return true;
    return false;
}

static size_t bytes(const struct detect_params *given)
{
    (void)given;
    return sizeof(struct evidence);
}

static void retune(void *state, const struct detect_params *given)
{
    struct evidence *self = state;
    self->alpha = given->promise > 0 ? 1 / given->promise : detect_params_get(given, "alpha");
}

static double scaled(const struct evidence *self, double value)
{
    double x = (value - self->low) / (self->high - self->low);
    return self->direction == DETECT_DOWN ? 1 - x : x;
}

static void init(void *state, const struct detect_params *given)
{
    struct evidence *self = state;
    self->low = detect_params_get(given, "low");
    self->high = detect_params_get(given, "high");
    self->direction = (enum detect_direction)detect_params_get(given, "direction");
    self->budget = scaled(self, detect_params_get(given, "budget"));
    retune(self, given);
}

static void restart(void *state)
{
    struct evidence *self = state;
    self->n = 0;
    self->sum = self->squares = self->previous = self->along = 0;
    memset(self->evidence, 0, sizeof self->evidence);
    memset(self->run, 0, sizeof self->run);
    memset(self->beginning, 0, sizeof self->beginning);
}

static double bounded(struct evidence *self, double value)
{
    if (value < self->low || value > self->high)
        self->clipped++;
    return scaled(self, detect_within(value, self->low, self->high));
}

/* The bet that says most tells since when, and how far beyond the budget the mean has been: since its run began, and
 * where there was none, with this value. */
static void tell(const struct evidence *self, struct beginning now, uint64_t index, struct detect_verdict *out)
{
    int best = 0;
    for (int k = 1; k < BETS; k++)
        if (self->evidence[k] > self->evidence[best])
            best = k;
    const struct beginning begun = self->run[best] > 1 ? self->beginning[best] : now;
    double n = (double)(self->n - begun.before), mean = (self->sum - begun.sum) / n;
    double variance = fmax(0, (self->squares - begun.squares) / n - mean * mean);
    double unit = (self->high - self->low) * (self->direction == DETECT_DOWN ? -1 : 1);
    out->state = DETECT_DRIFT;
    out->changed_at = index + 1 - (self->n - begun.before);
    detect_size(out, unit * (mean - self->budget), fabs(unit) * DETECT_NORMAL_95 * sqrt(variance / n));
}

/* What the bets are, as parts of the largest. */
static const double part[BETS] = {1, 1.0 / 2, 1.0 / 4, 1.0 / 8, 1.0 / 16, 1.0 / 32, 1.0 / 64, 1.0 / 128};

/* A run that a value does not take above 1 begins anew with the next: where it began need not be kept. */
static void begin_runs(struct evidence *self, double gain, struct beginning now)
{
    if (gain > 0)
        for (int k = 0; k < BETS; k++)
            if (!(self->run[k] > 1))
                self->beginning[k] = now;
}

static inline double run_on(double run, double factor)
{
    return (run > 1 ? run : 1) * factor;
}

/* Takes a value into the sums; the gain of a bet of 1. */
static inline double learn(struct evidence *self, double value)
{
    const double x = bounded(self, value), gain = EVIDENCE_LARGEST_BET / self->budget * (x - self->budget);
    self->n++;
    self->sum += x;
    self->squares += x * x;
    self->along += x * self->previous;
    self->previous = x;
    return gain;
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct evidence *self = state;
    const struct beginning now = {self->sum, self->squares, self->n};
    const double gain = learn(self, value);
    double total = 0;
    for (int k = 0; k < BETS; k++) {
        self->evidence[k] = (1 + gain * part[k]) * (self->evidence[k] + 1);
        total += self->evidence[k];
    }
    out->statistic = total / BETS;
    out->threshold = 1 / self->alpha;
    if (out->statistic >= out->threshold)
        tell(self, now, index, out);
    begin_runs(self, gain, now);
    for (int k = 0; k < BETS; k++)
        self->run[k] = run_on(self->run[k], 1 + gain * part[k]);
}

/* As add(), but that nobody asks what the evidence comes to before the last value. */
static void add_quiet(void *state, uint64_t index, const double *values, uint32_t count, struct detect_verdict *out)
{
    struct evidence *self = state;
    for (uint32_t i = 0; i + 1 < count; i++) {
        const struct beginning now = {self->sum, self->squares, self->n};
        const double gain = learn(self, values[i]);
        begin_runs(self, gain, now);
        for (int k = 0; k < BETS; k++) {
            const double factor = 1 + gain * part[k];
            self->evidence[k] = factor * (self->evidence[k] + 1);
            self->run[k] = run_on(self->run[k], factor);
        }
    }
    add(state, index + count - 1, values[count - 1], out);
}

/* A gain of at most g makes at most (1 + g)^n (M + n) of M in n values. */
static void quiet(const void *state, uint32_t most, struct detect_quiet *out)
{
    const struct evidence *self = state;
    double total = 0;
    for (int k = 0; k < BETS; k++)
        total += self->evidence[k];
    const double times = BETS / self->alpha / (total + (double)most * BETS) * (1 - 1e-6);
    const double gain = exp2(log2(times) / most) * (1 - 1e-9) - 1;
    const double x = self->budget * (1 + gain / EVIDENCE_LARGEST_BET), unit = self->high - self->low;
    const double slop = 1e-15 * (fabs(self->low) + fabs(self->high));
    if (!(gain > 0))
        out->values = 0;
    if (x >= 1)
        return;
    if (self->direction == DETECT_DOWN)
        out->low = self->low + unit * (1 - x) + slop;
    else
        out->high = self->low + unit * x - slop;
}

static void walk(void *state, struct codec *codec)
{
    struct evidence *self = state;
    codec_u64(codec, &self->clipped);
    codec_u64(codec, &self->n);
    codec_f64(codec, &self->sum);
    codec_f64(codec, &self->squares);
    codec_f64(codec, &self->previous);
    codec_f64(codec, &self->along);
    for (int k = 0; k < BETS; k++) {
        codec_f64(codec, &self->evidence[k]);
        codec_f64(codec, &self->run[k]);
        codec_f64(codec, &self->beginning[k].sum);
        codec_f64(codec, &self->beginning[k].squares);
        codec_u64(codec, &self->beginning[k].before);
    }
}

static uint64_t clipped(const void *state)
{
    const struct evidence *self = state;
    return self->clipped;
}

static bool moments(const void *state, struct detect_moments *out)
{
    const struct evidence *self = state;
    double n = (double)self->n, mean = self->sum / n, variance = fmax(0, self->squares / n - mean * mean);
    if (self->n < 2)
        return false;
    double unit = self->high - self->low;
    *out = (struct detect_moments){
        .n = self->n,
        .mean = self->direction == DETECT_DOWN ? self->high - unit * mean : self->low + unit * mean,
        .sd = unit * sqrt(variance),
        .autocorrelation = variance > DETECT_ROUNDING ? (self->along / (n - 1) - mean * mean) / variance : 0,
    };
    out->autocorrelation = fmax(-1, fmin(out->autocorrelation, 1));
    return true;
}

static int promise(struct detect_params *given, double events)
{
    (void)given;
    (void)events; /* retune() reads it: 1 / alpha */
    return 0;
}

const struct detector detector_evidence = {
    .name = "evidence",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .hot = offsetof(struct evidence, beginning),
    .quiet = quiet,
    .add_quiet = add_quiet,
    .walk = walk,
    .check = check,
    .promise = promise,
    .retune = retune,
    .clipped = clipped,
    .moments = moments,
};

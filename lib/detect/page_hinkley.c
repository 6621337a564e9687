/* page_hinkley: cumulative sum of deviations from a running mean (Page 1954; Hinkley 1971).
 *
 *     mean of all values since the last alarm; d = x - mean;
 *     up   = alpha up + d - delta,   drift when up - min(up) > threshold;
 *     down = alpha down + d + delta, drift when max(down) - down > threshold; from min_instances values on.
 *
 * Decides as River 0.24 does, the minimum and maximum tracked, `>` strict. Not River's: deviations within rounding of
 * the mean are none; and with `reference` set, values are first standardised by that many values, because in raw units
 * the usual delta and threshold are blind to accuracies and hysterical about latencies. */
#include <math.h>

#include "lib/detect/reference.h"

struct extreme {
    double sum, least; /* of the sum; turned round for `down` */
};

/* Where it was. */
struct place {
    double mean; /* of the values before the extreme */
    uint64_t at; /* values before the extreme, since the restart */
};

/* What every value touches comes first: two lines of the cache with what detect.c keeps. */
struct page_hinkley {
    uint32_t min_instances;
    enum detect_direction direction;
    double delta, threshold, alpha;
    uint64_t n;
    double mean, squares;
    struct extreme up, down;
    bool in_deviations; /* parameters are in units of the reference's standard deviation */
    struct place up_place, down_place;
    struct reference reference; /* in_deviations only: there is no room for it otherwise */
};

static const struct detect_param params[] = {
    {"min_instances", DETECT_WHOLE, 30, 1, 1e9, false, NULL, "values before the first judgement"},
    {"delta", DETECT_NUMBER, 0.005, 0, DETECT_VALUE_MAX, false, NULL, "deviation that is tolerated"},
    {"threshold", DETECT_NUMBER, 50, 0, DETECT_VALUE_MAX, true, NULL, "of the cumulative sum"},
    {"alpha", DETECT_NUMBER, 0.9999, 0, 1, true, NULL, "what is kept of the sum at each value"},
    REFERENCE_PARAM_DIRECTION,
    {"reference", DETECT_WHOLE, 0, 0, 1000000, false, NULL, "values to standardise by, or 0: raw units"},
};

static size_t bytes(const struct detect_params *given)
{
    return detect_params_get(given, "reference") > 0 ? sizeof(struct page_hinkley)
                                                     : offsetof(struct page_hinkley, reference);
}

static void init(void *state, const struct detect_params *given)
{
    struct page_hinkley *self = state;
    self->min_instances = (uint32_t)detect_params_get(given, "min_instances");
    self->delta = detect_params_get(given, "delta");
    self->threshold = detect_params_get(given, "threshold");
    self->alpha = detect_params_get(given, "alpha");
    self->direction = (enum detect_direction)detect_params_get(given, "direction");
    self->in_deviations = detect_params_get(given, "reference") > 0;
    if (self->in_deviations)
        reference_init(&self->reference, given, self->threshold);
}

static void restart(void *state)
{
    struct page_hinkley *self = state;
    if (self->in_deviations)
        reference_restart(&self->reference);
    self->n = 0;
    self->mean = self->squares = 0;
    self->up = self->down = (struct extreme){.least = INFINITY};
    self->up_place = self->down_place = (struct place){0};
}

static void accumulate(const struct page_hinkley *self, struct extreme *side, struct place *place, double step)
{
    side->sum = self->alpha * side->sum + step;
    if (side->sum < side->least) {
        side->least = side->sum;
        place->at = self->n;
        place->mean = self->mean;
    }
}

static void tell(const struct page_hinkley *self, const struct place *place, uint64_t index, struct detect_verdict *out)
{
    double n = (double)self->n, before = (double)place->at, after = n - before;
    out->state = DETECT_DRIFT;
    if (!(after > 0))
        return;
    double shift = (self->mean * n - place->mean * before) / after - place->mean;
    double half = DETECT_NORMAL_95 * sqrt(self->squares / n * (1 / after + 1 / before));
    out->changed_at = index + 1 - (uint64_t)after;
    if (self->in_deviations)
        reference_size(&self->reference, shift, half, out);
    else
        detect_size(out, shift, half);
}

/* Takes a value into the mean and both sums. */
static inline void learn(struct page_hinkley *self, double value)
{
    self->n++;
    double before = value - self->mean;
    self->mean += before / (double)self->n;
    double apart = value - self->mean;
    self->squares += before * apart;
    if (fabs(apart) <= DETECT_ROUNDING * fabs(self->mean))
        apart = 0;
    accumulate(self, &self->up, &self->up_place, apart - self->delta);
    accumulate(self, &self->down, &self->down_place, -apart - self->delta);
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct page_hinkley *self = state;
    if (self->in_deviations && reference_take(&self->reference, value, &value) != REFERENCE_JUDGED)
        return;
    learn(self, value);
    double up = self->up.sum - self->up.least, down = self->down.sum - self->down.least;
    bool rises = self->direction == DETECT_UP || (self->direction == DETECT_BOTH && up >= down);
    out->statistic = rises ? up : down;
    out->threshold = self->threshold;
    if (self->n >= self->min_instances && out->statistic > out->threshold)
        tell(self, rises ? &self->up_place : &self->down_place, index, out);
}

/* As add() in raw units, but that nobody asks for a statistic before the last value. */
static void add_quiet(void *state, uint64_t index, const double *values, uint32_t count, struct detect_verdict *out)
{
    struct page_hinkley *self = state;
    uint32_t i = 0;
    for (; !self->in_deviations && i + 1 < count; i++)
        learn(self, values[i]);
    for (; i < count; i++)
        add(state, index + i, values[i], out);
}

/* How wide the values, and with them the running mean, may spread so that no statistic reaches the threshold. A value
 * adds at most the spread to a statistic, and what a sum below zero loses of itself. */
static double spread(const struct page_hinkley *self, uint32_t most)
{
    const bool up = self->direction != DETECT_DOWN, down = self->direction != DETECT_UP;
    const double statistic = fmax(up ? self->up.sum - self->up.least : 0, down ? self->down.sum - self->down.least : 0);
    const double below = fmax(up ? -self->up.least : 0, down ? -self->down.least : 0);
    const double lost = 1 - self->alpha, slop = 1e-12 * most * (fabs(self->mean) + fabs(below));
    const double each = (self->threshold - statistic) * (1 - 1e-9) / most - slop;
    return (each - lost * (detect_at_least(0, below) + most * self->delta)) / (1 + most * lost);
}

static void quiet(const void *state, uint32_t most, struct detect_quiet *out)
{
    const struct page_hinkley *self = state;
    const bool begun = self->n > 0;
    const double half = begun ? 0.5 * spread(self, most) : -1, low = self->mean - half, high = self->mean + half;
    if (self->in_deviations) {
        reference_quiet(&self->reference, begun ? -low : -1, begun ? high : -1, most, out);
        return;
    }
    out->low = detect_at_least(-DETECT_VALUE_MAX, low);
    out->high = fmin(high, DETECT_VALUE_MAX);
    if (!(half > 0))
        out->values = 0;
}

static void walk(void *state, struct codec *codec)
{
    struct page_hinkley *self = state;
    struct extreme *sides[] = {&self->up, &self->down};
    struct place *places[] = {&self->up_place, &self->down_place};
    codec_u64(codec, &self->n);
    codec_f64(codec, &self->mean);
    codec_f64(codec, &self->squares);
    for (int i = 0; i < 2; i++) {
        codec_f64(codec, &sides[i]->sum);
        codec_f64(codec, &sides[i]->least);
        codec_f64(codec, &places[i]->mean);
        codec_u64(codec, &places[i]->at);
    }
    struct reference none = {.known_mean = NAN, .known_sd = NAN, .stages = 1};
    reference_restart(&none);
    reference_walk(self->in_deviations ? &self->reference : &none, codec);
}

static size_t more_bytes(const void *state)
{
    const struct page_hinkley *self = state;
    return self->in_deviations ? reference_more_bytes(&self->reference) : 0;
}

static void release(void *state)
{
    struct page_hinkley *self = state;
    if (self->in_deviations)
        reference_release(&self->reference);
}

const struct detector detector_page_hinkley = {
    .name = "page_hinkley",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .hot = offsetof(struct page_hinkley, up_place),
    .quiet = quiet,
    .add_quiet = add_quiet,
    .walk = walk,
    .more_bytes = more_bytes,
    .release = release,
};

/* hddm_w: drift by McDiarmid's bound on exponentially weighted averages (Frias-Blanco and others 2015, the W-test).
 *
 *     an average of weight lambda, its squared weights b = lambda^2 + (1 - lambda)^2 b, eps = sqrt(b ln(1/delta) / 2);
 *     where average + eps is least the sample is cut: one average stays as it was there, another begins with the next
 *     value; drift when they differ by more than sqrt((b1 + b2) ln(1/delta) / 2).
 *
 * Decides as River 0.24 (which follows MOA) does on values of 0 to 1; others are clipped. River before 0.22 began its
 * average anew whenever it was exactly 0; ours begins once. */
#include <math.h>

#include "lib/detect/detector.h"

struct sample {
    bool begun;
    double average, squares; /* of the weights */
};

struct split {
    struct sample before, after;
    double cut; /* the extreme of average + eps */
    uint64_t at;
};

struct hddm_w {
    double drift, warning, lambda;
    bool two_sided;
    uint64_t clipped;
    struct sample all;
    struct split up, down;
};

static const struct detect_param params[] = {
    {"drift_confidence", DETECT_NUMBER, 0.001, 0, 1, true, NULL, "chance of a false alarm at one test"},
    {"warning_confidence", DETECT_NUMBER, 0.005, 0, 1, true, NULL, "the same for a warning"},
    {"two_sided", DETECT_SWITCH, 0, 0, 1, false, NULL, "falling error rates as well"},
    {"lambda", DETECT_NUMBER, 0.05, 0, 1, true, NULL, "weight of the newest value"},
};

static size_t bytes(const struct detect_params *given)
{
    (void)given;
    return sizeof(struct hddm_w);
}

static void init(void *state, const struct detect_params *given)
{
    struct hddm_w *self = state;
    self->drift = detect_params_get(given, "drift_confidence");
    self->warning = detect_params_get(given, "warning_confidence");
    self->two_sided = detect_params_get(given, "two_sided") == 1;
    self->lambda = detect_params_get(given, "lambda");
}

static const struct sample empty = {.squares = 1};

static void restart(void *state)
{
    struct hddm_w *self = state;
    self->all = empty;
    self->up = self->down = (struct split){.before = empty, .after = empty, .cut = INFINITY};
}

static void take(const struct hddm_w *self, struct sample *sample, double value)
{
    double keep = 1 - self->lambda;
    sample->average = sample->begun ? self->lambda * value + keep * sample->average : value;
    sample->squares = self->lambda * self->lambda + keep * keep * sample->squares;
    sample->begun = true;
}

static double bound(double squares, double confidence)
{
    return sqrt(squares * log(1 / confidence) / 2);
}

/* `sign` 1: rising averages; -1: falling ones, turned round. */
static void split(struct hddm_w *self, struct split *side, double sign, uint64_t index, double value)
{
    double reach = sign * self->all.average + bound(self->all.squares, self->drift);
    if (reach < side->cut) {
        side->cut = reach;
        side->before = self->all;
        side->after = empty;
        side->at = index;
    } else {
        take(self, &side->after, value);
    }
}

static bool moved(const struct split *side, double sign, double confidence)
{
    return side->before.begun && side->after.begun &&
           sign * (side->after.average - side->before.average) >
               bound(side->before.squares + side->after.squares, confidence);
}

static void tell(const struct hddm_w *self, const struct split *side, double sign, struct detect_verdict *out)
{
    double size = side->after.average - side->before.average, squares = side->before.squares + side->after.squares;
    out->statistic = sign * size;
    out->threshold = bound(squares, self->drift);
    if (out->state == DETECT_NONE)
        return;
    out->changed_at = side->at + 1;
    detect_size(out, size, bound(squares, 0.025));
}

static void add(void *state, uint64_t index, double value, struct detect_verdict *out)
{
    struct hddm_w *self = state;
    value = detect_error_rate(value, &self->clipped);
    take(self, &self->all, value);
    split(self, &self->up, 1, index, value);
    split(self, &self->down, -1, index, value);
    bool rises = moved(&self->up, 1, self->drift), rising = moved(&self->up, 1, self->warning);
    bool falls = self->two_sided && moved(&self->down, -1, self->drift);
    bool falling = self->two_sided && moved(&self->down, -1, self->warning);
    if (rises || falls)
        out->state = DETECT_DRIFT;
    else if (rising || falling)
        out->state = DETECT_WARNING;
    bool down = falls || (!rises && !rising && falling);
    if (down)
        tell(self, &self->down, -1, out);
    else if (self->up.after.begun)
        tell(self, &self->up, 1, out);
}

static void walk_sample(struct sample *sample, struct codec *codec)
{
    codec_flag(codec, &sample->begun);
    codec_f64(codec, &sample->average);
    codec_f64(codec, &sample->squares);
}

static void walk(void *state, struct codec *codec)
{
    struct hddm_w *self = state;
    struct split *sides[] = {&self->up, &self->down};
    codec_u64(codec, &self->clipped);
    walk_sample(&self->all, codec);
    for (int i = 0; i < 2; i++) {
        walk_sample(&sides[i]->before, codec);
        walk_sample(&sides[i]->after, codec);
        codec_f64(codec, &sides[i]->cut);
        codec_u64(codec, &sides[i]->at);
    }
}

static uint64_t clipped(const void *state)
{
    const struct hddm_w *self = state;
    return self->clipped;
}

const struct detector detector_hddm_w = {
    .name = "hddm_w",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .bytes = bytes,
    .init = init,
    .restart = restart,
    .add = add,
    .walk = walk,
    .clipped = clipped,
};

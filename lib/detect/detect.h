/* detect.h - what every drift detector promises.
 *
 * A detector watches one number of one model and tells whether its stream still looks like its past. It reads no
 * clock, draws no random number, does no I/O and writes no log: the same values in the same order give the same
 * verdicts, today and in a replay.
 *
 * Threads: an instance belongs to one thread; two instances share nothing.
 * Memory:  what is needed to go on is taken in detect_new(); detect_add() cannot fail. The values of a reference take
 * more until it is full, an adaptive window of more than a thousand values takes some, and histograms and categories
 * once, with the first of them.
 */
#ifndef DRIFT_LIB_DETECT_DETECT_H
#define DRIFT_LIB_DETECT_DETECT_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/text.h"

#define DETECT_PARAMS_MAX 12
#define DETECT_STAGES_MAX 3
#define DETECT_CHOICES_MAX 7
#define DETECT_UNKNOWN UINT64_MAX
#define DETECT_VALUE_MAX 1e150 /* a larger magnitude counts as this one: sums of squares stay finite */

enum detect_state { DETECT_NONE, DETECT_WARNING, DETECT_DRIFT };
const char *detect_state_name(enum detect_state state);

/* What a detector says after a value. Whatever is not defined is NAN. */
struct detect_verdict {
    enum detect_state state;
    double statistic; /* in the detector's own units; beyond `threshold` is drift */
    double threshold;
    uint64_t n;          /* values taken since detect_new() or detect_reset() */
    uint64_t changed_at; /* with a state: the first value, counted from 0, that the change is thought to have touched;
                            DETECT_UNKNOWN where there is no estimate */
    double size;         /* with a state: how far the mean moved, in the metric's unit (error rates: as a rate) */
    double lower, upper; /* about 95 % for `size`, as if the time of the change were known */
};

/* Parameters ------------------------------------------------------------------------------------------------------ */

enum detect_param_kind {
    DETECT_NUMBER,
    DETECT_WHOLE,  /* a whole number */
    DETECT_SWITCH, /* false, true */
    DETECT_CHOICE  /* one of `words`; its value is the index of the word */
};

/* One parameter by its name in the literature. */
struct detect_param {
    const char *name;
    enum detect_param_kind kind;
    double fallback;    /* NAN: not given */
    double least, most; /* what is allowed */
    bool open;          /* `least` itself is not allowed */
    const char *words;  /* DETECT_CHOICE: "both|up|down" */
    const char *says;   /* one line for people */
};

/* direction */
enum detect_direction { DETECT_BOTH, DETECT_UP, DETECT_DOWN };

struct detector;

/* What detect_params_promise() worked out: from how many values of reference on a rule judges, and with which limit. */
struct detect_stage {
    uint32_t values;
    double cut; /* residuals are cut off at +-cut; INFINITY: never */
    /* The chart as it was asked for, limit[0], and a CUSUM's other allowances with a limit each, of which the reference
     * takes what suits the fitted AR(1): it leaves little of a shift of the level in the residuals. */
    uint32_t choices;
    double slack[DETECT_CHOICES_MAX], limit[DETECT_CHOICES_MAX];
};

struct detect_params {
    const struct detector *type;
    double value[DETECT_PARAMS_MAX]; /* in the order of detect_param() */
    double promise;                  /* events for each false alarm, or 0: none was asked for */
    bool approximate;                /* the promise rests on an extrapolated tail */
    uint32_t stages;                 /* 0: as the parameters say */
    struct detect_stage stage[DETECT_STAGES_MAX];
};

/* Filled with one sentence that names what is allowed, in printable ASCII: what it quotes has '?' for all else. Callers
 * may pass NULL. */
struct detect_error {
    char text[256];
};

/* Names of all detectors, NULL past the last. */
const char *detect_name(uint32_t index);

/* A detector's parameters, NULL past the last or for an unknown name. */
const struct detect_param *detect_param(const char *detector, uint32_t index);

/* Fills in the defaults. -ENOENT: no such detector. */
int detect_params_init(struct detect_params *self, const char *detector, struct detect_error *error);

/* Sets one. -ENOENT: no parameter of that name; -EDOM: out of its range, or not of its kind. Untouched on failure. */
int detect_params_set(struct detect_params *self, const char *name, double value, struct detect_error *error);

/* The same from text, as in `--set key=value` and in a `drift:` rule: "0.5", "true", "up". */
int detect_params_set_text(struct detect_params *self, const char *name, struct text value, struct detect_error *error);

/* The value in force; NAN where it was not given, or there is no such parameter. */
double detect_params_get(const struct detect_params *self, const char *name);

/* Whether the parameters make sense together. -EDOM. detect_new() asks this as well. */
int detect_params_check(const struct detect_params *self, struct detect_error *error);

/* Sets thresholds so that the expected number of false alarms is one in `events` values, at least 2. -ENOTSUP: this
 * detector cannot promise that; -ERANGE: nor can this one with these parameters. Some milliseconds: once for each
 * distinct setting, not once a model. A later detect_params_set() takes the promise back. */
int detect_params_promise(struct detect_params *self, double events, struct detect_error *error);

/* Whether a chart has values enough for a promise to rest on: a known reference, or one of DETECT_REFERENCE_LEAST at least.
 * -EDOM. Without a promise it may have fewer. */
#define DETECT_REFERENCE_LEAST 100
int detect_params_check_promise(const struct detect_params *self, struct detect_error *error);

/* Where a promise failed with -ERANGE: the strictest thresholds that a chart may have, which promise nothing. They are
 * stricter than those of any promise that it can make, and detect_retune() goes from one to the other. -ENOTSUP: no chart. */
int detect_params_strictest(struct detect_params *self);

/* In how many events a chart can promise one false alarm at most. -ENOTSUP: no chart; -ENOMEM. */
int detect_params_promise_most(const struct detect_params *self, double *out);

/* The chart behind `cusum`, `ewma` and `shewhart`, for run lengths and delays (lib/calibrate/chart.h): with the limit
 * of the promise, for a full reference, or else the one that the parameters give. -ENOTSUP: no chart. */
struct chart;
int detect_params_chart(const struct detect_params *self, struct chart *out);

/* Instances ------------------------------------------------------------------------------------------------------- */

struct detect;

/* Makes the detector called `name` in *self_p, which the caller owns. `params` is copied; NULL: the defaults. Returns
 * 0; -ENOENT: no such name; -EINVAL: parameters of another detector; -EDOM: they make no sense together; -ENOMEM. On
 * failure *self_p is NULL. */
int detect_new(struct detect **self_p, const char *name, const struct detect_params *params);

/* The same in memory of the caller's: detect_room() bytes, as aligned as a double, for parameters that
 * detect_params_check() has found good. These are not copied and must outlive it. detect_close() gives back what it
 * took beside, and ends it. */
size_t detect_room(const struct detect_params *params);
struct detect *detect_open(void *room, const struct detect_params *params);
void detect_close(struct detect *self);

/* Asks the memory for the lines that value number `index` will touch, without looking at any of them. */
void detect_prefetch(const struct detect *self, const struct detect_params *params, uint64_t index);

/* Takes one value; returns the verdict as it stands after it. A NaN or an infinity is not taken and does not count.
 * After a drift the detector starts anew with the next value. */
struct detect_verdict detect_add(struct detect *self, double value);
void detect_take(struct detect *self, double value, struct detect_verdict *out); /* the same */

/* What may come without a word, in logarithms if `logs`: as long as each value, less `phi` times the one before it
 * (`previous` for the first), lies from `low` to `high`, `values` of them neither alarm nor warn. Whoever feeds the
 * detector may keep them, then, and hand them over together. */
struct detect_quiet {
    uint32_t values; /* 0: not even the next one, as far as can be said in a few dozen instructions */
    bool logs;
    double phi, previous;
    double low, high;
};

/* For so many values at most, as things stand. False: this kind of detector never knows. */
bool detect_quiet(const struct detect *self, uint32_t most, struct detect_quiet *out);

bool detect_knows_quiet(const struct detect *self);

/* Takes values that came so: what detect_take() comes to one by one, with the verdict on the last. */
void detect_take_quiet(struct detect *self, const double *values, uint32_t count, struct detect_verdict *out);

/* The value, or what it has to be at least: also of what is no number. As fmax(3), whose call costs more than all else where
 * there is an event to take. */
static inline double detect_at_least(double least, double value)
{
    return value > least ? value : least;
}

/* A value in logarithms. What zero and less count as, and everything else is. */
#define DETECT_LOG_LEAST 1e-12
static inline double detect_log(double value)
{
    return log(detect_at_least(DETECT_LOG_LEAST, value));
}

/* A category and how often it came. */
struct detect_category {
    struct text name;
    uint64_t count;
};

/* Takes one event that carries a distribution instead of a value: `bins` counts between bins + 1 rising, finite edges.
 * An event without a count is not taken. -ENOTSUP: the detector takes values only; -EINVAL: it has taken another
 * kind since detect_reset(); -ENOMEM. *out is untouched on failure. */
int detect_add_histogram(struct detect *self, const double *edges, const uint64_t *counts, uint32_t bins,
                         struct detect_verdict *out);
int detect_add_categories(struct detect *self, const struct detect_category *categories, uint32_t count,
                          struct detect_verdict *out);

/* Forgets every value and keeps the parameters: the model was retrained. */
void detect_reset(struct detect *self);

/* Takes over new thresholds of detect_params_promise() without forgetting anything: the rate of events has changed.
 * They are copied as those before were, and must outlive the detector where they were not. -EINVAL: other parameters
 * differ as well. */
int detect_retune(struct detect *self, const struct detect_params *params);

/* What a chart takes for normal. */
struct detect_reference {
    uint32_t collected, wanted; /* values; `wanted` 0: the reference was given */
    bool judging;               /* the rest is good */
    bool logs;                  /* the metric is taken in logarithms, and so are `level` and `sd` */
    double phi;                 /* the fitted lag-1 autocorrelation, 0 unless prewhitened */
    double level, sd;           /* the metric's mean; deviation of what the AR(1) leaves */
    double limit, slack;        /* in force; `slack` NAN but for a CUSUM */
    double cut;                 /* residuals are cut off at +-cut; INFINITY: never */
    double scale[2];            /* rising, falling: what a residual counts for on that side, at most 1 */
};

/* -ENOTSUP: the detector has no such reference. */
int detect_reference(const struct detect *self, struct detect_reference *out);

/* What a detector without a reference has seen since it began. */
struct detect_moments {
    uint64_t n;
    double mean, sd;        /* in the metric's unit */
    double autocorrelation; /* lag 1 */
};

/* -ENOTSUP: the detector keeps no such figures; -EAGAIN: fewer than two values. *out is untouched on failure. */
int detect_moments(const struct detect *self, struct detect_moments *out);

/* Values taken since detect_new() or detect_reset(). */
uint64_t detect_taken(const struct detect *self);

const char *detect_name_of(const struct detect *self);

/* Memory in use, the instance included. */
size_t detect_bytes(const struct detect *self);

/* Values of a bounded metric that lay outside of its range and were clipped (`evidence`; error streams). */
uint64_t detect_clipped(const struct detect *self);

/* Writes the state, so that a detector which loads it goes on bit for bit. Returns the bytes needed; where `size` is
 * less, what was written is of no use. Little-endian, with a version: a newer layout gets a new number, and an old one
 * is refused (-EPROTO), which costs the history and nothing else. */
size_t detect_save(const struct detect *self, void *buffer, size_t size);

/* Reads it back into an instance made with the same name and parameters (thresholds of a promise may differ). -EPROTO:
 * not ours, damaged or of another version; -EINVAL: of another detector or other parameters; -ENOMEM. On failure the
 * instance has forgotten everything. */
int detect_load(struct detect *self, const void *buffer, size_t size);

/* Frees *self_p and sets it to NULL. *self_p may be NULL already. */
void detect_destroy(struct detect **self_p);

#endif

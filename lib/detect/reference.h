/* reference.h - makes a metric fit the theory of control charts: what is normal, and how far a value is from it.
 *
 * The charts' run lengths hold for independent normal values with known mean and deviation. A metric has neither. So,
 * each as far as it was asked for: a positive, skewed metric is taken in logarithms; what a fitted AR(1) predicts from
 * the value before is taken away; mean and deviation come from the first values, estimated so that outliers do not
 * count for more than they should; single residuals are cut off where that changes the run length by one percent; and
 * where residuals have a heavier tail than normal ones on a side that is watched, they count for less on it.
 *
 * Threads: as the chart's. Memory: values are kept until the reference is full, the first hundred in a buffer that
 * grows with them, up to 512 on a page of their own (lib/pages.h), since very many models may collect at the same time;
 * the stages of a promise are those of the parameters that reference_init() or reference_retune() was given, which
 * must last as long.
 * Failure: none; where there is no memory a value is not collected, and the reference is full later.
 */
#ifndef DRIFT_LIB_DETECT_REFERENCE_H
#define DRIFT_LIB_DETECT_REFERENCE_H

#include <math.h>

#include "lib/detect/detector.h"
#include "lib/pages.h"

/* Values that are collected without a page; and that stand on one. */
#define REFERENCE_UNPAGED 108
#define REFERENCE_PAGED (PAGES_BYTES / sizeof(double))

enum reference_log { REFERENCE_LOG_OFF, REFERENCE_LOG_ON, REFERENCE_LOG_AUTO };

struct reference {
    /* What every value touches. */
    uint32_t count, wanted;   /* values collected, and of a full reference; wanted 0: nothing is collected */
    uint32_t judged;          /* the stage in force, from 1; 0: not yet judging */
    bool logs;                /* the metric is taken in logarithms */
    bool prewhiten, robust;   /* settings, as those below: */
    uint8_t log;              /* enum reference_log */
    double centre, sd;        /* of a residual */
    double phi;               /* of the AR(1) */
    double previous;          /* the value before, transformed */
    double limit, slack, cut; /* in force: of the stage, and of the choice in it */
    double scale[2];          /* rising, falling: what a residual counts on that side, at most 1 */

    /* While values are collected. */
    double *buffer;
    uint32_t room; /* of it, in values */
    bool paged;    /* it is a page */

    uint8_t chosen; /* of the stage's choices */

    /* Settings. */
    bool watched[2]; /* rising, falling */
    uint8_t stages;
    double known_mean, known_sd;      /* both NAN: estimated */
    double lambda;                    /* of an EWMA; 0: a CUSUM, NAN: the chart judges single residuals */
    const struct detect_stage *stage; /* of the promise; NULL: there is one, */
    double plain_limit, plain_slack;  /* of a full reference, without one */
};

/* A stage, from 0. */
struct detect_stage reference_stage(const struct reference *self, uint32_t index);

/* The values that it is for. */
static inline uint32_t reference_stage_values(const struct reference *self, uint32_t index)
{
    return self->stage ? self->stage[index].values : self->wanted;
}

/* Bytes at most of the buffer for so many values. */
static inline uint64_t reference_buffer_bytes(uint64_t wanted)
{
    return wanted > REFERENCE_UNPAGED && wanted <= REFERENCE_PAGED ? PAGES_BYTES : wanted * sizeof(double);
}

/* Bytes of it that every value touches. */
#define REFERENCE_HOT offsetof(struct reference, buffer)

/* The parameters that all charts share, for their tables: mean, sd, reference; and the rest. */
#define REFERENCE_PARAMS_KNOWN                                                                                         \
    {"mean", DETECT_NUMBER, NAN, -DETECT_VALUE_MAX, DETECT_VALUE_MAX, false, NULL, "mean of the reference"},           \
        {"sd", DETECT_NUMBER, NAN, 0, DETECT_VALUE_MAX, true, NULL, "standard deviation of the reference"},            \
    {                                                                                                                  \
        "reference", DETECT_WHOLE, 500, 10, 1000000, false, NULL, "values that mean and sd are estimated from"         \
    }
#define REFERENCE_PARAMS_FIT                                                                                           \
    {"prewhiten", DETECT_SWITCH, 0, 0, 1, false, NULL, "judge what a fitted AR(1) leaves over"},                       \
        {"log", DETECT_CHOICE, REFERENCE_LOG_OFF, 0, 2, false, "off|on|auto", "take the metric in logarithms"},        \
    {                                                                                                                  \
        "robust", DETECT_SWITCH, 0, 0, 1, false, NULL, "reference by median and MAD, single residuals cut off"         \
    }
#define REFERENCE_PARAM_DIRECTION                                                                                      \
    {                                                                                                                  \
        "direction", DETECT_CHOICE, DETECT_BOTH, 0, 2, false, "both|up|down", "where a change does harm"               \
    }

bool reference_check(const struct detect_params *params, struct detect_error *error);

/* `limit` is the chart's own, for when no promise set one. */
void reference_init(struct reference *self, const struct detect_params *params, double limit);
void reference_retune(struct reference *self, const struct detect_params *params);
void reference_restart(struct reference *self);
void reference_walk(struct reference *self, struct codec *codec);
size_t reference_more_bytes(const struct reference *self);
void reference_release(struct reference *self);

enum reference_taken {
    REFERENCE_COLLECTED, /* not judged: there is no reference yet */
    REFERENCE_RENEWED,   /* not judged: the value completed a new reference, forget what came before */
    REFERENCE_JUDGED     /* *residual is good: in deviations, mean 0 and deviation 1 in control */
};
enum reference_taken reference_take(struct reference *self, double value, double *residual);

/* Whether nothing more is collected, and values are judged. */
static inline bool reference_full(const struct reference *self)
{
    return self->count >= self->wanted && self->judged > 0;
}

static inline double reference_seen(const struct reference *self, double value)
{
    return self->logs ? detect_log(value) : value;
}

/* How many deviations a value, transformed, is from what is normal, where the reference is full. */
static inline double reference_residual(struct reference *self, double seen)
{
    const double z = (seen - self->phi * self->previous - self->centre) / self->sd;
    self->previous = seen;
    return detect_within(z, -self->cut, self->cut);
}

/* Between the two files: makes the stage that `count` values are enough for out of the buffer. */
void reference_fit(struct reference *self);

/* Chooses anew among the allowances of the stage in force: by the values, as long as they are kept. */
void reference_choose(struct reference *self);

/* Fills what may come without a word (detect_quiet()) where residuals may be from -fall to +rise deviations; INFINITY:
 * any at all, below 0: none. */
void reference_quiet(const struct reference *self, double fall, double rise, uint32_t most, struct detect_quiet *out);

/* What a mean residual of `shift` +- `half` means for the metric itself. */
void reference_size(const struct reference *self, double shift, double half, struct detect_verdict *out);

bool reference_check_promise(const struct detect_params *params, struct detect_error *error);

/* detect_params_promise(), _strictest() and _promise_most() for a chart. */
int reference_promise(struct detect_params *params, double events);
int reference_strictest(struct detect_params *params);
int reference_promise_most(const struct detect_params *params, double *out);

#endif

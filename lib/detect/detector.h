/* detector.h - a row of the table of detectors, for those who write one.
 *
 * A detector is one file with one `const struct detector`, and one line in detectors.c. Its state is one block of bytes
 * that detect.c takes and zeroes; it holds everything, so that saving is walking over it.
 *
 * Threads, memory, failure: as in detect.h.
 */
#ifndef DRIFT_LIB_DETECT_DETECTOR_H
#define DRIFT_LIB_DETECT_DETECTOR_H

#include "lib/codec.h"
#include "lib/detect/detect.h"

#define DETECT_NORMAL_95 1.959963984540054 /* two-sided 95 % of a normal distribution */

/* Differences below one part in 10^12 (of the level, or of 1) are rounding and jitter, and no spread either. */
#define DETECT_ROUNDING 1e-12

struct chart;
struct reference;

struct detector {
    const char *name;
    const struct detect_param *params;
    uint32_t param_count;

    /* Bytes of state for these parameters. */
    size_t (*bytes)(const struct detect_params *params);
    /* Reads the parameters into a zeroed state; restart() follows. */
    void (*init)(void *state, const struct detect_params *params);
    /* Forgets every value. */
    void (*restart)(void *state);
    /* Takes value number `index` (finite, at most DETECT_VALUE_MAX). *out comes with state none and the rest NAN. */
    void (*add)(void *state, uint64_t index, double value, struct detect_verdict *out);
    /* Names every field that values change. */
    void (*walk)(void *state, struct codec *codec);

    /* How much of the state, from its beginning, most values touch: what detect_prefetch() asks the memory for. Beyond
     * it there may be a ring that value number i touches at its place i % ring_places, eight bytes each. */
    uint16_t hot, ring_at, ring_places;
    /* Where in the state the struct reference of a chart stands, which is tuned again, counted and let go with it; 0:
     * none. */
    uint16_t reference_at;

    /* The rest may be NULL. */
    /* For detect_quiet(), of a detector whose last value was worth no word. *out comes with nothing that is not quiet.
     */
    void (*quiet)(const void *state, uint32_t most, struct detect_quiet *out);
    /* Takes values that came so, the first of them number `index`, as add() would; NULL: by add(). */
    void (*add_quiet)(void *state, uint64_t index, const double *values, uint32_t count, struct detect_verdict *out);
    bool (*check)(const struct detect_params *params, struct detect_error *error); /* false: `error` says why */
    int (*promise)(struct detect_params *params, double events);
    void (*retune)(void *state, const struct detect_params *params);
    void (*chart)(const struct detect_params *params, struct chart *out);
    int (*add_histogram)(void *state, uint64_t index, const double *edges, const uint64_t *counts, uint32_t bins,
                         struct detect_verdict *out); /* returns 1 when the event was not taken */
    int (*add_categories)(void *state, uint64_t index, const struct detect_category *categories, uint32_t count,
                          struct detect_verdict *out);
    uint64_t (*clipped)(const void *state);
    bool (*moments)(const void *state, struct detect_moments *out); /* false: too few values */
    size_t (*more_bytes)(const void *state);                        /* beside the state itself */
    void (*release)(void *state);
};

extern const struct detector detector_evidence, detector_cusum, detector_ewma, detector_shewhart, detector_page_hinkley,
    detector_adwin, detector_ddm, detector_eddm, detector_hddm_a, detector_hddm_w, detector_kswin, detector_psi,
    detector_ks, detector_js, detector_wasserstein, detector_chi2;

/* Whether detect_retune() is more than a change of what is remembered. */
static inline bool detector_retunes(const struct detector *self)
{
    return self->retune || self->reference_at;
}

const struct detector *detector_find(const char *name);
const struct detector *detector_at(uint32_t index);

void detect_say(struct detect_error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The nearest number from `least` to `most`; NAN becomes `most`. What fmax(least, fmin(value, most)) is, without a
 * call. */
static inline double detect_within(double value, double least, double most)
{
    double below = value < most ? value : most;
    return below > least ? below : least;
}

/* Fills size, lower and upper: an estimate and half of its interval. */
static inline void detect_size(struct detect_verdict *out, double size, double half)
{
    out->size = size;
    out->lower = size - half;
    out->upper = size + half;
}

/* A value of a stream of errors, 0 to 1; what lies outside is clipped and counted, what is within rounding of an end is
 * that end. */
static inline double detect_error_rate(double value, uint64_t *clipped)
{
    if (value < -DETECT_ROUNDING || value > 1 + DETECT_ROUNDING)
        (*clipped)++;
    return value <= DETECT_ROUNDING ? 0 : value >= 1 - DETECT_ROUNDING ? 1 : value;
}

#endif

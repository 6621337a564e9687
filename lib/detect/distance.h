/* distance.h - what psi, ks, js, wasserstein and chi2 have in common: a reference window against the current one.
 *
 * The first `reference` events are what is normal. After them every full window of `window` events, none of them
 * overlapping, is measured once against the reference. The threshold is given, or calibrated on the reference by
 * permutation (lib/calibrate/permutation.h). An event is a value, a histogram or a set of categories, one kind for a
 * detector; the unit that is dealt out is the event, so histograms of any size keep the promise as well.
 *
 * Threads, memory, failure: as in detect.h; cells for histograms and categories are taken with the first of them.
 */
#ifndef DRIFT_LIB_DETECT_DISTANCE_H
#define DRIFT_LIB_DETECT_DISTANCE_H

#include "lib/calibrate/permutation.h"
#include "lib/detect/cells.h"
#include "lib/detect/detector.h"
#include "lib/detect/pooled.h"

/* How a distance between two samples of one distribution shrinks with their sizes n1, n2: a threshold found with parts
 * of a reference is carried over to the sizes in use. */
enum distance_scale {
    DISTANCE_SQUARE, /* as 1 / n1 + 1 / n2 */
    DISTANCE_ROOT,   /* as its root */
    DISTANCE_NONE    /* not at all */
};

struct distance_kind {
    enum distance_scale scale;
    /* No threshold of a permutation is below this: a reference whose events are all alike permutes to 0, and a distance
     * that nobody would look at is no drift. */
    double least;
    /* One of the two; n1, n2 are the totals. Categories have no order, so only a distance of bins takes them. */
    double (*of_bins)(const struct binned *bins, double n1, double n2);
    double (*of_order)(struct pooled *pooled, double n1, double n2);
};

struct distance {
    const struct distance_kind *kind;
    uint32_t reference, window, bins;
    double alpha, given; /* `given`: a fixed threshold, or NAN */
    enum distance_input { INPUT_NONE, INPUT_VALUES, INPUT_CELLS } input;
    uint32_t collected; /* events of the reference */
    uint32_t filled;    /* events of the current window */
    bool ready, approximate, dealt; /* the last: a threshold for another alpha can be made */
    uint32_t from, to; /* of the sorted reference: what lies outside is absurd and left out */
    double threshold;
    double correlation, deals[PERMUTATION_TOP]; /* what it was made of */
    double rounding;            /* values this close are equal */
    double mean[2], squares[2]; /* of the reference and of the window */
    struct cells *cells;
    double values[]; /* reference, window; then event and order (uint32_t) and flags (uint8_t) of the reference */
};

#define DISTANCE_PARAMS_WINDOWS                                                                                        \
    {"reference", DETECT_WHOLE, 500, 20, 1000000, false, NULL, "events of the reference window"},                      \
    {                                                                                                                  \
        "window", DETECT_WHOLE, 200, 5, 1000000, false, NULL, "events of each current window"                          \
    }
#define DISTANCE_PARAM_BINS                                                                                            \
    {                                                                                                                  \
        "bins", DETECT_WHOLE, 10, 2, POOLED_BINS_MAX, false, NULL, "quantiles of the reference"                        \
    }
#define DISTANCE_PARAMS_LIMIT                                                                                          \
    {"alpha", DETECT_NUMBER, 0.001, 0, 0.1, true, NULL, "chance of a false alarm at one window, by permutation"},      \
    {                                                                                                                  \
        "threshold", DETECT_NUMBER, NAN, 0, DETECT_VALUE_MAX, false, NULL, "a fixed threshold instead of alpha"        \
    }

/* Members of its row in the table of detectors that all of them have. */
#define DISTANCE_DETECTOR                                                                                              \
    .bytes = distance_bytes, .restart = distance_restart, .add = distance_add, .walk = distance_walk,                  \
    .promise = distance_promise, .retune = distance_retune, .moments = distance_moments,                               \
    .more_bytes = distance_more_bytes, .release = distance_release

/* Between the two files. The distance of what is given; of cells, the reference's first; values sorted, with the events
 * they came from where `event` is given; and a full reference made ready to judge by. */
double distance_measure(const struct distance *self, struct pooled *pooled);
double distance_of_cells(const struct distance *self, const double *first, const double *second);
void distance_sort(double *values, uint32_t *event, uint32_t count);
void distance_settle(struct distance *self);
/* The threshold for `alpha`, of what the reference was dealt into. */
void distance_limit(struct distance *self);

size_t distance_bytes(const struct detect_params *params);
void distance_init(struct distance *self, const struct detect_params *params, const struct distance_kind *kind);
int distance_promise(struct detect_params *params, double events);
/* A reference that is settled stands, with another threshold; one of a state that an earlier version has saved keeps its own. */
void distance_retune(void *state, const struct detect_params *params);
bool distance_moments(const void *state, struct detect_moments *out);
void distance_restart(void *state);
void distance_add(void *state, uint64_t index, double value, struct detect_verdict *out);
int distance_add_histogram(void *state, uint64_t index, const double *edges, const uint64_t *counts, uint32_t bins,
                           struct detect_verdict *out);
int distance_add_categories(void *state, uint64_t index, const struct detect_category *categories, uint32_t count,
                            struct detect_verdict *out);
void distance_walk(void *state, struct codec *codec);
size_t distance_more_bytes(const void *state);
void distance_release(void *state);

#endif

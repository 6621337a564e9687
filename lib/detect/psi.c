/* psi: population stability index, sum over bins of (q - p) ln(q / p), p the reference's share and q the window's
 * (Siddiqi, Credit Risk Scorecards, 2006; Jeffreys' divergence). Half a count is added to every bin of both, since an
 * empty one makes it infinite. */
#include <math.h>

#include "lib/detect/distance.h"

static double measure(const struct binned *bins, double n1, double n2)
{
    double sum = 0, all1 = n1 + 0.5 * bins->count, all2 = n2 + 0.5 * bins->count;
    for (uint32_t i = 0; i < bins->count; i++) {
        double p = (bins->first[i] + 0.5) / all1, q = (bins->second[i] + 0.5) / all2;
        sum += (q - p) * log(q / p);
    }
    return sum;
}

static const struct distance_kind kind = {.scale = DISTANCE_SQUARE, .least = 1e-4, .of_bins = measure};

static const struct detect_param params[] = {
    DISTANCE_PARAMS_WINDOWS,
    DISTANCE_PARAM_BINS,
    DISTANCE_PARAMS_LIMIT,
};

static void init(void *state, const struct detect_params *given)
{
    distance_init(state, given, &kind);
}

const struct detector detector_psi = {
    .name = "psi",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .init = init,
    DISTANCE_DETECTOR,
    .add_histogram = distance_add_histogram,
    .add_categories = distance_add_categories,
};

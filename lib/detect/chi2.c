/* chi2: Pearson's statistic for two samples of different size, sum over bins of
 * (sqrt(n2 / n1) a - sqrt(n1 / n2) b)^2 / (a + b), a and b the counts (Press and others, Numerical Recipes, 14.3.3). */
#include <math.h>

#include "lib/detect/distance.h"

static double measure(const struct binned *bins, double n1, double n2)
{
    double sum = 0, up = sqrt(n2 / n1), down = sqrt(n1 / n2);
    for (uint32_t i = 0; i < bins->count; i++) {
        double apart = up * bins->first[i] - down * bins->second[i];
        sum += apart * apart / (bins->first[i] + bins->second[i]);
    }
    return sum;
}

static const struct distance_kind kind = {.scale = DISTANCE_NONE, .of_bins = measure};

static const struct detect_param params[] = {
    DISTANCE_PARAMS_WINDOWS,
    DISTANCE_PARAM_BINS,
    DISTANCE_PARAMS_LIMIT,
};

static void init(void *state, const struct detect_params *given)
{
    distance_init(state, given, &kind);
}

const struct detector detector_chi2 = {
    .name = "chi2",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .init = init,
    DISTANCE_DETECTOR,
    .add_histogram = distance_add_histogram,
    .add_categories = distance_add_categories,
};

/* ks: Kolmogorov and Smirnov's distance, the largest difference of two empirical distribution functions. */
#include <math.h>

#include "lib/detect/distance.h"

static double measure(struct pooled *pooled, double n1, double n2)
{
    struct group group;
    double first = 0, second = 0, most = 0;
    while (pooled_next(pooled, &group)) {
        first += group.first;
        second += group.second;
        most = fmax(most, fabs(first / n1 - second / n2));
    }
    return most;
}

static const struct distance_kind kind = {.scale = DISTANCE_ROOT, .least = 1e-3, .of_order = measure};

static const struct detect_param params[] = {
    DISTANCE_PARAMS_WINDOWS,
    DISTANCE_PARAMS_LIMIT,
};

static void init(void *state, const struct detect_params *given)
{
    distance_init(state, given, &kind);
}

const struct detector detector_ks = {
    .name = "ks",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .init = init,
    DISTANCE_DETECTOR,
    .add_histogram = distance_add_histogram,
};

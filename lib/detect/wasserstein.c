/* wasserstein: the area between two empirical distribution functions (Wasserstein's distance of order 1, the earth
 * mover's), in the metric's unit. */
#include <math.h>

#include "lib/detect/distance.h"

static double measure(struct pooled *pooled, double n1, double n2)
{
    struct group group;
    double first = 0, second = 0, area = 0, last = 0;
    while (pooled_next(pooled, &group)) {
        if (first + second > 0)
            area += fabs(first / n1 - second / n2) * (group.value - last);
        first += group.first;
        second += group.second;
        last = group.value;
    }
    return area;
}

static const struct distance_kind kind = {.scale = DISTANCE_ROOT, .of_order = measure};

static const struct detect_param params[] = {
    DISTANCE_PARAMS_WINDOWS,
    DISTANCE_PARAMS_LIMIT,
};

static void init(void *state, const struct detect_params *given)
{
    distance_init(state, given, &kind);
}

const struct detector detector_wasserstein = {
    .name = "wasserstein",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .init = init,
    DISTANCE_DETECTOR,
    .add_histogram = distance_add_histogram,
};

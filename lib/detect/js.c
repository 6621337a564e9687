/* js: Jensen-Shannon distance, the root of (KL(p, m) + KL(q, m)) / 2 with m = (p + q) / 2, in natural logarithms (Lin
 * 1991; Endres and Schindelin 2003): 0 to sqrt(ln 2). */
#include <math.h>

#include "lib/detect/distance.h"

static double part(double p, double m)
{
    return p > 0 ? p * log(p / m) : 0;
}

static double measure(const struct binned *bins, double n1, double n2)
{
    double sum = 0;
    for (uint32_t i = 0; i < bins->count; i++) {
        double p = bins->first[i] / n1, q = bins->second[i] / n2, m = 0.5 * (p + q);
        sum += part(p, m) + part(q, m);
    }
    return sqrt(fmax(0, 0.5 * sum));
}

static const struct distance_kind kind = {.scale = DISTANCE_ROOT, .least = 1e-2, .of_bins = measure};

static const struct detect_param params[] = {
    DISTANCE_PARAMS_WINDOWS,
    DISTANCE_PARAM_BINS,
    DISTANCE_PARAMS_LIMIT,
};

static void init(void *state, const struct detect_params *given)
{
    distance_init(state, given, &kind);
}

const struct detector detector_js = {
    .name = "js",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .init = init,
    DISTANCE_DETECTOR,
    .add_histogram = distance_add_histogram,
    .add_categories = distance_add_categories,
};

#include "lib/calibrate/chart.h"

#include <errno.h>
#include <math.h>

#include "lib/calibrate/quadrature.h"
#include "lib/calibrate/recursion.h"

#define LENGTH_MOST 1e300 /* keeps infinities out of quotients */
#define EWMA_FLOOR 6.0    /* deviations of the settled average: a one-sided EWMA is held there, which happens never */

static bool makes_sense(const struct chart *chart)
{
    if (!(chart->limit > 0 && chart->limit <= CHART_LIMIT_MAX))
        return false;
    switch (chart->kind) {
    case CHART_CUSUM:
        return chart->slack >= 0 && chart->slack <= CHART_LIMIT_MAX && chart->head_start >= 0 && chart->head_start < 1;
    case CHART_EWMA:
        return chart->lambda > 0 && chart->lambda <= 1;
    case CHART_SHEWHART:
        return true;
    }
    return false;
}

/* One side of a CUSUM: run lengths from zero and from the head start. */
static int cusum_side(const struct chart *chart, double shift, double scale, double *from_zero, double *from_start)
{
    struct recursion side = {.keep = 1,
                             .take = 1,
                             .slack = chart->slack,
                             .low = 0,
                             .high = chart->limit,
                             .held = true,
                             .shift = shift,
                             .scale = scale};
    int error = recursion_solve(&side);
    if (error)
        return error;
    *from_zero = fmin(recursion_length(&side, 0), LENGTH_MOST);
    *from_start = fmin(recursion_length(&side, chart->head_start * chart->limit), LENGTH_MOST);
    recursion_free(&side);
    return 0;
}

static int cusum_length(const struct chart *chart, double shift, double scale, double *out)
{
    double zero_up, start_up, zero_down, start_down;
    int error = cusum_side(chart, shift, scale, &zero_up, &start_up);
    if (error)
        return error;
    if (!chart->two_sided) {
        *out = start_up;
        return 0;
    }
    if (shift == 0) {
        zero_down = zero_up;
        start_down = start_up;
    } else if ((error = cusum_side(chart, -shift, scale, &zero_down, &start_down))) {
        return error;
    }
    /* Lucas and Crosier 1982, divided through so that no product overflows. Without a head start it is
     * 1 / (1 / up + 1 / down). */
    double up = 1 / (1 + zero_up / zero_down), down = 1 / (1 + zero_down / zero_up);
    double both = fmin(zero_up, zero_down) * fmax(up, down);
    *out = up * start_up + down * start_down - both;
    return 0;
}

static int ewma_length(const struct chart *chart, double shift, double scale, double *out)
{
    double settled = sqrt(chart->lambda / (2 - chart->lambda));
    double high = chart->limit * settled;
    struct recursion average = {.keep = 1 - chart->lambda,
                                .take = chart->lambda,
                                .high = high,
                                .shift = shift,
                                .scale = scale,
                                .held = !chart->two_sided};
    average.low = chart->two_sided ? -high : fmin(shift, 0) - EWMA_FLOOR * scale * settled;
    int error = recursion_solve(&average);
    if (error)
        return error;
    *out = fmin(recursion_length(&average, 0), LENGTH_MOST);
    recursion_free(&average);
    return 0;
}

int chart_run_length(const struct chart *chart, double shift, double scale, double *out)
{
    if (!makes_sense(chart) || !isfinite(shift) || fabs(shift) > CHART_LIMIT_MAX || !(scale > 1e-3 && scale < 1e3))
        return -EINVAL;
    switch (chart->kind) {
    case CHART_CUSUM:
        return cusum_length(chart, shift, scale, out);
    case CHART_EWMA:
        return ewma_length(chart, shift, scale, out);
    case CHART_SHEWHART:
        *out = fmin(LENGTH_MOST, 1 / (normal_above((chart->limit - shift) / scale) +
                                      (chart->two_sided ? normal_above((chart->limit + shift) / scale) : 0)));
        return 0;
    }
    return -EINVAL;
}

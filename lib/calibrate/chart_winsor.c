#include <errno.h>
#include <math.h>

#include "lib/calibrate/chart.h"
#include "lib/calibrate/recursion.h"

#define CUT_LEAST 1.0
#define CUT_MOST 12.0
#define STEPS 24

int chart_winsor(const struct chart *chart, double change, double *out)
{
    double unused;
    if (!(change > 0 && change < 1))
        return -EINVAL;
    int error = chart_run_length(chart, 0, 1, &unused); /* for its judgement of the chart */
    if (error)
        return error;
    if (chart->kind == CHART_SHEWHART) {
        *out = INFINITY;
        return 0;
    }
    struct recursion side = {.keep = 1, .take = 1, .slack = chart->slack, .high = chart->limit, .held = true,
                             .scale = 1};
    if (chart->kind == CHART_EWMA) {
        double settled = sqrt(chart->lambda / (2 - chart->lambda));
        side = (struct recursion){.keep = 1 - chart->lambda, .take = chart->lambda, .low = -chart->limit * settled,
                                  .high = chart->limit * settled, .scale = 1};
    }
    if ((error = recursion_solve(&side)))
        return error;
    double length = recursion_length(&side, 0), low = CUT_LEAST, high = CUT_MOST, gain;
    for (int step = 0; step < STEPS; step++) {
        double cut = 0.5 * (low + high);
        if ((error = recursion_winsor_gain(&side, 0, cut, &gain)))
            break;
        if (fabs(gain) > change * length)
            low = cut;
        else
            high = cut;
    }
    recursion_free(&side);
    if (!error)
        *out = high;
    return error;
}

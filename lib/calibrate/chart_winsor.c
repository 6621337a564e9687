#include <errno.h>
#include <math.h>

#include "lib/calibrate/chart.h"
#include "lib/calibrate/recursion.h"

#define CUT_LEAST 1.0
#define CUT_MOST 12.0
#define STEPS 16
#define LENGTH_MOST 1e9 /* beyond, one percent of the run length is lost in rounding */

/* For a chart of moderate run length. */
static int winsor(const struct chart *chart, double change, double *out)
{
    struct recursion side = {
        .keep = 1, .take = 1, .slack = chart->slack, .high = chart->limit, .held = true, .scale = 1};
    if (chart->kind == CHART_EWMA) {
        double settled = sqrt(chart->lambda / (2 - chart->lambda));
        side = (struct recursion){.keep = 1 - chart->lambda,
                                  .take = chart->lambda,
                                  .low = -chart->limit * settled,
                                  .high = chart->limit * settled,
                                  .scale = 1};
    }
    int error = recursion_solve(&side);
    if (error)
        return error;
    double length = recursion_length(&side, 0), low = CUT_LEAST, high = CUT_MOST, gain;
    for (int step = 0; step < STEPS && !error; step++) {
        double cut = 0.5 * (low + high);
        error = recursion_winsor_gain(&side, 0, cut, &gain);
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

/* The cut grows with the limit, ever more slowly: a straight line through two moderate charts lies on the safe side. */
static int winsor_beyond(const struct chart *chart, double change, double *out)
{
    struct chart near = *chart, far = *chart;
    double at_near, at_far;
    int error = chart_limit(chart, LENGTH_MOST / 100, &near.limit);
    if (!error)
        error = chart_limit(chart, LENGTH_MOST, &far.limit);
    if (!error)
        error = winsor(&near, change, &at_near);
    if (!error)
        error = winsor(&far, change, &at_far);
    if (!error)
        *out = at_far + (at_far - at_near) * (chart->limit - far.limit) / (far.limit - near.limit);
    return error;
}

int chart_winsor(const struct chart *chart, double change, double *out)
{
    double length;
    if (!(change > 0 && change < 1))
        return -EINVAL;
    int error = chart_run_length(chart, 0, 1, &length); /* for its judgement of the chart as well */
    if (error)
        return error;
    if (chart->kind == CHART_SHEWHART) {
        *out = INFINITY;
        return 0;
    }
    return length > LENGTH_MOST ? winsor_beyond(chart, change, out) : winsor(chart, change, out);
}

#include <errno.h>
#include <math.h>
#include <stddef.h>

#include "lib/calibrate/chart.h"
#include "lib/calibrate/quadrature.h"

#define LIMIT_LEAST 1e-3
#define STEPS_MOST 60
#define SIEGMUND_SLACK 0.3 /* up to here the closed form is the run length to within one percent */
#define PRECISION 1e-7     /* of the logarithm of the run length */

/* References that chance can give: the mean off by z1 / sqrt(n) deviations, the deviation by a chi that is normal in z2
 * (Wilson and Hilferty 1931). The trapezoidal rule converges exponentially on a Gaussian: steps of 1.25 are good to
 * 10^-5. Bad references weigh most, so the grid reaches further on their side. */
#define GRID_STEP 1.25
#define MEAN_POINTS 13  /* -7.5 .. 7.5 */
#define SCALE_POINTS 11 /* -7.5 .. 5 */
#define GRID_LOW (-7.5)

/* The EWMA's run length as a function of one number, tabulated at Chebyshev points. */
#define TABLE_POINTS 12
#define TABLE_LOW 0.5
#define TABLE_HIGH 10.0 /* beyond, a side alarms once in 10^22 */

struct estimate {
    double mean_values, scale_freedom;
    double table[TABLE_POINTS]; /* EWMA: logarithms of run lengths */
};

typedef int log_length_fn(const struct chart *chart, const struct estimate *estimate, double *out);

static int known_length(const struct chart *chart, const struct estimate *estimate, double *out)
{
    (void)estimate;
    double length;
    int error = chart_run_length(chart, 0, 1, &length);
    if (!error)
        *out = log(length);
    return error;
}

/* ln of Siegmund's run length of a one-sided CUSUM (Sequential Analysis, 1985, eq. 2.56 and 10.17) with allowance k
 * and limit h: (exp(2kb) - 2kb - 1) / (2k^2), b = h + 1.166. Used for ratios only. */
static double siegmund(double allowance, double limit)
{
    double x = 2 * allowance * (limit + 1.166);
    if (fabs(x) < 1e-4)
        return 2 * log(limit + 1.166);
    double grown = x > 40 ? x : log(exp(x) - x - 1);
    return grown - log(2 * allowance * allowance);
}

double chart_cusum_delay(double slack, double limit, double shift)
{
    return exp(fmin(siegmund(slack - shift, limit), 690));
}

static double table_node(int i)
{
    return 0.5 * (TABLE_LOW + TABLE_HIGH) - 0.5 * (TABLE_HIGH - TABLE_LOW) * cos(M_PI * (i + 0.5) / TABLE_POINTS);
}

/* A one-sided EWMA with a shift and a scale is one in control with another limit, but for its first few values. */
static int fill_table(const struct chart *chart, struct estimate *estimate)
{
    for (int i = 0; i < TABLE_POINTS; i++) {
        struct chart side = *chart;
        side.two_sided = false;
        side.limit = table_node(i);
        int error = known_length(&side, NULL, &estimate->table[i]);
        if (error)
            return error;
    }
    return 0;
}

static double from_table(const struct estimate *estimate, double limit)
{
    double u = fmin(fmax(limit, TABLE_LOW), TABLE_HIGH), above = 0, below = 0;
    for (int i = 0; i < TABLE_POINTS; i++) {
        double apart = u - table_node(i);
        if (fabs(apart) < 1e-12)
            return estimate->table[i];
        double weight = sin(M_PI * (i + 0.5) / TABLE_POINTS) / apart * (i % 2 ? -1 : 1);
        above += weight * estimate->table[i];
        below += weight;
    }
    return above / below;
}

/* ln of the rate of alarms on one side, when the mean is off by `shift` true deviations towards it and the deviation
 * was estimated as `ratio` times the true one. For CUSUM up to the factor of unit_length(). */
static double log_rate(const struct chart *chart, const struct estimate *estimate, double shift, double ratio)
{
    switch (chart->kind) {
    case CHART_CUSUM:
        return -siegmund(chart->slack * ratio - shift, chart->limit * ratio);
    case CHART_EWMA:
        return -from_table(estimate, chart->limit * ratio - shift / sqrt(chart->lambda / (2 - chart->lambda)));
    case CHART_SHEWHART:
        return log(normal_above(chart->limit * ratio - shift));
    }
    return 0;
}

/* ln of the run length that belongs to log_rate() 0. */
static int unit_length(const struct chart *chart, double *out)
{
    *out = 0;
    if (chart->kind != CHART_CUSUM)
        return 0;
    if (chart->slack <= SIEGMUND_SLACK && chart->head_start == 0)
        return 0;
    /* The closed form only says how the rate changes with the reference. */
    double sides = chart->two_sided ? M_LN2 : 0;
    int error = known_length(chart, NULL, out);
    *out -= siegmund(chart->slack, chart->limit) - sides;
    return error;
}

/* -ln E[rate(reference)]. */
static int estimated_length(const struct chart *chart, const struct estimate *estimate, double *out)
{
    double unit, sum = 0, weights = 0, spread = 2 / (9 * estimate->scale_freedom);
    int error = unit_length(chart, &unit);
    if (error)
        return error;
    for (int i = 0; i < MEAN_POINTS; i++) {
        double z1 = GRID_LOW + GRID_STEP * i, shift = z1 / sqrt(estimate->mean_values);
        for (int j = 0; j < SCALE_POINTS; j++) {
            double z2 = GRID_LOW + GRID_STEP * j;
            double root = fmax(1 - spread + z2 * sqrt(spread), 0.01), ratio = root * sqrt(root);
            double weight = normal_density(z1) * normal_density(z2);
            sum += weight * exp(log_rate(chart, estimate, shift, ratio));
            if (chart->two_sided)
                sum += weight * exp(log_rate(chart, estimate, -shift, ratio));
            weights += weight;
        }
    }
    *out = unit - log(sum / weights);
    return 0;
}

/* The logarithm of a run length rises with the limit, nearly in a straight line: false position between two limits
 * that enclose the wanted one, the stale end halved (the Illinois rule). */
static int find_limit(const struct chart *chart, const struct estimate *estimate, log_length_fn *length, double wanted,
                      double *out)
{
    struct chart trial = *chart;
    double low = LIMIT_LEAST, high = 1, at_low, at_high;
    trial.limit = low;
    int error = length(&trial, estimate, &at_low);
    if (error)
        return error;
    if ((at_low -= wanted) >= 0) {
        *out = low;
        return 0;
    }
    for (;;) {
        trial.limit = high;
        if ((error = length(&trial, estimate, &at_high)))
            return error;
        if ((at_high -= wanted) >= 0)
            break;
        if (high >= CHART_LIMIT_MAX)
            return -ERANGE;
        low = high;
        at_low = at_high;
        high = fmin(high * 2, CHART_LIMIT_MAX);
    }
    int side = 0;
    for (int step = 0; step < STEPS_MOST && high - low > 1e-10; step++) {
        double at, middle = (low * at_high - high * at_low) / (at_high - at_low);
        trial.limit = middle;
        if ((error = length(&trial, estimate, &at)))
            return error;
        at -= wanted;
        if (fabs(at) < PRECISION) {
            *out = middle;
            return 0;
        }
        if (at > 0) {
            high = middle;
            at_high = at;
            if (side == 1)
                at_low /= 2;
            side = 1;
        } else {
            low = middle;
            at_low = at;
            if (side == -1)
                at_high /= 2;
            side = -1;
        }
    }
    *out = high;
    return 0;
}

int chart_limit(const struct chart *chart, double run_length, double *out)
{
    if (!(run_length >= 2 && run_length <= CHART_RUN_LENGTH_MAX))
        return -EINVAL;
    return find_limit(chart, NULL, known_length, log(run_length), out);
}

static int prepare(const struct chart *chart, double mean_values, double scale_freedom, struct estimate *out)
{
    if (!(mean_values >= 2 && scale_freedom >= 10))
        return -EINVAL;
    out->mean_values = mean_values;
    out->scale_freedom = scale_freedom;
    return chart->kind == CHART_EWMA ? fill_table(chart, out) : 0;
}

int chart_limit_estimated(const struct chart *chart, double run_length, double mean_values, double scale_freedom,
                          double *out)
{
    struct estimate estimate;
    if (!(run_length >= 2 && run_length <= CHART_RUN_LENGTH_MAX))
        return -EINVAL;
    int error = prepare(chart, mean_values, scale_freedom, &estimate);
    if (error)
        return error;
    return find_limit(chart, &estimate, estimated_length, log(run_length), out);
}

int chart_run_length_estimated(const struct chart *chart, double mean_values, double scale_freedom, double *out)
{
    struct estimate estimate;
    double length;
    int error = prepare(chart, mean_values, scale_freedom, &estimate);
    if (!error)
        error = estimated_length(chart, &estimate, &length);
    if (!error)
        *out = exp(length);
    return error;
}

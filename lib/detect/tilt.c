#include "lib/detect/tilt.h"

#include <math.h>

#define WEIGHTS_MAX 64
#define WEIGHT_LEAST 0.05 /* older residuals of an EWMA weigh less, and count for nothing here */
#define UNITS 8192        /* a scale is a whole number of them */
#define GUESSES 8

/* ln E[exp(t z)]: t^2 / 2 for normal residuals. */
static double cumulant(const struct tilt_residuals *residuals, double t)
{
    double sum = 0;
    for (uint32_t i = 0; i < residuals->bins; i++)
        sum += residuals->count[i] * exp(t * residuals->sum[i] / residuals->count[i]);
    return log(sum / residuals->all);
}

/* The sum of cumulants at all weights, scaled. */
static double tilted(const struct tilt_residuals *residuals, const double *weights, int count, double scale)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += cumulant(residuals, scale * weights[i]);
    return sum;
}

/* The largest whole number of UNITS, as a part of 1, at which the cumulants do not exceed the normal ones. They
 * are convex and 0 at 0, so that they do so from one place on. Were they as the square of the scale, one step would
 * lead there; the steps that are left to go halve what is left. */
static double scale_within(const struct tilt_residuals *residuals, const double *weights, int count, double normal,
                           double sign)
{
    double sum = tilted(residuals, weights, count, sign), at = 1;
    int low = 0, high = UNITS;
    if (sum <= normal)
        return 1;
    for (int step = 0; high - low > 1; step++) {
        const double guess = at * sqrt(normal / sum) * UNITS;
        int next = (low + high) / 2;
        if (step < GUESSES && guess > 0)
            next = guess <= low + 1 ? low + 1 : guess >= high - 1 ? high - 1 : (int)guess;
        at = (double)next / UNITS;
        sum = tilted(residuals, weights, count, sign * at);
        if (sum <= normal)
            low = next;
        else
            high = next;
    }
    return (double)low / UNITS;
}

double tilt_scale(const struct tilt_residuals *residuals, double lambda, double slack, double limit, double sign)
{
    double weights[WEIGHTS_MAX], normal = 0;
    int count = 0;
    double weight = lambda > 0 ? limit * sqrt(lambda * (2 - lambda)) : 2 * slack;
    do {
        weights[count++] = weight;
        normal += weight * weight / 2;
        weight *= 1 - lambda;
    } while (lambda > 0 && count < WEIGHTS_MAX && weight > WEIGHT_LEAST * weights[0]);
    return scale_within(residuals, weights, count, normal, sign);
}

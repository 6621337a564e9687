#include "lib/monitor/rule_size.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "lib/detect/detector.h"

#define VALUES_MAX 256         /* the newest are enough for a median */
#define VALUES_LEAST 3         /* of fewer a single outlier is one */
#define VALUES_FEW 6           /* of fewer a MAD says too little: the interval has all of them */
#define MAD_TO_SD 1.4826       /* of a normal distribution */
#define MEDIAN_VARIANCE 1.5708 /* pi/2, of one value's */
#define SINGLE_ROUNDING 0x1p-24

static int by_size(const void *a, const void *b)
{
    const double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Sorts them. */
static double median_of(double *values, uint32_t count)
{
    qsort(values, count, sizeof *values, by_size);
    return (values[(count - 1) / 2] + values[count / 2]) / 2;
}

/* The newest values since the change began, as the reference sees them; how many. */
static uint32_t gather(const struct detect_reference *reference, const struct window *window, uint64_t since, double *out)
{
    float recent[VALUES_MAX];
    const uint32_t count = window_recent(window, recent, since < VALUES_MAX ? (uint32_t)since : VALUES_MAX);
    for (uint32_t i = 0; i < count; i++)
        out[i] = reference->logs ? log(fmax((double)recent[i], FLT_MIN)) : (double)recent[i];
    return count;
}

/* Where the change begins among them: a sum that was not at rest when it came dates it too early. Of all beginnings the one
 * with the largest likelihood ratio of a mean that moved away from the level (Hinkley, Biometrika 57, 1970), by deviations
 * that are cut off as the chart's are. */
static uint32_t beginning(const struct detect_reference *reference, const double *values, uint32_t count)
{
    const double reach = reference->cut * reference->sd / sqrt(1 - reference->phi * reference->phi);
    double sum = 0, most = -1;
    uint32_t from = 0;
    for (uint32_t i = count; i-- > 0;) {
        sum += fmax(-reach, fmin(values[i] - reference->level, reach));
        const double ratio = sum * sum / (count - i);
        if (ratio > most) {
            most = ratio;
            from = i;
        }
    }
    return from;
}

/* Whether a quarter of them was cut off, of a change that stays: its residuals are what the AR(1) leaves of it. */
static bool much_is_cut(const struct detect_reference *reference, const double *values, uint32_t count)
{
    const double reach = reference->cut * reference->sd / (1 - reference->phi);
    uint32_t beyond = 0;
    for (uint32_t i = 0; i < count; i++)
        beyond += fabs(values[i] - reference->level) >= reach;
    return beyond >= count / 4.0;
}

/* Half the interval around a median of so many values, which are overwritten. */
static double half_of(const struct detect_reference *reference, double *values, uint32_t count, double median)
{
    const double phi = reference->phi, unit = reference->sd / (1 - phi);
    double sigma = reference->sd / sqrt(1 - phi * phi);
    for (uint32_t i = 0; i < count; i++)
        values[i] = fabs(values[i] - median);
    const double spread = median_of(values, count), all = count < VALUES_FEW ? values[count - 1] : 0;
    sigma = fmax(sigma, MAD_TO_SD * spread);
    double variance = sigma * sigma * (1 + phi) / (1 - phi) / count;
    if (reference->wanted > 0 && reference->collected > 0)
        variance += unit * unit / reference->collected;
    return fmax(all, DETECT_NORMAL_95 * sqrt(MEDIAN_VARIANCE * variance)) + fabs(median) * SINGLE_ROUNDING;
}

void rule_size_mend(const struct detect *detect, const struct window *window, struct detect_verdict *verdict)
{
    struct detect_reference reference;
    double values[VALUES_MAX];
    if (detect_reference(detect, &reference) != 0 || !isfinite(reference.cut) || isnan(verdict->size) ||
        verdict->changed_at == DETECT_UNKNOWN || verdict->changed_at >= verdict->n)
        return;
    uint32_t count = gather(&reference, window, verdict->n - verdict->changed_at, values);
    const uint32_t from = beginning(&reference, values, count);
    double *since = values + from;
    count -= from;
    if (count < VALUES_LEAST)
        return;
    const bool cut = much_is_cut(&reference, since, count);
    const double median = median_of(since, count), half = half_of(&reference, since, count, median);
    const double level = reference.logs ? exp(reference.level) : reference.level, shift = median - reference.level;
    const double size = reference.logs ? level * expm1(shift) : shift;
    const double lower = reference.logs ? level * expm1(shift - half) : shift - half;
    const double upper = reference.logs ? level * expm1(shift + half) : shift + half;
    const bool beyond = verdict->size > 0 ? verdict->size < lower : verdict->size > upper;
    const bool further = verdict->size > 0 ? size > verdict->size && lower > 0 : size < verdict->size && upper < 0;
    if (!isfinite(lower) || !isfinite(upper) || !(beyond || (cut && further)))
        return;
    verdict->size = size;
    verdict->lower = lower;
    verdict->upper = upper;
}

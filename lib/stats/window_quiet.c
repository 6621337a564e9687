/* Which values leave a statistic within its limits, whatever they are and however many of them come.
 *
 * Values become floats, which keeps their order: bounds are moved inwards by a float's last place and more. */
#include "lib/stats/window_inside.h"

#define FLOAT_PLACE 1e-6 /* of a bound: above 2^-24 */
#define ROUNDING 1e-12   /* of all that is added up */

static void at_least(double needed, double slop, double *low)
{
    const double bound = needed + FLOAT_PLACE * fabs(needed) + slop;
    *low = bound > *low ? bound : *low;
}

static void at_most(double allowed, double slop, double *high)
{
    const double bound = allowed - FLOAT_PLACE * fabs(allowed) - slop;
    *high = bound < *high ? bound : *high;
}

/* How far the sum is on the right side of the limit, which `side` is: 1 above the least, -1 below the greatest. It is
 * less than nothing where a float's last place is all that a mean is beyond its limit by: then that may not grow. */
static double spare(const struct window *self, double limit, double side)
{
    const double sum = limit * window_held(self);
    return side * (self->sum - sum) - 2 * ROUNDING * (fabs(self->sum) + fabs(sum));
}

/* What comes takes the place of the oldest, whose values are known, or one that was free. Where it makes up for the
 * largest that goes, or for the limit, but for its share of what the sum has to spare, the mean keeps to its limits
 * throughout. */
static bool mean_quiet(const struct window *self, double min, double max, uint32_t most, double *low, double *high)
{
    const uint32_t held = window_held(self), capacity = self->capacity;
    if (capacity < most)
        return false;
    const uint32_t grows = capacity - held < most ? capacity - held : most;
    uint32_t place = held == capacity ? self->next : 0;
    double least = grows ? max : INFINITY,
           greatest = grows ? min : -INFINITY; /* NAN, as a limit, makes no difference */
    for (uint32_t i = grows; i < most; i++) {
        const double out = (double)*window_place(self, place);
        place = place + 1 == capacity ? 0 : place + 1;
        least = out > least ? least : out;
        greatest = out < greatest ? greatest : out;
    }
    if (!isnan(min))
        at_least(greatest - spare(self, min, 1) / most, ROUNDING * fabs(greatest), low);
    if (!isnan(max))
        at_most(least + spare(self, max, -1) / most, ROUNDING * fabs(least), high);
    return true;
}

/* Values between the limits of the watch change nothing on either side; where there is room for `most` beyond one of
 * them, it is none. */
static bool rank_quiet(const struct window *self, uint32_t most, double *low, double *high)
{
    const struct watch *watch = &self->more->watch;
    const uint64_t weight = window_held(self), whole = weight + most, percent = watch->percent;
    if ((watch->below_weight + most) * 100 >= weight * percent)
        at_least(watch->below, 0, low);
    if (weight <= watch->above_weight + most || (weight - watch->above_weight - most) * 100 < whole * percent)
        at_most(watch->above, 0, high);
    return true;
}

bool window_quiet(const struct window *self, enum window_stat stat, double min, double max, uint32_t most, double *low,
                  double *high)
{
    if (!window_plain(self) || window_held(self) == 0)
        return false;
    if (stat == WINDOW_MEAN)
        return window_within(self, stat, min, max) && self->exact && mean_quiet(self, min, max, most, low, high);
    if (window_by_rank(stat))
        return window_within(self, stat, min, max) && rank_quiet(self, most, low, high);
    if (stat != WINDOW_LAST)
        return false;
    if (!isnan(min))
        at_least(min, 0, low);
    if (!isnan(max))
        at_most(max, 0, high);
    return true;
}

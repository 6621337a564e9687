/* A bisection whose looks at the values are mostly spared.
 *
 * The sum of the values, cut off, less a location falls as the location rises; so does what comes out in floating
 * point, since subtraction, division, cutting and each addition in turn round in a way that keeps an order. One look
 * tells therefore about all locations on one side of it. Newton's method finds in a few looks where the sum changes its
 * sign, for it falls along straight lines; the bisection then asks only about what lies in between, and ends, bit for
 * bit, where it would have ended with a look at each step. */
#include "lib/detect/location.h"

#include <math.h>

#define BISECTIONS 60
#define NEWTON_STEPS 12
#define NEAR 0x1p-50 /* of the location: how near its neighbours are, at first */
#define WIDER 16

/* What is known: the sum is positive up to `above_zero`, and not so from `not_above` on. */
struct known {
    double above_zero, not_above;
};

/* The sum at `middle`, and how many values are not cut off. */
static double look(const struct location *self, double middle, uint32_t *inside, struct known *known)
{
    double sum = 0;
    *inside = 0;
    for (uint32_t i = self->from; i < self->count; i++) {
        const double value = i == 0 ? self->values[0] : self->values[i] - self->phi * self->values[i - 1];
        if (fabs(value - self->median) > self->reach)
            continue;
        const double z = (value - middle) / self->sd;
        *inside += z > -self->cut && z < self->cut;
        sum += z < -self->cut ? -self->cut : z > self->cut ? self->cut : z;
    }
    if (sum > 0)
        known->above_zero = fmax(known->above_zero, middle);
    else
        known->not_above = fmin(known->not_above, middle);
    return sum;
}

/* Follows the slope as long as it leads on; the last place looked at. */
static double newton(const struct location *self, double start, struct known *known)
{
    double at = start;
    for (int step = 0; step < NEWTON_STEPS; step++) {
        uint32_t inside;
        const double sum = look(self, at, &inside, known), next = at + sum / inside * self->sd;
        if (inside == 0 || !(next > known->above_zero && next < known->not_above))
            break;
        at = next;
    }
    return at;
}

/* Looks at the neighbours of `at`, further and further away, until there is one on either side of the change. */
static void enclose(const struct location *self, double at, double low, double high, struct known *known)
{
    uint32_t inside;
    const double near = NEAR * fmax(fabs(at), self->sd);
    double away = near;
    for (; at + away < fmin(high, known->not_above); away *= WIDER)
        look(self, at + away, &inside, known);
    away = near;
    for (; at - away > fmax(low, known->above_zero); away *= WIDER)
        look(self, at - away, &inside, known);
}

double location_find(const struct location *self, double low, double high)
{
    struct known known = {.above_zero = -INFINITY, .not_above = INFINITY};
    enclose(self, newton(self, self->median, &known), low, high, &known);
    for (int step = 0; step < BISECTIONS; step++) {
        const double middle = 0.5 * (low + high);
        uint32_t inside;
        if (middle > known.above_zero && middle < known.not_above)
            look(self, middle, &inside, &known);
        if (middle <= known.above_zero)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

/* Which values keep a chart's residuals within bounds, rounding included: (v - phi previous - centre) / sd, cut off.
 *
 * Some 30 instructions; two exponentials more where the metric is taken in logarithms. */
#include "lib/detect/reference.h"

#define ROUNDING 1e-12 /* of all that is added up: a thousand times what its steps can be off by */

static bool sensible(double part, double whole)
{
    return fabs(part) < DETECT_VALUE_MAX * 1e-12 && fabs(whole) < DETECT_VALUE_MAX * 1e-12;
}

/* The bounds of v - phi previous. */
static void bounds(const struct reference *self, double fall, double rise, uint32_t most, struct detect_quiet *out)
{
    const double low = self->centre - fall * self->sd, high = self->centre + rise * self->sd;
    const double reach = fmax(isfinite(low) ? fabs(low) : 0, isfinite(high) ? fabs(high) : 0);
    const double slop = ROUNDING * (fabs(self->previous) + most * (fabs(self->centre) + reach));
    out->low = low + slop;
    out->high = high - slop;
    out->phi = self->phi;
    out->previous = self->phi == 0 ? 0 : self->previous;
    out->logs = self->logs;
    if (!sensible(self->previous, most * (fabs(self->centre) + reach)))
        out->values = 0;
}

void reference_quiet(const struct reference *self, double fall, double rise, uint32_t most, struct detect_quiet *out)
{
    if (self->count < self->wanted) {
        const uint32_t left = reference_stage_values(self, self->judged) - self->count - 1;
        out->values = left < most ? left : most;
    }
    if (self->judged == 0)
        return;
    bounds(self, fall >= self->cut ? INFINITY : fall, rise >= self->cut ? INFINITY : rise, most, out);
    if (!(fall >= 0 && rise >= 0))
        out->values = 0;
    if (out->logs && out->phi == 0) {
        out->logs = false;
        out->low = isfinite(out->low) ? exp(out->low) * (1 + ROUNDING) : -DETECT_VALUE_MAX;
        out->high = exp(out->high) * (1 - ROUNDING);
    }
    out->low = fmax(out->low, -DETECT_VALUE_MAX);
    out->high = fmin(out->high, DETECT_VALUE_MAX);
}

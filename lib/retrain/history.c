#include "lib/retrain/history.h"

#include <math.h>

#define PRIOR_LIKENESS 0.3 /* correlation of two attempts in one family, before the fleet tells */
#define PRIOR_WEIGHT 30.0  /* attempts that it weighs as much as */
#define COIN_WEIGHT 10.0   /* attempts of the fleet that an even chance weighs as much as: a few early failures are no verdict */
#define LIKENESS_MIN 0.05
#define LIKENESS_MAX 0.5
#define COST_VARIANCE 0.16 /* of a cost between families, relative, weighing as one family */

static double between(double low, double value, double high)
{
    return value < low ? low : value > high ? high : value;
}

double history_recovery(double observed, double limit, double shown)
{
    double way = limit - observed, gone = shown - observed;
    if (isnan(way) || isnan(gone))
        return NAN;
    if (!(fabs(way) > 0)) /* at the limit itself: there is no saying which way is better */
        return 1.0;
    return between(0.0, gone / way, 1.0);
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0.0;
}

/* Takes a tally out of the fleet's sums (sign -1), or puts it in (sign 1). */
static void weigh(struct history_row *row, double sign)
{
    const struct history_tally *here = &row->here;
    struct history_fleet *fleet = &row->fleet;
    if (!(here->attempts > 0))
        return;
    double per_hour = share(here->costs, here->gpu_hours);
    fleet->families += sign;
    fleet->attempts += sign * here->attempts;
    fleet->attempts_squared += sign * here->attempts * here->attempts;
    fleet->recovered += sign * here->recovered;
    fleet->recovered_squared += sign * here->recovered * here->recovered / here->attempts;
    if (!(per_hour > 0))
        return;
    fleet->cost_families += sign;
    fleet->per_hour += sign * per_hour;
    fleet->per_hour_squared += sign * per_hour * per_hour;
}

void history_count(struct history_row *row, double recovery, double gpu_hours)
{
    weigh(row, -1.0);
    row->here.attempts += 1.0;
    row->here.recovered += isnan(recovery) ? 0.0 : between(0.0, recovery, 1.0);
    if (isfinite(gpu_hours) && gpu_hours > 0) {
        row->here.costs += 1.0;
        row->here.gpu_hours += gpu_hours;
    }
    weigh(row, 1.0);
}

void history_correct(struct history_row *row, double counted, double recovery)
{
    weigh(row, -1.0);
    double recovered = row->here.recovered - between(0.0, counted, 1.0) + between(0.0, recovery, 1.0);
    row->here.recovered = between(0.0, recovered, row->here.attempts);
    weigh(row, 1.0);
}

/* How alike the attempts of one family are: 0, families do not differ; 1, a family always ends the same way. */
static double likeness(const struct history_fleet *fleet)
{
    double mean = share(fleet->recovered, fleet->attempts), single = mean * (1.0 - mean);
    double degrees = fleet->families - 1.0;
    double spread = fleet->recovered_squared - mean * fleet->recovered; /* sum of n (p - mean)^2 */
    double room = fleet->attempts - share(fleet->attempts_squared, fleet->attempts) - degrees;
    double found = PRIOR_LIKENESS;
    if (single * room > 1e-9)
        found = (spread - single * degrees) / (single * room);
    double weight = fleet->attempts / (fleet->attempts + PRIOR_WEIGHT);
    return between(LIKENESS_MIN, weight * found + (1.0 - weight) * PRIOR_LIKENESS, LIKENESS_MAX);
}

static void expect_recovery(const struct history_row *row, struct history_outlook *out)
{
    const struct history_fleet *fleet = &row->fleet;
    double prior = (fleet->recovered + 0.5 * COIN_WEIGHT) / (fleet->attempts + COIN_WEIGHT);
    double strength = 1.0 / likeness(fleet) - 1.0; /* attempts that the prior weighs as much as */
    double whole = strength + row->here.attempts;
    out->recovery = between(0.0, (prior * strength + row->here.recovered) / whole, 1.0);
    /* Attempts in few families say little of all of them. */
    double heard = 1.0 + fmin(fleet->attempts, fleet->families * (strength + 1.0));
    double own = out->recovery * (1.0 - out->recovery) / (whole + 1.0);
    double fleets = prior * (1.0 - prior) / (heard + 1.0) * (strength / whole) * (strength / whole);
    out->recovery_sd = sqrt(fmax(own + fleets, 0.0));
}

static void expect_cost(const struct history_row *row, double configured, struct history_outlook *out)
{
    const struct history_fleet *fleet = &row->fleet;
    out->per_hour_sd = 0.0;
    if (row->here.costs > 0) {
        out->gpu_hours = row->here.gpu_hours / row->here.costs;
        out->per_hour = 1.0 / out->gpu_hours;
    } else if (fleet->cost_families > 0.5) {
        double mean = fleet->per_hour / fleet->cost_families;
        double squares = fmax(fleet->per_hour_squared - mean * fleet->per_hour, 0.0);
        out->per_hour = mean;
        out->gpu_hours = 1.0 / mean;
        out->per_hour_sd = sqrt((squares + COST_VARIANCE * mean * mean) / (fleet->cost_families + 1.0));
    } else {
        out->gpu_hours = configured;
        out->per_hour = 1.0 / configured;
    }
}

struct history_outlook history_expect(const struct history_row *row, double configured)
{
    struct history_outlook out;
    expect_recovery(row, &out);
    expect_cost(row, configured, &out);
    return out;
}

#include "lib/detect/evidence.h"

#include <math.h>
#include <stdbool.h>

#define DELAY_MOST 1e12
#define STEPS 80

/* E ln(1 + bet (x - m)) for values of this mean and deviation: two points around the mean where both fit into 0..1, or
 * else some single answers of 0 and 1 among values on the mean. */
static double growth(double bet, double budget, double mean, double sd)
{
    double least = 1 + bet * (mean - sd - budget), most = 1 + bet * (mean + sd - budget);
    if (mean - sd >= 0 && mean + sd <= 1)
        return 0.5 * (log(least) + log(most));
    double single = mean * (1 - mean), part = single > 0 ? fmin(1, sd * sd / single) : 0;
    double answers = mean * log(1 + bet * (1 - budget)) + (1 - mean) * log(1 - bet * budget);
    return part * answers + (1 - part) * log(1 + bet * (mean - budget));
}

/* M after n values, each of which multiplies M + 1 by exp(rate). */
static double evidence_after(double rate, double n)
{
    if (fabs(rate) < 1e-12)
        return n;
    return exp(rate) * expm1(rate * n) / expm1(rate);
}

static bool enough(const double rate[EVIDENCE_BETS], double n, double wanted)
{
    double sum = 0;
    for (int k = 0; k < EVIDENCE_BETS; k++)
        sum += evidence_after(rate[k], n);
    return sum >= EVIDENCE_BETS * wanted;
}

double evidence_delay(double budget, double alpha, double mean, double sd)
{
    double rate[EVIDENCE_BETS], bet = EVIDENCE_LARGEST_BET / budget, fastest = 0;
    mean = fmax(0, fmin(mean, 1));
    if (isnan(sd))
        sd = sqrt(mean * (1 - mean));
    for (int k = 0; k < EVIDENCE_BETS; k++, bet /= 2) {
        rate[k] = growth(bet, budget, mean, sd);
        fastest = fmax(fastest, rate[k]);
    }
    if (fastest <= 0 || !enough(rate, DELAY_MOST, 1 / alpha))
        return INFINITY;
    double low = 0, high = DELAY_MOST;
    for (int step = 0; step < STEPS && high - low > 0.5; step++) {
        double middle = low + high > 4 * (low + 1) ? sqrt((low + 1) * high) : 0.5 * (low + high);
        if (enough(rate, middle, 1 / alpha))
            high = middle;
        else
            low = middle;
    }
    return ceil(high);
}

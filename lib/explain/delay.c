#include "lib/explain/delay.h"

#include <math.h>
#include <string.h>

#include "lib/calibrate/chart.h"
#include "lib/calibrate/quadrature.h"
#include "lib/detect/evidence.h"

#define CHANCE 0.5       /* of the time to a false alarm */
#define MOMENTS_LEAST 20     /* values that tell a level */

static bool is(const struct explain_rule *rule, const char *detector)
{
    return strcmp(rule->rule.detector, detector) == 0;
}

bool delay_is_rate(const char *metric)
{
    static const char *const rates[] = {"accuracy", "precision", "recall", "expected_accuracy"};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
        if (strcmp(metric, rates[i]) == 0)
            return true;
    return false;
}

/* How far the mean moves, from a level and a deviation of which either may not be known. */
static double amount_of(const char *metric, double level, double sd, const struct delay_question *question)
{
    double sign = question->down ? -1 : 1;
    if (question->sds > 0)
        return sign * question->sds * sd;
    return sign * DELAY_POINTS * (delay_is_rate(metric) ? 1 : fabs(level));
}

/* Charts ---------------------------------------------------------------------------------------------------------- */

/* Mean and deviation of N(shift, 1) that is cut off at +-cut. */
static void cut_off(double cut, double *shift, double *scale)
{
    if (!isfinite(cut))
        return;
    double low = -cut - *shift, high = cut - *shift;
    double below = normal_below(low), above = normal_above(high), within = normal_between(low, high);
    double first = normal_density(low) - normal_density(high);
    double mean = *shift * within + first + cut * (above - below);
    double second = (1 + *shift * *shift) * within + 2 * *shift * first + low * normal_density(low) -
                    high * normal_density(high) + cut * cut * (above + below);
    *scale = fmax(sqrt(fmax(0, second - mean * mean)), 0.05);
    *shift = mean;
}

/* `part`: what a residual counts for. */
static double run_length(const struct chart *chart, double shift, double cut, double part)
{
    double length, scale = 1;
    cut_off(cut, &shift, &scale);
    if (chart_run_length(chart, fmin(shift * part, CHART_LIMIT_MAX), scale, &length) != 0)
        return NAN;
    return length;
}

/* The first value after a change leaps by the whole of it, of which prewhitening leaves but 1 - phi from the second on: so
 * much sooner it is found. */
static double after_leap(const struct chart *chart, double length, double shift, double leap)
{
    double ahead = 0;
    switch (chart->kind) {
    case CHART_CUSUM:
        ahead = shift > chart->slack ? fmax(0, leap - shift) / (shift - chart->slack) : 0;
        break;
    case CHART_EWMA:
        ahead = leap > shift ? log(fmax(1e-3, 1 - chart->lambda * (leap - shift) / shift)) / log(1 - chart->lambda) : 0;
        break;
    case CHART_SHEWHART:
        return 1 + length * (1 - normal_above(chart->limit - leap));
    }
    return fmax(1, length - ahead);
}

static bool watches(const struct explain_rule *rule, bool down)
{
    double direction = detect_params_get(&rule->rule.params, "direction");
    return direction != (down ? DETECT_UP : DETECT_DOWN);
}

/* Before there is a reference only multiples of its deviation mean something, and no autocorrelation is known. */
static struct delay_answer chart_unseen(const struct explain_rule *rule, const struct chart *chart,
                                        const struct delay_question *question)
{
    double mean = detect_params_get(&rule->rule.params, "mean"), sd = detect_params_get(&rule->rule.params, "sd");
    struct delay_answer out = {.amount = amount_of(rule->rule.metric, mean, sd, question), .values = NAN};
    double shift = question->sds > 0 ? question->sds : fabs(out.amount) / sd;
    if (isfinite(shift))
        out.values = watches(rule, question->down) ? run_length(chart, shift, INFINITY, 1) : INFINITY;
    return out;
}

static struct delay_answer chart_delay(const struct explain_rule *rule, const struct delay_question *question)
{
    const struct detect_reference *reference = &rule->live.reference;
    struct chart chart;
    if (detect_params_chart(&rule->in_force, &chart) != 0)
        return (struct delay_answer){NAN, NAN};
    if (!rule->live.has_reference || !reference->judging)
        return chart_unseen(rule, &chart, question);
    chart.limit = reference->limit;
    chart.slack = isnan(reference->slack) ? chart.slack : reference->slack;
    double spread = reference->sd / sqrt(1 - reference->phi * reference->phi);
    double level = reference->logs ? exp(reference->level) : reference->level;
    double sign = question->down ? -1 : 1, moved; /* as the chart takes it */
    struct delay_answer out;
    if (question->sds > 0) {
        moved = sign * question->sds * spread;
        out.amount = reference->logs ? level * expm1(moved) : moved;
    } else {
        out.amount = amount_of(rule->rule.metric, level, NAN, question);
        moved = reference->logs ? log(fmax(1e-9, 1 + out.amount / level)) : out.amount;
    }
    double shift = fabs(moved) * (1 - reference->phi) / reference->sd;
    if (!watches(rule, question->down)) {
        out.values = INFINITY;
        return out;
    }
    double part = reference->scale[question->down];
    double leap = fmin(shift / (1 - reference->phi), reference->cut) * part;
    out.values = run_length(&chart, fmin(shift, CHART_LIMIT_MAX), reference->cut, part);
    if (reference->phi > 0)
        out.values = after_leap(&chart, out.values, fmin(shift, reference->cut) * part, leap);
    return out;
}

/* Evidence -------------------------------------------------------------------------------------------------------- */

/* From the level at present; before there is one, from the budget, and values are then taken for single answers. */
static struct delay_answer evidence_delay_of(const struct explain_rule *rule, const struct delay_question *question)
{
    const struct detect_params *params = &rule->rule.params;
    const struct detect_moments *moments = &rule->live.moments;
    bool known = rule->live.has_moments && moments->n >= MOMENTS_LEAST, harm_down = !watches(rule, false);
    double low = detect_params_get(params, "low"), high = detect_params_get(params, "high"), unit = high - low;
    double budget = detect_params_get(params, "budget"), level = known && !question->beyond ? moments->mean : budget;
    struct delay_answer out = {
        .amount = question->sds > 0 ? amount_of(rule->rule.metric, level, known ? moments->sd : NAN, question)
                                    : (question->down ? -1 : 1) * DELAY_POINTS * unit,
        .values = NAN};
    if (isnan(out.amount))
        return out;
    if (question->down != harm_down) {
        out.values = INFINITY;
        return out;
    }
    double mean = fmax(low, fmin(level + out.amount, high));
    double x = (harm_down ? high - mean : mean - low) / unit, m = (harm_down ? high - budget : budget - low) / unit;
    double alpha = rule->in_force.promise > 0 ? 1 / rule->in_force.promise : detect_params_get(params, "alpha");
    out.values = evidence_delay(m, alpha, x, known ? moments->sd / unit : NAN);
    return out;
}

/* Distances ------------------------------------------------------------------------------------------------------- */

/* The place below which a part `q` of a normal distribution lies. */
static double normal_quantile(double q)
{
    double low = -10, high = 10;
    for (int step = 0; step < 60; step++) {
        double middle = 0.5 * (low + high);
        if (normal_below(middle) < q)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static double entropy_part(double p, double m)
{
    return p > 0 ? p * log(p / m) : 0;
}

/* What a distance over bins comes to when a part of a window of normal values has moved by `shift` deviations, chance
 * included. */
static double binned_distance(const struct explain_rule *rule, double shift, double part)
{
    double bins = detect_params_get(&rule->rule.params, "bins"), sum = 0, before = 0;
    double n1 = detect_params_get(&rule->rule.params, "reference"),
           n2 = detect_params_get(&rule->rule.params, "window");
    double chance = (bins - 1) * (1 / n1 + 1 / n2);
    for (int i = 1; i <= (int)bins; i++) {
        double p = 1 / bins, below = i == (int)bins ? 1 : normal_below(normal_quantile(i / bins) - shift);
        double q = fmax((1 - part) * p + part * (below - before), 0.5 / n2), m = 0.5 * (p + q);
        before = below;
        if (is(rule, "psi"))
            sum += (q - p) * log(q / p);
        else if (is(rule, "js"))
            sum += entropy_part(p, m) + entropy_part(q, m);
        else
            sum += n1 * n2 * (p - q) * (p - q) / (n1 * p + n2 * q);
    }
    return is(rule, "psi") ? sum + chance : is(rule, "js") ? sqrt(0.5 * sum + chance / 8) : sum + bins - 1;
}

static double distance_of(const struct explain_rule *rule, double shift, double amount, double part)
{
    if (is(rule, "ks"))
        return part * (2 * normal_below(shift / 2) - 1);
    return is(rule, "wasserstein") ? part * fabs(amount) : binned_distance(rule, shift, part);
}

/* The part of a window that has to have moved before it is beyond the threshold; 1: not even the whole is enough. */
static double part_for(const struct explain_rule *rule, double shift, double amount, double threshold)
{
    double low = 0, high = 1;
    for (int step = 0; step < 12; step++) {
        double middle = 0.5 * (low + high);
        if (distance_of(rule, shift, amount, middle) > threshold)
            high = middle;
        else
            low = middle;
    }
    return high;
}

static struct delay_answer distance_delay(const struct explain_rule *rule, const struct delay_question *question)
{
    const struct detect_moments *moments = &rule->live.moments;
    bool known = rule->live.has_moments && moments->n >= MOMENTS_LEAST;
    double sd = known ? moments->sd : (double)NAN, level = known ? moments->mean : (double)NAN;
    struct delay_answer out = {.amount = amount_of(rule->rule.metric, level, sd, question), .values = NAN};
    double shift = fabs(out.amount) / sd, threshold = rule->live.threshold;
    if (isnan(threshold))
        threshold = detect_params_get(&rule->rule.params, "threshold");
    if (!(shift >= 0) || isnan(threshold))
        return out;
    /* Half of a window on average is over when the change comes; where what is left of it does not suffice, the next
     * one is waited for. */
    double part = part_for(rule, shift, out.amount, threshold);
    out.values = part < 1 ? (0.5 + part) * detect_params_get(&rule->rule.params, "window") : INFINITY;
    return out;
}

struct delay_answer delay_of_rule(const struct explain_rule *rule, const struct delay_question *question)
{
    struct delay_answer out;
    if (is(rule, "evidence"))
        out = evidence_delay_of(rule, question);
    else if (!isnan(detect_params_get(&rule->rule.params, "window")))
        out = distance_delay(rule, question);
    else
        out = chart_delay(rule, question);
    /* Then chance is as quick. */
    if (rule->in_force.promise > 0 && out.values > CHANCE * rule->in_force.promise)
        out.values = INFINITY;
    return out;
}

/* Budgets --------------------------------------------------------------------------------------------------------- */

/* The part of a full window that has to have moved before its statistic is beyond the limit; above 1: none is enough.
 * The noise of single values is left out. */
static double part_of_window(const struct explain_kpi *kpi, double margin, double amount, bool down)
{
    if (!(fabs(amount) > margin))
        return INFINITY;
    switch (kpi->kpi.over) {
    case WINDOW_MEAN:
        return margin / fabs(amount);
    case WINDOW_EWMA:
        return -0.5 * log(1 - margin / fabs(amount));
    case WINDOW_MEDIAN:
        return 0.5;
    case WINDOW_P90:
        return down ? 0.9 : 0.1;
    case WINDOW_P95:
        return down ? 0.95 : 0.05;
    case WINDOW_P99:
        return down ? 0.99 : 0.01;
    case WINDOW_MIN:
        return down ? 0 : 1;
    case WINDOW_MAX:
        return down ? 1 : 0;
    case WINDOW_LAST:
    case WINDOW_STATS:
        return 0;
    }
    return NAN;
}

struct delay_answer delay_of_kpi(const struct explain_kpi *kpi, const struct monitor_settings *settings,
                                 const struct delay_question *question)
{
    double limit = question->down ? kpi->kpi.min : kpi->kpi.max, level = kpi->live.observed;
    struct delay_answer out = {.amount = amount_of(kpi->kpi.metric, level, kpi->live.sd, question), .values = NAN};
    if (isnan(limit)) {
        out.values = INFINITY;
        return out;
    }
    if (isnan(level) || isnan(out.amount))
        return out;
    double margin = fmax(0, question->down ? level - limit : limit - level);
    double part = part_of_window(kpi, margin, out.amount, question->down);
    out.values = part > 1 && kpi->kpi.over != WINDOW_EWMA
                     ? INFINITY
                     : fmax(1, ceil(part * settings->window)) + settings->consecutive_failures - 1;
    return out;
}

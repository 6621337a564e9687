#include "lib/explain/sentences.h"

#include <math.h>
#include <string.h>

#include "lib/calibrate/chart.h"
#include "lib/calibrate/permutation.h"

#define RATE_ASSUMED rule_step_rate(RULE_STEPS_MAX)
#define MILLION 1e6
#define CORRELATION_SEEN 0.1 /* less is no cause to speak of */

const double explain_shifts[EXPLAIN_SHIFTS] = {0, 0.5, 1, 2, 3};

static bool is(const struct explain_rule *rule, const char *detector)
{
    return strcmp(rule->rule.detector, detector) == 0;
}

static bool is_distance(const struct explain_rule *rule)
{
    return !isnan(detect_params_get(&rule->rule.params, "window"));
}

bool explain_down(const struct explain_rule *rule)
{
    double direction = detect_params_get(&rule->rule.params, "direction");
    if (direction == DETECT_UP || direction == DETECT_DOWN)
        return direction == DETECT_DOWN;
    return delay_is_rate(rule->rule.metric);
}

bool explain_kpi_down(const struct explain_kpi *kpi)
{
    return isnan(kpi->kpi.max) || (!isnan(kpi->kpi.min) && delay_is_rate(kpi->kpi.metric));
}

double explain_rate(const struct explain *self, const struct explain_rule *rule)
{
    return self->settings.event_rate > 0 ? self->settings.event_rate : rule->live.rate;
}

const char *explain_why_not(const struct explain_rule *rule)
{
    if (rule->promises && rule->in_force.promise > 0)
        return NULL;
    if (rule->promises && is_distance(rule))
        return "its threshold is fixed by its parameters, and what chance does to it depends on the metric";
    if (rule->promises)
        return "with its parameters no threshold keeps to its share of the budget";
    if (is(rule, "adwin") || is(rule, "kswin") || is(rule, "hddm_a") || is(rule, "hddm_w"))
        return "its confidence holds for one comparison, and it compares again and again; how often chance crosses it "
               "depends on the metric";
    return "its thresholds are constants of its own, and how often chance crosses them depends on the metric";
}

/* Promises -------------------------------------------------------------------------------------------------------- */

static void say_how_often(const struct explain *self, const struct explain_rule *rule, struct sentence *out)
{
    double values = rule->in_force.promise, rate = explain_rate(self, rule);
    const char *about = rule->in_force.approximate ? "about " : "";
    const struct alarm_budget *alarms = &self->settings.alarms;
    if (rule->rate_assumed && alarms->every_s > 0) {
        words_say(out, "once in %s%s, on average and at most, whatever the rate of values turns out to be; before it is "
                       "known, %s are assumed", about, words_span(values / RATE_ASSUMED).text, words_rate(RATE_ASSUMED).text);
    } else if (rate > 0) {
        words_say(out, "once in %s%s, on average and at most: one false alarm in %s values, at ", about,
            words_span(values / rate).text, words_count(values).text);
        words_say(out, "the %s rate of %s", self->settings.event_rate > 0 ? "given" : "measured", words_rate(rate).text);
        if (rate > RATE_ASSUMED && self->settings.event_rate <= 0)
            words_say(out, ", which is taken for a burst: thresholds are worked out for up to %s",
                      words_rate(RATE_ASSUMED).text);
    } else {
        words_say(out, "once in %s%s values, on average and at most", about, words_count(values).text);
    }
}

/* Why a chart cannot, and what it does then. */
static void say_what_instead(const struct explain *self, const struct explain_rule *rule, const char *why, struct sentence *out)
{
    const double rate = explain_rate(self, rule);
    words_say(out, "cannot be promised");
    if (rule->rate_assumed)
        words_say(out, " for the %s that are assumed before the rate is known", words_rate(RATE_ASSUMED).text);
    else if (rate > 0 && self->settings.alarms.every_s > 0)
        words_say(out, " at the %s rate of %s", self->settings.event_rate > 0 ? "given" : "measured", words_rate(rate).text);
    words_say(out, ": %s, and the strictest there is judges", why);
    if (rule->kept_up_to > 0)
        words_say(out, ". Up to %s it can be", words_rate(rule->kept_up_to).text);
}

void sentence_promise(const struct explain *self, const struct explain_rule *rule, struct sentence *out)
{
    const char *why = explain_why_not(rule);
    if (why && rule->in_force.stages > 0)
        say_what_instead(self, rule, why, out);
    else if (why)
        words_say(out, "cannot be promised: %s", why);
    else
        say_how_often(self, rule, out);
}

/* What evidence bounds is the mean that the past lets expect. */
static void caveat_evidence(const struct explain_rule *rule, struct sentence *out)
{
    double phi = rule->live.has_moments ? rule->live.moments.autocorrelation : (double)NAN;
    words_say(out, "this holds for values of any kind as long as the level that their past lets expect keeps to the budget; a "
             "level that swings beyond it for stretches is reported, although in the long run it keeps to it");
    if (isnan(phi))
        words_say(out, ". How much values hang together is not known yet");
    else if (phi > CORRELATION_SEEN)
        words_say(out, ". Here each value hangs on the one before (autocorrelation %.2f), so there are such stretches: an "
                 "average just inside the budget will be reported more often than promised", phi);
    else
        words_say(out, ". Here values hardly hang on the one before (autocorrelation %.2f)", phi);
}

void sentence_caveat(const struct explain_rule *rule, struct sentence *out)
{
    if (is(rule, "evidence"))
        caveat_evidence(rule, out);
    else if (rule->in_force.approximate && rule->in_force.promise > 0)
        words_say(out, "this rate is approximate: it lies beyond what %d deals of the reference can show, and is extrapolated",
            PERMUTATION_ROUNDS);
    else if (!explain_why_not(rule) && !is_distance(rule))
        words_say(out, "this holds as far as what is left of the metric %sis like independent normal values",
            detect_params_get(&rule->rule.params, "prewhiten") == 1 ? "once its past is taken out " : "");
    if (is(rule, "shewhart") && !explain_why_not(rule))
        words_say(out, "; it judges single values by the far end of their distribution, so not for answers of 0 and 1");
    if (rule->live.clipped)
        words_say(out, "%s%s values lay outside of the metric's range and were taken for its end", out->len ? ". " : "",
            words_count((double)rule->live.clipped).text);
    if (rule->live.refused)
        words_say(out, "%s%s values were of a kind that it does not take", out->len ? ". " : "",
            words_count((double)rule->live.refused).text);
}

/* Thresholds ------------------------------------------------------------------------------------------------------ */

static const char *unit_of(const struct explain_rule *rule)
{
    if (is(rule, "cusum"))
        return "standard deviations, summed up beyond the allowance";
    if (is(rule, "ewma"))
        return "standard deviations of the settled average";
    if (is(rule, "shewhart"))
        return "standard deviations of one value";
    if (is(rule, "evidence"))
        return "to one against the mean being within the budget";
    return NULL;
}

double explain_threshold(const struct explain_rule *rule)
{
    struct chart chart;
    if (rule->live.has_reference && rule->live.reference.judging)
        return rule->live.reference.limit;
    if (!isnan(rule->live.threshold))
        return rule->live.threshold;
    if (is(rule, "evidence"))
        return rule->in_force.promise > 0 ? rule->in_force.promise : 1 / detect_params_get(&rule->rule.params, "alpha");
    if (detect_params_chart(&rule->in_force, &chart) == 0)
        return chart.limit;
    if (is_distance(rule))
        return detect_params_get(&rule->rule.params, "threshold");
    if (is(rule, "ddm"))
        return detect_params_get(&rule->rule.params, "drift_threshold");
    return is(rule, "page_hinkley") ? detect_params_get(&rule->rule.params, "threshold") : (double)NAN;
}

void sentence_threshold(const struct explain_rule *rule, struct sentence *out)
{
    double threshold = explain_threshold(rule);
    const char *unit = unit_of(rule);
    if (!isfinite(threshold)) {
        words_say(out, rule->live.has_reference && rule->live.reference.judging
                           ? "none yet: so few values of reference cannot keep the promise"
                       : is_distance(rule) ? "worked out from the reference, by dealing it out again and again, once it is full"
                                   : "moves with the values");
        return;
    }
    words_say(out, "%s%s%s", words_figure(threshold).text, unit ? " " : "", unit ? unit : "");
    if (!isnan(rule->live.statistic))
        words_say(out, "; it stands at %s", words_figure(rule->live.statistic).text);
    else if (!isnan(detect_params_get(&rule->rule.params, "mean")) || is(rule, "evidence"))
        words_say(out, "; it has judged nothing yet");
    else
        words_say(out, "; it does not judge yet");
}

/* References ------------------------------------------------------------------------------------------------------ */

static void say_chart_reference(const struct detect_reference *reference, struct sentence *out)
{
    if (reference->wanted && !reference->judging) {
        words_say(out, "%u of %u values; it judges from the %s on", reference->collected, reference->wanted,
            reference->wanted >= 200 ? "100th" : "last of them");
        return;
    }
    double level = reference->logs ? exp(reference->level) : reference->level;
    if (reference->wanted == 0)
        words_say(out, "given: ");
    else if (reference->collected < reference->wanted)
        words_say(out, "%u of %u values, so its threshold is wider than it will be: ", reference->collected, reference->wanted);
    else
        words_say(out, "full, %u values: ", reference->wanted);
    double spread = reference->sd / sqrt(1 - reference->phi * reference->phi);
    words_say(out, "level %s, ", words_figure(level).text);
    if (reference->logs)
        words_say(out, "single values %.3g %% around it (it is judged in logarithms)", 100 * expm1(spread));
    else
        words_say(out, "standard deviation of single values %s", words_figure(spread).text);
    if (reference->phi != 0)
        words_say(out, "; each value hangs on the one before with %.2f (autocorrelation), which is taken out", reference->phi);
}

void sentence_reference(const struct explain_rule *rule, struct sentence *out)
{
    double wanted = detect_params_get(&rule->rule.params, "reference");
    const struct detect_moments *moments = &rule->live.moments;
    if (is(rule, "evidence")) {
        if (rule->live.has_moments)
            words_say(out, "needs none, it judges from the first value on; so far %s values with a mean of %s",
                words_count((double)moments->n).text, words_figure(moments->mean).text);
        else
            words_say(out, "needs none: it judges from the first value on");
    } else if (rule->live.has_reference) {
        say_chart_reference(&rule->live.reference, out);
    } else if (is_distance(rule)) {
        double taken = fmin((double)rule->live.taken, wanted);
        words_say(out, "%s, %s of %s events", taken < wanted ? "collecting" : "full", words_count(taken).text,
            words_count(wanted).text);
        if (rule->live.has_moments)
            words_say(out, ": mean %s, standard deviation %s", words_figure(moments->mean).text,
                words_figure(moments->sd).text);
        words_say(out, "; then each full window of %s is compared with it once",
            words_count(detect_params_get(&rule->rule.params, "window")).text);
    } else if (!isnan(detect_params_get(&rule->rule.params, "mean"))) {
        words_say(out, "given: level %s, standard deviation of single values %s",
            words_figure(detect_params_get(&rule->rule.params, "mean")).text,
            words_figure(detect_params_get(&rule->rule.params, "sd")).text);
        if (detect_params_get(&rule->rule.params, "prewhiten") == 1)
            words_say(out, "; its first %s values tell how far each hangs on the one before", words_count(wanted).text);
    } else if (!isnan(wanted) && wanted > 0) {
        words_say(out, "its first %s values", words_count(wanted).text);
    } else {
        words_say(out, "none of its own: it learns as it goes");
    }
}

/* Delays ---------------------------------------------------------------------------------------------------------- */

static void say_change(const char *metric, bool down, const struct delay_answer *answer, struct sentence *out)
{
    words_say(out, "a %s of ", down ? "fall" : "rise");
    if (!delay_is_rate(metric) && isnan(answer->amount))
        words_say(out, "five percent of its level");
    else if (answer->amount == 0)
        words_say(out, "five percent of its level, which is 0,");
    else if (delay_is_rate(metric))
        words_say(out, "five points (%g)", DELAY_POINTS);
    else
        words_say(out, "%s (five percent of its level)", words_figure(fabs(answer->amount)).text);
}

static void say_values(double values, double rate, struct sentence *out)
{
    words_say(out, "after about %s %s", words_count(ceil(values)).text, values <= 1 ? "value" : "values");
    if (rate > 0)
        words_say(out, " (%s)", words_span(ceil(values) / rate).text);
}

const char *explain_no_delay(const struct explain_rule *rule)
{
    struct chart chart;
    if (is_distance(rule) || detect_params_chart(&rule->in_force, &chart) == 0)
        return "before its reference is full";
    return "by a formula; `driftc backtest` shows it on recorded events";
}

const char *explain_missed(const struct explain_rule *rule)
{
    if (is(rule, "evidence"))
        return "leaves it within its budget, so there is nothing to report";
    return is_distance(rule) ? "is too small to show in one window" : "is too small to be told from chance";
}

void sentence_delay(const struct delay_answer answers[EXPLAIN_SHIFTS], const struct delay_words *words,
                    struct sentence *out)
{
    const char *metric = words->metric;
    const bool down = words->down;
    const double rate = words->rate;
    static const char *const sizes[EXPLAIN_SHIFTS] = {"", "half a standard deviation", "one", "two", "three"};
    say_change(metric, down, &answers[0], out);
    if (isnan(answers[0].values)) {
        words_say(out, ": how soon cannot be said %s", words->unknown);
    } else if (isinf(answers[0].values)) {
        words_say(out, " %s", words->missed);
    } else {
        words_say(out, " is seen ");
        say_values(answers[0].values, rate, out);
    }
    bool first = true;
    for (int i = 1; i < EXPLAIN_SHIFTS; i++) {
        if (isnan(answers[i].values))
            continue;
        words_say(out, "%s%s: ", first ? ". In values, of " : ", ", sizes[i]);
        if (isinf(answers[i].values))
            words_say(out, "never");
        else if (answers[i].values > MILLION)
            words_say(out, "over a million");
        else
            words_say(out, "%s", words_count(ceil(answers[i].values)).text);
        first = false;
    }
    if (words->assumed && !first)
        words_say(out, " (for %s; the fewer come, the sooner)", words_rate(RATE_ASSUMED).text);
}

void sentence_beyond(const struct explain_rule *rule, double rate, struct sentence *out)
{
    if (!is(rule, "evidence") || !rule->live.has_moments)
        return;
    const struct delay_answer answer =
        delay_of_rule(rule, &(struct delay_question){.down = explain_down(rule), .beyond = true});
    if (!isfinite(answer.values))
        return;
    words_say(out, ". A level that is %s (%s) beyond the budget is seen ",
              delay_is_rate(rule->rule.metric) ? "five points" : "five percent of the range",
              words_figure(fabs(answer.amount)).text);
    say_values(answer.values, rate, out);
}

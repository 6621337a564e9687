/* Sentences about budgets, and about a model as a whole. */
#include "lib/explain/sentences.h"

#include <math.h>

#define RATE_ASSUMED rule_step_rate(RULE_STEPS_MAX)
#define ROUNDED 1e-6 /* of a sum of promises */

void sentence_kpi_promise(const struct explain_kpi *kpi, struct sentence *out)
{
    bool down = explain_kpi_down(kpi);
    double level = kpi->live.observed, limit = down ? kpi->kpi.min : kpi->kpi.max;
    words_say(out, "cannot be promised: a budget is what you allow, and says nothing of what chance does; it triggers whenever "
             "the budget is missed often enough in a row");
    if (isnan(level))
        return;
    double margin = down ? level - limit : limit - level;
    if (margin < 0) {
        words_say(out, ". At present it is missed, by %s", words_figure(-margin).text);
        return;
    }
    words_say(out, ". At present it is kept, with %s to spare", words_figure(margin).text);
    if (!isnan(kpi->live.sd) && kpi->live.sd > 0)
        words_say(out, " (%.2g times what single values scatter)", margin / kpi->live.sd);
}

void sentence_kpi_threshold(const struct explain *self, const struct explain_kpi *kpi, struct sentence *out)
{
    words_say(out, "the %s of the last %s values ", window_stat_name(kpi->kpi.over), words_count(self->settings.window).text);
    if (!isnan(kpi->kpi.min))
        words_say(out, "below %s", words_figure(kpi->kpi.min).text);
    if (!isnan(kpi->kpi.max))
        words_say(out, "%sabove %s", isnan(kpi->kpi.min) ? "" : " or ", words_figure(kpi->kpi.max).text);
    words_say(out, ", %u times in a row", self->settings.consecutive_failures);
    if (!isnan(kpi->live.observed))
        words_say(out, "; it stands at %s", words_figure(kpi->live.observed).text);
    if (kpi->live.total < self->settings.min_events)
        words_say(out, "; not judged before %s values", words_count((double)self->settings.min_events).text);
}

/* False alarms of all that promise: in a second as values come now, at the rates that promises were made for, and for each
 * value. */
struct alarms {
    double now, meant, of_values;
    bool timed; /* all rates are known */
};

static struct alarms alarms_of(const struct explain *self)
{
    struct alarms sum = {.timed = true};
    for (uint32_t i = 0; i < self->rule_count; i++) {
        const struct explain_rule *rule = &self->rules[i];
        const double rate = explain_rate(self, rule), promise = rule->in_force.promise;
        if (explain_why_not(rule))
            continue;
        sum.timed = sum.timed && rate > 0;
        sum.now += rate / promise;
        sum.meant += (rule->rate_assumed                 ? RATE_ASSUMED
                      : self->settings.event_rate > 0 ? rate
                                                         : fmin(rate, RATE_ASSUMED)) / promise;
        sum.of_values += 1 / promise;
    }
    return sum;
}

/* Budgets that ask for more than the longest promise there is. */
static void say_bounds(const struct explain *self, const struct alarms *sum, struct sentence *out)
{
    const struct alarm_budget *alarms = &self->settings.alarms;
    const bool short_s = alarms->every_s > 0 && alarms->every_s * sum->meant > 1 + ROUNDED;
    const bool short_events = alarms->every_events > 0 && alarms->every_events * sum->of_values > 1 + ROUNDED;
    if (alarms->every_s > 0)
        words_say(out, "at most once in %s", words_span(short_s ? 1 / sum->meant : alarms->every_s).text);
    if (alarms->every_events > 0)
        words_say(out, "%sat most once in %s values", alarms->every_s > 0 ? " and " : "",
            words_count(short_events ? 1 / sum->of_values : alarms->every_events).text);
    words_say(out, " on average");
    if (short_s)
        words_say(out, " (the budget is once in %s: beyond the longest promise there is)", words_span(alarms->every_s).text);
    if (short_events)
        words_say(out, " (the budget is once in %s values: beyond the longest promise there is)",
            words_count(alarms->every_events).text);
}

/* What all that promise come to together. */
static void say_together(const struct explain *self, uint32_t promising, struct sentence *out)
{
    const struct alarms sum = alarms_of(self);
    words_say(out, "%s rule%s keep%s to the budget of false alarms: wrong ", words_count(promising).text,
        promising == 1 ? "" : "s", promising == 1 ? "s" : " together");
    say_bounds(self, &sum, out);
    if (sum.timed && sum.now > 0)
        words_say(out, "; as values come now, once in %s", words_span(1 / sum.now).text);
    words_say(out, ". ");
}

void sentence_model(const struct explain *self, struct sentence *out)
{
    uint32_t promising = 0, others = 0, windows = 0;
    for (uint32_t i = 0; i < self->rule_count; i++)
        *(explain_why_not(&self->rules[i]) ? &others : &promising) += 1;
    for (uint32_t k = 0; k < self->kpi_count; k++)
        windows += self->kpis[k].kpi.test == KPI_WINDOW;
    if (!self->matched) {
        words_say(out, "No block of budgets is for this model: it is shown and never judged, so it neither cries wolf nor sees "
                 "anything.");
        return;
    }
    if (promising)
        say_together(self, promising, out);
    if (others)
        words_say(out, "%s rule%s cannot promise a rate and come%s on top of that. ", words_count(others).text,
            others == 1 ? "" : "s", others == 1 ? "s" : "");
    if (windows)
        words_say(out, "%s budget%s with test: window promise%s nothing: %s when missed %u times in a row, right or wrong. ",
            words_count(windows).text, windows == 1 ? "" : "s", windows == 1 ? "s" : "",
            windows == 1 ? "it triggers" : "they trigger", self->settings.consecutive_failures);
    if (promising + others + windows == 0)
        words_say(out, "Nothing judges this model: it has neither a budget nor a rule.");
    else if (out->len && out->text[out->len - 1] == ' ')
        out->text[--out->len] = '\0';
}

/* Notes on what a merged set of budgets cannot keep to. */
#include "lib/config/check.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "lib/explain/words.h"

#define SINGLE_LEAST 0x1p-149 /* above 0 */
#define SINGLE_WHOLE 16777216.0 /* from here on single precision does not hold every whole number */

/* In how many values a chart can promise one false alarm: some milliseconds, so once for all that are alike. */
struct check_most {
    struct check_most *before;
    struct detect_params asked;
    double most; /* INFINITY: it is no chart */
};

static bool same_chart(const struct detect_params *a, const struct detect_params *b)
{
    if (a->type != b->type)
        return false;
    for (uint32_t i = 0; i < DETECT_PARAMS_MAX; i++)
        if (a->value[i] != b->value[i] && !(isnan(a->value[i]) && isnan(b->value[i])))
            return false;
    return true;
}

static double most_of(struct checker *self, const struct detect_params *asked)
{
    struct check_most *at = self->mosts;
    while (at && !same_chart(&at->asked, asked))
        at = at->before;
    if (at)
        return at->most;
    at = arena_take(self->scratch, 1, sizeof *at);
    if (!at)
        return INFINITY;
    *at = (struct check_most){.before = self->mosts, .asked = *asked, .most = INFINITY};
    self->mosts = at;
    if (detect_params_promise_most(asked, &at->most) == -ENOMEM)
        self->scratch->failed = true;
    return at->most;
}

/* Where the rate is measured: the highest one at which the promise is kept, 0: none. */
static double kept_up_to(const struct alarm_budget *share, double most)
{
    double kept = 0;
    for (uint32_t i = 0; i < RULE_STEPS_MAX; i++)
        if (rule_events(share, rule_step_rate(i), 1) <= most)
            kept = rule_step_rate(i);
    return kept;
}

static void say_where(const struct alarm_budget *share, double rate, double most, struct sentence *out)
{
    const double kept = kept_up_to(share, most);
    if (share->every_s <= 0)
        words_say(out, "in %s values", words_count(share->every_events).text);
    else
        words_say(out, "in %s", words_span(share->every_s).text);
    if (share->every_s > 0 && rate > 0)
        words_say(out, " at %s", words_rate(rate).text);
    else if (share->every_s > 0 && kept > 0)
        words_say(out, " where more than %s come", words_rate(kept).text);
}

static void check_promise(struct checker *self, const struct drift_rule *rule, const struct alarm_budget *share, double rate,
                          struct mark mark)
{
    const double most = most_of(self, &rule->params);
    const double top = rate > 0 ? rate : rule_step_rate(RULE_STEPS_MAX - 1);
    const bool estimated =
        isnan(detect_params_get(&rule->params, "mean")) || detect_params_get(&rule->params, "prewhiten") == 1;
    struct sentence where = {0};
    if (rule_events(share, top, 1) <= most)
        return;
    say_where(share, rate, most, &where);
    mistakes_add(self->notes, mark, "budgets[].drift[]",
                 "no threshold of %s with these parameters keeps to one false alarm %s; the strictest there is judges then, and "
                 "nothing is promised. %s",
                 rule->detector, where.text, estimated ? "A longer reference can promise more" : "A larger k can promise more");
}

static void check_single(struct checker *self, const struct budget_kpi *kpi, double limit, const char *key)
{
    char name[METRIC_NAME_MAX + 32], row[64];
    const double size = fabs(limit);
    const bool tiny = size > 0 && size < SINGLE_LEAST;
    if (!(size >= SINGLE_WHOLE) && !tiny) /* none is set, or a usual one */
        return;
    snprintf(row, sizeof row, "budgets[].kpis.<metric>.%s", key);
    snprintf(name, sizeof name, "budgets[].kpis.%s.%s", kpi->budget.metric, key);
    const struct key_place *place = record_at(&kpi->keys, row);
    const struct mark mark = place ? place->mark : kpi->mark;
    if (tiny)
        mistakes_add(self->notes, mark, name, "%g is nearer to 0 than any value that windows hold, %g", limit, SINGLE_LEAST);
    else if (size > (double)FLT_MAX)
        mistakes_add(self->notes, mark, name, "%g is beyond the largest value that windows hold, %g", limit, (double)FLT_MAX);
    else
        mistakes_add(self->notes, mark, name,
                     "windows hold values in single precision, and around %.15g tell them apart in steps of %g", limit,
                     (double)nextafterf((float)size, INFINITY) - (double)(float)size);
}

/* A range that another block's `test: evidence` may want is none of that. */
static void check_range(struct checker *self, const struct budget_kpi *kpi)
{
    char name[METRIC_NAME_MAX + 32];
    const struct key_place *range = record_at(&kpi->keys, "budgets[].kpis.<metric>.range");
    if (!range || record_at(&kpi->keys, "budgets[].kpis.<metric>.test"))
        return;
    snprintf(name, sizeof name, "budgets[].kpis.%s.range", kpi->budget.metric);
    mistakes_add(self->notes, range->mark, name, "not asked, since the test is not evidence");
}

void check_set(struct checker *self, struct budget_set *set, struct arena *memory)
{
    const struct monitor_settings *settings = &set->settings;
    uint32_t promising;
    for (uint32_t k = 0; k < settings->kpi_count; k++)
        if (set->kpis[k].budget.test == KPI_WINDOW) {
            check_single(self, &set->kpis[k], set->kpis[k].budget.min, "min");
            check_single(self, &set->kpis[k], set->kpis[k].budget.max, "max");
            check_range(self, &set->kpis[k]);
        }
    if (set->drift.count == 0 || budgets_gather(&self->box->budgets, memory, set, &promising) != 0)
        return;
    const struct alarm_budget share = {settings->alarms.every_s * promising, settings->alarms.every_events * promising};
    const uint32_t first = settings->rule_count - set->drift.count;
    for (uint32_t i = 0; i < set->drift.count; i++)
        if (rule_promises(&settings->rules[first + i]))
            check_promise(self, &settings->rules[first + i], &share, settings->event_rate, set->drift.marks[i]);
}

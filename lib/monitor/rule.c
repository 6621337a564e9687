#include "lib/monitor/rule.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PROMISE_LEAST 2.0
#define PROMISE_MOST 1e12

/* Beyond these a model sends less than a value in 100 s, for which the first step is good too, or more than a thousand
 * a second: none does that for the length of a budget. */
static const double step_rates[RULE_STEPS_MAX] = {0.01, 0.1, 1, 10, 100, 1000};

double rule_step_rate(uint32_t index)
{
    return step_rates[index < RULE_STEPS_MAX ? index : RULE_STEPS_MAX - 1];
}

uint32_t rule_step_for(const struct drift_rule *rule, double rate)
{
    uint32_t step = 0;
    while (step + 1 < rule->step_count && (step_rates[step] < rate || rule->steps[step].promise <= 0))
        step++;
    return step;
}

bool rule_promises(const struct drift_rule *rule)
{
    /* Less than any detector promises: -ERANGE from one that can, and nothing is computed. A threshold that was given, which
     * only distances may be among these, is kept to and promises nothing. */
    struct detect_params params = rule->params;
    return detect_params_promise(&params, 0, NULL) != -ENOTSUP && isnan(detect_params_get(&params, "threshold"));
}

double rule_events(const struct alarm_budget *alarms, double rate, double rules)
{
    double events = fmax(alarms->every_events, alarms->every_s * rate) * rules;
    return fmin(fmax(events, PROMISE_LEAST), PROMISE_MOST);
}

/* Thresholds that were meant to keep a promise, and do not. */
static bool fails(const struct detect_params *step)
{
    return step->promise <= 0 && step->stages > 0;
}

/* Many budgets end in the same bound, so that the step below has made the promise already; and where that cannot keep
 * its own, neither can this one. Where no threshold keeps it the strictest one judges. */
static int promise_step(const struct drift_rule *rule, double events, const struct detect_params *below,
                        struct detect_params *out)
{
    if (below && (below->promise == events || fails(below))) {
        *out = *below;
        return 0;
    }
    *out = rule->params;
    int error = detect_params_promise(out, events, NULL);
    if (error == -ERANGE)
        error = detect_params_strictest(out);
    return error;
}

static int promise(struct drift_rule *rule, const struct alarm_budget *alarms, double rate, double rules,
                   struct detect_params *steps)
{
    const bool one = rate > 0 || alarms->every_s <= 0;
    const uint32_t count = one ? 1 : RULE_STEPS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        double events = rule_events(alarms, one ? rate : step_rates[i], rules);
        int error = promise_step(rule, events, i ? &steps[i - 1] : NULL, &steps[i]);
        if (error == -ENOMEM)
            return error;
        if (error)
            steps[i].promise = 0, steps[i].stages = 0;
    }
    rule->steps = steps;
    rule->step_count = steps[count - 1].promise > 0 || fails(&steps[count - 1]) ? count : 0;
    return 0;
}

int drift_rules_promise(struct drift_rule *rules, uint32_t count, const struct alarm_budget *alarms, double event_rate,
                        struct detect_params *steps)
{
    double promising = 0;
    int error = 0;
    for (uint32_t i = 0; i < count; i++)
        promising += rule_promises(&rules[i]);
    for (uint32_t i = 0; i < count && error == 0; i++) {
        rules[i].steps = NULL;
        rules[i].step_count = 0;
        if (rule_promises(&rules[i]) && (alarms->every_s > 0 || alarms->every_events > 0))
            error = promise(&rules[i], alarms, event_rate, promising, steps + (size_t)i * RULE_STEPS_MAX);
    }
    return error;
}

static bool among(const char *name, const char *const names[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool rule_of_errors(const struct drift_rule *rule)
{
    static const char *const streams[] = {"ddm", "eddm", "hddm_a", "hddm_w"};
    static const char *const rights[] = {"accuracy", "precision", "recall", "expected_accuracy"};
    return among(rule->detector, streams, sizeof streams / sizeof *streams) &&
           among(rule->metric, rights, sizeof rights / sizeof *rights);
}

void drift_rule_text(const struct drift_rule *rule, char out[RULE_TEXT_MAX])
{
    static const char *const words[] = {"", " up", " down"};
    double direction = detect_params_get(&rule->params, "direction");
    uint32_t word = direction >= 0 && direction <= 2 ? (uint32_t)direction : 0;
    if (rule->kpi != RULE_NO_KPI)
        snprintf(out, RULE_TEXT_MAX, "%s %s %c %.15g", rule->metric, rule->detector, word == DETECT_UP ? '>' : '<',
                 detect_params_get(&rule->params, "budget"));
    else
        snprintf(out, RULE_TEXT_MAX, "%s %s%s", rule->metric, rule->detector, words[word]);
}

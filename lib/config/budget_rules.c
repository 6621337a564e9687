/* The rules of a merged set, and their promises. */
#include "lib/config/budgets.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

bool budgets_range(const struct kpi_budget *kpi, double *low, double *high)
{
    *low = kpi->range[0];
    *high = kpi->range[1];
    if (*low < *high)
        return true;
    schema_metric_range(text_of(kpi->metric), low, high);
    return isfinite(*low) && isfinite(*high);
}

/* One limit of a KPI as a rule. False where there is none, or its settings were told to be wrong. */
static bool evidence_rule(const struct kpi_budget *kpi, uint32_t index, double limit, const char *direction,
                          struct drift_rule *out)
{
    double low, high;
    if (isnan(limit) || !budgets_range(kpi, &low, &high))
        return false;
    *out = (struct drift_rule){.detector = "evidence", .kpi = index};
    memcpy(out->metric, kpi->metric, sizeof(kpi->metric));
    int error = detect_params_init(&out->params, out->detector, NULL);
    assert(error == 0);
    (void)error;
    return detect_params_set(&out->params, "budget", limit, NULL) == 0 &&
           detect_params_set(&out->params, "low", low, NULL) == 0 &&
           detect_params_set(&out->params, "high", high, NULL) == 0 &&
           detect_params_set_text(&out->params, "direction", text_of(direction), NULL) == 0 &&
           detect_params_check(&out->params, NULL) == 0;
}

static bool same_value(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_request(const struct budget_promise *a, const struct budget_promise *b)
{
    for (uint32_t i = 0; i < DETECT_PARAMS_MAX; i++)
        if (!same_value(a->asked.value[i], b->asked.value[i]))
            return false;
    return a->asked.type == b->asked.type && a->every_s == b->every_s && a->every_events == b->every_events &&
           a->event_rate == b->event_rate;
}

/* Takes over what another configuration has worked out. */
static bool inherit(const struct config_budgets *self, const struct budget_promise *wanted, struct drift_rule *rule,
                    struct detect_params *steps)
{
    const struct budget_promise *promise = self->inherited;
    while (promise && !same_request(promise, wanted))
        promise = promise->before;
    if (!promise)
        return false;
    memcpy(steps, promise->steps, promise->step_count * sizeof(*steps));
    rule->steps = steps;
    rule->step_count = promise->step_count;
    return true;
}

/* One rule's promise, worked out or found. `rules` share the budget. */
static int promise(struct config_budgets *self, const struct budget_set *set, uint32_t rules, struct drift_rule *rule)
{
    const struct alarm_budget share = {set->settings.alarms.every_s * rules, set->settings.alarms.every_events * rules};
    const struct budget_promise wanted = {.asked = rule->params,
                                          .every_s = share.every_s,
                                          .every_events = share.every_events,
                                          .event_rate = set->settings.event_rate};
    struct budget_promise *promise = self->promises;
    while (promise && !same_request(promise, &wanted))
        promise = promise->before;
    if (!promise) {
        struct detect_params *steps = arena_take(self->memory, RULE_STEPS_MAX, sizeof(*steps));
        promise = arena_take(self->memory, 1, sizeof(*promise));
        if (!steps || !promise)
            return -ENOMEM;
        if (!inherit(self, &wanted, rule, steps) &&
            drift_rules_promise(rule, 1, &share, set->settings.event_rate, steps) != 0)
            return -ENOMEM;
        *promise = wanted;
        promise->steps = rule->steps;
        promise->step_count = rule->step_count;
        promise->before = self->promises;
        self->promises = promise;
    }
    rule->steps = promise->steps;
    rule->step_count = promise->step_count;
    return 0;
}

int budgets_gather(const struct config_budgets *self, struct arena *memory, struct budget_set *set, uint32_t *promising)
{
    struct monitor_settings *settings = &set->settings;
    uint32_t count = 0, room = set->drift.count + 2 * settings->kpi_count;
    struct drift_rule *rules = arena_take(memory, room + 1, sizeof(*rules));
    if (!rules)
        return -ENOMEM;
    for (uint32_t k = 0; k < settings->kpi_count; k++) {
        const struct kpi_budget *kpi = &settings->kpis[k];
        if (kpi->test != KPI_EVIDENCE)
            continue;
        count += evidence_rule(kpi, k, kpi->min, "down", &rules[count]);
        count += evidence_rule(kpi, k, kpi->max, "up", &rules[count]);
    }
    for (uint32_t i = 0; i < set->drift.count; i++)
        rules[count++] = set->drift.rules[i];
    settings->alarms.every_s = fmax(settings->alarms.every_s, self->fleet.every_s);
    settings->alarms.every_events = fmax(settings->alarms.every_events, self->fleet.every_events);
    settings->rules = rules;
    settings->rule_count = count; /* no more than MONITOR_RULES_MAX: both lists are bounded */
    *promising = 0;
    for (uint32_t i = 0; i < count; i++)
        *promising += rule_promises(&rules[i]);
    return 0;
}

int budgets_rules(struct config_budgets *self, struct budget_set *set)
{
    uint32_t promising;
    if (budgets_gather(self, self->memory, set, &promising) != 0)
        return -ENOMEM;
    struct drift_rule *rules = (struct drift_rule *)(uintptr_t)set->settings.rules; /* ours, made above */
    for (uint32_t i = 0; i < set->settings.rule_count; i++)
        if (rule_promises(&rules[i]) && promise(self, set, promising, &rules[i]) != 0)
            return -ENOMEM;
    return 0;
}

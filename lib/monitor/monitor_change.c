/* A monitor takes over other settings while it runs. */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/detect/detector.h"
#include "lib/monitor/monitor_inside.h"

/* --- what is the same --- */

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool same_kpi(const struct kpi_budget *a, const struct kpi_budget *b)
{
    return strcmp(a->metric, b->metric) == 0 && same_number(a->min, b->min) && same_number(a->max, b->max) &&
           a->over == b->over && a->test == b->test && same_number(a->range[0], b->range[0]) &&
           same_number(a->range[1], b->range[1]);
}

static bool same_kpis(const struct monitor_settings *a, const struct monitor_settings *b)
{
    bool same = a->kpi_count == b->kpi_count;
    for (uint32_t k = 0; same && k < a->kpi_count; k++)
        same = same_kpi(&a->kpis[k], &b->kpis[k]);
    return same;
}

static bool same_params(const struct detect_params *a, const struct detect_params *b)
{
    bool same = a->type == b->type && same_number(a->promise, b->promise);
    for (uint32_t i = 0; same && i < DETECT_PARAMS_MAX; i++)
        same = same_number(a->value[i], b->value[i]);
    return same;
}

/* Whether two rules watch the same in the same way; how often they may be wrong is left out. */
static bool same_rule(const struct drift_rule *a, const struct drift_rule *b)
{
    return strcmp(a->metric, b->metric) == 0 && strcmp(a->detector, b->detector) == 0 &&
           (a->kpi == RULE_NO_KPI) == (b->kpi == RULE_NO_KPI) && same_params(&a->params, &b->params);
}

/* What a promise is worked out from stands in the first step. */
static bool same_promise(const struct drift_rule *a, const struct drift_rule *b)
{
    bool same = a->step_count == b->step_count;
    for (uint32_t i = 0; same && i < a->step_count; i++)
        same = same_params(&a->steps[i], &b->steps[i]);
    return same;
}

static bool same_rules(const struct monitor_settings *a, const struct monitor_settings *b)
{
    bool same = a->rule_count == b->rule_count;
    for (uint32_t i = 0; same && i < a->rule_count; i++)
        same = same_rule(&a->rules[i], &b->rules[i]) && a->rules[i].kpi == b->rules[i].kpi &&
               same_promise(&a->rules[i], &b->rules[i]);
    return same;
}

bool monitor_settings_same(const struct monitor_settings *a, const struct monitor_settings *b)
{
    return a == b || (a->window == b->window && a->min_events == b->min_events &&
                      a->consecutive_failures == b->consecutive_failures && a->recover_after == b->recover_after &&
                      a->backoff_ns == b->backoff_ns && a->stale_after_ns == b->stale_after_ns &&
                      same_number(a->alarms.every_s, b->alarms.every_s) &&
                      same_number(a->alarms.every_events, b->alarms.every_events) &&
                      same_number(a->event_rate, b->event_rate) && same_kpis(a, b) && same_rules(a, b));
}

/* --- the rules: those that stay go on as they stood, the others begin --- */

#define NO_RULE UINT32_MAX

/* The old rule whose state is for the new one; each serves once. Where a detector cannot take another promise over
 * while it runs, one with another promise begins anew. */
static uint32_t rule_before(const struct monitor_settings *old, const bool *used, const struct drift_rule *rule)
{
    for (uint32_t i = 0; i < old->rule_count; i++)
        if (!used[i] && same_rule(&old->rules[i], rule) &&
            (same_promise(&old->rules[i], rule) || (detector_retunes(rule->params.type) && rule->step_count)))
            return i;
    return NO_RULE;
}

/* The states of the new rules, in a new monitor: begun where they are new; where an old one will serve, its number is in
 * `from`. */
static void rules_begin(const struct monitor_settings *old, const struct monitor_settings *settings, void *at,
                        struct rule_set *out, uint32_t *from)
{
    bool used[MONITOR_RULES_MAX] = {false};
    rule_set_lay_out(out, settings->rules, settings->rule_count, at);
    for (uint32_t i = 0; i < out->count; i++) {
        from[i] = rule_before(old, used, &settings->rules[i]);
        if (from[i] == NO_RULE)
            rule_state_open(out->states[i], &settings->rules[i]);
        else
            used[from[i]] = true;
    }
}

static void rules_move(struct rule_set *old, const struct monitor_settings *before, struct rule_set *rules,
                       const uint32_t *from)
{
    for (uint32_t i = 0; i < rules->count; i++) {
        if (from[i] == NO_RULE)
            continue;
        const size_t bytes = rule_state_bytes(&rules->rules[i]);
        assert(bytes == rule_state_bytes(&before->rules[from[i]]));
        memcpy(rules->states[i], old->states[from[i]], bytes);
        old->states[from[i]] = NULL;
        if (!same_promise(&before->rules[from[i]], &rules->rules[i]))
            rule_state_keep_promise(rules->states[i], &rules->rules[i]);
        else
            rule_state_adopt(rules->states[i], &rules->rules[i]);
    }
    struct rule_set kept = *old; /* how they stand as a set, and their room */
    kept.rules = rules->rules;
    kept.states = rules->states;
    kept.count = rules->count;
    kept.times = NULL;
    old->room = NULL;
    rule_set_close(old);
    *rules = kept;
}

/* --- the windows --- */

static uint32_t kpis_without_row(const struct monitor_settings *settings, const struct metric_table *metrics)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < settings->kpi_count; k++) {
        struct text metric = text_of(settings->kpis[k].metric);
        count += monitor_kpi_of(settings, metric) == k && metric_table_find(metrics, metric, 0) == METRIC_TABLE_NONE;
    }
    return count;
}

/* The table that the new settings ask for, with what the old one holds; all zero where there would be no room in it for
 * what is to be judged: all begins anew then. */
static int windows_copy(const struct metric_table *old, const struct monitor_settings *settings,
                        struct metric_table *out)
{
    *out = (struct metric_table){0};
    if (old->count + kpis_without_row(settings, old) > MONITOR_METRICS_MAX)
        return 0;
    for (uint32_t row = 0; row < old->count; row++) {
        struct metric_keep keep = monitor_keep_of(settings, text_of(metric_table_name(old, row)));
        if (metric_table_copy(old, row, out, &keep) != 0) {
            metric_table_clear(out);
            return -ENOMEM;
        }
    }
    metric_table_share(out);
    return 0;
}

/* --- how the KPIs stand --- */

static void kpis_move(const struct monitor *old, struct monitor *self)
{
    const struct monitor_settings *before = old->settings, *settings = self->settings;
    const bool comparable = before->window == settings->window && before->min_events == settings->min_events;
    self->violated = 0;
    for (uint32_t k = 0; k < settings->kpi_count; k++) {
        struct kpi_state *kpi = &self->kpis[k];
        *kpi = (struct kpi_state){.row = metric_table_find(&self->metrics, text_of(settings->kpis[k].metric), 0)};
        for (uint32_t b = 0; comparable && b < before->kpi_count; b++) {
            if (!same_kpi(&before->kpis[b], &settings->kpis[k]))
                continue;
            kpi->held = old->kpis[b].held;
            kpi->violated = old->kpis[b].violated;
        }
        self->violated += kpi->violated;
    }
    if (!comparable || !same_kpis(before, settings))
        self->failures = self->healthy = 0;
    if (self->episode.kpi < before->kpi_count) {
        uint32_t k = monitor_kpi_of(settings, text_of(before->kpis[self->episode.kpi].metric));
        self->episode.kpi = k == NO_KPI ? EPISODE_KPI_UNKNOWN : k;
    }
}

static void adopt(struct monitor *self, const struct monitor_settings *settings)
{
    self->settings = settings;
    rule_set_adopt(&self->rules, settings->rules);
}

/* All that can fail: the windows. */
static int windows_begin(const struct monitor *old, const struct monitor_settings *settings, struct metric_table *out)
{
    const bool same = old->settings->window == settings->window && same_kpis(old->settings, settings);
    if (!same)
        return windows_copy(&old->metrics, settings, out);
    *out = old->metrics;
    return 0;
}

int monitor_change(struct monitor **self_p, const struct monitor_settings *settings)
{
    struct monitor *old = *self_p, *self;
    struct metric_table metrics;
    struct rule_set rules;
    uint32_t from[MONITOR_RULES_MAX];
    if (monitor_settings_same(old->settings, settings)) {
        adopt(old, settings);
        return 0;
    }
    if (!monitor_settings_valid(settings))
        return -EINVAL;
    monitor_settle(old);
    int error = monitor_room(settings, &self);
    if (!error)
        error = windows_begin(old, settings, &metrics);
    if (error) {
        lines_free(self);
        return error;
    }
    rules_begin(old->settings, settings, monitor_rules_at(self, settings), &rules, from);
    *self = *old;
    self->settings = settings;
    rules_move(&old->rules, old->settings, &rules, from);
    self->rules = rules;
    if (metrics.slots != old->metrics.slots)
        metric_table_clear(&old->metrics);
    self->metrics = metrics;
    self->kpis_unseen = kpis_without_row(settings, &self->metrics);
    self->wants_expected = monitor_expected_wanted(settings);
    kpis_move(old, self);
    lines_free(old);
    *self_p = self;
    return 0;
}

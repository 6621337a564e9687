#include "lib/monitor/monitor.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/lines.h"
#include "lib/monitor/expected.h"
#include "lib/monitor/monitor_inside.h"

const char *model_state_name(enum model_state state)
{
    static const char *const names[MODEL_STATES] = {
        [MODEL_WARMING] = "warming",       [MODEL_HEALTHY] = "healthy",
        [MODEL_FAILING] = "failing",       [MODEL_DRIFTING] = "drifting",
        [MODEL_RETRAINING] = "retraining", [MODEL_STALE] = "stale",
        [MODEL_SILENCED] = "silenced",     [MODEL_UNRECOVERABLE] = "unrecoverable",
    };
    assert(state >= 0 && state < MODEL_STATES);
    return names[state];
}

uint32_t monitor_kpi_of(const struct monitor_settings *settings, struct text metric)
{
    for (uint32_t k = 0; k < settings->kpi_count; k++)
        if (text_is(metric, settings->kpis[k].metric))
            return k;
    return NO_KPI;
}

bool monitor_settings_valid(const struct monitor_settings *s)
{
    for (uint32_t k = 0; k < s->kpi_count && k < MONITOR_METRICS_MAX; k++)
        if (s->kpis[k].over < 0 || s->kpis[k].over >= WINDOW_STATS || isinf(s->kpis[k].min) || isinf(s->kpis[k].max))
            return false;
    return s->window >= 1 && s->window <= WINDOW_CAPACITY_MAX && s->consecutive_failures >= 1 &&
           s->recover_after >= 1 && s->backoff_ns >= 0 && s->stale_after_ns >= 0 &&
           s->kpi_count <= MONITOR_METRICS_MAX && s->rule_count <= MONITOR_RULES_MAX;
}

bool monitor_expected_wanted(const struct monitor_settings *s)
{
    for (uint32_t i = 0; i < s->rule_count; i++)
        if (strcmp(s->rules[i].metric, EXPECTED_METRIC) == 0)
            return true;
    return monitor_kpi_of(s, text_of(EXPECTED_METRIC)) != NO_KPI;
}

int monitor_room(const struct monitor_settings *settings, struct monitor **out)
{
    const size_t head = sizeof(struct monitor) + settings->kpi_count * sizeof(struct kpi_state);
    size_t bytes;
    int error = rule_set_room(settings->rules, settings->rule_count, head, &bytes);
    *out = error ? NULL : lines_new(bytes);
    if (*out)
        memset(*out, 0, head);
    return error || *out ? error : -ENOMEM;
}

int monitor_new(struct monitor **self_p, const struct monitor_settings *settings)
{
    *self_p = NULL;
    if (!monitor_settings_valid(settings))
        return -EINVAL;
    struct monitor *self;
    int error = monitor_room(settings, &self);
    if (error)
        return error;
    self->settings = settings;
    self->last_event_ns = INT64_MIN;
    self->episode = episode_none();
    self->held_until_ns = INT64_MIN;
    for (uint32_t k = 0; k < settings->kpi_count; k++) {
        self->kpis[k].row = METRIC_TABLE_NONE;
        if (monitor_kpi_of(settings, text_of(settings->kpis[k].metric)) == k)
            self->kpis_unseen++;
    }
    self->wants_expected = monitor_expected_wanted(settings);
    rule_set_open(&self->rules, settings->rules, settings->rule_count, monitor_rules_at(self, settings));
    *self_p = self;
    return 0;
}

/* What the KPIs of a metric ask of its window after each value. */
static struct window_use use_of(const struct monitor_settings *settings, struct text metric)
{
    struct window_use use = {.ewma = true}; /* for people: it cannot be made of the values */
    for (uint32_t k = 0; k < settings->kpi_count; k++) {
        const struct kpi_budget *kpi = &settings->kpis[k];
        if (kpi->test == KPI_EVIDENCE || !text_is(metric, kpi->metric))
            continue;
        use.sum = use.sum || kpi->over == WINDOW_MEAN;
        if (kpi->over < WINDOW_MIN || kpi->over > WINDOW_P99)
            continue;
        use.ranks++;
        use.rank = kpi->over;
        use.min = kpi->min;
        use.max = kpi->max;
    }
    return use;
}

struct metric_keep monitor_keep_of(const struct monitor_settings *settings, struct text metric)
{
    return (struct metric_keep){settings->window, use_of(settings, metric), monitor_kpi_of(settings, metric) != NO_KPI};
}

int monitor_place_new(struct monitor *self, struct text name, uint32_t *row_p)
{
    const struct monitor_settings *settings = self->settings;
    const bool judged = monitor_kpi_of(settings, name) != NO_KPI;
    *row_p = METRIC_TABLE_NONE;
    if (!judged && self->metrics.count + self->kpis_unseen >= MONITOR_METRICS_MAX)
        return 0;
    const struct metric_keep keep = monitor_keep_of(settings, name);
    const int64_t bytes = (int64_t)monitor_row_bytes(&keep);
    if (!allowance_take(self->allowance, bytes))
        return 0;
    if (metric_table_put(&self->metrics, name, &keep) != 0) {
        allowance_take(self->allowance, -bytes);
        return -ENOMEM;
    }
    *row_p = self->metrics.count - 1;
    self->kpis_unseen -= judged;
    return 0;
}

void monitor_find_kpis(struct monitor *self)
{
    for (uint32_t k = 0; k < self->settings->kpi_count; k++)
        self->kpis[k].row = metric_table_find(&self->metrics, text_of(self->settings->kpis[k].metric), 0);
}

static void prefetch_rest(const struct monitor *self)
{
    lines_ask(&self->settings);
    lines_ask(&self->rules);
    lines_ask(&self->trigger);
    lines_ask(&self->metrics.slots);
    lines_ask(self->kpis + 2);
}

bool monitor_prefetch(const struct monitor *self, unsigned step)
{
    if (self->batch.waiting < self->batch.most) {
        batch_prefetch_next(&self->batch);
        return false;
    }
    switch (step) {
    case 0:
        batch_prefetch_all(&self->batch);
        prefetch_rest(self);
        break;
    case 1:
        metric_table_prefetch(&self->metrics);
        if (self->rules.count)
            rule_set_prefetch(&self->rules, 0, self->events);
        break;
    default:
        /* those that what waits will take, and those whose values the next bounds go by */
        metric_table_prefetch_places(&self->metrics, self->batch.waiting ? 2 * BATCH_EVENTS : 1);
        if (self->rules.count)
            rule_set_prefetch(&self->rules, 1, self->events);
        break;
    }
    return true;
}

void monitor_prefetch_state(const struct monitor *self)
{
    lines_ask(&self->last_event_ns);
    lines_ask(&self->settings);
    lines_ask(&self->episode.request_live);
}

const struct trigger *monitor_trigger(const struct monitor *self)
{
    return self->triggered ? self->trigger : NULL;
}

void monitor_triggered_at(struct monitor *self, int64_t since_ns)
{
    monitor_settle(self);
    episode_triggered_at(&self->episode, since_ns);
}

void monitor_request_live(struct monitor *self, bool live, int64_t since_ns)
{
    monitor_settle(self);
    episode_request_live(&self->episode, live, since_ns);
}

void monitor_hold(struct monitor *self, int64_t until_ns)
{
    monitor_settle(self);
    self->held_until_ns = until_ns;
}

enum model_state monitor_state(const struct monitor *self, int64_t now_ns)
{
    const int64_t patience_ns = self->settings->stale_after_ns;
    if (self->events && patience_ns && episode_since_ns(now_ns, self->last_event_ns) >= patience_ns)
        return MODEL_STALE;
    return monitor_standing(self, now_ns);
}

enum model_state monitor_standing(const struct monitor *self, int64_t now_ns)
{
    const struct monitor_settings *settings = self->settings;
    if (self->episode.request_live)
        return MODEL_RETRAINING;
    if (episode_open_at(&self->episode, settings->backoff_ns, now_ns))
        return MODEL_DRIFTING;
    if (self->violated)
        return MODEL_FAILING;
    return self->judged || (self->events && settings->kpi_count + settings->rule_count == 0) ? MODEL_HEALTHY
                                                                                             : MODEL_WARMING;
}

uint32_t monitor_failures(const struct monitor *self)
{
    return self->failures;
}

bool monitor_episode_open(const struct monitor *self)
{
    return self->episode.open;
}

int64_t monitor_backoff_left_ns(const struct monitor *self, int64_t now_ns)
{
    return episode_backoff_left_ns(&self->episode, self->settings->backoff_ns, now_ns);
}

int64_t monitor_last_event_ns(const struct monitor *self)
{
    return self->last_event_ns;
}

uint64_t monitor_events(const struct monitor *self)
{
    return self->events;
}

uint64_t monitor_events_before(const struct monitor *self)
{
    return self->events_before;
}

uint64_t monitor_metrics_left_out(const struct monitor *self)
{
    return self->left_out;
}

/* What there is to look at, with what waited taken. That is no change that an event could notice, hence the cast. */
static const struct monitor *settled(const struct monitor *self)
{
    monitor_settle((struct monitor *)(uintptr_t)self);
    return self;
}

uint32_t monitor_metric_count(const struct monitor *self)
{
    return self->metrics.count;
}

const char *monitor_metric_name(const struct monitor *self, uint32_t index)
{
    return metric_table_name(&self->metrics, index);
}

const struct window *monitor_metric_window(const struct monitor *self, uint32_t index)
{
    return metric_table_window(&settled(self)->metrics, index);
}

uint32_t monitor_rule_count(const struct monitor *self)
{
    return self->rules.count;
}

void monitor_rule_at(const struct monitor *self, uint32_t index, struct monitor_rule *out)
{
    assert(index < self->rules.count);
    const struct drift_rule *rule = &self->settings->rules[index];
    const struct rule_state *state = settled(self)->rules.states[index];
    *out = (struct monitor_rule){
        .detector = rule->detector,
        .statistic = state->statistic,
        .threshold = state->threshold,
        .promise = rule_state_promise(state, rule),
        .step = state->step,
        .approximate = rule->step_count && rule->steps[state->step].approximate,
        .rate_known = rule->step_count < 2 || state->rate > 0,
        .rate = state->rate,
        .reference = isnan(detect_params_get(&rule->params, "mean")) ? detect_params_get(&rule->params, "reference")
                                                                     : (double)NAN,
        .taken = rule_state_taken(state),
        .refused = state->refused,
    };
    drift_rule_text(rule, out->text);
}

const struct detect *monitor_rule_detect(const struct monitor *self, uint32_t index)
{
    assert(index < self->rules.count);
    return rule_state_detect(settled(self)->rules.states[index]);
}

const struct monitor_settings *monitor_settings_of(const struct monitor *self)
{
    return self->settings;
}

void monitor_destroy(struct monitor **self_p)
{
    if (!*self_p)
        return;
    metric_table_clear(&(*self_p)->metrics);
    rule_set_close(&(*self_p)->rules);
    lines_free((*self_p)->batch.room);
    free((*self_p)->trigger);
    lines_free(*self_p);
    *self_p = NULL;
}

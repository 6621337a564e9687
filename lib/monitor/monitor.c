#include "lib/monitor/monitor.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/monitor/budget.h"
#include "lib/monitor/expected.h"
#include "lib/monitor/monitor_inside.h"
#include "lib/monitor/rule_alarm.h"


/* Where the metrics of one event belong. */
struct placing {
    uint32_t row[METRIC_EVENT_MAX]; /* METRIC_TABLE_NONE: not taken */
    uint64_t carried;               /* a bit for each row */
    uint32_t left_out;
};

static_assert(MONITOR_METRICS_MAX <= 64, "one bit of placing.carried for each row");

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

/* The rules and the room for what they find: all that they need to go on without memory. */
static int open_rules(struct monitor *self, const struct monitor_settings *settings)
{
    int error = rule_set_open(&self->rules, settings->rules, settings->rule_count);
    if (error || settings->rule_count == 0)
        return error;
    self->trigger = calloc(1, sizeof *self->trigger);
    return self->trigger ? 0 : -ENOMEM;
}

int monitor_new(struct monitor **self_p, const struct monitor_settings *settings)
{
    *self_p = NULL;
    if (!monitor_settings_valid(settings))
        return -EINVAL;
    struct monitor *self = calloc(1, sizeof *self + settings->kpi_count * sizeof self->kpis[0]);
    if (!self)
        return -ENOMEM;
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
    int error = open_rules(self, settings);
    if (error)
        monitor_destroy(&self);
    *self_p = self;
    return error;
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
    return (struct metric_keep){settings->window, use_of(settings, metric),
                                monitor_kpi_of(settings, metric) != NO_KPI};
}

int monitor_place_new(struct monitor *self, struct text name, uint32_t *row_p)
{
    const struct monitor_settings *settings = self->settings;
    const bool judged = monitor_kpi_of(settings, name) != NO_KPI;
    *row_p = METRIC_TABLE_NONE;
    if (!judged && self->metrics.count + self->kpis_unseen >= MONITOR_METRICS_MAX)
        return 0;
    const struct metric_keep keep = monitor_keep_of(settings, name);
    if (metric_table_put(&self->metrics, name, &keep) != 0)
        return -ENOMEM;
    *row_p = self->metrics.count - 1;
    self->kpis_unseen -= judged;
    return 0;
}

void monitor_find_kpis(struct monitor *self)
{
    for (uint32_t k = 0; k < self->settings->kpi_count; k++)
        self->kpis[k].row = metric_table_find(&self->metrics, text_of(self->settings->kpis[k].metric), 0);
}

/* Room for what the first event shows, at once. */
static int expect(struct monitor *self, const struct metric_event *event)
{
    uint32_t metrics = 0, timed = 0;
    for (uint32_t i = 0; i < event->metric_count && metrics < MONITOR_METRICS_MAX; i++) {
        if (event->metrics[i].kind != METRIC_NUMBER)
            continue;
        metrics++;
        timed += monitor_kpi_of(self->settings, event->metrics[i].name) != NO_KPI;
    }
    return metrics ? metric_table_expect(&self->metrics, metrics, timed, self->settings->window) : 0;
}

/* Finds a row for each number of the event; histograms and categories have none: no rule asks for them. */
static int place(struct monitor *self, const struct metric_event *event, struct placing *out)
{
    uint32_t guess = 0;
    if (self->metrics.count == 0 && expect(self, event) != 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < event->metric_count; i++) {
        const struct metric *metric = &event->metrics[i];
        out->row[i] = METRIC_TABLE_NONE;
        if (metric->kind != METRIC_NUMBER)
            continue;
        uint32_t row = metric_table_find_key(&self->metrics, metric->key, metric->name, guess);
        if (row == METRIC_TABLE_NONE && monitor_place_new(self, metric->name, &row) != 0)
            return -ENOMEM;
        if (row == METRIC_TABLE_NONE) {
            out->left_out++;
            continue;
        }
        if (event->n != 1 && metric_table_reserve_weights(&self->metrics, row) != 0)
            return -ENOMEM;
        out->row[i] = row;
        out->carried |= UINT64_C(1) << row;
        guess = row + 1;
    }
    return 0;
}

/* Takes all the memory that the event may need, so that nothing can fail once a value has been taken. */
static int prepare(struct monitor *self, const struct metric_event *event, struct placing *out)
{
    const struct monitor_settings *settings = self->settings;
    const uint32_t rows = self->metrics.count, unseen = self->kpis_unseen;
    if (!self->trigger && settings->kpi_count && self->failures >= settings->consecutive_failures - 1 &&
        !(self->trigger = calloc(1, sizeof *self->trigger)))
        return -ENOMEM;
    if (rule_set_prepare(&self->rules, event) != 0)
        return -ENOMEM;
    if (place(self, event, out) != 0) {
        metric_table_cut(&self->metrics, rows);
        self->kpis_unseen = unseen;
        return -ENOMEM;
    }
    if (self->kpis_unseen != unseen)
        monitor_find_kpis(self);
    return 0;
}

/* When the event was measured. A timestamp is evidence for people, no more: where it is decades off, it is none. */
static double measured_at(const struct metric_event *event, double now_s)
{
    return fabs(event->timestamp_s - now_s) < 1e9 ? event->timestamp_s : now_s;
}

static uint32_t one_more(uint32_t count)
{
    return count < UINT32_MAX ? count + 1 : count;
}

/* What one event's evaluation found. */
struct finding {
    uint32_t judged;   /* KPIs */
    uint32_t violated; /* the first of them that is, or NO_KPI */
    struct breach breach;
    double severity; /* the largest */
};

/* Judges every KPI that the event carries. */
static struct finding evaluate(struct monitor *self, uint64_t carried)
{
    struct finding found = {.violated = NO_KPI};
    for (uint32_t k = 0; k < self->settings->kpi_count; k++) {
        struct kpi_state *kpi = &self->kpis[k];
        if (kpi->row == METRIC_TABLE_NONE || !(carried >> kpi->row & 1) ||
            self->settings->kpis[k].test == KPI_EVIDENCE)
            continue;
        const struct window *window = metric_table_window(&self->metrics, kpi->row);
        if (window_total(window) < self->settings->min_events)
            continue;
        struct breach b = budget_judge(&self->settings->kpis[k], window);
        self->violated = self->violated - kpi->violated + b.violated;
        kpi->violated = b.violated;
        kpi->held = b.violated ? 0 : one_more(kpi->held);
        found.judged++;
        found.severity = fmax(found.severity, b.severity);
        if (b.violated && found.violated == NO_KPI) {
            found.violated = k;
            found.breach = b;
        }
    }
    return found;
}

static void trigger_pull(struct monitor *self, const struct finding *found, int64_t now_ns)
{
    const struct kpi_budget *kpi = &self->settings->kpis[found->violated];
    const uint32_t row = self->kpis[found->violated].row;
    *self->trigger = (struct trigger){
        .observed = found->breach.observed,
        .limit = found->breach.limit,
        .severity = found->severity,
        .window = window_count(metric_table_window(&self->metrics, row)),
        .failures = self->failures,
        .change_at_s = self->violated_since_s,
        .window_start_s = metric_table_start_s(&self->metrics, row),
        .window_end_s = metric_table_end_s(&self->metrics, row),
        .statistic = NAN,
        .threshold = NAN,
        .size = NAN,
        .size_lower = NAN,
        .size_upper = NAN,
    };
    memcpy(self->trigger->metric, kpi->metric, sizeof kpi->metric);
    budget_rule(kpi, &found->breach, self->trigger->rule);
    self->triggered = true;
    episode_trigger(&self->episode, found->violated, now_ns);
    self->failures = 0;
}

/* Makes the verdict of what was found. */
static void decide(struct monitor *self, const struct finding *found, bool violated_before, int64_t now_ns, double at_s,
                   struct verdict *out)
{
    self->judged = self->judged || found->judged;
    if (found->violated != NO_KPI) {
        out->evaluation = EVALUATION_FAILING;
        out->violation_began = !violated_before;
        if (out->violation_began)
            self->violated_since_s = at_s;
        self->healthy = 0;
        self->failures = one_more(self->failures);
        out->triggered = self->failures >= self->settings->consecutive_failures && now_ns >= self->held_until_ns &&
                         episode_backoff_left_ns(&self->episode, self->settings->backoff_ns, now_ns) == 0;
        if (out->triggered)
            trigger_pull(self, found, now_ns);
    } else if (found->judged && self->violated == 0) {
        out->evaluation = EVALUATION_HEALTHY;
        self->failures = 0;
        self->healthy = one_more(self->healthy);
    }
}

/* Whether the drift is over: for the model, which closes the episode, and for the KPI that opened it. */
static void decide_recovery(struct monitor *self, uint64_t carried, struct verdict *out)
{
    const uint32_t needed = self->settings->recover_after, k = self->episode.kpi;
    const bool healthy = out->evaluation == EVALUATION_HEALTHY;
    if (k == EPISODE_KPI_NONE)
        return;
    out->recovered = self->episode.open && healthy && self->healthy >= needed;
    if (k == EPISODE_KPI_UNKNOWN)
        out->held = out->recovered;
    else if (self->episode.open || self->episode.request_live)
        out->held = self->kpis[k].held == needed && (carried >> self->kpis[k].row & 1);
    if (out->recovered)
        self->episode.open = false;
}

static void trigger_rule(struct monitor *self, const struct rule_alarm *alarm, int64_t now_ns, double at_s)
{
    const struct drift_rule *rule = &self->settings->rules[alarm->rule];
    const uint32_t row = rule->kpi == RULE_NO_KPI ? METRIC_TABLE_NONE : self->kpis[rule->kpi].row;
    rule_alarm_trigger(alarm, rule, row == METRIC_TABLE_NONE ? NULL : metric_table_window(&self->metrics, row),
                       self->trigger);
    self->trigger->failures = self->failures;
    self->trigger->window_end_s = at_s;
    episode_trigger(&self->episode, EPISODE_KPI_NONE, now_ns);
    self->triggered = true;
}

/* Asks the rules, where a trigger may go out at all. */
static void judge_rules(struct monitor *self, const struct metric_event *event, int64_t now_ns, double at_s,
                        struct verdict *out)
{
    struct rule_alarm alarm;
    if (self->settings->rule_count == 0)
        return;
    if (self->episode.open || self->episode.request_live ||
        episode_backoff_left_ns(&self->episode, self->settings->backoff_ns, now_ns) > 0) {
        rule_set_skip(&self->rules, out->recovered);
        return;
    }
    if (now_ns < self->held_until_ns) {
        rule_set_pause(&self->rules);
        return;
    }
    if (rule_set_take(&self->rules, event, now_ns, at_s, &alarm)) {
        trigger_rule(self, &alarm, now_ns, at_s);
        out->triggered = true;
    }
    self->judged = self->judged || self->rules.judged;
}

static int take(struct monitor *self, const struct metric_event *event, int64_t now_ns, double now_s,
                struct verdict *out)
{
    struct placing placing;
    placing.carried = 0;
    placing.left_out = 0;
    *out = (struct verdict){0};
    int error = prepare(self, event, &placing);
    if (error)
        return error;

    const double at_s = measured_at(event, now_s);
    for (uint32_t i = 0; i < event->metric_count; i++)
        if (placing.row[i] != METRIC_TABLE_NONE)
            metric_table_add(&self->metrics, placing.row[i], event->metrics[i].number, event->n, at_s);
    self->left_out += placing.left_out;
    self->events++;
    self->last_event_ns = now_ns;
    self->episode.open = episode_open_at(&self->episode, self->settings->backoff_ns, now_ns);

    const bool violated_before = self->violated > 0;
    const struct finding found = evaluate(self, placing.carried);
    decide(self, &found, violated_before, now_ns, at_s, out);
    decide_recovery(self, placing.carried, out);
    judge_rules(self, event, now_ns, at_s, out);
    return 0;
}

int monitor_add(struct monitor *self, const struct metric_event *event, int64_t now_ns, double now_s,
                struct verdict *out)
{
    assert(event->metric_count <= METRIC_EVENT_MAX && event->n >= 1);
    if (self->wants_expected) {
        struct metric room[METRIC_EVENT_MAX];
        struct metric_event extended;
        if (expected_extend(event, room, &extended))
            return take(self, &extended, now_ns, now_s, out);
    }
    return take(self, event, now_ns, now_s, out);
}

void monitor_prefetch(const struct monitor *self, unsigned step)
{
    switch (step) {
    case 0:
        for (size_t at = 0; at < sizeof *self; at += 64)
            __builtin_prefetch((const char *)self + at, 1);
        break;
    case 1:
        metric_table_prefetch(&self->metrics);
        break;
    default:
        metric_table_prefetch_places(&self->metrics);
        break;
    }
}

const struct trigger *monitor_trigger(const struct monitor *self)
{
    return self->triggered ? self->trigger : NULL;
}

void monitor_triggered_at(struct monitor *self, int64_t since_ns)
{
    episode_triggered_at(&self->episode, since_ns);
}

void monitor_request_live(struct monitor *self, bool live, int64_t since_ns)
{
    episode_request_live(&self->episode, live, since_ns);
}

void monitor_hold(struct monitor *self, int64_t until_ns)
{
    self->held_until_ns = until_ns;
}

enum model_state monitor_state(const struct monitor *self, int64_t now_ns)
{
    const struct monitor_settings *settings = self->settings;
    if (self->events && settings->stale_after_ns &&
        episode_since_ns(now_ns, self->last_event_ns) >= settings->stale_after_ns)
        return MODEL_STALE;
    if (self->episode.request_live)
        return MODEL_RETRAINING;
    if (episode_open_at(&self->episode, settings->backoff_ns, now_ns))
        return MODEL_DRIFTING;
    if (self->violated)
        return MODEL_FAILING;
    return self->judged || (self->events && settings->kpi_count + settings->rule_count == 0) ? MODEL_HEALTHY : MODEL_WARMING;
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

uint64_t monitor_metrics_left_out(const struct monitor *self)
{
    return self->left_out;
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
    return metric_table_window(&self->metrics, index);
}

uint32_t monitor_rule_count(const struct monitor *self)
{
    return self->rules.count;
}

void monitor_rule_at(const struct monitor *self, uint32_t index, struct monitor_rule *out)
{
    assert(index < self->rules.count);
    const struct drift_rule *rule = &self->settings->rules[index];
    const struct rule_state *state = &self->rules.states[index];
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
        .taken = state->taken,
        .refused = state->refused,
    };
    drift_rule_text(rule, out->text);
}

const struct detect *monitor_rule_detect(const struct monitor *self, uint32_t index)
{
    assert(index < self->rules.count);
    return self->rules.states[index].detect;
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
    free((*self_p)->trigger);
    free(*self_p);
    *self_p = NULL;
}

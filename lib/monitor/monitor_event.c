/* One event on its way through a monitor: into the windows, against the budgets, past the rules.
 *
 * Cost of an event of five metrics in plain windows, three of them judged, without rules: about 850 instructions and
 * some dozen cache lines: the monitor, the rows of its table (two a metric), a line or two of the ring, a watch. What
 * is unusual (a new metric, a weight, an order, a budget that is broken) takes a way of its own, and comes to the same.
 */
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/monitor/budget.h"
#include "lib/monitor/expected.h"
#include "lib/monitor/monitor_inside.h"
#include "lib/monitor/rule_alarm.h"
#include "lib/monitor/rule_size.h"

/* Where the metrics of one event belong. */
struct placing {
    uint32_t row[METRIC_EVENT_MAX]; /* METRIC_TABLE_NONE: not taken */
    uint64_t carried, twice;        /* a bit for each row */
    uint32_t left_out;
};

static_assert(MONITOR_METRICS_MAX <= 64, "one bit of placing.carried for each row");

/* Room for what the first event shows, at once; where so much is not allowed each has to ask for its own. */
static int expect(struct monitor *self, const struct metric_event *event)
{
    uint32_t metrics = 0, timed = 0;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < event->metric_count && metrics < MONITOR_METRICS_MAX; i++) {
        if (event->metrics[i].kind != METRIC_NUMBER)
            continue;
        const struct metric_keep keep = monitor_keep_of(self->settings, event->metrics[i].name);
        metrics++;
        timed += keep.timed;
        bytes += (int64_t)monitor_row_bytes(&keep);
    }
    if (!allowance_take(self->allowance, bytes))
        return 0;
    allowance_take(self->allowance, -bytes); /* it is asked for again, row by row */
    return metrics ? metric_table_expect(&self->metrics, metrics, timed, self->settings->window) : 0;
}

static int reserve_weights(struct monitor *self, uint32_t row)
{
    if (window_weighted(&self->metrics.slots[row].window))
        return 0;
    const struct metric_keep keep = monitor_keep_of(self->settings, text_of(metric_table_name(&self->metrics, row)));
    const int64_t bytes = (int64_t)monitor_weight_bytes(&keep);
    if (!allowance_take(self->allowance, bytes))
        return -ENOMEM;
    if (metric_table_reserve_weights(&self->metrics, row) == 0)
        return 0;
    allowance_take(self->allowance, -bytes);
    return -ENOMEM;
}

/* Takes back the rows from `rows` on. */
static void cut(struct monitor *self, uint32_t rows)
{
    const uint64_t before = monitor_bytes(self);
    metric_table_cut(&self->metrics, rows);
    allowance_take(self->allowance, (int64_t)monitor_bytes(self) - (int64_t)before);
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
        if (event->n != 1 && reserve_weights(self, row) != 0)
            return -ENOMEM;
        out->row[i] = row;
        out->twice |= out->carried & UINT64_C(1) << row;
        out->carried |= UINT64_C(1) << row;
        guess = row + 1;
    }
    return 0;
}

int monitor_trigger_room(struct monitor *self)
{
    if (!self->trigger)
        self->trigger = malloc(sizeof *self->trigger);
    return self->trigger ? 0 : -ENOMEM;
}

/* Takes the memory that judging the event may need, so that nothing can fail once a value has been taken. */
static int prepare(struct monitor *self, const struct metric_event *event)
{
    const struct monitor_settings *settings = self->settings;
    const bool near = settings->kpi_count && self->failures >= settings->consecutive_failures - 1;
    if ((near || settings->rule_count) && monitor_trigger_room(self) != 0)
        return -ENOMEM;
    return settings->rule_count && rule_set_prepare(&self->rules, event, self->allowance) != 0 ? -ENOMEM : 0;
}

/* Most models never trigger. */
static void give_back(struct monitor *self)
{
    if (self->triggered || !self->trigger)
        return;
    free(self->trigger);
    self->trigger = NULL;
}

/* The values of any event into their windows, and first the memory that these need. */
static int take_any(struct monitor *self, const struct metric_event *event, double at_s, uint64_t *carried)
{
    const uint32_t rows = self->metrics.count, unseen = self->kpis_unseen;
    struct placing placing;
    placing.carried = placing.twice = 0;
    placing.left_out = 0;
    if (place(self, event, &placing) != 0 || metric_table_part(&self->metrics, placing.carried, placing.twice) != 0) {
        cut(self, rows);
        self->kpis_unseen = unseen;
        return -ENOMEM;
    }
    if (self->kpis_unseen != unseen)
        monitor_find_kpis(self);
    for (uint32_t i = 0; i < event->metric_count; i++)
        if (placing.row[i] != METRIC_TABLE_NONE)
            metric_table_add(&self->metrics, placing.row[i], event->metrics[i].number, event->n, at_s);
    self->left_out += placing.left_out;
    *carried = placing.carried;
    return 0;
}

/* What one event's evaluation found. */
struct finding {
    uint32_t judged;   /* KPIs */
    uint32_t violated; /* the first of them that is, or NO_KPI */
    struct breach breach;
    double severity; /* the largest */
};

static void judge_found(struct monitor *self, uint32_t k, const struct breach *b, struct finding *found)
{
    struct kpi_state *kpi = &self->kpis[k];
    self->violated = self->violated - kpi->violated + b->violated;
    kpi->violated = b->violated;
    kpi->held = b->violated ? 0 : monitor_more(kpi->held, 1);
    found->judged++;
    found->severity = fmax(found->severity, b->severity);
    if (b->violated && found->violated == NO_KPI) {
        found->violated = k;
        found->breach = *b;
    }
}

/* Judges every KPI that the event carries. */
static void evaluate(struct monitor *self, uint64_t carried, struct finding *found)
{
    const struct monitor_settings *settings = self->settings;
    const struct kpi_budget *budget = settings->kpis, *end = budget + settings->kpi_count;
    const uint64_t least = settings->min_events;
    for (struct kpi_state *kpi = self->kpis; budget < end; budget++, kpi++) {
        if (kpi->row == METRIC_TABLE_NONE || !(carried >> kpi->row & 1) || budget->test == KPI_EVIDENCE)
            continue;
        const struct window *window = &self->metrics.slots[kpi->row].window;
        if (window->total < least)
            continue;
        if (!kpi->violated && window_within(window, budget->over, budget->min, budget->max)) {
            kpi->held = monitor_more(kpi->held, 1);
            found->judged++;
            continue;
        }
        const struct breach b = budget_judge(budget, window);
        judge_found(self, (uint32_t)(kpi - self->kpis), &b, found);
    }
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
        self->failures = monitor_more(self->failures, 1);
        out->triggered = self->failures >= self->settings->consecutive_failures && now_ns >= self->held_until_ns &&
                         episode_backoff_left_ns(&self->episode, self->settings->backoff_ns, now_ns) == 0;
        if (out->triggered)
            trigger_pull(self, found, now_ns);
    } else if (found->judged && self->violated == 0) {
        out->evaluation = EVALUATION_HEALTHY;
        self->failures = 0;
        self->healthy = monitor_more(self->healthy, 1);
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
    const uint32_t own = metric_table_find(&self->metrics, text_of(rule->metric), 0);
    struct rule_alarm sized = *alarm;
    if (own != METRIC_TABLE_NONE)
        rule_size_mend(rule_state_detect(self->rules.states[alarm->rule]), metric_table_window(&self->metrics, own),
                       &sized.verdict);
    const bool of_kpi = rule->kpi != RULE_NO_KPI && self->kpis[rule->kpi].row != METRIC_TABLE_NONE;
    rule_alarm_trigger(&sized, rule, of_kpi ? metric_table_window(&self->metrics, self->kpis[rule->kpi].row) : NULL,
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
    if (self->episode.open || self->episode.request_live ||
        episode_backoff_left_ns(&self->episode, self->settings->backoff_ns, now_ns) > 0) {
        rule_set_skip(&self->rules, out->recovered);
        return;
    }
    if (now_ns < self->held_until_ns) {
        rule_set_pause(&self->rules);
        return;
    }
    if (rule_set_take(&self->rules, event, self->allowance, now_ns, at_s, &alarm)) {
        trigger_rule(self, &alarm, now_ns, at_s);
        out->triggered = true;
    }
    self->judged = self->judged || self->rules.judged;
}

/* Rules that take an event at once although it waits for all else. */
static void judge_eager(struct monitor *self, const struct metric_event *event, int64_t now_ns, double at_s,
                        struct verdict *out)
{
    struct rule_alarm alarm;
    const bool alarmed = rule_set_take_eager(&self->rules, event, now_ns, at_s, &alarm);
    self->judged = self->judged || self->rules.judged;
    if (!alarmed)
        return;
    monitor_settle(self);
    trigger_rule(self, &alarm, now_ns, at_s);
    out->triggered = true;
}

/* Lets the event wait; false: it may be of consequence, and nothing waits before it any more. */
static bool put_off(struct monitor *self, const struct metric_event *event, int64_t now_ns, double now_s,
                    struct verdict *out)
{
    if (self->batch.most == 0 && batch_tired(&self->batch))
        return false;
    const double at_s = monitor_measured_at(event, now_s);
    if (!batch_write(&self->batch, event, now_ns, at_s)) {
        monitor_settle(self);
        if (batch_tired(&self->batch) || !batch_ask(self, event, now_ns) ||
            !batch_write(&self->batch, event, now_ns, at_s))
            return false;
    }
    self->events++;
    self->last_event_ns = now_ns;
    *out = (struct verdict){.evaluation = self->batch.healthy ? EVALUATION_HEALTHY : EVALUATION_NONE};
    if (self->batch.eager)
        judge_eager(self, event, now_ns, at_s, out);
    return true;
}

static int take(struct monitor *self, const struct metric_event *event, int64_t now_ns, double now_s,
                struct verdict *out)
{
    uint64_t carried = 0;
    const double at_s = monitor_measured_at(event, now_s);
    *out = (struct verdict){0};
    int error = prepare(self, event);
    if (error == 0 && (event->n != 1 || !metric_table_take(&self->metrics, event, at_s, &carried)))
        error = take_any(self, event, at_s, &carried);
    if (error)
        return error;
    self->events++;
    self->last_event_ns = now_ns;
    if (self->episode.open)
        self->episode.open = episode_open_at(&self->episode, self->settings->backoff_ns, now_ns);

    const bool violated_before = self->violated > 0;
    struct finding found = {.violated = NO_KPI};
    evaluate(self, carried, &found);
    decide(self, &found, violated_before, now_ns, at_s, out);
    decide_recovery(self, carried, out);
    if (self->settings->rule_count)
        judge_rules(self, event, now_ns, at_s, out);
    give_back(self);
    return 0;
}

/* With the accuracy that its confidences let expect. */
static int take_expected(struct monitor *self, const struct metric_event *event, int64_t now_ns, double now_s,
                         struct verdict *out)
{
    struct metric room[METRIC_EVENT_MAX];
    struct metric_event extended;
    return take(self, expected_extend(event, room, &extended) ? &extended : event, now_ns, now_s, out);
}

int monitor_add(struct monitor *self, const struct metric_event *event, int64_t now_ns, double now_s,
                struct verdict *out)
{
    assert(event->metric_count <= METRIC_EVENT_MAX && event->n >= 1);
    if (put_off(self, event, now_ns, now_s, out))
        return 0;
    self->batch.most = 0;
    return self->wants_expected ? take_expected(self, event, now_ns, now_s, out)
                                : take(self, event, now_ns, now_s, out);
}

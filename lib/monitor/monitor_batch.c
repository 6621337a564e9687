#include "lib/monitor/monitor_batch.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "lib/lines.h"
#include "lib/log_near.h"
#include "lib/monitor/monitor_inside.h"

#define UNASKED_MOST 5 /* 2^5 events */
#define ROUNDING 1e-15 /* of 1 - value */

static uint32_t lines_of(size_t bytes)
{
    return (uint32_t)((bytes + LINES_BYTES - 1) / LINES_BYTES);
}

static inline struct batch_bounds *bounds_of(struct batch *self)
{
    return (struct batch_bounds *)(self->lines ? (void *)self->room : (void *)self->near);
}

static inline struct batch_link *links_of(struct batch *self)
{
    return (struct batch_link *)(void *)(bounds_of(self) + self->metrics);
}

/* --- writing down --- */

/* Which links a model has, and of what kind, no processor can foretell: there is no branch but for their number. */
static inline bool keeps(struct batch_link *link, double value)
{
    static const double base[] = {0, 1}, sign[] = {1, -1};
    const double seen = base[link->errors] + sign[link->errors] * value;
    const double in[] = {seen, log_near(detect_at_least(DETECT_LOG_LEAST, seen))};
    const double rest = in[link->logs] - link->phi * link->previous;
    link->previous = in[link->logs];
    return (rest >= (double)link->bounds.low) & (rest <= (double)link->bounds.high) & (fabs(value) <= DETECT_VALUE_MAX);
}

bool batch_link_keeps(struct batch_link *link, double value)
{
    return keeps(link, value);
}

static bool links_keep(struct batch *self, const struct metric_event *event)
{
    struct batch_link *link = links_of(self);
    bool all = true;
    for (uint32_t i = 0; i < self->links; i++, link++)
        all &= keeps(link, event->metrics[link->metric].number);
    self->waiting += all;
    return all;
}

/* Where the values of a row of floats stand. */
static inline float *singles_of(double *row)
{
    return (float *)(void *)(row + 1);
}

static inline void put_value(const struct batch *self, double *row, size_t metric, double value)
{
    if (self->singles)
        singles_of(row)[metric] = (float)value;
    else
        row[1 + metric] = value;
}

/* As batch_write(), with values that as floats are the bounds or beyond them. Apart, since that is rare. */
__attribute__((noinline)) static bool write_closely(struct batch *self, const struct metric_event *event)
{
    const struct batch_bounds *bounds = bounds_of(self);
    double *row = batch_row(self, self->waiting);
    for (uint32_t i = 0; i < self->metrics; i++) {
        const double value = event->metrics[i].number;
        if (!(value >= (double)bounds[i].low && value <= (double)bounds[i].high))
            return false;
        put_value(self, row, i, value);
    }
    return links_keep(self, event);
}

/* What lies between the bounds as a float does so as it is: what is below a float does not become a larger one. `singles`
 * is known where it is called. */
static inline bool write_values(const struct batch *self, const struct batch_bounds *bounds,
                                const struct metric *metric, double *row, const bool singles)
{
    for (size_t i = 0, metrics = self->metrics; i < metrics; i++, metric++) {
        const double value = metric->number;
        const float single = (float)value;
        if (!(single > bounds[i].low) || single >= bounds[i].high)
            return false;
        if (singles)
            singles_of(row)[i] = single;
        else
            row[1 + i] = value;
    }
    return true;
}

bool batch_write(struct batch *self, const struct metric_event *event, int64_t now_ns, double at_s)
{
    if (self->waiting >= self->most || event->shape != self->shape || event->n != 1 || now_ns >= self->until_ns)
        return false;
    const struct batch_bounds *bounds = bounds_of(self);
    double *row = batch_row(self, self->waiting);
    *row = at_s;
    if (self->singles ? !write_values(self, bounds, event->metrics, row, true)
                      : !write_values(self, bounds, event->metrics, row, false))
        return write_closely(self, event);
    if (self->links)
        return links_keep(self, event);
    self->waiting++;
    return true;
}

void batch_prefetch_all(const struct batch *self)
{
    const double *end = batch_row(self, self->waiting);
    if (self->waiting == 0)
        return;
    for (const double *at = self->room; at < end; at += BATCH_LINE_NUMBERS)
        lines_ask(at);
}

/* --- asking --- */

static void narrow(struct asked_bounds *bounds, double low, double high)
{
    bounds->low = low > bounds->low ? low : bounds->low;
    bounds->high = high < bounds->high ? high : bounds->high;
}

static bool is_judged(const struct monitor *self, const struct kpi_state *kpi, uint32_t metrics)
{
    const struct kpi_budget *budget = &self->settings->kpis[kpi - self->kpis];
    return budget->test != KPI_EVIDENCE && kpi->row < metrics &&
           self->metrics.slots[kpi->row].window.total >= self->settings->min_events;
}

static bool ask_kpis(const struct monitor *self, struct asking *out)
{
    for (const struct kpi_state *kpi = self->kpis; kpi < self->kpis + self->settings->kpi_count && out->most > 0;
         kpi++) {
        const struct kpi_budget *budget = &self->settings->kpis[kpi - self->kpis];
        if (budget->test == KPI_EVIDENCE || kpi->row >= out->metrics)
            continue;
        const struct window *window = &self->metrics.slots[kpi->row].window;
        struct asked_bounds *bounds = &out->bounds[kpi->row];
        if (!is_judged(self, kpi, out->metrics)) {
            const uint64_t left = self->settings->min_events - window->total - 1;
            out->most = left < out->most ? (uint32_t)left : out->most;
            continue;
        }
        out->healthy = true;
        if (!window_quiet(window, budget->over, budget->min, budget->max, out->most, &bounds->low, &bounds->high))
            return false;
    }
    return true;
}

/* A float that is not below, but for a last place or two no greater; finite where that is possible. */
static inline float float_above(double low)
{
    const float near = low < -(double)FLT_MAX ? -FLT_MAX : (float)low;
    return (double)near >= low ? near : near + (fabsf(near) * FLT_EPSILON + FLT_MIN);
}

/* Within. */
static inline struct batch_bounds inner(double low, double high)
{
    return (struct batch_bounds){float_above(low), -float_above(-high)};
}

static void ask_rule(struct rule_state *state, const struct drift_rule *rule, const struct metric_event *event,
                     struct asking *out)
{
    const struct metric *metric = rule_state_find(state, rule, event);
    struct detect_quiet quiet;
    int64_t until_ns;
    state->place = metric ? (uint16_t)(metric - event->metrics) : RULE_NO_PLACE;
    if (!metric)
        return;
    if (!rule_state_quiet(state, rule, out->most, &quiet, &until_ns)) {
        out->eager = true;
        return;
    }
    out->singles = false;
    out->most = quiet.values < out->most ? quiet.values : out->most;
    out->until_ns = until_ns < out->until_ns ? until_ns : out->until_ns;
    const double near = quiet.logs ? LOG_NEAR_ERROR * (1 + fabs(quiet.phi)) : 0;
    if (quiet.phi != 0 || quiet.logs)
        out->link[out->links++] = (struct batch_link){.bounds = inner(quiet.low + near, quiet.high - near),
                                                      .phi = quiet.phi,
                                                      .previous = quiet.previous,
                                                      .metric = (uint8_t)state->place,
                                                      .logs = quiet.logs,
                                                      .errors = state->errors};
    else if (state->errors)
        narrow(&out->bounds[state->place], 1 - quiet.high + ROUNDING * (1 + fabs(quiet.high)),
               1 - quiet.low - ROUNDING * (1 + fabs(quiet.low)));
    else
        narrow(&out->bounds[state->place], quiet.low, quiet.high);
}

/* Whether a healthy model would go on as it does, whatever is within the bounds. A model that has not been heard for as
 * long as its windows are takes no memory for it. */
static bool is_calm(const struct monitor *self, const struct metric_event *event, int64_t now_ns)
{
    const struct episode *episode = &self->episode;
    if (event->shape == 0 || event->shape != self->metrics.shape || event->n != 1)
        return false;
    if (self->violated || episode->open || episode->request_live || self->events < self->settings->window)
        return false;
    if (self->rules.count == 0)
        return true;
    return !self->rules.blind && !self->rules.paused && now_ns >= self->held_until_ns &&
           episode_backoff_left_ns(episode, self->settings->backoff_ns, now_ns) == 0;
}

/* Room for what was asked, and bounds and links into it. */
static bool put_up(struct batch *self, const struct asking *asked)
{
    const size_t links = asked->links * sizeof asked->link[0],
                 bytes = asked->metrics * sizeof(struct batch_bounds) + links;
    const uint32_t head = bytes <= sizeof self->near ? 0 : lines_of(bytes),
                   row = 1 + (asked->singles ? (asked->metrics + 1) / 2 : asked->metrics);
    const uint32_t needed = head + lines_of(BATCH_EVENTS * row * sizeof(double));
    if (needed > self->room_lines) {
        double *room = lines_new((size_t)LINES_BYTES * needed);
        if (!room)
            return false;
        lines_free(self->room);
        self->room = room;
        self->room_lines = (uint16_t)needed;
    }
    self->metrics = (uint8_t)asked->metrics;
    self->links = (uint8_t)asked->links;
    self->lines = (uint8_t)head;
    self->row_numbers = (uint8_t)row;
    self->singles = asked->singles;
    struct batch_bounds *bounds = bounds_of(self);
    for (uint32_t i = 0; i < asked->metrics; i++)
        bounds[i] = inner(asked->bounds[i].low, asked->bounds[i].high);
    memcpy(links_of(self), asked->link, links);
    return true;
}

bool batch_find(struct monitor *self, const struct metric_event *event, int64_t now_ns, uint32_t most,
                struct asking *out)
{
    if (!is_calm(self, event, now_ns))
        return false;
    out->metrics = event->metric_count;
    out->links = 0;
    out->most = most;
    out->until_ns = INT64_MAX;
    out->healthy = out->eager = false;
    out->singles = true;
    for (uint32_t i = 0; i < out->metrics; i++) /* window_add_all() takes no more */
        out->bounds[i] = (struct asked_bounds){-(double)FLT_MAX, (double)FLT_MAX};
    if (!ask_kpis(self, out) || (out->healthy && !self->judged))
        return false;
    for (uint32_t i = 0; i < self->rules.count && out->most > 0; i++)
        ask_rule(self->rules.states[i], &self->settings->rules[i], event, out);
    return out->most > 0;
}

static bool ask(struct monitor *self, const struct metric_event *event, int64_t now_ns)
{
    struct asking asking;
    /* Models that began together do not take what waits together ever after: the first one's size is any. */
    const uint32_t most = self->batch.room_lines
                              ? BATCH_EVENTS
                              : 1 + (uint32_t)((uintptr_t)self * UINT64_C(0x9e3779b97f4a7c15) >> 61) % BATCH_EVENTS;
    if (!batch_find(self, event, now_ns, most, &asking) || (asking.eager && monitor_trigger_room(self) != 0) ||
        !put_up(&self->batch, &asking))
        return false;
    self->batch.shape = event->shape;
    self->batch.until_ns = asking.until_ns;
    self->batch.most = (uint8_t)asking.most;
    self->batch.healthy = asking.healthy;
    self->batch.eager = asking.eager;
    return true;
}

bool batch_ask(struct monitor *self, const struct metric_event *event, int64_t now_ns)
{
    struct batch *batch = &self->batch;
    if (ask(self, event, now_ns)) {
        batch->in_vain = 0;
        return true;
    }
    batch->unasked =
        (uint8_t)(batch->in_vain ? 1u << batch->in_vain : 0); /* an odd period: a clock may have an even one */
    batch->in_vain = (uint8_t)(batch->in_vain + (batch->in_vain < UNASKED_MOST));
    return false;
}

/* --- taking what waits --- */

static void settle_kpis(struct monitor *self, uint32_t metrics, uint32_t events)
{
    self->failures = 0;
    self->healthy = monitor_more(self->healthy, events);
    for (struct kpi_state *kpi = self->kpis; kpi < self->kpis + self->settings->kpi_count; kpi++)
        if (is_judged(self, kpi, metrics))
            kpi->held = monitor_more(kpi->held, events);
}

static void settle_rule(struct rule_state *state, const struct drift_rule *rule, const struct metric_columns *events)
{
    double values[WINDOW_MANY];
    if (state->place == RULE_NO_PLACE || !rule_state_knows_quiet(state))
        return;
    struct window_numbers from = events->values;
    from.at += (size_t)state->place * events->apart;
    for (uint32_t i = 0; i < events->count; i++)
        values[i] = state->errors ? 1 - window_number(&from, i) : window_number(&from, i);
    rule_state_take_quiet(state, rule, values, events->count);
}

void batch_take(struct monitor *self, uint32_t metrics, bool healthy, const struct metric_columns *events)
{
    assert(events->count <= WINDOW_MANY);
    if (healthy)
        settle_kpis(self, metrics, events->count);
    metric_table_take_all(&self->metrics, metrics, events);
    for (uint32_t i = 0; i < self->rules.count; i++)
        settle_rule(self->rules.states[i], &self->settings->rules[i], events);
    rule_set_came(&self->rules, events->at_s, events->count);
}

void monitor_settle(struct monitor *self)
{
    struct batch *batch = &self->batch;
    double at_s[BATCH_EVENTS];
    batch->most = 0;
    if (batch->waiting == 0)
        return;
    const double *row = batch_row(batch, 0);
    const struct metric_columns events = {
        at_s,
        {(const char *)(row + 1), batch->row_numbers * (uint32_t)sizeof *row, batch->singles},
        batch->singles ? sizeof(float) : sizeof *row,
        batch->waiting};
    for (uint32_t i = 0; i < batch->waiting; i++, row += batch->row_numbers)
        at_s[i] = *row;
    batch_take(self, batch->metrics, batch->healthy, &events);
    batch->waiting = 0;
}

#include "lib/monitor/rule_batch.h"

#include <errno.h>
#include <stdlib.h>

#define LINE ((size_t)64) /* bytes of a line of the cache */
#define UNASKED_MOST 5    /* 2^5 events */

static size_t lines(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

static double *row_of(const struct rule_batch *self, uint32_t row)
{
    return (double *)((uintptr_t)self->bands + lines(self->rules * sizeof *self->bands)) + (size_t)row * self->stride;
}

int rule_batch_open(struct rule_batch *self, const struct drift_rule *rules, uint32_t count)
{
    const uint32_t half = LINE / sizeof(double) / 2, numbers = count + 1;
    const uint32_t stride = numbers <= half ? half : (uint32_t)(lines(numbers * sizeof(double)) / sizeof(double));
    *self = (struct rule_batch){.rules = count, .stride = stride};
    if (count == 0)
        return 0;
    self->bands = aligned_alloc(LINE, lines(count * sizeof *self->bands) + lines(RULE_BATCH * stride * sizeof(double)));
    if (!self->bands)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        self->bands[i] = (struct rule_band){.errors = rule_of_errors(&rules[i])};
    return 0;
}

void rule_batch_close(struct rule_batch *self)
{
    free(self->bands);
    *self = (struct rule_batch){0};
}

static uint32_t find(const struct metric_event *event, const char *name, uint32_t guess)
{
    if (guess < event->metric_count && text_is(event->metrics[guess].name, name))
        return guess;
    for (uint32_t at = 0; at < event->metric_count; at++)
        if (text_is(event->metrics[at].name, name))
            return at;
    return RULE_BATCH_ABSENT;
}

void rule_batch_place(struct rule_batch *self, const struct drift_rule *rules, const struct metric_event *event)
{
    if (event->shape != 0 && event->shape == self->shape)
        return;
    for (uint32_t i = 0; i < self->rules; i++)
        self->bands[i].at = find(event, rules[i].metric, self->bands[i].at);
    self->shape = event->shape;
}

/* Asks each rule anew; nothing waits. */
static void ask(struct rule_batch *self, struct rule_state *const *states, const struct drift_rule *rules)
{
    self->most = RULE_BATCH;
    self->until_ns = INT64_MAX;
    self->eager = 0;
    for (uint32_t i = 0; i < self->rules; i++) {
        struct rule_band *band = &self->bands[i];
        struct detect_quiet quiet;
        int64_t until_ns;
        band->eager = !rule_state_quiet(states[i], &rules[i], RULE_BATCH, &quiet, &until_ns);
        self->eager += band->eager;
        if (band->eager)
            continue;
        band->low = quiet.low;
        band->high = quiet.high;
        band->phi = quiet.phi;
        band->previous = quiet.previous;
        band->logs = quiet.logs;
        self->most = quiet.values < self->most ? quiet.values : self->most;
        self->until_ns = until_ns < self->until_ns ? until_ns : self->until_ns;
    }
}

/* Whether a value keeps to its bounds. */
static inline bool within(struct rule_band *band, double value)
{
    double seen = value;
    if (band->logs) {
        if (!(fabs(value) <= DETECT_VALUE_MAX))
            return false;
        seen = detect_log(value);
    }
    const double rest = seen - band->phi * band->previous;
    if (band->phi != 0)
        band->previous = seen;
    return rest >= band->low && rest <= band->high;
}

/* Writes an event down; false: it does not keep to the bounds, or the time is over. */
static bool write_down(struct rule_batch *self, const struct metric_event *event, int64_t now_ns, double at_s)
{
    if (self->waiting >= self->most || now_ns >= self->until_ns)
        return false;
    double *row = row_of(self, self->waiting);
    *row++ = at_s;
    for (struct rule_band *band = self->bands, *end = band + self->rules; band < end; band++, row++) {
        *row = NAN;
        if (band->eager || band->at == RULE_BATCH_ABSENT)
            continue;
        const struct metric *metric = &event->metrics[band->at];
        if (metric->kind != METRIC_NUMBER)
            return false;
        *row = band->errors ? 1 - metric->number : metric->number;
        if (!within(band, *row))
            return false;
    }
    self->waiting++;
    return true;
}

bool rule_batch_wait(struct rule_batch *self, struct rule_state *const *states, const struct drift_rule *rules,
                     const struct metric_event *event, int64_t now_ns, double at_s)
{
    if (write_down(self, event, now_ns, at_s))
        return true;
    rule_batch_flush(self, states, rules);
    if (self->unasked > 0) {
        self->unasked--;
        return false;
    }
    ask(self, states, rules);
    if (write_down(self, event, now_ns, at_s)) {
        self->in_vain = 0;
        return true;
    }
    self->most = 0;
    self->unasked =
        self->in_vain ? 1u << self->in_vain : 0; /* an odd period: a detector's clock may have an even one */
    self->in_vain += self->in_vain < UNASKED_MOST;
    return false;
}

/* What waits for one rule. */
static uint32_t column(const struct rule_batch *self, uint32_t rule, double at_s[RULE_BATCH], double values[RULE_BATCH])
{
    uint32_t count = 0;
    const double *numbers = row_of(self, 0);
    for (uint32_t row = 0; row < self->waiting; row++, numbers += self->stride) {
        at_s[count] = numbers[0];
        values[count] = numbers[1 + rule];
        count += isnan(numbers[1 + rule]) ? 0 : 1;
    }
    return count;
}

void rule_batch_flush(struct rule_batch *self, struct rule_state *const *states, const struct drift_rule *rules)
{
    double at_s[RULE_BATCH], values[RULE_BATCH];
    self->most = 0;
    if (self->waiting == 0)
        return;
    for (uint32_t i = 0; i < self->rules; i++) {
        const uint32_t count = self->bands[i].eager ? 0 : column(self, i, at_s, values);
        if (count > 0)
            rule_state_take_quiet(states[i], &rules[i], values, at_s, count);
    }
    self->waiting = 0;
}

void rule_batch_prefetch(const struct rule_batch *self)
{
    for (size_t at = 0; at < self->rules * sizeof *self->bands; at += LINE)
        __builtin_prefetch((const char *)self->bands + at, 1);
    for (uint32_t at = 0; at < self->stride; at += LINE / sizeof(double))
        __builtin_prefetch(row_of(self, self->waiting) + at, 1);
}

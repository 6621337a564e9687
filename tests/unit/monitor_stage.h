/* monitor_stage.h - what the tests of events that are taken together share: a monitor's settings, and values that
 * wander between its limits or look for them. */
#ifndef TESTS_MONITOR_STAGE_H
#define TESTS_MONITOR_STAGE_H

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/monitor/monitor_inside.h"

#define METRICS_MOST 40
#define STEP_NS INT64_C(1000000000)

enum kind { WALK, EDGES, STEADY, HUGE_ONES, KINDS };

struct stage {
    struct kpi_budget kpis[METRICS_MOST];
    struct drift_rule rules[6];
    struct monitor_settings settings;
    char names[METRICS_MOST][16];
    uint32_t metrics, random;
    enum kind kind;
};

static inline void add_rule(struct stage *self, uint32_t metric, const char *detector)
{
    struct drift_rule rule = {.detector = detector, .kpi = RULE_NO_KPI};
    snprintf(rule.metric, sizeof rule.metric, "m%u", metric);
    ck_assert_int_eq(detect_params_init(&rule.params, detector, NULL), 0);
    if (strcmp(detector, "cusum") == 0)
        detect_params_set(&rule.params, "prewhiten", 1, NULL);
    if (strcmp(detector, "evidence") == 0)
        detect_params_set(&rule.params, "budget", 0.2, NULL);
    self->rules[self->settings.rule_count++] = rule;
}

/* Budgets on the mean, the last value and a rank of the first metrics; with `rules` two that look at the value before,
 * and one that does not. */
static inline void stage_make(struct stage *self, uint32_t metrics, bool rules, enum kind kind)
{
    static const enum window_stat stats[] = {WINDOW_MEAN, WINDOW_LAST, WINDOW_P95};
    *self = (struct stage){.metrics = metrics, .random = 1 + metrics, .kind = kind};
    for (uint32_t i = 0; i < metrics; i++)
        snprintf(self->names[i], sizeof self->names[i], "m%u", i);
    for (uint32_t i = 0; i < metrics && i < 3; i++)
        self->kpis[i] = (struct kpi_budget){.min = 0.1, .max = i ? 1.1 : (double)NAN, .over = stats[i]};
    for (uint32_t i = 0; i < metrics && i < 3; i++)
        snprintf(self->kpis[i].metric, sizeof self->kpis[i].metric, "m%u", i);
    self->settings = (struct monitor_settings){.window = 32,
                                               .min_events = 4,
                                               .consecutive_failures = 2,
                                               .recover_after = 3,
                                               .backoff_ns = 20 * STEP_NS,
                                               .kpis = self->kpis,
                                               .kpi_count = metrics < 3 ? metrics : 3,
                                               .rules = self->rules};
    if (!rules)
        return;
    add_rule(self, 0, "cusum");
    add_rule(self, metrics - 1, "cusum");
    add_rule(self, metrics / 2, "page_hinkley");
    add_rule(self, 0, "adwin");
    add_rule(self, 0, "evidence"); /* of shares: nothing is above 1 */
}

static inline double draw(struct stage *self)
{
    self->random = self->random * 1664525u + 1013904223u;
    return (double)(self->random >> 8) / (1 << 24);
}

/* A value around the limits, of which all bounds are made, or as close to one as a double can be. */
static inline double edge(struct stage *self)
{
    static const double at[] = {0.1, 1.1, 0.5, 0.0, 1.0};
    const double value = at[(uint32_t)(draw(self) * 5)];
    switch ((uint32_t)(draw(self) * 5)) {
    case 0:
        return nextafter(value, INFINITY);
    case 1:
        return nextafter(value, -INFINITY);
    case 2:
        return (double)nextafterf((float)value, INFINITY);
    case 3:
        return (double)nextafterf((float)value, -INFINITY);
    default:
        return value;
    }
}

static inline double value_of(struct stage *self, uint32_t event, uint32_t metric)
{
    static const double huge[] = {FLT_MAX, -(double)FLT_MAX, 1.1 * FLT_MAX, -1e300, 0x1.ffffff7p127, -0.0};
    switch (self->kind) {
    case WALK:
        return event % 600 < 560 ? 0.4 + 0.2 * draw(self) : 1.5 * draw(self);
    case EDGES:
        return event % 64 ? 0.4 + 0.2 * draw(self) : edge(self);
    case STEADY:
        return 1;
    default:
        return metric < 3 || draw(self) < 0.9 ? draw(self) / 2 : huge[(uint32_t)(draw(self) * 6)];
    }
}

static inline void same_state(const struct monitor *alone, const struct monitor *seen)
{
    const size_t size = monitor_save(alone, NULL, 0);
    void *left = malloc(size), *right = malloc(size);
    ck_assert_uint_eq(monitor_save(seen, NULL, 0), size);
    ck_assert_uint_eq(monitor_save(alone, left, size), size);
    ck_assert_uint_eq(monitor_save(seen, right, size), size);
    ck_assert_mem_eq(left, right, size);
    free(left);
    free(right);
}

#endif

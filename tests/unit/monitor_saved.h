/* monitor_saved.h - what the tests of saved monitors share: a monitor with every detector, its stream, and a copy of it
 * that was saved and loaded. */
#ifndef TESTS_MONITOR_SAVED_H
#define TESTS_MONITOR_SAVED_H

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/monitor/monitor.h"

#define WALL_S 1764000000.0
#define STEP_NS INT64_C(200000000)

static const struct kpi_budget kpis[] = {
    {.metric = "a", .min = 0.3, .max = NAN, .over = WINDOW_MEAN},
    {.metric = "a", .min = NAN, .max = 0.995, .over = WINDOW_LAST},
    {.metric = "b", .min = NAN, .max = 0.999, .over = WINDOW_MAX},
    {.metric = "b", .min = 0.0005, .max = NAN, .over = WINDOW_MIN},
    {.metric = "c", .min = 0.1, .max = 0.9, .over = WINDOW_MEDIAN},
    {.metric = "c", .min = NAN, .max = 0.99, .over = WINDOW_P90},
    {.metric = "d", .min = NAN, .max = 0.995, .over = WINDOW_P95},
    {.metric = "d", .min = NAN, .max = 0.999, .over = WINDOW_P99},
    {.metric = "e", .min = 0.3, .max = 0.7, .over = WINDOW_EWMA},
    {.metric = "f", .min = 0.05, .max = NAN, .over = WINDOW_MEAN, .test = KPI_EVIDENCE, .range = {0, 1}},
};

#define KPIS (sizeof kpis / sizeof *kpis)
#define DETECTORS 16

static struct drift_rule rules[DETECTORS + 4];
static struct detect_params steps[(DETECTORS + 4) * RULE_STEPS_MAX];
static struct monitor_settings settings;

static inline struct drift_rule rule_of(const char *metric, const char *detector)
{
    struct drift_rule rule = {.detector = detector, .kpi = RULE_NO_KPI};
    snprintf(rule.metric, sizeof rule.metric, "%s", metric);
    ck_assert_int_eq(detect_params_init(&rule.params, detector, NULL), 0);
    if (strcmp(detector, "evidence") == 0)
        ck_assert_int_eq(detect_params_set(&rule.params, "budget", 0.05, NULL), 0);
    if (detect_param(detector, 0) && !isnan(detect_params_get(&rule.params, "reference")))
        ck_assert_int_eq(detect_params_set(&rule.params, "reference", 100, NULL), 0);
    return rule;
}

/* A rule for each detector, two more for distributions, one more for the KPI; those of the evidence keep to a budget
 * and follow the rate. */
static inline void settings_make(void)
{
    static const struct alarm_budget alarms = {.every_s = 86400};
    uint32_t count = 0;
    rules[count] = rule_of("f", "evidence");
    rules[count++].kpi = 9;
    ck_assert_int_eq(drift_rules_promise(rules, 1, &alarms, 0, steps), 0);
    ck_assert_uint_eq(rules[0].step_count, RULE_STEPS_MAX);
    for (uint32_t i = 0; detect_name(i); i++)
        rules[count++] = rule_of("g", detect_name(i));
    rules[count++] = rule_of("h", "psi");
    rules[count++] = rule_of("k", "chi2");
    rules[count++] = rule_of("accuracy", "ddm"); /* takes errors */
    ck_assert_uint_eq(count, DETECTORS + 4);
    settings = (struct monitor_settings){.window = 16,
                                         .min_events = 4,
                                         .consecutive_failures = 3,
                                         .recover_after = 5,
                                         .backoff_ns = 20 * STEP_NS,
                                         .stale_after_ns = 100 * STEP_NS,
                                         .kpis = kpis,
                                         .kpi_count = KPIS,
                                         .rules = rules,
                                         .rule_count = count,
                                         .alarms = alarms};
}

static inline uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Event number i of the stream, the same whenever it is asked for. Now and then all goes badly for a while. */
static inline void feed(struct monitor *monitor, uint32_t i, int64_t shift_ns, struct verdict *out)
{
    uint32_t state = i * 2654435761u + 1;
    struct metric metrics[10];
    double edges[] = {0, 0.25, 0.5, 0.75, 1};
    uint64_t counts[4];
    struct metric_category categories[3];
    const bool ill = i % 400 > 330, weighted = i % 3 == 0;
    uint32_t count = 0;
    for (uint32_t m = 0; m < 8; m++) {
        static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "accuracy"};
        double value = random_next(&state) / 16777216.0;
        if (m == 6 && i % 400 > 300)
            value += 3;
        if (m == 7)
            value = i % 400 > 300 ? 0 : value > 0.1;
        if (random_next(&state) % 8 != 0)
            metrics[count++] = (struct metric){text_of(names[m]), METRIC_NUMBER, .number = ill ? value / 4 : value};
    }
    for (uint32_t c = 0; c < 4; c++)
        counts[c] = random_next(&state) % 9 + (ill ? 7 * c : 0);
    metrics[count] = (struct metric){.name = text_of("h"), .kind = METRIC_HISTOGRAM};
    metrics[count].histogram.edges = edges;
    metrics[count].histogram.counts = counts;
    metrics[count++].histogram.bins = 4;
    for (uint32_t c = 0; c < 3; c++) {
        static const char *const names[] = {"cat", "dog", "emu"};
        categories[c] = (struct metric_category){text_of(names[c]), random_next(&state) % 9 + (ill ? 7 * c : 0)};
    }
    metrics[count] = (struct metric){.name = text_of("k"), .kind = METRIC_CATEGORIES};
    metrics[count].categories.at = categories;
    metrics[count++].categories.count = 3;
    const struct metric_event event = {.timestamp_s = WALL_S + i * 0.2,
                                       .n = weighted ? random_next(&state) % 50 + 1 : 1,
                                       .metrics = metrics,
                                       .metric_count = count};
    ck_assert_int_eq(monitor_add(monitor, &event, 1000 + (int64_t)i * STEP_NS + shift_ns, WALL_S + i * 0.2, out), 0);
}

static inline struct monitor *monitor_of(void)
{
    struct monitor *monitor;
    settings_make();
    ck_assert_int_eq(monitor_new(&monitor, &settings), 0);
    return monitor;
}

static inline uint8_t *save(const struct monitor *monitor, size_t *size_p)
{
    *size_p = monitor_save(monitor, NULL, 0);
    uint8_t *bytes = malloc(*size_p);
    ck_assert_uint_eq(monitor_save(monitor, bytes, *size_p), *size_p);
    return bytes;
}

static inline struct monitor *copy_of(const struct monitor *monitor, const struct monitor_settings *with,
                                      int64_t shift_ns)
{
    size_t size;
    struct monitor *copy;
    uint8_t *bytes = save(monitor, &size);
    ck_assert_int_eq(monitor_load(&copy, with, bytes, size, shift_ns), 0);
    free(bytes);
    return copy;
}

static inline bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* Everything that can be asked of two monitors. */
static inline void compare(const struct monitor *a, const struct monitor *b, int64_t now_ns, int64_t shift_ns)
{
    ck_assert_uint_eq(monitor_events(a), monitor_events(b));
    ck_assert_uint_eq(monitor_failures(a), monitor_failures(b));
    ck_assert_int_eq(monitor_episode_open(a), monitor_episode_open(b));
    ck_assert_int_eq(monitor_backoff_left_ns(a, now_ns), monitor_backoff_left_ns(b, now_ns + shift_ns));
    ck_assert_int_eq(monitor_last_event_ns(a) + shift_ns, monitor_last_event_ns(b));
    ck_assert_int_eq(monitor_state(a, now_ns), monitor_state(b, now_ns + shift_ns));
    ck_assert_uint_eq(monitor_metric_count(a), monitor_metric_count(b));
    for (uint32_t m = 0; m < monitor_metric_count(a); m++) {
        ck_assert_str_eq(monitor_metric_name(a, m), monitor_metric_name(b, m));
        const struct window *left = monitor_metric_window(a, m), *right = monitor_metric_window(b, m);
        ck_assert_uint_eq(window_total(left), window_total(right));
        for (int stat = 0; stat < WINDOW_STATS; stat++)
            ck_assert(same_bits(window_get(left, (enum window_stat)stat), window_get(right, (enum window_stat)stat)));
    }
    for (uint32_t r = 0; r < monitor_rule_count(a); r++) {
        struct monitor_rule left, right;
        monitor_rule_at(a, r, &left);
        monitor_rule_at(b, r, &right);
        ck_assert_msg(same_bits(left.statistic, right.statistic) && left.taken == right.taken &&
                          left.refused == right.refused && same_bits(left.threshold, right.threshold) &&
                          same_bits(left.promise, right.promise),
                      "rule %u, %s", r, left.text);
    }
    const struct trigger *left = monitor_trigger(a), *right = monitor_trigger(b);
    ck_assert((left == NULL) == (right == NULL));
    if (left && right) {
        ck_assert_str_eq(left->rule, right->rule);
        ck_assert_str_eq(left->metric, right->metric);
        ck_assert_str_eq(left->detector, right->detector);
        ck_assert(same_bits(left->observed, right->observed) && same_bits(left->limit, right->limit));
        ck_assert(same_bits(left->window_start_s, right->window_start_s));
        ck_assert(same_bits(left->change_at_s, right->change_at_s) && same_bits(left->severity, right->severity));
        ck_assert(left->n == right->n && left->window == right->window && left->failures == right->failures);
    }
}

#endif

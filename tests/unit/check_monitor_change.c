/* A monitor that is given other settings while it runs: what it must keep, and what it must not. A twin with the new
 * settings from the start, or with the old ones to the end, is the measure. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/monitor/monitor.h"
#include "tests/run_suite.h"

#define SECOND INT64_C(1000000000)
#define HOUR (3600 * SECOND)

struct plan {
    struct kpi_budget kpis[4];
    struct drift_rule rules[4];
    struct detect_params steps[4 * RULE_STEPS_MAX];
    struct monitor_settings settings;
};

static int64_t now_ns;

static struct plan *plan_new(void)
{
    struct plan *plan = calloc(1, sizeof *plan);
    plan->kpis[0] = (struct kpi_budget){.metric = "accuracy", .min = 0.8, .max = NAN, .over = WINDOW_MEAN};
    plan->kpis[1] = (struct kpi_budget){.metric = "latency_ms", .min = NAN, .max = 400, .over = WINDOW_LAST};
    plan->settings = (struct monitor_settings){.window = 8,
                                               .min_events = 2,
                                               .consecutive_failures = 5,
                                               .recover_after = 3,
                                               .backoff_ns = HOUR,
                                               .stale_after_ns = HOUR,
                                               .alarms = {.every_events = 10000},
                                               .kpis = plan->kpis,
                                               .kpi_count = 2,
                                               .rules = plan->rules};
    return plan;
}

static struct drift_rule *with_rule(struct plan *plan, const char *metric, const char *detector)
{
    struct drift_rule *rule = &plan->rules[plan->settings.rule_count++];
    *rule = (struct drift_rule){.detector = detector, .kpi = RULE_NO_KPI};
    snprintf(rule->metric, sizeof rule->metric, "%s", metric);
    ck_assert_int_eq(detect_params_init(&rule->params, detector, NULL), 0);
    return rule;
}

static void promise(struct plan *plan)
{
    ck_assert_int_eq(drift_rules_promise(plan->rules, plan->settings.rule_count, &plan->settings.alarms, 0, plan->steps), 0);
}

static struct monitor *monitor_of(const struct plan *plan)
{
    struct monitor *monitor;
    ck_assert_int_eq(monitor_new(&monitor, &plan->settings), 0);
    now_ns = HOUR;
    return monitor;
}

static struct verdict add(struct monitor *monitor, double accuracy, double latency, double brightness)
{
    const struct metric metrics[] = {{text_of("accuracy"), METRIC_NUMBER, .number = accuracy},
                                     {text_of("latency_ms"), METRIC_NUMBER, .number = latency},
                                     {text_of("brightness"), METRIC_NUMBER, .number = brightness}};
    const struct metric_event event = {.timestamp_s = NAN, .n = 1, .metrics = metrics, .metric_count = 3};
    struct verdict verdict;
    now_ns += SECOND;
    ck_assert_int_eq(monitor_add(monitor, &event, now_ns, 1.764e9 + (double)now_ns / 1e9, &verdict), 0);
    return verdict;
}

static const struct window *window_of(const struct monitor *monitor, const char *name)
{
    for (uint32_t i = 0; i < monitor_metric_count(monitor); i++)
        if (strcmp(monitor_metric_name(monitor, i), name) == 0)
            return monitor_metric_window(monitor, i);
    return NULL;
}

START_TEST(equal_settings_change_nothing_at_all)
{
    struct plan *one = plan_new(), *other = plan_new();
    with_rule(one, "brightness", "cusum");
    with_rule(other, "brightness", "cusum");
    promise(one);
    promise(other);
    struct monitor *monitor = monitor_of(one), *twin = monitor_of(one);
    ck_assert(monitor_settings_same(&one->settings, &other->settings));
    for (int i = 0; i < 3000; i++) {
        double value = sin(i * 12.9898) + (i > 2000 ? 1.5 : 0);
        if (i % 100 == 50) {
            const struct monitor_settings *next = monitor_settings_of(monitor) == &one->settings ? &other->settings : &one->settings;
            ck_assert_int_eq(monitor_change(&monitor, next), 0);
            ck_assert_ptr_eq(monitor_settings_of(monitor), next);
        }
        struct verdict a = add(monitor, i % 7 ? 0.9 : 0.5, 100, value), b = add(twin, i % 7 ? 0.9 : 0.5, 100, value);
        ck_assert_mem_eq(&a, &b, sizeof a);
        struct monitor_rule left, right;
        monitor_rule_at(monitor, 0, &left);
        monitor_rule_at(twin, 0, &right);
        ck_assert(left.taken == right.taken && (left.statistic == right.statistic || (isnan(left.statistic) && isnan(right.statistic))));
    }
    ck_assert_ptr_nonnull(monitor_trigger(twin)); /* the stream had something to find */
    monitor_destroy(&monitor);
    monitor_destroy(&twin);
    free(one);
    free(other);
}
END_TEST

/* Each setting makes a difference. */
/* Nobody looks at the settings that were before: the same ones elsewhere, or ones of which only a KPI is another. */
START_TEST(settings_of_before_may_go)
{
    struct plan *old = plan_new(), *new = plan_new(), *own = plan_new();
    struct plan *const plans[] = {old, new, own};
    for (int i = 0; i < 3; i++) {
        with_rule(plans[i], "brightness", "cusum");
        promise(plans[i]);
    }
    if (_i)
        new->kpis[0].min = 0.7;
    struct monitor *monitor = monitor_of(old), *twin = monitor_of(own);
    for (int i = 0; i < 700; i++) {
        if (i == 90) {
            ck_assert_int_eq(monitor_change(&monitor, &new->settings), 0);
            memset(old, 0xff, sizeof *old);
            free(old);
        }
        add(monitor, 0.9, 100, sin(i * 12.9898));
        add(twin, 0.9, 100, sin(i * 12.9898));
        struct monitor_rule left, right;
        monitor_rule_at(monitor, 0, &left);
        monitor_rule_at(twin, 0, &right);
        ck_assert_mem_eq(&left.statistic, &right.statistic, sizeof left.statistic);
        ck_assert_mem_eq(&left.threshold, &right.threshold, sizeof left.threshold);
        ck_assert(isnan(left.statistic) == (i < 100));
    }
    monitor_destroy(&monitor);
    monitor_destroy(&twin);
    free(new);
    free(own);
}
END_TEST

START_TEST(any_difference_is_one)
{
    struct plan *a = plan_new(), *b = plan_new();
    with_rule(a, "brightness", "cusum");
    with_rule(b, "brightness", "cusum");
#define DIFFERS(change)                                               \
    do {                                                              \
        struct monitor_settings kept = b->settings;                   \
        struct kpi_budget kpi = b->kpis[0];                           \
        struct drift_rule rule = b->rules[0];                         \
        ck_assert(monitor_settings_same(&a->settings, &b->settings)); \
        change;                                                       \
        ck_assert(!monitor_settings_same(&a->settings, &b->settings)); \
        b->settings = kept;                                           \
        b->kpis[0] = kpi;                                             \
        b->rules[0] = rule;                                           \
    } while (0)
    DIFFERS(b->settings.window++);
    DIFFERS(b->settings.min_events++);
    DIFFERS(b->settings.consecutive_failures++);
    DIFFERS(b->settings.recover_after++);
    DIFFERS(b->settings.backoff_ns++);
    DIFFERS(b->settings.stale_after_ns++);
    DIFFERS(b->settings.alarms.every_s = 1);
    DIFFERS(b->settings.alarms.every_events = 1);
    DIFFERS(b->settings.event_rate = 1);
    DIFFERS(b->settings.kpi_count--);
    DIFFERS(b->settings.rule_count--);
    DIFFERS(b->kpis[0].min = 0.81);
    DIFFERS(b->kpis[0].max = 1);
    DIFFERS(b->kpis[0].over = WINDOW_LAST);
    DIFFERS(b->kpis[0].test = KPI_EVIDENCE);
    DIFFERS(b->kpis[0].range[1] = 1);
    DIFFERS(b->kpis[0].metric[0] = 'b');
    DIFFERS(b->rules[0].metric[0] = 'c');
    DIFFERS(detect_params_set_text(&b->rules[0].params, "direction", text_of("up"), NULL));
    DIFFERS(b->rules[0].step_count = 1; b->rules[0].steps = &b->rules[0].params);
    free(a);
    free(b);
}
END_TEST

START_TEST(windows_of_the_same_length_stay_and_others_begin_anew)
{
    struct plan *old = plan_new(), *new = plan_new();
    struct monitor *monitor = monitor_of(old);
    for (int i = 0; i < 20; i++)
        add(monitor, 0.9, i, i);
    new->kpis[1].over = WINDOW_P95; /* needs an order, which was not kept */
    new->kpis[2] = (struct kpi_budget){.metric = "brightness", .min = 0, .max = NAN, .over = WINDOW_MEDIAN};
    new->settings.kpi_count = 3;
    ck_assert_int_eq(monitor_change(&monitor, &new->settings), 0);
    ck_assert_double_eq(window_get(window_of(monitor, "latency_ms"), WINDOW_P95), 19);
    ck_assert_double_eq(window_get(window_of(monitor, "latency_ms"), WINDOW_MIN), 12);
    ck_assert_double_eq(window_get(window_of(monitor, "brightness"), WINDOW_MEDIAN), 15);
    ck_assert_uint_eq(window_total(window_of(monitor, "brightness")), 20);
    for (int i = 0; i < 8; i++)
        add(monitor, 0.9, 1000 + i, i);
    ck_assert_double_eq(window_get(window_of(monitor, "latency_ms"), WINDOW_MIN), 1000);
    ck_assert_int_eq(monitor_change(&monitor, &old->settings), 0);
    ck_assert_double_eq(window_get(window_of(monitor, "latency_ms"), WINDOW_P95), 1007);
    ck_assert_double_eq(window_get(window_of(monitor, "latency_ms"), WINDOW_LAST), 1007);
    new->settings.window = 9;
    ck_assert_int_eq(monitor_change(&monitor, &new->settings), 0);
    ck_assert_uint_eq(window_capacity(window_of(monitor, "accuracy")), 9);
    ck_assert_uint_eq(window_total(window_of(monitor, "accuracy")), 0);
    ck_assert_uint_eq(monitor_events(monitor), 28);
    monitor_destroy(&monitor);
    free(old);
    free(new);
}
END_TEST

START_TEST(failures_stay_where_what_is_judged_stays)
{
    struct plan *old = plan_new(), *new = plan_new();
    struct monitor *monitor = monitor_of(old);
    for (int i = 0; i < 5; i++)
        add(monitor, 0.5, 1, 1);
    ck_assert_uint_eq(monitor_failures(monitor), 4);
    new->settings.consecutive_failures = 6;
    new->settings.backoff_ns = 2 * HOUR;
    ck_assert_int_eq(monitor_change(&monitor, &new->settings), 0);
    ck_assert_uint_eq(monitor_failures(monitor), 4);
    ck_assert(!add(monitor, 0.5, 1, 1).triggered);
    ck_assert(add(monitor, 0.5, 1, 1).triggered);
    ck_assert_int_eq(monitor_backoff_left_ns(monitor, now_ns), 2 * HOUR);
    struct plan *other = plan_new();
    other->settings.backoff_ns = 2 * HOUR;
    other->kpis[1].max = 500;
    add(monitor, 0.5, 1, 1);
    ck_assert_uint_eq(monitor_failures(monitor), 1);
    ck_assert_int_eq(monitor_change(&monitor, &other->settings), 0);
    ck_assert_uint_eq(monitor_failures(monitor), 0);
    ck_assert(monitor_episode_open(monitor));
    ck_assert_int_eq(monitor_state(monitor, now_ns), MODEL_DRIFTING);
    ck_assert_int_gt(monitor_backoff_left_ns(monitor, now_ns), HOUR);
    /* The KPI that opened the episode still closes it, though it stands elsewhere in the list now. */
    struct kpi_budget first = other->kpis[0];
    struct plan *turned = plan_new();
    turned->kpis[0] = other->kpis[1];
    turned->kpis[1] = first;
    ck_assert_int_eq(monitor_change(&monitor, &turned->settings), 0);
    struct verdict verdict = {0};
    for (int i = 0; i < 10 && !verdict.held; i++)
        verdict = add(monitor, 1.0, 1, 1);
    ck_assert(verdict.held && verdict.recovered);
    monitor_destroy(&monitor);
    free(old);
    free(new);
    free(other);
    free(turned);
}
END_TEST

START_TEST(a_kpi_that_is_taken_away_fails_no_more)
{
    struct plan *old = plan_new(), *new = plan_new();
    struct monitor *monitor = monitor_of(old);
    for (int i = 0; i < 4; i++)
        add(monitor, 0.9, 1000, 1);
    ck_assert_int_eq(monitor_state(monitor, now_ns), MODEL_FAILING);
    new->settings.kpi_count = 1;
    ck_assert_int_eq(monitor_change(&monitor, &new->settings), 0);
    ck_assert_int_eq(monitor_state(monitor, now_ns), MODEL_HEALTHY);
    ck_assert_int_eq(add(monitor, 0.9, 1000, 1).evaluation, EVALUATION_HEALTHY);
    ck_assert_int_eq(monitor_change(&monitor, &old->settings), 0);
    ck_assert_int_eq(add(monitor, 0.9, 1000, 1).evaluation, EVALUATION_FAILING);
    monitor_destroy(&monitor);
    free(old);
    free(new);
}
END_TEST

START_TEST(rules_that_stay_go_on_and_others_begin)
{
    struct plan *old = plan_new(), *new = plan_new();
    with_rule(old, "brightness", "cusum");
    with_rule(old, "brightness", "page_hinkley");
    with_rule(new, "latency_ms", "ewma");
    with_rule(new, "brightness", "page_hinkley");
    with_rule(new, "brightness", "cusum");
    new->settings.alarms.every_events = 100000;
    promise(old);
    promise(new);
    struct monitor *monitor = monitor_of(old);
    struct monitor_rule before, after;
    for (int i = 0; i < 500; i++)
        add(monitor, 0.9, 100, sin(i * 12.9898));
    monitor_rule_at(monitor, 0, &before);
    ck_assert_int_eq(monitor_change(&monitor, &new->settings), 0);
    ck_assert_uint_eq(monitor_rule_count(monitor), 3);
    monitor_rule_at(monitor, 0, &after);
    ck_assert_str_eq(after.detector, "ewma");
    ck_assert_uint_eq(after.taken, 0);
    monitor_rule_at(monitor, 1, &after);
    ck_assert_str_eq(after.detector, "page_hinkley");
    ck_assert_uint_eq(after.taken, 500);
    monitor_rule_at(monitor, 2, &after);
    ck_assert_str_eq(after.detector, "cusum");
    ck_assert_uint_eq(after.taken, 500);
    ck_assert_double_gt(after.promise, before.promise); /* another promise, and nothing forgotten for it */
    add(monitor, 0.9, 100, 0);
    monitor_rule_at(monitor, 2, &after);
    ck_assert_uint_eq(after.taken, 501);
    struct plan *none = plan_new(), *last = plan_new();
    ck_assert_int_eq(monitor_change(&monitor, &none->settings), 0);
    ck_assert_uint_eq(monitor_rule_count(monitor), 0);
    add(monitor, 0.9, 100, 0);
    detect_params_set_text(&with_rule(last, "brightness", "cusum")->params, "direction", text_of("up"), NULL);
    ck_assert_int_eq(monitor_change(&monitor, &last->settings), 0);
    add(monitor, 0.9, 100, 0);
    monitor_rule_at(monitor, 0, &after);
    ck_assert_uint_eq(after.taken, 1);
    monitor_destroy(&monitor);
    free(old);
    free(new);
    free(none);
    free(last);
}
END_TEST

/* 64 metrics are kept of a model: what is judged from now on must have room among them. */
START_TEST(what_is_judged_finds_room)
{
    struct plan *old = plan_new(), *new = plan_new();
    char names[MONITOR_METRICS_MAX][8];
    struct metric metrics[MONITOR_METRICS_MAX];
    for (uint32_t i = 0; i < MONITOR_METRICS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "m%u", i);
        metrics[i] = (struct metric){text_of(names[i]), METRIC_NUMBER, .number = 1};
    }
    struct metric_event event = {.timestamp_s = NAN, .n = 1, .metrics = metrics, .metric_count = METRIC_EVENT_MAX < MONITOR_METRICS_MAX ? METRIC_EVENT_MAX : MONITOR_METRICS_MAX};
    struct verdict verdict;
    old->settings.kpi_count = 0;
    struct monitor *monitor = monitor_of(old);
    for (uint32_t from = 0; from < MONITOR_METRICS_MAX; from += event.metric_count) {
        event.metrics = metrics + from;
        if (from + event.metric_count > MONITOR_METRICS_MAX)
            event.metric_count = MONITOR_METRICS_MAX - from;
        ck_assert_int_eq(monitor_add(monitor, &event, now_ns, 0, &verdict), 0);
    }
    ck_assert_uint_eq(monitor_metric_count(monitor), MONITOR_METRICS_MAX);
    ck_assert_int_eq(monitor_change(&monitor, &new->settings), 0);
    for (int i = 0; i < 3; i++)
        verdict = add(monitor, 0.5, 1, 1);
    ck_assert_int_eq(verdict.evaluation, EVALUATION_FAILING);
    ck_assert_uint_le(monitor_metric_count(monitor), MONITOR_METRICS_MAX);
    monitor_destroy(&monitor);
    free(old);
    free(new);
}
END_TEST

START_TEST(settings_out_of_range_are_refused)
{
    struct plan *old = plan_new(), *new = plan_new();
    struct monitor *monitor = monitor_of(old);
    new->settings.window = 0;
    ck_assert_int_eq(monitor_change(&monitor, &new->settings), -EINVAL);
    ck_assert_ptr_eq(monitor_settings_of(monitor), &old->settings);
    monitor_destroy(&monitor);
    free(old);
    free(new);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("monitor change");
    TCase *tcase = tcase_create("settings");
    tcase_add_test(tcase, equal_settings_change_nothing_at_all);
    tcase_add_loop_test(tcase, settings_of_before_may_go, 0, 2);
    tcase_add_test(tcase, any_difference_is_one);
    tcase_add_test(tcase, windows_of_the_same_length_stay_and_others_begin_anew);
    tcase_add_test(tcase, failures_stay_where_what_is_judged_stays);
    tcase_add_test(tcase, a_kpi_that_is_taken_away_fails_no_more);
    tcase_add_test(tcase, rules_that_stay_go_on_and_others_begin);
    tcase_add_test(tcase, what_is_judged_finds_room);
    tcase_add_test(tcase, settings_out_of_range_are_refused);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

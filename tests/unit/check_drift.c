/* The public header by itself, as a program that embeds a monitor sees it. */
#include "lib/drift.h"
#include "tests/run_suite.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct drift_budget budgets[] = {
    {"accuracy", "mean", DRIFT_AT_LEAST, 0.80},
    {"latency_ms", "p95", DRIFT_AT_MOST, 400},
};

static struct drift_monitor *monitor_of(struct drift_settings settings)
{
    struct drift_monitor *monitor;
    settings.budgets = budgets;
    settings.budget_count = 2;
    ck_assert_int_eq(drift_monitor_new(&monitor, &settings), 0);
    return monitor;
}

static struct drift_verdict add(struct drift_monitor *monitor, double now_s, double accuracy, double latency_ms)
{
    struct drift_metric metrics[] = {{"accuracy", accuracy}, {"latency_ms", latency_ms}};
    struct drift_verdict verdict;
    ck_assert_int_eq(drift_monitor_add(monitor, now_s, 32, metrics, 2, &verdict), 0);
    return verdict;
}

/* The example in the header. */
START_TEST(the_example_does_what_it_says)
{
    struct drift_settings settings = {.window = 4, .min_events = 1, .budgets = budgets, .budget_count = 2};
    struct drift_monitor *monitor;
    ck_assert_int_eq(drift_monitor_new(&monitor, &settings), 0);
    for (int second = 0; second < 4; second++) {
        struct drift_metric metrics[] = {{"accuracy", 0.50}, {"latency_ms", 250}};
        struct drift_verdict verdict;
        ck_assert_int_eq(drift_monitor_add(monitor, second, 32, metrics, 2, &verdict), 0);
        ck_assert(verdict.failing && !verdict.healthy);
        ck_assert((verdict.trigger != NULL) == (second == 2));
        if (!verdict.trigger)
            continue;
        ck_assert_str_eq(verdict.trigger->rule, "accuracy mean < 0.8");
        ck_assert_str_eq(verdict.trigger->metric, "accuracy");
        ck_assert_double_eq(verdict.trigger->observed, 0.5);
        ck_assert_double_eq(verdict.trigger->limit, 0.8);
        ck_assert_double_eq_tol(verdict.trigger->severity, 0.375, 1e-15);
        ck_assert_uint_eq(verdict.trigger->window, 3);
        ck_assert_uint_eq(verdict.trigger->failures, 3);
        ck_assert_double_eq(verdict.trigger->failing_since_s, 0);
        ck_assert_uint_eq(verdict.failures, 0);
    }
    drift_monitor_destroy(&monitor);
    ck_assert_ptr_null(monitor);
    drift_monitor_destroy(&monitor);
}
END_TEST

START_TEST(zeros_are_the_defaults)
{
    struct drift_monitor *monitor = monitor_of((struct drift_settings){0});
    for (int i = 1; i <= 15; i++) { /* min_events 16 */
        struct drift_verdict v = add(monitor, i, 0.5, 100);
        ck_assert(!v.healthy && !v.failing);
        ck_assert_str_eq(drift_monitor_state(monitor, i), "warming");
    }
    ck_assert(add(monitor, 16, 0.5, 100).failing);
    ck_assert_str_eq(drift_monitor_state(monitor, 16), "failing");
    ck_assert_ptr_null(add(monitor, 17, 0.5, 100).trigger);
    ck_assert_ptr_nonnull(add(monitor, 18, 0.5, 100).trigger); /* 3 in a row */
    for (int i = 19; i < 1818; i++)
        ck_assert_ptr_null(add(monitor, i, 0.5, 100).trigger); /* 30 minutes of back-off */
    const struct drift_verdict v = add(monitor, 1818, 0.5, 100);
    ck_assert_ptr_nonnull(v.trigger);
    ck_assert_uint_eq(v.trigger->window, 64);
    ck_assert_str_eq(drift_monitor_state(monitor, 1818 + 599.9), "drifting");
    ck_assert_str_eq(drift_monitor_state(monitor, 1818 + 600), "stale");
    int healthy = 0;
    for (int i = 1819; i < 2000; i++) {
        const struct drift_verdict w = add(monitor, i, 1, 100);
        healthy += w.healthy;
        ck_assert(w.recovered == (w.healthy && healthy == 32));
    }
    drift_monitor_destroy(&monitor);
}
END_TEST

START_TEST(retraining_holds_the_backoff)
{
    struct drift_monitor *monitor =
        monitor_of((struct drift_settings){.min_events = 1, .consecutive_failures = 1, .backoff_s = 10});
    ck_assert_ptr_nonnull(add(monitor, 0.25, 0.5, 100).trigger);
    drift_monitor_retraining(monitor, true, 1);
    ck_assert_str_eq(drift_monitor_state(monitor, 2), "retraining");
    drift_monitor_retraining(monitor, false, 8.1);
    ck_assert_str_eq(drift_monitor_state(monitor, 8.5), "drifting");
    ck_assert_ptr_null(add(monitor, 18.0999, 0.5, 100).trigger);
    ck_assert_ptr_nonnull(add(monitor, 18.1, 0.5, 100).trigger);
    drift_monitor_destroy(&monitor);

    /* As binary fractions 1.01 and 2.01 are a hair less than a second apart; on the clock they are one. */
    monitor = monitor_of((struct drift_settings){.min_events = 1, .consecutive_failures = 1, .backoff_s = 1});
    ck_assert_ptr_nonnull(add(monitor, 1.01, 0.5, 100).trigger);
    ck_assert_ptr_nonnull(add(monitor, 2.01, 0.5, 100).trigger);
    drift_monitor_destroy(&monitor);
}
END_TEST

START_TEST(below_zero_is_none)
{
    struct drift_monitor *monitor = monitor_of(
        (struct drift_settings){.min_events = 1, .consecutive_failures = 1, .backoff_s = -1, .stale_after_s = -1});
    ck_assert_ptr_nonnull(add(monitor, 0, 0.5, 100).trigger);
    ck_assert_ptr_nonnull(add(monitor, 0, 0.5, 100).trigger);
    ck_assert_str_eq(drift_monitor_state(monitor, 1e9), "failing");
    drift_monitor_destroy(&monitor);
}
END_TEST

START_TEST(statistics_by_name)
{
    struct drift_monitor *monitor = monitor_of((struct drift_settings){.window = 2});
    ck_assert_double_nan(drift_monitor_get(monitor, "accuracy", "mean"));
    add(monitor, 0, 0.25, 100);
    add(monitor, 1, 0.5, 300);
    add(monitor, 2, 1, 200);
    ck_assert_double_eq(drift_monitor_get(monitor, "accuracy", "mean"), 0.75);
    ck_assert_double_eq(drift_monitor_get(monitor, "latency_ms", "p95"), 300);
    ck_assert_double_eq(drift_monitor_get(monitor, "latency_ms", "last"), 200);
    ck_assert_double_eq(drift_monitor_get(monitor, "accuracy", "max"), 1); /* no budget asks for it */
    ck_assert_double_eq_tol(drift_monitor_get(monitor, "accuracy", "ewma"), 0.25 / 9 + 0.5 * 2 / 9 + 2.0 / 3, 1e-12);
    ck_assert_double_nan(drift_monitor_get(monitor, "accuracy", "p50"));
    ck_assert_double_nan(drift_monitor_get(monitor, "recall", "mean"));
    drift_monitor_destroy(&monitor);
}
END_TEST

START_TEST(what_is_wrong_is_refused_and_nothing_taken)
{
    struct drift_monitor *monitor = monitor_of((struct drift_settings){.min_events = 1});
    const char long_name[] = "a234567890123456789012345678901234567890123456789012345678901234";
    struct drift_metric many[65], wrong[] = {{"accuracy", 0.5}, {"recall", NAN}};
    struct drift_verdict verdict;
    for (int i = 0; i < 65; i++)
        many[i] = (struct drift_metric){"accuracy", 0.5};
    ck_assert_int_eq(drift_monitor_add(monitor, 0, 1, many, 65, &verdict), -E2BIG);
    ck_assert_int_eq(drift_monitor_add(monitor, 0, 0, many, 1, &verdict), -EINVAL);
    ck_assert_int_eq(drift_monitor_add(monitor, NAN, 1, many, 1, &verdict), -EDOM);
    ck_assert_int_eq(drift_monitor_add(monitor, 1e12, 1, many, 1, &verdict), -EDOM);
    ck_assert_int_eq(drift_monitor_add(monitor, 0, 1, wrong, 2, &verdict), -EDOM);
    wrong[1].value = INFINITY;
    ck_assert_int_eq(drift_monitor_add(monitor, 0, 1, wrong, 2, &verdict), -EDOM);
    wrong[1].value = 1;
    static const char *const names[] = {
        "",    "Accuracy", "1st",
        "a-b", "a b",      "_x",
        NULL,  "\xc3\xa4", "a2345678901234567890123456789012345678901234567890123456789012345"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        wrong[1].name = names[i];
        ck_assert_int_eq(drift_monitor_add(monitor, 0, 1, wrong, 2, &verdict), -EINVAL);
    }
    ck_assert(!verdict.failing && !verdict.healthy && !verdict.trigger);
    wrong[1].name = long_name;                                            /* 64 bytes */
    ck_assert_double_nan(drift_monitor_get(monitor, "accuracy", "last")); /* so far nothing was taken */
    ck_assert_int_eq(drift_monitor_add(monitor, 0, 1, wrong, 2, &verdict), 0);
    ck_assert_double_eq(drift_monitor_get(monitor, long_name, "last"), 1);
    drift_monitor_destroy(&monitor);
}
END_TEST

static const struct drift_budget no_budgets[] = {
    {NULL, "mean", DRIFT_AT_LEAST, 1},         {"accuracy", NULL, DRIFT_AT_LEAST, 1},
    {"accuracy", "p50", DRIFT_AT_LEAST, 1},    {"Accuracy", "mean", DRIFT_AT_LEAST, 1},
    {"accuracy", "mean", DRIFT_AT_LEAST, NAN}, {"accuracy", "mean", (enum drift_side)2, 1},
};

START_TEST(budgets_are_checked)
{
    struct drift_monitor *monitor;
    struct drift_settings settings = {.budgets = &no_budgets[_i], .budget_count = 1};
    ck_assert_int_eq(drift_monitor_new(&monitor, &settings), -EINVAL);
    ck_assert_ptr_null(monitor);
}
END_TEST

START_TEST(settings_are_checked)
{
    const struct drift_settings wrong[] = {
        {.window = 2000000}, {.budget_count = 65, .budgets = budgets}, {.backoff_s = NAN}, {.stale_after_s = 1e18}};
    struct drift_monitor *monitor;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ck_assert_int_eq(drift_monitor_new(&monitor, &wrong[i]), -EINVAL);
        ck_assert_ptr_null(monitor);
    }
    ck_assert_int_eq(drift_monitor_new(&monitor, &(struct drift_settings){0}), 0); /* no budget: nothing is judged */
    ck_assert(!add(monitor, 0, 0, 1e6).failing);
    ck_assert_str_eq(drift_monitor_state(monitor, 0), "healthy");
    drift_monitor_destroy(&monitor);
}
END_TEST

START_TEST(version_is_told)
{
    int major, minor, patch;
    char rest;
    ck_assert_int_eq(sscanf(drift_version(), "%d.%d.%d%c", &major, &minor, &patch, &rest), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("drift");
    TCase *tcase = tcase_create("drift");
    tcase_add_test(tcase, the_example_does_what_it_says);
    tcase_add_test(tcase, zeros_are_the_defaults);
    tcase_add_test(tcase, retraining_holds_the_backoff);
    tcase_add_test(tcase, below_zero_is_none);
    tcase_add_test(tcase, statistics_by_name);
    tcase_add_test(tcase, what_is_wrong_is_refused_and_nothing_taken);
    tcase_add_loop_test(tcase, budgets_are_checked, 0, sizeof no_budgets / sizeof no_budgets[0]);
    tcase_add_test(tcase, settings_are_checked);
    tcase_add_test(tcase, version_is_told);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

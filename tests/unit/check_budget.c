#include "lib/monitor/budget.h"
#include "tests/run_suite.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

/* One value in a window of one against a budget; NAN: no such limit. */
static const struct {
    double value, min, max;
    bool violated;
    double severity;
    const char *rule; /* of a violation */
} cases[] = {
    {0.5, 0.80, NAN, true, 0.375, "accuracy mean < 0.8"},
    {0.80, 0.80, NAN, false, 0, NULL},
    {0.81, 0.80, NAN, false, 0, NULL},
    {0.7999, 0.80, NAN, true, 0.000125, "accuracy mean < 0.8"},
    {800, NAN, 400, true, 1, "accuracy mean > 400"},
    {400, NAN, 400, false, 0, NULL},
    {12, 10, 20, false, 0, NULL},
    {5, 10, 20, true, 0.5, "accuracy mean < 10"},
    {30, 10, 20, true, 0.5, "accuracy mean > 20"},
    {-3, -2, NAN, true, 0.5, "accuracy mean < -2"},
    {-1, NAN, -2, true, 0.5, "accuracy mean > -2"},
    {0.25, NAN, 0, true, 0.25, "accuracy mean > 0"}, /* no relation to 0: the difference itself */
    {5, NAN, NAN, false, 0, NULL},
    {1, 0.123456789012345, 0.5, true, 1, "accuracy mean > 0.5"},
    {0, 0.123456789012345, NAN, true, 1, "accuracy mean < 0.123456789012345"},
};

START_TEST(values_against_budgets)
{
    const struct kpi_budget kpi = {
        .metric = "accuracy", .min = cases[_i].min, .max = cases[_i].max, .over = WINDOW_MEAN};
    struct window *window;
    char rule[MONITOR_RULE_MAX];
    ck_assert_int_eq(window_new(&window, 1, false), 0);
    window_add(window, cases[_i].value, 1);
    struct breach breach = budget_judge(&kpi, window);
    ck_assert_int_eq(breach.violated, cases[_i].violated);
    ck_assert_double_eq_tol(breach.severity, cases[_i].severity, 1e-6);
    ck_assert_double_eq_tol(breach.observed, cases[_i].value, 1e-7 * fabs(cases[_i].value) + 1e-30);
    if (cases[_i].violated) {
        budget_rule(&kpi, &breach, rule);
        ck_assert_str_eq(rule, cases[_i].rule);
    }
    window_destroy(&window);
}
END_TEST

START_TEST(the_longest_rule_fits)
{
    struct kpi_budget kpi = {.min = -1.23456789012345e-300, .max = NAN, .over = WINDOW_MEDIAN};
    struct breach breach = {.violated = true, .sign = '<', .limit = kpi.min};
    char rule[MONITOR_RULE_MAX];
    memset(kpi.metric, 'x', METRIC_NAME_MAX);
    budget_rule(&kpi, &breach, rule);
    ck_assert_str_eq(rule + METRIC_NAME_MAX, " median < -1.23456789012345e-300");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("budget");
    TCase *tcase = tcase_create("budget");
    tcase_add_loop_test(tcase, values_against_budgets, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tcase, the_longest_rule_fits);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

#include "lib/monitor/metric_table.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct metric_keep plain = {.values = 4};
static const struct metric_keep timed = {.values = 4, .timed = true};

START_TEST(rows_are_found_by_name)
{
    struct metric_table table = {0};
    char name[16];
    ck_assert_uint_eq(metric_table_find(&table, text_of("m0"), 0), METRIC_TABLE_NONE);
    for (uint32_t i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "m%u", i);
        ck_assert_int_eq(metric_table_put(&table, text_of(name), &plain), 0);
    }
    ck_assert_uint_eq(table.count, 64);
    for (uint32_t i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "m%u", i);
        ck_assert_str_eq(metric_table_name(&table, i), name);
        for (uint32_t first = 0; first < 70; first++) /* wherever the search begins */
            ck_assert_uint_eq(metric_table_find(&table, text_of(name), first), i);
    }
    ck_assert_uint_eq(metric_table_find(&table, text_of("m"), 3), METRIC_TABLE_NONE);
    ck_assert_uint_eq(metric_table_find(&table, text_of("m64"), 3), METRIC_TABLE_NONE);
    ck_assert_uint_eq(metric_table_find(&table, text_of("m100"), 3), METRIC_TABLE_NONE);
    metric_table_clear(&table);
    ck_assert_uint_eq(table.count, 0);
}
END_TEST

START_TEST(newest_rows_can_be_taken_away)
{
    struct metric_table table = {0};
    ck_assert_int_eq(metric_table_put(&table, text_of("accuracy"), &timed), 0);
    ck_assert_int_eq(metric_table_put(&table, text_of("latency_ms"), &timed), 0);
    ck_assert_int_eq(metric_table_put(&table, text_of("recall"), &plain), 0);
    metric_table_cut(&table, 1);
    ck_assert_uint_eq(table.count, 1);
    ck_assert_uint_eq(metric_table_find(&table, text_of("recall"), 0), METRIC_TABLE_NONE);
    ck_assert_int_eq(metric_table_put(&table, text_of("precision"), &plain), 0);
    ck_assert_str_eq(metric_table_name(&table, 0), "accuracy");
    ck_assert_str_eq(metric_table_name(&table, 1), "precision");
    metric_table_clear(&table);
}
END_TEST

START_TEST(values_go_to_their_own_window)
{
    struct metric_table table = {0};
    ck_assert_int_eq(metric_table_put(&table, text_of("a"), &plain), 0);
    ck_assert_int_eq(metric_table_put(&table, text_of("b"), &timed), 0);
    ck_assert_int_eq(metric_table_reserve_weights(&table, 1), 0);
    metric_table_add(&table, 0, 5, 1, 0);
    metric_table_add(&table, 1, 1, 3, 0);
    metric_table_add(&table, 1, 9, 1, 0);
    ck_assert_double_eq(window_get(metric_table_window(&table, 0), WINDOW_MEAN), 5);
    ck_assert_double_eq(window_get(metric_table_window(&table, 1), WINDOW_MEAN), 3);
    ck_assert_double_eq(window_get(metric_table_window(&table, 1), WINDOW_MEDIAN), 1);
    metric_table_clear(&table);
}
END_TEST

/* The times of the values in the window, kept as gaps: through the ring's end, back in time, and after long silence. */
START_TEST(a_window_knows_when_it_began)
{
    static const struct {
        double at_s, start_s;
    } steps[] = {
        {1764000000.25, 1764000000.25}, {1764000000.5, 1764000000.25}, {1764000001, 1764000000.25},
        {1764000001.5, 1764000000.25},  {1764000001.75, 1764000000.5}, {1764000001, 1764000001}, /* a clock set back */
        {1764000002, 1764000001.5},     {1764300000, 1764000001.75},   {1764300001, 1764000001},
        {1764300002, 1764000002},       {1764300003, 1764300000},
    };
    struct metric_table table = {0};
    ck_assert_int_eq(metric_table_put(&table, text_of("a"), &timed), 0);
    ck_assert_double_nan(metric_table_start_s(&table, 0));
    ck_assert_double_nan(metric_table_end_s(&table, 0));
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        metric_table_add(&table, 0, 1, 1, steps[i].at_s);
        ck_assert_double_eq(metric_table_end_s(&table, 0), steps[i].at_s);
        ck_assert_double_eq_tol(metric_table_start_s(&table, 0), steps[i].start_s, 0.05);
        if (steps[i].at_s < 1764300000) /* gaps of a few seconds in quarters are exact */
            ck_assert_double_eq(metric_table_start_s(&table, 0), steps[i].start_s);
    }
    metric_table_clear(&table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_table");
    TCase *tcase = tcase_create("metric_table");
    tcase_add_test(tcase, rows_are_found_by_name);
    tcase_add_test(tcase, newest_rows_can_be_taken_away);
    tcase_add_test(tcase, values_go_to_their_own_window);
    tcase_add_test(tcase, a_window_knows_when_it_began);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

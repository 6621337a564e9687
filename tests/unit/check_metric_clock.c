/* Rows that share their times know them as if each kept its own. */
#include "lib/monitor/metric_table.h"
#include "tests/run_suite.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "bench/streams.h"

#define ROWS 5 /* all but the last are timed */
#define VALUES 7

static struct metric_table table, own[ROWS]; /* and one table for each row */

static void name_of(uint32_t row, char out[2])
{
    out[0] = (char)('a' + row);
    out[1] = '\0';
}

static void put(struct metric_table *to, uint32_t row)
{
    char name[2];
    const struct metric_keep keep = {.values = VALUES, .use = {.sum = true, .ewma = true}, .timed = row + 1 < ROWS};
    name_of(row, name);
    ck_assert_int_eq(metric_table_put(to, text_of(name), &keep), 0);
    ck_assert_uint_eq(metric_table_find_key(to, 100 + row, text_of(name), 0), to->count - 1);
}

static void enter(void)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        put(&table, row);
        put(&own[row], row);
    }
}

static void leave(void)
{
    metric_table_clear(&table);
    for (uint32_t row = 0; row < ROWS; row++)
        metric_table_clear(&own[row]);
}

static void send(uint64_t rows, uint64_t twice, double value, double at_s)
{
    ck_assert_int_eq(metric_table_part(&table, rows, twice), 0);
    for (int time = 0; time < 2; time++) {
        for (uint32_t row = 0; row < ROWS; row++) {
            if (!((time ? rows & twice : rows) >> row & 1))
                continue;
            metric_table_add(&table, row, value + row, 1, at_s);
            metric_table_add(&own[row], 0, value + row, 1, at_s);
        }
    }
}

static void compare(const struct metric_table *with)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        const struct window *left = metric_table_window(with, row), *right = metric_table_window(&own[row], 0);
        ck_assert_uint_eq(window_total(left), window_total(right));
        if (window_total(left) == 0)
            continue;
        ck_assert_double_eq(window_get(left, WINDOW_MEAN), window_get(right, WINDOW_MEAN));
        if (row + 1 == ROWS)
            continue;
        ck_assert_double_eq(metric_table_start_s(with, row), metric_table_start_s(&own[row], 0));
        ck_assert_double_eq(metric_table_end_s(with, row), metric_table_end_s(&own[row], 0));
    }
}

START_TEST(each_row_knows_its_times)
{
    struct stream s = stream_seeded(5, (uint64_t)_i);
    double now_s = 1.7e9;
    for (int event = 0; event < 400; event++) {
        const uint64_t rows = stream_uniform(&s) < 0.9 ? 31 : (uint64_t)(stream_uniform(&s) * 32),
                       twice = stream_uniform(&s) < 0.98 ? 0 : rows & (uint64_t)(stream_uniform(&s) * 32);
        now_s += stream_uniform(&s);
        send(rows, twice, stream_uniform(&s), now_s);
        compare(&table);
    }
}
END_TEST

START_TEST(times_are_there_once)
{
    double now_s = 1.7e9;
    ck_assert_uint_eq(table.columns, ROWS + 1);
    for (int event = 0; event < 20; event++)
        send(31, 0, event, now_s += 0.5);
    send(16, 0, 1, now_s += 0.5); /* none of those that share */
    ck_assert_uint_eq(table.columns, ROWS + 1);
    send(6, 0, 1, now_s += 0.5);
    ck_assert_uint_eq(table.columns, ROWS + 3);
    ck_assert_uint_eq(table.together, 6);
    send(15, 0, 1, now_s += 0.5);
    ck_assert_uint_eq(table.columns, ROWS + 3);
    send(15, 6, 1, now_s += 0.5);
    ck_assert_uint_eq(table.columns, ROWS + 4);
    compare(&table);
}
END_TEST

/* One row of those that share twice, and the others not at all. */
START_TEST(a_metric_that_comes_twice_parts)
{
    send(31, 0, 1, 1.7e9);
    send(2, 2, 2, 1.7e9 + 1);
    ck_assert_uint_eq(table.together, 1);
    send(31, 0, 3, 1.7e9 + 2);
    compare(&table);
}
END_TEST

START_TEST(a_later_row_has_times_of_its_own)
{
    struct metric_table late = {0};
    put(&late, 0);
    metric_table_add(&late, 0, 1, 1, 100);
    put(&late, 1);
    ck_assert_uint_eq(late.columns, 4);
    metric_table_add(&late, 0, 1, 1, 107);
    metric_table_add(&late, 1, 1, 1, 107);
    ck_assert_double_eq(metric_table_start_s(&late, 0), 100);
    ck_assert_double_eq(metric_table_start_s(&late, 1), 107);
    metric_table_clear(&late);
}
END_TEST

static void load(struct metric_table *to, uint8_t *saved, size_t size)
{
    struct codec saving = {.out = saved, .size = size};
    for (uint32_t row = 0; row < ROWS; row++)
        ck_assert(metric_table_walk(&table, row, &saving));
    ck_assert(!saving.failed);
    struct codec loading = {.in = saved, .size = saving.at};
    for (uint32_t row = 0; row < ROWS; row++) {
        put(to, row);
        ck_assert(metric_table_walk(to, row, &loading));
    }
    ck_assert(!loading.failed && loading.at == saving.at);
}

START_TEST(what_is_loaded_or_copied_shares_what_is_the_same)
{
    static uint8_t saved[4096];
    struct metric_table loaded = {0}, copied = {0};
    double now_s = 1.7e9;
    if (_i > 1)
        send(29, 0, 5, now_s += 3); /* row 1 has come once less */
    for (int event = 0; event < (_i % 2 ? 3 : 12); event++)
        send(31, 0, event, now_s += 1 + event % 3);
    load(&loaded, saved, sizeof saved);
    compare(&loaded);
    for (uint32_t row = 0; row < ROWS; row++) {
        const struct metric_keep keep = {.values = VALUES, .use = {.sum = true, .ewma = true}, .timed = row + 1 < ROWS};
        ck_assert_int_eq(metric_table_copy(&table, row, &copied, &keep), 0);
    }
    compare(&copied);
    metric_table_share(&loaded);
    metric_table_share(&copied);
    ck_assert_uint_eq(loaded.columns, table.columns);
    ck_assert_uint_eq(loaded.together, _i > 1 ? 13 : 15);
    ck_assert_uint_eq(copied.together, loaded.together);
    compare(&loaded);
    compare(&copied);
    metric_table_clear(&loaded);
    metric_table_clear(&copied);
}
END_TEST

/* As many values, as far apart. */
START_TEST(who_comes_a_little_later_shares_nothing)
{
    static uint8_t saved[4096];
    struct metric_table loaded = {0};
    for (int event = 0; event < 12; event++) {
        send(29, 0, event, 1.7e9 + event);
        send(2, 0, event, 1.7e9 + event + 0.25);
    }
    load(&loaded, saved, sizeof saved);
    metric_table_share(&loaded);
    ck_assert_uint_eq(loaded.together, 13);
    compare(&loaded);
    metric_table_clear(&loaded);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_clock");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, enter, leave);
    tcase_add_loop_test(all, each_row_knows_its_times, 0, 20);
    tcase_add_test(all, times_are_there_once);
    tcase_add_test(all, a_metric_that_comes_twice_parts);
    tcase_add_test(all, a_later_row_has_times_of_its_own);
    tcase_add_loop_test(all, what_is_loaded_or_copied_shares_what_is_the_same, 0, 4);
    tcase_add_test(all, who_comes_a_little_later_shares_nothing);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

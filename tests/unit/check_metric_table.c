#include "lib/monitor/metric_table.h"
#include "tests/run_suite.h"

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

static uint64_t state = 11;

static uint32_t draw(uint32_t below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % below);
}

#define METRICS 6

/* One is timed, one is watched, one is ordered, one is only averaged. */
static void put_metrics(struct metric_table *table)
{
    static const struct window_use uses[METRICS] = {
        {.sum = true, .ewma = true},
        {.sum = true, .ewma = true},
        {.ewma = true, .ranks = 1, .rank = WINDOW_P95, .min = NAN, .max = 3},
        {.ewma = true},
        {.sum = true},
        {.ewma = true, .ranks = 1, .rank = WINDOW_MEDIAN, .min = 1, .max = 3},
    };
    for (uint32_t i = 0; i < METRICS; i++) {
        char name[] = {(char)('a' + i), '\0'};
        const struct metric_keep keep = {.values = 7, .use = uses[i], .timed = i < 2};
        ck_assert_int_eq(metric_table_put(table, text_of(name), &keep), 0);
        ck_assert_uint_eq(metric_table_find_key(table, 100 + i, text_of(name), 0), i);
    }
}

static void ck_assert_same(const struct metric_table *a, const struct metric_table *b)
{
    for (uint32_t row = 0; row < METRICS; row++) {
        const struct window *left = metric_table_window(a, row), *right = metric_table_window(b, row);
        ck_assert_uint_eq(window_total(left), window_total(right));
        for (int stat = 0; stat < WINDOW_STATS; stat++) {
            const double from = window_get(left, (enum window_stat)stat),
                         to = window_get(right, (enum window_stat)stat);
            ck_assert_mem_eq(&from, &to, sizeof from);
        }
        const double from = metric_table_end_s(a, row), to = metric_table_end_s(b, row);
        ck_assert_mem_eq(&from, &to, sizeof from);
        if (left->more && left->more->watch.on)
            ck_assert_int_eq(window_watch_side(left), window_watch_side(right));
    }
    ck_assert_double_eq(metric_table_start_s(a, 0), metric_table_start_s(b, 0));
}

/* Any selection of metrics, in the order of the rows: the same as one by one, to the last bit; now and then a giant
 * that no double can be summed with. */
START_TEST(an_event_is_taken_as_its_metrics_are)
{
    struct metric_table whole = {0}, single = {0};
    put_metrics(&whole);
    put_metrics(&single);
    ck_assert_int_eq(metric_table_part(&single, 1, 0), 0);
    for (int event = 0; event < 3000; event++) {
        struct metric metrics[METRICS];
        uint32_t count = 0;
        uint64_t carried = 0, expected = 0;
        const double at_s = 1764000000 + event * 0.25;
        for (uint32_t row = 0; row < METRICS; row++) {
            if (draw(event / 100 % 3 ? 20 : 3) == 0)
                continue;
            double value = (double)draw(1000) / 200;
            if (draw(200) == 0)
                value = draw(2) ? 1e300 : 1e25;
            metrics[count++] = (struct metric){.key = 100 + row, .kind = METRIC_NUMBER, .number = value};
            metric_table_add(&single, row, value, 1, at_s);
            expected |= UINT64_C(1) << row;
        }
        /* The shape is told at times, and stands for which metrics there are. */
        const struct metric_event taken = {
            .n = 1, .metrics = metrics, .metric_count = count, .shape = draw(3) ? expected : 0};
        if (count && !metric_table_take(&whole, &taken, at_s, &carried)) {
            ck_assert_uint_ne(whole.together & expected, 0); /* rows that were together until now */
            ck_assert_int_eq(metric_table_part(&whole, expected, 0), 0);
            ck_assert(metric_table_take(&whole, &taken, at_s, &carried));
        }
        ck_assert_uint_eq(carried, expected);
        ck_assert_same(&whole, &single);
    }
    metric_table_clear(&whole);
    metric_table_clear(&single);
}
END_TEST

START_TEST(what_is_unusual_is_not_taken)
{
    static const struct metric_keep ordered = {.values = 7, .use = {.ranks = 2}};
    struct metric_table table = {0};
    struct metric two[] = {{.key = 100, .kind = METRIC_NUMBER, .number = 1},
                           {.key = 101, .kind = METRIC_NUMBER, .number = 2}};
    const struct metric_event event = {.n = 1, .metrics = two, .metric_count = 2};
    uint64_t carried;
    ck_assert(!metric_table_take(&table, &event, 0, &carried));
    put_metrics(&table);
    ck_assert(metric_table_take(&table, &event, 0, &carried));
    two[1].key = 0; /* no key is that of no row */
    ck_assert(!metric_table_take(&table, &event, 0, &carried));
    two[1].key = 100; /* not behind the one before */
    ck_assert(!metric_table_take(&table, &event, 0, &carried));
    two[1].key = 999;
    ck_assert(!metric_table_take(&table, &event, 0, &carried));
    two[1].key = 101;
    two[1].kind = METRIC_HISTOGRAM;
    ck_assert(!metric_table_take(&table, &event, 0, &carried));
    two[1].kind = METRIC_NUMBER;
    ck_assert_int_eq(metric_table_reserve_weights(&table, 1), 0);
    ck_assert(!metric_table_take(&table, &event, 0, &carried));
    ck_assert_int_eq(metric_table_put(&table, text_of("ordered"), &ordered), 0);
    ck_assert_uint_eq(metric_table_find_key(&table, 200, text_of("ordered"), 0), METRICS);
    two[1].key = 200;
    ck_assert(!metric_table_take(&table, &event, 0, &carried));
    for (uint32_t row = 0; row <= METRICS; row++)
        ck_assert_uint_eq(window_total(metric_table_window(&table, row)), row < 2);
    metric_table_clear(&table);
}
END_TEST

/* A row that comes, goes, or gets weights: what was known of a shape is forgotten. */
START_TEST(a_shape_is_known_until_rows_change)
{
    struct metric_table table = {0};
    struct metric two[] = {{.key = 100, .kind = METRIC_NUMBER, .number = 1},
                           {.key = 101, .kind = METRIC_NUMBER, .number = 2}};
    const struct metric_event event = {.n = 1, .metrics = two, .metric_count = 2, .shape = 5};
    uint64_t carried;
    put_metrics(&table);
    ck_assert(metric_table_take(&table, &event, 0, &carried));
    ck_assert_uint_eq(table.shape, 5);
    ck_assert(metric_table_take(&table, &event, 0, &carried));
    ck_assert_uint_eq(carried, 3);
    ck_assert_int_eq(metric_table_put(&table, text_of("z"), &(struct metric_keep){.values = 7}), 0);
    ck_assert_uint_eq(table.shape, 0);
    ck_assert(metric_table_take(&table, &event, 0, &carried));
    metric_table_cut(&table, METRICS);
    ck_assert_uint_eq(table.shape, 0);
    ck_assert(metric_table_take(&table, &event, 0, &carried));
    ck_assert_uint_eq(table.shape, 5);
    ck_assert_int_eq(metric_table_reserve_weights(&table, 1), 0);
    ck_assert(!metric_table_take(&table, &event, 0, &carried));
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
    tcase_add_test(tcase, an_event_is_taken_as_its_metrics_are);
    tcase_add_test(tcase, what_is_unusual_is_not_taken);
    tcase_add_test(tcase, a_shape_is_known_until_rows_change);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

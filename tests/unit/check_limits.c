#include <check.h>
#include <stdlib.h>

#include "lib/retrain/limits.h"
#include "tests/run_suite.h"

#define H (INT64_C(3600) * 1000000000)

static const struct siphash_key key = {3, 4};
static struct limits *limits;
static struct limit_account *a, *b;

static void open_limits(struct limit_set fleet, struct limit_set project_a)
{
    struct limit_project projects[] = {{"a", project_a}};
    ck_assert_int_eq(limits_new(&limits, &fleet, projects, 1, &key), 0);
    a = limits_account(limits, text_of("a"));
    b = limits_account(limits, text_of("b"));
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_ne(a, b);
    ck_assert_ptr_eq(limits_account(limits, text_of("a")), a);
}

static void close_limits(void)
{
    limits_destroy(&limits);
    ck_assert_ptr_null(limits);
    limits_destroy(&limits);
}

#define FLEET(first, micro) limits_judge_fleet(limits, (first), (micro)).kind
#define PROJECT(account, first, micro) limits_judge_project((account), (first), (micro)).kind

START_TEST(nothing_set_holds_nothing)
{
    struct limit_ticket *ticket[200];
    open_limits((struct limit_set){0}, (struct limit_set){0});
    for (int i = 0; i < 100; i++) {
        limits_enter(limits, a);
        ck_assert_int_eq(limits_start(limits, a, text_of("a/n"), i, &ticket[i]), 0);
        ck_assert_int_eq(limits_spend(limits, a, limits_micro(1e6), i, &ticket[100 + i]), 0);
    }
    ck_assert_int_eq(FLEET(true, limits_micro(1e6)), LIMIT_NONE);
    ck_assert_int_eq(PROJECT(a, true, limits_micro(1e6)), LIMIT_NONE);
    ck_assert_int_eq(limits_model_free_ns(limits, a, text_of("a/n")), INT64_MIN);
    close_limits();
    for (int i = 0; i < 200; i++)
        ck_assert_ptr_null(ticket[i]);
}
END_TEST

START_TEST(concurrent_counts_what_runs)
{
    open_limits((struct limit_set){.concurrent = 3}, (struct limit_set){.concurrent = 1});
    limits_enter(limits, a);
    ck_assert_int_eq(PROJECT(a, true, 0), LIMIT_CONCURRENT);
    ck_assert(limits_judge_project(a, true, 0).of_project);
    ck_assert_int_eq(PROJECT(a, false, 0), LIMIT_CONCURRENT);
    ck_assert_int_eq(PROJECT(b, true, 0), LIMIT_NONE);
    ck_assert_int_eq(FLEET(true, 0), LIMIT_NONE);
    limits_enter(limits, b);
    limits_enter(limits, b);
    ck_assert_int_eq(FLEET(true, 0), LIMIT_CONCURRENT);
    ck_assert(!limits_judge_fleet(limits, true, 0).of_project);
    ck_assert_ptr_null(limits_take_eased(limits));
    limits_leave(limits, a);
    ck_assert_ptr_eq(limits_take_eased(limits), a);
    ck_assert_ptr_null(limits_take_eased(limits));
    ck_assert_int_eq(FLEET(true, 0), LIMIT_NONE);
    ck_assert_int_eq(PROJECT(a, true, 0), LIMIT_NONE);
    close_limits();
}
END_TEST

START_TEST(a_day_slides)
{
    struct limit_ticket *ticket[4] = {NULL};
    open_limits((struct limit_set){.per_day = 3}, (struct limit_set){.per_day = 2});
    limits_start(limits, a, text_of("a/m"), 0 * H, &ticket[0]);
    limits_start(limits, a, text_of("a/n"), 10 * H, &ticket[1]);
    ck_assert_int_eq(PROJECT(a, true, 0), LIMIT_PER_DAY);
    ck_assert_int_eq(PROJECT(a, false, 0), LIMIT_NONE); /* a retry is no further request */
    limits_start(limits, b, text_of("b/n"), 11 * H, &ticket[2]);
    ck_assert_int_eq(FLEET(true, 0), LIMIT_PER_DAY);
    ck_assert_int_eq(limits_next_expiry_ns(limits), 24 * H);
    limits_expire(limits, 24 * H - 1);
    ck_assert_ptr_nonnull(ticket[0]);
    limits_expire(limits, 24 * H);
    ck_assert_ptr_null(ticket[0]);
    ck_assert_int_eq(FLEET(true, 0), LIMIT_NONE);
    ck_assert_int_eq(PROJECT(a, true, 0), LIMIT_NONE);
    ck_assert_ptr_eq(limits_take_eased(limits), a);
    /* One that never happened is given back at once. */
    limits_start(limits, a, text_of("a/m"), 25 * H, &ticket[3]);
    ck_assert_int_eq(PROJECT(a, true, 0), LIMIT_PER_DAY);
    limits_refund(limits, &ticket[3]);
    ck_assert_ptr_null(ticket[3]);
    limits_refund(limits, &ticket[3]);
    ck_assert_int_eq(PROJECT(a, true, 0), LIMIT_NONE);
    limits_expire(limits, 36 * H);
    ck_assert_int_eq(limits_next_expiry_ns(limits), INT64_MAX);
    close_limits();
}
END_TEST

START_TEST(a_model_has_its_share_of_the_day)
{
    struct limit_ticket *ticket[8] = {NULL};
    open_limits((struct limit_set){.per_model_per_day = 3}, (struct limit_set){.per_model_per_day = 2});
    struct text family = text_of("a/n");
    ck_assert(limits_model_of_project(limits, a));
    limits_start(limits, a, family, 1 * H, &ticket[0]);
    ck_assert_int_eq(limits_model_free_ns(limits, a, family), INT64_MIN);
    limits_start(limits, a, family, 5 * H, &ticket[1]);
    ck_assert_int_eq(limits_model_free_ns(limits, a, family), 25 * H);
    ck_assert_int_eq(limits_model_free_ns(limits, a, text_of("a/other")), INT64_MIN);
    /* More than allowed, as after a reload: the second oldest of three must leave too. In any order. */
    limits_start(limits, a, family, 3 * H, &ticket[2]);
    ck_assert_int_eq(limits_model_free_ns(limits, a, family), 27 * H);
    limits_expire(limits, 25 * H);
    ck_assert_int_eq(limits_model_free_ns(limits, a, family), 27 * H);
    limits_expire(limits, 27 * H);
    ck_assert_int_eq(limits_model_free_ns(limits, a, family), INT64_MIN);
    ck_assert_ptr_null(ticket[2]);
    ck_assert_ptr_nonnull(ticket[1]);
    /* The fleet's limit stands alone where the project has none. */
    for (int i = 3; i < 6; i++)
        limits_start(limits, b, text_of("b/n"), (20 + i) * H, &ticket[i]);
    ck_assert_int_eq(limits_model_free_ns(limits, b, text_of("b/n")), 47 * H);
    close_limits();
}
END_TEST

START_TEST(gpu_hours_are_what_they_cost)
{
    struct limit_ticket *ticket[2] = {NULL};
    open_limits((struct limit_set){.micro_gpu_hours_per_day = limits_micro(20)},
                (struct limit_set){.micro_gpu_hours_per_day = limits_micro(12)});
    limits_spend(limits, a, limits_micro(8), 0, &ticket[0]);
    ck_assert_int_eq(PROJECT(a, true, limits_micro(4)), LIMIT_NONE);
    ck_assert_int_eq(PROJECT(a, true, limits_micro(4.000001)), LIMIT_GPU_HOURS);
    ck_assert_int_eq(PROJECT(a, false, limits_micro(5)), LIMIT_GPU_HOURS);
    limits_spend(limits, b, limits_micro(10), 0, &ticket[1]);
    ck_assert_int_eq(FLEET(true, limits_micro(3)), LIMIT_GPU_HOURS);
    limits_correct(limits, ticket[0], limits_micro(2.5));
    ck_assert_ptr_eq(limits_take_eased(limits), a);
    ck_assert_int_eq(FLEET(true, limits_micro(7.5)), LIMIT_NONE);
    ck_assert_int_eq(FLEET(true, limits_micro(7.6)), LIMIT_GPU_HOURS);
    limits_correct(limits, ticket[0], limits_micro(30));
    ck_assert_ptr_null(limits_take_eased(limits));
    ck_assert_int_eq(FLEET(true, 0), LIMIT_GPU_HOURS);
    limits_let_go(&ticket[0]);
    ck_assert_ptr_null(ticket[0]);
    limits_expire(limits, 24 * H);
    ck_assert_int_eq(FLEET(true, limits_micro(20)), LIMIT_NONE);
    close_limits();
}
END_TEST

/* Sums of tenths come out exact: nothing creeps in over ten thousand attempts. */
START_TEST(sums_stay_exact)
{
    open_limits((struct limit_set){.micro_gpu_hours_per_day = limits_micro(0.3)}, (struct limit_set){0});
    for (int i = 0; i < 10000; i++) {
        struct limit_ticket *ticket = NULL;
        limits_spend(limits, a, limits_micro(0.1), i, &ticket);
        ck_assert_int_eq(FLEET(true, limits_micro(0.2)), LIMIT_NONE);
        limits_refund(limits, &ticket);
    }
    ck_assert_int_eq(FLEET(true, limits_micro(0.3)), LIMIT_NONE);
    ck_assert_int_eq(limits_micro(-1), 0);
    ck_assert_int_eq(limits_micro(1e300), limits_micro(1e10));
    close_limits();
}
END_TEST

START_TEST(limits_have_the_configurations_names)
{
    ck_assert_str_eq(limit_kind_name(LIMIT_NONE), "");
    ck_assert_str_eq(limit_kind_name(LIMIT_CONCURRENT), "concurrent");
    ck_assert_str_eq(limit_kind_name(LIMIT_PER_DAY), "per_day");
    ck_assert_str_eq(limit_kind_name(LIMIT_GPU_HOURS), "gpu_hours_per_day");
    ck_assert_str_eq(limit_kind_name(LIMIT_PER_MODEL), "per_model_per_day");
}
END_TEST

START_TEST(other_limits_count_what_was_used_before)
{
    struct limit_ticket *ticket[3];
    open_limits((struct limit_set){.per_day = 3}, (struct limit_set){.concurrent = 1});
    limits_enter(limits, a);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(limits_start(limits, i ? b : a, text_of(i ? "b/n" : "a/n"), i, &ticket[i]), 0);
    ck_assert_int_eq(FLEET(true, 0), LIMIT_PER_DAY);
    ck_assert_int_eq(PROJECT(a, true, 0), LIMIT_CONCURRENT);
    const struct limit_set fleet = {.per_day = 4, .per_model_per_day = 2};
    const struct limit_project projects[] = {{"b", {.per_day = 2}}, {"c", {.concurrent = 5}}};
    while (limits_take_eased(limits))
        ;
    ck_assert_int_eq(limits_change(limits, &fleet, projects, 2), 0);
    ck_assert_int_eq(FLEET(true, 0), LIMIT_NONE);
    ck_assert_int_eq(PROJECT(a, true, 0), LIMIT_NONE); /* its own are gone */
    ck_assert_int_eq(PROJECT(b, true, 0), LIMIT_PER_DAY);
    ck_assert_int_eq(limits_model_free_ns(limits, b, text_of("b/n")), 1 + LIMITS_DAY_NS);
    /* Both may be held less than before, and who orders the waiting hears of it. */
    struct limit_account *first = limits_take_eased(limits), *second = limits_take_eased(limits);
    ck_assert((first == a && second == b) || (first == b && second == a));
    struct limit_account *c = limits_account(limits, text_of("c"));
    for (int i = 0; i < 5; i++)
        limits_enter(limits, c);
    ck_assert_int_eq(PROJECT(c, true, 0), LIMIT_CONCURRENT);
    ck_assert_int_eq(limits_change(limits, &fleet, NULL, 0), 0);
    ck_assert_int_eq(PROJECT(b, true, 0), LIMIT_NONE);
    close_limits();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("limits");
    TCase *tests = tcase_create("counts");
    tcase_add_test(tests, nothing_set_holds_nothing);
    tcase_add_test(tests, other_limits_count_what_was_used_before);
    tcase_add_test(tests, concurrent_counts_what_runs);
    tcase_add_test(tests, a_day_slides);
    tcase_add_test(tests, a_model_has_its_share_of_the_day);
    tcase_add_test(tests, gpu_hours_are_what_they_cost);
    tcase_add_test(tests, sums_stay_exact);
    tcase_add_test(tests, limits_have_the_configurations_names);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

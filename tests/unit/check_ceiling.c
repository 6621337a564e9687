#include <check.h>

#include "daemon/base/ceiling.h"
#include "tests/run_suite.h"

static struct ceiling ceiling;

static void enter(void)
{
    ceiling_init(&ceiling, 1000);
}

START_TEST(it_grants_up_to_the_bound)
{
    ck_assert(ceiling_take(&ceiling, 600));
    ck_assert(!ceiling_take(&ceiling, 401));
    ck_assert(ceiling_take(&ceiling, 400));
    ck_assert(ceiling_refuses(&ceiling, 1));
    ck_assert_int_eq(ceiling_used(&ceiling), 1000);
    ck_assert_uint_eq(ceiling_refused(&ceiling), 2);
    ck_assert(ceiling_take(&ceiling, -500)); /* what is given back can be had again */
    ck_assert(!ceiling_refuses(&ceiling, 500));
    ck_assert(ceiling_take(&ceiling, 500));
    ck_assert_uint_eq(ceiling_refused(&ceiling), 2);
}
END_TEST

START_TEST(closed_it_grants_nothing_and_takes_back)
{
    ck_assert(ceiling_take(&ceiling, 10));
    ceiling_close(&ceiling, true);
    ck_assert(!ceiling_take(&ceiling, 1));
    ck_assert(ceiling_refuses(&ceiling, 1));
    ck_assert(ceiling_take(&ceiling, -4));
    ck_assert_int_eq(ceiling_used(&ceiling), 6);
    ceiling_close(&ceiling, false);
    ck_assert(ceiling_take(&ceiling, 1));
}
END_TEST

START_TEST(what_is_counted_may_be_beyond_the_bound)
{
    ceiling_count(&ceiling, 1500);
    ck_assert_int_eq(ceiling_used(&ceiling), 1500);
    ck_assert(!ceiling_take(&ceiling, 1));
    ck_assert(ceiling_take(&ceiling, -100));
    ck_assert(!ceiling_take(&ceiling, 1));
    ceiling_set(&ceiling, 1401);
    ck_assert(ceiling_take(&ceiling, 1));
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("ceiling");
    tcase_add_checked_fixture(cases, enter, NULL);
    tcase_add_test(cases, it_grants_up_to_the_bound);
    tcase_add_test(cases, closed_it_grants_nothing_and_takes_back);
    tcase_add_test(cases, what_is_counted_may_be_beyond_the_bound);
    Suite *suite = suite_create("ceiling");
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

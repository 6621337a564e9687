#include "lib/monitor/episode.h"
#include "tests/run_suite.h"

#include <check.h>
#include <stdlib.h>

START_TEST(time_passes_between_any_two_moments)
{
    ck_assert_int_eq(episode_since_ns(7, 5), 2);
    ck_assert_int_eq(episode_since_ns(-7, 5), -12);
    ck_assert_int_eq(episode_since_ns(1, INT64_MIN), INT64_MAX);
    ck_assert_int_eq(episode_since_ns(INT64_MIN, 1), INT64_MIN);
    ck_assert_int_eq(episode_since_ns(INT64_MAX, INT64_MAX), 0);
}
END_TEST

START_TEST(the_first_trigger_waits_for_nothing)
{
    struct episode e = episode_none();
    ck_assert_int_eq(episode_backoff_left_ns(&e, 100, 0), 0);
    ck_assert_int_eq(episode_backoff_left_ns(&e, INT64_MAX, INT64_MIN), 0);
    ck_assert(!episode_open_at(&e, 100, 0));
}
END_TEST

START_TEST(backoff_runs_from_the_later_of_trigger_and_end)
{
    struct episode e = episode_none();
    episode_trigger(&e, 1, 1000);
    ck_assert_int_eq(episode_backoff_left_ns(&e, 100, 1000), 100);
    ck_assert_int_eq(episode_backoff_left_ns(&e, 100, 1099), 1);
    ck_assert_int_eq(episode_backoff_left_ns(&e, 100, 1100), 0);
    episode_request_live(&e, false, 900); /* the end of an earlier one */
    ck_assert_int_eq(episode_backoff_left_ns(&e, 100, 1000), 100);
    episode_request_live(&e, false, 1500);
    ck_assert_int_eq(episode_backoff_left_ns(&e, 100, 1550), 50);
    ck_assert_int_eq(episode_backoff_left_ns(&e, 100, 1400), 200); /* another thread's clock is ahead */
    episode_request_live(&e, false, 1400);                         /* told again, and late */
    ck_assert_int_eq(episode_backoff_left_ns(&e, 100, 1550), 50);
    episode_trigger(&e, 1, 1700);
    ck_assert_int_eq(episode_backoff_left_ns(&e, 100, 1700), 100);
    ck_assert_int_eq(episode_backoff_left_ns(&e, 0, 1700), 0);
}
END_TEST

START_TEST(an_episode_lasts_as_long_as_request_and_backoff)
{
    struct episode e = episode_none();
    episode_trigger(&e, 1, 1000);
    ck_assert(episode_open_at(&e, 100, 1099));
    ck_assert(!episode_open_at(&e, 100, 1100));
    episode_request_live(&e, true, 1010);
    ck_assert(episode_open_at(&e, 100, 50000));
    episode_request_live(&e, false, 50000);
    ck_assert(episode_open_at(&e, 100, 50099));
    ck_assert(!episode_open_at(&e, 100, 50100));
}
END_TEST

START_TEST(the_kpi_is_that_of_the_trigger_which_opened_it)
{
    struct episode e = episode_none();
    ck_assert_uint_eq(e.kpi, EPISODE_KPI_UNKNOWN);
    episode_trigger(&e, 2, 1000);
    episode_trigger(&e, 0, 1100); /* in the same episode */
    ck_assert_uint_eq(e.kpi, 2);
    e.open = false;
    episode_trigger(&e, 0, 2000);
    ck_assert_uint_eq(e.kpi, 0);
    e.open = false;
    episode_triggered_at(&e, 3000);
    ck_assert(e.open);
    ck_assert_uint_eq(e.kpi, EPISODE_KPI_UNKNOWN);
}
END_TEST

START_TEST(a_known_trigger_is_no_news)
{
    struct episode e = episode_none();
    episode_triggered_at(&e, EPISODE_NEVER_NS);
    ck_assert(!e.open);
    episode_trigger(&e, 2, 1000);
    e.open = false; /* recovered */
    episode_triggered_at(&e, 1000);
    episode_triggered_at(&e, 500);
    ck_assert(!e.open);
    ck_assert_int_eq(e.last_trigger_ns, 1000);
    ck_assert_uint_eq(e.kpi, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("episode");
    TCase *tcase = tcase_create("episode");
    tcase_add_test(tcase, time_passes_between_any_two_moments);
    tcase_add_test(tcase, the_first_trigger_waits_for_nothing);
    tcase_add_test(tcase, backoff_runs_from_the_later_of_trigger_and_end);
    tcase_add_test(tcase, an_episode_lasts_as_long_as_request_and_backoff);
    tcase_add_test(tcase, the_kpi_is_that_of_the_trigger_which_opened_it);
    tcase_add_test(tcase, a_known_trigger_is_no_news);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

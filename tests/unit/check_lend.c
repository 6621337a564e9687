#include <check.h>

#include "daemon/workers/lend.h"
#include "tests/run_suite.h"

#define S LEND_LOOK_NS

static struct lend lend;
static struct lend_sums sums;
static int64_t now_ns;

static void enter(void)
{
    lend = (struct lend){0};
    sums = (struct lend_sums){.messages = 77, .receiving_ns = 5 * S, .measured = 3, .judging_ns = 9000};
    now_ns = 100 * S;
    ck_assert(!lend_look(&lend, now_ns, &sums)); /* what was before the first look counts for nothing */
}

/* A second in which so many messages came, each taking this to judge and that to receive; every 50th was timed. */
static bool second(uint64_t messages, int64_t judge_ns, int64_t other_ns)
{
    const int64_t own_ns = lend.lent ? other_ns : other_ns + judge_ns;
    now_ns += S;
    sums.messages += messages;
    sums.receiving_ns += (int64_t)messages * own_ns;
    sums.measured += messages / 50;
    sums.judging_ns += (int64_t)(messages / 50) * judge_ns;
    return lend_look(&lend, now_ns, &sums);
}

START_TEST(costly_judging_of_a_busy_thread_is_lent_after_three_seconds)
{
    ck_assert(!second(80000, 8000, 500));
    ck_assert(!second(80000, 8000, 500));
    ck_assert(second(80000, 8000, 500));
    ck_assert(lend.lent);
    ck_assert_double_eq_tol(lend.judge_ns, 8000, 1e-6);
    ck_assert_double_eq_tol(lend.other_ns, 500, 1e-6);
}
END_TEST

/* Where messages stand in what the receiving thread has read itself, a thread brings less than its hand-over takes. */
START_TEST(what_is_borrowed_is_not_lent)
{
    for (int i = 0; i < 20; i++) {
        sums.borrowed += 50000;
        ck_assert(!second(80000, 8000, 500));
    }
    for (int i = 0; i < 2; i++) {
        sums.borrowed += 30000;
        ck_assert(!second(80000, 8000, 500));
    }
    sums.borrowed += 30000;
    ck_assert(second(80000, 8000, 500));
    for (int i = 0; i < 9; i++) {
        sums.borrowed += 50000;
        ck_assert(!second(80000, 8000, 500));
    }
    sums.borrowed += 50000;
    ck_assert(second(80000, 8000, 500));
    ck_assert(!lend.lent);
}
END_TEST

START_TEST(a_quiet_second_between_begins_the_count_anew)
{
    for (int i = 0; i < 20; i++) {
        ck_assert(!second(80000, 8000, 500));
        ck_assert(!second(80000, 8000, 500));
        ck_assert(!second(100, 8000, 500));
    }
    ck_assert(!second(0, 0, 0));
    ck_assert(!second(80000, 8000, 500));
    ck_assert(!second(80000, 8000, 500));
    ck_assert(second(80000, 8000, 500));
}
END_TEST

static const struct {
    uint64_t messages;
    int64_t judge_ns, other_ns;
} kept[] = {
    {1000000, 400, 300}, /* busy, and judging costs little more than receiving */
    {1000000, 599, 300}, /* just below twice */
    {60000, 8000, 1000}, /* 0.54 of the thread's time */
};

START_TEST(what_is_cheap_or_seldom_stays_with_ingest)
{
    for (int i = 0; i < 20; i++)
        ck_assert(!second(kept[_i].messages, kept[_i].judge_ns, kept[_i].other_ns));
}
END_TEST

static const struct {
    uint64_t messages;
    int64_t judge_ns, other_ns;
} returned[] = {
    {0, 0, 0},           /* nobody sends any more */
    {20000, 8000, 500},  /* 0.16 of a core */
    {1000000, 300, 400}, /* batches have become single events */
};

START_TEST(a_thread_without_work_gives_it_back_after_ten_seconds)
{
    for (int i = 0; i < 3; i++)
        second(80000, 8000, 500);
    ck_assert(lend.lent);
    for (int i = 0; i < 9; i++)
        ck_assert(!second(returned[_i].messages, returned[_i].judge_ns, returned[_i].other_ns));
    ck_assert(!second(80000, 8000, 600)); /* once more */
    for (int i = 0; i < 9; i++)
        ck_assert(!second(returned[_i].messages, returned[_i].judge_ns, returned[_i].other_ns));
    ck_assert(second(returned[_i].messages, returned[_i].judge_ns, returned[_i].other_ns));
    ck_assert(!lend.lent);
}
END_TEST

START_TEST(a_thread_with_work_keeps_it)
{
    for (int i = 0; i < 3; i++)
        second(80000, 8000, 500);
    for (int i = 0; i < 30; i++)
        ck_assert(!second(30000, 8000, 600)); /* which would not have been lent: 0.26 of a core */
}
END_TEST

START_TEST(it_looks_once_a_second)
{
    ck_assert(!second(80000, 8000, 500));
    for (int i = 0; i < 20; i++) {
        now_ns += S / 100;
        ck_assert(!lend_due(&lend, now_ns));
        ck_assert(!lend_look(&lend, now_ns, &sums));
    }
    now_ns -= S / 5;
    ck_assert(!second(80000, 8000, 500));
    ck_assert(second(80000, 8000, 500));
}
END_TEST

/* Where no turn was timed, what was known before stands. */
START_TEST(without_a_measure_the_last_one_holds)
{
    ck_assert(!second(80000, 8000, 500));
    for (int i = 0; i < 2; i++) {
        now_ns += S;
        sums.messages += 80000;
        sums.receiving_ns += S * 7 / 10;
        ck_assert(lend_look(&lend, now_ns, &sums) == (i == 1));
    }
    ck_assert_double_eq_tol(lend.judge_ns, 8000, 1e-6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lend");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, enter, NULL);
    tcase_add_test(all, costly_judging_of_a_busy_thread_is_lent_after_three_seconds);
    tcase_add_test(all, what_is_borrowed_is_not_lent);
    tcase_add_test(all, a_quiet_second_between_begins_the_count_anew);
    tcase_add_loop_test(all, what_is_cheap_or_seldom_stays_with_ingest, 0, sizeof kept / sizeof *kept);
    tcase_add_loop_test(all, a_thread_without_work_gives_it_back_after_ten_seconds, 0,
                        sizeof returned / sizeof *returned);
    tcase_add_test(all, a_thread_with_work_keeps_it);
    tcase_add_test(all, it_looks_once_a_second);
    tcase_add_test(all, without_a_measure_the_last_one_holds);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

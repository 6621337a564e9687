/* How long messages may gather: not at all where they are few, never longer than was set, about a batch where they are many. */
#include <check.h>
#include <stdlib.h>

#include "daemon/ingest/pace.h"
#include "tests/run_suite.h"

#define S INT64_C(1000000000)
#define MOST_NS INT64_C(500000)

static uint64_t bytes_each = 200; /* of a message */

/* Turns of `count` messages at so many a second, each on its own wake-up, for `for_ns`; returns the last answer. */
static int64_t turns(struct pace *pace, int64_t *now_ns, int64_t per_s, uint32_t count, int64_t for_ns)
{
    int64_t wait_ns = 0;
    for (const int64_t until_ns = *now_ns + for_ns; *now_ns < until_ns; *now_ns += S / per_s)
        wait_ns = pace_turn(pace, count, (uint64_t)count * bytes_each, *now_ns);
    return wait_ns;
}

START_TEST(seldom_messages_do_not_wait)
{
    struct pace pace;
    int64_t now_ns = 7 * S;
    pace_init(&pace, MOST_NS);
    ck_assert_int_eq(turns(&pace, &now_ns, 100, 1, S), 0);
    ck_assert_int_eq(turns(&pace, &now_ns, PACE_WAKES_PER_S / 2, 1, S), 0);
    ck_assert_int_eq(turns(&pace, &now_ns, PACE_WAKES_PER_S * 9 / 10, 3, S), 0);
}
END_TEST

START_TEST(many_wake_ups_make_messages_gather)
{
    struct pace pace;
    int64_t now_ns = 7 * S;
    pace_init(&pace, MOST_NS);
    ck_assert_int_eq(turns(&pace, &now_ns, 2 * PACE_WAKES_PER_S, 1, S), MOST_NS); /* 128 would take 6.4 ms */
    pace_init(&pace, MOST_NS);
    /* A million a second: 128 in 128 us. */
    const int64_t wait_ns = turns(&pace, &now_ns, 1000000, 1, S);
    ck_assert_int_ge(wait_ns, 127000);
    ck_assert_int_le(wait_ns, 129000);
    ck_assert_int_eq(pace_turn(&pace, 0, 0, now_ns + 1), 0); /* woken by something else */
}
END_TEST

/* Who waits wakes seldom: the rate of messages says whether it goes on. */
START_TEST(it_goes_on_for_as_long_as_it_pays)
{
    struct pace pace;
    int64_t now_ns = 7 * S;
    pace_init(&pace, MOST_NS);
    ck_assert_int_gt(turns(&pace, &now_ns, 1000000, 1, S), 0);
    ck_assert_int_gt(turns(&pace, &now_ns, 5000, 128, S), 0);  /* 640,000 a second, in 5,000 wake-ups */
    ck_assert_int_gt(turns(&pace, &now_ns, 2000, 6, S), 0);    /* 12,000 */
    ck_assert_int_eq(turns(&pace, &now_ns, 2000, 4, S), 0);    /* 8,000: no longer */
    ck_assert_int_eq(turns(&pace, &now_ns, 5000, 128, S), 0);  /* and few wake-ups do not begin it */
}
END_TEST

/* Turns that were full wake nobody, but their messages count. */
START_TEST(full_turns_count_as_messages)
{
    struct pace pace;
    pace_init(&pace, MOST_NS);
    int64_t now_ns = 7 * S;
    pace_turn(&pace, 1, 200, now_ns);
    for (int i = 0; i < 200; i++, now_ns += 50000) {
        pace_busy(&pace, 31, 31 * 200);
        pace_turn(&pace, 1, 200, now_ns); /* 20,000 wake-ups and 640,000 messages a second */
    }
    ck_assert_int_ge(pace.wait_ns, 190000);
    ck_assert_int_le(pace.wait_ns, 210000);
}
END_TEST

/* A sender whose window is full waits for us: where messages are large, fewer gather. */
START_TEST(large_messages_gather_by_their_bytes)
{
    struct pace pace;
    int64_t now_ns = 7 * S;
    pace_init(&pace, MOST_NS);
    bytes_each = 12000;
    int64_t wait_ns = turns(&pace, &now_ns, 20000, 1, S); /* 240 MB a second: 32 KiB in 137 us */
    ck_assert_int_ge(wait_ns, 130000);
    ck_assert_int_le(wait_ns, 145000);
    for (int i = 0; i < 300; i++, now_ns += 50000)
        pace_busy(&pace, 31, 31 * bytes_each);
    wait_ns = turns(&pace, &now_ns, 20000, 1, S / 200);
    ck_assert_int_gt(wait_ns, 0);
    ck_assert_int_le(wait_ns, 7000); /* 7 GB a second of them came in full turns */
    bytes_each = 200;
}
END_TEST

START_TEST(the_bound_is_kept)
{
    struct pace pace;
    int64_t now_ns = 7 * S;
    pace_init(&pace, 0);
    ck_assert_int_eq(turns(&pace, &now_ns, 1000000, 1, S), 0); /* not at all */
    pace_init(&pace, 100 * PACE_WAIT_MOST_NS);
    ck_assert_int_eq(turns(&pace, &now_ns, 2 * PACE_WAKES_PER_S, 1, S), PACE_WAIT_MOST_NS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pace");
    TCase *tests = tcase_create("pace");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, seldom_messages_do_not_wait);
    tcase_add_test(tests, many_wake_ups_make_messages_gather);
    tcase_add_test(tests, it_goes_on_for_as_long_as_it_pays);
    tcase_add_test(tests, full_turns_count_as_messages);
    tcase_add_test(tests, large_messages_gather_by_their_bytes);
    tcase_add_test(tests, the_bound_is_kept);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

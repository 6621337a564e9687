/* What libzmq tells of the publishers that it connects to, in the order in which it does. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/publishers.h"
#include "tests/run_suite.h"

#define NAME "tcp://node-7:5555"
#define ADDRESS "tcp://10.0.0.7:5555"
#define OTHER "tcp://10.0.0.8:5555"

static struct publishers publishers;
static struct publisher *lost[PUBLISHERS_MAX];

static void enter(void)
{
    memset(&publishers, 0, sizeof publishers);
}

static void come(const char *endpoint, const char *address)
{
    publishers_connected(&publishers, endpoint, address);
    publishers_reached(&publishers, endpoint);
}

static uint32_t lost_at(int64_t now_ns)
{
    return publishers_lost(&publishers, now_ns, lost);
}

START_TEST(one_that_was_away_is_told_of_once)
{
    ck_assert(publishers_tried(&publishers, NAME));
    ck_assert(!publishers_tried(&publishers, NAME));
    publishers_connected(&publishers, NAME, ADDRESS);
    ck_assert(publishers_reached(&publishers, NAME));
    publishers_ended(&publishers, NAME, 1);
    ck_assert(publishers_tried(&publishers, ADDRESS)); /* as libzmq calls it from now on */
    ck_assert(!publishers_tried(&publishers, ADDRESS));
    publishers_connected(&publishers, ADDRESS, ADDRESS);
    ck_assert(publishers_reached(&publishers, ADDRESS));
    ck_assert_uint_eq(lost_at(INT64_MAX), 0);
    ck_assert_uint_eq(publishers.count, 1);
}
END_TEST

START_TEST(one_that_is_not_tried_again_is_lost)
{
    come(NAME, ADDRESS);
    ck_assert_uint_eq(lost_at(INT64_MAX), 0);
    publishers_ended(&publishers, NAME, 5);
    ck_assert_uint_eq(lost_at(4 + PUBLISHERS_LOST_NS), 0);
    ck_assert_uint_eq(lost_at(5 + PUBLISHERS_LOST_NS), 1);
    ck_assert_str_eq(lost[0]->endpoint, NAME);
    ck_assert(lost[0]->in);
    ck_assert_uint_eq(lost_at(INT64_MAX), 0); /* once */
}
END_TEST

START_TEST(a_handshake_that_failed)
{
    come(NAME, ADDRESS);
    publishers_ended(&publishers, NAME, 1);
    publishers_tried(&publishers, ADDRESS);
    publishers_connected(&publishers, ADDRESS, ADDRESS);
    publishers_ended(&publishers, ADDRESS, 2);
    ck_assert_uint_eq(lost_at(2 + PUBLISHERS_LOST_NS), 1);
    ck_assert_str_eq(lost[0]->endpoint, NAME);
    ck_assert(!lost[0]->in);
}
END_TEST

/* It is asked for when the connection may have gone already. */
START_TEST(an_address_that_was_not_to_be_had)
{
    come(NAME, "");
    come(OTHER, OTHER);
    publishers_ended(&publishers, NAME, 1);
    publishers_tried(&publishers, ADDRESS);
    come(ADDRESS, ADDRESS);
    publishers_ended(&publishers, ADDRESS, 2);
    ck_assert_uint_eq(lost_at(INT64_MAX), 1);
    ck_assert_str_eq(lost[0]->endpoint, NAME);
    ck_assert_uint_eq(publishers.count, 2);
}
END_TEST

START_TEST(all_that_are_lost_come_at_once)
{
    come(NAME, ADDRESS);
    come(OTHER, OTHER);
    publishers_ended(&publishers, OTHER, 1);
    publishers_ended(&publishers, NAME, PUBLISHERS_LOST_NS);
    ck_assert_uint_eq(lost_at(1 + PUBLISHERS_LOST_NS), 0); /* of the other it is not known yet */
    ck_assert_uint_eq(lost_at(2 * PUBLISHERS_LOST_NS), 2);
}
END_TEST

START_TEST(who_is_no_publisher)
{
    ck_assert(!publishers_reached(&publishers, OTHER));
    publishers_ended(&publishers, OTHER, 1);
    ck_assert_uint_eq(lost_at(INT64_MAX), 0);
    ck_assert_uint_eq(publishers.count, 0);
}
END_TEST

START_TEST(more_than_there_is_room_for)
{
    char endpoint[ENDPOINT_MAX];
    for (int i = 0; i < PUBLISHERS_MAX + 2; i++) {
        snprintf(endpoint, sizeof endpoint, "tcp://10.0.1.%d:5555", i);
        ck_assert_int_eq(publishers_tried(&publishers, endpoint), i < PUBLISHERS_MAX);
        come(endpoint, endpoint);
        publishers_ended(&publishers, endpoint, 1);
    }
    ck_assert_uint_eq(lost_at(INT64_MAX), PUBLISHERS_MAX);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("publishers");
    TCase *tcase = tcase_create("publishers");
    tcase_add_checked_fixture(tcase, enter, NULL);
    tcase_add_test(tcase, one_that_was_away_is_told_of_once);
    tcase_add_test(tcase, one_that_is_not_tried_again_is_lost);
    tcase_add_test(tcase, a_handshake_that_failed);
    tcase_add_test(tcase, an_address_that_was_not_to_be_had);
    tcase_add_test(tcase, all_that_are_lost_come_at_once);
    tcase_add_test(tcase, who_is_no_publisher);
    tcase_add_test(tcase, more_than_there_is_room_for);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

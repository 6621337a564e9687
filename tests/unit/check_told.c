/* Whom the log was told of lately. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "daemon/base/told.h"
#include "tests/run_suite.h"

static const char slow[] = "slow", strange[] = "strange";
static struct told told;

static void enter(void)
{
    memset(&told, 0, sizeof told);
}

static uint64_t tell(const char *peer, const char *why, int64_t now_ns)
{
    char text[ADDRESS_TEXT_MAX] = "";
    snprintf(text, sizeof text, "%s", peer);
    return told_again(&told, text, why, now_ns, TOLD_NS);
}

START_TEST(once_a_minute)
{
    ck_assert_uint_eq(tell("10.0.0.1:1", slow, 5), 1);
    ck_assert_uint_eq(tell("10.0.0.1:2", slow, 6), 0);
    ck_assert_uint_eq(tell("10.0.0.1:65535", slow, 4 + TOLD_NS), 0);
    ck_assert_uint_eq(tell("10.0.0.1:3", slow, 5 + TOLD_NS), 3);
    ck_assert_uint_eq(tell("10.0.0.1:4", slow, 6 + TOLD_NS), 0);
    ck_assert_uint_eq(tell("10.0.0.1:4", slow, 6 + 2 * TOLD_NS), 2);
}
END_TEST

START_TEST(peers_without_a_port)
{
    ck_assert_uint_eq(tell("unknown", slow, 0), 1);
    ck_assert_uint_eq(tell("unknown", slow, 1), 0);
    ck_assert_uint_eq(tell("unknow", slow, 1), 1);
    ck_assert_uint_eq(tell("pid:77", slow, 1), 1);
    ck_assert_uint_eq(tell("pid:78", slow, 1), 0);
    ck_assert_uint_eq(tell("", slow, 1), 1);
    ck_assert_uint_eq(tell("", slow, 1), 0);
}
END_TEST

START_TEST(each_host_and_each_reason)
{
    static const char *const peers[] = {"10.0.0.1:1", "10.0.0.10:1", "0.0.0.1:1", "[::1]:1", "[::]:1", "[::1:1]:1"};
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        ck_assert_uint_eq(tell(peers[i], slow, 0), 1);
        ck_assert_uint_eq(tell(peers[i], strange, 0), 1);
    }
    for (size_t i = 0; i < sizeof peers / sizeof *peers; i++) {
        ck_assert_uint_eq(tell(peers[i], slow, 1), 0);
        ck_assert_uint_eq(tell(peers[i], strange, 1), 0);
    }
}
END_TEST

START_TEST(the_longest_there_makes_room)
{
    char peer[32];
    for (int i = 0; i <= TOLD_HOSTS; i++) {
        snprintf(peer, sizeof peer, "10.0.0.%d:1", i);
        ck_assert_uint_eq(tell(peer, slow, i), 1);
    }
    ck_assert_uint_eq(tell("10.0.0.2:9", slow, 100), 0);
    ck_assert_uint_eq(tell("10.0.0.0:9", slow, 100), 1);
    ck_assert_uint_eq(tell("10.0.0.1:9", slow, 100), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("told");
    TCase *tcase = tcase_create("told");
    tcase_add_checked_fixture(tcase, enter, NULL);
    tcase_add_test(tcase, once_a_minute);
    tcase_add_test(tcase, peers_without_a_port);
    tcase_add_test(tcase, each_host_and_each_reason);
    tcase_add_test(tcase, the_longest_there_makes_room);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

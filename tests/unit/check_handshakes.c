/* Real sockets of libzmq, and raw ones that knock at them. */
#include <arpa/inet.h>
#include <check.h>
#include <unistd.h>

#include "daemon/base/handshakes.h"
#include "tests/run_suite.h"

/* RFC 23: signature, version 3.0, a mechanism that a socket without keys does not speak. */
static const char greeting[64] = "\xff\0\0\0\0\0\0\0\0\x7f\x03\0CURVE";

static struct handshakes *handshakes;
static zsock_t *jobs;

static void enter(void)
{
    zsys_handler_set(NULL);
    ck_assert_int_eq(handshakes_new(&handshakes), 0);
    jobs = zsock_new(ZMQ_PUSH);
    ck_assert_int_eq(handshakes_watch(handshakes, jobs, "jobs.bind"), 0);
}

static void leave(void)
{
    zsock_destroy(&jobs);
    handshakes_destroy(&handshakes);
    ck_assert_ptr_null(handshakes);
}

static int knock(int port, size_t bytes)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(write(fd, greeting, bytes), (ssize_t)bytes);
    return fd;
}

static void wait_for(uint64_t failed, uint64_t broken_off)
{
    struct handshakes_counts counts = handshakes_counts(handshakes);
    for (int i = 0; i < 20000 && (counts.failed < failed || counts.broken_off < broken_off); i++) {
        zclock_sleep(1);
        counts = handshakes_counts(handshakes);
    }
    ck_assert_uint_eq(counts.failed, failed);
    ck_assert_uint_eq(counts.broken_off, broken_off);
}

/* What came before the thread ran is told when it does. */
START_TEST(who_is_turned_away_and_who_leaves)
{
    const int port = zsock_bind(jobs, "tcp://127.0.0.1:*");
    int early = knock(port, sizeof greeting);
    ck_assert_int_eq(handshakes_start(handshakes), 0);
    wait_for(1, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        close(knock(port, 10));
        wait_for(1, i);
    }
    int late = knock(port, sizeof greeting);
    wait_for(2, 3);
    close(early);
    close(late);
    ck_assert_uint_gt(heart_count(handshakes_heart(handshakes)), 0);
}
END_TEST

START_TEST(who_comes_in_is_not_counted)
{
    const int port = zsock_bind(jobs, "tcp://127.0.0.1:*");
    ck_assert_int_eq(handshakes_start(handshakes), 0);
    zsock_t *trainer = zsock_new(ZMQ_PULL);
    ck_assert_int_eq(zsock_connect(trainer, "tcp://127.0.0.1:%d", port), 0);
    ck_assert_int_eq(zstr_send(jobs, "job"), 0); /* waits until somebody is there */
    zsock_destroy(&trainer);
    close(knock(port, 10));
    wait_for(0, 1);
}
END_TEST

START_TEST(nobody_asks_and_nothing_runs)
{
    ck_assert_int_eq(handshakes_watch(NULL, jobs, "jobs.bind"), 0);
    wait_for(0, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handshakes");
    TCase *tcase = tcase_create("handshakes");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, enter, leave);
    tcase_add_test(tcase, who_is_turned_away_and_who_leaves);
    tcase_add_test(tcase, who_comes_in_is_not_counted);
    tcase_add_test(tcase, nobody_asks_and_nothing_runs);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

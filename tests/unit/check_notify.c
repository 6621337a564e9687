#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/heart.h"
#include "daemon/base/notify.h"
#include "daemon/base/random.h"
#include "tests/run_suite.h"

/* The service manager's side: a datagram socket that NOTIFY_SOCKET names. */
static int manager(char path[64])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(path, 64, "/tmp/check_notify.%d", (int)getpid());
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    return fd;
}

static void expect(int fd, const char *text)
{
    char got[256];
    ssize_t len = read(fd, got, sizeof got - 1);
    ck_assert_int_ge(len, 0);
    got[len] = '\0';
    ck_assert_str_eq(got, text);
}

START_TEST(what_the_manager_hears)
{
    char path[64];
    int fd = manager(path);
    notify_ready();
    expect(fd, "READY=1");
    notify_status("100 % of 3 models");
    expect(fd, "STATUS=100 % of 3 models");
    notify_watchdog();
    expect(fd, "WATCHDOG=1");
    notify_stopping();
    expect(fd, "STOPPING=1");
    close(fd);
    unlink(path);
}
END_TEST

START_TEST(watchdog_of_this_process_only)
{
    unsetenv("WATCHDOG_USEC");
    ck_assert_int_eq(notify_watchdog_ns(), 0);
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("WATCHDOG_USEC", "30000000", 1);
    setenv("WATCHDOG_PID", pid, 1);
    ck_assert_int_eq(notify_watchdog_ns(), INT64_C(30000000000));
    setenv("WATCHDOG_PID", "1", 1);
    ck_assert_int_eq(notify_watchdog_ns(), 0);
}
END_TEST

START_TEST(nobody_listens)
{
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    notify_status("x");
    notify_watchdog();
    notify_stopping();
}
END_TEST

START_TEST(hearts_and_random_bytes)
{
    struct heart heart = {0};
    ck_assert_uint_eq(heart_count(&heart), 0);
    heart_beat(&heart);
    ck_assert_uint_eq(heart_count(&heart), 1);
    unsigned char a[1000] = {0}, b[1000] = {0};
    ck_assert_int_eq(random_bytes(a, sizeof a), 0);
    ck_assert_int_eq(random_bytes(b, sizeof b), 0);
    ck_assert_int_ne(memcmp(a, b, sizeof a), 0);
    ck_assert_int_ne(memcmp(a + 990, "\0\0\0\0\0\0\0\0\0", 10), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("notify");
    TCase *tcase = tcase_create("notify");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_the_manager_hears);
    tcase_add_test(tcase, watchdog_of_this_process_only);
    tcase_add_test(tcase, nobody_listens);
    tcase_add_test(tcase, hearts_and_random_bytes);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

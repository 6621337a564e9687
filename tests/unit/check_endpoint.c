#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/base/endpoint.h"
#include "tests/run_suite.h"

static char folder[] = "/tmp/check_endpoint.XXXXXX";
static char path[64], endpoint[80];
static char actual[ENDPOINT_MAX], why[ENDPOINT_WHY_MAX];

static void enter(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/s.sock", folder);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    zsys_handler_set(NULL);
}

static void leave(void)
{
    unlink(path);
    rmdir(folder);
}

/* A listening Unix socket at `path`, as another process would have it. */
static int listener(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(fd, 5), 0);
    return fd;
}

START_TEST(a_live_socket_is_left_alone)
{
    int fd = listener();
    struct stat before, after;
    stat(path, &before);
    zsock_t *socket = zsock_new(ZMQ_ROUTER);
    ck_assert_int_eq(endpoint_bind(socket, "control.bind", endpoint, actual, why), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(why, "control.bind: ipc:///tmp/check_endpoint."));
    ck_assert_ptr_nonnull(strstr(why, "is taken"));
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    zsock_destroy(&socket);
    close(fd);
}
END_TEST

START_TEST(a_dead_socket_is_replaced)
{
    close(listener());
    zsock_t *socket = zsock_new(ZMQ_ROUTER);
    ck_assert_int_eq(endpoint_bind(socket, "control.bind", endpoint, actual, why), 0);
    ck_assert_str_eq(actual, endpoint);
    endpoint_unbind(socket, actual);
    ck_assert_int_ne(access(path, F_OK), 0);
    zsock_destroy(&socket);
}
END_TEST

START_TEST(a_file_is_left_alone)
{
    FILE *file = fopen(path, "w");
    fputs("precious", file);
    fclose(file);
    zsock_t *socket = zsock_new(ZMQ_ROUTER);
    ck_assert_int_eq(endpoint_bind(socket, "control.bind", endpoint, actual, why), -EEXIST);
    struct stat st;
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 8);
    zsock_destroy(&socket);
}
END_TEST

START_TEST(a_star_is_a_real_port)
{
    zsock_t *first = zsock_new(ZMQ_SUB), *second = zsock_new(ZMQ_SUB);
    ck_assert_int_eq(endpoint_bind(first, "metrics.bind", "tcp://127.0.0.1:*", actual, why), 0);
    unsigned port = 0;
    ck_assert_int_eq(sscanf(actual, "tcp://127.0.0.1:%u", &port), 1);
    ck_assert_uint_gt(port, 0);
    char taken[ENDPOINT_MAX];
    strcpy(taken, actual);
    ck_assert_int_eq(endpoint_bind(second, "metrics.bind", taken, actual, why), -EADDRINUSE);
    ck_assert_int_eq(endpoint_connect(second, "metrics.connect", taken, why), 0);
    zsock_destroy(&first);
    zsock_destroy(&second);
}
END_TEST

START_TEST(localhost_is_an_address)
{
    zsock_t *socket = zsock_new(ZMQ_SUB);
    unsigned port = 0;
    ck_assert_int_eq(endpoint_bind(socket, "metrics.bind", "tcp://localhost:*", actual, why), 0);
    ck_assert_int_eq(sscanf(actual, "tcp://127.0.0.1:%u", &port), 1);
    zsock_destroy(&socket);
}
END_TEST

START_TEST(the_dead_are_found_in_time)
{
    zsock_t *socket = zsock_new(ZMQ_PUSH);
    for (int within_s = 4; within_s <= 60; within_s++) {
        endpoint_find_dead(socket, within_s, true);
        const int idle = zsock_tcp_keepalive_idle(socket), every = zsock_tcp_keepalive_intvl(socket);
        ck_assert_int_eq(zsock_tcp_keepalive(socket), 1);
        ck_assert(idle > 0 && every > 0);
        ck_assert_int_eq(idle + every * zsock_tcp_keepalive_cnt(socket), within_s);
        ck_assert_int_eq(zsock_tcp_maxrt(socket), within_s * 1000);
        ck_assert_int_eq(zsock_heartbeat_ivl(socket), 0);
    }
    zsock_destroy(&socket);
}
END_TEST

START_TEST(what_cannot_be_bound)
{
    zsock_t *socket = zsock_new(ZMQ_SUB);
    ck_assert_int_eq(endpoint_bind(socket, "k", "ipc:///nonexistent/folder/s", actual, why), -ENOENT);
    ck_assert_str_eq(why, "k: ipc:///nonexistent/folder/s is in a folder that does not exist");
    ck_assert_int_eq(endpoint_bind(socket, "k", "smoke://signals", actual, why), -EINVAL);
    ck_assert_int_eq(endpoint_bind(socket, "k", "tcp://nonsense", actual, why), -EINVAL);
    char longer[200] = "ipc:///tmp/";
    memset(longer + 11, 'x', 150);
    ck_assert_int_eq(endpoint_bind(socket, "k", longer, actual, why), -ENAMETOOLONG);
    ck_assert_int_eq(endpoint_connect(socket, "k", "smoke://signals", why), -EINVAL);
    zsock_destroy(&socket);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("endpoint");
    TCase *tcase = tcase_create("endpoint");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, enter, leave);
    tcase_add_test(tcase, a_live_socket_is_left_alone);
    tcase_add_test(tcase, a_dead_socket_is_replaced);
    tcase_add_test(tcase, a_file_is_left_alone);
    tcase_add_test(tcase, a_star_is_a_real_port);
    tcase_add_test(tcase, localhost_is_an_address);
    tcase_add_test(tcase, the_dead_are_found_in_time);
    tcase_add_test(tcase, what_cannot_be_bound);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
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

START_TEST(what_is_plain)
{
    static const char *const plain[] = {"tcp://127.0.0.1:5555",
                                        "tcp://0.0.0.0:*",
                                        "tcp://*:5555",
                                        "tcp://*:*",
                                        "tcp://localhost:5555",
                                        "tcp://localhost:*",
                                        "tcp://255.255.255.255:65535",
                                        "tcp://[::1]:5555",
                                        "tcp://[::]:*",
                                        "tcp://[::1%nosuch]:1",
                                        "ipc:///tmp/s"};
    static const char *const other[] = {"tcp://lo:5555",
                                        "tcp://[::1:5555",
                                        "tcp://[::1]5555",
                                        "tcp://[::g]:5555",
                                        "tcp://::1:5555",
                                        "tcp://example.org:5555",
                                        "tcp://127.0.0.1",
                                        "tcp://127.0.0.1:",
                                        "tcp://127.0.0.1:65536",
                                        "tcp://127.0.0.1:5*",
                                        "tcp://1*:5555",
                                        "tcp://127.0.0.256:5555",
                                        "tcp://127.0.0.1:5555;",
                                        "tcp://127.0.0.1;127.0.0.1:5555",
                                        "tcp://127.0.0.1:5555 ",
                                        "tcp://127.0.1:5555",
                                        "ipc://@s",
                                        "ipc://*",
                                        "inproc://s",
                                        "udp://127.0.0.1:5555",
                                        ""};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        ck_assert_msg(endpoint_is_plain(plain[i]), "%s", plain[i]);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        ck_assert_msg(!endpoint_is_plain(other[i]), "%s", other[i]);
}
END_TEST

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof value;
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &size), 0);
    return value;
}

/* What came in is looked after as what libzmq lets in; and the endpoint is free once it is closed. */
START_TEST(it_listens_without_libzmq)
{
    char taken[ENDPOINT_MAX];
    unsigned port = 0;
    int fd = endpoint_listen("metrics.bind", "tcp://localhost:*", 40, taken, why);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(sscanf(taken, "tcp://127.0.0.1:%u", &port), 1);
    ck_assert_int_eq(endpoint_listen("metrics.bind", taken, 40, actual, why), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(why, "is taken: another process listens there"));
    ck_assert_int_eq(endpoint_listen("metrics.bind", "tcp://192.0.2.1:*", 40, actual, why), -EADDRNOTAVAIL);
    ck_assert_str_eq(why, "metrics.bind: tcp://192.0.2.1:* is not an address of this machine");
    ck_assert_int_eq(endpoint_listen("metrics.bind", "tcp://lo:*", 40, actual, why), -EINVAL);
    zsock_t *pub = zsock_new(ZMQ_PUB);
    ck_assert_int_eq(endpoint_connect(pub, "metrics.connect", taken, why), 0);
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    ck_assert_int_eq(poll(&poller, 1, 20000), 1);
    int peer = accept(fd, NULL, NULL);
    ck_assert_int_ge(peer, 0);
    ck_assert_int_eq(accept(fd, NULL, NULL), -1); /* and does not block */
    ck_assert_int_eq(option(peer, SOL_SOCKET, SO_KEEPALIVE), 1);
    ck_assert_int_eq(option(peer, IPPROTO_TCP, TCP_KEEPIDLE) +
                         option(peer, IPPROTO_TCP, TCP_KEEPCNT) * option(peer, IPPROTO_TCP, TCP_KEEPINTVL),
                     40);
    close(fd);
    fd = endpoint_listen("metrics.bind", taken, 40, actual, why);
    ck_assert_int_ge(fd, 0);
    ck_assert_str_eq(actual, taken);
    close(fd);
    close(peer);
    zsock_destroy(&pub);
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
    tcase_add_test(tcase, what_is_plain);
    tcase_add_test(tcase, it_listens_without_libzmq);
    tcase_add_test(tcase, the_dead_are_found_in_time);
    tcase_add_test(tcase, what_cannot_be_bound);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

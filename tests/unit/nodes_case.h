/* nodes_case.h - connections of nodes for tests: who reads them, and peers that speak bytes.
 *
 * Threads: the test's. Memory: static. Failure: the test's. */
#ifndef TESTS_NODES_CASE_H
#define TESTS_NODES_CASE_H

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/ingest/nodes.h"

#define HANDSHAKE_NS (3 * CLOCK_S_NS)
#define PATIENCE_NS (30 * CLOCK_S_NS)
#define SIGNATURE "\xff\0\0\0\0\0\0\0\x01\x7f"
#define ZEROES "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define NULL_GREETING SIGNATURE "\x03\0NULL" ZEROES ZEROES ZEROES
#define READY "\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB"
/* A greeting, READY and three subscriptions: what a peer gets. */
#define GREETED_BYTES (64 + 27 + 11 + 9 + 10)

static struct nodes *nodes;
static struct frame frames[FRAME_BATCH_MAX];
static char endpoint[ENDPOINT_MAX], why[ENDPOINT_WHY_MAX];
static int64_t ahead_ns; /* of the clock, the time that nodes are told */
static uint64_t calls;

/* An assertion of check's writes to a file each time. */
#define MUST(holds)                                                                                                    \
    do {                                                                                                               \
        if (!(holds))                                                                                                  \
            ck_abort_msg("not so: %s", #holds);                                                                        \
    } while (0)

static void open_door(char actual[ENDPOINT_MAX])
{
    ck_assert_msg(nodes_open(nodes, "metrics.bind", "tcp://127.0.0.1:*", actual, why) == 0, "%s", why);
}

static void begin(uint64_t most_bytes)
{
    static const char *const prefixes[] = {"metrics/", "batch/", "beacon/", NULL};
    for (int i = 0; i < FRAME_BATCH_MAX; i++)
        frame_init(&frames[i]);
    ck_assert_int_eq(nodes_new(&nodes, &(struct nodes_options){prefixes, most_bytes, 40, HANDSHAKE_NS}), 0);
    open_door(endpoint);
}

static void end(void)
{
    nodes_destroy(&nodes);
    ck_assert_ptr_null(nodes);
    for (int i = 0; i < FRAME_BATCH_MAX; i++)
        frame_close(&frames[i]);
}

static uint32_t take(uint32_t most)
{
    calls++;
    const uint32_t count = nodes_take(nodes, frames, most, clock_now().steady_ns + ahead_ns);
    MUST(count <= most);
    return count;
}

/* Waits for something to take. */
static uint32_t take_some(uint32_t most)
{
    const int64_t until_ns = clock_now().steady_ns + PATIENCE_NS;
    uint32_t count;
    while ((count = take(most)) == 0) {
        MUST(clock_now().steady_ns < until_ns);
        struct pollfd poller = {.fd = nodes_fd(nodes), .events = POLLIN};
        if (!nodes_more(nodes))
            poll(&poller, 1, 100);
    }
    return count;
}

static void wait_count(uint32_t count)
{
    const int64_t until_ns = clock_now().steady_ns + PATIENCE_NS;
    while (nodes_count(nodes) != count) {
        MUST(take(FRAME_BATCH_MAX) == 0);
        MUST(clock_now().steady_ns < until_ns);
    }
}

static int connected(const char *to)
{
    unsigned port = 0;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(sscanf(to, "tcp://127.0.0.1:%u", &port), 1);
    address.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)), 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* Sends all, and has nodes read where the peer's buffers are full; nothing may come out of it. */
static void send_bytes(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            at += sent;
            len -= (size_t)sent;
        } else {
            MUST(errno == EAGAIN && take(FRAME_BATCH_MAX) == 0);
        }
    }
}

#define SEND(fd, literal) send_bytes(fd, literal, sizeof(literal) - 1)

/* What comes, until it is `len` bytes; fewer: the connection is over. */
static size_t receive_bytes(int fd, char *out, size_t len)
{
    const int64_t until_ns = clock_now().steady_ns + PATIENCE_NS;
    size_t came = 0;
    while (came < len) {
        ssize_t got = recv(fd, out + came, len - came, MSG_DONTWAIT);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            break;
        came += got > 0 ? (size_t)got : 0;
        if (got < 0)
            MUST(take(FRAME_BATCH_MAX) == 0);
        MUST(clock_now().steady_ns < until_ns);
    }
    return came;
}

/* A peer that has been greeted and subscribed to. */
static int greeted(const char *to)
{
    char got[GREETED_BYTES];
    int fd = connected(to);
    SEND(fd, NULL_GREETING READY);
    ck_assert_uint_eq(receive_bytes(fd, got, sizeof got), sizeof got);
    ck_assert_mem_eq(got + 91,
                     "\0\x09\x01metrics/\0\x07\x01"
                     "batch/\0\x08\x01"
                     "beacon/",
                     30);
    return fd;
}

static bool is(const char *at, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(at, text, len) == 0;
}

static void is_frame(const struct frame *frame, uint32_t parts, const char *topic, const char *payload)
{
    ck_assert_uint_eq(frame->parts, parts);
    ck_assert_int_eq(frame->kind, FRAME_WRONG);
    ck_assert(is(frame->topic, frame->topic_len, topic));
    ck_assert(is(frame->payload, frame->payload_len, payload));
}

#endif

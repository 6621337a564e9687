/* Nodes that are ended, that wait, and endpoints that are shut. */
#include <sys/resource.h>

#include "daemon/base/log.h"
#include "tests/run_suite.h"
#include "tests/unit/nodes_case.h"

static bool is_over(int fd)
{
    char c;
    return receive_bytes(fd, &c, 1) == 0;
}

/* What the log says goes here from now on. */
static FILE *log_file;

static void keep_log(void)
{
    if (log_file)
        fclose(log_file);
    log_file = tmpfile();
    ck_assert_ptr_nonnull(log_file);
    ck_assert_int_ge(dup2(fileno(log_file), STDERR_FILENO), 0);
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO);
}

/* All of it since the last time. */
static const char *said(void)
{
    static char text[1 << 16];
    const ssize_t len = pread(fileno(log_file), text, sizeof text - 1, 0);
    ck_assert_int_ge(len, 0);
    text[len] = '\0';
    ck_assert_int_eq(ftruncate(fileno(log_file), 0), 0);
    lseek(fileno(log_file), 0, SEEK_SET);
    return text;
}

#define CASE(bytes, why)                                                                                               \
    {                                                                                                                  \
        bytes, sizeof(bytes) - 1, why                                                                                  \
    }
static const struct fault {
    const char *bytes;
    size_t len;
    const char *why;
} faults[] = {
    CASE("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "it does not speak ZMTP"),
    CASE(SIGNATURE "\x01\x02\0\0", "it speaks ZMTP of a version before 3.0"),
    CASE(SIGNATURE "\x03\0CURVE\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" ZEROES ZEROES,
         "it wants another mechanism than NULL, and this endpoint has no key"),
    CASE(NULL_GREETING "\x04\x0a\x05"
                       "ERROR\x03"
                       "400",
         "it refuses us"),
    CASE(NULL_GREETING "\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB", "its socket is neither PUB nor XPUB"),
    CASE(NULL_GREETING READY "\xf8\xff", "it sends bytes that are no ZMTP"),
};

START_TEST(who_breaks_the_protocol)
{
    const struct fault *fault = &faults[_i];
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    char expected[512];
    keep_log();
    begin(1000);
    int good = greeted(endpoint), bad = connected(endpoint);
    getsockname(bad, (struct sockaddr *)&address, &size);
    snprintf(expected, sizeof expected, "peer=127.0.0.1:%u why=\"%s\" times=1\n", ntohs(address.sin_port), fault->why);
    send_bytes(bad, fault->bytes, fault->len);
    char sink[GREETED_BYTES];
    receive_bytes(bad, sink, sizeof sink);
    ck_assert(is_over(bad));
    wait_count(1);
    const char *told = said();
    ck_assert_msg(strstr(told, "a node's connection was ended") && strstr(told, expected), "%s", told);
    SEND(good, "\x01\x01t\0\x01p");
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    is_frame(&frames[0], 2, "t", "p");
    close(bad);
    close(good);
    end();
}
END_TEST

/* What was complete before is handed out, and then the topic of what was too large; in the room, and in its own memory.
 */
START_TEST(too_large)
{
    static char bytes[60000];
    const size_t topic_len = _i ? 50000 : 10;
    keep_log();
    begin(55000);
    int fd = greeted(endpoint);
    SEND(fd, "\0\x01t\x03\0\0\0\0\0\0");
    bytes[0] = (char)(topic_len >> 8);
    bytes[1] = (char)topic_len;
    memset(bytes + 2, 'T', topic_len);
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    is_frame(&frames[0], 1, "t", "");
    for (size_t at = 0; at < topic_len + 2; at += 10000)
        send_bytes(fd, bytes + at, topic_len + 2 - at < 10000 ? topic_len + 2 - at : 10000);
    ck_assert_uint_eq(take(FRAME_BATCH_MAX), 0);
    SEND(fd, "\x02\0\0\0\0\0\0\xd6\xd9");
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    ck_assert_int_eq(frames[0].kind, FRAME_TOO_LARGE);
    ck_assert_uint_eq(frames[0].parts, 2);
    ck_assert_uint_eq(frames[0].topic_len, topic_len);
    ck_assert_mem_eq(frames[0].topic, bytes + 2, topic_len);
    ck_assert_uint_eq(frames[0].payload_len, 0);
    ck_assert_uint_eq(nodes_count(nodes), 0);
    ck_assert_uint_eq(nodes_ended(nodes), 1);
    ck_assert(is_over(fd));
    ck_assert_ptr_nonnull(strstr(said(), "why=\"a message of it is several times as large as metrics.max_message\""));
    close(fd);
    end();
}
END_TEST

/* What came in the same read, in a node's own memory, stays to be looked at. */
START_TEST(broken_behind_a_large_message)
{
    static char bytes[80000];
    const char *const parts[] = {"\x01\x03top\x01\x03pay", "\0\0\xf8\xff"};
    keep_log();
    begin(1 << 20);
    int fd = greeted(endpoint);
    for (size_t i = 0; i < sizeof bytes; i += 2)
        bytes[i] = 1;
    memcpy(bytes, parts[0], 10);
    memcpy(bytes + sizeof bytes - 4, parts[1], 4);
    send_bytes(fd, bytes, sizeof bytes);
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    is_frame(&frames[0], (sizeof bytes - 12) / 2 + 2, "top", "pay");
    wait_count(0);
    ck_assert_ptr_nonnull(strstr(said(), "why=\"it sends bytes that are no ZMTP\""));
    close(fd);
    end();
}
END_TEST

START_TEST(who_leaves_within_a_message)
{
    keep_log();
    begin(1 << 20);
    int early = connected(endpoint), fd = greeted(endpoint), large = greeted(endpoint);
    static char bytes[100000];
    wait_count(3);
    SEND(fd, "\x01\x01t\0\x01p\x01\x01t\0\x05half");
    SEND(large, "\x02\0\0\0\0\0\x0f\0\0");
    send_bytes(large, bytes, sizeof bytes);
    SEND(early, SIGNATURE);
    close(early);
    close(fd);
    close(large);
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    is_frame(&frames[0], 2, "t", "p");
    wait_count(0);
    ck_assert_str_eq(said(), "");
    end();
}
END_TEST

START_TEST(a_handshake_that_takes_too_long)
{
    static const struct {
        const char *bytes;
        size_t len;
    } begun[] = {{"", 0}, {SIGNATURE, 10}, {NULL_GREETING, 64}, {NULL_GREETING READY, 80}};
    int fds[4];
    keep_log();
    begin(1000);
    int done = greeted(endpoint);
    for (int i = 0; i < 4; i++) {
        fds[i] = connected(endpoint);
        send_bytes(fds[i], begun[i].bytes, begun[i].len);
    }
    wait_count(5);
    ahead_ns = HANDSHAKE_NS / 2;
    ck_assert_uint_eq(take(FRAME_BATCH_MAX), 0);
    ck_assert_uint_eq(nodes_count(nodes), 5);
    ahead_ns = HANDSHAKE_NS + CLOCK_S_NS;
    wait_count(1);
    const char *told = strstr(said(), "why=\"it has not finished ZMTP's handshake in time\"");
    ck_assert_ptr_nonnull(told);
    ck_assert_ptr_null(strstr(told + 1, "why=")); /* of the same host it is told once */
    for (int i = 0; i < 4; i++) {
        char sink[GREETED_BYTES];
        ck_assert_uint_lt(receive_bytes(fds[i], sink, sizeof sink), sizeof sink);
        close(fds[i]);
    }
    SEND(done, "\0\x01t");
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    close(done);
    end();
}
END_TEST

/* What it has said waits for us, not we for it. */
START_TEST(a_handshake_that_we_are_late_to_read)
{
    begin(1000);
    int fd = connected(endpoint);
    SEND(fd, NULL_GREETING READY);
    while (nodes_count(nodes) == 0) /* the call that lets it in does not read it yet */
        ck_assert_uint_eq(take(FRAME_BATCH_MAX), 0);
    ahead_ns = HANDSHAKE_NS + CLOCK_S_NS;
    char got[GREETED_BYTES];
    ck_assert_uint_eq(receive_bytes(fd, got, sizeof got), sizeof got);
    SEND(fd, "\0\x01t");
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    close(fd);
    end();
}
END_TEST

/* Both sides may say READY at any time. Ours waits for the peer's, so that we hear of what type it is before it hears of
 * ours; and not for ever. */
START_TEST(a_peer_that_waits_for_our_part)
{
    char got[GREETED_BYTES];
    begin(1000);
    int fd = connected(endpoint);
    SEND(fd, NULL_GREETING);
    ck_assert_uint_eq(receive_bytes(fd, got, 64), 64);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(take(FRAME_BATCH_MAX), 0);
    ck_assert_int_eq(recv(fd, got, sizeof got, MSG_DONTWAIT), -1);
    ahead_ns = CLOCK_S_NS;
    ck_assert_uint_eq(receive_bytes(fd, got, 27), 27);
    ck_assert_mem_eq(got, "\x04\x19\x05READY", 8);
    SEND(fd, READY);
    ck_assert_uint_eq(receive_bytes(fd, got, 30), 30); /* subscriptions alone */
    SEND(fd, "\0\x01t");
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    close(fd);
    end();
}
END_TEST

static int readable(void)
{
    struct pollfd poller = {.fd = nodes_fd(nodes), .events = POLLIN};
    return poll(&poller, 1, 0);
}

/* The limit that leaves so many descriptors to be had. */
static rlim_t limit_for(int count)
{
    int fds[16];
    for (int i = 0; i < count; i++)
        fds[i] = dup(STDERR_FILENO);
    for (int i = 0; i < count; i++)
        close(fds[i]);
    return (rlim_t)fds[count - 1] + 1;
}

/* As many as there are descriptors come in; the others wait, and nobody asks for them again and again. */
START_TEST(no_descriptor_is_left)
{
    enum { PEERS = 9, ROOM = 4 };
    int fds[PEERS];
    struct rlimit limit, before;
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        return; /* valgrind keeps to the limit by closing what came in */
    keep_log();
    begin(1000);
    for (int i = 0; i < PEERS; i++)
        fds[i] = connected(endpoint);
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    const rlim_t full = limit_for(ROOM);
    for (limit.rlim_cur = full; limit.rlim_cur - limit.rlim_cur / 4 < full; limit.rlim_cur++) /* nodes leave a quarter */
        ;
    ck_assert_uint_lt(limit.rlim_cur / 4, NODES_LEAVE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    wait_count(ROOM);
    for (int i = 0; i < 5; i++)
        ck_assert_uint_eq(take(FRAME_BATCH_MAX), 0);
    ck_assert_uint_eq(nodes_count(nodes), ROOM);
    ck_assert(!nodes_more(nodes));
    ck_assert_int_eq(readable(), 0);
    const char *told = strstr(said(), "no descriptor is left for another node: it waits\" nodes=4\n");
    ck_assert_ptr_nonnull(told);
    ck_assert_ptr_null(strstr(told + 1, "no descriptor"));
    char other[ENDPOINT_MAX];
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){full, before.rlim_max}), 0);
    ck_assert_int_eq(nodes_open(nodes, "metrics.bind", "tcp://127.0.0.1:*", other, why), -EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    SEND(fds[0], NULL_GREETING READY "\x01\x01t\0\x01p"); /* who is in is heard */
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    ahead_ns = CLOCK_S_NS; /* somebody looks again, and finds it as it was */
    take(FRAME_BATCH_MAX);
    ck_assert_uint_eq(nodes_count(nodes), ROOM);
    ck_assert_int_eq(readable(), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ahead_ns = 2 * CLOCK_S_NS;
    wait_count(PEERS);
    for (int i = 0; i < PEERS; i++)
        close(fds[i]);
    wait_count(0);
    end();
}
END_TEST

/* What was sent last is in the kernel's hands on this side. */
static void has_come(void)
{
    struct pollfd poller = {.fd = nodes_fd(nodes), .events = POLLIN};
    ck_assert_int_eq(poll(&poller, 1, 20000), 1);
    poll(NULL, 0, 5);
}

/* What had come is handed out, in as many calls as it takes, and then they are over; whoever has sent nothing is so at
 * once, and those of another endpoint stay. */
START_TEST(an_endpoint_that_is_shut)
{
    char other[ENDPOINT_MAX];
    begin(1000);
    open_door(other);
    int idle = greeted(endpoint), busy = greeted(endpoint), half = greeted(endpoint), stays = greeted(other);
    char hundred[600];
    for (int i = 0; i < 100; i++)
        memcpy(hundred + 6 * i, "\x01\x01t\0\x01p", 6);
    send_bytes(busy, hundred, sizeof hundred);
    has_come();
    if (_i) /* some of them are at hand */
        ck_assert_uint_eq(take_some(10), 10);
    SEND(half, "\x01\x01t\0\x05half");
    has_come();
    nodes_shut(nodes, endpoint);
    SEND(half, "s\x01\x01t\0\x01p");
    SEND(stays, "\x01\x01o\0\x01p");
    ck_assert_uint_eq(nodes_count(nodes), 3);
    uint32_t of_busy = _i ? 10 : 0, of_other = 0;
    while (of_busy < 100 || of_other < 1) {
        const uint32_t count = take_some(FRAME_BATCH_MAX);
        for (uint32_t i = 0; i < count; i++) {
            of_other += is(frames[i].topic, frames[i].topic_len, "o");
            of_busy += is(frames[i].topic, frames[i].topic_len, "t");
            MUST(is(frames[i].payload, frames[i].payload_len, "p"));
        }
    }
    wait_count(1);
    ck_assert_uint_eq(of_busy, 100);
    ck_assert_uint_eq(of_other, 1);
    ck_assert(is_over(idle) && is_over(busy) && is_over(half));
    SEND(stays, "\0\x01o");
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    ck_assert_int_eq(nodes_open(nodes, "metrics.bind", endpoint, other, why), 0); /* it is free */
    ck_assert_str_eq(other, endpoint);
    close(idle), close(busy), close(half), close(stays);
    end();
}
END_TEST

/* Whoever is at hand when an endpoint is shut, and has sent nothing more. */
START_TEST(shut_while_at_hand)
{
    begin(1000);
    int fd = greeted(endpoint);
    SEND(fd, "\0\x01"
             "1\0\x01"
             "2\0\x01"
             "3");
    ck_assert_uint_eq(take_some(1), 1);
    ck_assert(nodes_more(nodes));
    nodes_shut(nodes, endpoint);
    ck_assert_uint_eq(nodes_count(nodes), 1);
    ck_assert_uint_eq(take(1), 1);
    is_frame(&frames[0], 1, "2", "");
    ck_assert_uint_eq(take(1), 1);
    is_frame(&frames[0], 1, "3", "");
    ck_assert_uint_eq(take(1), 0);
    ck_assert_uint_eq(nodes_count(nodes), 0);
    ck_assert(is_over(fd));
    close(fd);
    end();
}
END_TEST

START_TEST(endpoints_without_end)
{
    char actual[ENDPOINT_MAX];
    begin(1000);
    for (int i = 1; i < 64; i++)
        open_door(actual);
    ck_assert_int_eq(nodes_open(nodes, "metrics.bind", "tcp://127.0.0.1:*", actual, why), -ENOSPC);
    ck_assert_str_eq(why, "metrics.bind: tcp://127.0.0.1:* is one endpoint too many: there may be 64");
    nodes_shut(nodes, endpoint);
    open_door(endpoint);
    ck_assert_int_eq(nodes_open(nodes, "metrics.bind", endpoint, actual, why), -ENOSPC);
    nodes_shut(nodes, actual);
    int fd = greeted(endpoint);
    close(fd);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nodes_ended");
    TCase *tcase = tcase_create("nodes_ended");
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, who_breaks_the_protocol, 0, sizeof faults / sizeof *faults);
    tcase_add_loop_test(tcase, too_large, 0, 2);
    tcase_add_test(tcase, broken_behind_a_large_message);
    tcase_add_test(tcase, who_leaves_within_a_message);
    tcase_add_test(tcase, a_handshake_that_takes_too_long);
    tcase_add_test(tcase, a_peer_that_waits_for_our_part);
    tcase_add_test(tcase, a_handshake_that_we_are_late_to_read);
    tcase_add_test(tcase, no_descriptor_is_left);
    tcase_add_loop_test(tcase, an_endpoint_that_is_shut, 0, 2);
    tcase_add_test(tcase, shut_while_at_hand);
    tcase_add_test(tcase, endpoints_without_end);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

/* What nodes say comes out as it went in, however it came. */
#include <czmq.h>

#include <sys/ioctl.h>

#include "daemon/ingest/node.h"
#include "tests/run_suite.h"
#include "tests/unit/nodes_case.h"
#include "tests/unit/tsan_libzmq.h"

#define MIB (1u << 20)
#define PEERS 4
#define MESSAGES 400

static char large[5 * MIB];

/* Most are small; some are put together in nodes' memory, a few take many reads. */
static size_t size_of(unsigned peer, unsigned n)
{
    if (n % 101 == 7)
        return MIB + n * 100 + peer;
    if (n % 37 == 5)
        return 30000 + n * 40 + peer;
    return n * 7919 % 3000;
}

static void fill(char *at, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (char)(seed * 31 + i * 7 + i / 251);
}

static bool is_filled(const char *at, size_t len, unsigned seed)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i] != (char)(seed * 31 + i * 7 + i / 251))
            return false;
    }
    return true;
}

static zsock_t *publisher(void)
{
    char got[32];
    zsock_t *pub = zsock_new(ZMQ_XPUB);
    zsock_set_sndhwm(pub, 0);
    zsock_set_linger(pub, 0);
    ck_assert_int_eq(zsock_connect(pub, "%s", endpoint), 0);
    const int64_t until_ns = clock_now().steady_ns + PATIENCE_NS;
    for (int heard = 0; heard < 3;) {
        heard += zmq_recv(zsock_resolve(pub), got, sizeof got, ZMQ_DONTWAIT) > 0;
        MUST(take(FRAME_BATCH_MAX) == 0);
        MUST(clock_now().steady_ns < until_ns);
    }
    return pub;
}

static void publish(zsock_t *pub, unsigned peer, unsigned n)
{
    char topic[64];
    const int len = snprintf(topic, sizeof topic, "metrics/%u/%u", peer, n);
    const size_t size = size_of(peer, n);
    fill(large, size, peer * MESSAGES + n);
    MUST(zmq_send(zsock_resolve(pub), topic, (size_t)len, ZMQ_SNDMORE) == len);
    MUST(zmq_send(zsock_resolve(pub), large, size, 0) == (int)size);
}

static void look_at(const struct frame *frame, unsigned next[PEERS])
{
    char topic[64];
    unsigned peer, n;
    MUST(frame->topic_len < sizeof topic && frame->parts == 2 && frame->kind == FRAME_WRONG && !frame->holds);
    memcpy(topic, frame->topic, frame->topic_len);
    topic[frame->topic_len] = '\0';
    MUST(sscanf(topic, "metrics/%u/%u", &peer, &n) == 2 && peer < PEERS && n == next[peer]);
    MUST(frame->payload_len == size_of(peer, n));
    MUST(is_filled(frame->payload, frame->payload_len, peer * MESSAGES + n));
    next[peer]++;
}

static void hear_publishers(uint32_t most)
{
    zsock_t *pubs[PEERS];
    unsigned next[PEERS] = {0};
    begin(4 * MIB);
    for (unsigned p = 0; p < PEERS; p++)
        pubs[p] = publisher();
    ck_assert_uint_eq(nodes_count(nodes), PEERS);
    for (unsigned n = 0; n < MESSAGES; n++) {
        for (unsigned p = 0; p < PEERS; p++)
            publish(pubs[p], p, n);
    }
    for (uint32_t left = PEERS * MESSAGES, count; left > 0; left -= count) {
        count = take_some(most);
        for (uint32_t i = 0; i < count; i++)
            look_at(&frames[i], next);
    }
    for (unsigned p = 0; p < PEERS; p++) {
        ck_assert_uint_eq(next[p], MESSAGES);
        zsock_destroy(&pubs[p]);
    }
    wait_count(0);
    end();
}

START_TEST(publishers_of_libzmq)
{
    static const uint32_t most[] = {FRAME_BATCH_MAX, 1, 7};
    hear_publishers(most[_i]);
}
END_TEST

START_TEST(byte_by_byte)
{
    static const char bytes[] = NULL_GREETING READY "\x01\x08metrics/\0\x02{}\x04\x07\x04PING\0\x0a\x01\x06"
                                                    "batch/\0\x02[]";
    begin(1000);
    int fd = connected(endpoint);
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof bytes - 1; i++) {
        MUST(send(fd, bytes + i, 1, 0) == 1);
        for (int looks = 0; looks < 20; looks++) {
            if (take(FRAME_BATCH_MAX) == 1)
                is_frame(&frames[0], 2, count ? "batch/" : "metrics/", count ? "[]" : "{}"), count++;
        }
    }
    while (count < 2)
        count += take_some(1);
    char got[GREETED_BYTES + 7];
    ck_assert_uint_eq(receive_bytes(fd, got, sizeof got), sizeof got);
    ck_assert_mem_eq(got + GREETED_BYTES, "\x04\x05\x04PONG", 7);
    close(fd);
    wait_count(0);
    end();
}
END_TEST

/* More messages in one read than one call hands out: the rest comes with the next calls, without another look. */
/* Whoever sends heartbeats without end is answered once for all that were read together. */
START_TEST(many_pings_at_once)
{
    enum { PINGS = 3000, PONG_BYTES = 2 + 5 + 1, PONGS = 20 };
    static const char ping[] = "\x04\x08\x04PING\0\x0a";
    char all[PINGS * 10], got[PONGS * PONG_BYTES];
    for (int i = 0; i < PINGS; i++) {
        memcpy(all + 10L * i, ping, 9);
        all[10L * i + 9] = i == PINGS - 1 ? 'z' : 'a';
    }
    begin(1000);
    int fd = greeted(endpoint);
    send_bytes(fd, all, sizeof all);
    SEND(fd, "\0\x01t");
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    ck_assert_uint_eq(take(FRAME_BATCH_MAX), 0);
    shutdown(fd, SHUT_WR);
    wait_count(0);
    const size_t came = receive_bytes(fd, got, sizeof got);
    ck_assert_uint_gt(came, 0);
    ck_assert_uint_lt(came, sizeof got);
    ck_assert_mem_eq(got + came - PONG_BYTES, "\x04\x06\x04PONGz", PONG_BYTES);
    close(fd);
    end();
}
END_TEST

/* What a node has sent is all here, and its peer may wait for room: a look that took a full piece of it is not the last. */
START_TEST(a_full_piece_is_not_all)
{
    enum { PAYLOAD = 40000, FIRST = 1000, THEN = 20000 };
    static char payload[PAYLOAD];
    begin(PAYLOAD);
    int fd = greeted(endpoint), waiting = 0, looks = 0;
    struct pollfd poller = {.fd = nodes_fd(nodes), .events = POLLIN};
    SEND(fd, "\x01\x01t\x02\0\0\0\0\0\0\x9c\x40"); /* 40,000 bytes come */
    send_bytes(fd, payload, FIRST);
    do
        MUST(take(FRAME_BATCH_MAX) == 0 && ioctl(fd, TIOCOUTQ, &waiting) == 0);
    while (waiting > 0 || nodes_more(nodes) || poll(&poller, 1, 0) > 0);
    MUST(send(fd, payload + FIRST, THEN, 0) == THEN);
    do
        MUST(ioctl(fd, TIOCOUTQ, &waiting) == 0);
    while (waiting > 0);
    MUST(poll(&poller, 1, 20000) == 1);
    do
        MUST(take(FRAME_BATCH_MAX) == 0 && ++looks < 100);
    while (nodes_more(nodes));
    ck_assert_int_gt(looks, 2); /* each has as much room again as there was */
    ck_assert_int_eq(poll(&poller, 1, 0), 0);
    send_bytes(fd, payload + FIRST + THEN, PAYLOAD - FIRST - THEN);
    ck_assert_uint_eq(take_some(FRAME_BATCH_MAX), 1);
    ck_assert_uint_eq(frames[0].payload_len, PAYLOAD);
    close(fd);
    end();
}
END_TEST

START_TEST(more_than_frames)
{
    char message[32] = "\x01\x01t\0\x02";
    begin(1000);
    int fd = greeted(endpoint);
    for (int n = 0; n < 100; n++) {
        snprintf(message + 5, sizeof message - 5, "%02d", n);
        send_bytes(fd, message, 7);
    }
    int next = 0;
    while (next < 100) {
        const uint32_t count = take_some(FRAME_BATCH_MAX);
        for (uint32_t i = 0; i < count; i++) {
            char text[16];
            snprintf(text, sizeof text, "%02d", next++);
            is_frame(&frames[i], 2, "t", text);
        }
    }
    ck_assert_uint_eq(take(FRAME_BATCH_MAX), 0);
    ck_assert(!nodes_more(nodes));
    close(fd);
    end();
}
END_TEST

static size_t put_head(char *at, char flags, size_t len)
{
    const char head[9] = {(char)(flags | 2), 0,        0, 0, 0, (char)(len >> 24), (char)(len >> 16),
                          (char)(len >> 8),  (char)len};
    memcpy(at, head, sizeof head);
    return sizeof head;
}

/* What came of one connection, as a text; frames are looked at right after the call that handed them out. */
static char heard[4096];

static void hear(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct frame *frame = &frames[i];
        const size_t len = strlen(heard);
        const bool filled = frame->payload_len > 9 && is_filled(frame->payload, frame->payload_len, 9);
        snprintf(heard + len, sizeof heard - len, "%u %.*s %zu%s\n", frame->parts, (int)frame->topic_len, frame->topic,
                 frame->payload_len, filled ? " filled" : "");
    }
}

static void feed(int fd, const char *at, size_t len, size_t piece)
{
    for (size_t sent = 0; sent < len;) {
        const ssize_t got = send(fd, at + sent, len - sent < piece ? len - sent : piece, MSG_DONTWAIT | MSG_NOSIGNAL);
        MUST(got > 0 || errno == EAGAIN);
        sent += got > 0 ? (size_t)got : 0;
        hear(take(FRAME_BATCH_MAX));
    }
}

/* A message of several MiB in pieces of any size, with others before and behind it in the same reads. */
START_TEST(large_in_pieces)
{
    static const size_t pieces[] = {1000, 32768, 65536, 65537, 300000, sizeof large};
    static const char expected[] = "2 s 0\n2 tail 3145733 filled\n2 n 1\n1 y 0\n";
    const size_t size = 3 * MIB + 5;
    begin(4 * MIB);
    int fd = greeted(endpoint);
    for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++) {
        heard[0] = '\0';
        memcpy(large, "\x01\x01s\0\0", 5);
        size_t len = 5 + put_head(large + 5, 1, 4);
        memcpy(large + len, "tail\x04\x05\x04PONG", 11);
        len += 11;
        len += put_head(large + len, 0, size);
        fill(large + len, size, 9);
        len += size;
        memcpy(large + len, "\x01\x01n\0\x01x\0\x01y", 9);
        feed(fd, large, len + 9, pieces[p]);
        while (strlen(heard) < sizeof expected - 1)
            hear(take_some(FRAME_BATCH_MAX));
        ck_assert_str_eq(heard, expected);
    }
    close(fd);
    end();
}
END_TEST

/* Whoever makes a message of a million parts does not make a call for each of them. */
START_TEST(many_parts)
{
    const size_t parts = 2 * MIB;
    begin(4 * MIB);
    int fd = greeted(endpoint);
    memset(large, 0, 2 * parts);
    for (size_t i = 0; i + 1 < parts; i++)
        large[2 * i] = 1;
    memcpy(large + 2 * parts, "\x01\x01n\0\x01x", 6);
    calls = 0;
    heard[0] = '\0';
    feed(fd, large, 2 * parts + 6, sizeof large);
    while (strlen(heard) < sizeof "2097152  0\n2 n 1\n" - 1)
        hear(take_some(FRAME_BATCH_MAX));
    ck_assert_str_eq(heard, "2097152  0\n2 n 1\n");
    ck_assert_uint_lt(calls, 20000);
    close(fd);
    end();
}
END_TEST

/* A message grows by one byte after the other: what it has is moved a few times, and is never half empty. */
START_TEST(room_grows_by_parts)
{
    const size_t size = MIB;
    int fd[2], moves = 0;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    struct node *node = node_new(fd[0], -1, size, 0);
    ck_assert_ptr_nonnull(node);
    ck_assert_int_eq(node_keep(node, (const unsigned char *)large, 1000), 0);
    while (node->rest_len < size) {
        const size_t room = node->rest_room;
        node->zmtp.need = _i ? node->rest_len + 2 : size;
        MUST(node_reserve(node) == 0 && node->rest_room > node->rest_len && node->rest_room <= 2 * node->rest_len);
        moves += node->rest_room != room;
        node->rest_len++;
    }
    ck_assert_int_lt(moves, 70);
    ck_assert_uint_le(node->rest_room, size + size / 8);
    ck_assert_int_eq(node_keep(node, node->rest + size - 600, 600), 0); /* most of it is given back */
    ck_assert_uint_eq(node->rest_room, 600);
    ck_assert_int_eq(node_keep(node, node->rest, 0), 0);
    ck_assert_uint_eq(node->rest_len, 0);
    node_close(node);
    close(fd[1]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nodes");
    TCase *tcase = tcase_create("nodes");
    zsys_handler_set(NULL);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, publishers_of_libzmq, 0, 3);
    tcase_add_test(tcase, byte_by_byte);
    tcase_add_test(tcase, many_pings_at_once);
    tcase_add_test(tcase, a_full_piece_is_not_all);
    tcase_add_test(tcase, more_than_frames);
    tcase_add_test(tcase, large_in_pieces);
    tcase_add_test(tcase, many_parts);
    tcase_add_loop_test(tcase, room_grows_by_parts, 0, 2);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/zmtp.h"
#include "tests/run_suite.h"

#define MOST 1000

/* What stands in the RFC, and what a PUB and an XPUB of libzmq 4.3.4 send when they are answered as here. */
#define SIGNATURE "\xff\0\0\0\0\0\0\0\x01\x7f"
#define ZEROES_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define GREETING_OF(version, mechanism) SIGNATURE version mechanism "\0" ZEROES_16 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define GREETING GREETING_OF("\x03\x01", "NULL" ZEROES_16)
#define READY_PUB "\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB"
#define READY_XPUB "\x04\x1a\x05READY\x0bSocket-Type\0\0\0\x04XPUB"
#define PING "\x04\x07\x04PING\0\x0a"

/* An assertion of check's writes to a file each time. */
#define MUST(holds)                                                                                                    \
    do {                                                                                                               \
        if (!(holds))                                                                                                  \
            ck_abort_msg("not so: %s", #holds);                                                                        \
    } while (0)

static char out[1 << 20]; /* what was said, a line each */
static size_t out_len;

static struct {
    uint8_t at[1 << 20];
    size_t len;
} sent;

static void put(const void *at, size_t len)
{
    MUST(sent.len + len <= sizeof sent.at);
    memcpy(sent.at + sent.len, at, len);
    sent.len += len;
}

#define PUT(literal) put(literal, sizeof(literal) - 1)

static void begin(void)
{
    sent.len = 0;
}

static void begin_open(void)
{
    begin();
    PUT(GREETING READY_PUB);
}

static void put_part(char c, size_t len, bool more)
{
    const uint8_t head[9] = {(uint8_t)(more | 2), 0,           0, 0, 0, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
                             (uint8_t)(len >> 8), (uint8_t)len};
    const uint8_t small[2] = {more, (uint8_t)len};
    put(len > 255 ? head : small, len > 255 ? 9 : 2);
    MUST(sent.len + len <= sizeof sent.at);
    memset(sent.at + sent.len, c, len);
    sent.len += len;
}

static void say(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    out_len += (size_t)vsnprintf(out + out_len, sizeof out - out_len, format, list);
    va_end(list);
    MUST(out_len < sizeof out);
}

/* Short texts as they stand; of long ones how long they are, and their first and last byte. */
static void say_text(struct text text, const uint8_t *bytes, size_t len)
{
    if (text.len > 0)
        MUST((const uint8_t *)text.at >= bytes && (const uint8_t *)text.at + text.len <= bytes + len);
    if (text.len < 40)
        say(" [%.*s]", (int)text.len, text.at);
    else
        say(" [%c..%c %zu]", text.at[0], text.at[text.len - 1], text.len);
}

static void say_what(enum zmtp_what what, const struct zmtp_said *said, const uint8_t *bytes, size_t len)
{
    static const char *const faults[ZMTP_FAULTS] = {"strange", "old",    "mechanism", "refused",
                                                    "socket",  "broken", "too large"};
    if (what == ZMTP_ANSWER) {
        say("answer");
        for (int i = 0; i < said->answer.len; i++)
            say(" %02x", said->answer.at[i]);
    } else if (what == ZMTP_END) {
        say("end: %s", faults[said->fault]);
        if (said->fault == ZMTP_TOO_LARGE)
            say_text(said->topic, bytes, len);
    } else if (what == ZMTP_MESSAGE) {
        say("%u", said->parts);
        say_text(said->topic, bytes, len);
        say_text(said->payload, bytes, len);
    } else {
        say("open");
    }
    say("\n");
}

/* Reads all there is to read of `have` bytes from *done on, out of memory of just that size; false: it is over. */
static bool read_all(struct zmtp *zmtp, size_t *done, size_t have, int *calls)
{
    const size_t len = have - *done;
    uint8_t *bytes = malloc(len ? len : 1), *at = bytes;
    enum zmtp_what what = ZMTP_WAIT;
    struct zmtp_said said;
    size_t used;
    memcpy(bytes, sent.at + *done, len);
    do {
        const size_t left = (size_t)(bytes + len - at);
        what = zmtp_read(zmtp, at, left, &used, &said);
        (*calls)++;
        MUST(used <= left);
        if (what == ZMTP_WAIT) {
            MUST(used == 0);
            MUST(zmtp->need > left);
        } else {
            say_what(what, &said, at, left);
        }
        at += used;
    } while (what != ZMTP_WAIT && what != ZMTP_END);
    *done += (size_t)(at - bytes);
    free(bytes);
    return what == ZMTP_WAIT;
}

/* What is said when the bytes come in pieces that end before `first` and `second`, and are `step` long behind it. */
static const char *hear_cut(size_t most, size_t first, size_t second, size_t step)
{
    struct zmtp zmtp;
    size_t done = 0, have = 0;
    int calls = 0;
    bool goes_on = true;
    out_len = 0;
    out[0] = '\0';
    zmtp_init(&zmtp, most);
    while (goes_on && have < sent.len) {
        have = have < first ? first : have < second ? second : have + step;
        have = have < sent.len ? have : sent.len;
        goes_on = read_all(&zmtp, &done, have, &calls);
    }
    return out;
}

/* In one piece, and the same byte by byte and in every three pieces. */
static const char *hear(void)
{
    static char whole[sizeof out];
    strcpy(whole, hear_cut(MOST, sent.len, sent.len, 1));
    for (size_t step = 1; step < 12; step++)
        ck_assert_str_eq(hear_cut(MOST, 0, 0, step), whole);
    for (size_t first = 1; first < sent.len && sent.len < 250; first++) {
        for (size_t second = first; second < sent.len; second++)
            MUST(strcmp(hear_cut(MOST, first, second, sent.len), whole) == 0);
    }
    return whole;
}

#define ZEROES_SAID " 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
#define READY_SAID "answer 00 4e 55 4c 4c" ZEROES_SAID ZEROES_SAID ZEROES_SAID "\n"
#define OPEN_SAID READY_SAID "open\n"
#define PONG_SAID "answer 04 05 04 50 4f 4e 47\n"

START_TEST(what_is_sent)
{
    uint8_t opening[ZMTP_OPENING_BYTES], subscription[ZMTP_ANSWER_MAX];
    zmtp_opening(opening);
    ck_assert_uint_eq(sizeof(GREETING) - 1, ZMTP_GREETING_BYTES);
    ck_assert_mem_eq(opening, "\xff\0\0\0\0\0\0\0\0\x7f\x03", ZMTP_OPENING_BYTES);
    ck_assert_uint_eq(zmtp_subscription("metrics/", subscription), 11);
    ck_assert_mem_eq(subscription, "\0\x09\x01metrics/", 11);
    ck_assert_uint_eq(zmtp_ready(subscription), 27);
    ck_assert_mem_eq(subscription, "\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB", 27);
    char longest[61] = "";
    memset(longest, 'x', 60);
    ck_assert_uint_eq(zmtp_subscription(longest, subscription), 63);
    ck_assert_uint_eq(subscription[1], 61);
    ck_assert_uint_eq(zmtp_subscription("", subscription), 3);
}
END_TEST

START_TEST(a_publisher_of_libzmq)
{
    begin_open();
    PUT("\x01\x0dmetrics/p/n/v\0\x02{}");
    PUT("\x01\x0ametrics/a\n\x01\0\0\x01"
        "c");
    PUT("\0\x0dmetrics/alone\x01\x08metrics/\0\0");
    ck_assert_str_eq(hear(), OPEN_SAID "2 [metrics/p/n/v] [{}]\n3 [metrics/a\n] []\n1 [metrics/alone] []\n"
                                       "2 [metrics/] []\n");
}
END_TEST

START_TEST(a_publisher_with_heartbeats)
{
    begin();
    PUT(GREETING READY_XPUB PING "\x01\x01t" PING PING "\0\x01p" PING "\0\x01q");
    ck_assert_str_eq(hear(), OPEN_SAID PONG_SAID PONG_SAID PONG_SAID "2 [t] [p]\n" PONG_SAID "1 [q] []\n");
}
END_TEST

START_TEST(what_a_ping_brings_goes_back)
{
    begin_open();
    PUT("\x04\x17\x04PING\0\x0a"
        "0123456789abcdef");
    ck_assert_str_eq(hear(), OPEN_SAID "answer 04 15 04 50 4f 4e 47 30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66\n");
    begin_open();
    PUT("\x06\0\0\0\0\0\0\0\x08\x04PING\0\x0a"
        "z");
    ck_assert_str_eq(hear(), OPEN_SAID "answer 04 06 04 50 4f 4e 47 7a\n");
    begin_open();
    PUT("\x04\x18\x04PING\0\x0a"
        "0123456789abcdefg");
    ck_assert_str_eq(hear(), OPEN_SAID "end: broken\n");
    begin_open();
    PUT("\x04\x06\x04PING\0");
    ck_assert_str_eq(hear(), OPEN_SAID "end: broken\n");
}
END_TEST

START_TEST(commands_that_nobody_knows)
{
    begin_open();
    PUT("\x04\x05\x04PONG\x04\0\x01\x01t\x04\x04\x03NEW\0\x01p\x04\x09\x09SUBSCRIB");
    ck_assert_str_eq(hear(), OPEN_SAID "answer\nanswer\nanswer\n2 [t] [p]\nanswer\n");
}
END_TEST

START_TEST(heads_of_every_size)
{
    begin_open();
    put_part('a', 255, true);
    put_part('b', 256, false);
    put_part('c', 256, true);
    put_part('d', 255, false);
    PUT("\x03\0\0\0\0\0\0\0\x01t\x02\0\0\0\0\0\0\0\0");
    ck_assert_str_eq(hear(), OPEN_SAID "2 [a..a 255] [b..b 256]\n2 [c..c 256] [d..d 255]\n2 [t] []\n");
}
END_TEST

START_TEST(greetings)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *said;
    } cases[] = {
#define CASE(literal, said) {literal, sizeof(literal) - 1, said}
        CASE("GET / HTTP/1.1\r\n\r\n", "end: strange\n"),
        CASE("\xff\0\0\0\0\0\0\0\x01\x7d\x01", "end: strange\n"),
        CASE("\xff\0\0\0\0\0\0\0\x01\x00\x01", "end: old\n"), /* a long frame of ZMTP 1.0, and an empty one */
        CASE("\x01\0", "end: old\n"),
        CASE("\x01 ", "end: strange\n"),
        CASE(SIGNATURE "\x01\x02\0\0", "end: old\n"),
        CASE(SIGNATURE, ""),
        CASE("\xff", ""),
        CASE(GREETING_OF("\x03\0", "CURVE" ZEROES_16), "end: mechanism\n"),
        CASE(GREETING_OF("\x03\0", "NULLNULL\0\0\0\0\0\0\0\0\0\0\0\0"), "end: mechanism\n"),
        CASE(GREETING_OF("\x03\x01", "NULL" ZEROES_16), READY_SAID),
        CASE(GREETING_OF("\x04\0", "NULL" ZEROES_16), READY_SAID)};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin();
        put(cases[i].bytes, cases[i].len);
        ck_assert_str_eq(hear(), cases[i].said);
    }
}
END_TEST

START_TEST(handshakes)
{
    static const struct {
        const char *bytes;
        size_t len;
        const char *said;
    } cases[] = {CASE("\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03SUB", "end: socket\n"),
                 CASE("\x04\x19\x05READY\x0bSocket-Type\0\0\0\x03pub", "end: socket\n"),
                 CASE("\x04\x06\x05READY", "end: socket\n"),
                 CASE("\x04\x19\x05READY\x0bsocket-TYPE\0\0\0\x03PUB", "open\n"),
                 CASE("\x06\0\0\0\0\0\0\0\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB", "open\n"),
                 CASE("\x04\x2b\x05READY\x08Identity\0\0\0\0\0\0\0\0\0\x0bSocket-Type\0\0\0\x03PUB", "open\n"),
                 CASE("\x04\x26\x05READY\x08Identity\0\0\0\0\x0bSocket-Type\0\0\0\x03PUB", "open\n"),
                 CASE("\x04\x19\x05READY\x0bSocket-Type\0\0\0\x04PUB", "end: broken\n"),
                 CASE("\x04\x19\x05READY\x0bSocket-Type\xff\xff\xff\xffPUB", "end: broken\n"),
                 CASE("\x04\x09\x05READY\x0bSo", "end: broken\n"),
                 CASE("\x04\x0a\x05READY\x00\0\0\0", "end: broken\n"),
                 CASE("\x04\x0a\x05"
                      "ERROR\x03"
                      "400",
                      "end: refused\n"),
                 CASE("\x04\x07\x06"
                      "ERRORS",
                      "end: broken\n"),
                 CASE("\x04\x00", "end: broken\n"),
                 CASE(PING, "end: broken\n"),
                 CASE("\x00\x03PUB", "end: broken\n"),
                 CASE("\x05\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB", "end: broken\n"),
                 CASE("\x0c\x19\x05READY\x0bSocket-Type\0\0\0\x03PUB", "end: broken\n"),
                 CASE("\x06\0\0\0\0\0\0\x20\0", ""),
                 CASE("\x06\0\0\0\0\0\0\x20\x01", "end: broken\n"),
                 CASE("\x06\xff\xff\xff\xff\xff\xff\xff\xff", "end: broken\n")};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[sizeof READY_SAID + 32];
        begin();
        PUT(GREETING);
        put(cases[i].bytes, cases[i].len);
        snprintf(said, sizeof said, READY_SAID "%s", cases[i].said);
        ck_assert_msg(strcmp(hear(), said) == 0, "handshake %zu: %s", i, hear());
    }
}
END_TEST

/* Of a message that is too large its topic is known where that came. */
START_TEST(too_large)
{
    begin_open();
    put_part('t', 10, true);
    put_part('p', MOST, false);
    put_part('t', 10, true);
    PUT("\x02\0\0\0\0\0\0\x03\xe9");
    ck_assert_str_eq(hear(), OPEN_SAID "2 [tttttttttt] [p..p 1000]\nend: too large [tttttttttt]\n");
    begin_open();
    put_part('t', 10, true);
    put_part('p', MOST + 1, false);
    ck_assert_str_eq(hear(), OPEN_SAID "end: too large [tttttttttt]\n");
    begin_open();
    put_part('t', 101, true);
    put_part('p', 0, false);
    ck_assert_str_eq(hear_cut(100, sent.len, 0, 1), OPEN_SAID "end: too large []\n");
    begin_open();
    PUT("\x03\xff\xff\xff\xff\xff\xff\xff\xff");
    ck_assert_str_eq(hear(), OPEN_SAID "end: too large []\n");
    begin_open();
    PUT("\x01\x01t\x06\x7f\xff\xff\xff\xff\xff\xff\xff");
    ck_assert_str_eq(hear(), OPEN_SAID "end: too large [t]\n");
}
END_TEST

/* All of a message together, with heads and with what comes between its parts: MOST and ZMTP_BESIDE. */
START_TEST(too_large_together)
{
    const size_t room = MOST + ZMTP_BESIDE;
    for (size_t more = 0; more < 2; more++) {
        begin_open();
        put_part('t', MOST, true);
        PUT("\x04\x05\x04PONG");
        put_part('p', room - 9 - MOST - 7 - 9 + more, false);
        char expected[sizeof OPEN_SAID + 64];
        snprintf(expected, sizeof expected, OPEN_SAID "answer\n%s",
                 more ? "end: too large [t..t 1000]\n" : "2 [t..t 1000] [p..p 999]\n");
        ck_assert_str_eq(hear(), expected);
        begin_open();
        for (size_t i = 0; i < room / 2 - 1 + more; i++)
            PUT("\x01\0");
        PUT("\0\0");
        ck_assert_str_eq(hear(), more ? OPEN_SAID "end: too large []\n" : OPEN_SAID "1012 [] []\n");
    }
}
END_TEST

START_TEST(flags_that_there_are_not)
{
    for (unsigned flags = 0; flags < 256; flags++) {
        const uint8_t frame[9] = {(uint8_t)flags};
        begin_open();
        put(frame, flags & 2 ? 9 : 2);
        const char *said = hear_cut(MOST, sent.len, sent.len, 1) + strlen(OPEN_SAID);
        if (flags & 0xf8)
            ck_assert_str_eq(said, "end: broken\n");
        else
            ck_assert_str_eq(said, flags & 4 ? "answer\n" : flags & 1 ? "" : "1 [] []\n");
    }
}
END_TEST

/* What was looked at once is not looked at again: it can be spoilt. And whoever brings just what is needed is asked
 * twice a part. */
START_TEST(each_byte_costs_once)
{
    enum { PARTS = 20000 };
    struct zmtp zmtp;
    struct zmtp_said said;
    size_t used, done = 0, have = 0;
    int calls = 0;
    begin_open();
    zmtp_init(&zmtp, sizeof sent.at);
    out_len = 0;
    ck_assert(read_all(&zmtp, &done, sent.len, &calls));
    const size_t from = sent.len;
    for (int i = 1; i <= PARTS; i++)
        put_part((char)('a' + i % 20), 3, i < PARTS);
    enum zmtp_what what;
    calls = 0;
    while ((what = zmtp_read(&zmtp, sent.at + from, have, &used, &said)) == ZMTP_WAIT) {
        MUST(zmtp.need > have);
        MUST(from + zmtp.need <= sent.len);
        if (zmtp.looked > 10)
            memset(sent.at + from + 10, 0xff, zmtp.looked - 10);
        have = zmtp.need;
        calls++;
    }
    ck_assert_int_eq(what, ZMTP_MESSAGE);
    ck_assert_uint_eq(said.parts, PARTS);
    ck_assert_uint_eq(used, sent.len - from);
    ck_assert_int_le(calls, 2 * PARTS);
    ck_assert_mem_eq(said.topic.at, "bbb", 3);
    ck_assert_mem_eq(said.payload.at, "ccc", 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zmtp");
    TCase *tcase = tcase_create("zmtp");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, what_is_sent);
    tcase_add_test(tcase, a_publisher_of_libzmq);
    tcase_add_test(tcase, a_publisher_with_heartbeats);
    tcase_add_test(tcase, what_a_ping_brings_goes_back);
    tcase_add_test(tcase, commands_that_nobody_knows);
    tcase_add_test(tcase, heads_of_every_size);
    tcase_add_test(tcase, greetings);
    tcase_add_test(tcase, handshakes);
    tcase_add_test(tcase, too_large);
    tcase_add_test(tcase, too_large_together);
    tcase_add_test(tcase, flags_that_there_are_not);
    tcase_add_test(tcase, each_byte_costs_once);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

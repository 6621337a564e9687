/* The decoder against bytes that no sane node sends: every truncation of good messages, and random damage. The seed is
 * fixed, so that what fails once fails again. */
#include "tests/fuzz/wire_promises.h"
#include "tests/run_suite.h"
#include "tests/unit/wire_message.h"

#include <check.h>

static const char *const messages[] = {
    "{\"timestamp\":1732356000.25,\"node\":\"edge-1\",\"boot\":\"b7\",\"seq\":17,\"n\":32,\"accuracy\":0.93,\"precision\":0.9,"
    "\"recall\":0.875,\"latency_ms\":12.5,\"processed_fps\":29.97}",
    "{\"timestamp\":\"2026-11-23T10:00:00.125+01:00\",\"boot\":-5,\"camera\":\"caf\\u00e9 \\ud83d\\ude00\\n\",\"ok\":true,\"x\":null}",
    "[{\"node\":\"a\",\"seq\":1,\"accuracy\":0.5},{\"accuracy\":1e300},{\"accuracy\":-1},{\"x\":{\"y\":[1,{\"z\":2}]}},{\"n\":0.5},7]",
    "{\"node\":\"a\",\"timestamp\":[1,2.5,null,\"1970-01-01T00:00:00Z\"],\"n\":[1,2,3,null],\"x\":[0.1,null,-3,4],"
    "\"camera\":[\"a\",\"b\",\"c\",\"d\"],\"fps\":24}",
    "{\"h\":{\"histogram\":{\"edges\":[-1,0,0.5,12],\"counts\":[3,0,9223372036854775807]}},\"c\":{\"categories\":{\"cat\":12,\"d\\tg\":3}}}",
    "[{\"model\":\"p/n/v1\",\"x\":1},{\"model\":\"p/n/v2\",\"x\":2},{\"model\":\"bad\",\"x\":3},{\"x\":4}]",
    "{\"node\":\"a\",\"boot\":\"b\",\"topics\":{\"p/n/v\":17,\"batch\":3,\"bad\":1}}",
    "{\"a0\":1,\"a1\":1,\"a2\":1,\"a3\":1,\"a4\":1,\"a5\":1,\"a6\":1,\"a7\":1,\"a8\":1,\"a9\":1,\"b0\":1,\"b1\":1,\"b2\":1,\"b3\":1,\"b4\":1,"
    "\"b5\":1,\"b6\":1,\"b7\":1,\"b8\":1,\"b9\":1,\"c0\":1,\"c1\":1,\"c2\":1,\"c3\":1,\"c4\":1,\"c5\":1,\"c6\":1,\"c7\":1,\"c8\":1,\"c9\":1}",
};

#define MESSAGES (sizeof messages / sizeof messages[0])
#define BYTES_MAX 4096

/* What JSON does not have is written by hand. */
static const char other_msgpack[] = "\x95\x81\xA9timestamp\xD7\xFF\x77\x35\x94\x00\x00\x00\x00\x01"
                                    "\x82\xA1x\xCA\x3F\x00\x00\x00\xA1y\xCB\x7F\xF8\x00\x00\x00\x00\x00\x00"
                                    "\x81\xC4\x02\x01\x02\xC5\x00\x01\xFF"
                                    "\xDE\x00\x01\xDB\x00\x00\x00\x01z\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"
                                    "\xDF\x00\x00\x00\x01\xDA\x00\x04name\xC7\x0C\xFF\x1D\xCD\x65\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE";

static struct metric_decoder *decoder;
static struct text seeds[2 * MESSAGES + 1];

static void setup(void)
{
    decoder = test_decoder();
    for (size_t i = 0; i < MESSAGES; i++) {
        seeds[2 * i] = text_of(messages[i]);
        seeds[2 * i + 1] = packed(text_of(messages[i]));
        if (seeds[2 * i + 1].at == NULL)
            abort();
    }
    seeds[2 * MESSAGES] = (struct text){other_msgpack, sizeof other_msgpack - 1};
}

static void teardown(void)
{
    metric_decoder_destroy(&decoder);
}

/* In memory of just its size. */
static void try(const char *at, size_t bytes)
{
    char *copy = malloc(bytes > 0 ? bytes : 1);
    memcpy(copy, at, bytes);
    promise_payload(decoder, (struct text){copy, bytes});
    free(copy);
}

START_TEST(every_truncation_is_a_syntax_drop)
{
    struct model_id model;
    const struct metric_message *message;
    model_id_parse(&model, text_of("p/n/v"));
    for (size_t i = 0; i < 2 * MESSAGES + 1; i++) {
        ck_assert_int_eq(metric_decode(decoder, &model, seeds[i], 1.8e9, &message), 0);
        ck_assert_uint_eq(message->dropped[DROP_SYNTAX], 0);
        for (size_t bytes = 0; bytes < seeds[i].len; bytes++) {
            try(seeds[i].at, bytes);
            metric_decode(decoder, &model, (struct text){seeds[i].at, bytes}, 1.8e9, &message);
            if (message->dropped[DROP_SYNTAX] != 1 || message->event_count != 0)
                ck_abort_msg("message %zu cut after %zu bytes", i, bytes);
        }
    }
}
END_TEST

static uint64_t state;

static size_t below(size_t limit) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (size_t)(state * UINT64_C(2685821657736338717) >> 33) % limit;
}

static const unsigned char telling[] = "\"\\{}[],: \n-+.eE019ntfuN\x00\x7F\x80\x8F\x90\x9F\xA0\xBF\xC0\xC1\xC4\xC7\xCA\xCB\xCF\xD3\xD4\xD7\xD9"
                                       "\xDB\xDC\xDD\xDE\xDF\xE0\xFF";

/* One piece of damage; returns the new length. */
static size_t damage(char *at, size_t bytes)
{
    size_t place = below(bytes + 1), count = 1 + below(8);
    switch (below(6)) {
    case 0:
        if (place < bytes)
            at[place] = (char)below(256);
        return bytes;
    case 1:
        if (place < bytes)
            at[place] = (char)telling[below(sizeof telling - 1)];
        return bytes;
    case 2:
        if (place < bytes)
            at[place] = (char)(at[place] ^ (1 << below(8)));
        return bytes;
    case 3: /* cut a piece out */
        count = count > bytes - place ? bytes - place : count;
        memmove(at + place, at + place + count, bytes - place - count);
        return bytes - count;
    case 4: /* put a byte in */
        memmove(at + place + 1, at + place, bytes - place);
        at[place] = (char)telling[below(sizeof telling - 1)];
        return bytes + 1;
    default: { /* put a piece of another message in */
        struct text from = seeds[below(2 * MESSAGES + 1)];
        size_t start = below(from.len), len = 1 + below(40);
        len = len > from.len - start ? from.len - start : len;
        memmove(at + place + len, at + place, bytes - place);
        memcpy(at + place, from.at + start, len);
        return bytes + len;
    }
    }
}

START_TEST(damaged_messages_do_no_harm)
{
    static char bytes[BYTES_MAX];
    state = 20261123;
    for (int i = 0; i < 100000; i++) {
        struct text seed = seeds[below(2 * MESSAGES + 1)];
        size_t len = seed.len;
        memcpy(bytes, seed.at, len);
        for (size_t left = 1 + below(4); left > 0 && len < BYTES_MAX - 64; left--)
            len = damage(bytes, len);
        try(bytes, len);
    }
}
END_TEST

START_TEST(noise_does_no_harm)
{
    char bytes[64];
    state = 4711;
    for (int i = 0; i < 100000; i++) {
        size_t len = below(sizeof bytes);
        for (size_t j = 0; j < len; j++)
            bytes[j] = (char)(i % 2 ? telling[below(sizeof telling - 1)] : below(256));
        if (len > 0 && i % 3 != 0)
            bytes[0] = (char)("{[\x81\x84\x92\xDC\xDF"[below(7)]);
        try(bytes, len);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_noise");
    TCase *tcase = tcase_create("metric_noise");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, every_truncation_is_a_syntax_drop);
    tcase_add_test(tcase, damaged_messages_do_no_harm);
    tcase_add_test(tcase, noise_does_no_harm);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

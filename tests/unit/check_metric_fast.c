/* The short way through an event and the long way must say the same of every payload. */
#include <check.h>

#include "tests/rounds.h"
#include "tests/run_suite.h"
#include "tests/unit/wire_message.h"

static const struct model_id model = {{"p/n/v", 5}, {"p", 1}, {"n", 1}, {"v", 1}};

static struct metric_decoder *careful_decoder(void)
{
    struct metric_options options = {.max_future_s = TEST_FUTURE_S, .secret = {1, 2}, .careful = true};
    struct metric_decoder *decoder;
    ck_assert_int_eq(metric_decoder_new(&decoder, &options), 0);
    return decoder;
}

/* The line of wire_message.h, with its details behind. */
static char *told(struct metric_decoder *decoder, const struct model_id *id, const void *payload, size_t len)
{
    const struct metric_message *message;
    char *line = NULL;
    size_t bytes = 0;
    /* A block of its own, so that a sanitizer sees a byte that is read beyond it. */
    char *copy = malloc(len ? len : 1);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, payload, len);
    ck_assert_int_eq(metric_decode(decoder, id, (struct text){copy, len}, TEST_NOW_S, &message), 0);
    FILE *out = open_memstream(&line, &bytes);
    put_message(out, message, true);
    for (int i = 0; i < DROP_REASONS; i++)
        fprintf(out, "|%s", message->detail[i] ? message->detail[i] : "");
    fclose(out);
    free(copy);
    return line;
}

static struct metric_decoder *fast, *careful;

static void setup(void)
{
    fast = test_decoder();
    careful = careful_decoder();
}

static void teardown(void)
{
    metric_decoder_destroy(&fast);
    metric_decoder_destroy(&careful);
}

static void same_bytes(const void *payload, size_t len)
{
    for (int with_model = 0; with_model < 2; with_model++) {
        const struct model_id *id = with_model ? &model : NULL;
        char *expected = told(careful, id, payload, len), *got = told(fast, id, payload, len);
        ck_assert_msg(strcmp(expected, got) == 0, "%.*s: %s, not %s", (int)len, (const char *)payload, got, expected);
        free(expected);
        free(got);
    }
}

static void same(const char *json)
{
    same_bytes(json, strlen(json));
}

/* The fast one reads it so often that it knows its shape, and reads the next one by it. */
static void learn(const void *payload, size_t len)
{
    const struct metric_message *message;
    for (int i = 0; i < 8; i++)
        ck_assert_int_eq(metric_decode(fast, &model, (struct text){payload, len}, TEST_NOW_S, &message), 0);
}

static const char *const payloads[] = {
    "{\"accuracy\":0.5}",
    "{ \"accuracy\" : 0.5 , \"recall\" :1 }",
    "{\"accuracy\":0.5,\"accuracy\":0.5}",
    "{\"accuracy\":null,\"accuracy\":0.5}",
    "{\"accuracy\":null,\"b\":null}",
    "{\"model\":null,\"b\":1}",
    "{\"a\":1}\n",
    "{\"a\":1} \r\n ",
    "{\"a\":1}\t",
    "{\"a\":1}}",
    "{\"a\":1}]",
    "[{\"a\":1}]",
    "[{\"a\":1},{\"a\":2},{\"b\":2}]",
    "[{\"a\":1}{\"a\":2}]",
    "[{\"seq\":1,\"node\":\"x\",\"boot\":3,\"a\":1},{\"seq\":9,\"node\":\"y\",\"boot\":4,\"a\":2}]",
    "[{\"a\":1},{\"seq\":9,\"node\":\"y\",\"boot\":4,\"a\":2}]",
    "[{\"model\":\"p/n/v\",\"a\":1},{\"a\":2},{\"model\":\"p/n\",\"a\":2},{\"model\":3,\"a\":2}]",
    "{\"model\":\"p/n/w\",\"a\":1}",
    "{\"seq\":18446744073709551615,\"a\":1}",
    "{\"seq\":18446744073709551616,\"a\":1}",
    "{\"seq\":999999999999999999,\"a\":1}",
    "{\"seq\":3.0,\"a\":1}",
    "{\"seq\":3e0,\"a\":1}",
    "{\"seq\":-0,\"a\":1}",
    "{\"seq\":-1,\"a\":1}",
    "{\"seq\":01,\"a\":1}",
    "{\"seq\":0,\"a\":1}",
    "{\"seq\":\"1\",\"a\":1}",
    "{\"n\":0,\"a\":1}",
    "{\"n\":7,\"a\":1}",
    "{\"n\":1}",
    "{\"boot\":-3,\"a\":1}",
    "{\"boot\":0,\"a\":1}",
    "{\"boot\":\"abc\",\"a\":1}",
    "{\"node\":\"a\\u0062\",\"a\":1}",
    "{\"node\":\"\xc3\xa4\",\"a\":1}",
    "{\"node\":\"\xff\",\"a\":1}",
    "{\"node\":3,\"a\":1}",
    "{\"a\":-0}",
    "{\"a\":-0.0}",
    "{\"a\":-}",
    "{\"a\":01}",
    "{\"a\":1.}",
    "{\"a\":.5}",
    "{\"a\":1e5}",
    "{\"a\":1E-5}",
    "{\"a\":1e400}",
    "{\"a\":0.9531234567890123}",
    "{\"a\":123456789012345678901234567890}",
    "{\"a\":1208925819614629174706176}", /* modulo 2^64 these are 0, 0, 1 and 1.5 */
    "{\"a\":600000000000000000000000000000000000000000000000000000000000000}",
    "{\"a\":18446744073709551617}",
    "{\"a\":18446744073709551617.5}",
    "{\"a\":0.000000000000000000000000000001}",
    "{\"a\":9007199254740993}",
    "{\"a\":9007199254740992.0}",
    "{\"a\":12345678.87654321}",
    "{\"a\":739728171 }", /* nine digits that end 14 bytes behind the beginning */
    "{\"a\":7397.28171}",
    "{\"a\":12345678}",
    "{\"a\":1234.567}",
    "{\"ab\":12345.67}",
    "{\"a\":1234567.1234567}",
    "{\"accuracy\":1.0000001}",
    "{\"accuracy\":-0.1}",
    "{\"accuracy\":\"x\"}",
    "{\"latency_ms\":-1}",
    "{\"latency_ms\":{}}",
    "{\"Bad\":1}",
    "{\"\":1}",
    "{\"note\":\"x\",\"b\":1}",
    "{\"note\":true,\"b\":1}",
    "{\"note\":[\"x\"],\"b\":[1]}",
    "{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[2]}},\"b\":1}",
    "{\"timestamp\":1700000000.5,\"a\":1}",
    "{\"timestamp\":-5,\"a\":1}",
    "{\"timestamp\":9e99,\"a\":1}",
    "{\"timestamp\":\"2023-11-14T22:13:20Z\",\"a\":1}",
    "{\"timestamp\":\"yesterday\",\"a\":1}",
    "{\"timestamp\":true,\"a\":1}",
    "{\"a\":nul}",
    "{\"a\":null",
    "{\"a\":1",
    "{\"a\":1,",
    "{\"a\":1,}",
    "{\"a\"",
    "{\"a",
    "{",
    "{}",
    "[]",
    "[{}]",
    "{\"a\" 1}",
    "{\"a\":1 \"b\":2}",
    "{\"model\":\"p/n/v\",\"node\":\"n07\",\"boot\":1,\"seq\":  12345678,\"accuracy\":0.9512,\"precision\":1,\"latency_ms\":41.25,\"n\":3}",
    "{\"model\": \"p/n/v\", \"node\": \"a longer name of a node\", \"boot\": \"2024-05-06\", \"accuracy\": 0.9512345678901234, \"loss\": -0.25}",
    "[{\"model\":\"p/n/v\",\"seq\":7,\"accuracy\":0.5,\"timestamp\":1700000000.5},{\"model\":\"p/n/w\",\"accuracy\":0.25},"
    "{\"model\":\"p/n/w\",\"accuracy\":0.125} , {\"model\":\"p/n/x\",\"recall\":1,\"accuracy\":0}]\n",
    "{\"abcdefg\":1,\"abcdefgh\":2,\"abcdefghi\":3,\"abcdefghijklmnop\":4,\"abcdefghijklmnopq\":5}",
    "{\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl\":1}",
    "{\"abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklm\":1}",
};

/* Three times and in both directions: what was learnt from one payload must not change what the next one says. */
START_TEST(every_payload_says_the_same)
{
    const int count = sizeof payloads / sizeof *payloads;
    for (int i = 0; i < count; i++)
        same(payloads[i]);
    for (int i = count; i-- > 0;)
        same(payloads[i]);
    for (int i = 0; i < count; i++) {
        same(payloads[i]);
        same(payloads[0]);
    }
}
END_TEST

START_TEST(every_cut_says_the_same)
{
    for (size_t i = 0; i < sizeof payloads / sizeof *payloads; i++) {
        for (size_t len = 0; len < strlen(payloads[i]); len++) {
            learn(payloads[i], strlen(payloads[i]));
            same_bytes(payloads[i], len);
        }
    }
}
END_TEST

static uint64_t random_state = 7;

static uint32_t pick(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(random_state >> 33) % below;
}

START_TEST(every_changed_byte_says_the_same)
{
    static const char bytes[] = "{}[]\",:. \n0123456789eE+-nulltrue\\abcdef\x80\xff";
    for (int round = 0; round < ROUNDS_OR(15000, 3000); round++) {
        char copy[256];
        const char *payload = payloads[pick(sizeof payloads / sizeof *payloads)];
        size_t len = strlen(payload);
        memcpy(copy, payload, len);
        for (uint32_t changes = 1 + pick(3); changes > 0; changes--)
            copy[pick((uint32_t)len)] = bytes[pick(sizeof bytes - 1)];
        learn(payload, len);
        same_bytes(copy, len);
    }
}
END_TEST

START_TEST(every_number_says_the_same)
{
    for (int round = 0; round < ROUNDS_OR(15000, 3000); round++) {
        char json[160], whole[24], part[24];
        for (uint32_t i = 0, n = 1 + pick(20); i <= n; i++)
            whole[i] = i == n ? '\0' : (char)('0' + pick(10));
        for (uint32_t i = 0, n = pick(20); i <= n; i++)
            part[i] = i == n ? '\0' : (char)('0' + pick(10));
        const char *point = *part || pick(8) == 0 ? "." : "";
        snprintf(json, sizeof json, "{\"x\":%s%s%s%s%s}", pick(4) ? "" : "-", whole, point, part, pick(9) ? "" : "e-3");
        same(json);
        snprintf(json, sizeof json, "{\"model\":\"p/n/v\",\"accuracy\":0.5,\"x\":%s%s%s}", whole, point, part);
        same(json);
        snprintf(json, sizeof json, "{\"x\":%s%s%s,\"model\":\"p/n/v\",\"a_metric_that_follows\":0.5}", whole, point,
                 part);
        same(json);
        snprintf(json, sizeof json, "{\"seq\":%s,\"n\":%s,\"timestamp\":%s.%s,\"x\":1}", whole, part, part, whole);
        same(json);
    }
}
END_TEST

/* More names than the decoder can know: it forgets and goes on. */
/* Numbers that follow one another in a shape: each is tried as one that is written as the one before. */
START_TEST(numbers_that_look_alike_say_the_same)
{
    static const char *const numbers[] = {"0.5",     "1.5",     "0.25",   "9.75",    "12.5",    "02.5",   "00.5",   "12.34",
                                          "123.45",  "12345.6", "1.23456", "1.5e2",  "1.5.2",   "1,25",   "1-25",   "1.2x",
                                          "1.\xb2",  "1\xae" "25", "1.",   ".5",      "1/5",     "1:5",    "1.:",    "-0.5",
                                          " 1.5",    "1.5 ",    "1234567", "1.234567", "12.34567", "0.1234567890123456"};
    const size_t count = sizeof numbers / sizeof numbers[0];
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < count; k++) {
            char before[64], json[64];
            snprintf(before, sizeof before, "{\"metric\":%s,\"b\":%s}", numbers[i], numbers[k]);
            snprintf(json, sizeof json, "{\"metric\":%s,\"b\":%s}", numbers[k], numbers[i]);
            learn(before, strlen(before));
            same(json);
            same(before);
        }
    }
}
END_TEST

START_TEST(any_number_of_names_is_read)
{
    for (uint32_t i = 0; i < 3000; i++) {
        char json[96];
        snprintf(json, sizeof json, "{\"name_%u\":1,\"accuracy\":0.5,\"other_%u\":2}", i, i / 2);
        same(json);
    }
}
END_TEST

START_TEST(forgetting_changes_nothing)
{
    for (uint32_t i = 0; i < 140000; i++) {
        char json[64];
        const struct metric_message *message;
        int len = snprintf(json, sizeof json, "{\"stranger_%u\":1,\"b\":2}", i);
        ck_assert_int_eq(metric_decode(fast, &model, (struct text){json, (size_t)len}, TEST_NOW_S, &message), 0);
        ck_assert_uint_eq(message->event_count, 1);
        ck_assert_uint_eq(message->events[0].metric_count, 2);
        ck_assert(text_is(message->events[0].metrics[1].name, "b"));
    }
    same(payloads[4]);
    same(payloads[13]);
}
END_TEST

/* What two senders in turn say must not be taken for each other's, nor what one of them says in two ways. */
START_TEST(shapes_that_take_turns_say_the_same)
{
    static const char *const turns[] = {
        "{\"model\":\"p/n/v\",\"accuracy\":0.5,\"recall\":0.25}",   "{\"model\":\"p/n/v\",\"recall\":0.5,\"accuracy\":0.25}",
        "{\"model\":\"p/n/v\",\"accuracy\":0.5,\"recall\":null}",   "{\"model\":\"p/n/v\",\"accuracy\":0.5, \"recall\":0.25}",
        "{\"model\":\"p/n/v\",\"accuracy\":1.5,\"recall\":0.25}",   "{\"model\":\"p/n/v\",\"accuracy\":0.5,\"recall\":\"good\"}",
        "{\"model\":\"p/n/v\",\"accuracy\":0.5,\"accuracy\":0.25}", "{\"model\":\"p/n/v\",\"accuracy\":0.5,\"recall\":0.25 }",
    };
    for (int round = 0; round < ROUNDS_OR(4000, 800); round++) {
        const char *first = turns[pick(8)];
        for (uint32_t times = pick(4); times > 0; times--)
            same(first);
    }
    for (int round = 0; round < ROUNDS_OR(4000, 800); round++) {
        char json[1024] = "[";
        for (uint32_t rows = 1 + pick(12); rows > 0; rows--)
            snprintf(json + strlen(json), sizeof json - strlen(json), "%s%s", turns[pick(3) ? 0 : pick(8)],
                     rows > 1 ? "," : "]");
        same(json);
    }
}
END_TEST

/* --- MessagePack --- */

static void same_changed(const unsigned char *payload, size_t len, int rounds)
{
    unsigned char copy[512];
    same_bytes(payload, len);
    for (size_t cut = 0; cut < len; cut++) {
        learn(payload, len);
        same_bytes(payload, cut);
    }
    for (int round = 0; round < rounds / ROUNDS_OR(1, 5); round++) {
        memcpy(copy, payload, len);
        for (uint32_t changes = 1 + pick(2); changes > 0; changes--)
            copy[pick((uint32_t)len)] = (unsigned char)pick(256);
        learn(payload, len);
        same_bytes(copy, len);
    }
}

START_TEST(messagepack_says_the_same)
{
    static const unsigned char numbers[] =
        "\x8a\xa4node\xa2n1\xa4"
        "boot\x05\xa3seq\xcf\0\0\0\0\0\0\0\x09\xa8"
        "accuracy\xcb\x3f\xe0\0\0\0\0\0\0\xa1n\xcd\x01\x02\xa1x\xca\x3f\x80\0\0\xa1y\xff\xa1z\xc0\xa4note\xa1q\xa9timestamp\xce\x60\0\0\0";
    static const unsigned char batch[] =
        "\x92\x83\xa5model\xa5p/n/v\xa4"
        "boot\xa2xy\xa1x\x01\x82\xa5model\xd9\x05p/n/w\xa1x\x02";
    static const unsigned char alike[] =
        "\x95\x83\xa5model\xa5p/n/v\xa3seq\x07\xa1x\x01\x82\xa5model\xa5p/n/v\xa1x\xcb\x3f\xe0\0\0\0\0\0\0"
        "\x82\xa5model\xa5p/n/v\xa1x\xcb\x3f\xf0\0\0\0\0\0\0\x82\xa5model\xa5p/n/w\xa1x\x03\x82\xa5model\xa5p/n/v\xa1x\x04";
    same_changed(numbers, sizeof numbers - 1, 8000);
    same_changed(batch, sizeof batch - 1, 8000);
    same_changed(alike, sizeof alike - 1, 16000);
    same_changed(numbers, sizeof numbers - 1, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_fast");
    TCase *tests = tcase_create("metric_fast");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_payload_says_the_same);
    tcase_add_test(tests, every_cut_says_the_same);
    tcase_add_test(tests, every_changed_byte_says_the_same);
    tcase_add_test(tests, every_number_says_the_same);
    tcase_add_test(tests, numbers_that_look_alike_say_the_same);
    tcase_add_test(tests, any_number_of_names_is_read);
    tcase_add_test(tests, forgetting_changes_nothing);
    tcase_add_test(tests, shapes_that_take_turns_say_the_same);
    tcase_add_test(tests, messagepack_says_the_same);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

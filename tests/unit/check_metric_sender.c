/* A sender that was told is recognised, and whoever it is not is read as if nobody had been told. */
#include <check.h>

#include "lib/wire/metric_sender.h"
#include "tests/run_suite.h"
#include "tests/unit/wire_message.h"

static const struct model_id model = {{"p/n/v", 5}, {"p", 1}, {"n", 1}, {"v", 1}};
static struct metric_decoder *decoder, *careful;
static uint16_t like;

static void setup(void)
{
    struct metric_options options = {.max_future_s = TEST_FUTURE_S, .secret = {1, 2}, .careful = true};
    decoder = test_decoder();
    ck_assert_int_eq(metric_decoder_new(&careful, &options), 0);
    like = 0;
}

static void teardown(void)
{
    metric_decoder_destroy(&decoder);
    metric_decoder_destroy(&careful);
}

static struct metric_sender sender(const char *node, const char *boot)
{
    struct metric_sender out = {0};
    ck_assert(metric_sender_put(&out, text_of(node), text_of(boot)));
    return out;
}

static char *line_of(const struct metric_message *message)
{
    char *line = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&line, &bytes);
    put_message(out, message, true);
    fclose(out);
    return line;
}

/* Decodes what is in a block of its own size, and sees to it that the careful one says the same. */
static bool is_same(const struct metric_sender *told, const void *payload, size_t len)
{
    const struct metric_message *message, *expected;
    char *copy = malloc(len);
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, payload, len);
    ck_assert_int_eq(metric_decode_like(decoder, &model, (struct text){copy, len}, TEST_NOW_S, told, &like, &message),
                     0);
    ck_assert_int_eq(metric_decode(careful, &model, (struct text){copy, len}, TEST_NOW_S, &expected), 0);
    char *line = line_of(message), *right = line_of(expected);
    ck_assert_msg(strcmp(line, right) == 0, "%.*s: %s, not %s", (int)len, copy, line, right);
    const bool same = message->same_sender;
    ck_assert(!same || metric_sender_is(told, expected->node, expected->boot));
    free(line);
    free(right);
    free(copy);
    return same;
}

/* The payload after it was learnt, or after `before` was. */
static bool same_after(const char *before, const char *payload, const struct metric_sender *told)
{
    for (int i = 0; i < 8; i++)
        is_same(told, before, strlen(before));
    return is_same(told, payload, strlen(payload));
}

#define EVENT(node, boot) "{\"node\":" node ",\"boot\":" boot ",\"seq\":12,\"accuracy\":0.5}"

START_TEST(the_same_sender_is_known)
{
    static const struct {
        const char *node, *boot, *json;
    } tries[] = {
        {"n1", "7", EVENT("\"n1\"", "7")},
        {"n1", "7", EVENT("\"n1\"", "\"7\"")},
        {"n1", "1700000000", EVENT("\"n1\"", "1700000000")},
        {"eight888", "eight888", EVENT("\"eight888\"", "\"eight888\"")},
        {"nine99999", "7", EVENT("\"nine99999\"", "7")},
        {"a", "twenty-four characters..", EVENT("\"a\"", "\"twenty-four characters..\"")},
        {"", "7", "{\"boot\":7,\"seq\":12,\"accuracy\":0.5,\"recall\":0.5}"},
        {"n1", "", "{\"node\":\"n1\",\"seq\":12,\"accuracy\":0.5,\"recall\":0.5}"},
        {"", "", "{\"seq\":12,\"accuracy\":0.5,\"precision\":0.25}"},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        teardown();
        setup();
        const struct metric_sender told = sender(tries[i].node, tries[i].boot);
        ck_assert_msg(same_after(tries[i].json, tries[i].json, &told), "%s", tries[i].json);
        ck_assert(!same_after(tries[i].json, tries[i].json, NULL));
    }
}
END_TEST

START_TEST(another_sender_is_another)
{
    static const struct {
        const char *node, *boot, *json;
    } tries[] = {
        {"n1", "7", EVENT("\"n2\"", "7")},
        {"n1", "7", EVENT("\"n1\"", "8")},
        {"n1", "7", EVENT("\"n1\"", "17")},
        {"n1", "7", EVENT("\"n12\"", "7")},
        {"n1", "7", EVENT("\"n\"", "7")},
        {"n12", "7", EVENT("\"n1\"", "7")},
        {"n1", "17", EVENT("\"n1\"", "7")},
        {"n1", "7", EVENT("\"xn1\"", "7")},
        {"n1", "7", EVENT("\"n1\"", "\"77\"")},
        {"n1", "7", EVENT("\"\"", "\"\"")},
        {"n1", "", EVENT("\"n1\"", "7")},
        {"", "7", EVENT("\"n1\"", "7")},
        {"", "", EVENT("\"n1\"", "7")},
        {"n1", "7", "{\"boot\":7,\"seq\":12,\"accuracy\":0.5,\"recall\":0.5}"},
        {"n1", "7", "{\"node\":\"n1\",\"seq\":12,\"accuracy\":0.5,\"recall\":0.5}"},
        {"n1", "7", "{\"seq\":12,\"accuracy\":0.5,\"precision\":0.25}"},
        {"nine99999", "nine99999", EVENT("\"nine99999\"", "\"nine99998\"")},
        {"nine99999", "nine99999", EVENT("\"nine99998\"", "\"nine99999\"")},
    };
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        teardown();
        setup();
        const struct metric_sender told = sender(tries[i].node, tries[i].boot);
        ck_assert_msg(!same_after(tries[i].json, tries[i].json, &told), "%s", tries[i].json);
        ck_assert_msg(!same_after(EVENT("\"n1\"", "7"), tries[i].json, &told), "%s", tries[i].json);
    }
}
END_TEST

/* What was told is no proof where the text is written otherwise: the careful one is asked each time. */
START_TEST(what_was_told_is_not_taken_for_well_formed)
{
    static const char *const names[] = {"a\"b", "a\\b", "a\\", "\"", "a\tb", "\xc3\xa4", "01", "1.5", "n1\",\"x", "n1"};
    static const char *const written[] = {"\"a\"b\"",       "\"a\\b\"", "\"a\\\"", "\"\"\"",     "\"a\tb\"",
                                          "\"\xc3\xa4\"",   "01",       "1.5",     "\"a\\\"b\"", "\"n1\",\"x\"",
                                          "\"n1\",\"x\":1", "\"n1x",    "\"n1"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (size_t k = 0; k < sizeof written / sizeof *written; k++) {
            char json[128];
            const struct metric_sender told = sender(names[i], "7"), boot = sender("n1", names[i]);
            snprintf(json, sizeof json, EVENT("%s", "7"), written[k]);
            same_after(EVENT("\"n1\"", "7"), json, &told);
            snprintf(json, sizeof json, EVENT("\"n1\"", "%s"), written[k]);
            same_after(EVENT("\"n1\"", "7"), json, &boot);
            same_after(EVENT("\"n1\"", "12"), json, &boot);
            same_after(EVENT("\"n1\"", "\"7\""), json, &boot);
        }
    }
}
END_TEST

/* The event ends right behind it, and wherever it is cut. */
START_TEST(at_the_end)
{
    static const char *const events[] = {"{\"accuracy\":0.5,\"node\":\"n1\"}", "{\"accuracy\":0.5,\"boot\":\"n1\"}",
                                         "{\"accuracy\":0.5,\"boot\":17}", "[{\"accuracy\":0.5,\"node\":\"n1\"}]"};
    static const struct {
        const char *node, *boot;
    } tell[] = {{"n1", ""}, {"", "n1"}, {"", "17"}, {"n1\"}", ""}, {"n1\"}\0", ""}, {"n1, which goes on", ""}};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        for (size_t k = 0; k < sizeof tell / sizeof *tell; k++) {
            const struct metric_sender told = sender(tell[k].node, tell[k].boot);
            for (size_t len = 1; len <= strlen(events[i]); len++) {
                for (int times = 0; times < 8; times++)
                    is_same(&told, events[i], strlen(events[i]));
                is_same(&told, events[i], len);
            }
        }
    }
}
END_TEST

/* What one format showed is known in the other, for it is the same text. */
START_TEST(messagepack)
{
    static const unsigned char map[] = "\x84\xa4node\xa2n1\xa4"
                                       "boot\x07\xa3seq\xcf\0\0\0\0\0\0\0\x09\xa8"
                                       "accuracy\xcb\x3f\xe0\0\0\0\0\0\0";
    static const unsigned char texts[] = "\x83\xa4"
                                         "boot\xa1"
                                         "7\xa4node\xa2\xc3\xa4\xa8"
                                         "accuracy\xcb\x3f\xe0\0\0\0\0\0\0";
    static const unsigned char first[] = "\x82\xa4"
                                         "boot\xa0\xa8"
                                         "accuracy\xcb\x3f\xe0\0\0\0\0\0\0";
    const struct metric_sender known = sender("n1", "7"), other = sender("n2", "7"), boot = sender("n1", "8"),
                               umlaut = sender("\xc3\xa4", "7"), nobody = sender("", "");
    for (int i = 0; i < 8; i++)
        is_same(&known, map, sizeof map - 1);
    ck_assert(is_same(&known, map, sizeof map - 1));
    ck_assert(!is_same(&other, map, sizeof map - 1));
    ck_assert(!is_same(&boot, map, sizeof map - 1));
    ck_assert(!is_same(&umlaut, map, sizeof map - 1));
    teardown();
    setup();
    for (int i = 0; i < 8; i++)
        is_same(&umlaut, texts, sizeof texts - 1);
    ck_assert(is_same(&umlaut, texts, sizeof texts - 1));
    ck_assert(!is_same(&known, texts, sizeof texts - 1));
    for (int i = 0; i < 8; i++)
        is_same(&nobody, first, sizeof first - 1);
    ck_assert(!is_same(&known, first, sizeof first - 1));
    for (size_t len = 1; len < sizeof map; len++)
        is_same(&known, map, len);
    for (int head = 0; head < 256; head++) {
        unsigned char other_head[sizeof map];
        memcpy(other_head, map, sizeof map);
        other_head[6] = (unsigned char)head;
        is_same(&known, map, sizeof map - 1);
        is_same(&known, other_head, sizeof map - 1);
    }
    teardown();
    setup();
    ck_assert(same_after(EVENT("\"n1\"", "7"), EVENT("\"n1\"", "7"), &known));
}
END_TEST

START_TEST(what_is_too_long_is_not_kept)
{
    struct metric_sender told = sender("n1", "7");
    ck_assert(!metric_sender_put(&told, text_of("a node with a long name"), text_of("boot")));
    ck_assert(metric_sender_is(&told, text_of("n1"), text_of("7")));
    ck_assert(!metric_sender_is(&told, text_of("n1"), text_of("8")));
    ck_assert(!metric_sender_is(&told, text_of("n2"), text_of("7")));
    ck_assert(!metric_sender_is(&told, text_of("n17"), text_of("")));
    ck_assert(metric_sender_put(&told, text_of("a node with a long name"), text_of("12")));
    ck_assert(metric_sender_is(&told, text_of("a node with a long name"), text_of("12")));
}
END_TEST

START_TEST(few_bytes_are_compared_to_the_last)
{
    for (size_t len = 0; len <= 70; len++) {
        char *a = malloc(len + 1), *b = malloc(len + 1);
        ck_assert(a && b);
        memset(a, 'x', len);
        memset(b, 'x', len);
        a[len] = 'y';
        b[len] = 'z';
        ck_assert(text_same_few(a, b, len));
        for (size_t i = 0; i < len; i++) {
            a[i] ^= 1;
            ck_assert(!text_same_few(a, b, len));
            a[i] ^= 1;
        }
        free(a);
        free(b);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_sender");
    TCase *tests = tcase_create("metric_sender");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_same_sender_is_known);
    tcase_add_test(tests, another_sender_is_another);
    tcase_add_test(tests, what_was_told_is_not_taken_for_well_formed);
    tcase_add_test(tests, at_the_end);
    tcase_add_test(tests, messagepack);
    tcase_add_test(tests, what_is_too_long_is_not_kept);
    tcase_add_test(tests, few_bytes_are_compared_to_the_last);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

/* What an event looks like without its values: learnt when it comes again, and recognised byte for byte. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/metric_rules.h"
#include "lib/wire/metric_shape.h"
#include "tests/run_suite.h"
#include "tests/unit/wire_message.h"

static const struct siphash_key secret = {3, 4};
static const char event[] = "{\"node\":\"n1\",\"seq\": 12,\"accuracy\":0.5 , \"a_rather_long_name_of_a_metric\":-3}";
static struct shapes shapes;

static void teardown(void)
{
    shapes_free(&shapes);
}

static uint16_t learn(const char *json, uint64_t hash, const struct shape *tried)
{
    const unsigned char *at = (const unsigned char *)json;
    shapes.patience = SHAPE_PATIENCE; /* as if it were long since another was learnt */
    return shape_learn(&shapes, &secret, true, at, at + strlen(json), hash, tried);
}

START_TEST(a_shape_is_learnt_the_second_time)
{
    const uint64_t hash = UINT64_C(0x1234500000000);
    ck_assert_uint_eq(learn(event, hash, NULL), 0);
    const uint16_t place = learn(event, hash, NULL);
    ck_assert_uint_ne(place, 0);
    const struct shape *shape = shape_at(&shapes, place);
    ck_assert_ptr_nonnull(shape);
    ck_assert_uint_eq(shape->count, 5);
    ck_assert_int_eq(shape->at[0].value, SHAPE_TEXT);
    ck_assert_int_eq(shape->at[1].value, SHAPE_INTEGER);
    ck_assert_int_eq(shape->at[2].member, MEMBER_RATIO);
    ck_assert_int_eq(shape->at[3].value, SHAPE_NUMBER);
    ck_assert_int_eq(shape->at[4].value, SHAPE_END);
    ck_assert_uint_eq(shape->carried, 1u << MEMBER_NODE | 1u << MEMBER_SEQ | 1u << MEMBER_RATIO | 1u << MEMBER_METRIC);
    ck_assert_uint_eq(learn(event, hash, NULL), place); /* it is known */
    ck_assert_ptr_eq(shape_at(&shapes, place), shape);
}
END_TEST

/* The same names written in another way have the same hash: the one that was tried and did not fit gives way. */
START_TEST(one_that_did_not_fit_is_learnt_anew)
{
    learn("{\"a\":1,\"b\":2}", 1, NULL);
    const uint16_t place = learn("{\"a\":1,\"b\":2}", 1, NULL);
    const struct shape *tried = shape_at(&shapes, place);
    ck_assert_uint_eq(tried->at[1].len, 5);
    ck_assert_uint_eq(learn("{\"a\":1, \"b\":2}", 1, tried), 0);
    ck_assert_uint_eq(learn("{\"a\":1, \"b\":2}", 1, tried), place);
    ck_assert_uint_eq(shape_at(&shapes, place)->at[1].len, 6);
}
END_TEST

START_TEST(what_has_no_shape_is_not_learnt)
{
    char many[16 * (SHAPE_MEMBERS_MAX + 1) + 8] = "{", wide[SHAPE_BYTES_MAX + 32];
    static const char *const none[] = {"{\"a\":null}", "{\"a\":1,\"b\":null}", "{\"Bad\":1}", "{}", "{\"a\":true}"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        for (int times = 0; times < 3; times++)
            ck_assert_uint_eq(learn(none[i], 7, NULL), 0);
    }
    for (int members = SHAPE_MEMBERS_MAX; members <= SHAPE_MEMBERS_MAX + 1; members++) {
        char *at = many + 1;
        for (int i = 0; i < members; i++)
            at += sprintf(at, "%s\"m%d\":1", i ? "," : "", i);
        strcpy(at, "}");
        learn(many, (uint64_t)members, NULL);
        ck_assert_int_eq(learn(many, (uint64_t)members, NULL) != 0, members == SHAPE_MEMBERS_MAX);
    }
    sprintf(wide, "{\"a\"%*s:1}", SHAPE_BYTES_MAX - 5, "");
    learn(wide, 90, NULL);
    ck_assert_uint_ne(learn(wide, 90, NULL), 0);
    sprintf(wide, "{\"a\"%*s:1}", SHAPE_BYTES_MAX - 4, "");
    learn(wide, 91, NULL);
    ck_assert_uint_eq(learn(wide, 91, NULL), 0);
}
END_TEST

START_TEST(messagepack_has_shapes_too)
{
    static const unsigned char map[] = "\x83\xa4node\xa2n1\xa3seq\xcf\0\0\0\0\0\0\0\x09\xa8"
                                       "accuracy\xcb\x3f\xe0\0\0\0\0\0\0";
    shape_learn(&shapes, &secret, false, map, map + sizeof map - 1, 5, NULL);
    const struct shape *shape =
        shape_at(&shapes, shape_learn(&shapes, &secret, false, map, map + sizeof map - 1, 5, NULL));
    ck_assert_ptr_nonnull(shape);
    ck_assert_uint_eq(shape->count, 4);
    ck_assert_uint_eq(shape->at[0].len, 6); /* with the head of the map */
    ck_assert_int_eq(shape->at[1].value, SHAPE_INTEGER);
    ck_assert(shape->at[2].metric);
    ck_assert_double_eq(shape->at[2].most, 1);
    ck_assert_uint_eq(shape->at[3].len, 0);
}
END_TEST

/* More than there are places: the newest stay. */
START_TEST(old_shapes_give_way)
{
    char json[64];
    for (uint64_t i = 0; i < 4 * SHAPE_SLOTS; i++) {
        snprintf(json, sizeof json, "{\"metric_%u\":1}", (unsigned)i);
        learn(json, i << 32, NULL);
        const uint16_t place = learn(json, i << 32, NULL);
        ck_assert_uint_eq(place, i % SHAPE_SLOTS + 1);
        ck_assert_uint_eq(shape_at(&shapes, place)->hash, i << 32);
    }
}
END_TEST

/* Events that are always written in another way do not make it learn each time; the place is for who comes again. */
START_TEST(it_learns_with_patience)
{
    const unsigned char *at = (const unsigned char *)"{\"a\":1,\"b\":2}";
    uint32_t learnt = 0;
    for (uint64_t i = 0; i < 100 * SHAPE_PATIENCE; i++) {
        const struct shape *tried = shape_at(&shapes, 1);
        learnt += shape_learn(&shapes, &secret, true, at, at + 13, 1, tried) != 0;
    }
    ck_assert_uint_ge(learnt, 98);
    ck_assert_uint_le(learnt, 101);
}
END_TEST

static void read_event(struct metric_decoder *decoder, const char *json, uint16_t *place, const char *expected)
{
    static const struct model_id model = {{"p/n/v", 5}, {"p", 1}, {"n", 1}, {"v", 1}};
    const struct metric_message *message;
    char *line = NULL, *copy = strdup(json);
    size_t bytes = 0;
    ck_assert_int_eq(metric_decode_like(decoder, &model, text_of(copy), TEST_NOW_S, NULL, place, &message), 0);
    ck_assert_uint_ge(message->event_count, 1);
    FILE *out = open_memstream(&line, &bytes);
    for (uint32_t i = 0; i < message->event_count; i++)
        put_event(out, &message->events[i], false);
    fclose(out);
    if (expected)
        ck_assert_str_eq(line, expected);
    memset(copy, 'x', strlen(copy)); /* a later event's name must not stand here */
    free(copy);
    free(line);
}

/* Where an event is written that had others names before: those of single events, of rows, and of a shape that gave way. */
START_TEST(names_are_those_of_the_event)
{
    struct metric_decoder *decoder = test_decoder();
    uint16_t first = 0, second = 0, batch = 0;
    for (int i = 0; i < 8; i++) {
        read_event(decoder, "{\"abc\":1,\"def\":2.5}", &first, NULL);
        read_event(decoder, "{\"ghi\":3,\"abc\":4.5,\"x\":1}", &second, NULL);
        read_event(decoder, "[{\"abc\":1,\"def\":2.5},{\"y\":3},{\"y\":4},{\"abc\":1,\"def\":2.5}]", &batch, NULL);
    }
    for (int i = 0; i < 8; i++) {
        read_event(decoder, "{\"abc\":1,\"def\":2.5}", &first, "[abc=1 def=2.5]");
        read_event(decoder, "{\"ghi\":3,\"abc\":4.5,\"x\":1}", &second, "[ghi=3 abc=4.5 x=1]");
        read_event(decoder, "[{\"abc\":1,\"def\":2.5},{\"y\":3},{\"y\":4},{\"abc\":1,\"def\":2.5}]", &batch,
                   "[abc=1 def=2.5][y=3][y=4][abc=1 def=2.5]");
        read_event(decoder, "{\"a\\u0062c\":1,\"x\":null,\"h\":{\"categories\":{\"u\":1}}}", &first, "[abc=1 h=C(u:1)]");
        read_event(decoder, "[{\"y\":4},{\"y\":4},{\"abc\":1,\"def\":2.5},{\"y\":4}]", &batch,
                   "[y=4][y=4][abc=1 def=2.5][y=4]");
        char json[64], expected[64]; /* a row of names that nobody has said before */
        snprintf(json, sizeof json, "[{\"y\":4},{\"z%d\":4}]", i);
        snprintf(expected, sizeof expected, "[y=4][z%d=4]", i);
        for (int times = 0; times < 2; times++)
            read_event(decoder, "[{\"y\":4},{\"y\":4}]", &batch, "[y=4][y=4]");
        read_event(decoder, json, &batch, expected);
        read_event(decoder, "[{\"y\":4},{\"y\":4}]", &batch, "[y=4][y=4]");
        first = second; /* it is expected to look otherwise */
    }
    for (int i = 0; i < 3 * SHAPE_PATIENCE * SHAPE_SLOTS; i++) { /* all shapes give way in time */
        char json[256], expected[128];
        snprintf(json, sizeof json, "[{\"m%d\":1},{\"m%d\":1},{\"m%d\":2},{\"m%d\":3}]", i / 2, i / 2, i, i);
        snprintf(expected, sizeof expected, "[m%d=1][m%d=1][m%d=2][m%d=3]", i / 2, i / 2, i, i);
        read_event(decoder, json, &batch, expected);
    }
    metric_decoder_destroy(&decoder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_shape");
    TCase *tests = tcase_create("metric_shape");
    tcase_add_checked_fixture(tests, NULL, teardown);
    tcase_add_test(tests, a_shape_is_learnt_the_second_time);
    tcase_add_test(tests, one_that_did_not_fit_is_learnt_anew);
    tcase_add_test(tests, what_has_no_shape_is_not_learnt);
    tcase_add_test(tests, messagepack_has_shapes_too);
    tcase_add_test(tests, old_shapes_give_way);
    tcase_add_test(tests, it_learns_with_patience);
    tcase_add_test(tests, names_are_those_of_the_event);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

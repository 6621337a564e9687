/* How the values of a shape were written: laid out when they come again so, and compared byte for byte. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/metric_layout.h"
#include "lib/wire/metric_rules.h"
#include "tests/run_suite.h"

static const struct siphash_key secret = {3, 4};
static const char event[] = "{\"node\":\"n1\",\"seq\": 12,\"accuracy\":0.5 , \"a_rather_long_name_of_a_metric\":-3.25}";
static const struct shape_form seq = {.spaces = 1, .whole = 2}, half = {.whole = 1, .behind = 2},
                               negative = {.head = '-', .whole = 1, .behind = 3}, none;
static struct shapes shapes;
static struct shape *shape;

static void setup(void)
{
    const unsigned char *at = (const unsigned char *)event;
    shape_learn(&shapes, &secret, true, at, at + strlen(event), 1, NULL);
    shape = shape_at(&shapes, shape_learn(&shapes, &secret, true, at, at + strlen(event), 1, NULL));
    ck_assert_ptr_nonnull(shape);
}

static void teardown(void)
{
    shapes_free(&shapes);
}

/* So many events that have the member as `form`. */
static void look(uint32_t member, struct shape_form form, int events)
{
    for (; events > 0; events--) {
        shape->met++;
        if (shape->changed)
            layout_renew(shape);
        if (layout_looks(shape, &shape->at[member]))
            layout_look(shape, &shape->at[member], form);
    }
    shape->met += LAYOUT_TIMES;
    if (shape->changed)
        layout_renew(shape);
}

static void lay_all_out(void)
{
    look(1, seq, LAYOUT_TIMES);
    look(2, half, LAYOUT_TIMES);
    look(3, negative, LAYOUT_TIMES);
}

START_TEST(a_value_is_laid_out_the_third_time)
{
    look(1, seq, LAYOUT_TIMES - 1);
    ck_assert_uint_eq(shape->at[1].width, 0);
    look(1, seq, 1);
    ck_assert_uint_eq(shape->at[1].width, 3);
    look(2, half, LAYOUT_TIMES - 1);
    look(2, negative, 1);
    look(2, half, LAYOUT_TIMES - 1);
    ck_assert_uint_eq(shape->at[2].width, 0); /* not in a row */
    look(2, half, 1);
    ck_assert_uint_eq(shape->at[2].width, 3);
    ck_assert_uint_eq(shape->at[0].stop, 0); /* a text is read by itself */
    ck_assert_uint_eq(shape->at[1].stop, 3);
}
END_TEST

START_TEST(one_that_differs_often_is_left_out)
{
    lay_all_out();
    for (int events = 0; events < 3 * LAYOUT_REST; events += 100) { /* now and then it may */
        look(2, negative, 1);
        shape->met += 100;
    }
    ck_assert_uint_ne(shape->at[2].width, 0);
    for (int events = 0; events < 40; events++) /* one in four */
        look(2, events % 2 ? negative : seq, 1);
    ck_assert_uint_eq(shape->at[2].width, 0);
    ck_assert(!layout_looks(shape, &shape->at[2]));
    shape->met += LAYOUT_REST;
    look(2, negative, LAYOUT_TIMES);
    ck_assert_uint_eq(shape->at[2].width, 5);
}
END_TEST

START_TEST(one_that_has_no_form_is_left_alone)
{
    look(2, none, LAYOUT_TIMES);
    ck_assert_uint_eq(shape->at[2].width, 0);
    ck_assert(!layout_looks(shape, &shape->at[2]));
    shape->met += LAYOUT_REST;
    ck_assert(layout_looks(shape, &shape->at[2]));
}
END_TEST

static const struct shape_member *stop_at(uint32_t member, const unsigned char *at, size_t len)
{
    return layout_stop(shape, &shape->at[member], at, at + len);
}

/* From every member on, with more bytes behind and without: the first byte that differs says what has to be read by
 * itself, or that the event is another. In a block of its own, so that a sanitizer sees a byte that is read beyond it.
 */
static void compare(uint32_t first, const char *from)
{
    const size_t len = strlen(from);
    const uint32_t stop = shape->at[first].stop;
    for (size_t room = 0; room < 40; room++) {
        unsigned char *copy = malloc(len + room);
        ck_assert_ptr_nonnull(copy);
        memset(copy, '7', len + room);
        memcpy(copy, from, len);
        ck_assert_ptr_eq(stop_at(first, copy, len + room), &shape->at[stop]);
        const uint32_t begins = shape->at[first].laid;
        for (uint32_t i = 0, at = first; i < (uint32_t)shape->at[stop].behind - begins; i++) {
            while (begins + i >= shape->at[at].behind + (uint32_t)shape->at[at].width)
                at++;
            const struct shape_member *expected = &shape->at[at];
            if (begins + i < shape->at[at].behind)
                expected = begins + i == shape->at[at].laid && at != first ? expected - 1 : NULL;
            const unsigned char was = copy[i];
            copy[i] = '!';
            ck_assert_ptr_eq(stop_at(first, copy, len + room), expected);
            ck_assert_ptr_eq(stop_at(first, copy, i), expected); /* as if it ended there */
            copy[i] = was;
        }
        free(copy);
    }
}

START_TEST(every_byte_is_compared)
{
    for (int laid = 0; laid < 2; laid++) {
        compare(0, "{\"node\":");
        compare(1, laid ? strstr(event, ",\"seq") : ",\"seq\":");
        compare(2, laid ? strstr(event, ",\"acc") : ",\"accuracy\":");
        compare(3, laid ? strstr(event, " , \"a_") : " , \"a_rather_long_name_of_a_metric\":");
        compare(4, "}");
        lay_all_out();
    }
}
END_TEST

START_TEST(digits_may_be_others)
{
    lay_all_out();
    static const struct {
        const char *values;
        int stop;
    } tries[] = {{",\"seq\": 99,\"accuracy\":9.9 ,", 4}, {",\"seq\": 10,\"accuracy\":0.0 ,", 4},
                 {",\"seq\": 09,\"accuracy\":0.0 ,", 1}, {",\"seq\": 9,\"accuracy\":0.01 ,", 1},
                 {",\"seq\":  9,\"accuracy\":0.0 ,", 1}, {",\"seq\": 123,\"accuracy\":0.0", 1},
                 {",\"seq\": 1/,\"accuracy\":0.0 ,", 1}, {",\"seq\": 1:,\"accuracy\":0.0 ,", 1},
                 {",\"seq\": 10,\"accuracy\":0,0 ,", 2}, {",\"seq\": 10,\"accuracy\":0.0e,", 2},
                 {",\"seq\": 10,\"accuracy\":-.0 ,", 2}, {",\"seq\": 10,\"accuracy\":1e1 ,", 2}};
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        char json[128];
        snprintf(json, sizeof json, "%s%s", tries[i].values, strstr(event, " \"a_rather"));
        ck_assert_msg(stop_at(1, (const unsigned char *)json, strlen(json)) == &shape->at[tries[i].stop], "%s", json);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_layout");
    TCase *tests = tcase_create("metric_layout");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_value_is_laid_out_the_third_time);
    tcase_add_test(tests, one_that_differs_often_is_left_out);
    tcase_add_test(tests, one_that_has_no_form_is_left_alone);
    tcase_add_test(tests, every_byte_is_compared);
    tcase_add_test(tests, digits_may_be_others);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

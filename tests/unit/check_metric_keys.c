#include "lib/wire/metric_keys.h"
#include "tests/run_suite.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct metric_keys keys;
static char names[100000][8];

static void setup(void)
{
    keys = (struct metric_keys){.secret = {1, 2}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        snprintf(names[i], sizeof names[i], "k%zu", i);
}

static void teardown(void)
{
    keys_free(&keys);
}

static int add(struct key_scope *scope, size_t i)
{
    return keys_add(&keys, scope, text_of(names[i]));
}

static const size_t sizes[] = {1, 2, 15, 16, 17, 18, 31, 32, 33, 63, 64, 65, 1000, 100000};

START_TEST(each_name_is_found_again)
{
    struct key_scope scope;
    keys_open(&keys, &scope);
    for (size_t i = 0; i < sizes[_i]; i++)
        ck_assert_int_eq(add(&scope, i), 0);
    for (size_t i = 0; i < sizes[_i]; i++)
        ck_assert_int_eq(add(&scope, i), -EEXIST);
    keys_close(&keys, &scope);
    ck_assert_uint_eq(keys.count, 0);
    ck_assert_uint_eq(keys.slots_used, 0);
}
END_TEST

START_TEST(an_object_does_not_know_the_names_of_another)
{
    struct key_scope outer, inner;
    size_t size = sizes[_i] > 1000 ? 1000 : sizes[_i];
    keys_open(&keys, &outer);
    for (size_t i = 0; i < size; i++) {
        ck_assert_int_eq(add(&outer, i), 0);
        if (i % 7 == 0) { /* an inner one in the middle of the outer one's growth */
            keys_open(&keys, &inner);
            for (size_t j = 0; j < 40; j++)
                ck_assert_int_eq(add(&inner, j), 0);
            ck_assert_int_eq(add(&inner, 39), -EEXIST);
            keys_close(&keys, &inner);
        }
    }
    for (size_t i = 0; i < size; i++)
        ck_assert_int_eq(add(&outer, i), -EEXIST);
    keys_close(&keys, &outer);
}
END_TEST

START_TEST(names_may_be_empty_or_hold_any_byte)
{
    struct key_scope scope;
    keys_open(&keys, &scope);
    ck_assert_int_eq(keys_add(&keys, &scope, (struct text){"", 0}), 0);
    ck_assert_int_eq(keys_add(&keys, &scope, (struct text){"\0", 1}), 0);
    ck_assert_int_eq(keys_add(&keys, &scope, (struct text){"\0\0", 2}), 0);
    ck_assert_int_eq(keys_add(&keys, &scope, (struct text){"a\0b", 3}), 0);
    ck_assert_int_eq(keys_add(&keys, &scope, (struct text){"a\0c", 3}), 0);
    ck_assert_int_eq(keys_add(&keys, &scope, (struct text){"", 0}), -EEXIST);
    ck_assert_int_eq(keys_add(&keys, &scope, (struct text){"a\0b", 3}), -EEXIST);
    keys_close(&keys, &scope);
}
END_TEST

START_TEST(a_large_message_leaves_little_behind)
{
    struct key_scope scope;
    keys_open(&keys, &scope);
    for (size_t i = 0; i < 100000; i++)
        ck_assert_int_eq(add(&scope, i), 0);
    ck_assert_uint_le(keys.room * sizeof *keys.at + keys.slots_room * sizeof *keys.slots, 100000 * 72);
    keys_reset(&keys);
    ck_assert_uint_eq(keys.room, 0);
    ck_assert_uint_eq(keys.slots_room, 0);
    keys_open(&keys, &scope);
    ck_assert_int_eq(add(&scope, 0), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_keys");
    TCase *tcase = tcase_create("metric_keys");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, each_name_is_found_again, 0, sizeof sizes / sizeof sizes[0]);
    tcase_add_loop_test(tcase, an_object_does_not_know_the_names_of_another, 0, sizeof sizes / sizeof sizes[0]);
    tcase_add_test(tcase, names_may_be_empty_or_hold_any_byte);
    tcase_add_test(tcase, a_large_message_leaves_little_behind);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

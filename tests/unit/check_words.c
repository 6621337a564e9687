#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/words.h"
#include "tests/run_suite.h"

static void writes(double number, int digits)
{
    char expected[64], got[64];
    struct words words = words_into(got, sizeof got);
    snprintf(expected, sizeof expected, "%.*g", digits, number);
    words_add_real(&words, number, digits);
    ck_assert_msg(strcmp(got, expected) == 0, "%.17g with %d digits: %s, not %s", number, digits, got, expected);
    ck_assert_uint_eq(words.len, strlen(expected));
    ck_assert(!words.cut);
}

START_TEST(numbers_are_written_as_printf_does)
{
    static const double known[] = {
        0,       -0.0,      1,        -1,    0.5,     0.52, 0.8,      12,      100,     1e6,      1e7,     999999.95,
        9999999, 9999999.5, 99999999, 1e9,   1e15,    1e-4, 9.99e-5,  1.25e-4, 0.1,     0.3,      1.0 / 3, 2.5,
        0.125,   1e300,     5e-324,   1e-10, 123.456, 0.05, 0.000123, 4.5,     0.99995, 0.999995, 1.00005, 33.335};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        for (int digits = 1; digits <= 9; digits++)
            writes(known[i], digits);
    }
    for (int digits = 1; digits <= 9; digits++) {
        writes(NAN, digits);
        writes(INFINITY, digits);
        writes(-INFINITY, digits);
    }
}
END_TEST

/* Of every size, of few digits and of many, and halves of the last digit, where the next is found by looking closely.
 */
START_TEST(numbers_at_random_too)
{
    srand48(1);
    for (int i = 0; i < 20000; i++) {
        int digits = 1 + (int)(drand48() * 9), places = (int)(drand48() * 8);
        double number = (drand48() - 0.5) * pow(10.0, drand48() * 18 - 7);
        writes(number, digits);
        writes((float)number, digits);
        writes(floor(number * pow(10.0, places)) / pow(10.0, places), digits);
        writes((floor(number * pow(10.0, places)) + 0.5) / pow(10.0, places), digits);
    }
}
END_TEST

START_TEST(pieces_stand_behind_each_other)
{
    char at[64];
    struct words words = words_into(at, sizeof at);
    ck_assert_str_eq(at, "");
    words_add(&words, "a ");
    words_add_count(&words, 0);
    words_add_text(&words, (struct text){" of many", 4});
    words_add_count(&words, UINT64_MAX);
    ck_assert_str_eq(at, "a 0 of 18446744073709551615");
    ck_assert_uint_eq(words.len, strlen(at));
    ck_assert(!words.cut);
}
END_TEST

START_TEST(what_does_not_fit_is_cut)
{
    char at[8] = "xxxxxxx";
    struct words words = words_into(at, 6);
    words_add(&words, "abcde");
    ck_assert(!words.cut);
    words_add(&words, "");
    ck_assert(!words.cut);
    words_add_count(&words, 7);
    ck_assert(words.cut);
    ck_assert_str_eq(at, "abcde");
    ck_assert_int_eq(at[6], 'x');
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("words");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, numbers_are_written_as_printf_does);
    tcase_add_test(tests, numbers_at_random_too);
    tcase_add_test(tests, pieces_stand_behind_each_other);
    tcase_add_test(tests, what_does_not_fit_is_cut);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

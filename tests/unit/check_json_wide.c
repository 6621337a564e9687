/* JSON whose integers are wider than 64 bits reads as any other; what is no JSON stays none. */
#include <check.h>
#include <stdlib.h>

#include "lib/wire/json_wide.h"
#include "tests/run_suite.h"

static const struct {
    const char *json, *read; /* as jansson writes it */
} good[] = {
    {"[12345678901234567890]", "[1.23456789012346e19]"},
    {"[-9223372036854775809]", "[-9.22337203685478e18]"},
    {"[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]"},
    {"[9223372036854775808]", "[9.22337203685478e18]"},
    {"{\"a\":99999999999999999999,\"b\":3}", "{\"a\":1e20,\"b\":3}"}, /* the other one stays an integer */
    {"[\"12345678901234567890\",12345678901234567890]", "[\"12345678901234567890\",1.23456789012346e19]"},
    {"[\"\\\"12345678901234567890\",12345678901234567890]", "[\"\\\"12345678901234567890\",1.23456789012346e19]"},
    {"[1.12345678901234567890,12345678901234567890e1,12345678901234567890]",
     "[1.12345678901235,1.23456789012346e20,1.23456789012346e19]"},
};

static const char *const bad[] = {"[12345678901234567890", "[12345678901234567890,]", "[1e400]", "[01]", "{\"a\":12345678901234567890,\"a\":1}",
                                  "\"12345678901234567890", "[12345678901234567890,\"\\"};

START_TEST(integers_may_be_wide)
{
    json_t *value = json_wide_read(text_of(good[_i].json), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(value != NULL, "%s", good[_i].json);
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15));
    ck_assert_str_eq(text, good[_i].read);
    free(text);
    json_decref(value);
}
END_TEST

START_TEST(what_is_no_json_stays_none)
{
    ck_assert_ptr_null(json_wide_read(text_of(bad[_i]), JSON_REJECT_DUPLICATES, NULL));
}
END_TEST

/* The value of the text to the last bit that a double has, and mistakes at their places. */
START_TEST(nothing_is_lost_that_a_double_keeps)
{
    json_error_t error;
    for (unsigned long long number = 9223372036854775808ULL; number < 18000000000000000000ULL; number += 12345678901234567ULL) {
        char text[32];
        snprintf(text, sizeof text, "[%llu]", number);
        json_t *value = json_wide_read(text_of(text), 0, &error);
        double read = json_real_value(json_array_get(value, 0)), exact = (double)number;
        ck_assert_msg(read >= exact - 2048 && read <= exact + 2048, "%s %.17g", text, read);
        json_decref(value);
    }
    ck_assert_ptr_null(json_wide_read(text_of("[12345678901234567890, nothing]"), 0, &error));
    ck_assert_int_eq(error.column, 30);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_wide");
    TCase *tests = tcase_create("read");
    tcase_add_loop_test(tests, integers_may_be_wide, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tests, what_is_no_json_stays_none, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tests, nothing_is_lost_that_a_double_keeps);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

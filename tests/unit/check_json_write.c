#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/wire/json_write.h"
#include "tests/run_suite.h"

#define WRITES(call, expected)                        \
    do {                                              \
        struct json_write out = {.at = NULL};         \
        call;                                         \
        char *text_ = json_write_take(&out);          \
        ck_assert_str_eq(text_, (expected));          \
        free(text_);                                  \
    } while (0)

START_TEST(numbers_are_short_and_come_back)
{
    WRITES(json_write_number(&out, 0.1), "0.1");
    WRITES(json_write_number(&out, 300), "300");
    WRITES(json_write_number(&out, -0.5), "-0.5");
    WRITES(json_write_number(&out, 1e300), "1e+300");
    WRITES(json_write_number(&out, 1.0 / 3), "0.3333333333333333");
    WRITES(json_write_number(&out, NAN), "null");
    WRITES(json_write_number(&out, -INFINITY), "null");
    WRITES(json_write_integer(&out, INT64_MIN), "-9223372036854775808");
    srand(4);
    for (int i = 0; i < 20000; i++) {
        double wanted = ldexp((double)rand() - 1e9, rand() % 200 - 100);
        struct json_write out = {.at = NULL};
        json_write_number(&out, wanted);
        char *text = json_write_take(&out);
        ck_assert_double_eq(strtod(text, NULL), wanted);
        free(text);
    }
}
END_TEST

/* What was measured in single precision is told as it was measured. */
START_TEST(measures_have_eight_digits_at_most)
{
    WRITES(json_write_measure(&out, (double)0.8f), "0.8");
    WRITES(json_write_measure(&out, 0.8), "0.8");
    WRITES(json_write_measure(&out, (double)0.52f), "0.52");
    WRITES(json_write_measure(&out, (double)399.9f), "399.9");
    WRITES(json_write_measure(&out, 800), "800");
    WRITES(json_write_measure(&out, (double)16777216.0f), "16777216");
    WRITES(json_write_measure(&out, NAN), "null");
    srand(5);
    /* Means of many values have all the digits that a double can have: eight are told. */
    for (int i = 0; i < 20000; i++) {
        double mean = (rand() + rand() / 2147483648.0) * pow(10, rand() % 20 - 15);
        struct json_write out = {.at = NULL};
        json_write_measure(&out, mean);
        char *text = json_write_take(&out);
        int digits = 0;
        for (const char *c = text; *c && *c != 'e'; c++)
            digits += *c >= '0' && *c <= '9' && (digits || *c != '0');
        if (mean > 99999999 || floor(mean) < mean)
            ck_assert_int_le(digits, 8);
        ck_assert_double_le(fabs(strtod(text, NULL) - mean), 1.2e-7 * mean);
        free(text);
    }
    for (int i = 0; i < 20000; i++) {
        char decimal[32];
        snprintf(decimal, sizeof decimal, "%.*g", 1 + rand() % 6, (rand() % 999999 + 1) * pow(10, rand() % 9 - 7));
        struct json_write out = {.at = NULL};
        json_write_measure(&out, (double)strtof(decimal, NULL));
        char *text = json_write_take(&out);
        /* Six digits survive single precision, so the same number comes out. */
        ck_assert_double_eq(strtod(text, NULL), strtod(decimal, NULL));
        int digits = 0;
        for (const char *c = text; *c && *c != 'e'; c++)
            digits += *c >= '0' && *c <= '9' && (digits || *c != '0');
        ck_assert_int_le(digits, 8);
        free(text);
    }
}
END_TEST

/* The quick way for a few places says what printf says. */
START_TEST(quick_measures_are_printfs)
{
    int shorter = 0;
    srand(7);
    for (int i = 0; i < 400000; i++) {
        char wanted[32];
        double number = (rand() / 2147483648.0 - 0.5) * pow(10, rand() % 8);
        if (i % 2) /* of a few places, as people write them */
            number = floor(number * pow(10, i % 7)) / pow(10, i % 7);
        if (i % 3 == 0)
            number = (double)(float)number;
        if (!(floor(number) < number))
            continue;
        for (int digits = 1; digits <= 8; digits++) {
            snprintf(wanted, sizeof wanted, "%.*g", digits, number);
            if ((float)strtod(wanted, NULL) == (float)number)
                break;
        }
        struct json_write out = {.at = NULL};
        json_write_measure(&out, number);
        char *text = json_write_take(&out);
        /* Of two decimals that are as near, printf takes one: the other may be the shorter. */
        ck_assert_msg(strcmp(text, wanted) == 0 || strlen(text) < strlen(wanted), "%s, not %s", text, wanted);
        if ((float)strtod(wanted, NULL) == (float)number) /* a few floats need nine digits */
            ck_assert_msg((float)strtod(text, NULL) == (float)number, "%s", text);
        shorter += strcmp(text, wanted) != 0;
        free(text);
    }
    ck_assert_int_lt(shorter, 4000);
}
END_TEST

START_TEST(text_is_always_json)
{
    WRITES(json_write_string(&out, "plain"), "\"plain\"");
    WRITES(json_write_string(&out, NULL), "null");
    WRITES(json_write_string(&out, "a\"b\\c/\n\x01\x7f"), "\"a\\\"b\\\\c/\\u000a\\u0001\\u007f\"");
    WRITES(json_write_string(&out, "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"), "\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80\"");
    WRITES(json_write_text(&out, (struct text){"a\0b", 3}), "\"a\\u0000b\"");
    /* stray continuation, overlong, surrogate, beyond U+10FFFF, cut short */
    WRITES(json_write_string(&out, "\x80"), "\"\xef\xbf\xbd\"");
    WRITES(json_write_string(&out, "\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    WRITES(json_write_string(&out, "\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    WRITES(json_write_string(&out, "\xf4\x90\x80\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    WRITES(json_write_text(&out, (struct text){"\xe2\x82", 2}), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
    srand(6);
    for (int i = 0; i < 5000; i++) {
        char noise[24];
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (char)rand();
        struct json_write out = {.at = NULL};
        json_write_text(&out, (struct text){noise, sizeof noise});
        char *text = json_write_take(&out);
        json_t *read = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        ck_assert_msg(json_is_string(read), "%s", text);
        json_decref(read);
        free(text);
    }
}
END_TEST

START_TEST(commas_set_themselves)
{
    struct json_write out = {.at = NULL};
    json_write_bracket(&out, '{');
    json_write_key(&out, "a");
    json_write_bracket(&out, '[');
    json_write_integer(&out, 1);
    json_write_bracket(&out, '[');
    json_write_bracket(&out, ']');
    json_write_bracket(&out, '{');
    json_write_bracket(&out, '}');
    json_write_string(&out, "x:[{,");
    json_write_bool(&out, true);
    json_write_bracket(&out, ']');
    json_write_key(&out, "b");
    json_write_raw(&out, text_of("{\"c\":false}"));
    json_write_key(&out, "d");
    json_write_null(&out);
    json_write_bracket(&out, '}');
    char *text = json_write_take(&out);
    ck_assert_str_eq(text, "{\"a\":[1,[],{},\"x:[{,\",true],\"b\":{\"c\":false},\"d\":null}");
    free(text);
    ck_assert_ptr_null(out.at);
    text = json_write_take(&out);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

/* Text is looked at many bytes at a time: each place of each length counts. */
START_TEST(nothing_special_is_overlooked)
{
    static const char *const specials[][2] = {{"\"", "\\\""}, {"\\", "\\\\"}, {"\x1f", "\\u001f"}, {"\x7f", "\\u007f"},
                                              {"\xff", "\xef\xbf\xbd"}};
    for (int len = 1; len <= 40; len++) {
        for (int at = 0; at < len; at++) {
            for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
                char text[64], expected[80];
                memset(text, 'a', (size_t)len);
                text[at] = specials[i][0][0];
                snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", at, text, specials[i][1], len - at - 1, text + at + 1);
                WRITES(json_write_text(&out, (struct text){text, (size_t)len}), expected);
            }
        }
    }
}
END_TEST

START_TEST(a_name_is_a_key)
{
    WRITES((json_write_bracket(&out, '{'), json_write_name(&out, "a"), json_write_integer(&out, 1),
            json_write_name(&out, "bc"), json_write_string(&out, "d\"e"), json_write_key(&out, "f\n"),
            json_write_null(&out), json_write_bracket(&out, '}')),
           "{\"a\":1,\"bc\":\"d\\\"e\",\"f\\u000a\":null}");
}
END_TEST

/* Against the C library's calendar. */
START_TEST(times_are_of_the_calendar)
{
    WRITES(json_write_time(&out, 0), "\"1970-01-01T00:00:00.000Z\"");
    WRITES(json_write_time(&out, 1795428000.0), "\"2026-11-23T10:00:00.000Z\"");
    WRITES(json_write_time(&out, 951782399.9996), "\"2000-02-29T00:00:00.000Z\"");
    WRITES(json_write_time(&out, -0.25), "\"1969-12-31T23:59:59.750Z\"");
    WRITES(json_write_time(&out, NAN), "null");
    WRITES(json_write_time(&out, 1e18), "null");
    WRITES(json_write_time(&out, -1e18), "null");
    for (int64_t seconds = -62167219199; seconds < 253402300799; seconds += 86399 * 37) {
        time_t time = seconds;
        struct tm tm;
        char date[64], wanted[72];
        gmtime_r(&time, &tm);
        snprintf(date, sizeof date, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                 tm.tm_hour, tm.tm_min, tm.tm_sec);
        snprintf(wanted, sizeof wanted, "\"%s.000Z\"", date);
        WRITES(json_write_time(&out, (double)seconds), wanted);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_write");
    TCase *tests = tcase_create("values");
    tcase_add_test(tests, numbers_are_short_and_come_back);
    tcase_add_test(tests, measures_have_eight_digits_at_most);
    tcase_add_test(tests, quick_measures_are_printfs);
    tcase_add_test(tests, text_is_always_json);
    tcase_add_test(tests, nothing_special_is_overlooked);
    tcase_add_test(tests, a_name_is_a_key);
    tcase_add_test(tests, commas_set_themselves);
    tcase_add_test(tests, times_are_of_the_calendar);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

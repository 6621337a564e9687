#include "lib/wire/rfc3339.h"
#include "tests/run_suite.h"

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Seconds from GNU date: date -u -d "..." +%s.%N */
static const struct {
    const char *text;
    double seconds;
} good[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"2026-11-23T10:00:00Z", 1795428000},
    {"2026-11-23T10:00:00.000Z", 1795428000},
    {"2026-11-23t10:00:00z", 1795428000},
    {"2026-11-23 10:00:00Z", 1795428000},
    {"2026-11-23T10:00:00+01:00", 1795424400},
    {"2026-11-23T10:00:00-05:30", 1795447800},
    {"2026-11-23T10:00:00-00:00", 1795428000},
    {"2026-11-23T10:00:00.25+00:00", 1795428000.25},
    {"2026-11-23T10:00:00.123456789Z", 1795428000.123456789},
    {"2026-11-23T10:00:00.1234567891111Z", 1795428000.123456789},
    {"1969-12-31T23:59:59.5Z", -0.5},
    {"1960-02-29T12:00:00Z", -310478400},
    {"2000-02-29T00:00:00Z", 951782400},
    {"1985-04-12T23:20:50.52Z", 482196050.52},
    {"1996-12-19T16:39:57-08:00", 851042397},
    {"1990-12-31T23:59:60Z", 662688000},
    {"1990-12-31T15:59:60-08:00", 662688000},
    {"1937-01-01T12:00:27.87+00:20", -1041337172.13},
    {"0000-01-01T00:00:00Z", -62167219200.0},
    {"9999-12-31T23:59:59Z", 253402300799.0},
};

static const char *const bad[] = {
    "", "2026", "2026-11-23", "2026-11-23T10:00:00", "2026-11-23T10:00Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
    "2026-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2026-11-31T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-23T24:00:00Z",
    "2026-11-23T10:60:00Z", "2026-11-23T10:00:61Z", "2026-11-23T10:00:60Z", "2026-11-23T10:00:00.Z", "2026-11-23T10:00:00,5Z",
    "2026-11-23T10:00:00+1:00", "2026-11-23T10:00:00+24:00", "2026-11-23T10:00:00+01:60", "2026-11-23T10:00:00+0100",
    "2026-11-23T10:00:00ZZ", " 2026-11-23T10:00:00Z", "2026-11-23_10:00:00Z", "+026-11-23T10:00:00Z", "2026-1a-23T10:00:00Z",
    "2026-11-23T10:00:00 Z", "20261123T100000Z", "yesterday",
};

START_TEST(times_are_read)
{
    double seconds = 1e300;
    ck_assert_int_eq(rfc3339_parse(text_of(good[_i].text), &seconds), 0);
    ck_assert_msg(seconds == good[_i].seconds, "%s: %.17g", good[_i].text, seconds);
}
END_TEST

START_TEST(what_is_no_time_is_refused)
{
    double seconds = 1e300;
    ck_assert_msg(rfc3339_parse(text_of(bad[_i]), &seconds) == -EINVAL, "%s", bad[_i]);
    ck_assert(seconds == 1e300);
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    const char *whole = "2026-11-23T10:00:00.5+01:00";
    double seconds;
    for (size_t len = 0; len < strlen(whole); len++) {
        char *copy = malloc(len + 1); /* exact, so that a sanitizer sees a byte too many */
        memcpy(copy, whole, len);
        ck_assert_int_eq(rfc3339_parse((struct text){copy, len}, &seconds), -EINVAL);
        free(copy);
    }
}
END_TEST

static int by_turns(const char *text, double *seconds_p)
{
    static struct rfc3339_day day;
    char *copy = malloc(strlen(text) + 1);
    memcpy(copy, text, strlen(text));
    const int rc = rfc3339_parse_next((struct text){copy, strlen(text)}, &day, seconds_p);
    free(copy);
    return rc;
}

/* What the last day was changes nothing, and nor does what was refused in between. */
START_TEST(a_known_day_changes_nothing)
{
    const size_t goods = sizeof good / sizeof good[0], bads = sizeof bad / sizeof bad[0];
    for (size_t i = 0; i < goods; i++) {
        double seconds = 1e300;
        ck_assert_int_eq(by_turns("2026-11-23T00:00:00Z", &seconds), 0);
        ck_assert(seconds == 1795392000);
        ck_assert_int_eq(by_turns(bad[i % bads], &seconds), -EINVAL);
        for (int times = 0; times < 2; times++) {
            ck_assert_int_eq(by_turns(good[i].text, &seconds), 0);
            ck_assert_msg(seconds == good[i].seconds, "%s: %.17g", good[i].text, seconds);
        }
    }
    for (size_t i = 0; i < bads; i++) {
        double seconds = 1e300;
        ck_assert_int_eq(by_turns("2026-11-23T00:00:00Z", &(double){0}), 0);
        ck_assert_msg(by_turns(bad[i], &seconds) == -EINVAL && seconds == 1e300, "%s", bad[i]);
    }
}
END_TEST

/* MessagePack's texts may hold NULs, which is how an unknown day is written. */
START_TEST(before_the_first_no_day_is_known)
{
    static const char nuls[] = "\0\0\0\0\0\0\0\0\0\0T10:00:00Z";
    struct rfc3339_day day = {.number = 0};
    double seconds = 1e300;
    ck_assert_int_eq(rfc3339_parse_next((struct text){nuls, sizeof nuls - 1}, &day, &seconds), -EINVAL);
    ck_assert(seconds == 1e300);
}
END_TEST

/* Each byte of a time, changed to each byte there is: read with a known day as without. */
START_TEST(a_known_day_refuses_nothing_else)
{
    static const char *const times[] = {"2026-11-23T19:05:07.125Z", "2026-11-23T10:00:00Z"};
    for (size_t t = 0; t < 2; t++) {
        for (size_t at = 0; at < strlen(times[t]); at++) {
            for (int byte = 1; byte < 256; byte++) {
                char text[32];
                double expected = 1e300, got = 1e300;
                ck_assert_int_eq(by_turns(times[t], &got), 0);
                strcpy(text, times[t]);
                text[at] = (char)byte;
                const int rc = rfc3339_parse(text_of(text), &expected);
                got = 1e300;
                ck_assert_msg(by_turns(text, &got) == rc && got == expected, "%s", text);
            }
        }
    }
}
END_TEST

/* Every day of 10,000 years against the calendar of the C library. */
START_TEST(days_are_those_of_the_c_library)
{
    double expected = -62167219200.0;
    for (int64_t day = 0; day < 3652425; day++, expected += 86400) {
        time_t at = (time_t)expected;
        struct tm tm;
        char text[64];
        double seconds = 0;
        gmtime_r(&at, &tm);
        snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                 tm.tm_hour, tm.tm_min, tm.tm_sec);
        if (rfc3339_parse(text_of(text), &seconds) != 0 || seconds != expected)
            ck_abort_msg("%s: %.17g, expected %.17g", text, seconds, expected);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rfc3339");
    TCase *tcase = tcase_create("rfc3339");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, times_are_read, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(tcase, what_is_no_time_is_refused, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(tcase, every_truncation_is_refused);
    tcase_add_test(tcase, a_known_day_changes_nothing);
    tcase_add_test(tcase, before_the_first_no_day_is_known);
    tcase_add_test(tcase, a_known_day_refuses_nothing_else);
    tcase_add_test(tcase, days_are_those_of_the_c_library);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log_catalog.h"
#include "daemon/base/log_pace.h"
#include "tests/run_suite.h"

static struct log_pace pace;

static void enter(void)
{
    memset(&pace, 0, sizeof pace);
}

START_TEST(the_first_lines_pass_and_the_rest_is_counted)
{
    char sentence[LOG_PACE_BYTES];
    uint64_t lines;
    for (int i = 0; i < LOG_PACE_LINES; i++)
        ck_assert(log_pace_admit(&pace, "a", 5));
    ck_assert(!log_pace_admit(&pace, "a", 5));
    ck_assert(!log_pace_admit(&pace, "a", LOG_PACE_NS));
    ck_assert(log_pace_admit(&pace, "b", 5)); /* one kind is not held back for another */
    ck_assert(!log_pace_left_out(&pace, LOG_PACE_NS, sentence, &lines));
    ck_assert(log_pace_left_out(&pace, 5 + LOG_PACE_NS, sentence, &lines));
    ck_assert_str_eq(sentence, "a");
    ck_assert_uint_eq(lines, 2);
    ck_assert(!log_pace_left_out(&pace, 5 + LOG_PACE_NS, sentence, &lines));
    ck_assert(log_pace_admit(&pace, "a", 5 + LOG_PACE_NS));
}
END_TEST

START_TEST(a_slow_trickle_is_never_held_back)
{
    for (int i = 0; i < 10 * LOG_PACE_LINES; i++)
        ck_assert(log_pace_admit(&pace, "a", i * (LOG_PACE_NS / LOG_PACE_LINES)));
}
END_TEST

START_TEST(more_kinds_than_there_are_places)
{
    char sentence[16];
    for (int i = 0; i < 2 * LOG_PACE_SENTENCES; i++) {
        snprintf(sentence, sizeof sentence, "s%d", i);
        for (int line = 0; line <= LOG_PACE_LINES; line++)
            ck_assert(log_pace_admit(&pace, sentence, 5) == (line < LOG_PACE_LINES || i >= LOG_PACE_SENTENCES));
    }
}
END_TEST

START_TEST(what_the_catalog_knows)
{
    ck_assert_ptr_null(log_catalog_id("driftd runs"));
    const char *id = log_catalog_id("a model is unrecoverable");
    ck_assert_ptr_nonnull(id);
    ck_assert_uint_eq(strlen(id), 32);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log pace");
    TCase *cases = tcase_create("log pace");
    tcase_add_checked_fixture(cases, enter, NULL);
    tcase_add_test(cases, the_first_lines_pass_and_the_rest_is_counted);
    tcase_add_test(cases, a_slow_trickle_is_never_held_back);
    tcase_add_test(cases, more_kinds_than_there_are_places);
    tcase_add_test(cases, what_the_catalog_knows);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

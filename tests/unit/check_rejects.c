#include <check.h>
#include <stdlib.h>

#include "daemon/workers/rejects.h"
#include "tests/run_suite.h"

static struct text text(const char *s)
{
    return text_of(s);
}

START_TEST(counted_by_reason_with_the_last_example)
{
    static struct rejects rejects;
    rejects_count(&rejects, DROP_SYNTAX, 1, text("metrics/a/b/c"), text("{"), "ends early", 100.0);
    rejects_count(&rejects, DROP_SYNTAX, 1, text("metrics/a/b/d"), text("{]"), "no key", 101.0);
    rejects_count(&rejects, DROP_RANGE, 7, text("t"), text("p"), NULL, 102.0);
    ck_assert_uint_eq(rejects_sum(&rejects), 9);
    const struct reject *syntax = &rejects.of[DROP_SYNTAX];
    ck_assert_uint_eq(syntax->count, 2);
    ck_assert_uint_eq(syntax->topic_len, 13);
    ck_assert_mem_eq(syntax->topic, "metrics/a/b/d", 13);
    ck_assert_mem_eq(syntax->payload, "{]", 2);
    ck_assert_str_eq(syntax->detail, "no key");
    ck_assert(syntax->at_s == 101.0);
    ck_assert_str_eq(rejects.of[DROP_RANGE].detail, "");
}
END_TEST

START_TEST(long_examples_are_cut)
{
    static struct rejects rejects;
    static char longer[100000];
    memset(longer, 'x', sizeof longer - 1);
    rejects_count(&rejects, DROP_TOPIC, 1, text(longer), text(longer), longer, 1.0);
    ck_assert_uint_eq(rejects.of[DROP_TOPIC].topic_len, REJECT_TOPIC_MAX);
    ck_assert_uint_eq(rejects.of[DROP_TOPIC].payload_len, REJECT_PAYLOAD_MAX);
    ck_assert_uint_eq(rejects.of[DROP_TOPIC].payload_bytes, sizeof longer - 1);
    ck_assert_uint_eq(strlen(rejects.of[DROP_TOPIC].detail), REJECT_DETAIL_MAX - 1);
    rejects_count(&rejects, DROP_TOPIC, 1, (struct text){0}, (struct text){0}, NULL, 2.0);
    ck_assert_uint_eq(rejects.of[DROP_TOPIC].topic_len, 0);
}
END_TEST

START_TEST(bytes_are_made_visible)
{
    char out[32];
    rejects_visible("a\n\\\0\xff~", 6, out, sizeof out);
    ck_assert_str_eq(out, "a\\x0a\\x5c\\x00\\xff~");
    rejects_visible("abc\n", 4, out, 6); /* an escape goes in whole or not at all */
    ck_assert_str_eq(out, "abc");
    rejects_visible("", 0, out, sizeof out);
    ck_assert_str_eq(out, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rejects");
    TCase *tcase = tcase_create("rejects");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, counted_by_reason_with_the_last_example);
    tcase_add_test(tcase, long_examples_are_cut);
    tcase_add_test(tcase, bytes_are_made_visible);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

/* The names that a decoder has met: found again, learnt once, and forgotten when strangers come. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/metric_known.h"
#include "tests/run_suite.h"

static const struct siphash_key secret = {3, 4};
static struct known_names *known;

static void setup(void)
{
    known = calloc(1, sizeof *known);
    ck_assert_ptr_nonnull(known);
}

static void teardown(void)
{
    free(known);
}

static struct known_name *find(const char *name)
{
    return known_find(known, &secret, text_of(name));
}

START_TEST(a_name_is_learnt_once)
{
    struct known_name *accuracy = find("accuracy"), *latency = find("latency_ms"), *seq = find("seq");
    ck_assert_ptr_nonnull(accuracy);
    ck_assert_ptr_nonnull(latency);
    ck_assert_ptr_nonnull(seq);
    ck_assert_int_eq(accuracy->member, MEMBER_RATIO);
    ck_assert_int_eq(latency->member, MEMBER_NOT_NEGATIVE);
    ck_assert_int_eq(seq->member, MEMBER_SEQ);
    ck_assert_uint_ne(accuracy->key, 0);
    ck_assert_uint_ne(accuracy->key, latency->key);
    ck_assert_ptr_eq(find("accuracy"), accuracy);
    ck_assert_uint_eq(known->count, 3);
}
END_TEST

START_TEST(what_no_member_may_be_called_is_not_known)
{
    char longest[METRIC_NAME_MAX + 2];
    memset(longest, 'a', METRIC_NAME_MAX + 1);
    longest[METRIC_NAME_MAX + 1] = '\0';
    ck_assert_ptr_null(find(""));
    ck_assert_ptr_null(find("Upper"));
    ck_assert_ptr_null(find("with space"));
    ck_assert_ptr_null(find(longest));
    longest[METRIC_NAME_MAX] = '\0';
    ck_assert_ptr_nonnull(find(longest));
}
END_TEST

/* At every length, with and without eight bytes of room behind it, and with each byte changed. */
START_TEST(a_name_is_recognised_byte_for_byte)
{
    char text[METRIC_NAME_MAX + 1];
    for (size_t len = 1; len <= METRIC_NAME_MAX; len++) {
        for (size_t i = 0; i < len; i++)
            text[i] = (char)('a' + (i * 7 + len) % 26);
        struct known_name *name = known_find(known, &secret, (struct text){text, len});
        ck_assert_ptr_nonnull(name);
        for (size_t room = 0; room <= 9; room++) {
            unsigned char *bytes =
                malloc(len + room); /* of just this size, so that a sanitizer sees what is read beyond */
            ck_assert_ptr_nonnull(bytes);
            memset(bytes, '"', len + room);
            memcpy(bytes, text, len);
            ck_assert(known_here(name, bytes, bytes + len + room));
            ck_assert(!known_here(name, bytes, bytes + len - 1));
            for (size_t i = 0; i < len; i++) {
                bytes[i] ^= 1;
                ck_assert(!known_here(name, bytes, bytes + len + room));
                bytes[i] ^= 1;
            }
            free(bytes);
        }
    }
}
END_TEST

START_TEST(too_many_names_are_strangers_and_make_it_forget)
{
    char name[32];
    uint32_t met = 0;
    ck_assert_ptr_nonnull(find("accuracy"));
    known->stamp = 77;
    while (known->strangers < KNOWN_PATIENCE) {
        snprintf(name, sizeof name, "name_%u", met++);
        find(name);
        ck_assert_uint_lt(known->count, KNOWN_MAX);
        ck_assert_uint_lt(met, 2 * KNOWN_PATIENCE);
        known_refresh(known);
        if (known->count == 0)
            break;
    }
    ck_assert_uint_eq(known->count, 0);
    ck_assert_uint_eq(known->stamp, 77); /* or what was stamped before would seem to be of this event */
    ck_assert_uint_gt(met, KNOWN_PATIENCE);
    ck_assert_ptr_nonnull(find("accuracy"));
    ck_assert_uint_eq(known->count, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_known");
    TCase *tests = tcase_create("metric_known");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_name_is_learnt_once);
    tcase_add_test(tests, what_no_member_may_be_called_is_not_known);
    tcase_add_test(tests, a_name_is_recognised_byte_for_byte);
    tcase_add_test(tests, too_many_names_are_strangers_and_make_it_forget);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

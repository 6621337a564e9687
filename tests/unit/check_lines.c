/* Memory on lines: it begins on one, is all there, and goes back as a whole. */
#include <check.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>

#include "lib/lines.h"
#include "tests/run_suite.h"

#define BLOCKS 64

START_TEST(a_block_begins_on_a_line_and_is_all_there)
{
    unsigned char *blocks[BLOCKS];
    for (uint32_t i = 0; i < BLOCKS; i++) {
        blocks[i] = lines_new(1 + 37 * (size_t)i);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % LINES_BYTES, 0);
        memset(blocks[i], (int)i, 1 + 37 * (size_t)i);
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        ck_assert_uint_eq(blocks[i][0], i);
        ck_assert_uint_eq(blocks[i][37 * (size_t)i], i);
        lines_free(blocks[i]);
    }
}
END_TEST

START_TEST(a_block_goes_back_as_a_whole)
{
    for (uint32_t warm = 0; warm < 2; warm++) {
        const size_t before = mallinfo2().uordblks;
        void *block = lines_new(5000);
        ck_assert_ptr_nonnull(block);
        ck_assert(mallinfo2().uordblks >= before);
        lines_free(block);
        ck_assert(warm == 0 || mallinfo2().uordblks == before);
    }
    lines_free(NULL);
}
END_TEST

START_TEST(zeros_are_zeros)
{
    for (uint32_t i = 0; i < BLOCKS; i++) {
        unsigned char *used = lines_new(1 + 37 * (size_t)i);
        memset(used, 0xff, 1 + 37 * (size_t)i);
        lines_free(used);
        unsigned char *block = lines_zeroed(1 + 37 * (size_t)i);
        ck_assert_ptr_nonnull(block);
        ck_assert_uint_eq((uintptr_t)block % LINES_BYTES, 0);
        for (size_t at = 0; at < 1 + 37 * (size_t)i; at++)
            ck_assert_uint_eq(block[at], 0);
        lines_free(block);
    }
}
END_TEST

START_TEST(more_than_there_is_is_refused)
{
    ck_assert_ptr_null(lines_zeroed(SIZE_MAX));
    ck_assert_ptr_null(lines_zeroed(SIZE_MAX - LINES_BYTES + 1));
    ck_assert_ptr_null(lines_new(SIZE_MAX));
    ck_assert_ptr_null(lines_new(SIZE_MAX - LINES_BYTES + 1));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lines");
    TCase *all = tcase_create("all");
    tcase_add_test(all, a_block_begins_on_a_line_and_is_all_there);
    tcase_add_test(all, a_block_goes_back_as_a_whole);
    tcase_add_test(all, zeros_are_zeros);
    tcase_add_test(all, more_than_there_is_is_refused);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

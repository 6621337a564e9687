#include <check.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/requests/store_memory.h"
#include "tests/run_suite.h"

#define PIECES 64

static int bytes_of(int i)
{
    static const int sizes[] = {1, 8, 55, 56, 57, 120, 1000, 4368, 16300, 16376, 16377, 40000};
    return sizes[i % (int)(sizeof sizes / sizeof *sizes)];
}

static unsigned char *take(int i)
{
    unsigned char *piece = sqlite3_malloc(bytes_of(i));
    ck_assert_ptr_nonnull(piece);
    ck_assert_uint_eq((uintptr_t)piece % 8, 0);
    ck_assert_uint_ge(sqlite3_msize(piece), (unsigned)bytes_of(i));
    memset(piece, i, (size_t)bytes_of(i));
    return piece;
}

static void check_and_give(unsigned char *piece, int i)
{
    for (int at = 0; at < bytes_of(i); at++)
        ck_assert_int_eq(piece[at], i);
    sqlite3_free(piece);
}

START_TEST(pieces_lie_apart)
{
    unsigned char *pieces[PIECES];
    for (int round = 0; round < 3; round++) { /* what was given back is taken again */
        for (int i = 0; i < PIECES; i++)
            pieces[i] = take(i);
        for (int i = 0; i < PIECES; i++)
            check_and_give(pieces[(7 * i) % PIECES], (7 * i) % PIECES);
    }
}
END_TEST

START_TEST(what_was_given_back_is_used_again)
{
    unsigned char *first = take(3);
    sqlite3_free(first);
    ck_assert_ptr_eq(take(2), first); /* one size for both */
    sqlite3_free(first);
}
END_TEST

START_TEST(a_piece_that_changes_its_size_keeps_what_is_in_it)
{
    static const int sizes[] = {10, 60, 5000, 17000, 50000, 17000, 3000, 20};
    unsigned char *piece = sqlite3_malloc(sizes[0]);
    int least = sizes[0];
    memset(piece, 9, (size_t)least);
    for (size_t i = 1; i < sizeof sizes / sizeof *sizes; i++) {
        piece = sqlite3_realloc(piece, sizes[i]);
        least = sizes[i] < least ? sizes[i] : least;
        for (int at = 0; at < least; at++)
            ck_assert_int_eq(piece[at], 9);
    }
    sqlite3_free(piece);
}
END_TEST

static void *take_many(void *argument)
{
    unsigned char **pieces = argument;
    for (int i = 0; i < PIECES; i++) {
        sqlite3_free(pieces[i]); /* another's */
        pieces[i] = take(i);
    }
    return NULL;
}

START_TEST(threads_do_not_wait_for_each_other)
{
    static unsigned char *pieces[4][PIECES];
    pthread_t threads[4];
    for (int round = 0; round < 20; round++) {
        for (int t = 0; t < 4; t++)
            ck_assert_int_eq(pthread_create(&threads[t], NULL, take_many, pieces[t]), 0);
        for (int t = 0; t < 4; t++)
            pthread_join(threads[t], NULL);
    }
    for (int t = 0; t < 4; t++) {
        for (int i = 0; i < PIECES; i++)
            check_and_give(pieces[t][i], i);
    }
}
END_TEST

int main(void)
{
    store_memory_use();
    Suite *suite = suite_create("store_memory");
    TCase *tests = tcase_create("all");
    tcase_add_test(tests, pieces_lie_apart);
    tcase_add_test(tests, what_was_given_back_is_used_again);
    tcase_add_test(tests, a_piece_that_changes_its_size_keeps_what_is_in_it);
    tcase_add_test(tests, threads_do_not_wait_for_each_other);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

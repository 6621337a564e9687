/* Pages: each has one owner, keeps what he writes, and is gone when he has given it back. */
#include <check.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/pages.h"
#include "tests/run_suite.h"

#define MANY 3000 /* more than the first areas hold */
#define ROUNDS 2000
#define HELD 64

static char *taken[MANY];

static void take_all(void)
{
    for (uint32_t i = 0; i < MANY; i++) {
        taken[i] = pages_take();
        ck_assert_ptr_nonnull(taken[i]);
        ck_assert_uint_eq((uintptr_t)taken[i] % PAGES_BYTES, 0);
        memset(taken[i], (int)(i % 251), PAGES_BYTES);
    }
}

static void give_all(void)
{
    for (uint32_t i = 0; i < MANY; i++)
        pages_give(taken[i]);
}

static bool resident(void *page)
{
    unsigned char in = 0;
    ck_assert_int_eq(mincore(page, PAGES_BYTES, &in), 0);
    return in & 1;
}

START_TEST(each_has_one_owner)
{
    take_all();
    for (uint32_t i = 0; i < MANY; i++)
        for (uint32_t at = 0; at < PAGES_BYTES; at += PAGES_BYTES - 1)
            ck_assert_int_eq((unsigned char)taken[i][at], i % 251);
    give_all();
}
END_TEST

START_TEST(what_is_given_is_taken_again)
{
    take_all();
    const size_t idle = pages_idle_bytes();
    give_all();
    ck_assert_uint_eq(pages_idle_bytes(), idle + (size_t)MANY * PAGES_BYTES);
    take_all();
    ck_assert_uint_eq(pages_idle_bytes(), idle);
    give_all();
}
END_TEST

/* Each by itself, whatever its neighbours are. */
START_TEST(what_is_given_is_not_resident)
{
    if (sysconf(_SC_PAGESIZE) != PAGES_BYTES)
        return;
    take_all();
    for (uint32_t i = 0; i < MANY; i += 2)
        pages_give(taken[i]);
    for (uint32_t i = 0; i < MANY; i++)
        ck_assert_msg(resident(taken[i]) == (i % 2 == 1), "page %u", i);
    for (uint32_t i = 1; i < MANY; i += 2)
        pages_give(taken[i]);
}
END_TEST

START_TEST(nothing_is_given)
{
    pages_give(NULL);
    const size_t idle = pages_idle_bytes();
    pages_give(NULL);
    ck_assert_uint_eq(pages_idle_bytes(), idle);
}
END_TEST

/* Takes and gives, and looks whether what it wrote into a page is still there. */
static void *churn(void *argument)
{
    uintptr_t mine = (uintptr_t)argument, wrong = 0;
    uintptr_t *held[HELD] = {NULL};
    for (uint32_t i = 0; i < ROUNDS * HELD; i++) {
        const uint32_t at = i * 7 % HELD;
        if (held[at]) {
            wrong += held[at][0] != mine || held[at][1] != i - HELD;
            pages_give(held[at]);
        }
        held[at] = pages_take();
        held[at][0] = mine;
        held[at][1] = i;
    }
    for (uint32_t at = 0; at < HELD; at++)
        pages_give(held[at]);
    return (void *)wrong;
}

START_TEST(threads_do_not_meet_on_a_page)
{
    pthread_t threads[4];
    void *wrong;
    for (uintptr_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    for (uint32_t i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], &wrong), 0);
        ck_assert_ptr_null(wrong);
    }
    const size_t idle = pages_idle_bytes();
    pages_give(pages_take());
    ck_assert_uint_eq(pages_idle_bytes(), idle);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pages");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, each_has_one_owner);
    tcase_add_test(all, what_is_given_is_taken_again);
    tcase_add_test(all, what_is_given_is_not_resident);
    tcase_add_test(all, nothing_is_given);
    tcase_add_test(all, threads_do_not_meet_on_a_page);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

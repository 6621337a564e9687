/* A detector that gets no memory while it runs goes on with what it has, and takes it up again later. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/streams.h"
#include "lib/detect/detect.h"
#include "tests/run_suite.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_ALLOCATOR 0 /* the sanitizer has its own, which cannot be replaced */
#else
#define OWN_ALLOCATOR 1
#endif
#define AREA_LEAST (256 * 1024) /* bytes: pages are made in areas of more */

static bool refusing;
static int refused;

#if OWN_ALLOCATOR
void *__libc_malloc(size_t bytes);
void *__libc_realloc(void *at, size_t bytes);

void *malloc(size_t bytes)
{
    const bool refuse = refusing && bytes > AREA_LEAST;
    refused += refuse;
    return refuse ? NULL : __libc_malloc(bytes);
}

void *realloc(void *at, size_t bytes)
{
    refused += refusing;
    return refusing ? NULL : __libc_realloc(at, bytes);
}
#endif

/* Whether our functions stand in for those of the C library: valgrind puts its own before it. */
static bool in_charge(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return OWN_ALLOCATOR && !(preloaded && strstr(preloaded, "vgpreload"));
}

static void setup(void)
{
    refusing = false;
    refused = 0;
}

static double next(struct stream *s)
{
    return 10 + stream_normal(s);
}

START_TEST(a_window_without_memory_loses_its_oldest_and_still_finds_a_change)
{
    struct stream s = stream_seeded(31, 2);
    struct detect *adwin;
    uint64_t found = 0;
    ck_assert_int_eq(detect_new(&adwin, "adwin", NULL), 0);
    const size_t before = detect_bytes(adwin);
    refusing = true;
    for (int i = 0; i < 5000; i++)
        found += detect_add(adwin, next(&s)).state == DETECT_DRIFT;
    ck_assert_uint_eq(found, 0);
    ck_assert(detect_bytes(adwin) == before || !in_charge());
    ck_assert(refused > 0 || !in_charge());
    refusing = false;
    for (int i = 0; i < 5000; i++)
        found += detect_add(adwin, next(&s)).state == DETECT_DRIFT;
    ck_assert_uint_eq(found, 0);
    ck_assert_uint_gt(detect_bytes(adwin), before);
    refusing = true;
    for (int i = 0; i < 200; i++)
        found += detect_add(adwin, 2 + next(&s)).state == DETECT_DRIFT;
    ck_assert_uint_eq(found, 1);
    detect_destroy(&adwin);
}
END_TEST

START_TEST(a_long_window_is_loaded_or_refused_as_a_whole)
{
    struct stream s = stream_seeded(31, 3);
    struct detect *adwin, *other;
    static uint8_t saved[16384];
    ck_assert_int_eq(detect_new(&adwin, "adwin", NULL), 0);
    ck_assert_int_eq(detect_new(&other, "adwin", NULL), 0);
    for (int i = 0; i < 5000; i++)
        detect_add(adwin, next(&s));
    const size_t size = detect_save(adwin, saved, sizeof saved);
    ck_assert_uint_le(size, sizeof saved);
    refusing = true;
    ck_assert_int_eq(detect_load(other, saved, size), in_charge() ? -ENOMEM : 0);
    refusing = false;
    ck_assert_int_eq(detect_load(other, saved, size), 0);
    for (int i = 0; i < 500; i++) {
        const double value = next(&s) + i * 0.01;
        struct detect_verdict a = detect_add(adwin, value), b = detect_add(other, value);
        ck_assert_int_eq(a.state, b.state);
        ck_assert(isnan(a.statistic) ? isnan(b.statistic) : a.statistic == b.statistic);
    }
    detect_destroy(&adwin);
    detect_destroy(&other);
}
END_TEST

START_TEST(a_reference_without_memory_is_full_later)
{
    struct stream s = stream_seeded(31, 4);
    struct detect *cusum;
    struct detect_reference reference;
    struct detect_params params;
    ck_assert_int_eq(detect_params_init(&params, "cusum", NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "h", 100, NULL), 0); /* an alarm would begin the reference anew */
    ck_assert_int_eq(detect_new(&cusum, "cusum", &params), 0);
    for (int i = 0; i < 1200; i++) {
        refusing = i >= 100 && i < 400;
        detect_add(cusum, next(&s));
        ck_assert_int_eq(detect_reference(cusum, &reference), 0);
        ck_assert(i < 900 || reference.judging);
        ck_assert(!in_charge() || i >= 500 || !reference.judging);
    }
    ck_assert_double_eq_tol(reference.level, 10, 0.2);
    ck_assert_double_eq_tol(reference.sd, 1, 0.1);
    detect_destroy(&cusum);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("detect_memory");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, setup, NULL);
    tcase_add_test(all, a_window_without_memory_loses_its_oldest_and_still_finds_a_change);
    tcase_add_test(all, a_long_window_is_loaded_or_refused_as_a_whole);
    tcase_add_test(all, a_reference_without_memory_is_full_later);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/detect/detect.h"
#include "tests/rounds.h"
#include "tests/run_suite.h"
#include "tests/unit/detect_streams.h"
#include "tests/unit/distances_expected.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const char *const names[] = {"psi", "js", "chi2", "ks", "wasserstein"};

static struct detect *make(const char *name, double reference, double window, double alpha, double threshold)
{
    struct detect_params params;
    struct detect *detector = NULL;
    ck_assert_int_eq(detect_params_init(&params, name, NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "reference", reference, NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "window", window, NULL), 0);
    if (!isnan(alpha))
        ck_assert_int_eq(detect_params_set(&params, "alpha", alpha, NULL), 0);
    if (!isnan(threshold))
        ck_assert_int_eq(detect_params_set(&params, "threshold", threshold, NULL), 0);
    ck_assert_int_eq(detect_new(&detector, name, &params), 0);
    return detector;
}

/* AR(1) streams, a reference each and anew after an alarm: no more false alarms than promised, and three
 * deviations. */
START_TEST(what_hangs_together_keeps_the_promise)
{
    struct detect_params params;
    struct detect *detector = NULL;
    const int runs = ROUNDS_OR(200, 60), values = 40000;
    const double promise = 100000, phi = 0.8, budget = runs * values / promise;
    int alarms = 0;
    ck_assert_int_eq(detect_params_init(&params, names[_i], NULL), 0);
    ck_assert_int_eq(detect_params_promise(&params, promise, NULL), 0);
    ck_assert_int_eq(detect_new(&detector, names[_i], &params), 0);
    for (int stream = 0; stream < runs; stream++) {
        struct source source = {.state = 977 * (uint64_t)stream};
        detect_reset(detector);
        for (int i = 0; i < values; i++) {
            source.level = phi * source.level + sqrt(1 - phi * phi) * source_normal(&source);
            alarms += detect_add(detector, source.level).state == DETECT_DRIFT;
        }
    }
    ck_assert_msg(alarms <= budget + 3 * sqrt(budget), "%s: %d alarms, %g promised", names[_i], alarms, budget);
    ck_assert_int_gt(alarms, (int)(budget / 4));
    detect_destroy(&detector);
}
END_TEST

static double threshold_now(struct detect *detector, struct source *source)
{
    struct detect_verdict verdict = {0};
    for (int i = 0; i < 200; i++) /* a window */
        verdict = detect_add(detector, source_normal(source));
    ck_assert(isfinite(verdict.threshold));
    return verdict.threshold;
}

/* A reference that is full is judged by another promise as if it had been collected under that, before and after it was
 * saved. A state that was saved without what that takes keeps its threshold. */
START_TEST(another_promise_is_kept_at_once)
{
    enum { DEALS = 102 * 8 };
    static uint8_t saved[65536];
    struct detect_params often, rarely;
    struct detect *detector = NULL, *fresh = NULL, *loaded = NULL;
    struct source source = {.state = 5}, same = {.state = 5};
    ck_assert_int_eq(detect_params_init(&often, names[_i], NULL), 0);
    rarely = often;
    ck_assert_int_eq(detect_params_promise(&often, 5000, NULL), 0);
    ck_assert_int_eq(detect_params_promise(&rarely, 1e7, NULL), 0);
    ck_assert_int_eq(detect_new(&detector, names[_i], &often), 0);
    ck_assert_int_eq(detect_new(&fresh, names[_i], &rarely), 0);
    ck_assert_int_eq(detect_new(&loaded, names[_i], &rarely), 0);
    for (int i = 0; i < 500; i++) {
        detect_add(detector, source_normal(&source));
        detect_add(fresh, source_normal(&same));
    }
    const double before = threshold_now(detector, &source), wanted = threshold_now(fresh, &same);
    ck_assert_double_gt(wanted, before * 1.1);
    const size_t size = detect_save(detector, saved, sizeof saved);
    ck_assert_uint_le(size, sizeof saved);
    ck_assert_int_eq(detect_load(loaded, saved, size - DEALS), 0);
    ck_assert_int_eq(detect_retune(loaded, &often), 0);
    ck_assert_int_eq(detect_retune(loaded, &rarely), 0);
    ck_assert_double_eq(threshold_now(loaded, &source), before);
    ck_assert_int_eq(detect_load(loaded, saved, size), 0);
    ck_assert_double_eq(threshold_now(loaded, &source), wanted);
    ck_assert_int_eq(detect_retune(detector, &rarely), 0);
    ck_assert_double_eq(threshold_now(detector, &source), wanted);
    ck_assert_int_eq(detect_retune(detector, &often), 0);
    ck_assert_double_eq(threshold_now(detector, &source), before);
    detect_destroy(&detector);
    detect_destroy(&fresh);
    detect_destroy(&loaded);
}
END_TEST

/* With a threshold out of reach nothing begins anew: every full window is measured against the same reference. */
START_TEST(distances_are_those_of_scipy)
{
    const struct stream *stream = stream_find(distances[_i].stream);
    struct source source = stream_source(stream);
    struct detect *detector = make(distances[_i].detector, distances[_i].reference, distances[_i].window, NAN, 1e9);
    int windows = 0;
    for (int i = 0; i < STREAM_LENGTH && windows < distances[_i].windows; i++) {
        struct detect_verdict verdict = detect_add(detector, stream->draw(&source, i));
        ck_assert_int_eq(verdict.state, DETECT_NONE);
        bool due = i >= distances[_i].reference && (i + 1 - distances[_i].reference) % distances[_i].window == 0;
        ck_assert_int_eq(isfinite(verdict.statistic) != 0, due);
        if (!due)
            continue;
        double wanted = distances[_i].distance[windows++];
        ck_assert_msg(fabs(verdict.statistic - wanted) <= 2e-6 * fmax(1, fabs(wanted)),
                      "%s on %s, window %d: %.9g, expected %.9g", distances[_i].detector, distances[_i].stream, windows,
                      verdict.statistic, wanted);
    }
    ck_assert_int_eq(windows, distances[_i].windows);
    detect_destroy(&detector);
}
END_TEST

/* Ours has 999 deals, the oracle 700 of its own: they agree as far as either knows. */
START_TEST(thresholds_are_those_of_permutations)
{
    const struct stream *stream = stream_find(distances[_i].stream);
    struct source source = stream_source(stream);
    struct detect *detector = make(distances[_i].detector, distances[_i].reference, distances[_i].window, 0.05, NAN);
    for (int i = 0; i < distances[_i].reference + distances[_i].window; i++) {
        struct detect_verdict verdict = detect_add(detector, stream->draw(&source, i));
        if (isfinite(verdict.threshold) && verdict.state == DETECT_NONE)
            ck_assert_msg(fabs(verdict.threshold - distances[_i].threshold) <= 0.12 * distances[_i].threshold,
                          "%s on %s: threshold %g, expected %g", distances[_i].detector, distances[_i].stream,
                          verdict.threshold, distances[_i].threshold);
    }
    detect_destroy(&detector);
}
END_TEST

static void draw_categories(struct source *source, bool shifted, struct detect_category *out)
{
    static const char *const animals[] = {"cat", "dog", "bird", "fish", "none of these"};
    for (int i = 0; i < 5; i++)
        out[i] = (struct detect_category){.name = text_of(animals[i])};
    for (int k = 0; k < 40; k++) {
        int i = (int)(5 * source_uniform(source) * source_uniform(source));
        out[shifted ? 4 - i : i].count++;
    }
}

static void draw_histogram(struct source *source, bool shifted, double *edges, uint64_t *counts)
{
    for (int i = 0; i <= 20; i++)
        edges[i] = i / 10.0;
    memset(counts, 0, 20 * sizeof(*counts));
    for (int k = 0; k < 50; k++) {
        int i = (int)(10 * (source_uniform(source) + source_uniform(source))) + (shifted ? 3 : 0);
        counts[i < 19 ? i : 19]++;
    }
}

START_TEST(categories_are_compared)
{
    struct detect_category categories[5];
    struct source source = {.state = 77};
    struct detect *detector = make(category_distances[_i].detector, 50, 20, NAN, 1e9);
    struct detect_verdict verdict;
    for (int i = 0; i < 90; i++) {
        draw_categories(&source, i >= 70, categories);
        ck_assert_int_eq(detect_add_categories(detector, categories, 5, &verdict), 0);
        if (i == 69)
            ck_assert_double_eq_tol(verdict.statistic, category_distances[_i].same, 1e-6);
    }
    ck_assert_double_eq_tol(verdict.statistic, category_distances[_i].shifted, 1e-5 * category_distances[_i].shifted);
    detect_destroy(&detector);
}
END_TEST

START_TEST(histograms_are_compared)
{
    double edges[21];
    uint64_t counts[20];
    struct source source = {.state = 78};
    struct detect *detector = make(histogram_distances[_i].detector, 50, 20, NAN, 1e9);
    struct detect_verdict verdict;
    for (int i = 0; i < 90; i++) {
        draw_histogram(&source, i >= 70, edges, counts);
        ck_assert_int_eq(detect_add_histogram(detector, edges, counts, 20, &verdict), 0);
        if (i == 69)
            ck_assert_double_eq_tol(verdict.statistic, histogram_distances[_i].same, 1e-6);
    }
    ck_assert_double_eq_tol(verdict.statistic, histogram_distances[_i].shifted, 1e-6);
    detect_destroy(&detector);
}
END_TEST

/* At a real threshold: silent while nothing changes, loud when it does, whatever the events are made of. */
START_TEST(a_shifted_histogram_is_found)
{
    double edges[21];
    uint64_t counts[20];
    struct source source = {.state = 5};
    struct detect *detector = make(names[_i], 100, 20, 0.001, NAN);
    struct detect_verdict verdict;
    for (int i = 0; i < 300; i++) {
        draw_histogram(&source, i >= 280, edges, counts);
        ck_assert_int_eq(detect_add_histogram(detector, edges, counts, 20, &verdict), 0);
        ck_assert_msg((verdict.state == DETECT_DRIFT) == (i == 299), "%s at %d", names[_i], i);
    }
    ck_assert_uint_eq(verdict.changed_at, 280);
    ck_assert_double_gt(verdict.size, 0.2);
    ck_assert_double_lt(verdict.size, 0.4);
    detect_destroy(&detector);
}
END_TEST

START_TEST(shifted_categories_are_found)
{
    struct detect_category categories[5];
    struct source source = {.state = 6};
    struct detect *detector = make(names[_i], 100, 20, 0.001, NAN);
    struct detect_verdict verdict;
    bool ordered = strcmp(names[_i], "ks") == 0 || strcmp(names[_i], "wasserstein") == 0;
    for (int i = 0; i < 300; i++) {
        draw_categories(&source, i >= 280, categories);
        int result = detect_add_categories(detector, categories, 5, &verdict);
        ck_assert_int_eq(result, ordered ? -ENOTSUP : 0);
        if (!ordered)
            ck_assert_msg((verdict.state == DETECT_DRIFT) == (i == 299), "%s at %d", names[_i], i);
    }
    detect_destroy(&detector);
}
END_TEST

START_TEST(a_new_category_is_a_change)
{
    struct detect *detector = make("psi", 50, 20, 0.001, NAN);
    struct detect_verdict verdict = {0};
    struct source source = {.state = 9};
    for (int i = 0; i < 70; i++) {
        struct detect_category both[] = {{text_of("known"), 10 + (uint64_t)(3 * source_uniform(&source))},
                                         {text_of("new"), 5}};
        ck_assert_int_eq(detect_add_categories(detector, both, i < 50 ? 1 : 2, &verdict), 0);
    }
    ck_assert_int_eq(verdict.state, DETECT_DRIFT);
    detect_destroy(&detector);
}
END_TEST

/* More categories than cells: the rest shares one, and nothing is lost. */
START_TEST(many_categories_are_bounded)
{
    static struct detect_category many[300];
    static char text[300][16];
    for (int i = 0; i < 300; i++) {
        snprintf(text[i], sizeof(text[i]), "c%d", i);
        many[i] = (struct detect_category){.name = text_of(text[i]), .count = 1 + (uint64_t)i % 3};
    }
    struct detect *detector = make("js", 30, 10, 0.001, NAN);
    struct detect_verdict verdict;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(detect_add_categories(detector, many, 300, &verdict), 0);
        ck_assert_int_eq(verdict.state, DETECT_NONE);
    }
    ck_assert_double_le(verdict.statistic, 1e-9);
    ck_assert_uint_lt(detect_bytes(detector), 40000);
    detect_destroy(&detector);
}
END_TEST

/* Other edges, the same distribution: spread over the grid of the first histogram they say the same. */
START_TEST(edges_may_differ)
{
    double fine[] = {0, 0.5, 1, 1.5, 2, 2.5, 3}, coarse[] = {0, 1, 2, 3};
    uint64_t six[] = {10, 10, 20, 20, 10, 10}, three[] = {20, 40, 20};
    struct detect *detector = make("wasserstein", 20, 10, NAN, 0.001);
    struct detect_verdict verdict = {0};
    for (int i = 0; i < 30; i++)
        ck_assert_int_eq(i % 2 ? detect_add_histogram(detector, coarse, three, 3, &verdict)
                               : detect_add_histogram(detector, fine, six, 6, &verdict),
                         0);
    ck_assert_double_le(verdict.statistic, 1e-9);
    detect_destroy(&detector);
}
END_TEST

START_TEST(counts_outside_of_the_grid_count)
{
    double edges[] = {0, 1, 2}, beyond[] = {5, 6, 7};
    uint64_t counts[] = {10, 10};
    struct detect *detector = make("ks", 20, 10, NAN, 0.5);
    struct detect_verdict verdict = {0};
    for (int i = 0; i < 30; i++)
        ck_assert_int_eq(detect_add_histogram(detector, i < 20 ? edges : beyond, counts, 2, &verdict), 0);
    ck_assert_int_eq(verdict.state, DETECT_DRIFT);
    ck_assert_double_eq_tol(verdict.statistic, 1, 1e-9);
    detect_destroy(&detector);
}
END_TEST

START_TEST(empty_events_are_not_taken)
{
    double edges[] = {0, 1, 2};
    uint64_t nothing[] = {0, 0}, something[] = {3, 4};
    struct detect_category none = {text_of("cat"), 0};
    struct detect *detector = make("psi", 20, 5, NAN, 0.5);
    struct detect_verdict verdict;
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(detect_add_histogram(detector, edges, nothing, 2, &verdict), 0);
        ck_assert_uint_eq(verdict.n, 0);
    }
    ck_assert_int_eq(detect_add_histogram(detector, edges, something, 2, &verdict), 0);
    ck_assert_uint_eq(verdict.n, 1);
    ck_assert_int_eq(detect_add_histogram(detector, edges, nothing, 0, &verdict), 0);
    ck_assert_uint_eq(verdict.n, 1);
    detect_reset(detector);
    ck_assert_int_eq(detect_add_categories(detector, &none, 1, &verdict), 0);
    ck_assert_int_eq(detect_add_categories(detector, &none, 0, &verdict), 0);
    ck_assert_uint_eq(verdict.n, 0);
    detect_destroy(&detector);
}
END_TEST

START_TEST(kinds_are_not_mixed)
{
    double edges[] = {0, 1, 2};
    uint64_t counts[] = {3, 4};
    struct detect_category category = {text_of("cat"), 2};
    struct detect *detector = make("psi", 20, 5, NAN, 0.5), *other = NULL;
    struct detect_verdict verdict = {0};
    detect_add(detector, 1);
    ck_assert_int_eq(detect_add_histogram(detector, edges, counts, 2, &verdict), -EINVAL);
    detect_reset(detector);
    ck_assert_int_eq(detect_add_histogram(detector, edges, counts, 2, &verdict), 0);
    ck_assert_int_eq(detect_add_categories(detector, &category, 1, &verdict), -EINVAL);
    ck_assert_int_eq(detect_new(&other, "cusum", NULL), 0);
    ck_assert_int_eq(detect_add_histogram(other, edges, counts, 2, &verdict), -ENOTSUP);
    ck_assert_int_eq(detect_add_categories(other, &category, 1, &verdict), -ENOTSUP);
    detect_destroy(&detector);
    detect_destroy(&other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("detect_distance");
    TCase *values = tcase_create("values");
    tcase_set_timeout(values, 60);
    tcase_add_loop_test(values, distances_are_those_of_scipy, 0, COUNT(distances));
    tcase_add_loop_test(values, what_hangs_together_keeps_the_promise, 0, COUNT(names));
    tcase_add_loop_test(values, another_promise_is_kept_at_once, 0, COUNT(names));
    tcase_add_loop_test(values, thresholds_are_those_of_permutations, 0, COUNT(distances));
    suite_add_tcase(suite, values);
    TCase *cells = tcase_create("cells");
    tcase_set_timeout(cells, 60);
    tcase_add_loop_test(cells, categories_are_compared, 0, COUNT(category_distances));
    tcase_add_loop_test(cells, histograms_are_compared, 0, COUNT(histogram_distances));
    tcase_add_loop_test(cells, a_shifted_histogram_is_found, 0, COUNT(names));
    tcase_add_loop_test(cells, shifted_categories_are_found, 0, COUNT(names));
    tcase_add_test(cells, a_new_category_is_a_change);
    tcase_add_test(cells, many_categories_are_bounded);
    tcase_add_test(cells, edges_may_differ);
    tcase_add_test(cells, counts_outside_of_the_grid_count);
    tcase_add_test(cells, empty_events_are_not_taken);
    tcase_add_test(cells, kinds_are_not_mixed);
    suite_add_tcase(suite, cells);
    return run_suite(suite);
}

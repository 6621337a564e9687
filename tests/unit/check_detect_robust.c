/* What the world sends: no detector falls silent over it, and none takes rounding for drift. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/detect/detect.h"
#include "tests/run_suite.h"
#include "tests/unit/detect_streams.h"

#define DETECTORS 16
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool of_errors(const char *name)
{
    return strstr(name, "ddm") || strcmp(name, "evidence") == 0;
}

/* The last loop index is robust charts as well: a detector, and whether it is set up as the daemon does. */
static struct detect *make(int index, const char **name)
{
    static const char *const fitted[] = {"cusum", "ewma", "shewhart"};
    struct detect_params params;
    struct detect *detector = NULL;
    bool fit = index >= DETECTORS;
    *name = fit ? fitted[index - DETECTORS] : detect_name((uint32_t)index);
    ck_assert_int_eq(detect_params_init(&params, *name, NULL), 0);
    if (strcmp(*name, "evidence") == 0) {
        ck_assert_int_eq(detect_params_set(&params, "budget", 0.5, NULL), 0);
        ck_assert_int_eq(detect_params_set_text(&params, "direction", text_of("up"), NULL), 0);
    }
    if (fit) {
        ck_assert_int_eq(detect_params_set_text(&params, "prewhiten", text_of("true"), NULL), 0);
        ck_assert_int_eq(detect_params_set_text(&params, "robust", text_of("true"), NULL), 0);
        ck_assert_int_eq(detect_params_set_text(&params, "log", text_of("auto"), NULL), 0);
        ck_assert_int_eq(detect_params_promise(&params, 1e6, NULL), 0);
    }
    ck_assert_int_eq(detect_new(&detector, *name, &params), 0);
    return detector;
}
#define ALL (DETECTORS + 3)

static double usual(struct source *source, const char *name)
{
    return of_errors(name) ? source_uniform(source) < 0.1 : source_normal(source);
}

static double changed(struct source *source, const char *name)
{
    return of_errors(name) ? source_uniform(source) < 0.9 : source_normal(source) + 4;
}

/* Feeds changed values until there is a drift, then usual ones again: who had begun anew just before the change takes
 * that for normal, and the way back for the change. False when there is no drift in `most` of either. */
static bool finds_change(struct detect *detector, struct source *source, const char *name, int most)
{
    for (int i = 0; i < most; i++)
        if (detect_add(detector, changed(source, name)).state == DETECT_DRIFT)
            return true;
    for (int i = 0; i < most; i++)
        if (detect_add(detector, usual(source, name)).state == DETECT_DRIFT)
            return true;
    return false;
}

START_TEST(a_single_value_for_ever_is_no_drift)
{
    static const double constants[] = {0,    1,     0.9,   0.3,    -3,     250,    1e15,
                                       1e16, 1e150, 1e308, -1e308, 5e-324, 1e-310, DBL_MAX};
    for (size_t c = 0; c < COUNT(constants); c++) {
        const char *name;
        struct detect *detector = make(_i, &name);
        /* Always beyond the budget is what evidence is there to tell. */
        double value = strcmp(name, "evidence") == 0 ? fmin(constants[c], 0.3) : constants[c];
        for (int i = 0; i < 3000; i++)
            ck_assert_msg(detect_add(detector, value).state != DETECT_DRIFT, "%s on %g at %d", name, value, i);
        detect_destroy(&detector);
    }
}
END_TEST

START_TEST(jitter_of_rounding_is_no_drift)
{
    static const double levels[] = {0, 1, 0.9, 0.3, 0.5, -2, 250, 1e6};
    for (size_t l = 0; l < COUNT(levels); l++) {
        const char *name;
        struct detect *detector = make(_i, &name);
        struct source source = {.state = 11};
        double level = strcmp(name, "evidence") == 0 ? fmin(levels[l], 0.3) : levels[l];
        for (int i = 0; i < 5000; i++) {
            /* Slow as well as fast, and as large as rounding gets at that level. */
            double jitter = 1e-15 * fmax(1, fabs(level)) * (source_normal(&source) + sin(i / 300.0));
            ck_assert_msg(detect_add(detector, level + jitter).state != DETECT_DRIFT, "%s around %g at %d", name, level,
                          i);
        }
        detect_destroy(&detector);
    }
}
END_TEST

START_TEST(a_constant_that_moves_is_found)
{
    const char *name;
    static const double from[] = {0, 1, 0.25}, to[] = {1, 0, 0.75};
    for (size_t c = 0; c < COUNT(from); c++) {
        struct detect *detector = make(_i, &name);
        bool found = false;
        /* Streams of errors tell of more errors only, and eddm of whole ones. */
        double a = of_errors(name) ? 0 : from[c], b = of_errors(name) ? 1 : to[c];
        for (int i = 0; i < 3000; i++)
            ck_assert_int_ne(detect_add(detector, a).state, DETECT_DRIFT);
        for (int i = 0; i < 1000 && !found; i++)
            found = detect_add(detector, strcmp(name, "eddm") == 0 ? i % 2 : b).state == DETECT_DRIFT;
        /* Page-Hinkley's default threshold is 50 in the metric's unit. */
        ck_assert_msg(found, "%s does not see %g become %g", name, a, b);
        detect_destroy(&detector);
    }
}
END_TEST

static const double monsters[] = {1e308, -1e308, DBL_MAX, 1e30, 5e-324, NAN, INFINITY, -INFINITY};

/* Wherever it strikes: among the first values, in the reference, later. An alarm over it is allowed, silence is not. */
START_TEST(one_monster_silences_nobody)
{
    static const int moments[] = {0, 3, 50, 499, 500, 777, 1499};
    for (size_t m = 0; m < COUNT(monsters); m++) {
        for (size_t k = 0; k < COUNT(moments); k++) {
            const char *name;
            struct detect *detector = make(_i, &name);
            struct source source = {.state = 12};
            for (int i = 0; i < 3000; i++)
                detect_add(detector, i == moments[k] ? monsters[m] : usual(&source, name));
            ck_assert_msg(finds_change(detector, &source, name, 1000), "%s is silent after %g at %d", name, monsters[m],
                          moments[k]);
            detect_destroy(&detector);
        }
    }
}
END_TEST

START_TEST(many_monsters_silence_nobody)
{
    const char *name;
    struct detect *detector = make(_i, &name);
    struct source source = {.state = 13};
    for (int i = 0; i < 3000; i++) {
        double monster = monsters[(int)(source_uniform(&source) * COUNT(monsters))];
        struct detect_verdict verdict =
            detect_add(detector, source_uniform(&source) < 0.05 ? monster : usual(&source, name));
        ck_assert(!(isnan(verdict.statistic) && isfinite(verdict.threshold)));
    }
    for (int i = 0; i < 6000; i++)
        detect_add(detector, usual(&source, name));
    ck_assert_msg(finds_change(detector, &source, name, 1500), "%s is silent", name);
    detect_destroy(&detector);
}
END_TEST

START_TEST(denormals_are_numbers)
{
    const char *name;
    struct detect *detector = make(_i, &name);
    struct source source = {.state = 14};
    for (int i = 0; i < 3000; i++)
        ck_assert_int_ne(detect_add(detector, 5e-324 * (int)(10 * source_uniform(&source))).state, DETECT_DRIFT);
    ck_assert_msg(finds_change(detector, &source, name, 1500), "%s is silent after denormals", name);
    detect_destroy(&detector);
}
END_TEST

START_TEST(histograms_may_be_anything)
{
    static const char *const names[] = {"psi", "js", "chi2", "ks", "wasserstein"};
    double normal[] = {0, 1, 2, 3}, huge[] = {-DBL_MAX, -1e308, 1e308, DBL_MAX}, tiny[] = {0, 5e-324, 1e-323, 1e-310};
    uint64_t counts[] = {10, 20, 10}, large[] = {UINT64_MAX, UINT64_MAX, UINT64_MAX}, shifted[] = {1, 4, 35},
             none[3] = {0};
    for (size_t d = 0; d < COUNT(names); d++) {
        struct detect *detector = NULL;
        struct detect_verdict verdict = {0};
        struct source source = {.state = 15};
        ck_assert_int_eq(detect_new(&detector, names[d], NULL), 0);
        for (int i = 0; i < 2000; i++) {
            double which = source_uniform(&source);
            const double *edges = which < 0.01 ? huge : which < 0.02 ? tiny : normal;
            uint64_t some[] = {counts[0] + (uint64_t)(4 * source_uniform(&source)), counts[1], counts[2]};
            ck_assert_int_eq(detect_add_histogram(detector, edges, which > 0.98 ? none : some, 3, &verdict), 0);
            ck_assert(!(isnan(verdict.statistic) && isfinite(verdict.threshold)));
        }
        bool found = false;
        for (int i = 0; i < 1500; i++) {
            ck_assert_int_eq(detect_add_histogram(detector, normal, shifted, 3, &verdict), 0);
            found = found || verdict.state == DETECT_DRIFT;
        }
        ck_assert_msg(found, "%s is silent", names[d]);
        for (int i = 0; i < 1000; i++)
            ck_assert_int_eq(detect_add_histogram(detector, huge, large, 3, &verdict), 0);
        detect_destroy(&detector);
    }
}
END_TEST

/* A reference that knew no variation: a stray value is not yet a change, many are. */
START_TEST(a_stray_value_in_a_constant_is_no_drift)
{
    static const char *const names[] = {"psi", "js", "chi2", "ks", "wasserstein"};
    for (size_t d = 0; d < COUNT(names); d++) {
        struct detect *detector = NULL;
        ck_assert_int_eq(detect_new(&detector, names[d], NULL), 0);
        for (int i = 0; i < 2900; i++)
            ck_assert_msg(detect_add(detector, i > 500 && i % 100 == 0).state != DETECT_DRIFT, "%s at %d", names[d], i);
        bool found = false;
        for (int i = 0; i < 400; i++)
            found = found || detect_add(detector, i % 10 == 0).state == DETECT_DRIFT;
        ck_assert_msg(found, "%s is silent", names[d]);
        detect_destroy(&detector);
    }
}
END_TEST

/* No minimum while there was no error: the first error is not a drift, a burst is. */
START_TEST(ddm_survives_a_warm_up_without_errors)
{
    struct detect *detector = NULL;
    ck_assert_int_eq(detect_new(&detector, "ddm", NULL), 0);
    for (int i = 0; i < 500; i++)
        ck_assert_int_eq(detect_add(detector, 0).state, DETECT_NONE);
    ck_assert_int_ne(detect_add(detector, 1).state, DETECT_DRIFT);
    for (int i = 0; i < 500; i++)
        ck_assert_int_ne(detect_add(detector, 0).state, DETECT_DRIFT);
    bool found = false;
    for (int i = 0; i < 10; i++)
        found = found || detect_add(detector, 1).state == DETECT_DRIFT;
    ck_assert(found);
    detect_destroy(&detector);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("detect_robust");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, a_single_value_for_ever_is_no_drift, 0, ALL);
    tcase_add_loop_test(all, jitter_of_rounding_is_no_drift, 0, ALL);
    tcase_add_loop_test(all, a_constant_that_moves_is_found, 0, ALL);
    tcase_add_loop_test(all, one_monster_silences_nobody, 0, ALL);
    tcase_add_loop_test(all, many_monsters_silence_nobody, 0, ALL);
    tcase_add_loop_test(all, denormals_are_numbers, 0, ALL);
    tcase_add_test(all, histograms_may_be_anything);
    tcase_add_test(all, a_stray_value_in_a_constant_is_no_drift);
    tcase_add_test(all, ddm_survives_a_warm_up_without_errors);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

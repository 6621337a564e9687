/* What makes a metric fit the theory of charts: seen from outside, by what charts say to streams that do not fit. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/detect/detect.h"
#include "tests/run_suite.h"
#include "tests/unit/detect_streams.h"

static struct detect *make(const char *name, const char *const *options, double promise)
{
    struct detect_params params;
    struct detect *detector = NULL;
    ck_assert_int_eq(detect_params_init(&params, name, NULL), 0);
    for (int i = 0; options && options[i]; i += 2)
        ck_assert_int_eq(detect_params_set_text(&params, options[i], text_of(options[i + 1]), NULL), 0);
    if (promise > 0)
        ck_assert_int_eq(detect_params_promise(&params, promise, NULL), 0);
    ck_assert_int_eq(detect_new(&detector, name, &params), 0);
    return detector;
}

static const char *const fitted[] = {"prewhiten", "true", "robust", "true", "log", "auto", NULL};
static const char *const robust[] = {"robust", "true", NULL};

typedef double draw_fn(struct source *source);

static double draw_dependent(struct source *source)
{
    source->level = 0.8 * source->level + 0.6 * source_normal(source);
    return source->level;
}

static double draw_latency(struct source *source)
{
    return 80 * exp(0.4 * draw_dependent(source));
}

static double draw_right(struct source *source)
{
    return source_uniform(source) < 0.95;
}

static double draw_normal(struct source *source)
{
    return 5 + 2 * source_normal(source);
}

static double alarms_in(struct detect *detector, draw_fn *draw, int events)
{
    struct source source = {.state = 21};
    double alarms = 0;
    for (int i = 0; i < events; i++)
        alarms += detect_add(detector, draw(&source)).state == DETECT_DRIFT;
    return alarms;
}

/* One false alarm in 1000 was asked for: 200 in 200,000, and chance may add three of its deviations. */
static const struct {
    const char *detector;
    draw_fn *draw;
    bool plain_floods; /* without the fit, at least twice as many */
} promises[] = {
    {"cusum", draw_normal, false},   {"ewma", draw_normal, false},     {"shewhart", draw_normal, false},
    {"cusum", draw_dependent, true}, {"ewma", draw_dependent, true},   {"cusum", draw_latency, true},
    {"ewma", draw_latency, true},    {"shewhart", draw_latency, true}, {"cusum", draw_right, true},
    {"ewma", draw_right, true},
};

START_TEST(promises_are_kept_on_what_does_not_fit)
{
    struct detect *detector = make(promises[_i].detector, fitted, 1000),
                  *plain = make(promises[_i].detector, NULL, 1000);
    double alarms = alarms_in(detector, promises[_i].draw, 200000);
    ck_assert_msg(alarms <= 200 + 3 * sqrt(200), "%s, stream %d: %g alarms", promises[_i].detector, _i, alarms);
    ck_assert_msg(alarms >= 20, "%s, stream %d: %g alarms, blind", promises[_i].detector, _i, alarms);
    double flood = alarms_in(plain, promises[_i].draw, 200000);
    ck_assert_msg(!promises[_i].plain_floods || flood > 2 * 200, "%s, stream %d: %g alarms of a plain chart",
                  promises[_i].detector, _i, flood);
    detect_destroy(&detector);
    detect_destroy(&plain);
}
END_TEST

START_TEST(judges_from_a_hundred_values_on)
{
    struct detect *detector = make("cusum", robust, 10000);
    struct source source = {.state = 22};
    double before = INFINITY;
    for (int i = 0; i < 700; i++) {
        struct detect_verdict verdict = detect_add(detector, draw_normal(&source));
        /* 100, 223 and 500 values make a reference; the one that completes it is not judged. */
        bool judged = i >= 100 && i != 222 && i != 499;
        ck_assert_msg((isfinite(verdict.threshold) != 0) == judged, "value %d", i);
        if (!judged)
            continue;
        ck_assert_double_le(verdict.threshold, before);
        before = verdict.threshold;
    }
    detect_destroy(&detector);
}
END_TEST

START_TEST(a_short_reference_is_judged_when_it_is_full)
{
    const char *const options[] = {"reference", "150", NULL};
    struct detect *detector = make("cusum", options, 10000);
    struct source source = {.state = 22};
    for (int i = 0; i < 300; i++)
        ck_assert_int_eq(isfinite(detect_add(detector, draw_normal(&source)).threshold) != 0, i >= 150);
    detect_destroy(&detector);
}
END_TEST

static struct detect_verdict first_alarm(struct detect *detector, draw_fn *draw, double factor, double shift, int from)
{
    struct source source = {.state = 23};
    struct detect_verdict verdict = {0};
    for (int i = 0; i < from + 3000; i++) {
        double value = draw(&source);
        verdict = detect_add(detector, i >= from ? value * factor + shift : value);
        ck_assert(i >= from || verdict.state == DETECT_NONE);
        if (verdict.state == DETECT_DRIFT)
            break;
    }
    ck_assert_int_eq(verdict.state, DETECT_DRIFT);
    return verdict;
}

START_TEST(sizes_are_in_the_unit_of_the_metric)
{
    struct detect *detector = make("cusum", fitted, 1e6);
    struct detect_verdict verdict = first_alarm(detector, draw_normal, 1, -4, 1000);
    ck_assert_double_lt(fabs(verdict.size + 4), 2);
    ck_assert_double_lt(fabs((double)verdict.changed_at - 1000), 4);
    ck_assert_double_le(verdict.lower, -3);
    ck_assert_double_ge(verdict.upper, -5);
    detect_destroy(&detector);
    /* An AR(1) leaves a third of the shift in its residuals, and it is the shift that is told. */
    detector = make("cusum", fitted, 1e6);
    verdict = first_alarm(detector, draw_dependent, 1, 2, 1000);
    ck_assert_double_gt(verdict.upper, 1.5);
    ck_assert_double_lt(verdict.lower, 2.5);
    detect_destroy(&detector);
    /* In logarithms a factor is a shift: half as much again on a level of 80. */
    detector = make("cusum", fitted, 1e6);
    verdict = first_alarm(detector, draw_latency, 1.8, 0, 1000);
    ck_assert_double_gt(verdict.upper, 50);
    ck_assert_double_lt(verdict.lower, 80);
    ck_assert_double_gt(verdict.size, 20);
    detect_destroy(&detector);
}
END_TEST

/* One value in twenty of the reference is far out: the plain deviation swells fivefold, the robust one does not. */
static double draw_contaminated(struct source *source)
{
    double which = source_uniform(source), value = source_normal(source);
    return which < 0.05 ? value + 25 * (which < 0.025 ? 1 : -1) : value;
}

START_TEST(outliers_do_not_own_the_reference)
{
    struct detect *fit = make("cusum", robust, 10000), *plain = make("cusum", NULL, 10000);
    struct source source = {.state = 24};
    int found_fit = -1, found_plain = -1;
    for (int i = 0; i < 500; i++) {
        double value = draw_contaminated(&source);
        ck_assert_int_eq(detect_add(fit, value).state, DETECT_NONE);
        detect_add(plain, value);
    }
    for (int i = 0; i < 300; i++) {
        double value = source_normal(&source) + 1.5;
        if (detect_add(fit, value).state == DETECT_DRIFT && found_fit < 0)
            found_fit = i;
        if (detect_add(plain, value).state == DETECT_DRIFT && found_plain < 0)
            found_plain = i;
    }
    ck_assert_int_ge(found_fit, 0);
    ck_assert_int_lt(found_fit, 40);
    ck_assert(found_plain < 0 || found_plain > 3 * found_fit);
    detect_destroy(&fit);
    detect_destroy(&plain);
}
END_TEST

START_TEST(single_residuals_are_cut_off)
{
    struct detect *fit = make("cusum", robust, 10000), *plain = make("cusum", NULL, 10000),
                  *shewhart = make("shewhart", robust, 10000);
    struct source source = {.state = 25};
    for (int i = 0; i < 600; i++) {
        double value = source_normal(&source);
        detect_add(fit, value);
        detect_add(plain, value);
        detect_add(shewhart, value);
    }
    ck_assert_int_eq(detect_add(fit, 1000).state, DETECT_NONE);
    ck_assert_int_eq(detect_add(plain, 1000).state, DETECT_DRIFT);
    ck_assert_int_eq(detect_add(shewhart, 1000).state, DETECT_DRIFT); /* it lives on single values */
    detect_destroy(&fit);
    detect_destroy(&plain);
    detect_destroy(&shewhart);
}
END_TEST

START_TEST(zeros_and_negatives_have_logarithms_too)
{
    const char *const options[] = {"log", "on", "robust", "true", NULL};
    struct detect *detector = make("cusum", options, 10000);
    struct source source = {.state = 26};
    for (int i = 0; i < 1000; i++) {
        double value = i % 50 == 7 ? (i % 100 == 7 ? 0 : -3) : 80 * exp(0.3 * source_normal(&source));
        ck_assert_int_eq(detect_add(detector, value).state, DETECT_NONE);
    }
    bool found = false;
    for (int i = 0; i < 100; i++)
        found = found || detect_add(detector, 160 * exp(0.3 * source_normal(&source))).state == DETECT_DRIFT;
    ck_assert(found);
    detect_destroy(&detector);
}
END_TEST

/* How often a fitted chart takes a metric in logarithms: of 40 references of 500 values. */
static int taken_in_logarithms(draw_fn *draw)
{
    struct detect *detector = make("shewhart", fitted, 1e6);
    int logs = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct source source = {.state = 300 + seed};
        struct detect_reference reference;
        detect_reset(detector);
        for (int i = 0; i < 500; i++)
            detect_add(detector, draw(&source));
        ck_assert_int_eq(detect_reference(detector, &reference), 0);
        ck_assert_uint_eq(reference.collected, 500);
        logs += reference.logs;
    }
    detect_destroy(&detector);
    return logs;
}

static double draw_skewed_a_little(struct source *source)
{
    return 20 * exp(0.2 * source_normal(source));
}

static double draw_wide(struct source *source)
{
    return 100 + 20 * source_normal(source);
}

/* A chart that lives on the far tail cannot afford to take a little skew for none. */
START_TEST(skew_decides_on_logarithms)
{
    ck_assert_int_ge(taken_in_logarithms(draw_skewed_a_little), 38);
    ck_assert_int_ge(taken_in_logarithms(draw_latency), 38);
    ck_assert_int_le(taken_in_logarithms(draw_wide), 3);
    ck_assert_int_eq(taken_in_logarithms(draw_dependent), 0); /* it is not positive */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("detect_reference");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, promises_are_kept_on_what_does_not_fit, 0, sizeof(promises) / sizeof(promises[0]));
    tcase_add_test(all, judges_from_a_hundred_values_on);
    tcase_add_test(all, a_short_reference_is_judged_when_it_is_full);
    tcase_add_test(all, sizes_are_in_the_unit_of_the_metric);
    tcase_add_test(all, outliers_do_not_own_the_reference);
    tcase_add_test(all, single_residuals_are_cut_off);
    tcase_add_test(all, zeros_and_negatives_have_logarithms_too);
    tcase_add_test(all, skew_decides_on_logarithms);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

/* What every detector promises of its parameters: names, defaults, limits, and the promise of a run length. */
#include "tests/run_suite.h"
#include "tests/unit/detect_case.h"

/* The table of spec/detection.md: names and defaults. */
static const struct {
    const char *detector, *name;
    double fallback; /* NAN: none */
} defaults[] = {
    {"cusum", "mean", NAN},
    {"cusum", "sd", NAN},
    {"cusum", "reference", 500},
    {"cusum", "k", 0.5},
    {"cusum", "h", 5},
    {"cusum", "head_start", 0},
    {"cusum", "direction", DETECT_BOTH},
    {"ewma", "mean", NAN},
    {"ewma", "sd", NAN},
    {"ewma", "reference", 500},
    {"ewma", "lambda", 0.1},
    {"ewma", "L", 2.814},
    {"ewma", "direction", DETECT_BOTH},
    {"shewhart", "mean", NAN},
    {"shewhart", "sd", NAN},
    {"shewhart", "reference", 500},
    {"shewhart", "L", 3},
    {"shewhart", "direction", DETECT_BOTH},
    {"page_hinkley", "min_instances", 30},
    {"page_hinkley", "delta", 0.005},
    {"page_hinkley", "threshold", 50},
    {"page_hinkley", "alpha", 0.9999},
    {"page_hinkley", "direction", DETECT_BOTH},
    {"adwin", "delta", 0.002},
    {"adwin", "clock", 32},
    {"adwin", "max_buckets", 5},
    {"adwin", "min_window_length", 5},
    {"adwin", "grace_period", 10},
    {"ddm", "warm_start", 30},
    {"ddm", "warning_threshold", 2},
    {"ddm", "drift_threshold", 3},
    {"eddm", "warm_start", 30},
    {"eddm", "alpha", 0.95},
    {"eddm", "beta", 0.9},
    {"hddm_a", "drift_confidence", 0.001},
    {"hddm_a", "warning_confidence", 0.005},
    {"hddm_a", "two_sided", 0},
    {"hddm_w", "drift_confidence", 0.001},
    {"hddm_w", "warning_confidence", 0.005},
    {"hddm_w", "two_sided", 0},
    {"hddm_w", "lambda", 0.05},
    {"kswin", "alpha", 0.005},
    {"kswin", "window_size", 100},
    {"kswin", "stat_size", 30},
    {"evidence", "budget", NAN},
    {"evidence", "alpha", 0.001},
    {"evidence", "direction", DETECT_DOWN},
    {"evidence", "low", 0},
    {"evidence", "high", 1},
    {"psi", "reference", 500},
    {"psi", "window", 200},
    {"psi", "bins", 10},
    {"psi", "alpha", 0.001},
    {"psi", "threshold", NAN},
    {"js", "bins", 10},
    {"chi2", "bins", 10},
    {"ks", "reference", 500},
    {"ks", "window", 200},
    {"ks", "alpha", 0.001},
    {"ks", "threshold", NAN},
    {"wasserstein", "window", 200},
    {"wasserstein", "threshold", NAN},
};

START_TEST(names_and_defaults_are_those_of_the_specification)
{
    int count = 0;
    while (detect_name((uint32_t)count))
        count++;
    ck_assert_int_eq(count, DETECTORS);
    for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++) {
        struct detect_params params;
        ck_assert_int_eq(detect_params_init(&params, defaults[i].detector, NULL), 0);
        double got = detect_params_get(&params, defaults[i].name);
        ck_assert_msg(got == defaults[i].fallback || (isnan(got) && isnan(defaults[i].fallback)), "%s %s: %g",
                      defaults[i].detector, defaults[i].name, got);
        bool known = false;
        for (uint32_t k = 0; detect_param(defaults[i].detector, k); k++)
            known = known || strcmp(detect_param(defaults[i].detector, k)->name, defaults[i].name) == 0;
        ck_assert(known);
    }
}
END_TEST

START_TEST(errors_name_what_is_allowed)
{
    struct detect_params params;
    struct detect_error error;
    ck_assert_int_eq(detect_params_init(&params, "kusum", &error), -ENOENT);
    ck_assert_ptr_nonnull(strstr(error.text, "page_hinkley"));
    ck_assert_int_eq(detect_params_init(&params, "cusum", &error), 0);
    ck_assert_int_eq(detect_params_set(&params, "kk", 1, &error), -ENOENT);
    ck_assert_ptr_nonnull(strstr(error.text, "head_start"));
    ck_assert_int_eq(detect_params_set(&params, "h", 0, &error), -EDOM);
    ck_assert_str_eq(error.text, "h: 0 is not allowed; it takes a number above 0 and at most 100");
    ck_assert_int_eq(detect_params_set(&params, "h", NAN, &error), -EDOM);
    ck_assert_int_eq(detect_params_set(&params, "h", INFINITY, &error), -EDOM);
    ck_assert_int_eq(detect_params_set(&params, "reference", 50.5, &error), -EDOM);
    ck_assert_ptr_nonnull(strstr(error.text, "whole number from 10"));
    ck_assert_int_eq(detect_params_set_text(&params, "direction", text_of("left"), &error), -EDOM);
    ck_assert_str_eq(error.text, "direction: left is not allowed; it takes one of both/up/down");
    ck_assert_int_eq(detect_params_set_text(&params, "prewhiten", text_of("yes"), &error), -EDOM);
    ck_assert_str_eq(error.text, "prewhiten: yes is not allowed; it takes true or false");
    ck_assert_int_eq(detect_params_set_text(&params, "k", text_of("0.5x"), NULL), -EDOM);
    ck_assert_int_eq(detect_params_set_text(&params, "k", text_of(""), NULL), -EDOM);
    ck_assert_int_eq(detect_params_set_text(&params, "k", text_of("nan"), NULL), -EDOM);
    ck_assert_int_eq(detect_params_set_text(&params, "k", text_of("inf"), NULL), -EDOM);
    ck_assert_int_eq(detect_params_set_text(&params, "k", text_of("0x1"), NULL), -EDOM);
    ck_assert_int_eq(detect_params_set_text(&params, "k", text_of("1e400"), NULL), -EDOM);
    char long_text[300];
    memset(long_text, '1', sizeof(long_text));
    ck_assert_int_eq(detect_params_set_text(&params, "k", (struct text){long_text, sizeof(long_text)}, &error), -EDOM);
    ck_assert_double_eq(detect_params_get(&params, "k"), 0.5);
    ck_assert_int_eq(detect_params_set_text(&params, "k", (struct text){"0.75rest", 4}, NULL), 0);
    ck_assert_double_eq(detect_params_get(&params, "k"), 0.75);
    ck_assert_int_eq(detect_params_set_text(&params, "direction", text_of("down"), NULL), 0);
    ck_assert_double_eq(detect_params_get(&params, "direction"), DETECT_DOWN);
    ck_assert(isnan(detect_params_get(&params, "nothing")));
}
END_TEST

START_TEST(parameters_are_checked_together)
{
    struct detect_params params;
    struct detect_error error = {""};
    struct detect *detector = (struct detect *)&error;
    ck_assert_int_eq(detect_params_init(&params, "cusum", NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "mean", 1, NULL), 0);
    ck_assert_int_eq(detect_params_check(&params, &error), -EDOM);
    ck_assert_ptr_nonnull(strstr(error.text, "mean and sd"));
    ck_assert_int_eq(detect_new(&detector, "cusum", &params), -EDOM);
    ck_assert_ptr_null(detector);
    ck_assert_int_eq(detect_params_init(&params, "evidence", NULL), 0);
    ck_assert_int_eq(detect_params_check(&params, &error), -EDOM);
    static const double edges[] = {0, 1, -1, 2};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(detect_params_set(&params, "budget", edges[i], NULL), 0);
        ck_assert_int_eq(detect_params_check(&params, &error), -EDOM);
    }
    ck_assert_int_eq(detect_params_set_text(&params, "direction", text_of("both"), &error), -EDOM);
    ck_assert_str_eq(error.text, "direction: both is not allowed; it takes one of up/down");
    ck_assert_int_eq(detect_params_init(&params, "eddm", NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "beta", 0.96, NULL), 0);
    ck_assert_int_eq(detect_params_check(&params, NULL), -EDOM);
    ck_assert_int_eq(detect_params_init(&params, "kswin", NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "stat_size", 99, NULL), 0);
    ck_assert_int_eq(detect_params_check(&params, NULL), -EDOM);
    ck_assert_int_eq(detect_new(&detector, "adwin", &params), -EINVAL);
    ck_assert_int_eq(detect_new(&detector, "nobody", NULL), -ENOENT);
}
END_TEST

START_TEST(who_can_promise_does)
{
    const char *name = detect_name((uint32_t)_i);
    bool promises = strstr("evidence cusum ewma shewhart psi ks js wasserstein chi2", name) != NULL;
    struct detect_params params;
    struct detect_error error = {""};
    init(&params, name);
    ck_assert_int_eq(detect_params_promise(&params, 10000, &error), promises ? 0 : -ENOTSUP);
    if (!promises) {
        ck_assert_ptr_nonnull(strstr(error.text, "cannot promise"));
        return;
    }
    ck_assert_double_eq(params.promise, 10000);
    ck_assert_int_eq(detect_params_promise(&params, 1, &error), -ERANGE);
    ck_assert_int_eq(detect_params_promise(&params, 1e13, &error), -ERANGE);
    ck_assert_int_eq(detect_params_promise(&params, 1e9, &error), 0);
    bool distance = detect_params_get(&params, "window") == 200;
    ck_assert(params.approximate == distance);
    ck_assert_int_eq(detect_params_set(&params,
                                       distance                   ? "alpha"
                                       : strcmp(name, "evidence") ? "reference"
                                                                  : "alpha",
                                       distance || strcmp(name, "evidence") == 0 ? 0.01 : 100, NULL),
                     0);
    ck_assert_double_eq(params.promise, 0); /* what it was made for has changed */
}
END_TEST

/* Limits as the oracle of run lengths has them: see check_calibrate. */
START_TEST(a_promise_sets_the_limits)
{
    struct detect_params params;
    ck_assert_int_eq(detect_params_init(&params, "cusum", NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "mean", 0, NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "sd", 1, NULL), 0);
    ck_assert_int_eq(detect_params_promise(&params, 10000, NULL), 0);
    ck_assert_uint_eq(params.stages, 1);
    ck_assert_double_eq_tol(params.stage[0].limit[0], 8.053, 0.001);
    ck_assert(isinf(params.stage[0].cut));
    ck_assert_int_eq(detect_params_set_text(&params, "robust", text_of("true"), NULL), 0);
    ck_assert_int_eq(detect_params_promise(&params, 10000, NULL), 0);
    ck_assert_double_eq_tol(params.stage[0].cut, 3.697, 0.04);
    ck_assert_int_eq(detect_params_init(&params, "ewma", NULL), 0);
    ck_assert_int_eq(detect_params_promise(&params, 10000, NULL), 0);
    ck_assert_uint_eq(params.stages, 3);
    ck_assert_uint_eq(params.stage[0].values, 100);
    ck_assert_uint_eq(params.stage[2].values, 500);
    ck_assert_double_gt(params.stage[0].limit[0], params.stage[1].limit[0]);
    ck_assert_double_gt(params.stage[1].limit[0], params.stage[2].limit[0]);
    ck_assert_double_gt(params.stage[2].limit[0], 3.749);
}
END_TEST

START_TEST(charts_show_what_they_are)
{
    struct detect_params params;
    struct chart chart;
    double length;
    ck_assert_int_eq(detect_params_init(&params, "cusum", NULL), 0);
    ck_assert_int_eq(detect_params_chart(&params, &chart), 0);
    ck_assert_int_eq(chart_run_length(&chart, 0, 1, &length), 0);
    ck_assert_double_eq_tol(length, 465.4, 0.1);
    ck_assert_int_eq(detect_params_set(&params, "mean", 0, NULL), 0);
    ck_assert_int_eq(detect_params_set(&params, "sd", 1, NULL), 0);
    ck_assert_int_eq(detect_params_set_text(&params, "direction", text_of("down"), NULL), 0);
    ck_assert_int_eq(detect_params_promise(&params, 10000, NULL), 0);
    ck_assert_int_eq(detect_params_chart(&params, &chart), 0);
    ck_assert_int_eq(chart_run_length(&chart, 1, 1, &length), 0);
    ck_assert_double_eq_tol(length, 15, 0.5);
    ck_assert_int_eq(detect_params_init(&params, "adwin", NULL), 0);
    ck_assert_int_eq(detect_params_chart(&params, &chart), -ENOTSUP);
}
END_TEST

START_TEST(references_show_what_they_found)
{
    struct detect_params params;
    struct detect_reference reference;
    struct detect *detector = NULL, *adwin = make("adwin");
    ck_assert_int_eq(detect_params_init(&params, "ewma", NULL), 0);
    ck_assert_int_eq(detect_params_set_text(&params, "prewhiten", text_of("true"), NULL), 0);
    ck_assert_int_eq(detect_new(&detector, "ewma", &params), 0);
    const struct stream *stream = stream_find("dependent");
    struct source source = stream_source(stream);
    double values[500], mean = 0, along = 0, squares = 0;
    for (int i = 0; i < 500; i++)
        mean += (values[i] = stream->draw(&source, i)) / 500;
    for (int i = 0; i < 500; i++) {
        squares += (values[i] - mean) * (values[i] - mean);
        along += i > 0 ? (values[i] - mean) * (values[i - 1] - mean) : 0;
    }
    double phi = along / squares + (1 + 3 * along / squares) / 500; /* Kendall 1954 */
    for (int i = 0; i < 499; i++)
        detect_add(detector, values[i]);
    ck_assert_int_eq(detect_reference(detector, &reference), 0);
    ck_assert_uint_eq(reference.collected, 499);
    ck_assert(!reference.judging);
    detect_add(detector, values[499]);
    ck_assert_int_eq(detect_reference(detector, &reference), 0);
    ck_assert(reference.judging);
    ck_assert_double_eq_tol(reference.phi, phi, 1e-12);
    ck_assert_double_eq_tol(reference.sd, 0.6, 0.06);
    ck_assert_double_eq_tol(reference.level, 0, 0.4);
    ck_assert_double_eq_tol(reference.limit, 2.814, 1e-12);
    ck_assert_int_eq(detect_reference(adwin, &reference), -ENOTSUP);
    detect_destroy(&detector);
    detect_destroy(&adwin);
}
END_TEST

/* However long it stays what it was: the change begins with the value that is another. */
START_TEST(a_constant_begins_to_change_when_it_does)
{
    static const char *const charts[] = {"cusum", "ewma", "shewhart"};
    struct detect *detector = make(charts[_i]);
    for (int i = 0; i < 3000; i++)
        ck_assert_int_eq(detect_add(detector, 0.7).state, DETECT_NONE);
    const struct detect_verdict verdict = detect_add(detector, 0.6);
    ck_assert_int_eq(verdict.state, DETECT_DRIFT);
    ck_assert_uint_eq(verdict.changed_at, 3000);
    ck_assert_double_eq_tol(verdict.size, -0.1, 1e-12);
    detect_destroy(&detector);
}
END_TEST

START_TEST(thresholds_are_retuned_without_forgetting)
{
    struct detect_params params, later;
    struct detect *detector = NULL;
    ck_assert_int_eq(detect_params_init(&params, "cusum", NULL), 0);
    ck_assert_int_eq(detect_params_promise(&params, 1000, NULL), 0);
    later = params;
    ck_assert_int_eq(detect_new(&detector, "cusum", &params), 0);
    const struct stream *stream = stream_find("steady");
    struct source source = stream_source(stream);
    struct detect_verdict verdict = {0};
    for (int i = 0; i < 620; i++)
        verdict = detect_add(detector, stream->draw(&source, i));
    ck_assert_double_eq_tol(verdict.threshold, params.stage[2].limit[0], 1e-12);
    ck_assert_int_eq(detect_params_promise(&later, 100000, NULL), 0);
    ck_assert_int_eq(detect_retune(detector, &later), 0);
    double statistic = verdict.statistic;
    verdict = detect_add(detector, 0);
    ck_assert_double_eq_tol(verdict.threshold, later.stage[2].limit[0], 1e-12);
    ck_assert_double_le(fabs(verdict.statistic - statistic), 2);
    ck_assert_uint_eq(verdict.n, 621);
    ck_assert_int_eq(detect_params_set(&later, "k", 0.25, NULL), 0);
    ck_assert_int_eq(detect_retune(detector, &later), -EINVAL);
    detect_destroy(&detector);
}
END_TEST

/* A rule takes the promise for the rate that it measures, whatever it began with: from a small budget to a large one
 * and back, at any number of values. Where a hundred values cannot keep a promise nothing is judged by them. */
START_TEST(every_promise_can_follow_every_other)
{
    static const double events[] = {25920, 2.592e9, 2.592e6, 1e4, 2.592e8};
    const uint32_t count = sizeof events / sizeof *events;
    for (uint32_t d = 0; detect_name(d); d++) {
        struct detect_params params[sizeof events / sizeof *events];
        for (uint32_t i = 0; i < count; i++) {
            ck_assert_int_eq(detect_params_init(&params[i], detect_name(d), NULL), 0);
            detect_params_set_text(&params[i], "prewhiten", text_of("true"), NULL);
            detect_params_set_text(&params[i], "robust", text_of("true"), NULL);
            detect_params_set(&params[i], "budget", 0.2, NULL);
            int rc = detect_params_promise(&params[i], events[i], NULL);
            ck_assert_msg(rc == 0 || rc == -ENOTSUP, "%s: %g", detect_name(d), events[i]);
        }
        if (params[0].promise <= 0)
            continue;
        struct detect *detector = NULL;
        ck_assert_int_eq(detect_new(&detector, detect_name(d), &params[1]), 0);
        const struct stream *stream = stream_find("steady");
        struct source source = stream_source(stream);
        for (uint32_t i = 0; i < 1500; i++) {
            if (i % 37 == 36)
                ck_assert_int_eq(detect_retune(detector, &params[i / 37 % count]), 0);
            double value = 0.5 + 0.05 * stream->draw(&source, (int)i);
            ck_assert_msg(detect_add(detector, value).state != DETECT_DRIFT, "%s: value %u", detect_name(d), i);
        }
        detect_destroy(&detector);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("detect");
    TCase *params = tcase_create("params");
    tcase_set_timeout(params, 60);
    tcase_add_test(params, names_and_defaults_are_those_of_the_specification);
    tcase_add_test(params, errors_name_what_is_allowed);
    tcase_add_test(params, parameters_are_checked_together);
    tcase_add_loop_test(params, a_constant_begins_to_change_when_it_does, 0, 3);
    tcase_add_loop_test(params, who_can_promise_does, 0, DETECTORS);
    tcase_add_test(params, a_promise_sets_the_limits);
    tcase_add_test(params, charts_show_what_they_are);
    tcase_add_test(params, references_show_what_they_found);
    tcase_add_test(params, thresholds_are_retuned_without_forgetting);
    tcase_add_test(params, every_promise_can_follow_every_other);
    suite_add_tcase(suite, params);
    TCase *instances = tcase_create("instances");
    tcase_set_timeout(instances, 120);
    suite_add_tcase(suite, instances);
    return run_suite(suite);
}

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/calibrate/chart.h"
#include "lib/detect/detect.h"
#include "tests/run_suite.h"
#include "tests/unit/detect_streams.h"

#define DETECTORS 16

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

static void init(struct detect_params *params, const char *name)
{
    ck_assert_int_eq(detect_params_init(params, name, NULL), 0);
    if (strcmp(name, "evidence") == 0)
        ck_assert_int_eq(detect_params_set(params, "budget", 0.3, NULL), 0);
}

static struct detect *make(const char *name)
{
    struct detect_params params;
    struct detect *detector = NULL;
    init(&params, name);
    ck_assert_int_eq(detect_new(&detector, name, &params), 0);
    return detector;
}

static bool of_errors(const char *name)
{
    return strstr(name, "ddm") || strcmp(name, "evidence") == 0;
}

static bool same(struct detect_verdict a, struct detect_verdict b)
{
    double of_a[] = {a.statistic, a.threshold, a.size, a.lower, a.upper};
    double of_b[] = {b.statistic, b.threshold, b.size, b.lower, b.upper};
    for (int i = 0; i < 5; i++)
        if (memcmp(&of_a[i], &of_b[i], sizeof(double)) != 0 && !(isnan(of_a[i]) && isnan(of_b[i])))
            return false;
    return a.state == b.state && a.n == b.n && a.changed_at == b.changed_at;
}

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

/* A file that a daemon wrote goes on bit for bit, at any moment of the stream. */
START_TEST(a_saved_state_goes_on_bit_for_bit)
{
    static const int moments[] = {0, 1, 37, 99, 100, 101, 224, 499, 500, 640, 1511, 1700};
    const char *name = detect_name((uint32_t)_i);
    const struct stream *stream = stream_find(of_errors(name) ? "errors" : "step");
    for (size_t moment = 0; moment < sizeof(moments) / sizeof(moments[0]); moment++) {
        struct source source = stream_source(stream);
        struct detect *whole = make(name), *loaded = make(name);
        for (int i = 0; i < moments[moment]; i++)
            detect_add(whole, stream->draw(&source, i));
        /* What the other has seen must not matter. */
        for (int i = 0; i < 700; i++)
            detect_add(loaded, i % 7 * 0.125);
        size_t size = detect_save(whole, NULL, 0);
        uint8_t *buffer = malloc(size);
        ck_assert_uint_eq(detect_save(whole, buffer, size), size);
        ck_assert_int_eq(detect_load(loaded, buffer, size), 0);
        for (int i = moments[moment]; i < STREAM_LENGTH; i++) {
            double value = stream->draw(&source, i);
            ck_assert_msg(same(detect_add(whole, value), detect_add(loaded, value)), "%s saved at %d differs at %d",
                          name, moments[moment], i);
        }
        ck_assert_uint_eq(detect_clipped(whole), detect_clipped(loaded));
        free(buffer);
        detect_destroy(&whole);
        detect_destroy(&loaded);
    }
}
END_TEST

START_TEST(distributions_are_saved_as_well)
{
    double edges[] = {0, 1, 2, 3, 4};
    uint64_t counts[4];
    for (int moment = 10; moment <= 50; moment += 20) {
        struct detect_params params;
        struct detect *whole = NULL, *loaded = NULL;
        struct source source = {.state = 3};
        ck_assert_int_eq(detect_params_init(&params, "ks", NULL), 0);
        ck_assert_int_eq(detect_params_set(&params, "reference", 40, NULL), 0);
        ck_assert_int_eq(detect_params_set(&params, "window", 15, NULL), 0);
        ck_assert_int_eq(detect_new(&whole, "ks", &params), 0);
        ck_assert_int_eq(detect_new(&loaded, "ks", &params), 0);
        for (int i = 0; i < 200; i++) {
            struct detect_verdict a, b;
            for (int k = 0; k < 4; k++)
                counts[k] = (uint64_t)(20 * source_uniform(&source)) + (i > 150 && k == 3 ? 40 : 0);
            ck_assert_int_eq(detect_add_histogram(whole, edges, counts, 4, &a), 0);
            if (i == moment) {
                uint8_t buffer[65536];
                size_t size = detect_save(whole, buffer, sizeof(buffer));
                ck_assert_uint_le(size, sizeof(buffer));
                ck_assert_int_eq(detect_load(loaded, buffer, size), 0);
            }
            if (i > moment) {
                ck_assert_int_eq(detect_add_histogram(loaded, edges, counts, 4, &b), 0);
                ck_assert(same(a, b));
            }
        }
        detect_destroy(&whole);
        detect_destroy(&loaded);
    }
}
END_TEST

START_TEST(a_damaged_state_is_refused)
{
    const char *name = detect_name((uint32_t)_i);
    const struct stream *stream = stream_find(of_errors(name) ? "errors" : "step");
    struct source source = stream_source(stream);
    struct detect *detector = make(name), *other = make(name), *fresh = make(name);
    for (int i = 0; i < 620; i++)
        detect_add(detector, stream->draw(&source, i));
    uint8_t good[65536], bad[65536];
    size_t size = detect_save(detector, good, sizeof(good));
    ck_assert_uint_le(size, sizeof(good));
    for (size_t cut = 0; cut < size; cut += cut < 80 ? 1 : 61)
        ck_assert_int_ne(detect_load(other, good, cut), 0);
    memcpy(bad, good, size);
    ck_assert_int_eq(detect_load(other, bad, size + 1), -EPROTO);
    bad[0] ^= 1;
    ck_assert_int_eq(detect_load(other, bad, size), -EPROTO);
    bad[0] ^= 1;
    bad[4] = 2; /* another version */
    ck_assert_int_eq(detect_load(other, bad, size), -EPROTO);
    memcpy(bad, good, size);
    bad[9] ^= 1; /* the name */
    ck_assert_int_eq(detect_load(other, bad, size), -EINVAL);
    /* Any other byte: it loads or it does not, and goes on without touching what is not its own. */
    for (size_t at = 0; at < size; at++) {
        memcpy(bad, good, size);
        bad[at] ^= (uint8_t)(1 + at % 255);
        detect_load(other, bad, size);
        for (int i = 0; i < 210; i++)
            detect_add(other, (i * 37) % 11 * 0.1);
    }
    /* Having failed, it has forgotten everything. */
    ck_assert_int_ne(detect_load(other, good, size - 1), 0);
    for (int i = 0; i < 700; i++)
        ck_assert(same(detect_add(other, i % 5 * 0.1), detect_add(fresh, i % 5 * 0.1)));
    detect_destroy(&detector);
    detect_destroy(&other);
    detect_destroy(&fresh);
}
END_TEST

START_TEST(a_state_belongs_to_its_parameters)
{
    struct detect_params params;
    struct detect *five = NULL, *six = NULL, *adwin = make("adwin");
    uint8_t buffer[8192];
    ck_assert_int_eq(detect_params_init(&params, "cusum", NULL), 0);
    ck_assert_int_eq(detect_new(&five, "cusum", &params), 0);
    ck_assert_int_eq(detect_params_set(&params, "h", 6, NULL), 0);
    ck_assert_int_eq(detect_new(&six, "cusum", &params), 0);
    size_t size = detect_save(five, buffer, sizeof(buffer));
    ck_assert_int_eq(detect_load(six, buffer, size), -EINVAL);
    ck_assert_int_eq(detect_load(adwin, buffer, size), -EINVAL);
    ck_assert_int_eq(detect_load(five, buffer, size), 0);
    detect_destroy(&five);
    detect_destroy(&six);
    detect_destroy(&adwin);
}
END_TEST

START_TEST(resetting_forgets_everything)
{
    const char *name = detect_name((uint32_t)_i);
    const struct stream *stream = stream_find(of_errors(name) ? "errors" : "step");
    struct detect *used = make(name), *fresh = make(name);
    struct source source = stream_source(stream);
    for (int i = 0; i < 1623; i++)
        detect_add(used, stream->draw(&source, i));
    detect_reset(used);
    source = stream_source(stream);
    for (int i = 0; i < STREAM_LENGTH; i++) {
        double value = stream->draw(&source, i);
        ck_assert(same(detect_add(used, value), detect_add(fresh, value)));
    }
    ck_assert_str_eq(detect_name_of(used), name);
    ck_assert_uint_gt(detect_bytes(used), 50);
    ck_assert_uint_lt(detect_bytes(used), 12288);
    detect_destroy(&used);
    detect_destroy(&fresh);
    detect_destroy(&fresh);
    ck_assert_ptr_null(fresh);
}
END_TEST

START_TEST(a_value_that_is_no_number_does_not_count)
{
    const char *name = detect_name((uint32_t)_i);
    const struct stream *stream = stream_find(of_errors(name) ? "errors" : "step");
    struct detect *plain = make(name), *disturbed = make(name);
    struct source source = stream_source(stream);
    for (int i = 0; i < STREAM_LENGTH; i++) {
        double value = stream->draw(&source, i);
        ck_assert(same(detect_add(plain, value), detect_add(disturbed, value)));
        struct detect_verdict verdict = detect_add(disturbed, i % 3 ? NAN : i % 2 ? INFINITY : -INFINITY);
        ck_assert_int_ne(verdict.state, DETECT_DRIFT);
        ck_assert_uint_eq(verdict.n, (uint64_t)i + 1);
    }
    detect_destroy(&plain);
    detect_destroy(&disturbed);
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

/* A rule takes the promise for the rate that it measures, whatever it began with: from a small budget to a large one and
 * back, at any number of values. Where a hundred values cannot keep a promise nothing is judged by them. */
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

START_TEST(values_outside_of_a_range_are_clipped_and_counted)
{
    struct detect *evidence = make("evidence"), *ddm = make("ddm"), *cusum = make("cusum");
    double values[] = {-1, 0, 0.5, 1, 1.5, 1e308};
    for (int i = 0; i < 6; i++) {
        detect_add(evidence, values[i]);
        detect_add(ddm, values[i]);
        detect_add(cusum, values[i]);
    }
    ck_assert_uint_eq(detect_clipped(evidence), 3);
    ck_assert_uint_eq(detect_clipped(ddm), 3);
    ck_assert_uint_eq(detect_clipped(cusum), 0);
    detect_destroy(&evidence);
    detect_destroy(&ddm);
    detect_destroy(&cusum);
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
    tcase_add_loop_test(params, who_can_promise_does, 0, DETECTORS);
    tcase_add_test(params, a_promise_sets_the_limits);
    tcase_add_test(params, charts_show_what_they_are);
    tcase_add_test(params, references_show_what_they_found);
    tcase_add_test(params, thresholds_are_retuned_without_forgetting);
    tcase_add_test(params, every_promise_can_follow_every_other);
    suite_add_tcase(suite, params);
    TCase *instances = tcase_create("instances");
    tcase_set_timeout(instances, 120);
    tcase_add_loop_test(instances, a_saved_state_goes_on_bit_for_bit, 0, DETECTORS);
    tcase_add_test(instances, distributions_are_saved_as_well);
    tcase_add_loop_test(instances, a_damaged_state_is_refused, 0, DETECTORS);
    tcase_add_test(instances, a_state_belongs_to_its_parameters);
    tcase_add_loop_test(instances, resetting_forgets_everything, 0, DETECTORS);
    tcase_add_loop_test(instances, a_value_that_is_no_number_does_not_count, 0, DETECTORS);
    tcase_add_test(instances, values_outside_of_a_range_are_clipped_and_counted);
    suite_add_tcase(suite, instances);
    return run_suite(suite);
}

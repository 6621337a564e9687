/* What a fit spares itself changes nothing: a location and a scale are those of a bisection that looks at every step;
 * and a chart that is retuned goes on as one that was saved and loaded in between. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/streams.h"
#include "lib/detect/detect.h"
#include "lib/detect/location.h"
#include "lib/detect/tilt.h"
#include "tests/run_suite.h"

#define SAMPLES 400

static double plain_location(const struct location *self, double low, double high)
{
    for (int step = 0; step < 60; step++) {
        double middle = 0.5 * (low + high), sum = 0;
        for (uint32_t i = self->from; i < self->count; i++) {
            double value = i == 0 ? self->values[0] : self->values[i] - self->phi * self->values[i - 1];
            if (!(fabs(value - self->median) > self->reach))
                sum += fmax(-self->cut, fmin((value - middle) / self->sd, self->cut));
        }
        if (sum > 0)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

/* Samples that are smooth, heavy on one side, of few values, nearly constant, far from zero, or cut off nearly whole.
 */
START_TEST(a_location_is_that_of_a_plain_bisection)
{
    struct stream s = stream_seeded(21, (uint64_t)_i);
    for (int sample = 0; sample < SAMPLES; sample++) {
        double values[300];
        const uint32_t count = 2 + (uint32_t)(stream_uniform(&s) * 298);
        const double level = _i == 4 ? 1e9 : _i == 5 ? 0 : 10, spread = _i == 3 ? 1e-9 : 1;
        for (uint32_t i = 0; i < count; i++) {
            double z = stream_normal(&s);
            values[i] = level + spread * (_i == 1 ? exp(2 * z) : _i == 2 ? floor(z) : z);
        }
        struct location given = {.values = values,
                                 .from = (uint32_t)sample % 2,
                                 .count = count,
                                 .phi = sample % 3 == 0 ? 0.7 : 0,
                                 .median = level * (sample % 3 == 0 ? 0.3 : 1),
                                 .reach = sample % 5 == 0 ? 1.5 * spread : 1e9,
                                 .sd = spread * (sample % 7 == 0 ? 0.01 : 1),
                                 .cut = 0.5 + 3 * stream_uniform(&s)};
        double low = given.median - 4 * spread, high = given.median + 4 * spread;
        ck_assert_double_eq(location_find(&given, low, high), plain_location(&given, low, high));
    }
}
END_TEST

static double plain_scale(const struct tilt_residuals *residuals, double lambda, double slack, double limit,
                          double sign)
{
    double weights[64], normal = 0, low = 0, high = 1;
    int count = 0;
    double weight = lambda > 0 ? limit * sqrt(lambda * (2 - lambda)) : 2 * slack;
    do {
        weights[count++] = weight;
        normal += weight * weight / 2;
        weight *= 1 - lambda;
    } while (lambda > 0 && count < 64 && weight > 0.05 * weights[0]);
    for (int step = 0; step < 14; step++) {
        double middle = step == 0 ? 1 : 0.5 * (low + high), sum = 0;
        for (int w = 0; w < count; w++) {
            double expected = 0, t = sign * middle * weights[w];
            for (uint32_t i = 0; i < residuals->bins; i++)
                expected += residuals->count[i] * exp(t * residuals->sum[i] / residuals->count[i]);
            sum += log(expected / residuals->all);
        }
        if (sum <= normal && step == 0)
            return 1;
        if (sum <= normal)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* From residuals that are better than normal ones to some that lie on one side altogether. */
START_TEST(a_scale_is_that_of_a_plain_bisection)
{
    struct stream s = stream_seeded(22, (uint64_t)_i);
    int whole = 0, half = 0, little = 0;
    for (int sample = 0; sample < SAMPLES; sample++) {
        struct tilt_residuals residuals = {.bins = 1 + (uint32_t)(stream_uniform(&s) * TILT_BINS)};
        const double tail = 4 * stream_uniform(&s), shift = sample % 3 == 0 ? 3 * stream_uniform(&s) : 0;
        for (uint32_t i = 0; i < residuals.bins; i++) {
            const double at = (2.0 * (i + 0.5) / residuals.bins - 1) * tail + shift;
            residuals.count[i] = 1 + floor(100 * stream_uniform(&s) * exp(-fabs(at - shift)));
            residuals.sum[i] = residuals.count[i] * at;
            residuals.all += residuals.count[i];
        }
        const double lambda = _i ? 0.02 + 0.5 * stream_uniform(&s) : 0, slack = 0.05 + stream_uniform(&s),
                     limit = 2 + 3 * stream_uniform(&s), sign = sample % 2 ? 1 : -1;
        const double scale = tilt_scale(&residuals, lambda, slack, limit, sign);
        ck_assert_double_eq(scale, plain_scale(&residuals, lambda, slack, limit, sign));
        whole += scale == 1;
        half += scale > 0.5 && scale < 1;
        little += scale < 0.5;
    }
    ck_assert_int_gt(whole, 20);
    ck_assert_int_gt(half, 20);
    ck_assert_int_gt(little, 20);
}
END_TEST

static void save_and_load(struct detect **self_p, const struct detect_params *params)
{
    static uint8_t saved[65536];
    const size_t size = detect_save(*self_p, saved, sizeof saved);
    ck_assert_uint_le(size, sizeof saved);
    detect_destroy(self_p);
    ck_assert_int_eq(detect_new(self_p, "cusum", params), 0);
    ck_assert_int_eq(detect_load(*self_p, saved, size), 0);
}

/* Whether the chart chose anew when it was retuned after `at` values. */
static bool retuned_alike(const struct detect_params *frequent, const struct detect_params *rare, int at, uint64_t seed)
{
    struct stream s = stream_seeded(23, seed);
    struct detect *plain, *restarted;
    struct detect_reference before, behind;
    ck_assert_int_eq(detect_new(&plain, "cusum", frequent), 0);
    ck_assert_int_eq(detect_new(&restarted, "cusum", frequent), 0);
    for (int i = 0; i < 600; i++) {
        const double value = 0.85 + 0.05 * stream_autoregressive(&s, 0.8);
        if (i == at) {
            save_and_load(&restarted, frequent);
            ck_assert_int_eq(detect_reference(plain, &before), 0);
            ck_assert_int_eq(detect_retune(plain, rare), 0);
            ck_assert_int_eq(detect_retune(restarted, rare), 0);
            ck_assert_int_eq(detect_reference(plain, &behind), 0);
            if (behind.collected == behind.wanted) {
                ck_assert_double_eq(before.scale[0], behind.scale[0]);
                ck_assert_double_eq(before.scale[1], behind.scale[1]);
            }
        }
        struct detect_verdict a = detect_add(plain, value), b = detect_add(restarted, value);
        ck_assert_int_eq(a.state, b.state);
        ck_assert(isnan(a.statistic) ? isnan(b.statistic) : a.statistic == b.statistic);
        ck_assert(isnan(a.threshold) ? isnan(b.threshold) : a.threshold == b.threshold);
    }
    detect_destroy(&plain);
    detect_destroy(&restarted);
    return before.slack != behind.slack;
}

/* The rarer alarm leaves fewer allowances, so that some charts have to choose anew: while values of the reference are
 * kept
 * (_i 0), and when they are no more (_i 1). */
START_TEST(a_retuned_chart_goes_on_through_restarts)
{
    struct detect_params frequent, rare;
    ck_assert_int_eq(detect_params_init(&frequent, "cusum", NULL), 0);
    ck_assert_int_eq(detect_params_set(&frequent, "prewhiten", 1, NULL), 0);
    ck_assert_int_eq(detect_params_set(&frequent, "robust", 1, NULL), 0);
    ck_assert_int_eq(detect_params_set(&frequent, "reference", 230, NULL), 0);
    rare = frequent;
    ck_assert_int_eq(detect_params_promise(&frequent, 2000, NULL), 0);
    ck_assert_int_eq(detect_params_promise(&rare, 200000, NULL), 0);
    int chose_anew = 0;
    for (uint64_t seed = 0; seed < 50; seed++)
        chose_anew += retuned_alike(&frequent, &rare, _i ? 300 : 200, seed);
    ck_assert_int_gt(chose_anew, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reference_fit");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, a_location_is_that_of_a_plain_bisection, 0, 6);
    tcase_add_loop_test(all, a_scale_is_that_of_a_plain_bisection, 0, 2);
    tcase_add_loop_test(all, a_retuned_chart_goes_on_through_restarts, 0, 2);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

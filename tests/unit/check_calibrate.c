#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/calibrate/absorb.h"
#include "lib/calibrate/chart.h"
#include "lib/calibrate/permutation.h"
#include "lib/calibrate/quadrature.h"
#include "tests/run_suite.h"
#include "tests/unit/calibrate_expected.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void near_to(double got, double wanted, double part, const char *what)
{
    ck_assert_msg(fabs(got - wanted) <= part * fabs(wanted), "%s: %.9g, expected %.9g within %g", what, got, wanted,
                  part);
}

static struct chart chart_of(int kind, double two_sided, double param, double head_start, double limit)
{
    return (struct chart){.kind = (enum chart_kind)kind,
                          .two_sided = two_sided > 0,
                          .slack = kind == CHART_CUSUM ? param : 0,
                          .lambda = kind == CHART_EWMA ? param : 0,
                          .head_start = head_start,
                          .limit = limit};
}

static double run_length(struct chart chart, double shift)
{
    double out = NAN;
    ck_assert_int_eq(chart_run_length(&chart, shift, 1, &out), 0);
    return out;
}

START_TEST(quadrature_is_exact_for_polynomials)
{
    double nodes[40], weights[40];
    for (uint32_t n = 1; n <= 40; n++) {
        quadrature_legendre(n, -1, 3, nodes, weights);
        for (uint32_t power = 0; power < 2 * n && power < 30; power++) {
            double sum = 0, exact = (pow(3, power + 1) - pow(-1, power + 1)) / (power + 1);
            for (uint32_t i = 0; i < n; i++)
                sum += weights[i] * pow(nodes[i], power);
            ck_assert_msg(fabs(sum - exact) < 1e-12 * pow(3, power + 1), "order %u, power %u: %g", n, power,
                          sum - exact);
        }
        for (uint32_t i = 1; i < n; i++)
            ck_assert_double_lt(nodes[i - 1], nodes[i]);
    }
}
END_TEST

START_TEST(tails_keep_their_precision)
{
    near_to(normal_above(1.959963984540054), 0.025, 1e-12, "2.5 %");
    near_to(normal_above(10), 7.619853024160495e-24, 1e-12, "ten deviations"); /* SciPy norm.sf */
    near_to(normal_below(-10), 7.619853024160495e-24, 1e-12, "ten below");
    near_to(normal_between(9, 10), 1.1285122074231e-19, 1e-9, "between");
    near_to(normal_between(-1, 1), 0.6826894921370859, 1e-12, "one deviation");
}
END_TEST

/* A gambler with an even coin who stops at 0 or 10 plays i (10 - i) rounds from i; one who is nearly trapped plays
 * long. */
START_TEST(absorption_is_precise)
{
    double move[81] = {0}, leave[9] = {0}, pivot[9], cost[9];
    for (int i = 0; i < 9; i++) {
        cost[i] = 1;
        if (i > 0)
            move[i * 9 + i - 1] = 0.5;
        if (i < 8)
            move[i * 9 + i + 1] = 0.5;
    }
    leave[0] = leave[8] = 0.5;
    absorb_factor(9, move, leave, pivot);
    absorb_solve(9, move, pivot, cost);
    for (int i = 0; i < 9; i++)
        near_to(cost[i], (i + 1) * (9 - i), 1e-13, "gambler");
    double pair[4] = {0.5, 0.5, 1 - 1e-13, 0}, out[2] = {0, 1e-13}, two[2], time[2] = {1, 1};
    absorb_factor(2, pair, out, two);
    absorb_solve(2, pair, two, time);
    near_to(time[1], 3e13, 1e-12, "trapped");
}
END_TEST

START_TEST(run_lengths_of_the_oracle)
{
    struct chart chart =
        chart_of(runs[_i].kind, runs[_i].two_sided, runs[_i].param, runs[_i].head_start, runs[_i].limit);
    near_to(run_length(chart, runs[_i].shift), runs[_i].length, 1e-6, "run length");
}
END_TEST

START_TEST(limits_of_the_oracle)
{
    double limit = NAN;
    struct chart chart = chart_of(limits[_i].kind, limits[_i].two_sided, limits[_i].param, limits[_i].head_start, 1);
    ck_assert_int_eq(chart_limit(&chart, limits[_i].length, &limit), 0);
    near_to(limit, limits[_i].limit, 1e-5, "limit");
}
END_TEST

START_TEST(estimated_limits_of_the_oracle)
{
    double limit = NAN, back = NAN;
    struct chart chart = chart_of(estimates[_i].kind, estimates[_i].two_sided, estimates[_i].param, 0, 1);
    ck_assert_int_eq(
        chart_limit_estimated(&chart, estimates[_i].length, estimates[_i].values, estimates[_i].freedom, &limit), 0);
    near_to(limit, estimates[_i].limit, 0.003, "limit of an estimated reference");
    chart.limit = limit;
    ck_assert_int_eq(chart_run_length_estimated(&chart, estimates[_i].values, estimates[_i].freedom, &back), 0);
    near_to(back, estimates[_i].length, 1e-5, "there and back");
}
END_TEST

/* The oracle's grid and our first order agree to a part in a hundred. */
START_TEST(cuts_of_the_oracle)
{
    double cut = NAN;
    struct chart chart = chart_of(cuts[_i].kind, cuts[_i].kind == CHART_EWMA, cuts[_i].param, 0, cuts[_i].limit);
    ck_assert_int_eq(chart_winsor(&chart, 0.01, &cut), 0);
    near_to(cut, cuts[_i].cut, 0.01, "cut");
}
END_TEST

/* Montgomery, chapter 9; Lucas and Crosier 1982; Lucas and Saccucci 1990. */
static const struct {
    int kind;
    double two_sided, param, head_start, limit, shift, length;
} published[] = {
    {0, 1, 0.5, 0, 4, 0, 168},        {0, 1, 0.5, 0, 4, 0.5, 26.6},   {0, 1, 0.5, 0, 4, 1, 8.38},
    {0, 1, 0.5, 0, 4, 2, 3.34},       {0, 1, 0.5, 0, 5, 0, 465},      {0, 1, 0.5, 0, 5, 0.5, 38.0},
    {0, 1, 0.5, 0, 5, 1, 10.4},       {0, 1, 0.5, 0, 5, 2, 4.01},     {0, 1, 0.5, 0.5, 5, 0, 430},
    {0, 1, 0.5, 0.5, 5, 0.5, 28.7},   {0, 1, 0.5, 0.5, 5, 1, 6.35},   {0, 1, 0.5, 0.5, 5, 2, 2.36},
    {0, 0, 0.5, 0, 5.071, 0, 1e3},    {0, 0, 0.5, 0, 7.361, 0, 1e4},  {0, 0, 0.5, 0, 9.662, 0, 1e5},
    {0, 0, 0.5, 0, 11.964, 0, 1e6},   {1, 1, 0.1, 0, 2.814, 0, 500},  {1, 1, 0.1, 0, 2.814, 0.5, 31.3},
    {1, 1, 0.1, 0, 2.814, 1, 10.3},   {1, 1, 0.1, 0, 2.814, 2, 4.36}, {1, 1, 0.2, 0, 2.962, 0, 500},
    {1, 1, 0.2, 0, 2.962, 0.5, 41.8}, {1, 1, 0.2, 0, 2.962, 1, 10.5}, {1, 1, 0.2, 0, 2.962, 2, 3.74},
    {2, 1, 0, 0, 3, 0, 370.4},        {2, 1, 0, 0, 3, 1, 43.9},       {2, 1, 0, 0, 3, 2, 6.30},
    {2, 1, 0, 0, 3, 3, 2.00},
};

START_TEST(published_tables_within_one_percent)
{
    struct chart chart = chart_of(published[_i].kind, published[_i].two_sided, published[_i].param,
                                  published[_i].head_start, published[_i].limit);
    near_to(run_length(chart, published[_i].shift), published[_i].length, 0.01, "published");
}
END_TEST

START_TEST(two_sided_limits_within_half_a_percent)
{
    static const double wanted[] = {5.757, 8.053, 10.355, 12.657};
    struct chart chart = chart_of(CHART_CUSUM, 1, 0.5, 0, 1);
    for (int i = 0; i < 4; i++) {
        double limit = NAN;
        ck_assert_int_eq(chart_limit(&chart, pow(10, 3 + i), &limit), 0);
        near_to(limit, wanted[i], 0.005, "two-sided limit");
    }
}
END_TEST

START_TEST(limits_hold_over_twelve_decades)
{
    for (int kind = 0; kind <= 2; kind++) {
        for (double wanted = 10; wanted <= 1e12; wanted *= 10) {
            struct chart chart = chart_of(kind, 1, kind == CHART_CUSUM ? 0.5 : 0.1, 0, 1);
            ck_assert_int_eq(chart_limit(&chart, wanted, &chart.limit), 0);
            near_to(run_length(chart, 0), wanted, 1e-5, "run length of the limit");
        }
    }
}
END_TEST

START_TEST(an_estimate_costs_and_more_values_cost_less)
{
    for (int kind = 0; kind <= 2; kind++) {
        struct chart chart = chart_of(kind, 1, kind == CHART_CUSUM ? 0.5 : 0.1, 0, 1);
        double known, few, many;
        ck_assert_int_eq(chart_limit(&chart, 1e4, &known), 0);
        ck_assert_int_eq(chart_limit_estimated(&chart, 1e4, 100, 99, &few), 0);
        ck_assert_int_eq(chart_limit_estimated(&chart, 1e4, 500, 499, &many), 0);
        ck_assert_double_gt(many, known);
        ck_assert_double_gt(few, many);
        ck_assert_int_eq(chart_limit_estimated(&chart, 1e4, 1e9, 1e9, &many), 0);
        near_to(many, known, 0.002, "endless reference");
    }
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    double out = 7;
    struct chart chart = chart_of(CHART_CUSUM, 0, 0.5, 0, 5);
    ck_assert_int_eq(chart_limit(&chart, 1.5, &out), -EINVAL);
    ck_assert_int_eq(chart_limit(&chart, 1e13, &out), -EINVAL);
    ck_assert_int_eq(chart_limit(&chart, NAN, &out), -EINVAL);
    chart.slack = 0.01;
    ck_assert_int_eq(chart_limit(&chart, 1e9, &out), -ERANGE);
    ck_assert_int_eq(chart_limit_estimated(&chart, 1e6, 50, 50, &out), -ERANGE);
    ck_assert_int_eq(chart_limit_estimated(&chart, 1e3, 1, 50, &out), -EINVAL);
    chart.limit = 0;
    ck_assert_int_eq(chart_run_length(&chart, 0, 1, &out), -EINVAL);
    chart.limit = NAN;
    ck_assert_int_eq(chart_run_length(&chart, 0, 1, &out), -EINVAL);
    chart.limit = 5;
    ck_assert_int_eq(chart_run_length(&chart, INFINITY, 1, &out), -EINVAL);
    ck_assert_int_eq(chart_run_length(&chart, 0, 0, &out), -EINVAL);
    ck_assert_int_eq(chart_winsor(&chart, 0, &out), -EINVAL);
    chart.head_start = 1;
    ck_assert_int_eq(chart_run_length(&chart, 0, 1, &out), -EINVAL);
    ck_assert_double_eq(out, 7);
}
END_TEST

START_TEST(the_closed_form_is_close)
{
    static const double slacks[] = {0.1, 0.2, 0.3};
    for (int i = 0; i < 3; i++) {
        struct chart chart = chart_of(CHART_CUSUM, 0, slacks[i], 0, 1);
        ck_assert_int_eq(chart_limit(&chart, 1e4, &chart.limit), 0);
        near_to(chart_cusum_delay(chart.slack, chart.limit, 0), 1e4, 0.01, "Siegmund in control");
        near_to(chart_cusum_delay(chart.slack, chart.limit, 1), run_length(chart, 1), 0.02, "Siegmund shifted");
    }
}
END_TEST

/* Permutations ---------------------------------------------------------------------------------------------------- */

struct sample {
    const double *values;
    uint32_t count;
    uint32_t calls;
    bool fits; /* every deal had the wanted number of events */
    uint32_t second;
};

static double sum_of_second(void *argument, const uint8_t *second)
{
    struct sample *sample = argument;
    double sum = 0;
    uint32_t dealt = 0;
    for (uint32_t i = 0; i < sample->count; i++) {
        dealt += second[i];
        sum += second[i] ? sample->values[i] : 0;
    }
    sample->fits = sample->fits && dealt == sample->second;
    sample->calls++;
    return sum;
}

static double dealt_threshold(const struct permutation *permutation, double alpha, uint8_t *flags, uint32_t *order,
                              bool *approximate)
{
    double top[PERMUTATION_TOP];
    permutation_deal(permutation, top, flags, order);
    return permutation_threshold(top, alpha, approximate);
}

START_TEST(permutations_find_the_quantile)
{
    static double values[400];
    static uint8_t flags[400];
    static uint32_t order[400];
    for (int i = 0; i < 400; i++)
        values[i] = i < 200 ? 1 : 0;
    struct sample sample = {.values = values, .count = 400, .fits = true, .second = 100};
    struct permutation permutation = {
        .events = 400, .second = 100, .block = 1, .distance = sum_of_second, .argument = &sample};
    bool approximate = true;
    double threshold = dealt_threshold(&permutation, 0.05, flags, order, &approximate);
    /* Hypergeometric(400, 200, 100): SciPy's 95 % quantile is 57, and 58 at 97.5 %. */
    ck_assert_double_ge(threshold, 56);
    ck_assert_double_le(threshold, 58);
    ck_assert(!approximate);
    ck_assert(sample.fits);
    ck_assert_uint_eq(sample.calls, PERMUTATION_ROUNDS);
    ck_assert_double_eq(dealt_threshold(&permutation, 0.05, flags, order, &approximate), threshold);
    double rare = dealt_threshold(&permutation, 0.001, flags, order, &approximate);
    ck_assert(!approximate);
    /* Normal: 50 + 4.341 z; at 10^-5 z = 4.265, that is 68.5. */
    double rarest = dealt_threshold(&permutation, 1e-5, flags, order, &approximate);
    ck_assert(approximate);
    ck_assert_double_gt(rarest, rare);
    ck_assert_double_gt(rarest, 66);
    ck_assert_double_lt(rarest, 80);
}
END_TEST

static double count_calls(void *argument, const uint8_t *second)
{
    (void)second;
    return (double)++((struct sample *)argument)->calls;
}

/* Distances of 1 to 999: a further one exceeds the r-th largest with probability r / 1000. */
START_TEST(permutations_take_the_right_rank)
{
    static const double alphas[] = {0.1, 0.05, 0.002, 0.001}, wanted[] = {900, 950, 998, 999};
    uint8_t flags[10];
    uint32_t order[10];
    bool approximate;
    for (int i = 0; i < 4; i++) {
        struct sample sample = {0};
        struct permutation permutation = {
            .events = 10, .second = 5, .block = 1, .distance = count_calls, .argument = &sample};
        ck_assert_double_eq(dealt_threshold(&permutation, alphas[i], flags, order, &approximate), wanted[i]);
        ck_assert(!approximate);
    }
}
END_TEST

START_TEST(blocks_stay_together)
{
    static double values[400];
    static uint8_t flags[400];
    static uint32_t order[400];
    bool approximate;
    for (int i = 0; i < 400; i++)
        values[i] = (i / 40) % 2; /* neighbours are alike */
    struct sample sample = {.values = values, .count = 400, .fits = true, .second = 100};
    struct permutation permutation = {
        .events = 400, .second = 100, .block = 1, .distance = sum_of_second, .argument = &sample};
    double single = dealt_threshold(&permutation, 0.05, flags, order, &approximate);
    permutation.block = 40;
    double blocks = dealt_threshold(&permutation, 0.05, flags, order, &approximate);
    ck_assert(sample.fits);
    ck_assert_double_gt(blocks, single + 20);
}
END_TEST

START_TEST(blocks_are_as_long_as_the_memory)
{
    ck_assert_uint_eq(permutation_block(0, 500), 1);
    ck_assert_uint_eq(permutation_block(-0.9, 500), 1);
    ck_assert_uint_eq(permutation_block(0.08, 500), 1);
    ck_assert_uint_eq(permutation_block(NAN, 500), 1);
    ck_assert_uint_eq(permutation_block(0.5, 500), 9);
    ck_assert_uint_eq(permutation_block(0.8, 500), 28);
    ck_assert_uint_eq(permutation_block(1, 500), 50);
}
END_TEST

/* SciPy: (t.isf(alpha / 2, events / block - 1) / norm.isf(alpha / 2))^2, over what the blocks keep of the variance. */
START_TEST(blocks_know_less_and_lose_some)
{
    ck_assert_double_eq(permutation_widening(0.08, 1, 500, 1e-3), 1);
    near_to(permutation_widening(0.8, 28, 500, 0.002), 1.6594, 0.005, "two in a thousand");
    near_to(permutation_widening(0.5, 9, 500, 1e-5), 1.4263, 0.005, "one in a hundred thousand");
    near_to(permutation_widening(0.99, 50, 500, 0.01), 6.3672, 0.005, "a long memory");
    near_to(permutation_widening(1, 50, 500, 0.01), 6.3672, 0.005, "for ever");
}
END_TEST

START_TEST(equal_distances_have_no_tail)
{
    static double values[40];
    static uint8_t flags[40];
    static uint32_t order[40];
    bool approximate;
    struct sample sample = {.values = values, .count = 40, .fits = true, .second = 10};
    struct permutation permutation = {
        .events = 40, .second = 10, .block = 1, .distance = sum_of_second, .argument = &sample};
    ck_assert_double_eq(dealt_threshold(&permutation, 0.01, flags, order, &approximate), 0);
    ck_assert_double_eq(dealt_threshold(&permutation, 1e-9, flags, order, &approximate), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("calibrate");
    TCase *charts = tcase_create("charts");
    tcase_set_timeout(charts, 60);
    tcase_add_test(charts, quadrature_is_exact_for_polynomials);
    tcase_add_test(charts, tails_keep_their_precision);
    tcase_add_test(charts, absorption_is_precise);
    tcase_add_loop_test(charts, run_lengths_of_the_oracle, 0, COUNT(runs));
    tcase_add_loop_test(charts, limits_of_the_oracle, 0, COUNT(limits));
    tcase_add_loop_test(charts, estimated_limits_of_the_oracle, 0, COUNT(estimates));
    tcase_add_loop_test(charts, cuts_of_the_oracle, 0, COUNT(cuts));
    tcase_add_loop_test(charts, published_tables_within_one_percent, 0, COUNT(published));
    tcase_add_test(charts, two_sided_limits_within_half_a_percent);
    tcase_add_test(charts, limits_hold_over_twelve_decades);
    tcase_add_test(charts, an_estimate_costs_and_more_values_cost_less);
    tcase_add_test(charts, what_cannot_be_is_refused);
    tcase_add_test(charts, the_closed_form_is_close);
    suite_add_tcase(suite, charts);
    TCase *permutations = tcase_create("permutations");
    tcase_set_timeout(permutations, 60);
    tcase_add_test(permutations, permutations_find_the_quantile);
    tcase_add_test(permutations, permutations_take_the_right_rank);
    tcase_add_test(permutations, blocks_stay_together);
    tcase_add_test(permutations, blocks_are_as_long_as_the_memory);
    tcase_add_test(permutations, blocks_know_less_and_lose_some);
    tcase_add_test(permutations, equal_distances_have_no_tail);
    suite_add_tcase(suite, permutations);
    return run_suite(suite);
}

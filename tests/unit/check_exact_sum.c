#include "lib/stats/exact_sum.h"
#include "tests/run_suite.h"

#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

static uint64_t state = 1;

static uint64_t draw(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 24; /* 40 bits */
}

/* Any finite float, subnormals included: mantissa, exponent and sign at random. */
static float any_float(void)
{
    float f = ldexpf((float)(draw() & 0xffffff), (int)(draw() % 254) - 149);
    return draw() & 1 ? f : -f;
}

/* Sums whose exact value is known without adding them up. */
START_TEST(known_sums)
{
    static const struct {
        float value[4];
        uint64_t weight[4];
        double sum;
    } cases[] = {
        {{1, 2, 3, 4}, {1, 1, 1, 1}, 10},
        {{0.5F, -0.25F, 0, 0}, {3, 2, 1, 1}, 1},
        {{1e30F, 1, -1e30F, 0}, {1, 1, 1, 1}, 1}, /* a double sum says 0 */
        {{0x1p-149F, 0x1p-149F, 0, 0}, {1, 2, 1, 1}, 0x1.8p-148},
        {{FLT_MAX, FLT_MAX, -FLT_MAX, 0x1p-149F}, {1, 1, 2, 1}, 0x1p-149},
        {{FLT_MAX, 0, 0, 0}, {UINT64_C(1) << 36, 1, 1, 1}, 0x1.fffffep163},
        {{-FLT_MAX, 0x1p-149F, 0, 0}, {1, 1, 1, 1}, -0x1.fffffep127},
        {{0x1p-126F, -0x1p-149F, 0, 0}, {1, 1, 1, 1}, 0x1.fffffcp-127}, /* across the border of the subnormals */
        {{-1, 0, 0, 0}, {5, 1, 1, 1}, -5},
        {{0.0F, -0.0F, 0, 0}, {1, 1, 1, 1}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct exact_sum sum;
        exact_sum_clear(&sum);
        for (int k = 0; k < 4; k++)
            exact_sum_add(&sum, cases[i].value[k], cases[i].weight[k]);
        ck_assert_double_eq(exact_sum_get(&sum), cases[i].sum);
    }
}
END_TEST

/* Whatever is added and taken away again, in another order, leaves nothing, to the last bit. */
START_TEST(nothing_is_left_behind)
{
    enum { TERMS = 2000 };
    static float value[TERMS];
    static uint64_t weight[TERMS];
    struct exact_sum sum, before;
    exact_sum_clear(&sum);
    exact_sum_add(&sum, 0.1F, 7);
    before = sum;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < TERMS; i++) {
            value[i] = any_float();
            weight[i] = 1 + draw() % (draw() & 1 ? 4 : EXACT_SUM_WEIGHT_MAX);
            exact_sum_add(&sum, value[i], weight[i]);
        }
        ck_assert_double_ne(exact_sum_get(&sum), exact_sum_get(&before));
        for (int i = 0; i < TERMS; i++) { /* 997 and 2000 have no factor in common: every term, in another order */
            int k = (i * 997 + round) % TERMS;
            exact_sum_take(&sum, value[k], weight[k]);
        }
        ck_assert_mem_eq(&sum, &before, sizeof sum);
    }
}
END_TEST

/* Against a fresh addition in long double of terms that fit into it. */
START_TEST(agrees_with_long_double)
{
    for (int round = 0; round < 2000; round++) {
        struct exact_sum sum;
        long double expected = 0;
        exact_sum_clear(&sum);
        for (int i = 0; i < 50; i++) { /* 24 bits, 16 of exponent, 12 of weight, 6 of count: 58 of 64 */
            float value = ldexpf((float)(draw() & 0xffffff), (int)(draw() % 16) - 20) * (draw() & 1 ? 1 : -1);
            uint64_t weight = 1 + draw() % 4096;
            exact_sum_add(&sum, value, weight);
            expected += (long double)value * (long double)weight;
        }
        ck_assert_double_eq_tol(exact_sum_get(&sum), (double)expected, 0x1p-51 * fabs((double)expected));
    }
}
END_TEST

/* A million of the largest terms there are: the room is enough, in both directions. */
START_TEST(largest_terms_fit)
{
    struct exact_sum up, down;
    exact_sum_clear(&up);
    exact_sum_clear(&down);
    for (int i = 0; i < 1 << 20; i++) {
        exact_sum_add(&up, FLT_MAX, EXACT_SUM_WEIGHT_MAX);
        exact_sum_add(&down, -FLT_MAX, EXACT_SUM_WEIGHT_MAX);
    }
    ck_assert_double_eq(exact_sum_get(&up), 0x1.fffffep183);
    ck_assert_double_eq(exact_sum_get(&down), -0x1.fffffep183);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("exact_sum");
    TCase *tcase = tcase_create("exact_sum");
    tcase_add_test(tcase, known_sums);
    tcase_add_test(tcase, nothing_is_left_behind);
    tcase_add_test(tcase, agrees_with_long_double);
    tcase_add_test(tcase, largest_terms_fit);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

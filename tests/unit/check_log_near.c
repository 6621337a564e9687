/* Logarithms to within an error, against those of the C library. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "lib/log_near.h"
#include "tests/run_suite.h"

static double error_of(double value)
{
    return fabs(log_near(value) - log(value));
}

START_TEST(near_enough_everywhere)
{
    double most = 0;
    for (double value = DBL_MIN; value < 1e300; value *= 1.00073) {
        const double error = error_of(value);
        most = error > most ? error : most;
    }
    for (double value = 0.4; value < 2.5; value += 1e-5) {
        const double error = error_of(value);
        most = error > most ? error : most;
    }
    ck_assert_double_lt(most, LOG_NEAR_ERROR);
    ck_assert_double_gt(most, LOG_NEAR_ERROR / 2); /* the bound is not far from what there is */
}
END_TEST

START_TEST(where_the_pieces_meet)
{
    for (int power = -1000; power <= 1000; power += 7) {
        const double root = ldexp(sqrt(0.5), power);
        ck_assert_double_lt(error_of(root), LOG_NEAR_ERROR);
        ck_assert_double_lt(error_of(nextafter(root, 0)), LOG_NEAR_ERROR);
        ck_assert_double_lt(error_of(nextafter(root, INFINITY)), LOG_NEAR_ERROR);
        ck_assert_double_lt(error_of(ldexp(1, power)), 1e-12);
    }
    ck_assert_double_lt(error_of(DBL_MIN), LOG_NEAR_ERROR);
    ck_assert_double_lt(error_of(DBL_MAX), LOG_NEAR_ERROR);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log_near");
    TCase *tcase = tcase_create("log_near");
    tcase_add_test(tcase, near_enough_everywhere);
    tcase_add_test(tcase, where_the_pieces_meet);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

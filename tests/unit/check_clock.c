#include <check.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "tests/run_suite.h"

static void expect(double wall_s, const char *text)
{
    char out[CLOCK_TEXT_MAX];
    clock_text(wall_s, out);
    ck_assert_str_eq(out, text);
}

/* Expected texts are those of date(1): date -u -d @1795428000 +%FT%T.%3NZ. */
START_TEST(text_of_known_times)
{
    expect(0.0, "1970-01-01T00:00:00.000Z");
    expect(1795428000.0, "2026-11-23T10:00:00.000Z");
    expect(951782400.5, "2000-02-29T00:00:00.500Z");
    expect(1700000000.123, "2023-11-14T22:13:20.123Z");
    expect(-0.001, "1969-12-31T23:59:59.999Z");
    expect(4102444799.9996, "2100-01-01T00:00:00.000Z");
}
END_TEST

START_TEST(text_of_hostile_numbers)
{
    expect(0.0 / 0.0, "1970-01-01T00:00:00.000Z");
    expect(1e300, "9999-12-31T23:59:59.999Z");
    expect(-1e300, "0000-01-01T00:00:00.000Z");
}
END_TEST

START_TEST(steady_never_goes_back)
{
    struct now before = clock_now();
    ck_assert(before.wall_s > 1.6e9);
    for (int i = 0; i < 1000; i++) {
        struct now after = clock_now();
        ck_assert(after.steady_ns >= before.steady_ns);
        before = after;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = tcase_create("clock");
    tcase_add_test(tcase, text_of_known_times);
    tcase_add_test(tcase, text_of_hostile_numbers);
    tcase_add_test(tcase, steady_never_goes_back);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

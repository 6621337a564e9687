/* Values within the bounds leave a statistic within its limits, up to the very bounds; and taken together they come to
 * what they come to one by one. */
#include <check.h>
#include <stdlib.h>

#include "bench/streams.h"
#include "lib/stats/window_inside.h"
#include "tests/rounds.h"
#include "tests/run_suite.h"

#define MOST 64
#define LEAST 8
#define VALUES ROUNDS_OR(1500, 400)

static struct window *window_of(uint32_t capacity, enum window_stat stat, double min, double max)
{
    struct window_use use = {.ewma = true, .sum = stat == WINDOW_MEAN, .min = min, .max = max};
    struct window *window;
    if (stat >= WINDOW_MIN && stat <= WINDOW_P99) {
        use.ranks = 1;
        use.rank = stat;
    }
    ck_assert_int_eq(window_new_for(&window, capacity, &use), 0);
    return window;
}

static double next(struct stream *s, uint32_t i)
{
    if (i % 300 < 100) /* all that leaves is the same: the bounds are as wide as they can be */
        return 40;
    return 40 + 5 * stream_normal(s) + (i % 300 > 250 ? 12 : i % 300 > 200 ? -12 : 0);
}

static double allowed(double low, double high, double usual, double choice)
{
    const double value = choice < 0.35 ? low : choice < 0.7 ? high : usual;
    return fmin(fmax(value, fmax(low, -1e5)), fmin(high, 1e5));
}

/* How many values were known to make no difference. */
static uint32_t run(uint32_t capacity, enum window_stat stat, double min, double max)
{
    struct stream s = stream_seeded(91, capacity);
    struct window *one = window_of(capacity, stat, min, max), *together = window_of(capacity, stat, min, max);
    uint32_t known = 0;
    for (uint32_t i = 0; i < VALUES; i++) {
        double low = -1e150, high = 1e150, values[MOST], observed;
        float singles[MOST];
        const double usual = next(&s, i);
        const uint32_t most = i % 3 ? LEAST : MOST;
        window_add(one, usual, 1);
        window_add(together, usual, 1);
        if (window_judge(one, stat, min, max, &observed) != 0 ||
            !window_quiet(one, stat, min, max, most, &low, &high) || low > high)
            continue;
        const uint32_t count = 1 + (uint32_t)(stream_uniform(&s) * most);
        const double all = stream_uniform(&s); /* go the same way, every other time */
        for (uint32_t k = 0; k < count; k++) {
            values[k] = allowed(low, high, usual, all < 0.5 ? 2 * all : stream_uniform(&s));
            singles[k] = (float)values[k];
            window_add(one, values[k], 1);
            ck_assert_msg(window_judge(one, stat, min, max, &observed) == 0,
                          "%s of %u: value %u of %u, %a within %a and %a: %a, limits %g and %g", window_stat_name(stat),
                          capacity, k, count, values[k], low, high, observed, min, max);
        }
        const struct window_numbers numbers = {(const char *)(i % 2 ? (void *)values : (void *)singles),
                                               i % 2 ? sizeof *values : sizeof *singles, i % 2 == 0};
        window_add_all(together, numbers, count, window_rate(together));
        known += count;
    }
    for (enum window_stat each = WINDOW_LAST; each < WINDOW_STATS; each++)
        ck_assert(window_get(one, each) == window_get(together, each));
    ck_assert_uint_eq(window_total(one), window_total(together));
    window_destroy(&one);
    window_destroy(&together);
    return known;
}

START_TEST(within_the_bounds_no_limit_is_passed)
{
    static const uint32_t capacities[] = {1, 7, 8, 13, 64, 300};
    static const double limits[][2] = {{30, NAN}, {NAN, 45}, {34, 47}, {39.9, NAN}, {-1e9, 1e9}, {0, NAN}};
    for (enum window_stat stat = WINDOW_LAST; stat < WINDOW_EWMA; stat++)
        for (size_t c = 0; c < sizeof capacities / sizeof *capacities; c++) {
            uint32_t known = 0;
            for (size_t k = 0; k < sizeof limits / sizeof *limits; k++)
                known += run(capacities[c], stat, limits[k][0], limits[k][1]);
            ck_assert_msg(known > VALUES || (stat == WINDOW_MEAN && capacities[c] < LEAST), "%s of %u: %u",
                          window_stat_name(stat), capacities[c], known);
        }
}
END_TEST

/* A mean may lie beyond its limit by what rounding to floats moves a value: 0.3 as a float is above 0.3. That is
 * nothing to spare. */
static void on_the_limit(uint32_t capacity, double limit, double min, double max)
{
    double low = -1e150, high = 1e150, observed;
    struct window *window = window_of(capacity, WINDOW_MEAN, min, max);
    for (uint32_t i = 0; i < capacity; i++)
        window_add(window, limit, 1);
    ck_assert_int_eq(window_judge(window, WINDOW_MEAN, min, max, &observed), 0);
    const uint32_t most = capacity < MOST ? capacity : MOST;
    const bool known = window_quiet(window, WINDOW_MEAN, min, max, most, &low, &high);
    for (uint32_t i = 0; known && i < most; i++) {
        window_add(window, isnan(min) ? high : low, 1);
        ck_assert_msg(window_judge(window, WINDOW_MEAN, min, max, &observed) == 0,
                      "%u times %g: value %u, %a to %a: %a", capacity, limit, i, low, high, observed);
    }
    window_destroy(&window);
}

START_TEST(a_mean_on_its_limit_has_nothing_to_spare)
{
    for (uint32_t capacity = 8; capacity <= 8192; capacity *= 4)
        for (int i = -99; i < 100; i++) {
            on_the_limit(capacity, i / 10.0, NAN, i / 10.0);
            on_the_limit(capacity, i / 10.0, i / 10.0, NAN);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("window_quiet");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, within_the_bounds_no_limit_is_passed);
    tcase_add_test(all, a_mean_on_its_limit_has_nothing_to_spare);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

#include "lib/stats/window_inside.h"
#include "tests/run_suite.h"

#include <check.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct window *window_of(uint32_t capacity)
{
    struct window *window;
    ck_assert_int_eq(window_new(&window, capacity, true), 0);
    ck_assert_int_eq(window_reserve_weights(window), 0);
    return window;
}

static uint64_t state;

static uint32_t draw(uint32_t below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % below);
}

/* Worked out by hand. Values are exact in single precision, so the answers are exact too. */
static const struct {
    uint32_t capacity;
    uint32_t count;
    double value[6];
    uint64_t weight[6];
    double expected[WINDOW_STATS]; /* last mean min max median p90 p95 p99 ewma */
} by_hand[] = {
    {4, 1, {5}, {1}, {5, 5, 5, 5, 5, 5, 5, 5, 5}},
    /* ewma, rate 2/5: 1, 1.4, 2.04, 2.824 */
    {4, 4, {1, 2, 3, 4}, {1, 1, 1, 1}, {4, 2.5, 1, 4, 2, 4, 4, 4, 2.824}},
    /* the 1 has left; ewma 3.6944 */
    {4, 5, {1, 2, 3, 4, 5}, {1, 1, 1, 1, 1}, {5, 3.5, 2, 5, 3, 5, 5, 5, 3.6944}},
    /* median: 1/2 of 10 is reached by 1 + 4 at the 2; p90 by 9 of 10 at the 3 */
    {3, 3, {3, 2, 1}, {5, 4, 1}, {1, 2.4, 1, 3, 2, 3, 3, 3, 1.75}},
    /* the heavy one decides every quantile: 97 of 100; p99 needs 99: 1 + 1 + 97 reach it */
    {4, 4, {4, 3, 2, 1}, {1, 97, 1, 1}, {1, 2.98, 1, 4, 3, 3, 3, 3, 2.176}},
    /* p95 of weight 20: the 19th is reached exactly, so it is the 1 and not the 9 */
    {2, 2, {1, 9}, {19, 1}, {9, 1.4, 1, 9, 1, 1, 1, 9, 6.333333333333333}},
    /* weights leave with their values */
    {2, 3, {100, 1, 3}, {1000, 1, 3}, {3, 2.5, 1, 3, 3, 3, 3, 3, 13.333333333333334}},
    {1, 3, {7, -7, 0.5}, {1, 1, 9}, {0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5}},
    {3, 3, {-1, -2, -4}, {1, 1, 2}, {-4, -2.75, -4, -1, -4, -1, -1, -1, -2.75}},
};

START_TEST(cases_by_hand)
{
    struct window *window = window_of(by_hand[_i].capacity);
    for (uint32_t i = 0; i < by_hand[_i].count; i++)
        window_add(window, by_hand[_i].value[i], by_hand[_i].weight[i]);
    for (int stat = 0; stat < WINDOW_STATS; stat++) {
        double expected = by_hand[_i].expected[stat], got = window_get(window, (enum window_stat)stat);
        double tolerance = stat == WINDOW_EWMA || stat == WINDOW_MEAN ? 1e-14 : 0;
        ck_assert_msg(fabs(got - expected) <= tolerance, "%s: %.17g, expected %.17g",
                      window_stat_name((enum window_stat)stat), got, expected);
    }
    window_destroy(&window);
}
END_TEST

/* The same from the definitions: everything is worked out anew from what should be in the window. */
struct model {
    double value[200];
    uint64_t weight[200];
    uint32_t capacity, count;
    double ewma;
    uint64_t total;
};

static void model_add(struct model *m, double value, uint64_t weight)
{
    if (m->count == m->capacity) {
        memmove(m->value, m->value + 1, (m->count - 1) * sizeof m->value[0]);
        memmove(m->weight, m->weight + 1, (m->count - 1) * sizeof m->weight[0]);
        m->count--;
    }
    m->value[m->count] = (double)(float)value;
    m->weight[m->count++] = weight;
    m->ewma = m->total++ ? m->ewma + 2.0 / (m->capacity + 1) * ((double)(float)value - m->ewma) : (double)(float)value;
}

static double model_quantile(const struct model *m, unsigned percent)
{
    uint64_t whole = 0;
    double best = INFINITY;
    for (uint32_t i = 0; i < m->count; i++)
        whole += m->weight[i];
    for (uint32_t i = 0; i < m->count; i++) {
        uint64_t reached = 0;
        for (uint32_t k = 0; k < m->count; k++)
            reached += m->value[k] <= m->value[i] ? m->weight[k] : 0;
        if (reached * 100 >= whole * percent)
            best = fmin(best, m->value[i]);
    }
    return best;
}

static double model_get(const struct model *m, enum window_stat stat)
{
    static const unsigned percents[WINDOW_STATS] = {
        [WINDOW_MEDIAN] = 50, [WINDOW_P90] = 90, [WINDOW_P95] = 95, [WINDOW_P99] = 99};
    long double sum = 0, weight = 0;
    double min = INFINITY, max = -INFINITY;
    for (uint32_t i = 0; i < m->count; i++) {
        sum += (long double)m->value[i] * (long double)m->weight[i];
        weight += (long double)m->weight[i];
        min = fmin(min, m->value[i]);
        max = fmax(max, m->value[i]);
    }
    switch (stat) {
    case WINDOW_LAST:
        return m->value[m->count - 1];
    case WINDOW_MEAN:
        return (double)(sum / weight);
    case WINDOW_MIN:
        return min;
    case WINDOW_MAX:
        return max;
    case WINDOW_EWMA:
        return m->ewma;
    default:
        return model_quantile(m, percents[stat]);
    }
}

/* A stream of its own for each capacity: many ties, or none; weights of 1, small, or large ones that come late. */
static void check_stream(uint32_t capacity)
{
    struct model *m = calloc(1, sizeof *m);
    struct window *window;
    state = capacity;
    m->capacity = capacity;
    ck_assert_int_eq(window_new(&window, capacity, true), 0);
    const uint32_t events = 40 + 3 * capacity, weights_from = draw(3) ? draw(events) : events;
    const uint32_t ties = draw(2), heavy = draw(2);
    for (uint32_t i = 0; i < events; i++) {
        double value = ties ? draw(8) / 8.0 : (draw(2000000) - 1e6) / 7.0;
        uint64_t weight = i < weights_from || draw(4) == 0 ? 1 : heavy ? 1 + draw(1u << 23) : 1 + draw(5);
        if (weight != 1)
            ck_assert_int_eq(window_reserve_weights(window), 0);
        window_add(window, value, weight);
        model_add(m, value, weight);
        ck_assert_uint_eq(window_count(window), m->count);
        ck_assert_uint_eq(window_total(window), m->total);
        if (i % (1 + capacity / 8))
            continue; /* the oracle is slow where windows are large */
        for (int s = 0; s < WINDOW_STATS; s++) {
            enum window_stat stat = (enum window_stat)s;
            double expected = model_get(m, stat), got = window_get(window, stat);
            double scale = ties ? 1 : 2e5;
            double tolerance = stat == WINDOW_EWMA ? 1e-12 * scale : stat == WINDOW_MEAN ? 1e-15 * scale : 0;
            ck_assert_msg(fabs(got - expected) <= tolerance, "capacity %u, event %u: %s %.17g, expected %.17g",
                          capacity, i, window_stat_name(stat), got, expected);
        }
    }
    float recent[200];
    uint32_t most = 1 + draw(200), count = window_recent(window, recent, most);
    ck_assert_uint_eq(count, most < m->count ? most : m->count);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_double_eq((double)recent[i], m->value[m->count - count + i]);
    window_destroy(&window);
    free(m);
}

START_TEST(agrees_with_the_definitions)
{
    for (uint32_t capacity = 1; capacity <= 200; capacity++)
        check_stream(capacity);
}
END_TEST

/* 1e30, then a million values of 1e-3: a running double sum would never see them again. While the giant is in, the mean
 * is its share; once it has left, the mean is the value itself, to the last bit but two. */
START_TEST(mean_forgets_a_giant)
{
    enum { CAPACITY = 1000 };
    struct window *window;
    ck_assert_int_eq(window_new(&window, CAPACITY, false), 0);
    const double small = (double)1e-3F;
    for (int i = 0; i < 1000000; i++) {
        bool giant = i % 2500 == 0;
        window_add(window, giant ? 1e30 : 1e-3, 1);
        double mean = window_get(window, WINDOW_MEAN);
        if (i % 2500 >= CAPACITY)
            ck_assert_double_eq_tol(mean, small, small * 0x1p-50);
        else if (i >= CAPACITY)
            ck_assert_double_eq_tol(mean, (double)1e30F / CAPACITY, 1e27 * 0x1p-50);
    }
    window_destroy(&window);
}
END_TEST

/* Values of every size and sign, giants that cancel each other: after 300,000 the mean is that of a window which never
 * saw the past, to the last bit, with weights and without. */
START_TEST(mean_does_not_depend_on_the_past)
{
    enum { CAPACITY = 64 };
    struct window *old = window_of(CAPACITY), *fresh = window_of(CAPACITY);
    uint64_t weights[CAPACITY];
    float values[CAPACITY];
    state = 99;
    for (int i = 0; i < 300000; i++) {
        double value = ldexp((draw(2) ? 1.0 : -1.0) * draw(1u << 24), (int)draw(250) - 150);
        uint64_t weight = draw(2) ? 1 : 1 + ((uint64_t)draw(1u << 31) << draw(30));
        window_add(old, value, weight);
        weights[i % CAPACITY] = weight;
        if (i % 5000 != 4999)
            continue;
        window_reset(fresh);
        ck_assert_uint_eq(window_recent(old, values, CAPACITY), CAPACITY);
        for (int k = 0; k < CAPACITY; k++)
            window_add(fresh, (double)values[k], weights[(i + 1 + k) % CAPACITY]);
        ck_assert_double_eq(window_get(old, WINDOW_MEAN), window_get(fresh, WINDOW_MEAN));
        ck_assert_double_eq(window_get(old, WINDOW_P95), window_get(fresh, WINDOW_P95));
    }
    window_destroy(&old);
    window_destroy(&fresh);
}
END_TEST

/* Equality in single precision is equality. `value` runs through a window of its own, as all values do. */
static const struct {
    double value[4];
    double limit;
    bool below, above;
} limits[] = {
    {{0.79, 0.81, 0.80, 0.80}, 0.80, false, false},
    {{0.9, 0.9, 0.9, 0.9}, 0.9, false, false}, /* as a float 0.9 is 0.89999998 */
    {{0.7999, 0.7999, 0.7999, 0.7999}, 0.80, true, false},
    {{0.8001, 0.8001, 0.8001, 0.8001}, 0.80, false, true},
    {{0.79, 0.80, 0.80, 0.80}, 0.80, true, false},
    {{0.799999, 0.8, 0.8, 0.8}, 0.8, true, false}, /* mean 0.79999975, four steps of a float away */
    {{0.7, 0.9, 0.85, 0.75}, 0.8, false, false},
    {{0.1, 0.2, 0.3, 0.2}, 0.2, false, false},
    {{400, 400, 400, 400}, 400, false, false},
    {{400.1, 400.1, 400.1, 400.1}, 400.1, false, false}, /* as a float 400.10001 */
    {{400.1, 400.1, 400.1, 400.1}, 400, false, true},
    {{33.3, 33.3, 33.3, 33.3}, 33.3, false, false},
    {{1e-30, 1e-30, 1e-30, 1e-30}, 1e-30, false, false},
    {{1e-30, 1e-30, 1e-30, 1e-30}, 1.001e-30, true, false},
    {{0, 0, 0, 0}, 0, false, false},
    {{-1e-30, -1e-30, -1e-30, -1e-30}, 0, true, false},
    {{-0.9, -0.9, -0.9, -0.9}, -0.9, false, false},
    {{-0.91, -0.91, -0.91, -0.91}, -0.9, true, false},
    {{1e300, 1e300, 1e300, 1e300}, 1e38, false, true}, /* saturates at FLT_MAX */
};

/* Against the error of an addition itself (Knuth, TAOCP 2, 4.2.2, theorem B), whichever of the two is the greater. */
START_TEST(an_addition_knows_whether_it_lost_something)
{
    int lost_some = 0, lost_of_the_greater = 0;
    state = 5;
    for (int i = 0; i < 100000; i++) {
        const double before = ldexp((double)draw(1u << 30) + draw(1u << 22) * 0x1p-22, (int)draw(80) - 40);
        const double term = (draw(2) ? 1 : -1) * (double)(float)ldexp((double)draw(1u << 24), (int)draw(80) - 40);
        const double whole = before + term, part = whole - before;
        const bool exact = (before - (whole - part)) + (term - part) == 0;
        double sum = before;
        ck_assert_int_eq(window_add_exactly(&sum, term), exact);
        ck_assert_double_eq(sum, whole);
        lost_some += !exact;
        lost_of_the_greater += !exact && part == term; /* what one look alone does not see */
    }
    ck_assert_int_gt(lost_some, 1000);
    ck_assert_int_lt(lost_some, 99000);
    ck_assert_int_gt(lost_of_the_greater, 1000);
}
END_TEST

START_TEST(limits_are_met_in_single_precision)
{
    struct window *window = window_of(4);
    for (int i = 0; i < 4; i++)
        window_add(window, limits[_i].value[i], 1);
    double mean = window_get(window, WINDOW_MEAN);
    ck_assert_msg(window_below(mean, limits[_i].limit) == limits[_i].below, "%.17g < %.17g", mean, limits[_i].limit);
    ck_assert_msg(window_above(mean, limits[_i].limit) == limits[_i].above, "%.17g > %.17g", mean, limits[_i].limit);
    window_destroy(&window);
}
END_TEST

/* Every limit with up to five decimals is met by windows of it, whatever the statistic; its neighbours are not. */
START_TEST(a_limit_is_met_by_itself)
{
    state = 5;
    for (int round = 0; round < 4000; round++) {
        double limit = draw(100000) / 1e5;
        struct window *window = window_of(1 + draw(16));
        for (int i = 0; i < 20; i++)
            window_add(window, limit, 1 + draw(3));
        for (int stat = 0; stat < WINDOW_STATS; stat++) {
            double got = window_get(window, (enum window_stat)stat);
            ck_assert(!window_below(got, limit) && !window_above(got, limit));
            ck_assert(window_below(got, limit + 1e-5) && window_above(got, limit - 1e-5));
        }
        window_destroy(&window);
    }
}
END_TEST

START_TEST(an_empty_window_says_nothing)
{
    struct window *window = window_of(3);
    for (int round = 0; round < 2; round++) {
        for (int stat = 0; stat < WINDOW_STATS; stat++)
            ck_assert_double_nan(window_get(window, (enum window_stat)stat));
        ck_assert_uint_eq(window_count(window), 0);
        ck_assert_uint_eq(window_total(window), 0);
        ck_assert_uint_eq(window_capacity(window), 3);
        ck_assert_uint_eq(window_recent(window, (float[3]){0}, 3), 0);
        window_add(window, 1e30, 5);
        window_add(window, -4, 1);
        window_reset(window); /* as new: the second round must say the same */
    }
    window_add(window, 2, 1);
    ck_assert_double_eq(window_get(window, WINDOW_MEAN), 2);
    ck_assert_double_eq(window_get(window, WINDOW_EWMA), 2);
    ck_assert_double_eq(window_get(window, WINDOW_MAX), 2);
    window_destroy(&window);
    ck_assert_ptr_null(window);
    window_destroy(&window);
}
END_TEST

START_TEST(without_an_order_quantiles_are_found)
{
    struct window *window;
    ck_assert_int_eq(window_new(&window, 3, false), 0);
    window_add(window, 1, 1);
    window_add(window, 2, 1);
    ck_assert_int_eq(window_reserve_weights(window), 0);
    window_add(window, 6, 2);
    ck_assert_double_eq(window_get(window, WINDOW_LAST), 6);
    ck_assert_double_eq(window_get(window, WINDOW_MEAN), 3.75);
    ck_assert_double_eq(window_get(window, WINDOW_EWMA), 3.75); /* 1, 1.5, 3.75: the weight does not count */
    ck_assert_double_eq(window_get(window, WINDOW_MIN), 1);
    ck_assert_double_eq(window_get(window, WINDOW_MEDIAN), 2);
    ck_assert_double_eq(window_get(window, WINDOW_P90), 6);
    ck_assert_double_eq(window_get(window, WINDOW_MAX), 6);
    window_destroy(&window);
}
END_TEST

/* What is kept at hand for a statistic changes no answer: a window that keeps everything, one that keeps nothing and one
 * that watches two limits agree on all of them after each value, to the last bit. Limits are values that come, so that
 * ties and edges are met; round by round values are of one kind, of every size, or the same few. */
static double draw_value(int kind)
{
    switch (kind) {
    case 0:
        return draw(1000) / 1000.0;
    case 1:
        return ldexp((draw(2) ? 1.0 : -1.0) * draw(1u << 24), (int)draw(250) - 150);
    default:
        return (double)draw(4) - 1.5;
    }
}

static void agree(const struct window *full, const struct window *lean, const struct window *watching,
                  const struct window_use *use)
{
    for (int i = 0; i < WINDOW_EWMA; i++) {
        const double expected = window_get(full, (enum window_stat)i);
        ck_assert_double_eq(window_get(lean, (enum window_stat)i), expected);
        ck_assert_double_eq(window_get(watching, (enum window_stat)i), expected);
    }
    double observed, value = window_get(full, use->rank);
    const bool below = !isnan(use->min) && window_below(value, use->min);
    const bool above = !isnan(use->max) && window_above(value, use->max);
    const int side = below ? -1 : above ? 1 : 0;
    ck_assert_int_eq(window_judge(watching, use->rank, use->min, use->max, &observed), side);
    if (side)
        ck_assert_double_eq(observed, value);
    ck_assert_int_eq(window_judge(lean, use->rank, use->min, use->max, &observed), side);
    /* What is said in short is never otherwise, and is said of what is watched. */
    ck_assert(window_within(watching, use->rank, use->min, use->max) == (side == 0) || !watching->more->watch.on);
    const int mean_side = window_judge(full, WINDOW_MEAN, use->min, use->max, &observed);
    ck_assert(!window_within(full, WINDOW_MEAN, use->min, use->max) || mean_side == 0);
    ck_assert(!window_within(lean, WINDOW_MEAN, use->min, use->max) || mean_side == 0);
    ck_assert_int_eq(window_judge(watching, use->rank, use->min, use->min, &observed),
                     isnan(use->min) ? 0 : below ? -1 : window_above(value, use->min) ? 1 : 0);
}

START_TEST(what_is_kept_changes_no_answer)
{
    state = (uint64_t)_i + 1;
    for (int round = 0; round < 20; round++) {
        const uint32_t capacity = round % 10 == 9 ? 1100 : 1 + draw(150);
        const int kind = (int)draw(3);
        struct window_use use = {.ranks = 1, .rank = (enum window_stat)(WINDOW_MIN + (int)draw(6))};
        use.min = draw(3) ? draw_value(kind) : NAN;
        use.max = draw(3) ? draw_value(kind) : NAN;
        struct window *full, *lean, *watching;
        ck_assert_int_eq(window_new(&full, capacity, true), 0);
        ck_assert_int_eq(window_new_for(&lean, capacity, &(struct window_use){.sum = draw(2)}), 0);
        ck_assert_int_eq(window_new_for(&watching, capacity, &use), 0);
        struct window *all[] = {full, lean, watching};
        const bool weighted = draw(2);
        for (uint32_t i = 0; i < 2 * capacity + 20; i++) {
            const double value = draw_value(draw(50) ? kind : 1);
            uint64_t weight = 1;
            if (weighted && i > capacity / 2)
                weight = draw(2) ? 1 : 1 + ((uint64_t)draw(1u << 31) << draw(30));
            for (int k = 0; k < 3; k++) {
                ck_assert(weight == 1 || window_reserve_weights(all[k]) == 0);
                window_add(all[k], value, weight);
            }
            if (capacity < 100 || i % 97 == 0)
                agree(full, lean, watching, &use);
        }
        for (int k = 0; k < 3; k++)
            window_destroy(&all[k]);
    }
}
END_TEST

START_TEST(sizes_and_weights_have_ends)
{
    struct window *window = NULL;
    ck_assert_int_eq(window_new(&window, 0, true), -EINVAL);
    ck_assert_ptr_null(window);
    ck_assert_int_eq(window_new(&window, WINDOW_CAPACITY_MAX + 1, true), -EINVAL);
    ck_assert_int_eq(window_new(&window, WINDOW_CAPACITY_MAX, false), 0);
    window_destroy(&window);
    window = window_of(2);
    window_add(window, 1, UINT64_MAX); /* saturates at 2^36 */
    window_add(window, 4, UINT64_C(1) << 35);
    ck_assert_double_eq(window_get(window, WINDOW_MEAN), 2);
    window_add(window, 7, UINT64_C(1) << 35);
    ck_assert_double_eq(window_get(window, WINDOW_MEAN), 5.5);
    window_add(window, -1e300, 1);
    ck_assert_double_eq(window_get(window, WINDOW_MIN), (double)-FLT_MAX);
    ck_assert(isfinite(window_get(window, WINDOW_MEAN)) && isfinite(window_get(window, WINDOW_EWMA)));
    window_destroy(&window);
}
END_TEST

START_TEST(names_of_statistics)
{
    static const char *const names[] = {"last", "mean", "min", "max", "median", "p90", "p95", "p99", "ewma"};
    enum window_stat stat;
    for (int i = 0; i < WINDOW_STATS; i++) {
        ck_assert_int_eq(window_stat_of(text_of(names[i]), &stat), 0);
        ck_assert_int_eq(stat, i);
        ck_assert_str_eq(window_stat_name(stat), names[i]);
    }
    ck_assert_int_eq(window_stat_of(text_of("p50"), &stat), -ENOENT);
    ck_assert_int_eq(window_stat_of(text_of(""), &stat), -ENOENT);
    ck_assert_int_eq(window_stat_of(text_of("Mean"), &stat), -ENOENT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("window");
    TCase *tcase = tcase_create("window");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, cases_by_hand, 0, sizeof by_hand / sizeof by_hand[0]);
    tcase_add_test(tcase, agrees_with_the_definitions);
    tcase_add_test(tcase, mean_forgets_a_giant);
    tcase_add_test(tcase, mean_does_not_depend_on_the_past);
    tcase_add_test(tcase, an_addition_knows_whether_it_lost_something);
    tcase_add_loop_test(tcase, limits_are_met_in_single_precision, 0, sizeof limits / sizeof limits[0]);
    tcase_add_test(tcase, a_limit_is_met_by_itself);
    tcase_add_test(tcase, an_empty_window_says_nothing);
    tcase_add_test(tcase, without_an_order_quantiles_are_found);
    tcase_add_loop_test(tcase, what_is_kept_changes_no_answer, 0, 6);
    tcase_add_test(tcase, sizes_and_weights_have_ends);
    tcase_add_test(tcase, names_of_statistics);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

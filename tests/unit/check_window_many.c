/* Values that two windows side by side take at once come to what they come to one by one, to the last bit. */
#include <check.h>
#include <stdlib.h>

#include "bench/streams.h"
#include "lib/stats/window_inside.h"
#include "tests/rounds.h"
#include "tests/run_suite.h"

#define CAPACITY 96
#define ROUNDS ROUNDS_OR(3000, 600)
#define AFRESH 60 /* rounds; a sum that has lost something once is not taken at once any more */

enum kind { USUAL, NEGATIVE, BOTH_SIGNS, ZEROS, FINE_ONES, LARGE_ONES, TINY, KINDS };

struct pair {
    struct window first, second;
    float ring[CAPACITY * 3];
};

static void pair_make(struct pair *self, bool sums)
{
    const struct window_use first = {.ewma = true, .sum = sums, .min = NAN, .max = NAN},
                            second = {.ewma = true, .sum = true, .min = NAN, .max = 45, .ranks = 1, .rank = WINDOW_P95};
    ck_assert_int_eq(window_init(&self->first, CAPACITY, &first), 0);
    ck_assert_int_eq(window_init(&self->second, CAPACITY, &second), 0);
    memset(self->ring, 0, sizeof self->ring);
    self->first.values = self->ring + 1;
    self->second.values = self->ring + 2;
    self->first.stride = self->second.stride = 3;
}

static void pair_clear(struct pair *self)
{
    window_clear(&self->first);
    window_clear(&self->second);
}

static void same_window(const struct window *a, const struct window *b)
{
    ck_assert_mem_eq(&a->sum, &b->sum, sizeof a->sum);
    ck_assert_mem_eq(&a->ewma, &b->ewma, sizeof a->ewma);
    ck_assert(a->total == b->total && a->next == b->next && a->exact == b->exact);
    ck_assert(!a->more == !b->more);
    if (a->more)
        ck_assert(a->more->watch.below_weight == b->more->watch.below_weight &&
                  a->more->watch.above_weight == b->more->watch.above_weight);
}

static double value_of(struct stream *s, enum kind kind)
{
    const double usual = 40 + 3 * stream_uniform(s), rare = stream_uniform(s);
    switch (kind) {
    case NEGATIVE:
        return -usual;
    case BOTH_SIGNS:
        return rare < 0.5 ? -usual : usual;
    case ZEROS:
        return rare < 0.2 ? 0.0 : rare < 0.3 ? -0.0 : usual;
    case FINE_ONES: /* for which a double has room beside others up to 4096, about what they are together */
        return rare < 0.01 ? 0x1.000002p-18 : usual + 1.6;
    case LARGE_ONES: /* beside which it has no room for others */
        return rare < 0.002 ? 1e30 : rare < 0.004 ? 1e-25 : usual;
    case TINY:
        return rare < 0.5 ? 0x1p-149 : 1e-40;
    default:
        return rare < 0.01 ? 50 : usual;
    }
}

/* Returns how often they were taken at once. */
static uint32_t run(enum kind kind, bool alone, bool singles, bool sums)
{
    static struct pair one, many;
    struct stream s = stream_seeded(5, (uint64_t)kind);
    uint32_t taken = 0;
    pair_make(&one, sums);
    pair_make(&many, sums);
    const double rate = window_rate(&one.first);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (round % AFRESH == 0) {
            pair_clear(&one);
            pair_clear(&many);
            pair_make(&one, sums);
            pair_make(&many, sums);
        }
        double values[WINDOW_MANY * 2];
        float floats[WINDOW_MANY * 2];
        const uint32_t room = CAPACITY - many.first.next, most = 1 + (uint32_t)(stream_uniform(&s) * WINDOW_MANY),
                       count = most < room ? most : room;
        for (uint32_t i = 0; i < 2 * count; i++) {
            values[i] = value_of(&s, kind);
            floats[i] = (float)values[i];
            if (i % 2 == 0 || !alone)
                window_add_plain(i % 2 ? &one.second : &one.first, window_single(values[i]), rate);
        }
        const size_t each = singles ? sizeof *floats : sizeof *values;
        const struct window_numbers first = {singles ? (char *)floats : (char *)values, (uint32_t)(2 * each), singles},
                                    second = {first.at + each, first.stride, singles};
        if (window_add_many(&many.first, alone ? NULL : &many.second, first, each, count, rate)) {
            taken++;
        } else {
            window_add_all(&many.first, first, count, rate);
            if (!alone)
                window_add_all(&many.second, second, count, rate);
        }
        same_window(&one.first, &many.first);
        same_window(&one.second, &many.second);
        ck_assert_mem_eq(one.ring, many.ring, sizeof one.ring);
    }
    pair_clear(&one);
    pair_clear(&many);
    return taken;
}

START_TEST(many_are_as_one_by_one)
{
    const uint32_t taken = run((enum kind)(_i / 8), _i & 1, _i & 2, _i & 4);
    (void)taken;
#ifdef __SSE2__ /* elsewhere none is */
    if (_i / 8 == USUAL || _i / 8 == NEGATIVE)
        ck_assert_uint_gt(taken, ROUNDS / 8);
    if (_i / 8 == USUAL && _i & 1)
        ck_assert_uint_gt(taken, ROUNDS * 3 / 4);
    if (_i / 8 == BOTH_SIGNS && _i & 4)
        ck_assert_uint_lt(taken, ROUNDS / 20); /* those of very few */
#endif
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("window_many");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, many_are_as_one_by_one, 0, 8 * KINDS);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

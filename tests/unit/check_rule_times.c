/* Rules that share a record of their times know them as if each kept its own. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/streams.h"
#include "lib/lines.h"
#include "lib/monitor/rule_set.h"
#include "tests/run_suite.h"

#define RULES 4

static struct drift_rule rules[RULES];
static struct rule_set set;
static struct moments own[RULES]; /* what each would keep by itself */

static void *block;

static void *rules_begin(struct rule_set *of)
{
    size_t bytes;
    ck_assert_int_eq(rule_set_room(rules, RULES, 20, &bytes), 0);
    char *begun = lines_new(bytes);
    ck_assert_ptr_nonnull(begun);
    rule_set_open(of, rules, RULES, begun + 20);
    ck_assert_uint_eq((uintptr_t)of->states[0] % LINES_BYTES, 0);
    ck_assert((char *)of->states[RULES - 1] + rule_state_bytes(&rules[RULES - 1]) == begun + bytes);
    return begun;
}

static void enter(void)
{
    memset(rules, 0, sizeof rules);
    memset(own, 0, sizeof own);
    for (uint32_t i = 0; i < RULES; i++) {
        rules[i] = (struct drift_rule){.detector = "cusum", .kpi = RULE_NO_KPI};
        snprintf(rules[i].metric, sizeof rules[i].metric, "m%u", i);
        ck_assert_int_eq(detect_params_init(&rules[i].params, "cusum", NULL), 0);
    }
    block = rules_begin(&set);
}

static void leave(void)
{
    rule_set_close(&set);
    lines_free(block);
    for (uint32_t i = 0; i < RULES; i++)
        moments_clear(&own[i]);
}

/* An event with the metrics of the rules whose bits are set. */
static void send(unsigned bits, double at_s)
{
    struct metric metrics[RULES];
    struct rule_alarm alarm;
    struct metric_event event = {.n = 1, .metrics = metrics};
    for (uint32_t i = 0; i < RULES; i++) {
        if (!(bits >> i & 1))
            continue;
        metrics[event.metric_count++] =
            (struct metric){.name = text_of(rules[i].metric), .kind = METRIC_NUMBER, .number = 1};
        moments_add(&own[i], at_s);
    }
    rule_set_take(&set, &event, NULL, (int64_t)(at_s * 1e9), at_s, &alarm);
}

/* Several values for these rules at once, as what has waited is taken. */
static void hand_over(unsigned bits, const double *at_s, uint32_t count)
{
    const double values[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (uint32_t i = 0; i < RULES; i++) {
        if (!(bits >> i & 1))
            continue;
        rule_state_take_quiet(set.states[i], &rules[i], values, count);
        moments_add_all(&own[i], at_s, count);
    }
    rule_set_came(&set, at_s, count);
}

static void compare(const struct rule_set *of)
{
    for (uint32_t i = 0; i < RULES; i++) {
        const struct rule_times *times = of->states[i]->times;
        ck_assert_uint_eq(rule_state_taken(of->states[i]), own[i].count);
        if (own[i].count == 0) {
            ck_assert_ptr_null(times);
            continue;
        }
        ck_assert_uint_eq(times->moments.count, own[i].count);
        for (uint64_t index = 0; index < own[i].count; index++)
            ck_assert_double_eq(moments_get(&times->moments, index), moments_get(&own[i], index));
    }
}

START_TEST(each_is_told_what_it_has_taken)
{
    struct stream s = stream_seeded(5, (uint64_t)_i);
    double now_s = 1e3;
    for (uint32_t round = 0; round < 1200; round++) {
        const unsigned bits = stream_uniform(&s) < 0.99 ? 15 : (unsigned)(stream_uniform(&s) * 16);
        double at_s[8];
        const uint32_t count = 1 + (uint32_t)(stream_uniform(&s) * 8);
        for (uint32_t i = 0; i < count; i++)
            at_s[i] = now_s += stream_uniform(&s);
        if (round % 2)
            send(bits, at_s[0]);
        else
            hand_over(bits, at_s, count);
        if (round % 100 == 0)
            compare(&set);
    }
    compare(&set);
}
END_TEST

START_TEST(who_takes_the_same_shares_one_record)
{
    for (int i = 0; i < 1000; i++)
        send(15, 1000 + i);
    for (uint32_t i = 1; i < RULES; i++)
        ck_assert_ptr_eq(set.states[i]->times, set.states[0]->times);
    ck_assert_uint_eq(set.states[0]->times->users, RULES);
    send(5, 2000);
    ck_assert_ptr_eq(set.states[0]->times, set.states[2]->times);
    ck_assert_ptr_eq(set.states[1]->times, set.states[3]->times);
    ck_assert_ptr_ne(set.states[0]->times, set.states[1]->times);
    ck_assert_uint_eq(set.states[0]->times->users, 2);
    send(15, 2001);
    compare(&set);
    /* They begin anew together. */
    rule_set_skip(&set, false);
    for (uint32_t i = 0; i < RULES; i++)
        moments_clear(&own[i]);
    send(15, 3000);
    ck_assert_uint_eq(set.states[3]->times->users, RULES);
    compare(&set);
}
END_TEST

START_TEST(who_shares_does_so_after_a_restart)
{
    static uint8_t saved[1 << 16];
    struct rule_set loaded;
    for (int i = 0; i < 700; i++)
        send(i == 300 ? 14 : 15, 1000 + i);
    struct codec saving = {.out = saved, .size = sizeof saved};
    rule_set_walk(&set, &saving, 0);
    ck_assert(!saving.failed);
    void *other = rules_begin(&loaded);
    struct codec loading = {.in = saved, .size = saving.at};
    rule_set_walk(&loaded, &loading, 0);
    ck_assert(!loading.failed);
    ck_assert_uint_eq(loaded.states[0]->times->users, 1);
    ck_assert_uint_eq(loaded.states[1]->times->users, RULES - 1);
    compare(&loaded);
    rule_set_close(&loaded);
    lines_free(other);
}
END_TEST

/* Times that nobody knows of, since there was no memory: the newest are known again from the next value on. */
START_TEST(what_was_not_kept_came_by_the_next)
{
    for (int i = 0; i < 300; i++)
        send(15, 1000 + i);
    for (uint32_t i = 0; i < RULES; i++)
        rule_times_leave(set.states[i]);
    const struct detect_verdict verdict = {.changed_at = 290};
    ck_assert_double_eq(rule_state_change_s(set.states[0], &verdict, 7), 7);
    for (int i = 0; i < 20; i++)
        send(15, 5000 + i);
    ck_assert_uint_eq(set.states[0]->times->users, RULES);
    ck_assert_uint_eq(set.states[0]->times->moments.count, 320);
    ck_assert_double_eq(rule_state_change_s(set.states[0], &verdict, 7), 5000);
    ck_assert_double_eq(moments_get(&set.states[0]->times->moments, 319), 5019);
    ck_assert_double_eq(moments_get(&set.states[0]->times->moments, 317), 5017);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule_times");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, enter, leave);
    tcase_add_loop_test(all, each_is_told_what_it_has_taken, 0, 10);
    tcase_add_test(all, who_takes_the_same_shares_one_record);
    tcase_add_test(all, who_shares_does_so_after_a_restart);
    tcase_add_test(all, what_was_not_kept_came_by_the_next);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/retrain/strategy.h"
#include "tests/run_suite.h"

#define THREE strategy_defaults, 3

static const char *choose(const char *way, uint32_t attempt, const uint32_t *tried, uint64_t requests, uint64_t seed,
                          const char *request, const char **reason_p)
{
    static char reason[STRATEGY_REASON_MAX];
    struct strategy_context context = {.seed = seed,
                                       .request = text_of(request),
                                       .family = text_of("p/n"),
                                       .family_requests = requests,
                                       .attempt = attempt,
                                       .tried = tried};
    uint32_t index = strategy_choose(text_of(way), THREE, &context, reason);
    if (reason_p)
        *reason_p = reason;
    return strategy_defaults[index].name;
}

START_TEST(defaults_are_the_three)
{
    ck_assert_uint_eq(strategy_default_count, 3);
    ck_assert_str_eq(strategy_defaults[0].name, "grid_search");
    ck_assert_double_eq(strategy_defaults[0].gpu_hours, 8);
    ck_assert_str_eq(strategy_defaults[0].parameters_json, "{\"grid\":\"small\"}");
    ck_assert_str_eq(strategy_defaults[1].name, "bayesian");
    ck_assert_double_eq(strategy_defaults[1].gpu_hours, 3);
    ck_assert_str_eq(strategy_defaults[1].parameters_json, "{\"trials\":40}");
    ck_assert_str_eq(strategy_defaults[2].name, "pbt");
    ck_assert_double_eq(strategy_defaults[2].gpu_hours, 12);
    ck_assert_str_eq(strategy_defaults[2].parameters_json, "{\"population\":8}");
}
END_TEST

START_TEST(ways_are_known_by_name)
{
    static const char *const good[] = {"history", "cheapest", "round_robin", "random", "pbt", "grid_search", "bayesian"};
    static const char *const bad[] = {"", "History", "Cheapest", "pb", "pbtx"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_assert_int_eq(strategy_choice_check(text_of(good[i]), THREE), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(strategy_choice_check(text_of(bad[i]), THREE), -ENOENT);
}
END_TEST

START_TEST(cheapest_says_why)
{
    const char *reason;
    ck_assert_str_eq(choose("cheapest", 1, NULL, 0, 0, "x", &reason), "bayesian");
    ck_assert_str_eq(reason, "bayesian: the cheapest of 3 strategies at 3 GPU-hours (pbt 12, grid_search 8)");
    static const uint32_t tried[] = {1, 0, 2, 1};
    ck_assert_str_eq(choose("cheapest", 2, tried, 0, 0, "x", &reason), "grid_search");
    ck_assert_str_eq(reason, "grid_search: the cheapest of 2 strategies not yet tried at 8 GPU-hours (pbt 12), attempt 2 "
                             "after bayesian");
    ck_assert_str_eq(choose("cheapest", 3, tried, 0, 0, "x", &reason), "pbt");
    ck_assert_str_eq(reason, "pbt: the only strategy not yet tried, 12 GPU-hours, attempt 3 after grid_search");
    /* All tried once: it begins anew. */
    ck_assert_str_eq(choose("cheapest", 4, tried, 0, 0, "x", &reason), "bayesian");
    ck_assert_str_eq(choose("cheapest", 5, tried, 0, 0, "x", &reason), "grid_search");
}
END_TEST

START_TEST(round_robin_goes_round)
{
    static const char *const order[] = {"grid_search", "bayesian", "pbt"};
    for (uint64_t n = 0; n < 9; n++)
        ck_assert_str_eq(choose("round_robin", 1, NULL, n, 0, "x", NULL), order[n % 3]);
    /* A retry takes its turn too, past what was tried. */
    static const uint32_t tried[] = {1};
    ck_assert_str_eq(choose("round_robin", 2, tried, 1, 0, "x", NULL), "pbt");
    static const uint32_t tried_next[] = {2};
    ck_assert_str_eq(choose("round_robin", 2, tried_next, 1, 0, "x", NULL), "grid_search");
}
END_TEST

START_TEST(named_goes_first_and_then_another)
{
    const char *reason;
    ck_assert_str_eq(choose("pbt", 1, NULL, 0, 0, "x", &reason), "pbt");
    ck_assert_str_eq(reason, "pbt: named by the configuration, 12 GPU-hours");
    static const uint32_t tried[] = {2, 1, 0};
    ck_assert_str_eq(choose("pbt", 2, tried, 0, 0, "x", NULL), "bayesian");
    ck_assert_str_eq(choose("pbt", 4, tried, 0, 0, "x", NULL), "pbt");
}
END_TEST

/* The same seed tells the same story; each of three is drawn about a third of the time: of 30,000 draws of a fair coin of
 * three sides, six standard deviations are 490. */
START_TEST(random_follows_from_the_seed)
{
    uint32_t counts[3] = {0}, differ = 0;
    for (int i = 0; i < 30000; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        const char *first = choose("random", 1, NULL, 0, 7, id, NULL);
        ck_assert_str_eq(choose("random", 1, NULL, 99, 7, id, NULL), first);
        differ += strcmp(choose("random", 1, NULL, 0, 8, id, NULL), first) != 0;
        for (int k = 0; k < 3; k++)
            counts[k] += strcmp(first, strategy_defaults[k].name) == 0;
    }
    for (int k = 0; k < 3; k++)
        ck_assert_int_lt(abs((int)counts[k] - 10000), 490);
    ck_assert_int_lt(abs((int)differ - 20000), 490);
    static const uint32_t tried[] = {0, 2};
    ck_assert_str_eq(choose("random", 3, tried, 0, 7, "x", NULL), "bayesian");
}
END_TEST

START_TEST(one_strategy_is_taken_again)
{
    char reason[STRATEGY_REASON_MAX];
    struct strategy one = {.name = "mine", .gpu_hours = 0.5, .parameters_json = "{}"};
    static const uint32_t tried[] = {0, 0};
    struct strategy_context context = {.request = text_of("x"), .family = text_of("p/n"), .attempt = 3, .tried = tried};
    ck_assert_uint_eq(strategy_choose(text_of("random"), &one, 1, &context, reason), 0);
    ck_assert_str_eq(reason, "mine: the only strategy, 0.5 GPU-hours, attempt 3 after mine");
}
END_TEST

/* Attempts under a configuration that had other strategies are not in the table any more. */
START_TEST(unknown_attempts_do_no_harm)
{
    static const uint32_t tried[] = {UINT32_MAX, 1};
    const char *reason;
    ck_assert_str_eq(choose("cheapest", 2, tried, 0, 0, "x", &reason), "bayesian");
    ck_assert_ptr_nonnull(strstr(reason, ", attempt 2"));
    ck_assert_str_eq(choose("cheapest", 3, tried, 0, 0, "x", NULL), "grid_search");
}
END_TEST

START_TEST(a_reason_fits)
{
    struct strategy many[64];
    char reason[STRATEGY_REASON_MAX];
    for (int i = 0; i < 64; i++) {
        memset(many[i].name, 'a', STRATEGY_NAME_MAX);
        many[i].name[STRATEGY_NAME_MAX] = '\0';
        many[i].name[0] = (char)('A' + i % 26);
        many[i].gpu_hours = 64 - i;
        many[i].parameters_json = "{}";
    }
    struct strategy_context context = {.request = text_of("x"), .family = text_of("p/n"), .attempt = 1};
    ck_assert_uint_eq(strategy_choose(text_of("cheapest"), many, 64, &context, reason), 63);
    ck_assert_uint_lt(strlen(reason), STRATEGY_REASON_MAX);
    ck_assert_ptr_nonnull(strstr(reason, "the cheapest of 64 strategies at 1 GPU-hours ("));
    ck_assert_int_eq(reason[strlen(reason) - 1], ')');
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("strategy");
    TCase *tests = tcase_create("choices");
    tcase_add_test(tests, defaults_are_the_three);
    tcase_add_test(tests, ways_are_known_by_name);
    tcase_add_test(tests, cheapest_says_why);
    tcase_add_test(tests, round_robin_goes_round);
    tcase_add_test(tests, named_goes_first_and_then_another);
    tcase_add_test(tests, random_follows_from_the_seed);
    tcase_add_test(tests, one_strategy_is_taken_again);
    tcase_add_test(tests, unknown_attempts_do_no_harm);
    tcase_add_test(tests, a_reason_fits);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

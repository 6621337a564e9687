/* Explanations of promises that end somewhere. */
#include "explain_case.h"

/* What the whole keeps to is what its rules do, also where a budget asks for more than any promise. */
START_TEST(the_whole_is_what_its_rules_keep_to)
{
    static const char text[] = "fleet_false_alarms: 1 per 1d\nbudgets:\n  - {models: '*', drift: [{metric: accuracy, detector: cusum}, "
                               "{metric: accuracy, detector: ewma}]}\n"
                               "  - {models: shop/detector/v1, false_alarms: %s}\n";
    static const struct {
        const char *alarms, *rule, *whole;
    } cases[] = {{"1 per 30d", "once in 31.7 years", "at most once in 15.8 years on average (the budget is once in 274 years: beyond"},
                 {"1 per 1e12 events", "once in 31.7 years", "and at most once in 500,000,000,000 values on average (the budget is "
                                                             "once in 274 years"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml, text, cases[i].alarms);
        struct config *config = parse_good(yaml);
        json_t *json = explain(config, NULL);
        holds(says(json, "accuracy cusum", "false alarms"), cases[i].rule);
        holds(text_at(json, "summary"), "2 rules keep together to the budget of false alarms: wrong at most once in 15.8 years");
        holds(text_at(json, "summary"), cases[i].whole);
        json_decref(json);
        config_destroy(&config);
    }
}
END_TEST

/* A chart that cannot keep its promise at the rate that counts says so, and up to which one it can. */
START_TEST(a_promise_that_no_threshold_keeps)
{
    static const char text[] = "budgets:\n  - {models: '*', drift: [{metric: accuracy, detector: cusum, reference: 100}]}\n"
                               "  - {models: shop/detector/v1, event_rate: %s}\n";
    static const struct {
        const char *rate, *says;
    } cases[] = {{"auto", "cannot be promised for the 1,000 values a second that are assumed before the rate is known: with its parameters "
                          "no threshold keeps to its share of the budget, and the strictest there is judges. Up to 10 values a second "
                          "it can be"},
                 {"50/s", "cannot be promised at the given rate of 50 values a second: with its parameters no threshold"},
                 {"1/s", "once in 30 days, on average"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char yaml[512];
        snprintf(yaml, sizeof yaml, text, cases[i].rate);
        struct config *config = parse_good(yaml);
        json_t *json = explain(config, NULL);
        const json_t *rule = rule_named(json, "accuracy cusum");
        holds(says(json, "accuracy cusum", "false alarms"), cases[i].says);
        ck_assert_int_eq(json_is_null(json_object_get(rule, "promise")), i < 2);
        ck_assert_int_eq(json_number_value(json_object_get(rule, "threshold")) == 100, i < 2);
        json_decref(json);
        config_destroy(&config);
    }
}
END_TEST

/* Its rate is nobody's promise, so there is nothing for it to share. */
START_TEST(a_distance_with_a_threshold_of_its_own_takes_no_share)
{
    struct config *config = parse_good("budgets:\n  - {models: '*', false_alarms: 1 per 100000 events, drift: [{metric: a, detector: "
                                       "cusum, mean: 0.5, sd: 0.25}, {metric: b, detector: ewma, mean: 0, sd: 1}, {metric: a, detector: psi, threshold: 0.2}]}\n");
    json_t *json = explain(config, NULL);
    holds(says(json, "a cusum", "false alarms"), "once in 200,000 values, ");
    holds(says(json, "b ewma", "sees"), "a rise of five percent of its level, which is 0, is too small");
    holds(says(json, "a psi", "false alarms"), "cannot be promised: ");
    ck_assert_str_eq(says(json, "a cusum", "reference"), "given: level 0.5, standard deviation of single values 0.25");
    json_decref(json);
    config_destroy(&config);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("explain promises");
    tcase_add_test(cases, the_whole_is_what_its_rules_keep_to);
    tcase_add_test(cases, a_promise_that_no_threshold_keeps);
    tcase_add_test(cases, a_distance_with_a_threshold_of_its_own_takes_no_share);
    return run_tests(cases, "explain promises");
}

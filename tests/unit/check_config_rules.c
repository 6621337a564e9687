/* Statistical rules in the configuration: what they come to, and what is refused. */
#include "tests/unit/check_config.h"

#include <math.h>

static const struct monitor_settings *settings_of(struct config *config, const char *id)
{
    struct model_id model;
    const struct monitor_settings *settings = NULL;
    ck_assert_int_eq(model_id_parse(&model, text_of(id)), 0);
    ck_assert_int_eq(config_settings_for(config, &model, &settings), 0);
    ck_assert_ptr_nonnull(settings);
    return settings;
}

/* "text promise;" for each rule: of its last step, 0 where there is none. */
static const char *rules_of(const struct monitor_settings *settings)
{
    static char text[4096];
    *text = '\0';
    for (uint32_t i = 0; i < settings->rule_count; i++) {
        const struct drift_rule *rule = &settings->rules[i];
        char name[RULE_TEXT_MAX];
        size_t length = strlen(text);
        drift_rule_text(rule, name);
        snprintf(text + length, sizeof(text) - length, "%s %g; ", name,
                 rule->step_count ? rule->steps[rule->step_count - 1].promise : 0);
    }
    return text;
}

START_TEST(a_budget_is_shared_by_the_rules_that_promise)
{
    struct config *c = parse_good("budgets:\n"
                                  "  - models: \"*\"\n"
                                  "    false_alarms: 2 per 100000 events\n"
                                  "    kpis: {accuracy: {min: 0.8, test: evidence}, latency_ms: {max: 250}}\n"
                                  "    drift:\n"
                                  "      - {metric: latency_ms, detector: shewhart, direction: up}\n"
                                  "      - {metric: sure, detector: adwin, direction: both}\n"
                                  "      - {metric: light, detector: psi}\n");
    const struct monitor_settings *s = settings_of(c, "a/b/c");
    /* 50000 events for each alarm of the model, three rules that promise. */
    ck_assert_str_eq(rules_of(s), "accuracy evidence < 0.8 150000; latency_ms shewhart up 150000; sure adwin 0; "
                                  "light psi 150000; ");
    ck_assert_uint_eq(s->rules[0].step_count, 1);
    ck_assert_int_eq(s->kpis[0].test, KPI_EVIDENCE);
    ck_assert_double_eq(detect_params_get(&s->rules[1].params, "prewhiten"), 1);
    ck_assert_double_eq(detect_params_get(&s->rules[1].params, "log"), 2);
    ck_assert_double_eq(s->alarms.every_events, 50000);
    ck_assert_double_eq(s->alarms.every_s, 0);
    struct config_place place;
    ck_assert(config_settings_place(c, s, "drift", &place));
    ck_assert_uint_eq(place.line, 6);
    ck_assert(config_settings_place(c, s, "kpis.accuracy.test", &place));
    ck_assert_uint_eq(place.line, 4);
    config_destroy(&c);
}
END_TEST

START_TEST(a_time_becomes_events)
{
    static const char text[] = "budgets:\n"
                               "  - {models: \"*\", kpis: {accuracy: {min: 0.8, test: evidence}}}\n"
                               "  - {models: given, false_alarms: 1 per 10d, event_rate: 90/m}\n";
    struct config *c = parse_good(text);
    const struct monitor_settings *s = settings_of(c, "any/b/c");
    ck_assert_uint_eq(s->rules[0].step_count, RULE_STEPS_MAX);
    for (uint32_t i = 0; i < RULE_STEPS_MAX; i++)
        ck_assert_double_eq_tol(s->rules[0].steps[i].promise, 30 * 86400 * rule_step_rate(i), 1e-3);
    ck_assert_double_eq(s->event_rate, 0);
    ck_assert_uint_eq(rule_step_for(&s->rules[0], 0.0001), 0);
    ck_assert_uint_eq(rule_step_for(&s->rules[0], 1), 2);
    ck_assert_uint_eq(rule_step_for(&s->rules[0], 1.1), 3);
    ck_assert_uint_eq(rule_step_for(&s->rules[0], 1e9), RULE_STEPS_MAX - 1);
    ck_assert_str_eq(rules_of(settings_of(c, "given/b/c")), "accuracy evidence < 0.8 1.296e+06; ");
    config_destroy(&c);
}
END_TEST

START_TEST(a_fleet_bounds_the_sum)
{
    static const char blocks[] = "budgets:\n"
                                 "  - models: \"*\"\n"
                                 "    event_rate: 1/s\n"
                                 "    kpis: {accuracy: {min: 0.8, test: evidence}}\n"
                                 "  - {models: rare, false_alarms: 1 per 3000d}\n"
                                 "  - {models: counted, false_alarms: 1 per 100 events}\n";
    char text[1024];
    snprintf(text, sizeof(text), "metrics: {max_models: 1000}\nfleet_false_alarms: 2 per 1d\n%s", blocks);
    struct config *c = parse_good(text);
    /* A thousandth of 2 a day is one in 500 days: stricter than 1 per 30d, less strict than 1 per 3000d. */
    ck_assert_str_eq(rules_of(settings_of(c, "any/b/c")), "accuracy evidence < 0.8 4.32e+07; ");
    ck_assert_str_eq(rules_of(settings_of(c, "rare/b/c")), "accuracy evidence < 0.8 2.592e+08; ");
    ck_assert_str_eq(rules_of(settings_of(c, "counted/b/c")), "accuracy evidence < 0.8 4.32e+07; ");
    config_destroy(&c);
    snprintf(text, sizeof(text), "fleet_false_alarms: 1 per 5000 events\n%s", blocks);
    c = parse_good(text);
    ck_assert_str_eq(rules_of(settings_of(c, "any/b/c")), "accuracy evidence < 0.8 2.592e+06; ");
    ck_assert_str_eq(rules_of(settings_of(c, "counted/b/c")), "accuracy evidence < 0.8 5000; ");
    config_destroy(&c);
}
END_TEST

START_TEST(a_list_is_replaced_whole)
{
    struct config *c = parse_good("budgets:\n"
                                  "  - models: \"*\"\n"
                                  "    drift: [{metric: a, detector: adwin}, {metric: b, detector: ddm}]\n"
                                  "  - {models: other, drift: [{metric: c, detector: kswin, alpha: 0.001}]}\n"
                                  "  - {models: none, drift: []}\n"
                                  "  - {models: same, window: 7}\n");
    ck_assert_str_eq(rules_of(settings_of(c, "any/b/c")), "a adwin 0; b ddm 0; ");
    ck_assert_str_eq(rules_of(settings_of(c, "same/b/c")), "a adwin 0; b ddm 0; ");
    ck_assert_str_eq(rules_of(settings_of(c, "other/b/c")), "c kswin 0; ");
    ck_assert_double_eq(detect_params_get(&settings_of(c, "other/b/c")->rules[0].params, "alpha"), 0.001);
    ck_assert_str_eq(rules_of(settings_of(c, "none/b/c")), "");
    config_destroy(&c);
}
END_TEST

START_TEST(evidence_on_both_sides_of_a_range)
{
    struct config *c = parse_good(
        "budgets: [{models: \"*\", false_alarms: 1 per 1000 events,"
        " kpis: {quality: {min: 2, max: 4, test: evidence, range: [1, 5]}, expected_accuracy: {min: 0.7, test: evidence}}},"
        " {models: back, kpis: {quality: {test: window}, expected_accuracy: off}}]");
    const struct monitor_settings *s = settings_of(c, "any/b/c");
    ck_assert_str_eq(rules_of(s), "quality evidence < 2 3000; quality evidence > 4 3000; "
                                  "expected_accuracy evidence < 0.7 3000; ");
    ck_assert_double_eq(detect_params_get(&s->rules[1].params, "low"), 1);
    ck_assert_double_eq(detect_params_get(&s->rules[1].params, "high"), 5);
    ck_assert_uint_eq(s->rules[2].kpi, 1);
    ck_assert_str_eq(rules_of(settings_of(c, "back/b/c")), "");
    config_destroy(&c);
}
END_TEST

/* What does not promise, or knows its reference, may have as few values as it likes. */
START_TEST(a_short_reference_is_for_those_that_do_not_rest_on_it)
{
    struct config *c = parse_good("budgets:\n"
                                  "  - models: \"*\"\n"
                                  "    drift:\n"
                                  "      - {metric: a, detector: cusum, reference: 100}\n"
                                  "      - {metric: a, detector: cusum, mean: 3, sd: 1, reference: 20}\n"
                                  "      - {metric: a, detector: page_hinkley, reference: 50}\n"
                                  "      - {metric: a, detector: ks, reference: 60, window: 20}\n");
    config_destroy(&c);
}
END_TEST

START_TEST(a_known_reference_is_taken_as_it_is)
{
    struct config *c = parse_good("budgets: [{models: \"*\", false_alarms: 1 per 100 events, drift: ["
                                  "{metric: a, detector: shewhart, mean: 3, sd: 1},"
                                  "{metric: a, detector: shewhart, mean: 3, sd: 1, robust: true}]}]");
    const struct monitor_settings *s = settings_of(c, "any/b/c");
    ck_assert_double_eq(detect_params_get(&s->rules[0].params, "prewhiten"), 0);
    ck_assert_double_eq(detect_params_get(&s->rules[0].params, "robust"), 0);
    ck_assert_double_eq(detect_params_get(&s->rules[1].params, "robust"), 1);
    config_destroy(&c);
}
END_TEST

START_TEST(promises_are_worked_out_once)
{
    struct config *c = parse_good("budgets:\n"
                                  "  - {models: \"*\", false_alarms: 1 per 100 events,"
                                  " drift: [{metric: a, detector: shewhart}, {metric: b, detector: shewhart}]}\n"
                                  "  - {models: p, window: 9}\n");
    const struct monitor_settings *s = settings_of(c, "any/b/c"), *other = settings_of(c, "p/b/c");
    ck_assert_ptr_ne(s, other);
    ck_assert_ptr_eq(s->rules[0].steps, s->rules[1].steps);
    ck_assert_ptr_eq(s->rules[0].steps, other->rules[0].steps);
    config_destroy(&c);
}
END_TEST

START_TEST(mistakes_of_rules)
{
    expect_told("budgets:\n"
                "  - models: \"*\"\n"
                "    drift:\n"
                "      - {metric: a, detector: cusmu}\n"
                "      - {metric: a, detector: ddm, colour: 3}\n"
                "      - {metric: a, detector: ewma, lambda: 2}\n"
                "      - {metric: A, detector: ewma}\n"
                "      - {metric: a}\n"
                "      - {detector: ewma}\n"
                "      - {metric: a, detector: adwin, direction: up}\n"
                "      - {metric: recall, detector: evidence}\n"
                "      - {metric: a, detector: cusum, mean: 3}\n"
                "      - cusum\n"
                "      - {metric: a, detector: [cusum]}\n"
                "      - {metric: a, detector: cusum, k: }\n"
                "      - {metric: a, detector: evidence, budget: 0.5, high: 2}\n"
                "      - {metric: a, detector: ewma, reference: 99}\n"
                "      - {metric: a, detector: cusum, mean: 3, sd: 1, prewhiten: true, reference: 20}\n",
                "4:31: budgets[].drift[].detector: no detector \"cusmu\"; there are evidence, cusum, ewma, shewhart, "
                "page_hinkley, adwin, ddm, eddm, hddm_a, hddm_w, kswin, psi, ks, js, wasserstein, chi2\n"
                "5:36: budgets[].drift[]: colour: no parameter of ddm, which has warm_start, warning_threshold, "
                "drift_threshold\n"
                "6:45: budgets[].drift[]: lambda: 2 is not allowed; it takes a number of at least 0.001 and at most 1\n"
                "7:18: budgets[].drift[].metric: no name of a metric; allowed: a small letter, then up to 63 small "
                "letters, digits, '_' and '.'\n"
                "8:9: budgets[].drift[]: the key detector is missing; a rule takes metric, detector and the "
                "parameters of that detector\n"
                "9:9: budgets[].drift[]: the key metric is missing; a rule takes metric, detector and the parameters "
                "of that detector\n"
                "10:49: budgets[].drift[].direction: adwin finds changes in both directions; allowed: both\n"
                "11:9: budgets[].drift[]: budget: evidence needs one, between low and high\n"
                "12:9: budgets[].drift[]: mean and sd go together: give both for a known reference, or none\n"
                "13:9: budgets[].drift[]: \"cusum\" cannot stand here; allowed: a list of rules, as in - {metric: "
                "accuracy, detector: cusum}\n"
                "14:31: budgets[].drift[].detector: no name; allowed: the name of a detector, as in cusum\n"
                "15:41: budgets[].drift[].k: no value of a parameter; allowed: a number or a word\n"
                "16:9: budgets[].drift[]: evidence needs a metric with bounds; allowed: with range: [least, largest] of a\n"
                "17:48: budgets[].drift[].reference: 99 values are too few for a promise; allowed: from 100 on, or mean "
                "and sd of a known reference\n"
                "18:82: budgets[].drift[].reference: 20 values are too few for a promise; allowed: from 100 on");
}
END_TEST

/* A name may hold line breaks, what terminals obey, and more than is shown. */
START_TEST(what_a_rule_quotes_stays_in_its_line)
{
#define RULE(rule) "budgets: [{models: a, drift: [" rule "]}]"
#define ALL "evidence, cusum, ewma, shewhart, page_hinkley, adwin, ddm, eddm, hddm_a, hddm_w, kswin, psi, ks, js, wasserstein, chi2"
    expect_told(RULE("{metric: a, detector: \"c\\n\\e[1m\"}"),
                "1:53: budgets[].drift[].detector: no detector \"c??[1m\"; there are " ALL);
    expect_told(RULE("{metric: a, detector: 0123456789012345678901234567890123456789\xc3\xa9}"),
                "1:53: budgets[].drift[].detector: no detector \"0123456789012345678901234567890123456789\"; there are " ALL);
    expect_told(RULE("{metric: a, detector: 012345678901234567890123456789012345678\xc3\xa9}"),
                "1:53: budgets[].drift[].detector: no detector \"012345678901234567890123456789012345678?\"; there are " ALL);
    expect_told(RULE("{metric: a, detector: ddm, \"a\\nb\": 3}"),
                "1:58: budgets[].drift[]: a?b: no parameter of ddm, which has warm_start, warning_threshold, "
                "drift_threshold");
    expect_told(RULE("{metric: a, detector: ddm, warm_start: \"1\\n2\"}"),
                "1:70: budgets[].drift[]: warm_start: 1?2 is not allowed; it takes a whole number from 1 to 1e+09");
#undef ALL
#undef RULE
}
END_TEST

START_TEST(mistakes_of_evidence)
{
    expect_told("budgets:\n"
                "  - models: \"*\"\n"
                "    kpis:\n"
                "      latency_ms: {max: 250, test: evidence}\n"
                "      accuracy: {min: 1, test: evidence}\n"
                "      a: {min: 0, range: [1, 5], test: evidence}\n"
                "      b: {min: 2, max: 5, range: [1, 5], test: evidence}\n"
                "      c: {min: 2, range: [5, 1], test: evidence}\n"
                "      d: {min: 2, range: [5], test: evidence}\n"
                "      e: {min: 2, range: 5, test: evidence}\n",
                "4:36: budgets[].kpis.latency_ms.test: evidence needs a metric with bounds; allowed: with range: "
                "[least, largest], or window\n"
                "5:23: budgets[].kpis.accuracy.min: 1 leaves nothing to test on one side; with test: evidence "
                "allowed: above 0 and below 1\n"
                "6:16: budgets[].kpis.a.min: 0 leaves nothing to test on one side; with test: evidence allowed: above "
                "1 and below 5\n"
                "7:24: budgets[].kpis.b.max: 5 leaves nothing to test on one side; with test: evidence allowed: above "
                "1 and below 5\n"
                "8:26: budgets[].kpis.c.range: 5 is not below 1; allowed: the least and the largest value there can "
                "be, as in [0, 100]\n"
                "9:26: budgets[].kpis.d.range: two numbers have to stand here, not 1; allowed: the least and the largest value there can be, as "
                "in [0, 100]\n"
                "10:26: budgets[].kpis.e.range: \"5\" cannot stand here; allowed: the least and the largest value "
                "there can be, as in [0, 100]");
    /* The limit comes from one block, the test from another. */
    expect_told("budgets:\n"
                "  - {models: \"*\", kpis: {latency_ms: {max: 250}}}\n"
                "  - {models: a, kpis: {latency_ms: {test: evidence}}}\n",
                "3:43: budgets[].kpis.latency_ms.test: evidence needs a metric with bounds; allowed: with range: "
                "[least, largest], or window");
}
END_TEST

START_TEST(mistakes_of_rates)
{
    static const struct {
        const char *key, *value;
    } wrong[] = {{"false_alarms", "1"},           {"false_alarms", "1 per 30"},       {"false_alarms", "0 per 30d"},
                 {"false_alarms", "-1 per 30d"},  {"false_alarms", "1 per 0d"},       {"false_alarms", "1 per 4000d"},
                 {"false_alarms", "1 per 1 events"}, {"false_alarms", "1 per 1e13 events"}, {"false_alarms", "1 per 5 event"},
                 {"false_alarms", "1 par 30d"},   {"false_alarms", "1 per 30d each"}, {"false_alarms", "1e400 per 30d"},
                 {"false_alarms", "per 30d"},     {"event_rate", "2"},                {"event_rate", "2/w"},
                 {"event_rate", "0/s"},           {"event_rate", "-1/s"},             {"event_rate", "/s"},
                 {"event_rate", "1e10/s"},        {"event_rate", "on"}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char text[256];
        struct config *config = NULL;
        struct told told;
        snprintf(text, sizeof(text), "budgets: [{models: \"*\", %s: %s}]", wrong[i].key, wrong[i].value);
        ck_assert_msg(parse_with(&config, text, NULL, &told) == -22, "%s", wrong[i].value);
        ck_assert_int_eq(told.count, 1);
        ck_assert_msg(strstr(told.lines[0], wrong[i].key) && strstr(told.lines[0], "; allowed: "), "%s", told.lines[0]);
        told_free(&told);
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("rules");
    tcase_add_test(cases, a_budget_is_shared_by_the_rules_that_promise);
    tcase_add_test(cases, a_time_becomes_events);
    tcase_add_test(cases, a_fleet_bounds_the_sum);
    tcase_add_test(cases, a_list_is_replaced_whole);
    tcase_add_test(cases, evidence_on_both_sides_of_a_range);
    tcase_add_test(cases, a_short_reference_is_for_those_that_do_not_rest_on_it);
    tcase_add_test(cases, a_known_reference_is_taken_as_it_is);
    tcase_add_test(cases, promises_are_worked_out_once);
    tcase_add_test(cases, mistakes_of_rules);
    tcase_add_test(cases, what_a_rule_quotes_stays_in_its_line);
    tcase_add_test(cases, mistakes_of_evidence);
    tcase_add_test(cases, mistakes_of_rates);
    return run_tests(cases, "config rules");
}

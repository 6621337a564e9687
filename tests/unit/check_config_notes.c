/* What is no mistake in a configuration, and hardly what was meant. */
#include "tests/unit/check_config.h"

static void expect_noted(const char *yaml, const char *notes)
{
    struct told told = {.count = 0};
    struct config *config = parse_good(yaml);
    char all[8192] = "";
    config_notes(config, told_take, &told);
    for (int i = 0; i < told.count; i++) {
        size_t length = strlen(all);
        snprintf(all + length, sizeof all - length, "%s%s", i ? "\n" : "", told.lines[i]);
    }
    ck_assert_str_eq(all, notes);
    told_free(&told);
    config_destroy(&config);
}

#define DRIFT(rule) "budgets: [{models: \"*\", drift: [" rule "]}]"
#define NONE(of) ": budgets[].drift[]: no threshold of " of " with these parameters keeps to one false alarm in "
#define END "; the strictest there is judges then, and nothing is promised. A longer reference can promise more"

START_TEST(promises_that_no_threshold_keeps)
{
    expect_noted(DRIFT("{metric: a, detector: cusum, reference: 100}"),
                 "driftd.yaml:1:33" NONE("cusum") "30 days where more than 10 values a second come" END);
    expect_noted(DRIFT("{metric: a, detector: cusum, reference: 120}"),
                 "driftd.yaml:1:33" NONE("cusum") "30 days where more than 100 values a second come" END);
    /* Two that share the budget, for which a value a second is known. */
    expect_noted("budgets:\n"
                 "  - models: \"*\"\n"
                 "    drift:\n"
                 "      - {metric: a, detector: cusum, reference: 100}\n"
                 "      - {metric: a, detector: ewma, reference: 100}\n"
                 "  - {models: slow, event_rate: 1/s}\n"
                 "  - {models: fast, event_rate: 50/s}\n"
                 "  - {models: strict, false_alarms: 1 per 1e9 events}\n",
                 "driftd.yaml:4:9" NONE("cusum") "60 days where more than 10 values a second come" END
                 "\ndriftd.yaml:4:9" NONE("cusum") "60 days at 50 values a second" END
                 "\ndriftd.yaml:4:9" NONE("cusum") "2,000,000,000 values" END);
    /* The fleet's share is what counts. */
    expect_noted("fleet_false_alarms: 1 per 1d\n" DRIFT("{metric: a, detector: cusum, reference: 150}"),
                 "driftd.yaml:2:33" NONE("cusum") "274 years where more than 1 value a second come" END);
    expect_noted(DRIFT("{metric: a, detector: cusum, mean: 1, sd: 1, k: 0}"),
                 "driftd.yaml:1:33" NONE("cusum") "30 days; the strictest there is judges then, and nothing is promised. "
                 "A larger k can promise more");
}
END_TEST

START_TEST(promises_that_are_kept)
{
    expect_noted("", "");
    expect_noted(DRIFT("{metric: a, detector: cusum}, {metric: a, detector: ewma, reference: 100}, {metric: a, detector: "
                       "shewhart, reference: 100}, {metric: a, detector: psi, threshold: 0.2}, {metric: a, detector: adwin}"),
                 "");
    expect_noted("fleet_false_alarms: 1 per 30d\n" DRIFT("{metric: a, detector: cusum}"), "");
    expect_noted("budgets: [{models: \"*\", event_rate: 1/s, drift: [{metric: a, detector: cusum, reference: 100}]}]", "");
}
END_TEST

START_TEST(limits_that_windows_cannot_tell_from_what_is_beside_them)
{
    expect_noted("budgets:\n"
                 "  - models: \"*\"\n"
                 "    kpis:\n"
                 "      rows: {max: 16777216}\n"
                 "      big: {max: 1e300}\n"
                 "      t: {min: -1790000000, max: 250}\n"
                 "      ok: {min: -16777215, max: 16777215}\n"
                 "      sure: {max: 20000000, test: evidence, range: [0, 30000000]}\n",
                 "driftd.yaml:4:19: budgets[].kpis.rows.max: windows hold values in single precision, and around 16777216 tell "
                 "them apart in steps of 2\n"
                 "driftd.yaml:5:18: budgets[].kpis.big.max: 1e+300 is beyond the largest value that windows hold, 3.40282e+38\n"
                 "driftd.yaml:6:16: budgets[].kpis.t.min: windows hold values in single precision, and around -1790000000 tell "
                 "them apart in steps of 128");
}
END_TEST

#define IDLE(column, key, why) "driftd.yaml:1:" column ": budgets[].drift[]." key ": not asked, since " why

START_TEST(parameters_that_change_nothing)
{
    expect_noted(DRIFT("{metric: a, detector: cusum, h: 6}, {metric: a, detector: ewma, L: 3}"),
                 IDLE("62", "h", "the threshold comes from false_alarms") "\n"
                 IDLE("97", "L", "the threshold comes from false_alarms"));
    expect_noted(DRIFT("{metric: accuracy, detector: evidence, budget: 0.8, alpha: 0.1}, {metric: a, detector: ks, alpha: 0.1}"),
                 IDLE("85", "alpha", "the threshold comes from false_alarms") "\n"
                 IDLE("124", "alpha", "the threshold comes from false_alarms"));
    expect_noted(DRIFT("{metric: a, detector: psi, alpha: 0.01, threshold: 0.2}"), IDLE("60", "alpha", "there is a threshold"));
    expect_noted(DRIFT("{metric: a, detector: cusum, mean: 1, sd: 1, reference: 400}"),
                 IDLE("78", "reference", "mean and sd are known"));
    expect_noted(DRIFT("{metric: a, detector: cusum, mean: 1, sd: 1, reference: 500, prewhiten: true}, {metric: a, detector: "
                       "page_hinkley, alpha: 0.99, threshold: 20}, {metric: a, detector: kswin, alpha: 0.01}, {metric: a, "
                       "detector: psi, threshold: 0.2}"),
                 "");
    expect_noted(DRIFT("{metric: a, detector: cusum, h: 5}, {metric: a, detector: cusum, mean: 1, sd: 1, reference: 500}, {metric: a, "
                       "detector: psi, alpha: 0.001, threshold: 0.2}"),
                 ""); /* defaults */
    expect_noted("budgets: [{models: \"*\", kpis: {a: {min: 1, range: [0, 2]}}}]",
                 "driftd.yaml:1:51: budgets[].kpis.a.range: not asked, since the test is not evidence");
    expect_noted("budgets: [{models: \"*\", kpis: {a: {min: 1, range: [0, 2], test: evidence}}}, {models: b, kpis: {a: {test: "
                 "window}}}]",
                 "");
    expect_noted("budgets: [{models: \"*\", kpis: {a: {min: 1e-46}, b: {min: 0, max: 1e-44}}}]",
                 "driftd.yaml:1:41: budgets[].kpis.a.min: 1e-46 is nearer to 0 than any value that windows hold, 1.4013e-45");
}
END_TEST

/* However many there are, a few are told. */
START_TEST(no_more_than_twenty)
{
    char yaml[8192] = "budgets:\n  - models: a\n    kpis:\n";
    struct told told = {.count = 0};
    for (int i = 0; i < 30; i++) {
        size_t length = strlen(yaml);
        snprintf(yaml + length, sizeof yaml - length, "      m%d: {max: 1e9}\n", i);
    }
    struct config *config = parse_good(yaml);
    config_notes(config, told_take, &told);
    ck_assert_int_eq(told.count, 20);
    told_free(&told);
    config_destroy(&config);
}
END_TEST

START_TEST(a_day_has_room_for_an_attempt)
{
    expect_noted("{}", "");
    expect_noted("retraining: {strategies: {a: {gpu_hours: 64}}}", "");
    expect_noted("retraining: {limits: {gpu_hours_per_day: none}, strategies: {a: {gpu_hours: 999}}}", "");
    expect_noted("retraining: {strategies: {a: {gpu_hours: 65}, b: {gpu_hours: 66}}}",
                 "retraining.limits.gpu_hours_per_day, 64, is less than every strategy costs (a, the cheapest, 65): every "
                 "request waits for ever");
    expect_noted("retraining: {limits: {projects: {shop: {gpu_hours_per_day: 2}, other: {gpu_hours_per_day: 3}}}, "
                 "strategies: {a: {gpu_hours: 1}, b: {gpu_hours: 2.5}}}",
                 "retraining.limits.projects.shop.gpu_hours_per_day, 2, is less than the strategy b costs (2.5): a request "
                 "that gets it waits for ever");
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("notes");
    tcase_add_test(cases, promises_that_no_threshold_keeps);
    tcase_add_test(cases, promises_that_are_kept);
    tcase_add_test(cases, limits_that_windows_cannot_tell_from_what_is_beside_them);
    tcase_add_test(cases, parameters_that_change_nothing);
    tcase_add_test(cases, no_more_than_twenty);
    tcase_add_test(cases, a_day_has_room_for_an_attempt);
    Suite *suite = suite_create("config notes");
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

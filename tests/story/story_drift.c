/* What a person writes in the file, and what becomes of it: drift inside the budget, in a metric that is neither normal
 * nor independent, found by rules whose thresholds come from a rate of false alarms. */
#include "lib/config/config.h"
#include "tests/normal.h"
#include "tests/story/story.h"

#define SECOND (1000 * STORY_MS)

static const char yaml[] = "budgets:\n"
                           "  - models: \"*\"\n"
                           "    false_alarms: 1 per 30d\n"
                           "    kpis:\n"
                           "      latency_ms: {max: 250, over: p95}\n"
                           "      accuracy: {min: 0.8, test: evidence}\n"
                           "    drift:\n"
                           "      - {metric: latency_ms, detector: shewhart, direction: up}\n"
                           "      - {metric: latency_ms, detector: ewma, direction: up}\n";

static void tell_error(void *argument, const char *line)
{
    (void)argument;
    ck_abort_msg("%s", line);
}

static struct config *configured(const struct monitor_settings **settings)
{
    struct config *config = NULL;
    struct model_id model;
    ck_assert_int_eq(config_parse(&config, "story.yaml", text_of(yaml), NULL, tell_error, NULL), 0);
    ck_assert_int_eq(model_id_parse(&model, text_of("visutility/object-detector/v1")), 0);
    ck_assert_int_eq(config_settings_for(config, &model, settings), 0);
    normal_seed = 88172645463325252u;
    return config;
}

/* Lognormal latency around 40 ms, whose logarithm wanders: AR(1) with 0.6. */
static double latency(double *level, double factor)
{
    *level = 0.6 * *level + 0.8 * normal();
    return factor * 40 * exp(0.15 * *level);
}

START_TEST(slower_though_within_the_budget)
{
    const struct monitor_settings *settings = NULL;
    struct config *config = configured(&settings);
    struct monitor *monitor = story_monitor(settings);
    double level = 0;
    int64_t at_ms = 0;
    ck_assert_uint_eq(monitor_rule_count(monitor), 3);
    for (int i = 0; i < 5000; i++) /* labels for one answer in ten; one event a second */
        ck_assert(!story_event(monitor, at_ms += 1000, i % 10 ? NAN : uniform() < 0.9, latency(&level, 1)).triggered);
    struct monitor_rule rule;
    for (uint32_t i = 0; i < 3; i++) {
        monitor_rule_at(monitor, i, &rule);
        ck_assert(rule.rate_known);
        ck_assert_double_eq_tol(rule.rate, i == 0 ? 0.1 : 1, 1e-9);
        ck_assert_double_eq_tol(rule.promise, 3 * 30 * 86400 * rule.rate, 1e-3);
    }
    const double changed_s = STORY_EPOCH_S + (double)at_ms / 1e3;
    int events = 1;
    while (!story_event(monitor, at_ms += 1000, NAN, latency(&level, 1.6)).triggered)
        ck_assert_int_lt(++events, 60);
    const struct trigger *trigger = monitor_trigger(monitor);
    ck_assert_str_eq(trigger->metric, "latency_ms");
    ck_assert(trigger->by_drift_rule);
    ck_assert_double_lt(fabs(trigger->change_at_s - changed_s), 60);
    ck_assert_double_gt(trigger->size, 0);
    ck_assert_int_eq(monitor_failures(monitor), 0); /* the window found nothing wrong */
    monitor_destroy(&monitor);
    config_destroy(&config);
}
END_TEST

START_TEST(a_new_version_begins_anew)
{
    const struct monitor_settings *settings = NULL;
    struct config *config = configured(&settings);
    struct monitor *before = story_monitor(settings), *after = story_monitor(settings);
    double level = 0;
    int64_t at_ms = 0;
    for (int i = 0; i < 2000; i++)
        ck_assert(!story_event(before, at_ms += 1000, NAN, latency(&level, 1)).triggered);
    for (int i = 0; i < 2000; i++) /* what would be a drift of the old one is normal for the new one */
        ck_assert(!story_event(after, at_ms += 1000, NAN, latency(&level, 1.6)).triggered);
    ck_assert_int_eq(monitor_state(after, at_ms * STORY_MS), MODEL_HEALTHY);
    monitor_destroy(&before);
    monitor_destroy(&after);
    config_destroy(&config);
}
END_TEST

START_TEST(labels_that_come_late)
{
    const struct monitor_settings *settings = NULL;
    struct config *config = configured(&settings);
    struct monitor *monitor = story_monitor(settings);
    double level = 0;
    int64_t at_ms = 0;
    for (int i = 0; i < 1500; i++)
        ck_assert(!story_event(monitor, at_ms += 1000, NAN, latency(&level, 1)).triggered);
    /* Hours later a heap of labels, in a moment: the rate is that of the heap, and the threshold as high as it gets. */
    int labels = 0;
    at_ms += 6 * 3600 * 1000;
    while (!story_event(monitor, at_ms, uniform() < 0.5, NAN).triggered)
        ck_assert_int_lt(++labels, 500);
    ck_assert_str_eq(monitor_trigger(monitor)->rule, "accuracy evidence < 0.8");
    ck_assert_double_lt(monitor_trigger(monitor)->observed, 0.8);
    monitor_destroy(&monitor);
    config_destroy(&config);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("drift");
    TCase *cases = tcase_create("drift");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, slower_though_within_the_budget);
    tcase_add_test(cases, a_new_version_begins_anew);
    tcase_add_test(cases, labels_that_come_late);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

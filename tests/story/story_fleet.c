/* Healthy models in number, and how often somebody is asked for nothing: the sum over all of them is what was promised.
 * bench/detection_fleet.c does the same with a thousand models for a month. */
#include <check.h>

#include "bench/fleet.h"
#include "tests/story/story.h"

#define MODELS 40
#define DAYS 6
#define MINUTES (DAYS * 24 * 60)

static uint64_t all_requests(const char *head, const char *alarms, const char *rate)
{
    const struct monitor_settings *settings = NULL;
    struct config *config = fleet_configuration(head, alarms, rate);
    struct model_id id;
    uint64_t requests = 0, by_rule[FLEET_METRICS] = {0};
    ck_assert_int_eq(model_id_parse(&id, text_of("fleet/model/v1")), 0);
    ck_assert_int_eq(config_settings_for(config, &id, &settings), 0);
    ck_assert_uint_eq(settings->rule_count, FLEET_METRICS);
    for (uint64_t model = 0; model < MODELS; model++)
        requests += fleet_requests(settings, 5000 + model, MINUTES, by_rule);
    config_destroy(&config);
    return requests;
}

static void holds(uint64_t requests, double budget)
{
    ck_assert_msg((double)requests <= budget + 3 * sqrt(budget), "%llu requests, promised %.0f",
                  (unsigned long long)requests, budget);
}

START_TEST(each_keeps_its_budget)
{
    const double budget = MODELS * DAYS / 3.0;
    const uint64_t requests = all_requests("", "1 per 3d", "1/m");
    holds(requests, budget);
    ck_assert_uint_gt(requests, 5); /* it is not kept by never saying anything */
}
END_TEST

START_TEST(measured_rates_keep_it_too)
{
    holds(all_requests("", "1 per 3d", "auto"), MODELS * DAYS / 3.0);
}
END_TEST

START_TEST(the_fleet_keeps_its_own)
{
    holds(all_requests("fleet_false_alarms: 1 per 1d\nmetrics: {max_models: 40}\n", "1 per 3d", "1/m"), DAYS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fleet");
    TCase *cases = tcase_create("fleet");
    tcase_set_timeout(cases, 900);
    tcase_add_test(cases, each_keeps_its_budget);
    tcase_add_test(cases, measured_rates_keep_it_too);
    tcase_add_test(cases, the_fleet_keeps_its_own);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

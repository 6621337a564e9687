/* Explanations: their figures are held against the detectors at work, and their words are read as a person would. */
#include <math.h>

#include "detect_streams.h"
#include "explain_case.h"
#include "lib/detect/evidence.h"
#include "lib/explain/words.h"

#define SECOND_NS INT64_C(1000000000)

static const char four_rules[] = "budgets:\n"
                                 "  - models: '*'\n"
                                 "    window: 64\n"
                                 "    false_alarms: 1 per 100000 events\n"
                                 "    kpis:\n"
                                 "      accuracy: {min: 0.80, test: evidence}\n"
                                 "      recall: {min: 0.5, over: mean}\n"
                                 "  - models: shop\n"
                                 "    drift:\n"
                                 "      - {metric: accuracy, detector: cusum, direction: down}\n"
                                 "      - {metric: latency_ms, detector: ewma, direction: up}\n"
                                 "      - {metric: mean_confidence, detector: adwin}\n"
                                 "      - {metric: brightness, detector: ks, reference: 500, window: 200}\n";

static double delay_at(const json_t *json, const char *rule, int index, const char *member)
{
    const json_t *delay = json_array_get(json_object_get(rule_named(json, rule), "delays"), (size_t)index);
    const json_t *value = json_object_get(delay, member);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static struct monitor *monitor_for(struct config *config)
{
    struct model_id id;
    const struct monitor_settings *settings;
    struct monitor *monitor;
    ck_assert_int_eq(model_id_parse(&id, text_of(MODEL)), 0);
    ck_assert_int_eq(config_settings_for(config, &id, &settings), 0);
    ck_assert_int_eq(monitor_new(&monitor, settings), 0);
    return monitor;
}

static bool send(struct monitor *monitor, int64_t *at, double accuracy, double latency, double brightness)
{
    const struct metric metrics[] = {{.name = text_of("accuracy"), .kind = METRIC_NUMBER, .number = accuracy},
                                     {.name = text_of("latency_ms"), .kind = METRIC_NUMBER, .number = latency},
                                     {.name = text_of("brightness"), .kind = METRIC_NUMBER, .number = brightness}};
    const struct metric_event event = {.timestamp_s = NAN, .n = 1, .metrics = metrics, .metric_count = 3};
    struct verdict verdict;
    *at += SECOND_NS / 2;
    ck_assert_int_eq(monitor_add(monitor, &event, *at, 1.7e9 + (double)*at / 1e9, &verdict), 0);
    return verdict.triggered;
}

/* Accuracy of 0.9 +- 0.02; latency lognormal, AR(1) 0.8. */
struct world {
    struct source source;
    double before;
    int64_t at_ns;
};

static bool step(struct world *self, struct monitor *monitor, double fall, double rise)
{
    self->before = 0.8 * self->before + 0.6 * source_normal(&self->source);
    double accuracy = fmin(1, 0.9 - fall + 0.02 * source_normal(&self->source));
    return send(monitor, &self->at_ns, accuracy, 80 * (1 + rise) * exp(0.2 * self->before),
                100 + 20 * source_normal(&self->source));
}

START_TEST(before_a_model_is_heard_of)
{
    struct config *config = parse_good(four_rules);
    json_t *json = explain(config, NULL);
    ck_assert(json_is_false(json_object_get(json, "seen")));
    ck_assert_uint_eq(json_array_size(json_object_get(json, "rules")), 6);
    holds(text_at(json, "summary"), "4 rules keep together to the budget of false alarms: wrong at most once in 100,000 values");
    holds(text_at(json, "summary"), "1 rule cannot promise");
    holds(text_at(json, "summary"), "1 budget with test: window promises nothing");
    holds(says(json, "accuracy cusum down", "false alarms"), "once in 400,000 values");
    holds(says(json, "accuracy cusum down", "sees"), "cannot be said before its reference is full");
    holds(says(json, "mean_confidence adwin", "false alarms"), "cannot be promised: ");
    holds(says(json, "recall mean < 0.5", "false alarms"), "cannot be promised: ");
    holds(says(json, "accuracy evidence < 0.8", "as far as"), "a level that swings beyond it for stretches is reported");
    holds(says(json, "accuracy evidence < 0.8", "sees"), "a fall of five points (0.05) is seen after about ");
    json_decref(json);
    config_destroy(&config);
}
END_TEST

START_TEST(every_value_has_its_place)
{
    static const struct {
        const char *key, *value;
        int line; /* 0: the default */
    } wanted[] = {
        {"window", "64", 3},           {"min_events", "16", 0},        {"backoff", "30m", 0},
        {"event_rate", "auto", 0},     {"kpis.accuracy.min", "0.8", 6}, {"kpis.accuracy.test", "evidence", 6},
        {"kpis.recall.over", "mean", 7}, {"false_alarms", "1 per 100000 events", 4}, {"drift", "accuracy cusum down", 10},
        {"drift", "brightness ks", 13}, {"retraining.limits.concurrent", "4", 0}, {"fleet_false_alarms", "none", 0},
    };
    struct config *config = parse_good(four_rules);
    json_t *json = explain(config, NULL), *setting;
    const json_t *settings = json_object_get(json, "settings");
    for (size_t w = 0; w < sizeof(wanted) / sizeof(wanted[0]); w++) {
        size_t i;
        bool found = false;
        json_array_foreach(settings, i, setting)
        {
            if (strcmp(text_at(setting, "key"), wanted[w].key) != 0 || strcmp(text_at(setting, "value"), wanted[w].value) != 0)
                continue;
            found = true;
            ck_assert_msg(json_integer_value(json_object_get(setting, "line")) == wanted[w].line, "%s", wanted[w].key);
            ck_assert_str_eq(text_at(setting, "file"), wanted[w].line ? "driftd.yaml" : "");
        }
        ck_assert_msg(found, "%s: %s", wanted[w].key, wanted[w].value);
    }
    ck_assert_int_eq(json_integer_value(json_object_get(rule_named(json, "latency_ms ewma up"), "line")), 11);
    ck_assert_int_eq(json_integer_value(json_object_get(rule_named(json, "accuracy evidence < 0.8"), "line")), 6);
    json_decref(json);
    config_destroy(&config);
}
END_TEST

START_TEST(a_model_at_work)
{
    struct config *config = parse_good(four_rules);
    struct monitor *monitor = monitor_for(config);
    struct world world = {.source = {.state = 11}};
    for (int i = 0; i < 1200; i++)
        ck_assert_msg(!step(&world, monitor, 0, 0), "%d: %s", i, monitor_trigger(monitor)->rule);
    json_t *json = explain(config, monitor);
    ck_assert(json_is_true(json_object_get(json, "seen")));
    ck_assert_int_eq(json_integer_value(json_object_get(json, "events")), 1200);
    holds(says(json, "accuracy cusum down", "reference"), "full, 500 values: level 0.");
    holds(says(json, "accuracy cusum down", "sees"), "a fall of five points (0.05) is seen after about ");
    holds(says(json, "latency_ms ewma up", "reference"), "it is judged in logarithms");
    holds(says(json, "latency_ms ewma up", "reference"), "(autocorrelation), which is taken out");
    holds(says(json, "accuracy evidence < 0.8", "sees"), "within its budget");
    holds(says(json, "accuracy evidence < 0.8", "sees"), "A level that is five points (0.05) beyond the budget is seen after about ");
    holds(says(json, "accuracy evidence < 0.8", "as far as"), "values hardly hang on the one before (autocorrelation ");
    holds(says(json, "brightness ks", "reference"), "full, 500 of 500 events");
    double phi = json_number_value(json_object_get(rule_named(json, "latency_ms ewma up"), "autocorrelation"));
    ck_assert_double_eq_tol(phi, 0.8, 0.08);
    json_decref(json);
    monitor_destroy(&monitor);
    config_destroy(&config);
}
END_TEST

/* What is told of a delay, against what happens: the mean of 40 models that fall ill. */
struct trial {
    const char *drift, *rule;
    double fall, rise;
    int delay; /* which of those told */
};

static void hold_against_life(const struct trial *trial, double tolerance)
{
    char yaml[512];
    double told = 0, taken = 0;
    snprintf(yaml, sizeof(yaml), "budgets:\n  - models: '*'\n    false_alarms: 1 per 100000 events\n    drift: [%s]\n",
             trial->drift);
    struct config *config = parse_good(yaml);
    int runs = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct monitor *monitor = monitor_for(config);
        struct world world = {.source = {.state = 1000 + seed}};
        bool early = false;
        for (uint64_t i = 0; i < 800 + 5 * seed; i++)
            early = step(&world, monitor, 0, 0) || early;
        if (!early) {
            json_t *json = explain(config, monitor);
            told += delay_at(json, trial->rule, trial->delay, "values");
            json_decref(json);
            int values = 1;
            while (!step(&world, monitor, trial->fall, trial->rise))
                values++;
            taken += values;
            runs++;
        }
        monitor_destroy(&monitor);
    }
    config_destroy(&config);
    ck_assert_int_ge(runs, 35);
    ck_assert_msg(fabs(told / taken - 1) < tolerance, "%s: told %.1f, taken %.1f", trial->rule, told / runs, taken / runs);
}

START_TEST(delays_are_what_happens)
{
    static const struct trial trials[] = {
        {"{metric: accuracy, detector: cusum, direction: down}", "accuracy cusum down", 0.05, 0, 0},
        {"{metric: accuracy, detector: cusum, direction: down}", "accuracy cusum down", 0.02, 0, 2},
        {"{metric: accuracy, detector: ewma}", "accuracy ewma", 0.02, 0, 2},
        {"{metric: latency_ms, detector: cusum, direction: up}", "latency_ms cusum up", 0, 0.4918, 3},
        {"{metric: accuracy, detector: ks}", "accuracy ks", 0.05, 0, 0},
        {"{metric: accuracy, detector: psi}", "accuracy psi", 0.02, 0, 2},
    };
    hold_against_life(&trials[_i], 0.35);
}
END_TEST

/* Evidence: single answers of 0.75 against a budget of 0.8, and batches that scatter little. */
START_TEST(evidence_is_as_quick_as_told)
{
    static const struct {
        double mean, spread; /* spread 0: answers of 0 or 1 */
    } cases[] = {{0.75, 0}, {0.6, 0}, {0.75, 0.03}, {0.78, 0.05}};
    struct detect_params params;
    detect_params_init(&params, "evidence", NULL);
    detect_params_set(&params, "budget", 0.8, NULL);
    detect_params_promise(&params, 100000, NULL);
    double spread = cases[_i].spread, taken = 0;
    struct detect *detect;
    ck_assert_int_eq(detect_new(&detect, "evidence", &params), 0);
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct source source = {.state = 77 + seed};
        detect_reset(detect);
        bool found = false;
        while (!found) {
            double x = spread > 0 ? fmin(1, cases[_i].mean + spread * source_normal(&source))
                                  : source_uniform(&source) < cases[_i].mean;
            found = detect_add(detect, x).state == DETECT_DRIFT;
            taken++;
        }
    }
    detect_destroy(&detect);
    double told = evidence_delay(0.2, 1e-5, 1 - cases[_i].mean, spread > 0 ? spread : (double)NAN);
    ck_assert_msg(fabs(told / (taken / 60) - 1) < 0.35, "told %.0f, taken %.0f", told, taken / 60);
}
END_TEST

START_TEST(figures_in_words)
{
    ck_assert_str_eq(words_span(2592000).text, "30 days");
    ck_assert_str_eq(words_span(1).text, "1 second");
    ck_assert_str_eq(words_span(0.0359).text, "0.04 seconds");
    ck_assert_str_eq(words_span(7200).text, "2 hours");
    ck_assert_str_eq(words_span(1e12).text, "31,700 years");
    ck_assert_str_eq(words_rate(2.1).text, "2.1 values a second");
    ck_assert_str_eq(words_rate(1.0 / 60).text, "1 value a minute");
    ck_assert_str_eq(words_rate(1.0 / 3600).text, "1 value an hour");
    ck_assert_str_eq(words_count(16329600).text, "16,300,000");
    ck_assert_str_eq(words_count(12).text, "12");
    ck_assert_str_eq(words_figure(0.93126).text, "0.9313");
}
END_TEST

START_TEST(live_figures_come_back)
{
    struct explain_live live;
    ck_assert_int_lt(explain_live_parse(&live, text_of("")), 0);
    ck_assert_int_lt(explain_live_parse(&live, text_of("[]")), 0);
    ck_assert_int_lt(explain_live_parse(&live, text_of("{\"rules\":{}}")), 0);
    ck_assert_int_eq(explain_live_parse(&live, text_of("{\"events\":3,\"rules\":[{\"rate\":\"x\"}],\"kpis\":[{}]}")), 0);
    ck_assert_uint_eq(live.events, 3);
    ck_assert_uint_eq(live.rule_count, 1);
    ck_assert(live.rules[0].known && live.rules[0].rate == 0 && isnan(live.rules[0].statistic));
    ck_assert(!live.kpis[0].known);
    explain_live_clear(&live);
}
END_TEST

START_TEST(nobody_judges_it)
{
    struct config *config = parse_good("budgets:\n  - models: other\n    kpis: {accuracy: {min: 0.8}}\n");
    json_t *json = explain(config, NULL);
    holds(text_at(json, "summary"), "No block of budgets is for this model");
    ck_assert_uint_eq(json_array_size(json_object_get(json, "rules")), 0);
    json_decref(json);
    config_destroy(&config);
}
END_TEST

/* A rate that is given makes values a time, and the other way round. */
START_TEST(a_rate_makes_time)
{
    struct config *config = parse_good("fleet_false_alarms: 1 per 1d\nmetrics: {max_models: 10}\n"
                                       "budgets:\n  - models: '*'\n    event_rate: 2/s\n    false_alarms: 1 per 5d\n"
                                       "    drift: [{metric: accuracy, detector: cusum}]\n");
    json_t *json = explain(config, NULL);
    const json_t *promise = json_object_get(rule_named(json, "accuracy cusum"), "promise");
    ck_assert_double_eq_tol(json_number_value(json_object_get(promise, "seconds")), 10 * 86400, 1);
    ck_assert_double_eq_tol(json_number_value(json_object_get(promise, "values")), 20 * 86400, 1);
    holds(says(json, "accuracy cusum", "false alarms"), "once in 10 days");
    holds(says(json, "accuracy cusum", "false alarms"), "at the given rate of 2 values a second");
    json_decref(json);
    config_destroy(&config);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("explain");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, before_a_model_is_heard_of);
    tcase_add_test(cases, every_value_has_its_place);
    tcase_add_test(cases, a_model_at_work);
    tcase_add_loop_test(cases, delays_are_what_happens, 0, 6);
    tcase_add_loop_test(cases, evidence_is_as_quick_as_told, 0, 4);
    tcase_add_test(cases, figures_in_words);
    tcase_add_test(cases, live_figures_come_back);
    tcase_add_test(cases, nobody_judges_it);
    tcase_add_test(cases, a_rate_makes_time);
    return run_tests(cases, "explain");
}

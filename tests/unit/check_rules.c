/* Drift rules in the monitor: what they find, what they ask for, and what they leave alone. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/monitor/expected.h"
#include "lib/monitor/moments.h"
#include "lib/monitor/monitor.h"
#include "tests/normal.h"
#include "tests/run_suite.h"

#define SECOND INT64_C(1000000000)
#define EPOCH_S 1764000000.0
#define BACKOFF_S 100

struct bench {
    struct drift_rule rules[4];
    struct kpi_budget kpis[2];
    struct detect_params steps[4 * RULE_STEPS_MAX];
    struct monitor_settings settings;
    struct monitor *monitor;
    int64_t now_s;
};

static struct drift_rule *rule(struct bench *self, const char *metric, const char *detector)
{
    struct drift_rule *added = &self->rules[self->settings.rule_count++];
    *added = (struct drift_rule){.detector = detector, .kpi = RULE_NO_KPI};
    snprintf(added->metric, sizeof added->metric, "%s", metric);
    ck_assert_int_eq(detect_params_init(&added->params, detector, NULL), 0);
    return added;
}

static void with(struct drift_rule *self, const char *name, const char *value)
{
    ck_assert_int_eq(detect_params_set_text(&self->params, name, text_of(value), NULL), 0);
}

static void begin(struct bench *self, double every_events, double every_s)
{
    struct monitor_settings *s = &self->settings;
    const struct monitor_settings fixed = {.window = 16, .min_events = 8, .consecutive_failures = 3,
                                           .recover_after = 4, .backoff_ns = BACKOFF_S * SECOND,
                                           .kpis = self->kpis, .kpi_count = s->kpi_count,
                                           .rules = self->rules, .rule_count = s->rule_count,
                                           .alarms = {every_s, every_events}};
    self->settings = fixed;
    ck_assert_int_eq(drift_rules_promise(self->rules, s->rule_count, &s->alarms, 0, self->steps), 0);
    ck_assert_int_eq(monitor_new(&self->monitor, s), 0);
    normal_seed = 88172645463325252u;
}

static struct verdict send_at(struct bench *self, const struct metric *metrics, uint32_t count, int64_t now_ns)
{
    struct verdict verdict;
    const struct metric_event event = {.timestamp_s = NAN, .n = 1, .metrics = metrics, .metric_count = count};
    ck_assert_int_eq(monitor_add(self->monitor, &event, now_ns, EPOCH_S + (double)now_ns / 1e9, &verdict), 0);
    return verdict;
}

static struct verdict send(struct bench *self, const char *metric, double value)
{
    const struct metric one = {.name = text_of(metric), .kind = METRIC_NUMBER, .number = value};
    return send_at(self, &one, 1, ++self->now_s * SECOND);
}

START_TEST(a_drift_inside_the_budget)
{
    struct bench b = {.kpis[0] = {.metric = "accuracy", .min = 0.5, .max = NAN, .over = WINDOW_MEAN},
                      .settings.kpi_count = 1};
    with(rule(&b, "accuracy", "cusum"), "direction", "down");
    begin(&b, 1e5, 0);
    normal_seed = 7; /* where the sum happens to be at rest when the change comes */
    for (int i = 0; i < 1000; i++)
        ck_assert(!send(&b, "accuracy", 0.9 + 0.01 * normal()).triggered);
    const double changed_s = EPOCH_S + 1001;
    int found = 0;
    while (!send(&b, "accuracy", 0.87 + 0.01 * normal()).triggered)
        ck_assert_int_lt(++found, 20);
    const struct trigger *t = monitor_trigger(b.monitor);
    ck_assert_str_eq(t->rule, "accuracy cusum down");
    ck_assert_str_eq(t->metric, "accuracy");
    ck_assert_str_eq(t->detector, "cusum");
    ck_assert(t->by_drift_rule);
    ck_assert_double_gt(t->statistic, t->threshold);
    ck_assert_double_eq(t->observed, t->statistic);
    ck_assert_uint_eq(t->n, (uint64_t)(1001 + found));
    ck_assert_msg(fabs(t->change_at_s - changed_s) < 3, "off by %g s", t->change_at_s - changed_s);
    ck_assert_double_eq_tol(t->size, -0.03, 0.01);
    ck_assert(t->size_lower < t->size && t->size < t->size_upper);
    ck_assert_double_eq(t->window_end_s, EPOCH_S + (double)b.now_s);
    ck_assert_int_eq(monitor_state(b.monitor, b.now_s * SECOND), MODEL_DRIFTING);

    /* One drift, one request: health as the budget means it neither closes the episode nor cancels what was asked. */
    monitor_request_live(b.monitor, true, b.now_s * SECOND);
    for (int i = 0; i < 300; i++) {
        struct verdict v = send(&b, "accuracy", 0.87 + 0.01 * normal());
        ck_assert(!v.triggered && !v.recovered && !v.held);
    }
    monitor_request_live(b.monitor, false, b.now_s * SECOND);
    for (int i = 0; i < 3000; i++)
        ck_assert(!send(&b, "accuracy", 0.87 + 0.01 * normal()).triggered);
    ck_assert_int_eq(monitor_state(b.monitor, b.now_s * SECOND), MODEL_HEALTHY);

    /* The next drift is seen from there. */
    found = 0;
    while (!send(&b, "accuracy", 0.84 + 0.01 * normal()).triggered)
        ck_assert_int_lt(++found, 20);
    monitor_destroy(&b.monitor);
}
END_TEST

START_TEST(evidence_of_right_and_wrong_answers_that_come_late)
{
    struct bench b = {.kpis[0] = {.metric = "accuracy", .min = 0.8, .max = NAN, .test = KPI_EVIDENCE},
                      .settings.kpi_count = 1};
    struct drift_rule *r = rule(&b, "accuracy", "evidence");
    with(r, "budget", "0.8");
    r->kpi = 0;
    begin(&b, 1e4, 0);
    int carried = 0;
    for (int i = 0; i < 20000; i++) {
        const bool label = i % 10 == 0;
        struct verdict v = label ? send(&b, "accuracy", uniform() < 0.85) : send(&b, "latency_ms", 20);
        ck_assert(!v.triggered && v.evaluation == EVALUATION_NONE);
        carried += label;
    }
    struct monitor_rule seen;
    monitor_rule_at(b.monitor, 0, &seen);
    ck_assert_uint_eq(seen.taken, (uint64_t)carried);
    int labels = 0;
    for (bool triggered = false; !triggered; labels += 1) {
        ck_assert_int_lt(labels, 300);
        ck_assert(!send(&b, "latency_ms", 20).triggered);
        triggered = send(&b, "accuracy", uniform() < 0.55).triggered;
    }
    const struct trigger *t = monitor_trigger(b.monitor);
    ck_assert_str_eq(t->rule, "accuracy evidence < 0.8");
    ck_assert_str_eq(t->detector, "evidence");
    ck_assert_double_eq(t->limit, 0.8);
    ck_assert_double_lt(t->observed, 0.8);
    ck_assert_double_eq_tol(t->severity, (0.8 - t->observed) / 0.8, 1e-12);
    ck_assert_double_ge(t->statistic, t->threshold);
    /* It went on falling short: after the back-off it is asked for again, and not before. */
    const int64_t asked_s = b.now_s;
    while (!send(&b, "accuracy", uniform() < 0.55).triggered)
        ck_assert_int_lt(b.now_s, asked_s + 400);
    ck_assert_int_gt(b.now_s, asked_s + BACKOFF_S);
    monitor_destroy(&b.monitor);
}
END_TEST

static struct verdict send_histogram(struct bench *self, const char *metric, double mean)
{
    static const double edges[] = {0, 0.2, 0.4, 0.6, 0.8, 1};
    uint64_t counts[5] = {0};
    for (int i = 0; i < 20; i++) {
        double value = fmin(fmax(mean + 0.15 * normal(), 0), 0.999);
        counts[(int)(value * 5)]++;
    }
    const struct metric one = {
        .name = text_of(metric), .kind = METRIC_HISTOGRAM, .histogram = {.edges = edges, .counts = counts, .bins = 5}};
    return send_at(self, &one, 1, ++self->now_s * SECOND);
}

/* Detectors of error streams take 1 - accuracy: a fall is found, a rise is none. */
START_TEST(errors_are_what_is_not_right)
{
    static const char *const names[] = {"ddm", "eddm", "hddm_a", "hddm_w"};
    for (int fall = 0; fall < 2; fall++)
        for (size_t d = 0; d < sizeof names / sizeof *names; d++) {
            struct bench bench = {.now_s = 0};
            rule(&bench, "accuracy", names[d]);
            begin(&bench, 0, 0);
            int first = -1;
            for (int i = 0; i < 3000 && first < 0; i++) {
                bool well = (i < 1500) == (fall == 1); /* 19 of 20 right, or 2 of 5 */
                const struct metric metric = {.name = text_of("accuracy"), .number = well ? i % 20 != 0 : i % 5 < 2};
                if (send_at(&bench, &metric, 1, i * SECOND).triggered)
                    first = i;
            }
            if (fall)
                ck_assert_msg(first >= 1500 && first < 1700, "%s at %d", names[d], first);
            else if (d != 1) /* eddm looks at the distance of errors, and one drift at the begin is its own */
                ck_assert_msg(first < 0, "%s at %d", names[d], first);
            monitor_destroy(&bench.monitor);
        }
}
END_TEST

START_TEST(histograms_and_categories)
{
    struct bench b = {0};
    struct drift_rule *r = rule(&b, "confidence", "psi");
    with(r, "reference", "100");
    with(r, "window", "20");
    r = rule(&b, "classes", "chi2");
    with(r, "reference", "100");
    with(r, "window", "20");
    rule(&b, "confidence", "adwin");
    begin(&b, 1e4, 0);
    for (int i = 0; i < 400; i++)
        ck_assert(!send_histogram(&b, "confidence", 0.7).triggered);
    struct monitor_rule seen;
    monitor_rule_at(b.monitor, 0, &seen);
    ck_assert_uint_eq(seen.taken, 400);
    ck_assert(isfinite(seen.statistic) && seen.statistic <= seen.threshold);
    ck_assert_double_eq(seen.reference, 100);
    ck_assert_double_eq(seen.promise, 20000);
    monitor_rule_at(b.monitor, 2, &seen);
    ck_assert_double_eq(seen.promise, 0);
    ck_assert_uint_eq(seen.refused, 400); /* adwin takes numbers */
    int found = 0;
    while (!send_histogram(&b, "confidence", 0.45).triggered)
        ck_assert_int_lt(++found, 60);
    ck_assert_str_eq(monitor_trigger(b.monitor)->rule, "confidence psi");

    b.now_s += BACKOFF_S;
    bool triggered = false;
    for (int i = 0; i < 400 && !triggered; i++) {
        struct metric_category classes[2] = {{text_of("cat"), 10}, {text_of("dog"), i < 250 ? 10 : 1}};
        const struct metric one = {
            .name = text_of("classes"), .kind = METRIC_CATEGORIES, .categories = {.at = classes, .count = 2}};
        triggered = send_at(&b, &one, 1, ++b.now_s * SECOND).triggered;
        ck_assert(!triggered || i >= 250);
    }
    ck_assert(triggered);
    ck_assert_str_eq(monitor_trigger(b.monitor)->rule, "classes chi2");
    monitor_destroy(&b.monitor);
}
END_TEST

START_TEST(accuracy_that_confidence_lets_expect)
{
    static const double edges[] = {0, 0.5, 0.9, 1};
    static const uint64_t counts[] = {1, 2, 7}, none[] = {0, 0, 0};
    struct metric h = {.name = text_of("confidence"), .kind = METRIC_HISTOGRAM,
                       .histogram = {.edges = edges, .counts = counts, .bins = 3}};
    /* (1 * 0.25 + 2 * 0.7 + 7 * 0.95) / 10 */
    ck_assert_double_eq_tol(expected_accuracy(&h), 0.83, 1e-12);
    h.histogram.counts = none;
    ck_assert(isnan(expected_accuracy(&h)));

    struct bench b = {.kpis[0] = {.metric = "expected_accuracy", .min = 0.6, .max = NAN, .over = WINDOW_MEAN},
                      .settings.kpi_count = 1};
    begin(&b, 0, 0);
    for (int i = 0; i < 50; i++)
        ck_assert(!send_histogram(&b, "confidence", 0.75).triggered);
    ck_assert_str_eq(monitor_metric_name(b.monitor, 0), "expected_accuracy");
    int found = 0;
    while (!send_histogram(&b, "confidence", 0.4).triggered)
        ck_assert_int_lt(++found, 20);
    ck_assert_str_eq(monitor_trigger(b.monitor)->rule, "expected_accuracy mean < 0.6");
    ck_assert(!monitor_trigger(b.monitor)->by_drift_rule);
    ck_assert_str_eq(monitor_trigger(b.monitor)->detector, "");
    /* A node that computes it by itself is believed. */
    const struct metric both[] = {{.name = text_of("expected_accuracy"), .kind = METRIC_NUMBER, .number = 0.9}, h};
    send_at(&b, both, 2, ++b.now_s * SECOND);
    ck_assert_double_eq_tol(window_get(monitor_metric_window(b.monitor, 0), WINDOW_LAST), 0.9, 1e-6);
    monitor_destroy(&b.monitor);
}
END_TEST

/* With a window that fails first and then recovers by itself, rules go on where they stood. */
START_TEST(an_episode_hides_nothing_for_ever)
{
    struct bench b = {.kpis[0] = {.metric = "latency_ms", .min = NAN, .max = 100, .over = WINDOW_LAST},
                      .settings.kpi_count = 1};
    with(rule(&b, "accuracy", "cusum"), "direction", "down");
    begin(&b, 1e5, 0);
    struct monitor_rule seen;
    for (int i = 0; i < 700; i++) {
        ck_assert(!send(&b, "accuracy", 0.9 + 0.01 * normal()).triggered);
        ck_assert(!send(&b, "latency_ms", 20).triggered);
    }
    ck_assert(!send(&b, "latency_ms", 200).triggered && !send(&b, "latency_ms", 200).triggered);
    ck_assert(send(&b, "latency_ms", 200).triggered);
    for (int i = 0; i < 20; i++) /* not seen by the rule */
        ck_assert(!send(&b, "accuracy", 0.5).triggered);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(send(&b, "latency_ms", 20).recovered, i == 3);
    b.now_s += BACKOFF_S;
    ck_assert(!send(&b, "accuracy", 0.9).triggered);
    monitor_rule_at(b.monitor, 0, &seen);
    ck_assert_uint_eq(seen.taken, 701);
    ck_assert(isfinite(seen.statistic));

    /* Without recovery they begin anew. */
    for (int i = 0; i < 3; i++)
        send(&b, "latency_ms", 200);
    ck_assert(monitor_episode_open(b.monitor));
    b.now_s += 2 * BACKOFF_S;
    send(&b, "accuracy", 0.9);
    monitor_rule_at(b.monitor, 0, &seen);
    ck_assert_uint_eq(seen.taken, 1);
    ck_assert(isnan(seen.statistic));
    monitor_destroy(&b.monitor);
}
END_TEST

START_TEST(the_measured_rate_sets_the_threshold)
{
    struct bench b = {0};
    with(rule(&b, "accuracy", "evidence"), "budget", "0.5");
    struct drift_rule *r = rule(&b, "accuracy", "shewhart");
    with(r, "prewhiten", "true");
    with(r, "robust", "true");
    begin(&b, 0, 86400);
    struct monitor_rule seen;
    monitor_rule_at(b.monitor, 0, &seen);
    ck_assert_double_eq(seen.promise, 2 * 86400 * 1000.0);
    ck_assert(!seen.rate_known);
    int64_t now_ns = 0;
    struct metric one = {.name = text_of("accuracy"), .kind = METRIC_NUMBER};
    for (int i = 0; i < 100; i++) { /* four a second */
        one.number = 0.9 + 0.01 * normal();
        send_at(&b, &one, 1, now_ns += SECOND / 4);
    }
    for (uint32_t i = 0; i < 2; i++) {
        monitor_rule_at(b.monitor, i, &seen);
        ck_assert(seen.rate_known);
        ck_assert_double_eq_tol(seen.rate, 4, 1e-9);
        ck_assert_double_eq(seen.promise, 2 * 86400 * 10.0);
    }
    for (int i = 0; i < 1300; i++) { /* one in two seconds */
        one.number = 0.9 + 0.01 * normal();
        ck_assert(!send_at(&b, &one, 1, now_ns += 2 * SECOND).triggered);
    }
    for (uint32_t i = 0; i < 2; i++) {
        monitor_rule_at(b.monitor, i, &seen);
        ck_assert_double_eq_tol(seen.rate, 0.5, 1e-9);
        ck_assert_double_eq(seen.promise, 2 * 86400.0);
        ck_assert_uint_eq(seen.taken, 1400);
    }
    monitor_rule_at(b.monitor, 0, &seen);
    ck_assert_double_eq_tol(seen.threshold, 2 * 86400.0, 1e-6);
    monitor_destroy(&b.monitor);
}
END_TEST

/* Many models, each with an unknown reference, and none of them drifts. */
START_TEST(false_alarms_keep_to_the_budget)
{
    enum { MODELS = 60, EVENTS = 20000, EVERY = 10000 };
    struct bench b = {0};
    static const char *const charts[] = {"cusum", "ewma"};
    for (int i = 0; i < 2; i++) {
        struct drift_rule *r = rule(&b, "quality", charts[i]);
        with(r, "prewhiten", "true");
        with(r, "robust", "true");
        with(r, "log", "auto");
    }
    with(rule(&b, "right", "evidence"), "budget", "0.8");
    begin(&b, EVERY, 0);
    b.settings.backoff_ns = 0;
    uint32_t alarms = 0;
    for (int model = 0; model < MODELS; model++) {
        monitor_destroy(&b.monitor);
        ck_assert_int_eq(monitor_new(&b.monitor, &b.settings), 0);
        double level = 0;
        for (int i = 0; i < EVENTS; i++) {
            level = 0.6 * level + 0.8 * normal();
            const struct metric metrics[] = {{text_of("quality"), METRIC_NUMBER, .number = 40 + level},
                                             {text_of("right"), METRIC_NUMBER, .number = uniform() < 0.8}};
            alarms += send_at(&b, metrics, 2, ++b.now_s * SECOND).triggered;
        }
    }
    const double budget = (double)MODELS * EVENTS / EVERY;
    ck_assert_msg(alarms <= budget + 3 * sqrt(budget), "%u alarms, %g allowed", alarms, budget);
    ck_assert_uint_ge(alarms, 1); /* thresholds that never alarm would see nothing either */
    monitor_destroy(&b.monitor);
}
END_TEST

START_TEST(moments_of_a_long_stream)
{
    struct moments m = {0};
    for (uint64_t i = 0; i < 100000; i++) {
        moments_add(&m, (double)i * 0.5);
        if (i % 997 == 0)
            for (uint64_t back = 0; back <= i; back = 2 * back + 1)
                ck_assert_double_eq_tol(moments_get(&m, i - back), (double)(i - back) * 0.5, 1e-6);
    }
    /* A pause of an hour: what lies before it is not moved behind it by more than its age. */
    moments_add(&m, 50000 + 3600);
    ck_assert_double_eq(moments_get(&m, 99999), 49999.5);
    ck_assert_double_eq(moments_get(&m, 100000), 53600);
    ck_assert_double_le(moments_get(&m, 99990), 49999.5);
    moments_clear(&m);
}
END_TEST

/* That a rule has begun to judge is of consequence, however usual the values are. */
START_TEST(a_model_is_healthy_from_the_first_value_that_a_rule_judges)
{
    static const char *const detectors[] = {"shewhart", "cusum", "ewma", "page_hinkley"};
    for (size_t k = 0; k < sizeof detectors / sizeof *detectors; k++) {
        struct bench b = {0};
        with(rule(&b, "a", detectors[k]), "reference", "200");
        begin(&b, 0, 0);
        for (int i = 0; i <= 200; i++) {
            const struct metric metric = {.name = text_of("a"), .key = 7, .kind = METRIC_NUMBER, .number = 50 + i % 7};
            const struct metric_event event = {
                .timestamp_s = NAN, .n = 1, .shape = 9, .metrics = &metric, .metric_count = 1};
            struct verdict verdict;
            ck_assert_int_eq(monitor_add(b.monitor, &event, i, 0, &verdict), 0);
            ck_assert_msg(monitor_state(b.monitor, i) == (i < 200 ? MODEL_WARMING : MODEL_HEALTHY), "%s: value %d is %s",
                          detectors[k], i, model_state_name(monitor_state(b.monitor, i)));
        }
        monitor_destroy(&b.monitor);
    }
}
END_TEST

START_TEST(settings_that_cannot_be)
{
    struct bench b = {0};
    struct monitor *monitor;
    rule(&b, "a", "cusum");
    begin(&b, 1000, 0);
    b.settings.rule_count = MONITOR_RULES_MAX + 1;
    ck_assert_int_eq(monitor_new(&monitor, &b.settings), -22);
    b.settings.rule_count = 1;
    b.rules[0].step_count = 0;
    b.rules[0].detector = "evidence";
    ck_assert_int_eq(monitor_new(&monitor, &b.settings), -22);
    ck_assert_ptr_null(monitor);
    monitor_destroy(&b.monitor);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("rules");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_drift_inside_the_budget);
    tcase_add_test(cases, evidence_of_right_and_wrong_answers_that_come_late);
    tcase_add_test(cases, errors_are_what_is_not_right);
    tcase_add_test(cases, histograms_and_categories);
    tcase_add_test(cases, accuracy_that_confidence_lets_expect);
    tcase_add_test(cases, an_episode_hides_nothing_for_ever);
    tcase_add_test(cases, the_measured_rate_sets_the_threshold);
    tcase_add_test(cases, false_alarms_keep_to_the_budget);
    tcase_add_test(cases, moments_of_a_long_stream);
    tcase_add_test(cases, a_model_is_healthy_from_the_first_value_that_a_rule_judges);
    tcase_add_test(cases, settings_that_cannot_be);
    Suite *suite = suite_create("rules");
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

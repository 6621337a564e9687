/* How large a change is, where the chart that found it cuts off what is far. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/monitor/monitor.h"
#include "tests/normal.h"
#include "tests/run_suite.h"

#define WINDOW 64

static struct drift_rule rule;
static struct detect_params steps[RULE_STEPS_MAX];
static struct monitor_settings settings;
static struct monitor *monitor;
static int64_t now_ns;

static void anew(uint64_t seed)
{
    ck_assert_int_eq(monitor_new(&monitor, &settings), 0);
    normal_seed = seed;
    now_ns = 0;
}

static void begin(const char *detector, const char *log, const char *prewhiten)
{
    rule = (struct drift_rule){.metric = "x", .detector = detector, .kpi = RULE_NO_KPI};
    ck_assert_int_eq(detect_params_init(&rule.params, detector, NULL), 0);
    ck_assert_int_eq(detect_params_set_text(&rule.params, "log", text_of(log), NULL), 0);
    ck_assert_int_eq(detect_params_set_text(&rule.params, "prewhiten", text_of(prewhiten), NULL), 0);
    ck_assert_int_eq(detect_params_set_text(&rule.params, "robust", text_of("true"), NULL), 0);
    settings = (struct monitor_settings){.window = WINDOW, .min_events = 8, .consecutive_failures = 3, .recover_after = 4,
                                         .backoff_ns = 1, .rules = &rule, .rule_count = 1, .alarms = {.every_events = 1e5}};
    ck_assert_int_eq(drift_rules_promise(&rule, 1, &settings.alarms, 0, steps), 0);
    anew(88172645463325252u);
}

static bool send(double value)
{
    struct verdict verdict;
    const struct metric metric = {.name = text_of("x"), .kind = METRIC_NUMBER, .number = value};
    const struct metric_event event = {.timestamp_s = NAN, .n = 1, .metrics = &metric, .metric_count = 1};
    now_ns += INT64_C(1000000000);
    ck_assert_int_eq(monitor_add(monitor, &event, now_ns, (double)now_ns / 1e9, &verdict), 0);
    return verdict.triggered;
}

/* Until it is found, at most 2,000 values. */
#define SEND_UNTIL_FOUND(value)                                                                                        \
    do {                                                                                                               \
        for (int left = 2000; !send(value); left--)                                                                    \
            ck_assert_int_gt(left, 0);                                                                                 \
    } while (0)

/* The true size lies in the interval, which is no wider than `width` to either side. */
static void is(double size, double width)
{
    const struct trigger *t = monitor_trigger(monitor);
    ck_assert_msg(t->size_lower < t->size && t->size < t->size_upper, "%g %g %g", t->size_lower, t->size, t->size_upper);
    ck_assert_msg(t->size_lower < size && size < t->size_upper, "%g: %g to %g", size, t->size_lower, t->size_upper);
    ck_assert_msg(t->size_upper - t->size_lower < 2 * width, "%g to %g", t->size_lower, t->size_upper);
    monitor_destroy(&monitor);
}

static const char *const charts[] = {"cusum", "ewma"};

START_TEST(of_many_deviations)
{
    static const double shifts[] = {-1000, -30, 30, 1e6};
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        begin(charts[_i], "off", "false");
        for (int k = 0; k < 1000; k++)
            ck_assert(!send(10 + normal()));
        SEND_UNTIL_FOUND(10 + shifts[i] + normal());
        is(shifts[i], 3);
    }
}
END_TEST

START_TEST(of_a_constant)
{
    begin(charts[_i], "auto", "true");
    for (int k = 0; k < 1000; k++)
        ck_assert(!send(0.9));
    SEND_UNTIL_FOUND(0.5);
    is(-0.4, 1e-6);
}
END_TEST

START_TEST(in_logarithms)
{
    begin(charts[_i], "on", "false");
    for (int k = 0; k < 1000; k++)
        ck_assert(!send(100 * exp(0.1 * normal())));
    SEND_UNTIL_FOUND(2000 * exp(0.1 * normal()));
    is(1900, 500);
}
END_TEST

START_TEST(of_values_that_hang_together)
{
    double ar = 0;
    begin(charts[_i], "off", "true");
    for (int k = 0; k < 1000; k++)
        ck_assert(!send(10 + (ar = 0.7 * ar + normal())));
    SEND_UNTIL_FOUND(60 + (ar = 0.7 * ar + normal()));
    is(50, 12);
}
END_TEST

/* What one value says of a small change is left to the chart, which has no ear for it either. */
START_TEST(an_outlier_has_no_say)
{
    int sent = 0;
    begin(charts[_i], "off", "false");
    for (int k = 0; k < 1000; k++)
        ck_assert(!send(10 + normal()));
    SEND_UNTIL_FOUND(sent++ == 3 ? 1e9 : 10.7 + normal());
    is(0.7, 1.5);
}
END_TEST

/* About 95 % of the intervals should have it. Where fewer than three values sufficed to find it, it stays the least. */
START_TEST(most_intervals_have_it)
{
    static const double shifts[] = {1, 3, 5, 20};
    enum { RUNS = 100 };
    begin(charts[_i], "off", "false");
    monitor_destroy(&monitor);
    for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++) {
        int within = 0, runs = 0;
        for (uint64_t seed = 1; runs < RUNS; seed++) {
            bool early = false;
            anew(seed * UINT64_C(0x9e3779b97f4a7c15));
            for (int k = 0; k < 600; k++)
                early = send(normal()) || early;
            if (!early) {
                SEND_UNTIL_FOUND(shifts[i] + normal());
                const struct trigger *t = monitor_trigger(monitor);
                within += t->size_lower <= shifts[i] && shifts[i] <= t->size_upper;
                runs++;
            }
            monitor_destroy(&monitor);
        }
        ck_assert_msg(within >= 0.75 * RUNS, "%s, %g: %d of %d", charts[_i], shifts[i], within, RUNS);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rule size");
    TCase *cases = tcase_create("sizes");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, of_many_deviations, 0, 2);
    tcase_add_loop_test(cases, of_a_constant, 0, 2);
    tcase_add_loop_test(cases, in_logarithms, 0, 2);
    tcase_add_loop_test(cases, of_values_that_hang_together, 0, 2);
    tcase_add_loop_test(cases, an_outlier_has_no_say, 0, 2);
    tcase_add_loop_test(cases, most_intervals_have_it, 0, 2);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

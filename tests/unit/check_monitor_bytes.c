/* What a monitor says that it takes, against what it asks for and against what the allocator gave. */
#include <check.h>
#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/monitor/monitor.h"
#include "lib/pages.h"
#include "tests/run_suite.h"

#define WINDOW 200
#define BINS 8

static int64_t granted, most;
static unsigned refused;

static bool take(void *argument, int64_t bytes)
{
    (void)argument;
    if (bytes > 0 && granted + bytes > most) {
        refused++;
        return false;
    }
    granted += bytes;
    return true;
}

static const struct allowance allowance = {.take = take};

static struct kpi_budget kpis[] = {
    {.metric = "accuracy", .min = 0.5, .max = NAN, .over = WINDOW_MEAN},
    {.metric = "latency_ms", .min = NAN, .max = 400, .over = WINDOW_P95},
    {.metric = "latency_ms", .min = NAN, .max = 300, .over = WINDOW_MEDIAN},
};
static struct drift_rule rules[16];
static struct monitor_settings settings;
static struct monitor *monitor;

/* Every detector looks at a metric called as itself. */
static void enter(void)
{
    settings = (struct monitor_settings){.window = WINDOW,
                                         .min_events = 1000000,
                                         .consecutive_failures = 3,
                                         .recover_after = 4,
                                         .kpis = kpis,
                                         .kpi_count = 3,
                                         .rules = rules};
    for (uint32_t i = 0; detect_name(i); i++) {
        struct drift_rule rule = {.detector = detect_name(i), .kpi = RULE_NO_KPI};
        snprintf(rule.metric, sizeof rule.metric, "%s", detect_name(i));
        if (detect_params_init(&rule.params, rule.detector, NULL) == 0 && detect_params_check(&rule.params, NULL) == 0)
            rules[settings.rule_count++] = rule;
    }
    ck_assert_uint_ge(settings.rule_count, 12);
    granted = refused = 0;
    most = INT64_MAX;
    ck_assert_int_eq(monitor_new(&monitor, &settings), 0);
    ck_assert_uint_eq(monitor_bytes(monitor), monitor_least_bytes(&settings));
    monitor_allow(monitor, &allowance);
}

static void leave(void)
{
    monitor_destroy(&monitor);
}

static int send(const struct metric *metrics, uint32_t count, uint64_t n)
{
    static int64_t now_ns;
    struct verdict verdict;
    const struct metric_event event = {.timestamp_s = NAN, .n = n, .metrics = metrics, .metric_count = count};
    now_ns += 1000000000;
    return monitor_add(monitor, &event, now_ns, 1.8e9, &verdict);
}

static struct metric number(const char *name, double value)
{
    return (struct metric){.name = text_of(name), .kind = METRIC_NUMBER, .number = value};
}

static struct metric histogram(const char *name)
{
    static double edges[BINS + 1];
    static uint64_t counts[BINS];
    for (int i = 0; i <= BINS; i++)
        edges[i] = i;
    for (int i = 0; i < BINS; i++)
        counts[i] = 10;
    return (struct metric){
        .name = text_of(name), .kind = METRIC_HISTOGRAM, .histogram = {.edges = edges, .counts = counts, .bins = BINS}};
}

static struct metric_category categories[1000];

static struct metric classes(const char *name, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        categories[i] = (struct metric_category){.name = text_of("cat"), .count = 3};
    return (struct metric){
        .name = text_of(name), .kind = METRIC_CATEGORIES, .categories = {.at = categories, .count = count}};
}

/* What was granted, and what the monitor began with, is what it says: to the byte. */
static void adds_up(void)
{
    ck_assert_int_eq((int64_t)monitor_least_bytes(&settings) + granted, (int64_t)monitor_bytes(monitor));
}

START_TEST(each_growth_is_asked_for)
{
    const struct metric first[] = {number("accuracy", 0.9), number("brightness", 3)};
    ck_assert_int_eq(send(first, 2, 1), 0);
    adds_up();
    const int64_t two = granted;
    ck_assert_int_eq(send(first, 2, 1), 0);
    ck_assert_int_eq(granted, two); /* what is there is asked for once */
    const struct metric later[] = {number("latency_ms", 20)};
    ck_assert_int_eq(send(later, 1, 1), 0);
    adds_up();
    ck_assert_int_gt(granted, two);
    const int64_t three = granted;
    ck_assert_int_eq(send(first, 2, 7), 0); /* weights of two windows */
    adds_up();
    ck_assert_int_ge(granted - three, (int64_t)(2 * WINDOW * sizeof(float)));
    const struct metric bins[] = {histogram("psi")}, kinds[] = {classes("chi2", 900)};
    int64_t before = granted;
    ck_assert_int_eq(send(bins, 1, 1), 0);
    adds_up();
    ck_assert_int_gt(granted, before + 50000); /* cells for a whole reference */
    before = granted;
    ck_assert_int_eq(send(kinds, 1, 1), 0);
    adds_up();
    ck_assert_int_gt(granted, before + 900 * 16);
    const struct metric wrong[] = {histogram("cusum")};
    before = granted;
    ck_assert_int_eq(send(wrong, 1, 1), 0);
    ck_assert_int_eq(granted, before); /* no cells for a detector that takes none */
}
END_TEST

START_TEST(what_is_refused_is_left_out)
{
    const struct metric first[] = {number("accuracy", 0.9)},
                        more[] = {number("accuracy", 0.8), number("brightness", 3)};
    ck_assert_int_eq(send(first, 1, 1), 0);
    most = granted;
    ck_assert_int_eq(send(more, 2, 1), 0); /* the metric that is known goes on */
    ck_assert_uint_eq(monitor_metric_count(monitor), 1);
    ck_assert_uint_eq(window_total(monitor_metric_window(monitor, 0)), 2);
    ck_assert_uint_eq(monitor_metrics_left_out(monitor), 1);
    ck_assert_uint_eq(refused, 1);
    ck_assert_int_eq(send(first, 1, 5), -ENOMEM); /* weights */
    ck_assert_uint_eq(window_total(monitor_metric_window(monitor, 0)), 2);
    const struct metric bins[] = {histogram("psi"), number("accuracy", 0.7)};
    struct monitor_rule rule = {.refused = 0};
    ck_assert_int_eq(send(bins, 2, 1), 0);
    ck_assert_uint_eq(window_total(monitor_metric_window(monitor, 0)), 3);
    for (uint32_t i = 0; i < monitor_rule_count(monitor); i++) {
        struct monitor_rule at;
        monitor_rule_at(monitor, i, &at);
        if (strcmp(at.detector, "psi") == 0)
            rule = at;
    }
    ck_assert_uint_eq(rule.refused, 1);
    const struct metric kinds[] = {classes("chi2", 900)};
    ck_assert_int_eq(send(kinds, 1, 1), -ENOMEM);
    adds_up();
    most = INT64_MAX; /* there is room again */
    ck_assert_int_eq(send(more, 2, 5), 0);
    ck_assert_uint_eq(monitor_metric_count(monitor), 2);
    adds_up();
}
END_TEST

/* An event that fails half-way has taken nothing. */
START_TEST(an_event_that_is_not_taken_gives_back)
{
    const struct metric many[] = {number("a", 1), number("b", 1), number("c", 1)};
    most = granted + 3 * (int64_t)monitor_metric_most_bytes(WINDOW, false) -
           (int64_t)(WINDOW * sizeof(float)); /* not for all weights */
    ck_assert_int_eq(send(many, 3, 2), -ENOMEM);
    ck_assert_uint_eq(monitor_metric_count(monitor), 0);
    ck_assert_int_eq(granted, 0);
    adds_up();
}
END_TEST

/* The first event of many metrics, of which there is room for some. */
START_TEST(a_first_event_gets_what_there_is)
{
    struct metric many[MONITOR_METRICS_MAX];
    char names[MONITOR_METRICS_MAX][16];
    for (int i = 0; i < MONITOR_METRICS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "m%d", i);
        many[i] = number(names[i], i);
    }
    most = 10 * (int64_t)monitor_metric_most_bytes(WINDOW, false);
    ck_assert_int_eq(send(many, MONITOR_METRICS_MAX, 1), 0);
    ck_assert_uint_ge(monitor_metric_count(monitor), 10);
    ck_assert_uint_lt(monitor_metric_count(monitor), 30);
    adds_up();
}
END_TEST

/* Other settings make other windows; who is asked stays, and what is asked for later adds up with what is there. */
START_TEST(a_change_counts_as_what_it_makes)
{
    const struct metric first[] = {number("accuracy", 0.9), number("brightness", 3)},
                        later[] = {number("latency_ms", 9)};
    struct monitor_settings longer = settings;
    longer.window = 3 * WINDOW;
    ck_assert_int_eq(send(first, 2, 3), 0);
    const int64_t before = (int64_t)monitor_bytes(monitor);
    ck_assert_int_eq(monitor_change(&monitor, &longer), 0);
    const int64_t after = (int64_t)monitor_bytes(monitor), was = granted;
    ck_assert_int_gt(after, before);
    ck_assert_int_eq(granted, was); /* who changes it means it */
    ck_assert_int_eq(send(later, 1, 1), 0);
    ck_assert_int_eq((int64_t)monitor_bytes(monitor) - after, granted - was);
    most = granted;
    ck_assert_int_eq(send((struct metric[]){number("another", 1)}, 1, 1), 0);
    ck_assert_uint_eq(monitor_metric_count(monitor), 3);
    monitor_destroy(&monitor); /* before `longer` */
}
END_TEST

static int64_t given_out(void)
{
    const struct mallinfo2 info = mallinfo2();
    return (int64_t)(info.uordblks + info.hblkhd - pages_idle_bytes());
}

START_TEST(it_is_an_upper_end_of_what_the_allocator_gave)
{
    monitor_destroy(&monitor);
    const int64_t before = given_out();
    ck_assert_int_eq(monitor_new(&monitor, &settings), 0);
    struct metric metrics[40];
    char names[40][24];
    uint32_t count = 0;
    metrics[count++] = number("accuracy", 0.9);
    metrics[count++] = number("latency_ms", 20);
    for (uint32_t i = 0; i < settings.rule_count; i++)
        metrics[count++] = strcmp(rules[i].detector, "psi") == 0    ? histogram("psi")
                           : strcmp(rules[i].detector, "chi2") == 0 ? classes("chi2", 500)
                                                                    : number(rules[i].metric, 0);
    for (int i = 0; i < 8; i++) {
        snprintf(names[i], sizeof names[i], "extra-%d", i);
        metrics[count++] = number(names[i], i);
    }
    for (int round = 0; round < 3000; round++) {
        for (uint32_t i = 0; i < count; i++)
            if (metrics[i].kind == METRIC_NUMBER)
                metrics[i].number = fmod(round * 0.61803398875 + i, 1.0);
        ck_assert_int_eq(send(metrics, count, 1 + (round > 2000)), 0);
        const int64_t taken = given_out() - before;
        ck_assert_msg(taken <= (int64_t)monitor_bytes(monitor), "%lld bytes taken, %llu counted, round %d", (long long)taken,
                      (unsigned long long)monitor_bytes(monitor), round);
    }
}
END_TEST

/* Where windows are short, what stands beside them is most of it. */
START_TEST(it_is_an_upper_end_for_small_models)
{
    static const uint32_t counts[] = {1, 2, 5, 17, 64};
    struct monitor_settings small = {
        .window = 4, .min_events = 2, .consecutive_failures = 1, .recover_after = 4, .kpis = kpis};
    struct metric metrics[64];
    char names[64][16];
    for (uint32_t i = 0; i < 64; i++) {
        snprintf(names[i], sizeof names[i], "extra-%u", i);
        metrics[i] = number(i == 0 ? "accuracy" : i == 1 ? "latency_ms" : names[i], 0);
        metrics[i].key = i + 1; /* as a decoder that knows the names */
    }
    for (uint32_t k = 0; k < 2 * sizeof counts / sizeof *counts; k++) {
        const uint32_t count = counts[k / 2];
        small.kpi_count = k % 2 ? 3 : 0;
        monitor_destroy(&monitor);
        const int64_t before = given_out();
        ck_assert_int_eq(monitor_new(&monitor, &small), 0);
        for (int round = 0; round < 100; round++) {
            for (uint32_t i = 0; i < count; i++)
                metrics[i].number = round % 40 ? 0.9 + i / 1e3 : 0.1;
            ck_assert_int_eq(send(metrics, count, 1), 0);
            const int64_t taken = given_out() - before;
            ck_assert_msg(taken <= (int64_t)monitor_bytes(monitor), "%lld bytes taken, %llu counted, %u metrics", (long long)taken,
                          (unsigned long long)monitor_bytes(monitor), count);
        }
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("monitor_bytes");
    tcase_add_checked_fixture(cases, enter, leave);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, each_growth_is_asked_for);
    tcase_add_test(cases, what_is_refused_is_left_out);
    tcase_add_test(cases, an_event_that_is_not_taken_gives_back);
    tcase_add_test(cases, a_first_event_gets_what_there_is);
    tcase_add_test(cases, a_change_counts_as_what_it_makes);
    tcase_add_test(cases, it_is_an_upper_end_of_what_the_allocator_gave);
    tcase_add_test(cases, it_is_an_upper_end_for_small_models);
    Suite *suite = suite_create("monitor_bytes");
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

/* What a monitor keeps and says besides its decisions; those are told in tests/story/. */
#include "lib/monitor/monitor.h"
#include "tests/run_suite.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct kpi_budget kpis[] = {
    {.metric = "accuracy", .min = 0.80, .max = NAN, .over = WINDOW_MEAN},
    {.metric = "latency_ms", .min = NAN, .max = 400, .over = WINDOW_P95},
};

static struct monitor_settings settings_of(const struct kpi_budget *at, uint32_t count)
{
    return (struct monitor_settings){
        .window = 4,
        .min_events = 1,
        .consecutive_failures = 1,
        .recover_after = 1,
        .backoff_ns = 0,
        .stale_after_ns = 1000,
        .kpis = at,
        .kpi_count = count,
    };
}

static struct monitor *monitor_of(const struct monitor_settings *settings)
{
    struct monitor *monitor;
    ck_assert_int_eq(monitor_new(&monitor, settings), 0);
    return monitor;
}

static struct metric number(const char *name, double value)
{
    return (struct metric){text_of(name), METRIC_NUMBER, .number = value};
}

static struct verdict add(struct monitor *monitor, const struct metric *metrics, uint32_t count, uint64_t n,
                          double at_s)
{
    const struct metric_event event = {.timestamp_s = at_s, .n = n, .metrics = metrics, .metric_count = count};
    struct verdict verdict;
    ck_assert_int_eq(monitor_add(monitor, &event, 5, 1764000000, &verdict), 0);
    return verdict;
}

static const struct window *window_of(const struct monitor *monitor, const char *name)
{
    for (uint32_t i = 0; i < monitor_metric_count(monitor); i++)
        if (strcmp(monitor_metric_name(monitor, i), name) == 0)
            return monitor_metric_window(monitor, i);
    return NULL;
}

START_TEST(settings_out_of_range)
{
    const struct monitor_settings good = settings_of(kpis, 2);
    struct monitor_settings bad[9];
    struct kpi_budget odd = kpis[0];
    struct monitor *monitor;
    for (int i = 0; i < 9; i++)
        bad[i] = good;
    bad[0].window = 0;
    bad[1].window = WINDOW_CAPACITY_MAX + 1;
    bad[2].consecutive_failures = 0;
    bad[3].recover_after = 0;
    bad[4].backoff_ns = -1;
    bad[5].stale_after_ns = -1;
    bad[6].kpi_count = MONITOR_METRICS_MAX + 1;
    odd.over = WINDOW_STATS;
    bad[7].kpis = bad[8].kpis = &odd;
    bad[7].kpi_count = bad[8].kpi_count = 1;
    for (int i = 0; i < 9; i++) {
        if (i == 8) {
            odd.over = WINDOW_MEAN;
            odd.min = -INFINITY;
        }
        ck_assert_msg(monitor_new(&monitor, &bad[i]) == -EINVAL, "settings %d", i);
        ck_assert_ptr_null(monitor);
    }
    ck_assert_int_eq(monitor_new(&monitor, &good), 0);
    ck_assert_ptr_eq(monitor_settings_of(monitor), &good);
    monitor_destroy(&monitor);
    ck_assert_ptr_null(monitor);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(metrics_have_windows_in_the_order_they_came)
{
    const struct monitor_settings settings = settings_of(kpis, 2);
    struct monitor *monitor = monitor_of(&settings);
    const struct metric first[] = {number("recall", 0.5), number("accuracy", 0.9)};
    const struct metric second[] = {number("accuracy", 0.7), number("latency_ms", 20), number("recall", 0.7)};
    add(monitor, first, 2, 1, NAN);
    add(monitor, second, 3, 1, NAN);
    add(monitor, second + 1, 1, 1, NAN);
    ck_assert_uint_eq(monitor_metric_count(monitor), 3);
    ck_assert_str_eq(monitor_metric_name(monitor, 0), "recall");
    ck_assert_str_eq(monitor_metric_name(monitor, 1), "accuracy");
    ck_assert_str_eq(monitor_metric_name(monitor, 2), "latency_ms");
    ck_assert_double_eq_tol(window_get(window_of(monitor, "accuracy"), WINDOW_MEAN), 0.8, 1e-7);
    ck_assert_double_eq_tol(window_get(window_of(monitor, "recall"), WINDOW_MEAN), 0.6, 1e-7);
    ck_assert_uint_eq(window_total(window_of(monitor, "latency_ms")), 2);
    ck_assert_double_eq(window_get(window_of(monitor, "latency_ms"), WINDOW_P95), 20);
    ck_assert_double_eq(window_get(window_of(monitor, "accuracy"), WINDOW_P95), (double)0.9F); /* asked by no budget */
    ck_assert_uint_eq(monitor_events(monitor), 3);
    ck_assert_int_eq(monitor_last_event_ns(monitor), 5);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(an_event_weighs_what_it_sums_up)
{
    const struct monitor_settings settings = settings_of(kpis, 2);
    struct monitor *monitor = monitor_of(&settings);
    const struct metric good[] = {number("accuracy", 1.0), number("latency_ms", 100)};
    const struct metric bad[] = {number("accuracy", 0.5), number("latency_ms", 900)};
    ck_assert_int_eq(add(monitor, good, 2, 1, NAN).evaluation, EVALUATION_HEALTHY);
    ck_assert_int_eq(add(monitor, good, 2, 98, NAN).evaluation, EVALUATION_HEALTHY);
    /* latency: 5 of 104 predictions lie above 400, p95 needs 98.8 below; accuracy 0.976 */
    ck_assert_int_eq(add(monitor, bad, 2, 5, NAN).evaluation, EVALUATION_HEALTHY);
    ck_assert_int_eq(add(monitor, bad, 2, 1, NAN).evaluation, EVALUATION_FAILING);
    ck_assert_str_eq(monitor_trigger(monitor)->metric, "latency_ms");
    ck_assert_double_eq_tol(window_get(window_of(monitor, "accuracy"), WINDOW_MEAN), 102.0 / 105, 1e-7);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(histograms_and_categories_are_taken_and_not_judged)
{
    static const double edges[] = {0, 0.5, 1};
    static const uint64_t counts[] = {3, 4};
    static const struct metric_category cats[] = {{{"cat", 3}, 12}};
    const struct monitor_settings settings = settings_of(kpis, 2);
    struct monitor *monitor = monitor_of(&settings);
    const struct metric metrics[] = {
        {.name = {"accuracy", 8}, .kind = METRIC_HISTOGRAM, .histogram = {edges, counts, 2}}, /* under a KPI's name */
        {.name = {"classes", 7}, .kind = METRIC_CATEGORIES, .categories = {cats, 1}},
        number("latency_ms", 100),
    };
    ck_assert_int_eq(add(monitor, metrics, 2, 7, NAN).evaluation, EVALUATION_NONE);
    ck_assert_uint_eq(monitor_metric_count(monitor), 0);
    ck_assert_int_eq(add(monitor, metrics, 3, 7, NAN).evaluation, EVALUATION_HEALTHY);
    ck_assert_uint_eq(monitor_metric_count(monitor), 1);
    ck_assert_uint_eq(monitor_events(monitor), 2);
    ck_assert_uint_eq(monitor_metrics_left_out(monitor), 0);
    monitor_destroy(&monitor);
}
END_TEST

/* A node that sends a hundred metrics of its own cannot crowd out those that are judged. */
START_TEST(there_is_always_room_for_kpis)
{
    const struct monitor_settings settings = settings_of(kpis, 2);
    struct monitor *monitor = monitor_of(&settings);
    char names[100][16];
    struct metric metrics[102];
    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "own%d", i);
        metrics[i] = number(names[i], i);
    }
    metrics[100] = number("accuracy", 0.5);
    metrics[101] = number("latency_ms", 50);
    add(monitor, metrics, 100, 1, NAN);
    ck_assert_uint_eq(monitor_metric_count(monitor), MONITOR_METRICS_MAX - 2);
    ck_assert_uint_eq(monitor_metrics_left_out(monitor), 38);
    ck_assert_int_eq(add(monitor, metrics, 101, 1, NAN).evaluation, EVALUATION_FAILING);
    ck_assert_int_eq(add(monitor, metrics + 99, 3, 1, NAN).evaluation, EVALUATION_FAILING);
    ck_assert_uint_eq(monitor_metric_count(monitor), MONITOR_METRICS_MAX);
    ck_assert_uint_eq(monitor_metrics_left_out(monitor), 38 + 38 + 1);
    ck_assert_str_eq(monitor_metric_name(monitor, MONITOR_METRICS_MAX - 1), "latency_ms");
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(kpis_first_leave_their_reserve_to_others)
{
    const struct monitor_settings settings = settings_of(kpis, 2);
    struct monitor *monitor = monitor_of(&settings);
    char names[62][16];
    struct metric metrics[64] = {number("accuracy", 0.9), number("latency_ms", 50)};
    for (int i = 0; i < 62; i++) {
        snprintf(names[i], sizeof names[i], "own%d", i);
        metrics[i + 2] = number(names[i], i);
    }
    add(monitor, metrics, 64, 1, NAN);
    ck_assert_uint_eq(monitor_metric_count(monitor), MONITOR_METRICS_MAX);
    ck_assert_uint_eq(monitor_metrics_left_out(monitor), 0);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(one_metric_may_have_several_budgets)
{
    static const struct kpi_budget both[] = {
        {.metric = "latency_ms", .min = 1, .max = 100, .over = WINDOW_MEAN},
        {.metric = "latency_ms", .min = NAN, .max = 300, .over = WINDOW_MAX},
    };
    const struct monitor_settings settings = settings_of(both, 2);
    struct monitor *monitor = monitor_of(&settings);
    const struct metric low = number("latency_ms", 0.5), usual = number("latency_ms", 50),
                        peak = number("latency_ms", 301);
    add(monitor, &usual, 1, 1, NAN);
    add(monitor, &usual, 1, 1, NAN);
    ck_assert(!add(monitor, &usual, 1, 1, NAN).triggered);
    ck_assert(add(monitor, &peak, 1, 1, NAN).triggered);
    ck_assert_str_eq(monitor_trigger(monitor)->rule, "latency_ms mean > 100"); /* 112.75 */
    for (int i = 0; i < 4; i++)
        add(monitor, &low, 1, 1, NAN);
    ck_assert_str_eq(monitor_trigger(monitor)->rule, "latency_ms mean < 1");
    ck_assert_uint_eq(monitor_metric_count(monitor), 1);
    monitor_destroy(&monitor);
}
END_TEST

/* Times in a trigger are the events' own, unless they are decades off: such a node has no clock. */
START_TEST(timestamps_are_evidence)
{
    const struct monitor_settings settings = settings_of(kpis, 2);
    struct monitor *monitor = monitor_of(&settings);
    const struct metric bad = number("accuracy", 0.1);
    add(monitor, &bad, 1, 1, 1763999000.5);
    add(monitor, &bad, 1, 1, 1763999001.5);
    const struct trigger *t = monitor_trigger(monitor);
    ck_assert_double_eq(t->change_at_s, 1763999000.5);
    ck_assert_double_eq(t->window_start_s, 1763999000.5);
    ck_assert_double_eq(t->window_end_s, 1763999001.5);
    add(monitor, &bad, 1, 1, 0);
    ck_assert_double_eq(t->window_end_s, 1764000000);
    add(monitor, &bad, 1, 1, 1e300);
    ck_assert_double_eq(t->window_end_s, 1764000000);
    add(monitor, &bad, 1, 1, NAN);
    ck_assert_double_eq(t->window_end_s, 1764000000);
    ck_assert_double_eq_tol(t->window_start_s, 1763999001.5, 1e-3);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(states_have_names)
{
    static const char *const names[] = {"warming",    "healthy", "failing",  "drifting",
                                        "retraining", "stale",   "silenced", "unrecoverable"};
    for (int i = 0; i < MODEL_STATES; i++)
        ck_assert_str_eq(model_state_name((enum model_state)i), names[i]);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* they need the address space for themselves */
static void limit_memory(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = bytes;
    setrlimit(RLIMIT_AS, &limit);
}

static rlim_t memory_now(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    return pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* Windows of a million values, and no memory for them: nothing of the event is taken, and once there is memory again
 * the monitor goes on as if that event had never been. */
START_TEST(without_memory_nothing_of_an_event_is_taken)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        return; /* valgrind ends the program where there is no memory */
    struct monitor_settings settings = settings_of(kpis, 2);
    settings.window = WINDOW_CAPACITY_MAX;
    struct monitor *monitor = monitor_of(&settings);
    const struct metric metrics[] = {number("accuracy", 0.1), number("latency_ms", 900), number("recall", 1)};
    struct metric_event event = {.timestamp_s = NAN, .n = 1, .metrics = metrics, .metric_count = 1};
    struct verdict verdict;
    ck_assert_int_eq(monitor_add(monitor, &event, 1, 1, &verdict), 0);

    for (int weighted = 0; weighted < 2; weighted++) {
        event.metric_count = weighted ? 1 : 3; /* for weights, or for two more windows */
        event.n = weighted ? 2 : 1;
        /* not enough for weights (4 MB); or enough for latency (8 MB and 4 MB for times), and not for recall (4 MB) */
        limit_memory(memory_now() + (weighted ? 2 << 20 : 13 << 20));
        ck_assert_int_eq(monitor_add(monitor, &event, 2, 2, &verdict), -ENOMEM);
        ck_assert(!verdict.triggered && verdict.evaluation == EVALUATION_NONE);
        limit_memory(RLIM_INFINITY);
        ck_assert_uint_eq(monitor_metric_count(monitor), 1);
        ck_assert_uint_eq(window_total(window_of(monitor, "accuracy")), 1);
        ck_assert_uint_eq(monitor_events(monitor), 1);
        ck_assert_int_eq(monitor_last_event_ns(monitor), 1);
    }
    event.metric_count = 3;
    ck_assert_int_eq(monitor_add(monitor, &event, 3, 3, &verdict), 0);
    ck_assert(verdict.triggered);
    ck_assert_uint_eq(monitor_metric_count(monitor), 3);
    ck_assert_double_eq(window_get(window_of(monitor, "latency_ms"), WINDOW_P95), 900);
    monitor_destroy(&monitor);
}
END_TEST
#endif

int main(void)
{
    Suite *suite = suite_create("monitor");
    TCase *tcase = tcase_create("monitor");
    tcase_add_test(tcase, settings_out_of_range);
    tcase_add_test(tcase, metrics_have_windows_in_the_order_they_came);
    tcase_add_test(tcase, an_event_weighs_what_it_sums_up);
    tcase_add_test(tcase, histograms_and_categories_are_taken_and_not_judged);
    tcase_add_test(tcase, there_is_always_room_for_kpis);
    tcase_add_test(tcase, kpis_first_leave_their_reserve_to_others);
    tcase_add_test(tcase, one_metric_may_have_several_budgets);
    tcase_add_test(tcase, timestamps_are_evidence);
    tcase_add_test(tcase, states_have_names);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    tcase_add_test(tcase, without_memory_nothing_of_an_event_is_taken);
#endif
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

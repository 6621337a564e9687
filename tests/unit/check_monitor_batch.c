/* Events that wait: a monitor that nobody looks at decides as one that is looked at after each event, for which nothing
 * waits longer than to the next, and comes to the same state, to the last bit. */
#include "tests/rounds.h"
#include "tests/run_suite.h"
#include "tests/unit/monitor_stage.h"

#define EVENTS ROUNDS_OR(4000, 1000)

/* One event for both. Returns whether it waited where nobody looks. */
static bool feed(struct stage *self, struct monitor *alone, struct monitor *seen, uint32_t i)
{
    struct metric metrics[METRICS_MOST];
    struct verdict left, right;
    for (uint32_t m = 0; m < self->metrics; m++)
        metrics[m] = (struct metric){.name = text_of(self->names[m]), .key = 100 + m, .number = value_of(self, i, m)};
    const struct metric_event event = {
        .shape = 7, .timestamp_s = NAN, .n = 1, .metrics = metrics, .metric_count = self->metrics};
    const uint32_t waited = alone->batch.waiting;
    ck_assert_int_eq(monitor_add(alone, &event, (int64_t)i * STEP_NS, 1.7e9 + i, &left), 0);
    ck_assert_int_eq(monitor_add(seen, &event, (int64_t)i * STEP_NS, 1.7e9 + i, &right), 0);
    ck_assert_msg(memcmp(&left, &right, sizeof left) == 0, "event %u of %u metrics", i, self->metrics);
    monitor_metric_window(seen, 0);
    return alone->batch.waiting > waited;
}

static uint32_t run(uint32_t metrics, bool rules, enum kind kind)
{
    struct stage stage;
    struct monitor *alone, *seen;
    uint32_t waited = 0;
    stage_make(&stage, metrics, rules, kind);
    ck_assert_int_eq(monitor_new(&alone, &stage.settings), 0);
    ck_assert_int_eq(monitor_new(&seen, &stage.settings), 0);
    for (uint32_t i = 0; i < EVENTS; i++) {
        waited += feed(&stage, alone, seen, i);
        if (i % 331 == 0)
            same_state(alone, seen);
    }
    same_state(alone, seen);
    monitor_destroy(&alone);
    monitor_destroy(&seen);
    return waited;
}

/* With bounds beside the monitor's head and, of more metrics, elsewhere. */
START_TEST(all_is_as_if_none_had_waited)
{
    static const uint32_t metrics[] = {1, 2, 3, 5, 6, 8, 9, 10, 11, 17, 33, METRICS_MOST};
    run(metrics[_i % 12], _i / 12 % 2, (enum kind)(_i / 24));
}
END_TEST

/* Seven of eight at best. That a value does not change at all is no reason not to. */
START_TEST(most_wait)
{
    ck_assert_uint_gt(run(5, false, STEADY), EVENTS / 4 * 3);
    ck_assert_uint_gt(run(12, false, STEADY), EVENTS / 4 * 3);
    ck_assert_uint_gt(run(5, false, WALK), EVENTS / 2);
    ck_assert_uint_gt(run(5, true, WALK), EVENTS / 2);
    ck_assert_uint_gt(run(12, true, WALK), EVENTS / 2);
}
END_TEST

/* Whatever a value becomes as a float. */
START_TEST(bounds_are_kept_to)
{
    static const float bounds[][2] = {{0.1f, 0.9f}, {-0.5f, 0},          {0, 0.25f},
                                      {1, 1},       {-FLT_MAX, FLT_MAX}, {-1e-40f, 1e-40f}};
    const float low = bounds[_i][0], high = bounds[_i][1];
    const double values[] = {low,
                             nextafter((double)low, -INFINITY),
                             nextafter((double)low, INFINITY),
                             high,
                             nextafter((double)high, INFINITY),
                             nextafter((double)high, -INFINITY),
                             (double)nextafterf(low, -INFINITY),
                             (double)nextafterf(high, INFINITY),
                             NAN,
                             INFINITY,
                             -INFINITY,
                             1e300,
                             -1e300,
                             0.5 * ((double)low + (double)high)};
    struct metric metric = {.name = text_of("m0"), .key = 100};
    const struct metric_event event = {.shape = 7, .n = 1, .metrics = &metric, .metric_count = 1};
    double rows[BATCH_EVENTS * 2];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct batch batch = {
            .shape = 7, .until_ns = INT64_MAX, .room = rows, .most = BATCH_EVENTS, .metrics = 1, .row_numbers = 2};
        memcpy(batch.near, &(struct batch_bounds){low, high}, sizeof(struct batch_bounds));
        metric.number = values[i];
        ck_assert_int_eq(batch_write(&batch, &event, 0, 5), values[i] >= (double)low && values[i] <= (double)high);
        ck_assert(batch.waiting == 0 || (rows[0] == 5 && rows[1] == values[i]));
    }
}
END_TEST

/* What is found in doubles is kept to by floats, and they allow hardly less. (The last value alone is judged: see
 * window_quiet().) */
START_TEST(bounds_are_within_what_was_found)
{
    struct metric metric = {.name = text_of("m0"), .key = 100};
    const struct metric_event event = {.shape = 7, .timestamp_s = NAN, .n = 1, .metrics = &metric, .metric_count = 1};
    struct stage stage = {.random = 5};
    for (uint32_t i = 0; i < 2000; i++) {
        const double size = pow(10, 30 * draw(&stage) - 15), min = size * (draw(&stage) - 0.5), max = min + size;
        const struct kpi_budget kpi = {.metric = "m0", .min = min, .max = max, .over = WINDOW_LAST};
        const struct monitor_settings settings = {
            .window = 8, .min_events = 1, .consecutive_failures = 2, .recover_after = 3, .kpis = &kpi, .kpi_count = 1};
        struct verdict verdict;
        struct monitor *monitor;
        ck_assert_int_eq(monitor_new(&monitor, &settings), 0);
        metric.number = 0.5 * (min + max);
        for (uint32_t e = 0; e < 10; e++)
            ck_assert_int_eq(monitor_add(monitor, &event, e, 1.7e9, &verdict), 0);
        ck_assert_uint_gt(monitor->batch.most, 0);
        struct batch_bounds bounds;
        memcpy(&bounds, monitor->batch.near, sizeof bounds);
        const double low = min + 1e-6 * fabs(min), high = max - 1e-6 * fabs(max);
        ck_assert((double)bounds.low >= low && (double)bounds.high <= high);
        ck_assert((double)bounds.low <= low + 3e-7 * fabs(low) && (double)bounds.high >= high - 3e-7 * fabs(high));
        monitor_destroy(&monitor);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("monitor_batch");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, all_is_as_if_none_had_waited, 0, 24 * KINDS);
    tcase_add_test(all, most_wait);
    tcase_add_loop_test(all, bounds_are_kept_to, 0, 6);
    tcase_add_test(all, bounds_are_within_what_was_found);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

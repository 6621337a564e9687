/* Latency comes with every event, accuracy once in a while, when somebody has labelled a batch. */
#include "tests/story/story.h"

START_TEST(healthy_latencies_do_not_wipe_out_a_failing_accuracy)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, 100, "failing 1 began: failing"),
        EVENT(10, NONE, 100, "none 1: failing"),
        EVENT(20, NONE, 100, "none 1: failing"),
        EVENT(30, NONE, 100, "none 1: failing"),
        EVENT(40, 0.50, NONE, "failing 2: failing"),
        EVENT(50, NONE, 100, "none 2: failing"),
        EVENT(60, NONE, 100, "none 2: failing"),
        EVENT(70, 0.50, 100, "failing 0 triggered: drifting"),
        EVENT(80, NONE, 100, "none 0: drifting"), /* no recovery: accuracy was violated when it was last seen */
        EVENT(90, NONE, 100, "none 0: drifting"),
        EVENT(100, NONE, 100, "none 0: drifting"),
        EVENT(110, 1.00, NONE, "failing 1: drifting"), /* 0.625 */
        EVENT(120, 1.00, NONE, "failing 2: drifting"), /* 0.75 */
        EVENT(130, 1.00, 100, "healthy 0: drifting"),
        EVENT(140, NONE, 100, "healthy 0: drifting"),
        EVENT(150, NONE, 100, "healthy 0 recovered: healthy"), /* accuracy itself has held but once */
        EVENT(160, 1.00, 100, "healthy 0: healthy"),
    };
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    ck_assert_str_eq(monitor_trigger(monitor)->metric, "accuracy");
    ck_assert_uint_eq(monitor_trigger(monitor)->window, 3); /* accuracies, not events */
    ck_assert_double_eq_tol(monitor_trigger(monitor)->window_start_s, STORY_EPOCH_S, 1e-6);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(a_failing_latency_counts_beside_a_failing_accuracy)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, NONE, "failing 1 began: failing"),
        EVENT(10, NONE, 800, "failing 2: failing"),
        EVENT(20, NONE, 100, "none 2: failing"),
        EVENT(30, NONE, 700, "failing 0 triggered: drifting"),
    };
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    /* What this event found violated: the accuracy of thirty milliseconds ago is not what it speaks of. */
    ck_assert_str_eq(monitor_trigger(monitor)->rule, "latency_ms last > 400");
    ck_assert_double_eq_tol(monitor_trigger(monitor)->severity, 0.75, 1e-15);
    ck_assert_double_eq(monitor_trigger(monitor)->change_at_s, STORY_EPOCH_S);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(events_without_a_kpi_change_nothing)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, 800, "failing 1 began: failing"),
        EVENT(10, NONE, NONE, "none 1: failing"),
        EVENT(20, 0.50, 100, "failing 2: failing"),
        EVENT(30, NONE, NONE, "none 2: failing"),
        EVENT(40, 0.50, 100, "failing 0 triggered: drifting"),
    };
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    ck_assert_uint_eq(monitor_events(monitor), 5);
    monitor_destroy(&monitor);
}
END_TEST

/* After the request's KPI was seen well but once, latencies alone must not cancel what accuracy asked for. */
START_TEST(the_request_waits_for_its_own_kpi)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, NONE, "failing 1 began: failing"),        EVENT(10, 0.50, NONE, "failing 2: failing"),
        EVENT(20, 0.50, NONE, "failing 0 triggered: drifting"),  LIVE(25),
        EVENT(30, 1.00, NONE, "failing 1: retraining"),          EVENT(40, 1.00, NONE, "failing 2: retraining"),
        EVENT(50, 1.00, NONE, "healthy 0: retraining"),          EVENT(60, NONE, 100, "healthy 0: retraining"),
        EVENT(70, NONE, 100, "healthy 0 recovered: retraining"), EVENT(80, NONE, 100, "healthy 0: retraining"),
        EVENT(90, 1.00, NONE, "healthy 0: retraining"),          EVENT(100, 1.00, NONE, "healthy 0 held: retraining"),
        EVENT(110, 1.00, NONE, "healthy 0: retraining"),
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rare_labels");
    TCase *tcase = tcase_create("rare_labels");
    tcase_add_test(tcase, healthy_latencies_do_not_wipe_out_a_failing_accuracy);
    tcase_add_test(tcase, a_failing_latency_counts_beside_a_failing_accuracy);
    tcase_add_test(tcase, events_without_a_kpi_change_nothing);
    tcase_add_test(tcase, the_request_waits_for_its_own_kpi);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

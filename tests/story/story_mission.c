/* A detector in production goes bad: accuracy 0.50 against 0.80, 800 ms against 400 ms, event after event. */
#include "tests/story/story.h"

START_TEST(three_failures_make_one_trigger)
{
    static const struct step steps[] = {
        LOOK(0, "warming"),
        EVENT(0, 0.50, 800, "failing 1 began: failing"),
        EVENT(10, 0.50, 800, "failing 2: failing"),
        EVENT(20, 0.50, 800, "failing 0 triggered: drifting"),
        EVENT(30, 0.50, 800, "failing 1: drifting"),
    };
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    ck_assert_ptr_null(monitor_trigger(monitor));
    STORY_TELL(monitor, steps);

    const struct trigger *t = monitor_trigger(monitor);
    ck_assert_str_eq(t->rule, "accuracy mean < 0.8");
    ck_assert_str_eq(t->metric, "accuracy");
    ck_assert_double_eq(t->observed, 0.5);
    ck_assert_double_eq(t->limit, 0.8);
    ck_assert_double_eq_tol(t->severity, 1, 1e-15); /* latency is twice its limit: worse than accuracy's 0.375 */
    ck_assert_uint_eq(t->window, 3);
    ck_assert_uint_eq(t->failures, 3);
    ck_assert_double_eq(t->change_at_s, STORY_EPOCH_S);
    ck_assert_double_eq_tol(t->window_start_s, STORY_EPOCH_S, 1e-6);
    ck_assert_double_eq(t->window_end_s, STORY_EPOCH_S + 0.020);
    ck_assert_int_eq(monitor_backoff_left_ns(monitor, 520 * STORY_MS), 500 * STORY_MS);
    ck_assert_int_eq(monitor_backoff_left_ns(monitor, 5000 * STORY_MS), 0);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(a_healthy_event_between_clears_the_count)
{
    static const struct step steps[] = {
        EVENT(0, 1.00, 800, "failing 1 began: failing"),
        EVENT(10, 1.00, 800, "failing 2: failing"),
        EVENT(20, 1.00, 300, "healthy 0: healthy"),
        EVENT(30, 1.00, 800, "failing 1 began: failing"),
        EVENT(40, 1.00, 800, "failing 2: failing"),
        EVENT(50, 1.00, 400, "healthy 0: healthy"), /* on the limit is within it */
        EVENT(60, 1.00, 400.01, "failing 1 began: failing"),
    };
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    ck_assert_ptr_null(monitor_trigger(monitor));
    monitor_destroy(&monitor);
}
END_TEST

/* In back-off nothing is asked for, failures go on being counted, and the first failing event after it triggers at
 * once. */
START_TEST(backoff_counts_on_and_then_triggers_at_once)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, 800, "failing 1 began: failing"),
        EVENT(10, 0.50, 800, "failing 2: failing"),
        EVENT(20, 0.50, 800, "failing 0 triggered: drifting"),
        EVENT(300, 0.50, 800, "failing 1: drifting"),
        EVENT(600, 0.50, 800, "failing 2: drifting"),
        EVENT(900, 0.50, 800, "failing 3: drifting"),
        EVENT(1019, 0.50, 800, "failing 4: drifting"),
        EVENT(1020, 0.50, 800, "failing 0 triggered: drifting"), /* a second after the last, to the nanosecond */
        EVENT(1500, 0.50, 800, "failing 1: drifting"),
        LOOK(2019, "drifting"),
        LOOK(2020, "failing"),                        /* the episode closes with the back-off */
        EVENT(2100, 0.50, 800, "failing 2: failing"), /* too few since the last trigger */
        EVENT(2110, 0.50, 800, "failing 0 triggered: drifting"),
    };
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    ck_assert_double_eq(monitor_trigger(monitor)->change_at_s, STORY_EPOCH_S); /* it has failed since then */
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(after_backoff_a_long_run_of_failures_is_told)
{
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    for (int64_t at_ms = 0; at_ms <= 1020; at_ms += 10) {
        bool triggered = story_event(monitor, at_ms, 0.50, NONE).triggered;
        ck_assert(triggered == (at_ms == 20 || at_ms == 1020));
    }
    ck_assert_uint_eq(monitor_trigger(monitor)->failures, 100);
    ck_assert_uint_eq(monitor_trigger(monitor)->window, 4);
    monitor_destroy(&monitor);
}
END_TEST

/* Which budget is named: the first one violated, in the order of the configuration. */
START_TEST(the_first_violated_budget_is_named)
{
    static const struct step steps[] = {
        EVENT(0, 0.90, 500, "failing 1 began: failing"),
        EVENT(10, 0.90, 900, "failing 2: failing"),
        EVENT(20, 0.90, 600, "failing 0 triggered: drifting"),
    };
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    ck_assert_str_eq(monitor_trigger(monitor)->rule, "latency_ms last > 400");
    ck_assert_double_eq(monitor_trigger(monitor)->observed, 600);
    ck_assert_double_eq_tol(monitor_trigger(monitor)->severity, 0.5, 1e-15);
    monitor_destroy(&monitor);
}
END_TEST

/* A thousand models, their events interleaved, one of them sick: one trigger, and it is that one's. */
START_TEST(one_sick_model_among_a_thousand)
{
    enum { MODELS = 1000, SICK = 617 };
    static struct monitor *monitors[MODELS];
    struct monitor_settings settings = story_settings();
    int triggers = 0;
    for (int m = 0; m < MODELS; m++)
        monitors[m] = story_monitor(&settings);
    for (int64_t round = 0; round < 6; round++) {
        for (int m = 0; m < MODELS; m++) {
            bool sick = m == SICK;
            struct verdict v = story_event(monitors[m], round * 10, sick ? 0.50 : 0.95, sick ? 800 : 120);
            ck_assert(!v.triggered || sick);
            triggers += v.triggered;
            ck_assert_int_eq(v.evaluation, sick ? EVALUATION_FAILING : EVALUATION_HEALTHY);
        }
    }
    ck_assert_int_eq(triggers, 1);
    for (int m = 0; m < MODELS; m++) {
        ck_assert_int_eq(monitor_state(monitors[m], 60 * STORY_MS), m == SICK ? MODEL_DRIFTING : MODEL_HEALTHY);
        monitor_destroy(&monitors[m]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mission");
    TCase *tcase = tcase_create("mission");
    tcase_add_test(tcase, three_failures_make_one_trigger);
    tcase_add_test(tcase, a_healthy_event_between_clears_the_count);
    tcase_add_test(tcase, backoff_counts_on_and_then_triggers_at_once);
    tcase_add_test(tcase, after_backoff_a_long_run_of_failures_is_told);
    tcase_add_test(tcase, the_first_violated_budget_is_named);
    tcase_add_test(tcase, one_sick_model_among_a_thousand);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

/* The daemon starts again: windows are empty, but the store tells when each model triggered last and how its requests
 * stand. Times from before the start lie before 0. */
#include "tests/story/story.h"

START_TEST(the_backoff_goes_on)
{
    static const struct step steps[] = {
        TRIGGERED(-400),
        ENDED(-300),
        LOOK(0, "drifting"),
        EVENT(0, 0.50, 800, "failing 1 began: drifting"),
        EVENT(10, 0.50, 800, "failing 2: drifting"),
        EVENT(20, 0.50, 800, "failing 3: drifting"),
        EVENT(699, 0.50, 800, "failing 4: drifting"),
        EVENT(700, 0.50, 800, "failing 0 triggered: drifting"), /* a second after the end of the request */
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

START_TEST(a_live_request_is_still_live)
{
    static const struct step steps[] = {
        TRIGGERED(-5000),
        LIVE(-4990),
        LOOK(0, "retraining"),
        EVENT(0, 0.95, 300, "healthy 0: retraining"),
        EVENT(10, 0.95, 300, "healthy 0: retraining"),
        EVENT(20, 0.95, 300, "healthy 0 recovered held: retraining"), /* so that it is cancelled */
        ENDED(30),
        LOOK(30, "healthy"),
    };
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    ck_assert_ptr_null(monitor_trigger(monitor)); /* its figures are in the store */
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(a_backoff_long_past_delays_nothing)
{
    static const struct step steps[] = {
        TRIGGERED(-100000),
        ENDED(-90000),
        LOOK(0, "warming"),
        EVENT(0, 0.50, 800, "failing 1 began: failing"),
        EVENT(10, 0.50, 800, "failing 2: failing"),
        EVENT(20, 0.50, 800, "failing 0 triggered: drifting"),
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

/* A model of which the store knows nothing. */
START_TEST(never_is_longest_ago)
{
    static const struct step steps[] = {
        EVENT(-20, 0.50, 800, "failing 1 began: failing"),
        EVENT(-10, 0.50, 800, "failing 2: failing"),
        EVENT(0, 0.50, 800, "failing 0 triggered: drifting"),
    };
    struct monitor_settings settings = story_settings();
    settings.backoff_ns = INT64_MAX / 2;
    struct monitor *monitor = story_monitor(&settings);
    monitor_triggered_at(monitor, INT64_MIN);
    monitor_request_live(monitor, false, INT64_MIN);
    ck_assert(!monitor_episode_open(monitor));
    ck_assert_int_eq(monitor_backoff_left_ns(monitor, 0), 0);
    ck_assert_int_eq(monitor_last_event_ns(monitor), INT64_MIN);
    STORY_TELL(monitor, steps);
    monitor_destroy(&monitor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("restart");
    TCase *tcase = tcase_create("restart");
    tcase_add_test(tcase, the_backoff_goes_on);
    tcase_add_test(tcase, a_live_request_is_still_live);
    tcase_add_test(tcase, a_backoff_long_past_delays_nothing);
    tcase_add_test(tcase, never_is_longest_ago);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

/* Before min_events values of a metric nobody is judged by it. */
#include "tests/story/story.h"

START_TEST(the_fifth_value_is_the_first_that_is_judged)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, 800, "none 0: warming"),
        EVENT(10, 0.50, 800, "none 0: warming"),
        EVENT(20, 0.50, 800, "none 0: warming"),
        EVENT(30, 0.50, 800, "none 0: warming"),
        EVENT(40, 0.50, 800, "failing 1 began: failing"),
        EVENT(50, 0.50, 800, "failing 2: failing"),
        EVENT(60, 0.50, 800, "failing 0 triggered: drifting"), /* the first trigger waits for no back-off */
    };
    struct monitor_settings settings = story_settings();
    settings.min_events = 5; /* more than the window holds: they are counted since the start */
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(each_metric_warms_by_itself)
{
    static const struct step steps[] = {
        EVENT(0, NONE, 300, "none 0: warming"),
        EVENT(10, NONE, 300, "none 0: warming"),
        EVENT(20, NONE, 300, "healthy 0: healthy"),
        EVENT(30, 0.50, NONE, "none 0: healthy"),         /* accuracy is not judged yet */
        EVENT(40, 0.50, 800, "failing 1 began: failing"), /* latency is */
        EVENT(50, 0.50, 300, "failing 2: failing"),       /* now accuracy is, for the first time */
        EVENT(60, NONE, 300, "none 2: failing"),
    };
    struct monitor_settings settings = story_settings();
    settings.min_events = 3;
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(warming_does_not_recover_a_model)
{
    static const struct step steps[] = {
        TRIGGERED(-500), /* before a restart */
        EVENT(0, 0.95, 300, "none 0: drifting"),
        EVENT(10, 0.95, 300, "none 0: drifting"),
        EVENT(20, 0.95, 300, "healthy 0: drifting"),
        EVENT(30, 0.95, 300, "healthy 0: drifting"),
        EVENT(40, 0.95, 300, "healthy 0 recovered held: healthy"),
    };
    struct monitor_settings settings = story_settings();
    settings.min_events = 3;
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(without_a_budget_nobody_is_judged)
{
    static const struct step steps[] = {
        LOOK(0, "warming"),
        EVENT(0, 0.01, 9000, "none 0: healthy"),
        EVENT(10, 0.01, 9000, "none 0: healthy"),
        EVENT(20, 0.01, 9000, "none 0: healthy"),
        LOOK(60020, "stale"),
    };
    struct monitor_settings settings = story_settings();
    settings.kpi_count = 0;
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    ck_assert_ptr_null(monitor_trigger(monitor));
    monitor_destroy(&monitor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("warming");
    TCase *tcase = tcase_create("warming");
    tcase_add_test(tcase, the_fifth_value_is_the_first_that_is_judged);
    tcase_add_test(tcase, each_metric_warms_by_itself);
    tcase_add_test(tcase, warming_does_not_recover_a_model);
    tcase_add_test(tcase, without_a_budget_nobody_is_judged);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

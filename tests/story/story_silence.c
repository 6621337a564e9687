/* A model that says nothing is not healthy: it is stale, and its failures wait for it. */
#include "tests/story/story.h"

START_TEST(silence_is_reported_and_never_healthy)
{
    static const struct step steps[] = {
        EVENT(0, 0.95, 300, "healthy 0: healthy"),
        LOOK(59999, "healthy"),
        LOOK(60000, "stale"),
        LOOK(3600000, "stale"),
        EVENT(3600000, 0.95, 300, "healthy 0: healthy"), /* it speaks again */
        LOOK(3659999, "healthy"),
        LOOK(3660000, "stale"),
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

START_TEST(failures_outlast_silence)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, 300, "failing 1 began: failing"),
        EVENT(10, 0.50, 300, "failing 2: failing"),
        LOOK(60010, "stale"),
        EVENT(90000, 0.50, 300, "failing 0 triggered: drifting"),
        LIVE(90010),
        LOOK(90020, "retraining"),
        LOOK(150000, "stale"), /* what is not heard cannot be said to be well, retraining or not */
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

START_TEST(silence_does_not_recover_an_episode)
{
    static const struct step steps[] = {
        EVENT(0, 1, 800, "failing 1 began: failing"),
        EVENT(10, 1, 800, "failing 2: failing"),
        EVENT(20, 1, 800, "failing 0 triggered: drifting"),
        LIVE(25),
        EVENT(30, 1, 300, "healthy 0: retraining"),
        LOOK(70000, "stale"),
        EVENT(70000, 1, 300, "healthy 0: retraining"),
        EVENT(70010, 1, 300, "healthy 0 recovered held: retraining"), /* the request is still under way */
        ENDED(70020),
        LOOK(70030, "healthy"),
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

START_TEST(silence_need_not_be_reported)
{
    static const struct step steps[] = {
        EVENT(0, 0.95, 300, "healthy 0: healthy"),
        LOOK(INT64_C(1000000000), "healthy"),
    };
    struct monitor_settings settings = story_settings();
    settings.stale_after_ns = 0;
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    monitor_destroy(&monitor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("silence");
    TCase *tcase = tcase_create("silence");
    tcase_add_test(tcase, silence_is_reported_and_never_healthy);
    tcase_add_test(tcase, failures_outlast_silence);
    tcase_add_test(tcase, silence_does_not_recover_an_episode);
    tcase_add_test(tcase, silence_need_not_be_reported);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

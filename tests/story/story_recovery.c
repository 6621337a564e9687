/* How an episode ends: the model gets well, the request ends and the back-off passes, or neither. */
#include "tests/story/story.h"

/* Retrained in place: the request runs, the model gets well, and stays so. */
START_TEST(retraining_cures)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, 300, "failing 1 began: failing"),
        EVENT(10, 0.50, 300, "failing 2: failing"),
        EVENT(20, 0.50, 300, "failing 0 triggered: drifting"),
        LIVE(21),
        LOOK(21, "retraining"),
        EVENT(30, 0.50, 300, "failing 1: retraining"),
        ENDED(500),
        LOOK(500, "drifting"),
        EVENT(510, 1.00, 300, "failing 2: drifting"), /* 0.625: the window still remembers */
        EVENT(520, 1.00, 300, "failing 3: drifting"),
        EVENT(530, 1.00, 300, "healthy 0: drifting"), /* 0.875 */
        EVENT(540, 1.00, 300, "healthy 0: drifting"),
        EVENT(550, 1.00, 300, "healthy 0 recovered held: healthy"),
        EVENT(560, 1.00, 300, "healthy 0: healthy"), /* told once */
    };
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    ck_assert(!monitor_episode_open(monitor));
    monitor_destroy(&monitor);
}
END_TEST

START_TEST(one_failure_begins_recovery_anew)
{
    static const struct step steps[] = {
        EVENT(0, 1, 800, "failing 1 began: failing"),
        EVENT(10, 1, 800, "failing 2: failing"),
        EVENT(20, 1, 800, "failing 0 triggered: drifting"),
        EVENT(30, 1, 100, "healthy 0: drifting"),
        EVENT(40, 1, 100, "healthy 0: drifting"),
        EVENT(50, 1, 800, "failing 1 began: drifting"),
        EVENT(60, 1, 100, "healthy 0: drifting"),
        EVENT(70, 1, 100, "healthy 0: drifting"),
        EVENT(80, 1, 100, "healthy 0 recovered held: healthy"),
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

/* A recovered model that fails again waits for what is left of the back-off, which the recovery does not shorten. */
START_TEST(recovery_does_not_end_the_backoff)
{
    static const struct step steps[] = {
        EVENT(0, 1, 800, "failing 1 began: failing"),
        EVENT(10, 1, 800, "failing 2: failing"),
        EVENT(20, 1, 800, "failing 0 triggered: drifting"),
        EVENT(30, 1, 100, "healthy 0: drifting"),
        EVENT(40, 1, 100, "healthy 0: drifting"),
        EVENT(50, 1, 100, "healthy 0 recovered held: healthy"),
        EVENT(60, 1, 800, "failing 1 began: failing"),
        EVENT(70, 1, 800, "failing 2: failing"),
        EVENT(80, 1, 800, "failing 3: failing"),
        EVENT(1019, 1, 800, "failing 4: failing"),
        EVENT(1021, 1, 800, "failing 0 triggered: drifting"),
    };
    struct monitor_settings settings = story_settings();
    struct monitor *monitor = story_monitor(&settings);
    STORY_TELL(monitor, steps);
    ck_assert_double_eq_tol(monitor_trigger(monitor)->change_at_s, STORY_EPOCH_S + 0.060, 1e-6);
    monitor_destroy(&monitor);
}
END_TEST

/* The back-off runs from the later of the last trigger and the end of the request; while the request lives, a model
 * that goes on failing triggers again and again, once a back-off: the keeper of requests records them. */
START_TEST(backoff_runs_from_the_end_of_the_request)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, 300, "failing 1 began: failing"),
        EVENT(10, 0.50, 300, "failing 2: failing"),
        EVENT(20, 0.50, 300, "failing 0 triggered: drifting"),
        LIVE(21),
        EVENT(100, 0.50, 300, "failing 1: retraining"),
        EVENT(200, 0.50, 300, "failing 2: retraining"),
        EVENT(1000, 0.50, 300, "failing 3: retraining"),
        EVENT(1030, 0.50, 300, "failing 0 triggered: retraining"),
        EVENT(1040, 0.50, 300, "failing 1: retraining"),
        EVENT(1050, 0.50, 300, "failing 2: retraining"),
        EVENT(1060, 0.50, 300, "failing 3: retraining"),
        ENDED(1800),                                   /* a failure: the drift is still there */
        EVENT(2100, 0.50, 300, "failing 4: drifting"), /* 1070 ms after the last trigger, but 300 after the end */
        EVENT(2799, 0.50, 300, "failing 5: drifting"),
        EVENT(2800, 0.50, 300, "failing 0 triggered: drifting"), /* a new episode */
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

START_TEST(an_old_end_does_not_shorten_the_backoff)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, 300, "failing 1 began: failing"),
        EVENT(10, 0.50, 300, "failing 2: failing"),
        EVENT(20, 0.50, 300, "failing 0 triggered: drifting"),
        ENDED(5),      /* said late: some earlier request */
        TRIGGERED(20), /* the keeper's echo of what the monitor itself said */
        EVENT(30, 0.50, 300, "failing 1: drifting"),
        EVENT(40, 0.50, 300, "failing 2: drifting"),
        EVENT(1010, 0.50, 300, "failing 3: drifting"),
        EVENT(1020, 0.50, 300, "failing 0 triggered: drifting"),
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

/* The keeper's echo of a trigger comes when the model has recovered already: the episode stays closed. */
START_TEST(an_echo_opens_no_episode)
{
    static const struct step steps[] = {
        EVENT(0, 1, 800, "failing 1 began: failing"),
        EVENT(10, 1, 800, "failing 2: failing"),
        EVENT(20, 1, 800, "failing 0 triggered: drifting"),
        EVENT(30, 1, 100, "healthy 0: drifting"),
        EVENT(40, 1, 100, "healthy 0: drifting"),
        EVENT(50, 1, 100, "healthy 0 recovered held: healthy"),
        TRIGGERED(20),
        ENDED(55), /* cancelled */
        LOOK(60, "healthy"),
        EVENT(70, 1, 100, "healthy 0: healthy"),
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

/* A model gets well too late to be told recovered: its episode closed with the back-off, quietly. */
START_TEST(a_closed_episode_does_not_recover)
{
    static const struct step steps[] = {
        EVENT(0, 1, 800, "failing 1 began: failing"),       EVENT(10, 1, 800, "failing 2: failing"),
        EVENT(20, 1, 800, "failing 0 triggered: drifting"), EVENT(500, 1, 100, "healthy 0: drifting"),
        EVENT(1500, 1, 100, "healthy 0: healthy"),          EVENT(1600, 1, 100, "healthy 0: healthy"),
        EVENT(1700, 1, 100, "healthy 0: healthy"),
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

/* Accuracy triggered and holds its budget again, while latency goes on failing: what was asked for accuracy's sake is
 * no longer needed, though the model is not well. */
START_TEST(the_kpi_that_triggered_holds_again)
{
    static const struct step steps[] = {
        EVENT(0, 0.50, 300, "failing 1 began: failing"),
        EVENT(10, 0.50, 300, "failing 2: failing"),
        EVENT(20, 0.50, 300, "failing 0 triggered: drifting"),
        LIVE(21),
        EVENT(30, 1.00, 800, "failing 1: retraining"),
        EVENT(40, 1.00, 800, "failing 2: retraining"),
        EVENT(50, 1.00, 800, "failing 3: retraining"), /* 0.875: holds for the first time */
        EVENT(60, 1.00, 800, "failing 4: retraining"),
        EVENT(70, NONE, 800, "failing 5: retraining"), /* says nothing about accuracy */
        EVENT(80, 1.00, 800, "failing 6 held: retraining"),
        EVENT(90, 1.00, 800, "failing 7: retraining"),
        ENDED(95),
        EVENT(100, 1.00, 300, "healthy 0: drifting"),
        EVENT(110, 1.00, 300, "healthy 0: drifting"),
        EVENT(120, 1.00, 300, "healthy 0 recovered: healthy"),
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

/* Asked for by hand: no trigger, no episode, but its end begins a back-off. */
START_TEST(retraining_by_hand)
{
    static const struct step steps[] = {
        EVENT(0, 0.90, 300, "healthy 0: healthy"),
        LIVE(5),
        EVENT(10, 0.90, 300, "healthy 0: retraining"),
        ENDED(15),
        EVENT(20, 0.10, 300, "failing 1 began: failing"),
        EVENT(30, 0.10, 300, "failing 2: failing"),
        EVENT(40, 0.10, 300, "failing 3: failing"),
        EVENT(1014, 0.10, 300, "failing 4: failing"),
        EVENT(1015, 0.10, 300, "failing 0 triggered: drifting"),
    };
    STORY_TELL_USUAL(steps);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recovery");
    TCase *tcase = tcase_create("recovery");
    tcase_add_test(tcase, retraining_cures);
    tcase_add_test(tcase, one_failure_begins_recovery_anew);
    tcase_add_test(tcase, recovery_does_not_end_the_backoff);
    tcase_add_test(tcase, backoff_runs_from_the_end_of_the_request);
    tcase_add_test(tcase, an_old_end_does_not_shorten_the_backoff);
    tcase_add_test(tcase, an_echo_opens_no_episode);
    tcase_add_test(tcase, a_closed_episode_does_not_recover);
    tcase_add_test(tcase, the_kpi_that_triggered_holds_again);
    tcase_add_test(tcase, retraining_by_hand);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

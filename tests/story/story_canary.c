/* Two versions of one model serve side by side: each has its own window, its own failures and its own back-off. */
#include "tests/story/story.h"

struct line {
    int64_t at_ms;
    double stable, canary; /* accuracy; NAN: not serving */
    const char *stable_says, *canary_says;
};

static void tell(struct monitor *monitor, const struct line *line, size_t number, double accuracy, const char *says)
{
    const struct step event = EVENT(line->at_ms, accuracy, 100, says), look = LOOK(line->at_ms, says);
    story_step(monitor, isnan(accuracy) ? &look : &event, number);
}

START_TEST(a_sick_canary_beside_a_sound_version)
{
    static const struct line lines[] = {
        {0, 0.95, 0.50, "healthy 0: healthy", "failing 1 began: failing"},
        {10, 0.95, 0.50, "healthy 0: healthy", "failing 2: failing"},
        {20, 0.95, 0.50, "healthy 0: healthy", "failing 0 triggered: drifting"},
        {30, 0.95, 0.50, "healthy 0: healthy", "failing 1: drifting"},
        /* now the sound one falls as well: its back-off is its own */
        {40, 0.10, 0.50, "failing 1 began: failing", "failing 2: drifting"},
        {50, 0.10, 0.50, "failing 2: failing", "failing 3: drifting"},
        {60, 0.10, 0.50, "failing 0 triggered: drifting", "failing 4: drifting"},
    };
    struct monitor_settings settings = story_settings();
    struct monitor *stable = story_monitor(&settings), *canary = story_monitor(&settings);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        tell(stable, &lines[i], i, lines[i].stable, lines[i].stable_says);
        tell(canary, &lines[i], i, lines[i].canary, lines[i].canary_says);
    }
    monitor_destroy(&stable);
    monitor_destroy(&canary);
}
END_TEST

/* The new version takes over: it starts with nothing of the old one's failures, and the old one goes silent. */
START_TEST(a_new_version_replaces_a_sick_one)
{
    static const struct line lines[] = {
        {0, 0.50, NONE, "failing 1 began: failing", "warming"},
        {10, 0.50, NONE, "failing 2: failing", "warming"},
        {20, 0.50, NONE, "failing 0 triggered: drifting", "warming"},
        {30, NONE, 0.97, "drifting", "healthy 0: healthy"},
        {1020, NONE, 0.97, "failing", "healthy 0: healthy"}, /* its episode closed; nothing says it is well */
        {60019, NONE, 0.97, "failing", "healthy 0: healthy"},
        {60020, NONE, 0.97, "stale", "healthy 0: healthy"},
    };
    struct monitor_settings settings = story_settings();
    struct monitor *old = story_monitor(&settings), *new = story_monitor(&settings);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        tell(old, &lines[i], i, lines[i].stable, lines[i].stable_says);
        tell(new, &lines[i], i, lines[i].canary, lines[i].canary_says);
    }
    monitor_destroy(&old);
    monitor_destroy(&new);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("canary");
    TCase *tcase = tcase_create("canary");
    tcase_add_test(tcase, a_sick_canary_beside_a_sound_version);
    tcase_add_test(tcase, a_new_version_replaces_a_sick_one);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

/* The station's core over stops, restarts and reboots, and what the store keeps of what is over. */
#include "tests/run_suite.h"
#include "tests/unit/requests_case.h"

START_TEST(a_restart_forgets_nothing)
{
    unsigned attempt;
    rig_start(&rig);
    rig_trigger(&rig, "p/a/v", 0.1);
    const char *running = rig_job(&rig, 0, NULL);
    rig_say(&rig, "accept", running, 1, "t1", NULL);
    rig_say(&rig, "progress", running, 1, "t1", "\"fraction\": 0.3");
    rig_trigger(&rig, "p/b/v", 0.1);
    const char *offered = rig_job(&rig, 1, NULL);
    rig.free_trainers = 0;
    rig_pass(&rig, 20);
    rig_trigger(&rig, "p/c/v", 0.1);
    rig_pass(&rig, 200);
    core_destroy(&rig.core);
    rig_forget(&rig);
    rig.now_s += 1000;
    rig_start(&rig);
    ck_assert_uint_eq(core_live(rig.core), 3);
    ck_assert_int_eq(rig.update_count, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert(rig.updates[i].live);
        ck_assert_int_le(rig.updates[i].triggered_ns, rig_now(&rig).steady_ns - 1200 * RIG_S);
    }
    STATE(running, "RUNNING");
    ck_assert_str_eq(rig_member(&rig, running, "lease_left_s"), "300");
    ck_assert_str_eq(rig_member(&rig, running, "fraction"), "0.3");
    rig.free_trainers = -1;
    rig_turn(&rig);
    ck_assert_int_eq(rig.job_count, 2);
    ck_assert_str_eq(rig_job(&rig, 0, &attempt), offered);
    ck_assert_uint_eq(attempt, 1);
    REPLY(rig_say(&rig, "progress", running, 1, "t1", NULL), OK_PROGRESS);
    rig_pass(&rig, 301);
    STATE(running, "PENDING");
}
END_TEST

/* The machine was off: another boot, whose steady clock begins at nought; only the wall clock tells how long. */
START_TEST(a_reboot_goes_by_the_wall_clock)
{
    rig_start(&rig);
    rig.free_trainers = 0;
    rig_trigger(&rig, "p/a/v", 0.1);
    rig.free_trainers = 1;
    rig_trigger(&rig, "p/b/v", 0.1);
    const char *id = rig_job(&rig, 0, NULL);
    rig_say(&rig, "accept", id, 1, "t", NULL);
    rig_say(&rig, "done", id, 1, "t", NULL);
    core_destroy(&rig.core);
    double wall = rig_now(&rig).wall_s;
    rig.boot = "second";
    rig.now_s = 60;
    rig.wall_s = wall + 7200 - 60;
    rig.update_count = 0;
    rig_start(&rig);
    ck_assert_int_eq(rig.update_count, 2);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(rig.updates[i].triggered_ns / RIG_S, 60 - 7200);
    core_destroy(&rig.core);
    /* And where the wall clock went back, nothing lies in the future. */
    rig.boot = "third";
    rig.wall_s = 1000;
    rig.update_count = 0;
    rig_start(&rig);
    for (int i = 0; i < 2; i++)
        ck_assert_int_le(rig.updates[i].triggered_ns, rig_now(&rig).steady_ns);
}
END_TEST

/* A strategy that the configuration has no more is not offered. */
START_TEST(strategies_may_change_between_starts)
{
    static const struct strategy mine = {.name = "mine", .gpu_hours = 1, .parameters_json = "{\"k\":1}"};
    rig_start(&rig);
    rig.free_trainers = 0;
    rig_trigger(&rig, "p/a/v", 0.1);
    core_destroy(&rig.core);
    rig.options.strategies = &mine;
    rig.options.strategy_count = 1;
    rig_start(&rig);
    rig.free_trainers = -1;
    rig_turn(&rig);
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "\"strategy\":\"mine\""));
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "\"parameters\":{\"k\":1}"));
}
END_TEST

static const struct strategy theirs = {.name = "theirs", .gpu_hours = 9, .parameters_json = "{}"};
static const struct strategy others = {.name = "others", .gpu_hours = 1, .parameters_json = "{}"};

static void reload(const struct strategy *strategies)
{
    struct requests_renewal *renewal = calloc(1, sizeof *renewal);
    struct letter letter;
    rig.options.strategies = strategies;
    *renewal = (struct requests_renewal){.options = rig.options, .reply_to = rig.answers};
    ck_assert_int_eq(inbox_put(rig.inbox, (struct letter){LETTER_RENEW, renewal, free}), 0);
    rig_turn(&rig);
    ck_assert(inbox_take(rig.answers, &letter));
}

/* Who holds an old offer is not granted another strategy's attempt, and the history learns of no other than was run. */
START_TEST(a_strategy_that_was_offered_is_not_exchanged)
{
    for (int how = 0; how < 3; how++) {
        rig_end(&rig);
        rig_new(&rig);
        rig.options.strategies = &theirs;
        rig.options.strategy_count = 1;
        rig.options.attempts = 2;
        rig_start(&rig);
        rig.free_trainers = 1;
        rig_trigger(&rig, "p/a/v", 0.1);
        const char *id = rig_job(&rig, 0, NULL);
        if (how == 2) { /* the offer ends after the reload */
            reload(&others);
            STATE(id, "OFFERED");
        }
        rig_pass(&rig, 31);
        STATE(id, "PENDING");
        if (how == 0)
            reload(&others);
        if (how == 1) {
            core_destroy(&rig.core);
            rig.options.strategies = &others;
            rig_start(&rig);
        }
        REFUSED(rig_say(&rig, "accept", id, 1, "t", NULL), "stale_attempt");
        rig.free_trainers = 1;
        rig_pass(&rig, 0.1);
        unsigned attempt;
        rig_job(&rig, 1, &attempt);
        ck_assert_uint_eq(attempt, 2);
        ck_assert_ptr_nonnull(strstr(rig.jobs[1], "\"strategy\":\"others\""));
        rig_pass(&rig, 31);
        reload(&theirs); /* and no number is left for yet another one */
        REFUSED(rig_say(&rig, "accept", id, 1, "t", NULL), "stale_attempt");
        REPLY(rig_say(&rig, "accept", id, 2, "t", NULL), OK_LEASE);
        ck_assert_str_eq(rig_member(&rig, id, "strategy"), "others");
    }
}
END_TEST

START_TEST(stop_commits_what_came_before)
{
    rig_start(&rig);
    rig.free_trainers = 0;
    for (int i = 0; i < 2000; i++) {
        char model[32];
        snprintf(model, sizeof model, "p/n%d/v", i);
        rig_put(&rig, rig_trigger_notice(&rig, model, 0.1));
    }
    inbox_put(rig.inbox, (struct letter){.kind = LETTER_STOP});
    int turns = 0;
    while (!core_stopped(rig.core) && turns++ < 100)
        ck_assert(core_turn(rig.core, rig_now(&rig)));
    ck_assert(core_stopped(rig.core));
    ck_assert_uint_eq(core_live(rig.core), 2000);
    core_destroy(&rig.core);
    rig_start(&rig);
    ck_assert_uint_eq(core_live(rig.core), 2000);
}
END_TEST

/* What a training has brought is asked of the monitors until they have said it. */
START_TEST(what_was_asked_is_asked_again)
{
    rig_start(&rig);
    rig_trigger(&rig, "p/a/1", 0.1);
    rig_trigger(&rig, "p/b/1", 0.1);
    for (int i = 0; i < 2; i++) {
        const char *id = rig_job(&rig, i, NULL);
        rig_say(&rig, "accept", id, 1, "t", NULL);
        rig_say(&rig, "done", id, 1, "t", i ? NULL : "\"version\": \"2\"");
    }
    rig_tell(&rig, NOTICE_SERVING, "p/a/2");
    const int before = rig.asked_count;
    core_destroy(&rig.core);
    rig_start(&rig);
    ck_assert_int_eq(rig.asked_count, before + 2); /* of p/a/2, and of p/b/1, which was trained without a version of its own */
    ck_assert_str_eq(rig.asked.shows, "accuracy");
    struct retrain_notice *notice = rig_notice(&rig, NOTICE_SHOWN, "p/a/2");
    strcpy(notice->trigger.metric, "accuracy");
    notice->trigger.observed = 0.9;
    notice->trigger.n = 64;
    rig_put(&rig, notice);
    rig_pass(&rig, 1);
    core_destroy(&rig.core);
    const int once = rig.asked_count;
    rig_start(&rig);
    ck_assert_int_eq(rig.asked_count, once + 1); /* of p/b/1 alone */
    ck_assert_str_eq(rig.asked.model, "p/b/1");
}
END_TEST

/* What ended longer ago than `keep` leaves whole, the last request of each model stays; the wall clock has no say. */
START_TEST(what_ended_long_ago_is_cleared_away)
{
    const double day = 86400;
    char first[REQUEST_ID_LEN + 1];
    rig_end(&rig);
    rig_new(&rig);
    rig.options.keep_ns = 3 * (int64_t)day * RIG_S;
    rig_start(&rig);
    for (int i = 0; i < 100; i++) {
        char model[32], ask[128];
        snprintf(model, sizeof model, "p/m%d/v", i % 50);
        rig_trigger(&rig, model, 0.1);
        const char *id = rig_job(&rig, rig.job_count - 1, NULL);
        if (i == 0)
            snprintf(first, sizeof first, "%s", id);
        rig_say(&rig, "accept", id, 1, "t", NULL);
        if (i < 99) {
            rig_say(&rig, "done", id, 1, "t", NULL);
            continue;
        }
        snprintf(ask, sizeof ask, "{\"do\": \"cancel\", \"request\": \"%s\"}", id);
        json_decref(rig_ask(&rig, ask));
    }
    rig.wall_s += 400 * day;
    rig_pass(&rig, 2 * day);
    ck_assert_str_eq(rig_member(&rig, first, "state"), "DONE");
    core_destroy(&rig.core);
    rig_start(&rig);
    rig_pass(&rig, 1.1 * day);
    json_t *answer = rig_ask(&rig, "{\"do\": \"requests\"}");
    ck_assert_int_eq(json_integer_value(json_object_get(answer, "count")), 50);
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "requests")), 50);
    json_decref(answer);
    ck_assert_str_eq(rig_member(&rig, first, "error"), "unknown_request");
    /* The numbers of episodes go on: no id comes twice. */
    rig_trigger(&rig, "p/m0/v", 0.1);
    const char *third = rig_job(&rig, rig.job_count - 1, NULL);
    ck_assert_str_eq(rig_member(&rig, third, "episode"), "3");
    /* A start tells of the others as of what is gone: no model is made of them. */
    rig_forget(&rig);
    core_destroy(&rig.core);
    rig_start(&rig);
    ck_assert_int_eq(rig.update_count, 50);
    for (int i = 0; i < rig.update_count; i++)
        ck_assert_int_eq(rig.updates[i].gone, strcmp(rig.updates[i].model, "p/m0/v") != 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests_restart");
    TCase *tests = tcase_create("life");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, a_restart_forgets_nothing);
    tcase_add_test(tests, a_reboot_goes_by_the_wall_clock);
    tcase_add_test(tests, strategies_may_change_between_starts);
    tcase_add_test(tests, a_strategy_that_was_offered_is_not_exchanged);
    tcase_add_test(tests, stop_commits_what_came_before);
    tcase_add_test(tests, what_was_asked_is_asked_again);
    tcase_add_test(tests, what_ended_long_ago_is_cleared_away);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

/* The station's core: what trainers say and what they are answered, and whose jobs leave by which outlet. */
#include "tests/run_suite.h"
#include "tests/unit/requests_case.h"

/* Trainers of one project, and those of all others, wait for nobody but their own jobs. */
START_TEST(a_project_with_trainers_of_its_own)
{
    rig.own = "p";
    rig.free_trainers = -1;
    rig_start(&rig);
    rig_trigger(&rig, "p/n/v1", 0.9);
    rig_trigger(&rig, "q/n/v1", 0.1);
    ck_assert_int_eq(rig.job_count, 1);
    ck_assert_uint_eq(rig.outlets[0], 0);
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "\"project\":\"q\""));
    char *status = questions_answer(rig.core, "{\"do\":\"status\"}");
    ck_assert_ptr_nonnull(strstr(status,
                                 "\"trainer\":1,\"trainer_wait_s\":0,\"projects\":{\"p\":{\"retry\":0,\"limit\":0,"
                                 "\"trainer\":1,\"trainer_wait_s\":0}}"));
    free(status);
    rig.free_trainers = 0;
    rig.own_trainers = -1;
    rig_trigger(&rig, "q/m/v1", 0.9);
    ck_assert_int_eq(rig.job_count, 2);
    ck_assert_uint_eq(rig.outlets[1], 1);
    ck_assert_ptr_nonnull(strstr(rig.jobs[1], "\"project\":\"p\""));
    rig_trigger(&rig, "p/m/v1", 0.1);
    ck_assert_int_eq(rig.job_count, 3);
    ck_assert_uint_eq(rig.outlets[2], 1);
    rig.free_trainers = -1;
    rig_turn(&rig);
    ck_assert_int_eq(rig.job_count, 4);
    ck_assert_uint_eq(rig.outlets[3], 0);
}
END_TEST

/* What one outlet's trainers do not take makes the others' jobs wait for nothing: no pause, no smaller burst. */
START_TEST(an_outlet_that_refuses_slows_its_own_jobs)
{
    char model[32];
    rig.own = "p";
    rig.own_trainers = -1;
    rig.own_refuses = true;
    rig_start(&rig);
    for (int i = 0; i < 8; i++) { /* bursts of one, two and four, and the next is of eight */
        snprintf(model, sizeof model, "q/m%d/v1", i);
        rig_put(&rig, rig_trigger_notice(&rig, model, 0.5));
    }
    rig_turn(&rig);
    uint32_t burst = rig.core->outlets[0].burst;
    ck_assert_uint_gt(burst, 1);
    int before = rig.job_count;
    rig_trigger(&rig, "p/n/v1", 0.9);
    ck_assert_int_eq(rig.job_count, before);
    rig_trigger(&rig, "q/n/v1", 0.5); /* at the same moment */
    ck_assert_int_eq(rig.job_count, before + 1);
    ck_assert_uint_ge(rig.core->outlets[0].burst, burst);
    ck_assert_uint_eq(rig.core->outlets[1].burst, 1);
    rig.own_refuses = false;
    rig_pass(&rig, 1);
    ck_assert_int_eq(rig.job_count, before + 2);
    ck_assert_uint_eq(rig.outlets[before + 1], 1);
}
END_TEST

START_TEST(feedback_of_a_key_for_another_project)
{
    rig_start(&rig);
    rig_trigger(&rig, "p/n/v1", 0.35);
    const char *id = rig_job(&rig, 0, NULL);
    rig.speaks_of = "q";
    REPLY(rig_say(&rig, "accept", id, 1, "t1", NULL),
          "{\"ok\":false,\"error\":\"unauthorized\",\"message\":\"this key is not for the project of the request\"}");
    STATE(id, "OFFERED");
    rig.speaks_of = "p";
    REPLY(rig_say(&rig, "accept", id, 1, "t1", NULL), OK_LEASE);
    REPLY(rig_say(&rig, "done", id, 1, "t1", "\"metrics\": {\"accuracy\": 0.9}"), "{\"ok\":true}");
    rig.speaks_of = "q";
    REFUSED(rig_say(&rig, "done", id, 1, "t1", "\"metrics\": {\"accuracy\": 0.9}"), "unauthorized"); /* nor later */
}
END_TEST

START_TEST(answers_are_what_they_were)
{
    rig_start(&rig);
    rig_trigger(&rig, "p/n/v1", 0.35);
    const char *id = rig_job(&rig, 0, NULL);
    REFUSED(rig_say(&rig, "progress", id, 1, "t1", NULL), "not_accepted");
    REPLY(rig_say(&rig, "accept", id, 1, "t1", NULL), OK_LEASE);
    REPLY(rig_say(&rig, "progress", id, 1, "t1", NULL), OK_PROGRESS);
    REPLY(rig_say(&rig, "done", id, 1, "t1", "\"version\": \"v2\""), OK);
    for (int round = 0; round < 2; round++) {
        REPLY(rig_say(&rig, "accept", id, 1, "t1", NULL), OK_LEASE);
        REPLY(rig_say(&rig, "progress", id, 1, "t1", NULL), OK_PROGRESS);
        REPLY(rig_say(&rig, "done", id, 1, "t1", "\"version\": \"v2\""), OK);
        REFUSED(rig_say(&rig, "fail", id, 1, "t1", NULL), "ended");
        REFUSED(rig_say(&rig, "done", id, 1, "t2", NULL), "ended");
        /* Also after a restart: it stands in the store. */
        core_destroy(&rig.core);
        rig_start(&rig);
    }
    STATE(id, "DONE");
}
END_TEST

START_TEST(in_one_turn_everything_can_happen)
{
    rig_start(&rig);
    rig_trigger(&rig, "p/n/v1", 0.35);
    const char *id = rig_job(&rig, 0, NULL), *kinds[] = {"accept", "progress", "done", "done", "accept"};
    struct rig_message *messages[5];
    for (int i = 0; i < 5; i++) {
        char json[256];
        snprintf(json, sizeof json,
                 "{\"say\": \"%s\", \"request\": \"%s\", \"attempt\": 1, \"trainer\": \"t\", \"gpu_hours\": 1}",
                 kinds[i], id);
        messages[i] = rig_post(&rig, json);
    }
    /* The trigger of this turn finds the request ended, and waits for the next. */
    rig_put(&rig, rig_trigger_notice(&rig, "p/n/v1", 0.35));
    rig_turn(&rig);
    static const char *const replies[] = {OK_LEASE, OK_PROGRESS, OK, OK, OK_LEASE};
    for (int i = 0; i < 5; i++)
        REPLY(messages[i]->reply, replies[i]);
    STATE(id, "DONE");
}
END_TEST

START_TEST(strange_messages_are_answered)
{
    rig_start(&rig);
    struct rig_message *message = rig_post(&rig, "{\"say\": \"dance\"}");
    rig_turn(&rig);
    REFUSED(message->reply, "bad_message");
    ck_assert_int_eq(rig_events(&rig, "driftd.alarm"), 0);
    REFUSED(rig_say(&rig, "done", "00000000000000000000000000000000", 1, "t", NULL), "unknown_request");
    REFUSED(rig_say(&rig, "done", "nonsense", 1, "t", NULL), "unknown_request");
    ck_assert_int_eq(rig_events(&rig, "driftd.alarm"), 1);
    ck_assert_ptr_nonnull(strstr(rig.events[0], "feedback_unknown"));
    rig_pass(&rig, 11);
    REFUSED(rig_say(&rig, "done", "nonsense", 1, "t", NULL), "unknown_request");
    ck_assert_int_eq(rig_events(&rig, "driftd.alarm"), 2);
    ck_assert_ptr_nonnull(strstr(rig.events[1], "; 1 more since the last alarm): was"));
}
END_TEST

/* What is no number says nothing of what was won, and would count as if all had been. */
START_TEST(a_done_has_a_number_for_the_metric_that_triggered)
{
    static const char *const bad[] = {"\"metrics\": {\"gloss\": \"x\"}", "\"metrics\": {\"gloss\": {\"mean\": 1}}",
                                      "\"metrics\": {\"accuracy\": \"x\"}"};
    rig_start(&rig);
    struct retrain_notice *notice = rig_trigger_notice(&rig, "p/n/v1", 0.35);
    snprintf(notice->trigger.metric, sizeof notice->trigger.metric, "gloss");
    rig_put(&rig, notice);
    rig_turn(&rig);
    const char *id = rig_job(&rig, 0, NULL);
    REPLY(rig_say(&rig, "accept", id, 1, "t", NULL), OK_LEASE);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *reply = rig_say(&rig, "done", id, 1, "t", bad[i]);
        REFUSED(reply, "bad_message");
        ck_assert_ptr_nonnull(strstr(reply, "must be a number"));
        STATE(id, "RUNNING");
    }
    REPLY(rig_say(&rig, "done", id, 1, "t", "\"metrics\": {\"gloss\": 0.9, \"note\": \"x\", \"accuracy\": null}"), OK);
    STATE(id, "DONE");
}
END_TEST

START_TEST(a_late_done_is_recorded_and_not_applied)
{
    rig_start(&rig);
    rig_trigger(&rig, "p/n/v1", 0.35);
    const char *id = rig_job(&rig, 0, NULL);
    rig_say(&rig, "accept", id, 1, "t1", NULL);
    rig_pass(&rig, 301);
    rig_tell(&rig, NOTICE_SERVING, "p/n/v2");
    rig_tell(&rig, NOTICE_SILENT, "p/n/v1");
    STATE(id, "SUPERSEDED");
    for (int i = 0; i < 3; i++)
        REFUSED(rig_say(&rig, "done", id, 1, "t1", "\"version\": \"v3\", \"gpu_hours\": 4"), "ended");
    char ask[128];
    snprintf(ask, sizeof ask, "{\"do\": \"request\", \"request\": \"%s\"}", id);
    json_t *answer = rig_ask(&rig, ask), *history = json_object_get(answer, "history");
    json_t *last = json_array_get(history, json_array_size(history) - 1);
    ck_assert_str_eq(json_string_value(json_object_get(last, "by")), "trainer t1");
    ck_assert_int_eq(json_integer_value(json_object_get(last, "attempt")), 1); /* though the second is under way */
    ck_assert_str_eq(json_string_value(json_object_get(last, "from")), "SUPERSEDED");
    ck_assert_str_eq(json_string_value(json_object_get(last, "to")), "SUPERSEDED");
    ck_assert_uint_eq(json_array_size(history), 6); /* made, offered, accepted, lost, superseded, the late done: once */
    json_t *outcome = json_array_get(json_object_get(answer, "outcomes"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(outcome, "version")), "v3");
    ck_assert_str_eq(json_string_value(json_object_get(outcome, "outcome")), "lost");
    json_decref(answer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests_feedback");
    TCase *tests = tcase_create("life");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, a_project_with_trainers_of_its_own);
    tcase_add_test(tests, an_outlet_that_refuses_slows_its_own_jobs);
    tcase_add_test(tests, feedback_of_a_key_for_another_project);
    tcase_add_test(tests, answers_are_what_they_were);
    tcase_add_test(tests, in_one_turn_everything_can_happen);
    tcase_add_test(tests, strange_messages_are_answered);
    tcase_add_test(tests, a_done_has_a_number_for_the_metric_that_triggered);
    tcase_add_test(tests, a_late_done_is_recorded_and_not_applied);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

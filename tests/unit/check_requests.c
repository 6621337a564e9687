/* The station's core: the way of a request from its trigger to its end, on a real store and a virtual clock. */
#include "tests/run_suite.h"
#include "tests/unit/requests_case.h"

START_TEST(a_trigger_becomes_a_job_and_a_model_is_retrained)
{
    unsigned attempt;
    rig_start(&rig);
    rig_trigger(&rig, "p/n/v1", 0.35);
    ck_assert_int_eq(rig.job_count, 1);
    const char *id = rig_job(&rig, 0, &attempt);
    ck_assert_uint_eq(attempt, 1);
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "\"strategy\":\"bayesian\""));
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "\"parameters\":{\"trials\":40}"));
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "\"observed\":0.52,"));
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "\"mean\":0.52,"));
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "\"previous\":[]"));
    STATE(id, "OFFERED");
    ck_assert_int_eq(rig.update_count, 1);
    ck_assert(rig.updates[0].live);
    ck_assert_uint_eq(rig.updates[0].episode, 1);
    ck_assert_int_eq(rig.updates[0].triggered_ns, rig_now(&rig).steady_ns);

    REPLY(rig_say(&rig, "accept", id, 1, "t1", NULL), OK_LEASE);
    STATE(id, "RUNNING");
    ck_assert_str_eq(rig_member(&rig, id, "lease_left_s"), "300");
    rig_pass(&rig, 100);
    REPLY(rig_say(&rig, "progress", id, 1, "t1", "\"fraction\": 0.5, \"note\": \"half\""), OK_PROGRESS);
    ck_assert_str_eq(rig_member(&rig, id, "fraction"), "0.5");
    ck_assert_str_eq(rig_member(&rig, id, "note"), "half");
    ck_assert_str_eq(rig_member(&rig, id, "lease_left_s"), "300");
    rig_pass(&rig, 299);
    REPLY(
        rig_say(&rig, "done", id, 1, "t1", "\"version\": \"v2\", \"metrics\": {\"accuracy\": 0.92}, \"gpu_hours\": 2"),
        OK);
    STATE(id, "DONE");
    ck_assert_uint_eq(core_live(rig.core), 0);
    const struct retrain_update *last = &rig.updates[rig.update_count - 1];
    ck_assert(!last->live);
    ck_assert_int_eq(last->ended_ns, rig_now(&rig).steady_ns);
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.requested"), 1);
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.offered"), 1);
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.accepted"), 1);
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.done"), 1);
    ck_assert_str_eq(rig.topics[0], "driftd.retraining.requested/p/n/v1");

    /* The next request of the family knows what came of it. */
    rig_trigger(&rig, "p/n/v1", 0.35);
    ck_assert_int_eq(rig.job_count, 2);
    json_t *job = json_loads(rig.jobs[1], 0, NULL);
    json_t *previous = json_array_get(json_object_get(json_object_get(job, "data"), "previous"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(previous, "outcome")), "done");
    ck_assert_double_eq_tol(json_number_value(json_object_get(previous, "gain")), 0.4, 1e-7);
    ck_assert_double_eq(json_number_value(json_object_get(previous, "gpu_hours")), 2);
    json_decref(job);
}
END_TEST

START_TEST(a_model_has_one_live_request_and_another_version_joins_it)
{
    rig_start(&rig);
    rig.free_trainers = 0;
    for (int i = 0; i < 3; i++)
        rig_trigger(&rig, "p/n/v1", 0.35);
    rig_trigger(&rig, "p/n/v2", 0.35);
    rig_trigger(&rig, "p/other/v1", 0.1);
    ck_assert_uint_eq(core_live(rig.core), 2);
    const struct retrain_update *joined = &rig.updates[rig.update_count - 2];
    ck_assert_str_eq(joined->model, "p/n/v2");
    ck_assert(joined->live);
    ck_assert_uint_eq(joined->episode, 1);
    rig.free_trainers = -1;
    rig_turn(&rig);
    const char *id = rig_job(&rig, 0, NULL);
    json_t *answer = rig_ask(&rig, "{\"do\": \"requests\"}");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "requests")), 2);
    json_decref(answer);
    char ask[128];
    snprintf(ask, sizeof ask, "{\"do\": \"request\", \"request\": \"%s\"}", id);
    answer = rig_ask(&rig, ask);
    json_t *history = json_object_get(answer, "history");
    ck_assert_uint_eq(json_array_size(history), 5); /* made, three more triggers, offered */
    ck_assert(json_is_null(json_object_get(json_array_get(history, 0), "from")));
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(json_array_get(history, 3), "why")), "p/n/v2"));
    json_decref(answer);

    /* Both versions hear of its end: their back-off begins anew. */
    rig_say(&rig, "accept", id, 1, "t", NULL);
    rig.update_count = 0;
    rig_pass(&rig, 7);
    rig_say(&rig, "done", id, 1, "t", NULL);
    ck_assert_int_eq(rig.update_count, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert(!rig.updates[i].live);
        ck_assert_uint_gt(rig.updates[i].episode, 0);
        ck_assert_int_eq(rig.updates[i].ended_ns, rig_now(&rig).steady_ns);
    }
}
END_TEST

START_TEST(a_trainer_that_dies_costs_an_attempt)
{
    unsigned attempt;
    rig_start(&rig);
    rig_trigger(&rig, "p/n/v1", 0.35);
    const char *id = rig_job(&rig, 0, NULL);
    rig_say(&rig, "accept", id, 1, "t1", NULL);
    rig_pass(&rig, 299.9);
    STATE(id, "RUNNING");
    rig_pass(&rig, 0.2);
    STATE(id, "PENDING");
    ck_assert_str_eq(rig_member(&rig, id, "waiting_for"), "retry");
    REFUSED(rig_say(&rig, "progress", id, 1, "t1", NULL), "stale_attempt");
    rig_pass(&rig, 36);
    ck_assert_int_eq(rig.job_count, 2);
    ck_assert_str_eq(rig_job(&rig, 1, &attempt), id);
    ck_assert_uint_eq(attempt, 2);
    ck_assert_ptr_nonnull(strstr(rig.jobs[1], "\"strategy\":\"grid_search\""));
    ck_assert_ptr_nonnull(strstr(rig.jobs[1], "attempt 2 after bayesian"));
    ck_assert_ptr_nonnull(strstr(rig.jobs[1], "\"outcome\":\"lost\""));
    REFUSED(rig_say(&rig, "accept", id, 1, "t1", NULL), "stale_attempt");
    REPLY(rig_say(&rig, "accept", id, 2, "t2", NULL), OK_LEASE);
    REFUSED(rig_say(&rig, "accept", id, 2, "t1", NULL), "stale_attempt");
    REPLY(rig_say(&rig, "fail", id, 2, "t2", "\"error\": \"no data\", \"gpu_hours\": 1"), OK);
    REPLY(rig_say(&rig, "fail", id, 2, "t2", "\"error\": \"no data\", \"gpu_hours\": 1"), OK);
    rig_pass(&rig, 73);
    REPLY(rig_say(&rig, "accept", id, 3, "t3", NULL), OK_LEASE);
    ck_assert_str_eq(rig_member(&rig, id, "strategy"), "pbt");
    rig_pass(&rig, 301);
    STATE(id, "DEAD");
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.failed"), 2);
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.dead"), 1);
    REFUSED(rig_say(&rig, "done", id, 3, "t3", NULL), "ended");
}
END_TEST

START_TEST(nobody_accepts_and_it_is_offered_again)
{
    unsigned attempt;
    rig_start(&rig);
    rig_trigger(&rig, "p/n/v1", 0.35);
    const char *id = rig_job(&rig, 0, NULL);
    rig_pass(&rig, 30);
    ck_assert_int_eq(rig.job_count, 2);
    ck_assert_str_eq(rig_job(&rig, 1, &attempt), id);
    ck_assert_uint_eq(attempt, 1);
    /* Without a trainer it waits and costs nothing. */
    rig.free_trainers = 0;
    rig_pass(&rig, 1e6);
    STATE(id, "PENDING");
    ck_assert_str_eq(rig_member(&rig, id, "offers"), "2");
    ck_assert_str_eq(rig_member(&rig, id, "waiting_for"), "trainer");
    /* Who pulled it long ago may still accept it. */
    REPLY(rig_say(&rig, "accept", id, 1, "t1", NULL), OK_LEASE);
    STATE(id, "RUNNING");
}
END_TEST

START_TEST(a_job_that_is_not_taken_goes_back_quietly)
{
    rig_start(&rig);
    rig.refuses = true;
    rig_trigger(&rig, "p/n/v1", 0.35);
    ck_assert_int_eq(rig.job_count, 0);
    rig_pass(&rig, 1);
    rig.refuses = false;
    rig_pass(&rig, 1);
    ck_assert_int_eq(rig.job_count, 1);
    const char *id = rig_job(&rig, 0, NULL);
    ck_assert_str_eq(rig_member(&rig, id, "offers"), "0");
    ck_assert_str_eq(rig_member(&rig, id, "attempt"), "1");
}
END_TEST

START_TEST(recovery_cancels_what_nobody_runs)
{
    rig_start(&rig);
    rig_trigger(&rig, "p/n/v1", 0.35);
    const char *id = rig_job(&rig, 0, NULL);
    struct retrain_notice *other = rig_notice(&rig, NOTICE_RECOVERED, "p/n/v1");
    strcpy(other->trigger.metric, "latency_ms");
    rig_put(&rig, other);
    rig_turn(&rig);
    STATE(id, "OFFERED");
    rig_tell(&rig, NOTICE_RECOVERED, "p/n/v9");
    STATE(id, "OFFERED");
    rig_tell(&rig, NOTICE_RECOVERED, "p/n/v1");
    STATE(id, "CANCELLED");
    ck_assert(!rig.updates[rig.update_count - 1].live);
    REFUSED(rig_say(&rig, "accept", id, 1, "t", NULL), "ended");
    /* One that runs is not stopped. */
    rig_pass(&rig, 10);
    rig_trigger(&rig, "p/n/v1", 0.35);
    id = rig_job(&rig, rig.job_count - 1, NULL);
    rig_say(&rig, "accept", id, 1, "t", NULL);
    rig_tell(&rig, NOTICE_RECOVERED, "p/n/v1");
    STATE(id, "RUNNING");
    /* Where its attempt comes to nothing there is no other: the model is well. */
    rig_say(&rig, "fail", id, 1, "t", NULL);
    STATE(id, "CANCELLED");
    /* Unless it has failed again meanwhile. */
    rig_pass(&rig, 10);
    rig_trigger(&rig, "p/n/v1", 0.35);
    id = rig_job(&rig, rig.job_count - 1, NULL);
    rig_say(&rig, "accept", id, 1, "t", NULL);
    rig_tell(&rig, NOTICE_RECOVERED, "p/n/v1");
    rig_trigger(&rig, "p/n/v1", 0.35);
    rig_say(&rig, "fail", id, 1, "t", NULL);
    STATE(id, "PENDING");
}
END_TEST

START_TEST(a_newer_version_supersedes_a_silent_one)
{
    rig_start(&rig);
    rig.free_trainers = 0;
    rig_tell(&rig, NOTICE_SERVING, "p/n/v0"); /* known before: a rollback supersedes nothing */
    rig_pass(&rig, 10);
    rig_tell(&rig, NOTICE_SERVING, "p/n/v1");
    rig_trigger(&rig, "p/n/v1", 0.35);
    json_t *list = rig_ask(&rig, "{\"do\": \"requests\", \"state\": \"PENDING\"}");
    char id[REQUEST_ID_LEN + 1];
    snprintf(id, sizeof id, "%s",
             json_string_value(json_object_get(json_array_get(json_object_get(list, "requests"), 0), "id")));
    json_decref(list);
    rig_pass(&rig, 10);
    rig_tell(&rig, NOTICE_SILENT, "p/n/v1");
    STATE(id, "PENDING");
    /* Silent, heard again, and then a canary beside it: nothing is superseded. */
    rig_tell(&rig, NOTICE_SERVING, "p/n/v1");
    rig_pass(&rig, 10);
    rig_tell(&rig, NOTICE_SERVING, "p/n/v2");
    STATE(id, "PENDING");
    /* After a restart of the daemon v0 looks new; the store knows better. */
    core_destroy(&rig.core);
    rig_start(&rig);
    rig_pass(&rig, 10);
    rig_tell(&rig, NOTICE_SERVING, "p/n/v0");
    STATE(id, "PENDING");
    rig_tell(&rig, NOTICE_SILENT, "p/n/v1");
    STATE(id, "SUPERSEDED");
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.superseded"), 1);
}
END_TEST

START_TEST(without_feedback_a_job_is_sent_once)
{
    rig.options.feedback_required = false;
    rig_start(&rig);
    rig_trigger(&rig, "p/a/v", 0.1);
    ck_assert_int_eq(rig.job_count, 1);
    const char *id = rig_job(&rig, 0, NULL);
    STATE(id, "DONE");
    ck_assert_uint_eq(core_live(rig.core), 0);
    rig_pass(&rig, 1e5);
    ck_assert_int_eq(rig.job_count, 1);
    char ask[128];
    snprintf(ask, sizeof ask, "{\"do\": \"request\", \"request\": \"%s\"}", id);
    json_t *answer = rig_ask(&rig, ask);
    json_t *outcome = json_array_get(json_object_get(answer, "outcomes"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(outcome, "outcome")), "delivered");
    json_decref(answer);
    /* The daemon ends between the send and its record: it does not send twice. */
    rig_trigger(&rig, "p/b/v", 0.1);
    ck_assert_int_eq(rig.job_count, 2);
    rig_put(&rig, rig_trigger_notice(&rig, "p/c/v", 0.1));
    core_turn(rig.core, rig_now(&rig));
    core_turn(rig.core, rig_now(&rig));
    core_destroy(&rig.core);
    int jobs = rig.job_count;
    rig_start(&rig);
    rig_pass(&rig, 100);
    ck_assert_int_le(rig.job_count, 3);
    ck_assert_int_ge(rig.job_count, jobs);
    ck_assert_uint_eq(core_live(rig.core), 0);
}
END_TEST

START_TEST(a_person_can_do_it_by_hand)
{
    rig_start(&rig);
    json_t *answer = rig_ask(&rig, "{\"do\": \"retrain\", \"model\": \"p/n/v1\", \"reason\": \"new labels\"}");
    ck_assert(json_is_true(json_object_get(answer, "ok")));
    const char *id = rig_job(&rig, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(answer, "request")), id);
    ck_assert_ptr_nonnull(strstr(json_string_value(json_object_get(answer, "warning")), "has not served yet"));
    json_decref(answer);
    rig_tell(&rig, NOTICE_SERVING, "p/served/v1");
    answer = rig_ask(&rig, "{\"do\": \"retrain\", \"model\": \"p/served/v1\"}");
    ck_assert_ptr_null(json_object_get(answer, "warning"));
    json_decref(answer);
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "\"rule\":\"by hand: new labels\",\"metric\":null,\"observed\":null"));
    answer = rig_ask(&rig, "{\"do\": \"retrain\", \"model\": \"p/n/v2\"}");
    ck_assert_str_eq(json_string_value(json_object_get(answer, "error")), "live_request");
    json_decref(answer);
    /* Recovery does not cancel what a person wanted. */
    rig_tell(&rig, NOTICE_RECOVERED, "p/n/v1");
    STATE(id, "OFFERED");
    rig_say(&rig, "accept", id, 1, "t", NULL);
    char ask[128];
    snprintf(ask, sizeof ask, "{\"do\": \"cancel\", \"request\": \"%s\", \"reason\": \"enough\"}", id);
    answer = rig_ask(&rig, ask);
    ck_assert_str_eq(json_string_value(json_object_get(answer, "state")), "RUNNING");
    json_decref(answer);
    REPLY(rig_say(&rig, "progress", id, 1, "t", NULL), OK_CANCEL);
    REPLY(rig_say(&rig, "fail", id, 1, "t", "\"error\": \"stopped\""), OK);
    STATE(id, "CANCELLED");
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.cancelled"), 1);
    answer = rig_ask(&rig, ask);
    ck_assert_str_eq(json_string_value(json_object_get(answer, "error")), "ended");
    json_decref(answer);
    snprintf(ask, sizeof ask, "{\"do\": \"requeue\", \"request\": \"%s\"}", id);
    answer = rig_ask(&rig, ask);
    const char *again = json_string_value(json_object_get(answer, "request"));
    ck_assert_ptr_nonnull(again);
    ck_assert_str_ne(again, id);
    ck_assert_str_eq(rig_job(&rig, rig.job_count - 1, NULL), again);
    json_decref(answer);

    static const char *const bad[][2] = {
        {"{\"do\": \"retrain\", \"model\": \"p/n\"}", "bad_message"},
        {"{\"do\": \"retrain\"}", "bad_message"},
        {"{\"do\": \"cancel\"}", "bad_message"},
        {"{\"do\": \"cancel\", \"request\": \"x\"}", "unknown_request"},
        {"{\"do\": \"requeue\", \"request\": \"x\"}", "unknown_request"},
        {"{\"do\": \"request\", \"request\": \"x\"}", "unknown_request"},
        {"{\"do\": \"request\"}", "bad_message"},
        {"{\"do\": \"requests\", \"state\": \"LOST\"}", "bad_message"},
        {"{\"do\": \"requests\", \"most\": 0}", "bad_message"},
        {"{\"do\": \"dance\"}", "bad_message"},
        {"nonsense", "bad_message"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        answer = rig_ask(&rig, bad[i][0]);
        ck_assert_str_eq(json_string_value(json_object_get(answer, "error")), bad[i][1]);
        json_decref(answer);
    }
}
END_TEST

/* Whoever was told to stop says so, or says no more: what a person has cancelled is not given up, however many attempts
 * there were. */
START_TEST(a_cancel_during_the_last_attempt_is_one)
{
    char ask[128];
    core_destroy(&rig.core);
    rig.options.attempts = 1;
    rig_start(&rig);
    for (int vanishes = 0; vanishes < 2; vanishes++) {
        rig_trigger(&rig, vanishes ? "p/n/v1" : "p/m/v1", 0.1);
        const char *id = rig_job(&rig, rig.job_count - 1, NULL);
        rig_say(&rig, "accept", id, 1, "t", NULL);
        snprintf(ask, sizeof ask, "{\"do\": \"cancel\", \"request\": \"%s\"}", id);
        json_decref(rig_ask(&rig, ask));
        STATE(id, "RUNNING");
        if (vanishes)
            rig_pass(&rig, 310);
        else
            REPLY(rig_say(&rig, "fail", id, 1, "t", "\"error\": \"stopped\", \"retry\": false"), OK);
        STATE(id, "CANCELLED");
    }
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.dead"), 0);
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.cancelled"), 2);
}
END_TEST

/* Of two that come at once the second knows of the first. */
START_TEST(silences_come_one_after_the_other)
{
    static const char *const asks[] = {"{\"do\": \"silence\", \"pattern\": \"p/a\", \"for_s\": 60}",
                                       "{\"do\": \"unsilence\", \"pattern\": \"p/a\"}"};
    struct letter letter;
    rig_start(&rig);
    for (int i = 0; i < 2; i++) {
        struct question *question = calloc(1, sizeof *question);
        *question = (struct question){.id = 5, .ask = strdup(asks[i]), .from = -1, .reply_to = rig.answers};
        ck_assert_int_eq(inbox_put(rig.inbox, (struct letter){LETTER_QUESTION, question, question_drop}), 0);
    }
    rig_pass(&rig, 1);
    for (int i = 0; i < 2; i++) {
        ck_assert(inbox_take(rig.answers, &letter));
        ck_assert_ptr_nonnull(strstr(((struct question *)letter.body)->answer, "\"ok\":true"));
        question_drop(letter.body);
    }
    json_t *status = rig_ask(&rig, "{\"do\": \"status\"}");
    ck_assert_uint_eq(json_array_size(json_object_get(status, "silences")), 0);
    json_decref(status);
}
END_TEST

START_TEST(status_counts_every_state)
{
    rig_start(&rig);
    rig_trigger(&rig, "p/a/v", 0.1);
    rig_trigger(&rig, "p/b/v", 0.1);
    rig_say(&rig, "accept", rig_job(&rig, 0, NULL), 1, "t", NULL);
    rig_say(&rig, "done", rig_job(&rig, 0, NULL), 1, "t", NULL);
    for (int round = 0; round < 2; round++) {
        json_t *answer = rig_ask(&rig, "{\"do\": \"status\"}"), *counts = json_object_get(answer, "requests");
        ck_assert_uint_eq(json_object_size(counts), REQUEST_STATES);
        ck_assert_int_eq(json_integer_value(json_object_get(counts, "DONE")), 1);
        ck_assert_int_eq(json_integer_value(json_object_get(counts, round ? "PENDING" : "OFFERED")), 1);
        ck_assert_int_eq(json_integer_value(json_object_get(counts, "DEAD")), 0);
        json_decref(answer);
        rig.free_trainers = 0;
        core_destroy(&rig.core);
        rig_start(&rig);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests");
    TCase *tests = tcase_create("life");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, a_trigger_becomes_a_job_and_a_model_is_retrained);
    tcase_add_test(tests, a_model_has_one_live_request_and_another_version_joins_it);
    tcase_add_test(tests, a_trainer_that_dies_costs_an_attempt);
    tcase_add_test(tests, nobody_accepts_and_it_is_offered_again);
    tcase_add_test(tests, a_job_that_is_not_taken_goes_back_quietly);
    tcase_add_test(tests, recovery_cancels_what_nobody_runs);
    tcase_add_test(tests, a_newer_version_supersedes_a_silent_one);
    tcase_add_test(tests, without_feedback_a_job_is_sent_once);
    tcase_add_test(tests, a_person_can_do_it_by_hand);
    tcase_add_test(tests, a_cancel_during_the_last_attempt_is_one);
    tcase_add_test(tests, silences_come_one_after_the_other);
    tcase_add_test(tests, status_counts_every_state);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

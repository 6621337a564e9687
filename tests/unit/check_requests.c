/* The station's core: what it does with notices, feedback and time, on a real store and a virtual clock. */
#include "tests/run_suite.h"
#include "tests/unit/requests_rig.h"

static struct rig rig;

static void begin(void)
{
    rig_new(&rig);
}

static void finish(void)
{
    rig_end(&rig);
}

#define REPLY(reply, expected) ck_assert_str_eq((reply), (expected))
#define REFUSED(reply, code) ck_assert_ptr_nonnull(strstr((reply), "{\"ok\":false,\"error\":\"" code "\""))
#define STATE(id, state) ck_assert_str_eq(rig_member(&rig, (id), "state"), (state))
#define OK_LEASE "{\"ok\":true,\"lease_s\":300}"
#define OK_PROGRESS "{\"ok\":true,\"lease_s\":300,\"cancel\":false}"
#define OK_CANCEL "{\"ok\":true,\"lease_s\":300,\"cancel\":true}"
#define OK "{\"ok\":true}"

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
    REPLY(rig_say(&rig, "done", id, 1, "t1", "\"version\": \"v2\", \"metrics\": {\"accuracy\": 0.92}, \"gpu_hours\": 2"),
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
    ck_assert_ptr_nonnull(strstr(status, "\"trainer\":1,\"trainer_wait_s\":0,\"projects\":{\"p\":{\"retry\":0,\"limit\":0,"
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
                 "{\"say\": \"%s\", \"request\": \"%s\", \"attempt\": 1, \"trainer\": \"t\", \"gpu_hours\": 1}", kinds[i],
                 id);
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
    ck_assert_ptr_nonnull(strstr(rig.events[1], "2 such messages"));
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
    ck_assert_str_eq(json_string_value(json_object_get(last, "from")), "SUPERSEDED");
    ck_assert_str_eq(json_string_value(json_object_get(last, "to")), "SUPERSEDED");
    ck_assert_uint_eq(json_array_size(history), 6); /* made, offered, accepted, lost, superseded, the late done: once */
    json_t *outcome = json_array_get(json_object_get(answer, "outcomes"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(outcome, "version")), "v3");
    ck_assert_str_eq(json_string_value(json_object_get(outcome, "outcome")), "lost");
    json_decref(answer);
}
END_TEST

/* The way of an episode that brings nothing: back-off, the same drift again. */
static const char *fruitless(const char *model)
{
    int jobs = rig.job_count;
    rig_trigger(&rig, model, 0.35);
    if (rig.job_count == jobs)
        return NULL;
    const char *id = rig_job(&rig, jobs, NULL);
    rig_say(&rig, "accept", id, 1, "t", NULL);
    rig_say(&rig, "done", id, 1, "t", NULL);
    rig_pass(&rig, 1800);
    return id;
}

START_TEST(what_retraining_cannot_cure_is_given_up)
{
    const char *id = NULL;
    rig_start(&rig);
    for (int i = 0; i < 3; i++) {
        id = fruitless("p/n/v1");
        ck_assert_ptr_nonnull(id);
    }
    ck_assert_int_eq(rig_events(&rig, "driftd.model.unrecoverable"), 0);
    for (int i = 0; i < 5; i++) {
        ck_assert_ptr_null(fruitless("p/n/v1"));
        rig_pass(&rig, 1800);
        const struct retrain_update *last = &rig.updates[rig.update_count - 1];
        ck_assert(last->unrecoverable && !last->live);
        ck_assert_int_gt(last->triggered_ns, last->ended_ns);
    }
    ck_assert_int_eq(rig_events(&rig, "driftd.model.unrecoverable"), 1);
    /* It stays so through a restart, and through a recovery. */
    core_destroy(&rig.core);
    rig.update_count = 0;
    rig_start(&rig);
    ck_assert_int_eq(rig.update_count, 1);
    ck_assert(rig.updates[0].unrecoverable);
    rig_tell(&rig, NOTICE_RECOVERED, "p/n/v1");
    ck_assert_ptr_null(fruitless("p/n/v1"));
    /* A person says otherwise. */
    char ask[128];
    snprintf(ask, sizeof ask, "{\"do\": \"requeue\", \"request\": \"%s\", \"reason\": \"more data\"}", id);
    int jobs = rig.job_count;
    json_t *answer = rig_ask(&rig, ask);
    ck_assert(json_is_true(json_object_get(answer, "ok")));
    json_decref(answer);
    ck_assert_int_eq(rig.job_count, jobs + 1);
    ck_assert(!rig.updates[rig.update_count - 1].unrecoverable);
    id = rig_job(&rig, jobs, NULL);
    rig_say(&rig, "accept", id, 1, "t", NULL);
    rig_say(&rig, "done", id, 1, "t", NULL);
    ck_assert_ptr_nonnull(fruitless("p/n/v1"));
}
END_TEST

START_TEST(a_recovery_begins_the_count_anew)
{
    rig_start(&rig);
    for (int i = 0; i < 12; i++) {
        ck_assert_ptr_nonnull(fruitless("p/n/v1"));
        if (i % 2)
            rig_tell(&rig, NOTICE_RECOVERED, "p/n/v1");
    }
}
END_TEST

/* Each retraining makes a new version that fails at once: the storm ends all the same. */
START_TEST(new_versions_do_not_hide_a_drift_that_stays)
{
    char model[32];
    int made = 0;
    rig_start(&rig);
    for (int i = 1; i <= 8; i++) {
        snprintf(model, sizeof model, "p/n/v%d", i);
        rig_tell(&rig, NOTICE_SERVING, model);
        made += fruitless(model) != NULL;
    }
    ck_assert_int_eq(made, 3);
}
END_TEST

/* Versions that were healthy at first and drift later are cured by each retraining. */
START_TEST(a_drift_of_its_own_is_no_failure_of_the_last)
{
    char model[32];
    rig_start(&rig);
    for (int i = 1; i <= 8; i++) {
        snprintf(model, sizeof model, "p/n/v%d", i);
        rig_tell(&rig, NOTICE_SERVING, model);
        rig_pass(&rig, 60);
        ck_assert_ptr_nonnull(fruitless(model));
    }
}
END_TEST

START_TEST(limits_hold_and_say_so)
{
    static const struct requests_project projects[] = {{.project = "small", .concurrent = 1}};
    rig.options.fleet = (struct requests_project){.concurrent = 2, .per_model_per_day = 1};
    rig.options.projects = projects;
    rig.options.project_count = 1;
    rig_start(&rig);
    rig.free_trainers = 0;
    rig_trigger(&rig, "small/a/v", 0.9);
    rig_trigger(&rig, "small/b/v", 0.8);
    rig_trigger(&rig, "big/c/v", 0.1);
    rig_trigger(&rig, "big/d/v", 0.2);
    rig.free_trainers = -1;
    rig_turn(&rig);
    ck_assert_int_eq(rig.job_count, 2);
    const char *a = rig_job(&rig, 0, NULL), *d = rig_job(&rig, 1, NULL);
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "small/a/v"));
    ck_assert_ptr_nonnull(strstr(rig.jobs[1], "big/d/v"));
    json_t *list = rig_ask(&rig, "{\"do\": \"requests\", \"state\": \"pending\"}"), *row;
    size_t i;
    ck_assert_uint_eq(json_array_size(json_object_get(list, "requests")), 2);
    json_array_foreach (json_object_get(list, "requests"), i, row) {
        ck_assert_str_eq(json_string_value(json_object_get(row, "held_by")), "concurrent");
        ck_assert_str_eq(json_string_value(json_object_get(row, "waiting_for")), "limit");
    }
    json_decref(list);
    rig_say(&rig, "accept", d, 1, "t", NULL);
    rig_say(&rig, "done", d, 1, "t", NULL);
    ck_assert_int_eq(rig.job_count, 3);
    ck_assert_ptr_nonnull(strstr(rig.jobs[2], "big/c/v")); /* small/b is severer, but its project is full */
    rig_say(&rig, "accept", rig_job(&rig, 2, NULL), 1, "t", NULL);
    rig_say(&rig, "done", rig_job(&rig, 2, NULL), 1, "t", NULL);
    list = rig_ask(&rig, "{\"do\": \"requests\", \"state\": \"PENDING\"}");
    row = json_array_get(json_object_get(list, "requests"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(row, "held_by")), "projects.small.concurrent");
    json_decref(list);
    rig_say(&rig, "accept", a, 1, "t", NULL);
    rig_say(&rig, "done", a, 1, "t", NULL);
    ck_assert_int_eq(rig.job_count, 4);
    rig_say(&rig, "accept", rig_job(&rig, 3, NULL), 1, "t", NULL);
    rig_say(&rig, "done", rig_job(&rig, 3, NULL), 1, "t", NULL);

    /* The model's share of the day: held for the rest of it, through a restart too. */
    rig_pass(&rig, 3600);
    rig_trigger(&rig, "big/d/v", 0.2);
    ck_assert_int_eq(rig.job_count, 4);
    core_destroy(&rig.core);
    rig.wall_s += 1e6; /* a jump of the wall clock lifts no limit */
    rig_start(&rig);
    rig_pass(&rig, 80000);
    int before = rig.job_count;
    bool sent = false;
    for (int k = 0; k < 3600; k++) {
        rig_pass(&rig, 1);
        sent = sent || (rig.job_count > before && strstr(rig.jobs[rig.job_count - 1], "big/d/v"));
        if (k < 2700)
            ck_assert(!sent);
    }
    ck_assert(sent);
}
END_TEST

START_TEST(gpu_hours_of_the_day_are_counted_as_spent)
{
    rig.options.fleet = (struct requests_project){.gpu_hours_per_day = 7};
    rig_start(&rig);
    rig_trigger(&rig, "p/a/v", 0.1);
    rig_trigger(&rig, "p/b/v", 0.1);
    rig_trigger(&rig, "p/c/v", 0.1); /* three times bayesian, 3 hours each */
    ck_assert_int_eq(rig.job_count, 2);
    const char *a = rig_job(&rig, 0, NULL);
    rig_say(&rig, "accept", a, 1, "t", NULL);
    rig_say(&rig, "done", a, 1, "t", "\"gpu_hours\": 1.5");
    ck_assert_int_eq(rig.job_count, 2); /* 1.5 + 3 + 3 > 7 */
    rig_pass(&rig, 29);
    rig_say(&rig, "accept", rig_job(&rig, 1, NULL), 1, "t", NULL);
    rig_say(&rig, "done", rig_job(&rig, 1, NULL), 1, "t", "\"gpu_hours\": 2.5");
    ck_assert_int_eq(rig.job_count, 3); /* 1.5 + 2.5 + 3 */
    core_destroy(&rig.core);
    rig_start(&rig);
    rig_trigger(&rig, "p/d/v", 0.1);
    ck_assert_int_eq(rig.job_count, 4); /* c again, after the restart */
    rig_pass(&rig, 25);
    rig_say(&rig, "accept", rig_job(&rig, 3, NULL), 1, "t", NULL);
    ck_assert_int_eq(rig.job_count, 4);
}
END_TEST

/* An offer that nobody accepts costs nothing of the day. */
START_TEST(gpu_hours_that_were_not_spent_are_given_back)
{
    rig.options.fleet = (struct requests_project){.gpu_hours_per_day = 4};
    rig_start(&rig);
    rig_trigger(&rig, "p/a/v", 0.1);
    rig_pass(&rig, 299);
    ck_assert_int_eq(rig.job_count, 10);
    rig_tell(&rig, NOTICE_RECOVERED, "p/a/v");
    rig_trigger(&rig, "p/b/v", 0.1);
    ck_assert_int_eq(rig.job_count, 11);
    /* One that was accepted and lost has cost what was expected of it. */
    rig_say(&rig, "accept", rig_job(&rig, 10, NULL), 1, "t", NULL);
    rig_pass(&rig, 301);
    rig_trigger(&rig, "p/c/v", 0.1);
    rig_pass(&rig, 100);
    ck_assert_int_eq(rig.job_count, 11);
}
END_TEST

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
    tcase_add_test(tests, a_project_with_trainers_of_its_own);
    tcase_add_test(tests, an_outlet_that_refuses_slows_its_own_jobs);
    tcase_add_test(tests, feedback_of_a_key_for_another_project);
    tcase_add_test(tests, answers_are_what_they_were);
    tcase_add_test(tests, in_one_turn_everything_can_happen);
    tcase_add_test(tests, strange_messages_are_answered);
    tcase_add_test(tests, a_done_has_a_number_for_the_metric_that_triggered);
    tcase_add_test(tests, recovery_cancels_what_nobody_runs);
    tcase_add_test(tests, a_newer_version_supersedes_a_silent_one);
    tcase_add_test(tests, a_late_done_is_recorded_and_not_applied);
    tcase_add_test(tests, what_retraining_cannot_cure_is_given_up);
    tcase_add_test(tests, a_recovery_begins_the_count_anew);
    tcase_add_test(tests, new_versions_do_not_hide_a_drift_that_stays);
    tcase_add_test(tests, a_drift_of_its_own_is_no_failure_of_the_last);
    tcase_add_test(tests, limits_hold_and_say_so);
    tcase_add_test(tests, gpu_hours_of_the_day_are_counted_as_spent);
    tcase_add_test(tests, gpu_hours_that_were_not_spent_are_given_back);
    tcase_add_test(tests, a_restart_forgets_nothing);
    tcase_add_test(tests, a_reboot_goes_by_the_wall_clock);
    tcase_add_test(tests, without_feedback_a_job_is_sent_once);
    tcase_add_test(tests, a_person_can_do_it_by_hand);
    tcase_add_test(tests, status_counts_every_state);
    tcase_add_test(tests, strategies_may_change_between_starts);
    tcase_add_test(tests, stop_commits_what_came_before);
    tcase_add_test(tests, what_ended_long_ago_is_cleared_away);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

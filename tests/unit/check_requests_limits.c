/* The station's core: limits, the day's budget, and the end of retraining that brings nothing. */
#include "tests/run_suite.h"
#include "tests/unit/requests_case.h"

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
    json_array_foreach(json_object_get(list, "requests"), i, row)
    {
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

int main(void)
{
    Suite *suite = suite_create("requests_limits");
    TCase *tests = tcase_create("life");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, what_retraining_cannot_cure_is_given_up);
    tcase_add_test(tests, a_recovery_begins_the_count_anew);
    tcase_add_test(tests, new_versions_do_not_hide_a_drift_that_stays);
    tcase_add_test(tests, a_drift_of_its_own_is_no_failure_of_the_last);
    tcase_add_test(tests, limits_hold_and_say_so);
    tcase_add_test(tests, gpu_hours_of_the_day_are_counted_as_spent);
    tcase_add_test(tests, gpu_hours_that_were_not_spent_are_given_back);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

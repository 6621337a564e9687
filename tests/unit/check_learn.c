/* What the station learns of strategies: by what trainers claim, and by what the monitors see afterwards. */
#include "tests/run_suite.h"
#include "tests/unit/requests_rig.h"

static struct rig rig;

static void begin(void)
{
    rig_new(&rig);
    rig.options.choose = "history";
    rig_start(&rig);
}

static void finish(void)
{
    rig_end(&rig);
}

static struct history_row row_of(const char *strategy)
{
    struct history_row row;
    ck_assert_int_eq(store_get_tally(rig.core->store, text_of("p/n"), strategy, &row), 0);
    return row;
}

/* A request is made and run to its end by one trainer; its id. */
static const char *train(const char *model, const char *say, const char *more)
{
    int jobs = rig.job_count;
    rig_trigger(&rig, model, 0.35);
    ck_assert_int_eq(rig.job_count, jobs + 1);
    const char *id = rig_job(&rig, jobs, NULL);
    rig_say(&rig, "accept", id, 1, "t", NULL);
    ck_assert_str_eq(rig_say(&rig, say, id, 1, "t", more), "{\"ok\":true}");
    return id;
}

static void put_shown(const char *model, const char *metric, double observed, uint64_t n)
{
    struct retrain_notice *notice = rig_notice(&rig, NOTICE_SHOWN, model);
    snprintf(notice->trigger.metric, sizeof notice->trigger.metric, "%s", metric);
    notice->trigger.observed = observed;
    notice->trigger.n = n;
    rig_put(&rig, notice);
}

static void show(const char *model, const char *metric, double observed, uint64_t n)
{
    put_shown(model, metric, observed, n);
    rig_turn(&rig);
}

/* A member of the newest entry of `previous` in the newest job. */
static double previous(const char *member)
{
    json_t *job = json_loads(rig.jobs[rig.job_count - 1], 0, NULL);
    json_t *list = json_object_get(json_object_get(job, "data"), "previous");
    json_t *value = json_object_get(json_array_get(list, json_array_size(list) - 1), member);
    double number = json_is_number(value) ? json_number_value(value) : NAN;
    json_decref(job);
    return number;
}

static bool job_says(const char *words)
{
    return strstr(rig.jobs[rig.job_count - 1], words) != NULL;
}

START_TEST(a_new_version_shows_what_was_gained)
{
    const char *id = train("p/n/v1", "done", "\"version\": \"v2\", \"metrics\": {\"accuracy\": 0.95}, \"gpu_hours\": 2");
    ck_assert(job_says("\"strategy\":\"bayesian\""));
    ck_assert(job_says("bayesian: no history yet, here or in the fleet"));
    struct history_row row = row_of("bayesian");
    ck_assert_double_eq_tol(row.here.attempts, 1, 1e-12);
    ck_assert_double_eq_tol(row.here.recovered, 1, 1e-12); /* as it is claimed */
    ck_assert_double_eq_tol(row.here.gpu_hours, 2, 1e-12);
    ck_assert_int_eq(rig.asked_count, 1);
    ck_assert_str_eq(rig.asked.model, "p/n/v2");
    ck_assert(!rig.asked.fresh);

    /* The new version is heard of, serves, and is asked again; it is worth half of what was asked for. */
    rig_tell(&rig, NOTICE_SERVING, "p/n/v2");
    ck_assert_int_eq(rig.asked_count, 2);
    ck_assert_str_eq(rig.asked.model, "p/n/v2");
    ck_assert_str_eq(rig.asked.shows, "accuracy");
    show("p/n/v2", "accuracy", 0.66, 16);
    row = row_of("bayesian");
    ck_assert_double_eq_tol(row.here.attempts, 1, 1e-12);
    ck_assert_double_eq_tol(row.here.recovered, 0.5, 1e-6);
    ck_assert_double_eq_tol(row.fleet.recovered, 0.5, 1e-6);
    show("p/n/v2", "accuracy", 0.73, 64);
    ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 0.75, 1e-6);
    show("p/n/v1", "accuracy", 0.3, 64); /* not the new version */
    show("p/n/v2", "latency_ms", 3, 64); /* not the KPI */
    ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 0.75, 1e-6);
    json_t *answer = rig_ask(&rig, "{\"do\": \"requests\"}");
    json_decref(answer);
    ck_assert_str_eq(rig_member(&rig, id, "state"), "DONE");

    rig_trigger(&rig, "p/n/v2", 0.1);
    ck_assert_double_eq_tol(previous("gain"), 0.21, 1e-6);
    ck_assert_double_eq_tol(previous("gpu_hours"), 2, 1e-9);
    ck_assert(job_says(" of 1 attempts here, 0.75 of 1 in the fleet"));
}
END_TEST

/* A trainer that rolls its version out first and says that it is done afterwards. */
START_TEST(who_serves_before_it_is_done_replaces_as_well)
{
    rig_tell(&rig, NOTICE_SERVING, "p/n/v1");
    rig_trigger(&rig, "p/n/v1", 0.35);
    const char *id = rig_job(&rig, 0, NULL);
    rig_say(&rig, "accept", id, 1, "t", NULL);
    rig_pass(&rig, 1);
    rig_tell(&rig, NOTICE_SERVING, "p/n/v2");
    const int before = rig.update_count;
    rig_say(&rig, "done", id, 1, "t", "\"version\": \"v2\"");
    bool told = false;
    for (int i = before; i < rig.update_count; i++)
        told = told || (rig.updates[i].replaced && strcmp(rig.updates[i].model, "p/n/v1") == 0);
    ck_assert(told);
}
END_TEST

static const char *strategy_of(int job)
{
    static char names[4][STRATEGY_NAME_MAX + 1];
    json_t *root = json_loads(rig.jobs[job], 0, NULL);
    snprintf(names[job % 4], sizeof names[0], "%s", json_string_value(json_object_get(json_object_get(root, "data"), "strategy")));
    json_decref(root);
    return names[job % 4];
}

/* The cheapest dies as soon as it is begun: the others have their turns. */
START_TEST(dying_early_does_not_pay)
{
    rig_trigger(&rig, "p/n/v1", 0.35);
    for (unsigned attempt = 1; attempt <= 3; attempt++) {
        ck_assert_int_eq(rig.job_count, (int)attempt);
        const char *id = rig_job(&rig, (int)attempt - 1, NULL);
        rig_say(&rig, "accept", id, attempt, "t", NULL);
        rig_say(&rig, "fail", id, attempt, "t", "\"error\": \"crashed\", \"gpu_hours\": 0.01");
        for (int i = 0; i < 600 && rig.job_count == (int)attempt; i++)
            rig_pass(&rig, 1);
    }
    ck_assert_str_ne(strategy_of(0), strategy_of(1));
    ck_assert_str_ne(strategy_of(0), strategy_of(2));
    ck_assert_str_ne(strategy_of(1), strategy_of(2));
    ck_assert_double_gt(row_of(strategy_of(0)).here.gpu_hours, 1);
}
END_TEST

/* The fleet's sums are read once a turn, and anew when the turn has changed them. */
START_TEST(a_choice_knows_what_its_turn_has_counted)
{
    train("p/n/v1", "done", "\"version\": \"v2\", \"metrics\": {\"accuracy\": 0.95}");
    rig_put(&rig, rig_trigger_notice(&rig, "q/n/v", 0.3));
    put_shown("p/n/v2", "accuracy", 0.66, 64);
    rig_put(&rig, rig_trigger_notice(&rig, "r/n/v", 0.3));
    rig_turn(&rig);
    json_t *answer = rig_ask(&rig, "{\"do\": \"requests\", \"most\": 2}"), *list = json_object_get(answer, "requests");
    const char *after = json_string_value(json_object_get(json_array_get(list, 0), "strategy_reason"));
    const char *before = json_string_value(json_object_get(json_array_get(list, 1), "strategy_reason"));
    ck_assert_msg(strstr(before, " 1 of 1 in the fleet") != NULL, "%s", before);
    ck_assert_msg(strstr(after, " 0.5 of 1 in the fleet") != NULL, "%s", after);
    json_decref(answer);
}
END_TEST

START_TEST(a_claim_stands_until_something_is_seen)
{
    train("p/n/v1", "done", "\"version\": \"v2\", \"metrics\": {\"accuracy\": 0.66}");
    ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 0.5, 1e-6);
    /* The old version fails again: that is not what the new one shows. */
    rig_pass(&rig, 7200);
    rig_trigger(&rig, "p/n/v1", 0.35);
    ck_assert_double_eq_tol(previous("gain"), 0.14, 1e-6);
    ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 0.5, 1e-6);
}
END_TEST

START_TEST(a_new_version_that_fails_at_once_has_shown_it)
{
    train("p/n/v1", "done", "\"version\": \"v2\", \"metrics\": {\"accuracy\": 0.95}");
    rig_trigger(&rig, "p/n/v2", 0.35); /* 0.52, as before */
    ck_assert_double_eq_tol(previous("gain"), 0, 1e-6);
    ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 0, 1e-6);
    ck_assert(job_says("0 of 1 attempts here"));
}
END_TEST

START_TEST(without_a_new_version_the_model_itself_counts)
{
    train("p/n/v1", "done", NULL);
    ck_assert_str_eq(rig.asked.model, "p/n/v1");
    ck_assert(rig.asked.fresh);
    ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 1, 1e-12);
    rig_pass(&rig, 1800);
    rig_trigger(&rig, "p/n/v1", 0.35);
    ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 0, 1e-6);
    ck_assert_double_eq_tol(previous("gain"), 0, 1e-6);
}
END_TEST

START_TEST(failures_count_and_their_cost)
{
    const char *id = train("p/n/v1", "fail", "\"error\": \"diverged\", \"gpu_hours\": 5");
    struct history_row row = row_of("bayesian");
    ck_assert_double_eq_tol(row.here.attempts, 1, 1e-12);
    ck_assert_double_eq_tol(row.here.recovered, 0, 1e-12);
    ck_assert_double_eq_tol(row.here.gpu_hours, 5, 1e-12);
    rig_pass(&rig, 40);
    ck_assert_int_eq(rig.job_count, 2);
    ck_assert(!job_says("\"strategy_reason\":\"bayesian"));
    ck_assert(job_says(", attempt 2 after bayesian"));
    /* Whom a person stops has not failed. */
    unsigned attempt;
    rig_job(&rig, 1, &attempt);
    char cancel[128];
    snprintf(cancel, sizeof cancel, "{\"do\": \"cancel\", \"request\": \"%s\"}", id);
    rig_say(&rig, "accept", id, attempt, "t", NULL);
    json_decref(rig_ask(&rig, cancel));
    rig_say(&rig, "fail", id, attempt, "t", NULL);
    ck_assert_str_eq(rig_member(&rig, id, "state"), "CANCELLED");
    ck_assert_double_eq_tol(row_of("grid_search").here.attempts + row_of("pbt").here.attempts, 0, 1e-12);
}
END_TEST

/* What is known outlives the process, and the choice can be told again from the store. */
START_TEST(a_restart_forgets_nothing_learned)
{
    train("p/n/v1", "done", "\"version\": \"v2\", \"metrics\": {\"accuracy\": 0.95}");
    struct history_row before = row_of("bayesian");
    core_destroy(&rig.core);
    rig_start(&rig);
    struct history_row after = row_of("bayesian");
    ck_assert_mem_eq(&before, &after, sizeof before);
    rig_tell(&rig, NOTICE_SERVING, "p/n/v2");
    ck_assert_str_eq(rig.asked.model, "p/n/v2");
    show("p/n/v2", "accuracy", 0.52, 16);
    ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 0, 1e-6);
}
END_TEST

/* A drift rule's figures are no KPI: no gain is made up, and the same rule again says that it was in vain. */
START_TEST(a_drift_rule_measures_no_gain)
{
    for (int i = 0; i < 2; i++) {
        struct retrain_notice *notice = rig_trigger_notice(&rig, "p/n/v1", 2);
        struct trigger *trigger = &notice->trigger;
        snprintf(trigger->rule, sizeof trigger->rule, "accuracy cusum down");
        snprintf(trigger->detector, sizeof trigger->detector, "cusum");
        trigger->by_drift_rule = true;
        trigger->statistic = trigger->observed = 9;
        trigger->threshold = trigger->limit = 5;
        rig_put(&rig, notice);
        rig_turn(&rig);
        if (i == 1)
            break;
        const char *id = rig_job(&rig, 0, NULL);
        rig_say(&rig, "accept", id, 1, "t", NULL);
        rig_say(&rig, "done", id, 1, "t", "\"metrics\": {\"accuracy\": 0.95}");
        ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 1, 1e-12);
        ck_assert_int_eq(rig.asked_count, 0);
        rig_pass(&rig, 1800);
    }
    ck_assert_int_eq(rig.job_count, 2);
    ck_assert(isnan(previous("gain")));
    ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 0, 1e-12);
}
END_TEST

/* Without feedback nobody says how it went: what is seen is counted, once. */
START_TEST(without_feedback_what_is_seen_counts)
{
    core_destroy(&rig.core);
    rig.options.feedback_required = false;
    rig_start(&rig);
    rig_trigger(&rig, "p/n/v1", 0.35);
    ck_assert_double_eq_tol(row_of("bayesian").here.attempts, 0, 1e-12);
    rig_tell(&rig, NOTICE_RECOVERED, "p/n/v1");
    ck_assert_double_eq_tol(row_of("bayesian").here.attempts, 1, 1e-12);
    ck_assert_double_eq_tol(row_of("bayesian").here.recovered, 1, 1e-12);
    rig_tell(&rig, NOTICE_RECOVERED, "p/n/v1");
    ck_assert_double_eq_tol(row_of("bayesian").here.attempts, 1, 1e-12);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("learn");
    TCase *tests = tcase_create("learn");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, dying_early_does_not_pay);
    tcase_add_test(tests, who_serves_before_it_is_done_replaces_as_well);
    tcase_add_test(tests, a_new_version_shows_what_was_gained);
    tcase_add_test(tests, a_choice_knows_what_its_turn_has_counted);
    tcase_add_test(tests, a_claim_stands_until_something_is_seen);
    tcase_add_test(tests, a_new_version_that_fails_at_once_has_shown_it);
    tcase_add_test(tests, without_a_new_version_the_model_itself_counts);
    tcase_add_test(tests, failures_count_and_their_cost);
    tcase_add_test(tests, a_restart_forgets_nothing_learned);
    tcase_add_test(tests, a_drift_rule_measures_no_gain);
    tcase_add_test(tests, without_feedback_what_is_seen_counts);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

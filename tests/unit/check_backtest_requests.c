/* Who made a request, and who joined it, is what the recording says: neither the order of triggers in it nor that of its
 * lines, which come from several threads of the daemon. */
#include "tests/unit/backtest_case.h"

#define V1 "p/m/1"
#define V2 "p/m/2"
#define NEVER INT64_MIN

/* As `budgets`, with a back-off so short that one version triggers again while its request is made. */
static const char hasty[] = "budgets:\n"
                            "  - models: '*'\n"
                            "    window: 1\n"
                            "    min_events: 1\n"
                            "    consecutive_failures: 3\n"
                            "    backoff: 40ms\n"
                            "    kpis: {accuracy: {min: 0.8, over: last}}\n";

static const char *id_of(const char *model, uint64_t episode)
{
    static char out[REQUEST_ID_LEN + 1];
    struct model_id id;
    ck_assert_int_eq(model_id_parse(&id, text_of(model)), 0);
    request_make_id(&id, episode, out);
    return out;
}

static void requested_of(const char *model, uint64_t episode, int64_t ms, double observed)
{
    take("{\"transition\":{\"type\":\"driftd.retraining.requested\",\"data\":{\"request\":\"%s\",\"state\":\"PENDING\","
         "\"strategy\":\"bayesian\",\"by\":\"monitor\",\"trigger\":{\"rule\":\"accuracy last < 0.8\",\"observed\":%.8g,"
         "\"limit\":0.8}}},\"model\":\"%s\",\"received_at\":%.17g}",
         id_of(model, episode), observed, model, wall_s(ms));
}

static void step_of(const char *model, uint64_t episode, int64_t ms, const char *type, const char *state)
{
    take("{\"transition\":{\"type\":\"driftd.retraining.%s\",\"data\":{\"request\":\"%s\",\"state\":\"%s\","
         "\"strategy\":\"bayesian\",\"by\":\"trainer t\"}},\"model\":\"%s\",\"received_at\":%.17g}",
         type, id_of(model, episode), state, model, wall_s(ms));
}

static void live_of(const char *model, uint64_t place, int64_t ms, uint64_t episode, int64_t triggered_ms)
{
    stands_of(model, place, ms, (struct said){true, false, episode, triggered_ms, NEVER});
}

static void ended_of(const char *model, uint64_t place, int64_t ms, uint64_t episode, int64_t triggered_ms)
{
    stands_of(model, place, ms, (struct said){false, false, episode, triggered_ms, ms});
}

/* Three failures, the last of which triggers, at `ms`. */
static void fail_of(const char *model, uint64_t place, int64_t ms, double accuracy)
{
    uint32_t before = count;
    for (int i = 0; i < 3; i++)
        event_of(model, place + (uint64_t)i, ms - 2 + i, accuracy);
    ck_assert_uint_eq(count, before + 1);
}

/* The sums, and what was said last of each trigger. */
static void expect(uint64_t requested, uint64_t joined, uint64_t given_up, double gpu_hours)
{
    struct backtest_sums s = sums();
    uint64_t fates[BACKTEST_FATES] = {0};
    for (uint32_t i = 0; i < count; i++)
        fates[seen[i].fate]++;
    ck_assert_uint_eq(s.fates[BACKTEST_REQUESTED], requested);
    ck_assert_uint_eq(s.fates[BACKTEST_JOINED], joined);
    ck_assert_uint_eq(s.fates[BACKTEST_GIVEN_UP], given_up);
    ck_assert_double_eq_tol(s.gpu_hours, gpu_hours, 1e-9);
    for (int i = 0; i < BACKTEST_FATES; i++)
        ck_assert_uint_eq(fates[i], s.fates[i]);
}

START_TEST(the_second_to_trigger_makes_the_request)
{
    begin(budgets, NULL);
    fail_of(V1, 1, 20, 0.5);
    fail_of(V2, 1, 21, 0.6);
    requested_of(V2, 1, 22, 0.6);
    expect(1, 1, 0, 3); /* at once: both cannot have made it */
    live_of(V2, 3, 23, 1, 21);
    live_of(V1, 3, 24, 1, 20);
    expect(1, 1, 0, 3);
    ck_assert_int_eq(seen[0].fate, BACKTEST_JOINED);
    ck_assert_int_eq(seen[1].fate, BACKTEST_REQUESTED);
    ck_assert_str_eq(seen[1].request, id_of(V2, 1));
    ck_assert_str_eq(seen[1].strategy, "bayesian");
    step_of(V2, 1, 25, "done", "DONE");
    ended_of(V1, 3, 26, 1, 20);
    ended_of(V2, 3, 26, 1, 21);
    /* From here on the next episode of either is a new one. */
    fail_of(V1, 4, 70000, 0.5);
    requested_of(V1, 2, 70001, 0.5);
    live_of(V1, 6, 70002, 2, 70000);
    expect(2, 1, 0, 6);
    finish();
}
END_TEST

START_TEST(a_request_is_recorded_before_its_trigger)
{
    begin(budgets, NULL);
    /* The keeper of requests was faster than the shard, which hands its lines over when its turn ends. */
    requested_of(V2, 1, 22, 0.6);
    step_of(V2, 1, 23, "failed", "PENDING");
    fail_of(V1, 1, 20, 0.5);
    fail_of(V2, 1, 21, 0.6);
    expect(1, 1, 0, 6); /* two attempts */
    ck_assert_int_eq(seen[0].fate, BACKTEST_JOINED);
    ck_assert_int_eq(seen[1].fate, BACKTEST_REQUESTED);
    step_of(V2, 1, 24, "failed", "PENDING");
    live_of(V1, 3, 25, 1, 20);
    live_of(V2, 3, 25, 1, 21);
    expect(1, 1, 0, 9);
    finish();
}
END_TEST

START_TEST(standing_alone_tells_as_well)
{
    begin(budgets, NULL);
    fail_of(V1, 1, 20, 0.5);
    fail_of(V2, 1, 21, 0.5);
    live_of(V2, 3, 23, 1, 21); /* joined what v1 made */
    requested_of(V1, 1, 22, 0.7); /* its figures are not this run's, but it is the same request */
    expect(1, 1, 0, 3);
    live_of(V1, 3, 24, 1, 15); /* the keeper's look at its clock was earlier */
    expect(1, 1, 0, 3);
    ck_assert_int_eq(seen[0].fate, BACKTEST_REQUESTED);
    ck_assert_int_eq(seen[1].fate, BACKTEST_JOINED);
    finish();
}
END_TEST

START_TEST(the_same_version_joins_its_own_request)
{
    begin(budgets, NULL);
    fail_of(V1, 1, 20, 0.5);
    requested_of(V1, 1, 21, 0.5);
    live_of(V1, 3, 22, 1, 20);
    fail_of(V1, 4, 60021, 0.5);
    live_of(V1, 6, 60023, 1, 60021); /* of the same episode */
    live_of(V1, 6, 60024, 1, 60021); /* said again, since somebody silenced it */
    expect(1, 1, 0, 3);
    ended_of(V1, 6, 60030, 1, 60021);
    expect(1, 1, 0, 3);
    finish();
}
END_TEST

START_TEST(through_a_restart)
{
    begin(budgets, NULL);
    fail_of(V1, 1, 20, 0.5);
    fail_of(V2, 1, 21, 0.6);
    requested_of(V2, 1, 22, 0.6);
    /* The daemon stopped: its shards had ended when the keeper of requests took the last triggers. The next one says how
     * things stand, before the first event of each model; v1's monitor was not kept. */
    live_of(V1, 0, 5000, 1, 20);
    live_of(V2, 3, 5000, 1, 21);
    expect(1, 1, 0, 3);
    ck_assert_int_eq(seen[0].fate, BACKTEST_JOINED);
    ck_assert_uint_eq(sums().restarted, 1);
    /* It is the same request that the next trigger joins. */
    fail_of(V1, 1, 65000, 0.5);
    live_of(V1, 3, 65001, 1, 65000);
    expect(1, 2, 0, 3);
    step_of(V2, 1, 65010, "done", "DONE");
    ended_of(V1, 3, 65011, 1, 65000);
    ended_of(V2, 3, 65011, 1, 21);
    fail_of(V2, 4, 130000, 0.7);
    requested_of(V2, 2, 130001, 0.7);
    /* It ended before anybody could say that it was live. */
    step_of(V2, 2, 130002, "done", "DONE");
    ended_of(V2, 0, 135000, 2, 130000);
    expect(2, 2, 0, 6);
    ck_assert_uint_eq(sums().restarted, 2);
    ck_assert_uint_eq(sums().foreign, 0);
    finish();
}
END_TEST

START_TEST(what_waited_for_a_full_store_is_made_later)
{
    begin(budgets, NULL);
    for (uint64_t i = 0; i < 6; i++)
        fail_of(V1, 1 + 3 * i, 60000 * (int64_t)i, 0.5 + (double)i / 100);
    requested_of(V1, 1, 310000, 0.5);
    for (uint64_t i = 0; i < 6; i++)
        live_of(V1, 18, 310001, 1, 60000 * (int64_t)i);
    expect(1, 5, 0, 3);
    ck_assert_int_eq(seen[0].fate, BACKTEST_REQUESTED);
    ck_assert_uint_eq(sums().foreign, 0);
    finish();
}
END_TEST

START_TEST(giving_up_is_told_and_taken_back)
{
    begin(budgets, NULL);
    fail_of(V1, 1, 20, 0.5);
    /* The daemon had made three of before the recording. */
    requested_of(V1, 9, -90000, 0.4);
    stands_of(V1, 3, 21, (struct said){false, true, 9, 20, -80000});
    expect(0, 0, 1, 0);
    stands_of(V1, 3, 22, (struct said){false, false, 9, 20, -80000}); /* a person asked for it, of another version */
    expect(0, 0, 1, 0);
    for (uint64_t i = 1; i < 6; i++) { /* it recovered by a KPI that this run does not know */
        int64_t ms = 70000 * (int64_t)i;
        fail_of(V1, 1 + 3 * i, ms, 0.5 + (double)i / 100);
        requested_of(V1, 9 + i, ms + 1, 0.5 + (double)i / 100);
        live_of(V1, 3 + 3 * i, ms + 2, 9 + i, ms);
        step_of(V1, 9 + i, ms + 3, "done", "DONE");
        ended_of(V1, 3 + 3 * i, ms + 4, 9 + i, ms);
    }
    expect(5, 0, 1, 15);
    finish();
}
END_TEST

/* One episode after the other, told in the order in which they come from a fast store. */
static void episode_of(const char *model, uint64_t episode, const char *type, const char *state)
{
    int64_t ms = 70000 * (int64_t)episode;
    requested_of(model, episode, ms + 1, 0.5);
    step_of(model, episode, ms + 2, type, state);
    fail_of(model, 3 * episode - 2, ms, 0.5);
    live_of(model, 3 * episode, ms + 3, episode, ms);
    ended_of(model, 3 * episode, ms + 4, episode, ms);
}

START_TEST(what_was_told_counts_for_what_is_guessed)
{
    begin(budgets, NULL);
    for (uint64_t i = 1; i <= 2; i++)
        episode_of(V1, i, "done", "DONE");
    fail_of(V1, 7, 210000, 0.5); /* the third in vain: nothing is told of it, nor of the next */
    expect(3, 0, 0, 9);
    fail_of(V1, 10, 280000, 0.5);
    expect(3, 0, 1, 9);
    finish();
    /* Nobody was trained: it is not in vain. */
    begin(budgets, NULL);
    for (uint64_t i = 1; i <= 4; i++)
        episode_of(V1, i, "cancelled", "CANCELLED");
    fail_of(V1, 13, 350000, 0.5);
    expect(5, 0, 0, 15);
    finish();
}
END_TEST

START_TEST(what_was_guessed_wrongly_does_not_count)
{
    begin(budgets, NULL);
    for (uint64_t i = 1; i <= 4; i++) { /* v2 makes each, by a budget that this run does not have */
        int64_t ms = 70000 * (int64_t)i;
        fail_of(V1, 3 * i - 2, ms, 0.5);
        requested_of(V2, i, ms + 1, 0.95);
        live_of(V1, 3 * i, ms + 2, i, ms);
        step_of(V2, i, ms + 3, "done", "DONE");
        ended_of(V1, 3 * i, ms + 4, i, ms);
        expect(0, i, 0, 0);
    }
    fail_of(V1, 13, 350000, 0.5);
    expect(1, 4, 0, 3);
    finish();
}
END_TEST

START_TEST(a_version_that_joins_is_not_the_one_that_asked)
{
    begin(budgets, NULL);
    fail_of(V1, 1, 20, 0.5);
    fail_of(V2, 1, 21, 0.6);
    requested_of(V2, 1, 22, 0.6);
    live_of(V1, 3, 23, 7, 20); /* it had six episodes before the recording */
    fail_of(V1, 4, 60021, 0.5);
    expect(1, 2, 0, 3);
    ck_assert_str_eq(seen[2].request, id_of(V2, 1));
    finish();
}
END_TEST

START_TEST(equal_figures_are_told_apart_by_the_episode)
{
    begin(hasty, NULL);
    fail_of(V1, 1, 20, 0.5);
    fail_of(V1, 4, 100, 0.5);
    requested_of(V1, 2, 101, 0.5);
    live_of(V1, 6, 102, 1, 20); /* joined what another version had asked for */
    live_of(V1, 6, 103, 2, 100);
    expect(1, 1, 0, 3);
    ck_assert_int_eq(seen[1].fate, BACKTEST_REQUESTED);
    step_of(V1, 2, 104, "failed", "PENDING");
    expect(1, 1, 0, 6);
    /* Two requests, before either standing is heard. */
    fail_of(V1, 7, 200, 0.5);
    fail_of(V1, 10, 300, 0.5);
    requested_of(V1, 3, 301, 0.5);
    requested_of(V1, 4, 302, 0.5);
    expect(3, 1, 0, 12);
    finish();
}
END_TEST

/* More triggers than are known at a time: the oldest of those that fit is meant, wherever it stands. */
START_TEST(many_triggers)
{
    begin(hasty, NULL);
    for (uint64_t i = 0; i < 50; i++) {
        int64_t ms = 200 * (int64_t)i;
        fail_of(V1, 6 * i + 1, ms + 20, 0.5);
        fail_of(V1, 6 * i + 4, ms + 100, 0.5);
        requested_of(V1, i + 1, ms + 101, 0.5);
        live_of(V1, 6 * i + 6, ms + 102, i + 1, ms + 20);
        live_of(V1, 6 * i + 6, ms + 102, i + 1, ms + 100);
        step_of(V1, i + 1, ms + 103, "done", "DONE");
        ended_of(V1, 6 * i + 6, ms + 104, i + 1, ms + 100);
        ck_assert_int_eq(seen[2 * i].fate, BACKTEST_REQUESTED);
        ck_assert_int_eq(seen[2 * i + 1].fate, BACKTEST_JOINED);
    }
    ck_assert_uint_eq(sums().fates[BACKTEST_REQUESTED], 50);
    ck_assert_uint_eq(sums().foreign, 0);
    finish();
}
END_TEST

START_TEST(what_does_not_belong_together)
{
    begin(budgets, NULL);
    static const int64_t told_ms[] = {3000, 14001, 4001}; /* before the trigger, long after it, with other figures */
    for (uint64_t i = 0; i < 3; i++) {
        if (i == 1)
            fail_of(V1, 1, 4000, 0.5);
        requested_of(V1, 5 + i, told_ms[i], i < 2 ? 0.5 : 0.7);
        step_of(V1, 5 + i, told_ms[i] + 1, "failed", "PENDING");
    }
    expect(1, 0, 0, 3);
    ck_assert_str_eq(seen[0].request, id_of(V1, 1));
    finish();
}
END_TEST

START_TEST(a_persons_request_is_joined)
{
    begin(budgets, NULL);
    event_of(V1, 1, 0, 0.5);
    event_of(V1, 2, 10, 0.5);
    take("{\"transition\":{\"type\":\"driftd.retraining.requested\",\"data\":{\"request\":\"%s\",\"state\":\"PENDING\","
         "\"by\":\"ann\",\"trigger\":{\"rule\":\"\",\"observed\":null,\"limit\":null}}},\"model\":\"" V1
         "\",\"received_at\":5000.015}", id_of(V1, 1));
    event_of(V1, 3, 20, 0.5); /* before the monitor heard of it */
    ck_assert_uint_eq(count, 1);
    live_of(V1, 3, 21, 1, 15);
    live_of(V1, 3, 22, 1, 20);
    expect(0, 1, 0, 0);
    ck_assert_uint_eq(sums().followed, 1);
    finish();
}
END_TEST

START_TEST(what_another_configuration_asked_for_is_not_this_runs)
{
    begin(budgets, NULL);
    for (uint64_t i = 1; i < 4; i++)
        event_of(V1, i, 10 * (int64_t)i, 0.9);
    requested_of(V1, 1, 31, 0.95);
    live_of(V1, 3, 32, 1, 30);
    ck_assert_uint_eq(sums().foreign, 1);
    fail_of(V1, 4, 3000, 0.5); /* joined it in the daemon */
    live_of(V1, 6, 3001, 1, 3000);
    expect(0, 1, 0, 0);
    fail_of(V2, 1, 3500, 0.5); /* nothing is said of it */
    expect(0, 2, 0, 0);
    finish();
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("requests");
    tcase_add_test(cases, the_second_to_trigger_makes_the_request);
    tcase_add_test(cases, a_request_is_recorded_before_its_trigger);
    tcase_add_test(cases, standing_alone_tells_as_well);
    tcase_add_test(cases, the_same_version_joins_its_own_request);
    tcase_add_test(cases, through_a_restart);
    tcase_add_test(cases, what_waited_for_a_full_store_is_made_later);
    tcase_add_test(cases, giving_up_is_told_and_taken_back);
    tcase_add_test(cases, what_was_told_counts_for_what_is_guessed);
    tcase_add_test(cases, what_was_guessed_wrongly_does_not_count);
    tcase_add_test(cases, a_version_that_joins_is_not_the_one_that_asked);
    tcase_add_test(cases, equal_figures_are_told_apart_by_the_episode);
    tcase_add_test(cases, many_triggers);
    tcase_add_test(cases, what_does_not_belong_together);
    tcase_add_test(cases, a_persons_request_is_joined);
    tcase_add_test(cases, what_another_configuration_asked_for_is_not_this_runs);
    return run_tests(cases, "backtest_requests");
}

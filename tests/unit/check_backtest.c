/* The line under a virtual clock: what triggers, when, what becomes of it, and how it stands against labels. */
#include "tests/unit/backtest_case.h"

START_TEST(backoff_runs_on_the_recorded_time)
{
    begin(budgets, NULL);
    for (int second = 0; second < 200; second += 10)
        send(MODEL, 1e9 + second, 0.5);
    /* The third failure, and each 60 s of back-off later: failures went on being counted. */
    ck_assert_uint_eq(count, 3);
    ck_assert_double_eq(seen[0].time_s, 1e9 + 20);
    ck_assert_double_eq(seen[1].time_s, 1e9 + 80);
    ck_assert_double_eq(seen[2].time_s, 1e9 + 140);
    ck_assert_str_eq(seen[0].rule, "accuracy last < 0.8");
    ck_assert_str_eq(seen[0].strategy, "bayesian");
    /* The id that the daemon gives to the first episode. */
    struct model_id id;
    char expected[REQUEST_ID_LEN + 1];
    model_id_parse(&id, text_of(MODEL));
    request_make_id(&id, 1, expected);
    ck_assert_str_eq(seen[0].request, expected);
    ck_assert_double_eq(sums().gpu_hours, 9);
    ck_assert_double_eq(sums().watched_s, 190);
    finish();
}
END_TEST

START_TEST(what_no_retraining_cures_is_given_up)
{
    begin(budgets, NULL);
    for (int second = 0; second < 600; second += 10)
        send(MODEL, 1e9 + second, 0.5);
    ck_assert_uint_eq(count, 10);
    /* One request, and after each of three that came to nothing the count rises: the fourth is not made. */
    for (uint32_t i = 0; i < count; i++)
        ck_assert_int_eq(seen[i].fate, i < 3 ? BACKTEST_REQUESTED : BACKTEST_GIVEN_UP);
    ck_assert_double_eq(sums().gpu_hours, 9);
    ck_assert_uint_eq(sums().fates[BACKTEST_GIVEN_UP], 7);
    finish();
}
END_TEST

START_TEST(models_keep_to_themselves_and_to_their_own_clocks)
{
    begin(budgets, NULL);
    for (int second = 0; second < 30; second += 10)
        send("p/m/1", 1e9 + second, 0.5);
    for (int second = 0; second < 30; second += 10) /* a file that stands behind the other, and is older */
        send("p/other/1", 5e8 + second, 0.5);
    ck_assert_uint_eq(count, 2);
    ck_assert_double_eq(seen[1].time_s, 5e8 + 20);
    ck_assert_str_eq(seen[1].model, "p/other/1");
    ck_assert_uint_eq(sums().models, 2);
    ck_assert_uint_eq(sums().back, 0);
    ck_assert_double_eq(sums().first_s, 5e8);
    ck_assert_double_eq(sums().last_s, 1e9 + 20);
    send("p/other/1", 4e8, 0.5);
    ck_assert_uint_eq(sums().back, 1);
    finish();
}
END_TEST

START_TEST(received_at_is_the_clock_and_no_metric)
{
    begin(budgets, NULL);
    for (int i = 0; i < 20; i++)
        take("{\"model\":\"" MODEL "\",\"timestamp\":%d,\"received_at\":%d,\"accuracy\":0.5}", 1000 + i, 1000 + 60 * i);
    ck_assert_uint_eq(count, 6); /* every third: back-off is long over by then */
    ck_assert_double_eq(seen[0].time_s, 1120);
    ck_assert_uint_eq(take("{\"model\":\"" MODEL "\",\"timestamp\":9000,\"received_at\":3000}").dropped, 1);
    ck_assert_uint_eq(sums().dropped[DROP_FUTURE], 1); /* as the daemon would: metrics.max_future */
    finish();
}
END_TEST

START_TEST(bad_lines_cost_themselves)
{
    begin(budgets, NULL);
    ck_assert_int_eq(take("{\"model\":\"" MODEL "\",\"accuracy\":2,\"timestamp\":1}").reason, DROP_RANGE);
    ck_assert_int_eq(take("{\"model\":\"" MODEL "\",").reason, DROP_SYNTAX);
    ck_assert_int_eq(take("{\"model\":\"p/m\",\"timestamp\":1}").reason, DROP_TOPIC);
    ck_assert_int_eq(take("{\"timestamp\":1}").reason, DROP_TYPE);
    ck_assert_int_eq(take("{\"model\":\"" MODEL "\",\"x\":1e999}").reason, DROP_NOT_FINITE);
    ck_assert_int_eq(take("{\"model\":\"" MODEL "\",\"timestamp\":1e11}").reason, DROP_RANGE);
    ck_assert_ptr_nonnull(take("[]x").detail);
    ck_assert_uint_eq(sums().events, 0);
    ck_assert(isnan(sums().first_s));
    /* Without any time the clock stands still: there is a first trigger, and no second. */
    for (int i = 0; i < 100; i++)
        take("{\"model\":\"" MODEL "\",\"accuracy\":0.5}");
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(sums().timeless, 100);
    finish();
}
END_TEST

/* Nobody knows when it was: a model's time begins with the first event that says so. */
START_TEST(an_event_without_a_time_begins_no_time)
{
    begin(budgets, NULL);
    take("{\"model\":\"" MODEL "\",\"accuracy\":0.9}");
    for (int i = 0; i < 3; i++)
        send(MODEL, 1e9 + 100 * i, 0.9);
    ck_assert_uint_eq(sums().timeless, 1);
    ck_assert_uint_eq(sums().models, 1);
    ck_assert_double_eq(sums().watched_s, 200);
    finish();
}
END_TEST

START_TEST(one_model_for_all)
{
    struct model_id id;
    model_id_parse(&id, text_of("x/y/z"));
    begin(budgets, &id);
    for (int i = 0; i < 3; i++)
        take("{\"timestamp\":%d,\"accuracy\":0.5,\"model\":\"what it says\"}", i);
    ck_assert_uint_eq(count, 1);
    ck_assert_str_eq(seen[0].model, "x/y/z");
    finish();
}
END_TEST

START_TEST(labels)
{
    struct model_id id, other;
    begin(budgets, NULL);
    model_id_parse(&id, text_of(MODEL));
    model_id_parse(&other, text_of("p/never/1"));
    ck_assert_int_eq(backtest_label(backtest, &id, 1e9 + 100, 1e9 + 200), 0);   /* found */
    ck_assert_int_eq(backtest_label(backtest, &id, 1e9 + 300, 1e9 + 350), 0);   /* missed */
    ck_assert_int_eq(backtest_label(backtest, &other, 1e9 + 100, 1e9 + 200), 0); /* nothing came */
    for (int second = 0; second < 600; second += 10) {
        bool bad = (second >= 110 && second < 150) || (second >= 400 && second < 430);
        send(MODEL, 1e9 + second, bad ? 0.5 : 0.9);
    }
    /* Failures at 110, 120 and 130: the fourth event from 100 on. */
    ck_assert_uint_eq(count, 2);
    ck_assert(seen[0].labelled && !seen[1].labelled);
    ck_assert_double_eq(seen[0].time_s, 1e9 + 130);
    struct backtest_sums s = sums();
    ck_assert_uint_eq(s.labels, 3);
    ck_assert_uint_eq(s.found, 1);
    ck_assert_uint_eq(s.missed, 2);
    ck_assert_uint_eq(s.blind, 1);
    ck_assert_uint_eq(s.false_alarms, 1);
    ck_assert_uint_eq(backtest_delay(backtest, 0), 4);
    ck_assert_uint_eq(s.models, 1);
    finish();
}
END_TEST

/* -- recordings ------------------------------------------------------------------------------------------------------ */

static void recorded(uint64_t place, int second, double accuracy)
{
    event_of(MODEL, place, 1000 * second, accuracy);
}

static void stands(uint64_t place, int second, bool live, uint64_t episode, int64_t triggered_s, int64_t ended_s)
{
    stands_of(MODEL, place, 1000 * second,
              (struct said){.live = live, .episode = episode, .triggered_ms = 1000 * triggered_s, .ended_ms = 1000 * ended_s});
}

START_TEST(the_recorded_end_of_a_request_begins_the_backoff)
{
    begin(budgets, NULL);
    uint64_t place = 0;
    for (int second = 0; second < 400; second += 10) {
        recorded(++place, second, 0.5);
        if (second == 20)
            stands(place, second, true, 1, 20, 0);
        if (second == 100)
            stands(place, second, false, 1, 80, 97);
        if (second == 160)
            stands(place, second, true, 2, 160, 97);
    }
    /* 20: the first; 80: back-off from 20, joins the live one; its end at 97 holds the next until 157; then every 60 s, which
     * join the request that is live. */
    ck_assert_uint_eq(count, 6);
    static const double at[] = {20, 80, 160, 220, 280, 340};
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_double_eq(seen[i].time_s, 5000 + at[i]);
        ck_assert_int_eq(seen[i].fate, i == 0 || i == 2 ? BACKTEST_REQUESTED : BACKTEST_JOINED);
    }
    ck_assert_str_eq(seen[0].request, seen[1].request);
    ck_assert_str_ne(seen[0].request, seen[2].request);
    ck_assert_uint_eq(sums().followed, 2);
    ck_assert_uint_eq(sums().missing + sums().late + sums().foreign, 0);
    finish();
}
END_TEST

START_TEST(requests_of_another_configuration_are_passed_over)
{
    begin(budgets, NULL);
    uint64_t place = 0;
    for (int second = 0; second < 100; second += 10) {
        recorded(++place, second, second < 50 ? 0.9 : 0.5);
        if (second == 30)
            stands(place, second, true, 1, 30, 0); /* by a budget that this run does not have */
        if (second == 60)
            stands(place, second, false, 1, 30, 60);
    }
    ck_assert_uint_eq(count, 1);
    ck_assert_double_eq(seen[0].time_s, 5070);
    ck_assert_int_eq(seen[0].fate, BACKTEST_REQUESTED);
    ck_assert_uint_eq(sums().foreign, 1);
    finish();
}
END_TEST

START_TEST(requests_of_before_the_recording_and_of_people_count)
{
    begin(budgets, NULL);
    stands(3, 0, false, 7, -50, -20); /* its back-off goes on until 40 */
    uint64_t place = 3;
    for (int second = 0; second < 200; second += 10) {
        recorded(++place, second, 0.5);
        if (second == 60) {
            take("{\"transition\":{\"type\":\"driftd.retraining.requested\",\"data\":{\"request\":\"x\",\"state\":\"PENDING\","
                 "\"by\":\"ann\"}},\"model\":\"" MODEL "\",\"received_at\":5060}");
            stands(place, second, true, 9, 60, 40);
            stands(place, second, false, 9, 60, 65);
        }
    }
    ck_assert_uint_eq(count, 3);
    ck_assert_double_eq(seen[0].time_s, 5040);
    ck_assert_double_eq(seen[1].time_s, 5130); /* 65 + 60, at the next event */
    ck_assert_double_eq(seen[2].time_s, 5190);
    struct model_id id;
    char expected[REQUEST_ID_LEN + 1];
    model_id_parse(&id, text_of(MODEL));
    request_make_id(&id, 8, expected);
    ck_assert_str_eq(seen[0].request, expected);
    ck_assert_uint_eq(sums().late, 1);
    finish();
}
END_TEST

START_TEST(a_silenced_model)
{
    begin(budgets, NULL);
    for (int second = 0; second < 100; second += 10) {
        if (second == 10)
            take("{\"stands\":{\"live\":false,\"unrecoverable\":false,\"episode\":0,\"triggered_ns\":%lld,\"ended_ns\":%lld,"
                 "\"held_ns\":%lld},\"model\":\"" MODEL "\",\"received_at\":5010,\"taken\":\"%lld 1\"}",
                 (long long)INT64_MIN, (long long)INT64_MIN, (long long)(55 * S), (long long)(10 * S));
        recorded((uint64_t)second / 10 + 1, second, 0.5);
    }
    ck_assert_uint_eq(count, 1);
    ck_assert_double_eq(seen[0].time_s, 5060);
    finish();
}
END_TEST

START_TEST(a_monitor_that_began_anew)
{
    begin(budgets, NULL);
    recorded(1, 0, 0.5);
    recorded(2, 10, 0.5);
    recorded(1, 20, 0.5); /* the daemon was started anew, and knew nothing any more */
    recorded(2, 30, 0.5);
    ck_assert_uint_eq(count, 0);
    recorded(3, 40, 0.5);
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(sums().restarted, 1);
    recorded(9, 50, 0.9);
    take("{\"lost\":2}");
    ck_assert_uint_eq(sums().missing, 7);
    recorded(5, 60, 0.9);
    ck_assert_uint_eq(sums().rewound, 1);
    finish();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backtest");
    TCase *cases = tcase_create("events"), *recordings = tcase_create("recordings");
    tcase_add_test(cases, backoff_runs_on_the_recorded_time);
    tcase_add_test(cases, what_no_retraining_cures_is_given_up);
    tcase_add_test(cases, models_keep_to_themselves_and_to_their_own_clocks);
    tcase_add_test(cases, received_at_is_the_clock_and_no_metric);
    tcase_add_test(cases, bad_lines_cost_themselves);
    tcase_add_test(cases, an_event_without_a_time_begins_no_time);
    tcase_add_test(cases, one_model_for_all);
    tcase_add_test(cases, labels);
    tcase_add_test(recordings, the_recorded_end_of_a_request_begins_the_backoff);
    tcase_add_test(recordings, requests_of_another_configuration_are_passed_over);
    tcase_add_test(recordings, requests_of_before_the_recording_and_of_people_count);
    tcase_add_test(recordings, a_silenced_model);
    tcase_add_test(recordings, a_monitor_that_began_anew);
    suite_add_tcase(suite, cases);
    suite_add_tcase(suite, recordings);
    return run_suite(suite);
}

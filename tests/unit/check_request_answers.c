/* What trainers are answered at every point of a request's life, and the names of what is answered. */
#include "tests/run_suite.h"
#include "tests/unit/request_story.h"

struct row {
    enum setting setting;
    enum request_event_kind say;
    uint32_t attempt;
    const char *trainer;
    enum request_answer answer;
    enum request_state to;
};

#define STALE ANSWER_STALE_ATTEMPT
#define EARLY ANSWER_NOT_ACCEPTED
#define ENDED ANSWER_ENDED
#define TO(state) REQUEST_##state

/* Everything that can be said at every point of a life, by whom it concerns and by whom it does not. */
static const struct row rows[] = {
    {FRESH, ACCEPT, 1, "a", STALE, TO(PENDING)},
    {FRESH, ACCEPT, 2, "a", STALE, TO(PENDING)},
    {FRESH, PROGRESS, 1, "a", EARLY, TO(PENDING)},
    {FRESH, FINISH, 1, "a", EARLY, TO(PENDING)},
    {FRESH, FAIL, 1, "a", EARLY, TO(PENDING)},
    {FRESH, FAIL, 2, "a", STALE, TO(PENDING)},

    {OFFERED, ACCEPT, 1, "a", OK, TO(RUNNING)},
    {OFFERED, ACCEPT, 2, "a", STALE, TO(OFFERED)},
    {OFFERED, PROGRESS, 1, "a", EARLY, TO(OFFERED)},
    {OFFERED, FINISH, 1, "a", EARLY, TO(OFFERED)},
    {OFFERED, FAIL, 1, "a", EARLY, TO(OFFERED)},
    {OFFERED, PROGRESS, 7, "a", STALE, TO(OFFERED)},

    {AGAIN, ACCEPT, 1, "a", OK, TO(RUNNING)},
    {AGAIN, ACCEPT, 1, "b", OK, TO(RUNNING)},
    {AGAIN, PROGRESS, 1, "a", EARLY, TO(PENDING)},
    {AGAIN, FINISH, 1, "a", EARLY, TO(PENDING)},
    {AGAIN, FAIL, 1, "a", EARLY, TO(PENDING)},

    {RUNNING, ACCEPT, 1, "a", OK, TO(RUNNING)},
    {RUNNING, ACCEPT, 1, "b", STALE, TO(RUNNING)},
    {RUNNING, PROGRESS, 1, "a", OK, TO(RUNNING)},
    {RUNNING, PROGRESS, 1, "b", STALE, TO(RUNNING)},
    {RUNNING, PROGRESS, 2, "a", STALE, TO(RUNNING)},
    {RUNNING, FINISH, 1, "a", OK, TO(DONE)},
    {RUNNING, FINISH, 1, "b", STALE, TO(RUNNING)},
    {RUNNING, FINISH, 2, "a", STALE, TO(RUNNING)},
    {RUNNING, FAIL, 1, "a", OK, TO(PENDING)},
    {RUNNING, FAIL, 1, "b", STALE, TO(RUNNING)},

    {RETRY, FAIL, 1, "a", OK, TO(PENDING)}, /* repeated */
    {RETRY, FAIL, 1, "b", STALE, TO(PENDING)},
    {RETRY, ACCEPT, 1, "a", STALE, TO(PENDING)},
    {RETRY, ACCEPT, 2, "a", STALE, TO(PENDING)}, /* not offered yet */
    {RETRY, PROGRESS, 1, "a", STALE, TO(PENDING)},
    {RETRY, FINISH, 1, "a", STALE, TO(PENDING)},
    {RETRY, FINISH, 2, "a", EARLY, TO(PENDING)},

    {LOST, ACCEPT, 1, "a", STALE, TO(PENDING)},
    {LOST, PROGRESS, 1, "a", STALE, TO(PENDING)},
    {LOST, FINISH, 1, "a", STALE, TO(PENDING)},
    {LOST, FAIL, 1, "a", STALE, TO(PENDING)},

    {RUNNING2, PROGRESS, 1, "a", STALE, TO(RUNNING)},
    {RUNNING2, FINISH, 1, "a", STALE, TO(RUNNING)},
    {RUNNING2, FINISH, 2, "a", STALE, TO(RUNNING)},
    {RUNNING2, FINISH, 2, "b", OK, TO(DONE)},
    {RUNNING2, FINISH, 1, "b", STALE, TO(RUNNING)},

    {DONE, ACCEPT, 1, "a", OK, TO(DONE)}, /* answered as they were then */
    {DONE, PROGRESS, 1, "a", OK, TO(DONE)},
    {DONE, FINISH, 1, "a", OK, TO(DONE)},
    {DONE, FAIL, 1, "a", ENDED, TO(DONE)}, /* was never granted */
    {DONE, FINISH, 1, "b", ENDED, TO(DONE)},
    {DONE, FINISH, 2, "a", ENDED, TO(DONE)},
    {DONE, ACCEPT, 1, "b", ENDED, TO(DONE)},

    {DEAD_FAILED, FAIL, 1, "a", OK, TO(DEAD)},
    {DEAD_FAILED, PROGRESS, 1, "a", OK, TO(DEAD)},
    {DEAD_FAILED, FINISH, 1, "a", ENDED, TO(DEAD)},
    {DEAD_FAILED, FAIL, 1, "b", ENDED, TO(DEAD)},

    {DEAD_LOST, ACCEPT, 1, "a", OK, TO(DEAD)},
    {DEAD_LOST, PROGRESS, 1, "a", ENDED, TO(DEAD)}, /* it works on what was taken from it: it must stop */
    {DEAD_LOST, FINISH, 1, "a", ENDED, TO(DEAD)},
    {DEAD_LOST, FAIL, 1, "a", ENDED, TO(DEAD)},

    {CANCELLED, ACCEPT, 1, "a", ENDED, TO(CANCELLED)},
    {CANCELLED, FINISH, 1, "a", ENDED, TO(CANCELLED)},
    {CANCELLED_LOST, PROGRESS, 1, "a", ENDED, TO(CANCELLED)},
    {SUPERSEDED_LOST, FINISH, 1, "a", ENDED, TO(SUPERSEDED)},
    {SUPERSEDED_LOST, PROGRESS, 1, "a", ENDED, TO(SUPERSEDED)},
};

START_TEST(what_trainers_are_answered)
{
    const struct row *row = &rows[_i];
    struct story story = set(row->setting);
    struct request before = story.request;
    struct request_step step = say(&story, row->say, row->attempt, row->trainer);
    ck_assert_int_eq(step.answer, row->answer);
    ck_assert_int_eq(story.request.state, row->to);
    ck_assert_int_eq(step.to, row->to);
    if (request_refusal_code(step.answer)) {
        ck_assert(!step.changed && !step.told);
        ck_assert_mem_eq(&before, &story.request, sizeof before);
        ck_assert_uint_gt(strlen(step.why), 10);
    }
    /* Said once more, nothing is different. */
    before = story.request;
    struct request_step again = say(&story, row->say, row->attempt, row->trainer);
    ck_assert_int_eq(again.answer, row->answer);
    ck_assert_int_eq(story.request.state, row->to);
    ck_assert_uint_eq(story.request.attempt, before.attempt);
    ck_assert(!again.attempt_began && !again.attempt_ended);
}
END_TEST

START_TEST(refusals_have_their_codes)
{
    static const char *const codes[ANSWERS] = {
        [ANSWER_UNKNOWN_REQUEST] = "unknown_request", [ANSWER_STALE_ATTEMPT] = "stale_attempt",
        [ANSWER_NOT_ACCEPTED] = "not_accepted",       [ANSWER_ENDED] = "ended",
        [ANSWER_BAD_MESSAGE] = "bad_message",         [ANSWER_UNAVAILABLE] = "unavailable"};
    for (int i = 0; i < ANSWERS; i++) {
        const char *code = request_refusal_code((enum request_answer)i);
        ck_assert_pstr_eq(code, codes[i]);
    }
}
END_TEST

START_TEST(names_are_read_back)
{
    for (int i = 0; i < REQUEST_STATES; i++) {
        enum request_state state;
        ck_assert_int_eq(request_state_of(text_of(request_state_name((enum request_state)i)), &state), 0);
        ck_assert_int_eq(state, i);
    }
    enum request_state state;
    enum attempt_outcome outcome;
    ck_assert_int_eq(request_state_of(text_of("pending"), &state), 0);
    ck_assert_int_lt(request_state_of(text_of("PENDINGX"), &state), 0);
    ck_assert_int_lt(request_state_of(text_of(""), &state), 0);
    for (int i = 0; i < ATTEMPT_OUTCOMES; i++) {
        ck_assert_int_eq(attempt_outcome_of(text_of(attempt_outcome_name((enum attempt_outcome)i)), &outcome), 0);
        ck_assert_int_eq(outcome, i);
    }
    ck_assert_int_lt(attempt_outcome_of(text_of("never"), &outcome), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("request_answers");
    TCase *tests = tcase_create("life");
    tcase_add_loop_test(tests, what_trainers_are_answered, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tests, refusals_have_their_codes);
    tcase_add_test(tests, names_are_read_back);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

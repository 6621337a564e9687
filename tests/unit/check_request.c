/* A request's life: what passing time, trainers and people make of it. */
#include "tests/run_suite.h"
#include "tests/unit/request_story.h"

START_TEST(an_offer_nobody_takes_keeps_its_attempt)
{
    struct story story = set(OFFERED);
    ck_assert(!pass(&story, 29.999).changed);
    struct request_step step = pass(&story, 0.001);
    ck_assert(step.told);
    ck_assert_int_eq(step.from, REQUEST_OFFERED);
    ck_assert_int_eq(story.request.state, REQUEST_PENDING);
    ck_assert_str_eq(step.by, "timer");
    ck_assert_uint_eq(story.request.attempt, 1);
    ck_assert_uint_eq(story.request.offers, 1);
    ck_assert_int_eq(request_deadline_ns(&story.request, &rules), story.request.not_before.steady_ns);
    ck_assert_int_eq(story.request.not_before.steady_ns, at(story.now).steady_ns);
    struct moment first = story.request.first_offered;
    happen(&story, REQUEST_OFFER);
    ck_assert_int_eq(story.request.first_offered.steady_ns, first.steady_ns);
    ck_assert_int_eq(happen(&story, REQUEST_NOT_TAKEN).to, REQUEST_PENDING);
    ck_assert_uint_eq(story.request.offers, 1);
    ck_assert_uint_eq(story.request.attempt, 1);
}
END_TEST

/* Dead after 24 hours of being offered; the time between offers does not count. */
START_TEST(nobody_wants_it_for_a_day)
{
    struct story story = fresh();
    int offers = 0;
    while (story.request.state == REQUEST_PENDING) {
        happen(&story, REQUEST_OFFER);
        offers++;
        pass(&story, 30);
        story.now += 500; /* no trainer is connected */
        ck_assert_int_le(offers, 2880);
    }
    ck_assert_int_eq(offers, 2880);
    ck_assert_int_eq(story.request.state, REQUEST_DEAD);
    ck_assert(!story.request.taken);
}
END_TEST

START_TEST(leases_are_extended_from_receipt_and_capped)
{
    struct story story = set(RUNNING);
    double accepted = story.now;
    for (int i = 0; i < 12; i++) {
        ck_assert(!pass(&story, 299.5).changed);
        if (story.now + 300 < accepted + 3600)
            ck_assert_int_eq(say(&story, PROGRESS, 1, "a").answer, OK);
    }
    ck_assert_int_eq(story.request.state, REQUEST_RUNNING);
    struct request_step step = pass(&story, 6);
    ck_assert_int_eq(story.request.state, REQUEST_PENDING);
    ck_assert_uint_eq(story.request.attempt, 2);
    ck_assert(step.attempt_ended && step.next_strategy);
    ck_assert_int_eq(step.outcome, ATTEMPT_LOST);
}
END_TEST

START_TEST(max_run_ends_what_goes_on_and_on)
{
    struct story story = set(RUNNING);
    struct request_step step = {.changed = false};
    int turns = 0;
    for (; story.request.state == REQUEST_RUNNING; turns++) {
        ck_assert_int_eq(say(&story, PROGRESS, 1, "a").answer, OK);
        step = pass(&story, 100);
    }
    ck_assert_int_eq(turns, 36);
    ck_assert_int_eq(story.request.state, REQUEST_PENDING);
    ck_assert_ptr_nonnull(strstr(step.why, "max_run"));
}
END_TEST

START_TEST(attempts_are_spent)
{
    struct story story = fresh();
    for (uint32_t n = 1; n <= 3; n++) {
        ck_assert_uint_eq(story.request.attempt, n);
        happen(&story, REQUEST_OFFER);
        ck_assert_int_eq(say(&story, ACCEPT, n, "a").answer, OK);
        struct request_step step = say(&story, FAIL, n, "a");
        ck_assert_int_eq(step.answer, OK);
        ck_assert_uint_eq(step.attempt, n);
        ck_assert_str_eq(step.trainer, "a");
        ck_assert_int_eq(step.to, n < 3 ? REQUEST_PENDING : REQUEST_DEAD);
        ck_assert_int_eq(step.next_strategy, n < 3);
    }
    ck_assert_uint_eq(story.request.attempt, 3);
    ck_assert(!moment_is_never(story.request.ended));
}
END_TEST

/* min(first 2^(n-1), max) give or take a fifth, the same for the same request and attempt, spread over requests. */
START_TEST(retries_wait_longer_and_longer)
{
    double low = 2, high = 0;
    for (uint32_t n = 1; n <= 70; n++) {
        double nominal = n <= 7 ? 30 * (double)(1 << (n - 1)) : 3600;
        if (nominal > 3600)
            nominal = 3600;
        for (int k = 0; k < 40; k++) {
            char id[REQUEST_ID_LEN + 1];
            snprintf(id, sizeof id, "%032d", k);
            int64_t wait = request_retry_wait_ns(id, n, &rules);
            ck_assert_int_eq(wait, request_retry_wait_ns(id, n, &rules));
            double part = (double)wait / 1e9 / nominal;
            ck_assert_double_ge(part, 0.8 - 1e-9);
            ck_assert_double_lt(part, 1.2);
            low = part < low ? part : low;
            high = part > high ? part : high;
        }
    }
    ck_assert_double_lt(low, 0.82);
    ck_assert_double_gt(high, 1.18);
    struct story story = set(RETRY);
    ck_assert_int_eq(story.request.not_before.steady_ns - at(story.now).steady_ns,
                     request_retry_wait_ns(story.request.id, 1, &rules));
}
END_TEST

START_TEST(recovery_and_replacement_spare_what_runs)
{
    static const struct {
        enum setting setting;
        enum request_state recovered, replaced;
    } cases[] = {
        {FRESH, REQUEST_CANCELLED, REQUEST_SUPERSEDED},
        {OFFERED, REQUEST_CANCELLED, REQUEST_SUPERSEDED},
        {AGAIN, REQUEST_CANCELLED, REQUEST_SUPERSEDED},
        {RETRY, REQUEST_CANCELLED, REQUEST_SUPERSEDED},
        {RUNNING, REQUEST_RUNNING, REQUEST_RUNNING},
        {DONE, REQUEST_DONE, REQUEST_DONE},
        {DEAD_LOST, REQUEST_DEAD, REQUEST_DEAD},
        {CANCELLED, REQUEST_CANCELLED, REQUEST_CANCELLED},
        {SUPERSEDED_LOST, REQUEST_SUPERSEDED, REQUEST_SUPERSEDED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct story recovers = set(cases[i].setting), replaced = set(cases[i].setting);
        happen(&recovers, REQUEST_RECOVERED);
        ck_assert_int_eq(recovers.request.state, cases[i].recovered);
        happen(&replaced, REQUEST_REPLACED);
        ck_assert_int_eq(replaced.request.state, cases[i].replaced);
    }
}
END_TEST

START_TEST(a_running_request_is_asked_to_stop)
{
    struct story story = set(RUNNING);
    struct request_step step = happen(&story, REQUEST_CANCEL);
    ck_assert(step.told && step.changed);
    ck_assert_int_eq(story.request.state, REQUEST_RUNNING);
    ck_assert_int_eq(say(&story, PROGRESS, 1, "a").answer, ANSWER_CANCEL);
    ck_assert_int_eq(say(&story, FAIL, 1, "a").answer, OK);
    ck_assert_int_eq(story.request.state, REQUEST_PENDING);
    ck_assert(story.request.cancel_asked); /* whoever keeps the request cancels it now */
    ck_assert_int_eq(happen(&story, REQUEST_CANCEL).to, REQUEST_CANCELLED);
    ck_assert(!story.request.cancel_asked);
}
END_TEST

START_TEST(final_is_final)
{
    static const enum setting finals[] = {DONE, DEAD_FAILED, DEAD_LOST, CANCELLED, CANCELLED_LOST, SUPERSEDED_LOST};
    for (size_t i = 0; i < sizeof finals / sizeof *finals; i++) {
        for (int kind = 0; kind < REQUEST_EVENTS; kind++) {
            struct story story = set(finals[i]);
            struct request before = story.request;
            story.now += 1e6;
            tell(&story, (struct request_event){
                             .kind = (enum request_event_kind)kind, .attempt = 1, .trainer = "a", .fraction = 0.5});
            ck_assert_mem_eq(&before, &story.request, sizeof before);
        }
    }
}
END_TEST

/* What was sent as (id, n) is never another thing later: another strategy is another attempt. */
START_TEST(another_strategy_is_another_attempt)
{
    struct story story = fresh();
    struct request_step step = happen(&story, REQUEST_UNSERVED);
    ck_assert(step.next_strategy && step.changed && !step.told);
    ck_assert_uint_eq(story.request.attempt, 1); /* nobody knows of it yet */
    happen(&story, REQUEST_OFFER);
    ck_assert(!happen(&story, REQUEST_UNSERVED).next_strategy); /* it may be accepted any moment */
    pass(&story, 30);
    step = happen(&story, REQUEST_UNSERVED);
    ck_assert(step.next_strategy && step.told && !step.attempt_ended);
    ck_assert_int_eq(story.request.state, REQUEST_PENDING);
    ck_assert_uint_eq(story.request.attempt, 2);
    ck_assert_int_eq(say(&story, ACCEPT, 1, "a").answer, ANSWER_STALE_ATTEMPT);
    ck_assert_int_eq(say(&story, ACCEPT, 2, "a").answer, ANSWER_STALE_ATTEMPT); /* not offered yet */
    story.rules.attempts = 2;
    happen(&story, REQUEST_OFFER);
    pass(&story, 30);
    ck_assert(!happen(&story, REQUEST_UNSERVED).changed); /* there is no number left: it stays as it was offered */
    ck_assert_int_eq(say(&story, ACCEPT, 2, "a").answer, OK);
}
END_TEST

START_TEST(a_late_done_is_noticed)
{
    struct story story = set(SUPERSEDED_LOST);
    ck_assert(say(&story, FINISH, 1, "a").late);
    ck_assert(!say(&story, FINISH, 1, "b").late);
    ck_assert(!say(&story, FAIL, 1, "a").late);
    story = set(CANCELLED_LOST);
    ck_assert(!say(&story, FINISH, 1, "a").late);
}
END_TEST

START_TEST(a_restart_gives_fresh_leases_and_offers_again)
{
    struct story story = set(RUNNING);
    story.now += 250;
    struct request_step step = happen(&story, REQUEST_RESTART);
    ck_assert(step.told);
    ck_assert_int_eq(step.to, REQUEST_RUNNING);
    ck_assert_int_eq(story.request.lease_end_ns, at(story.now + 300).steady_ns);
    story = set(OFFERED);
    step = happen(&story, REQUEST_RESTART);
    ck_assert_int_eq(step.to, REQUEST_PENDING);
    ck_assert_uint_eq(story.request.attempt, 1);
    /* Who got the offer before the restart may still accept it. */
    ck_assert_int_eq(say(&story, ACCEPT, 1, "a").answer, OK);
    ck_assert(!happen(&(struct story){.request = set(FRESH).request, .rules = rules}, REQUEST_RESTART).changed);
}
END_TEST

START_TEST(without_feedback_handed_over_is_done)
{
    struct story story = set(OFFERED);
    story.rules.feedback_required = false;
    ck_assert_int_eq(request_deadline_ns(&story.request, &story.rules), INT64_MAX);
    struct request_step step = happen(&story, REQUEST_HANDED);
    ck_assert_int_eq(step.to, REQUEST_DONE);
    ck_assert_int_eq(step.outcome, ATTEMPT_DELIVERED);
    ck_assert(story.request.taken);
    /* At most once: what may have been sent before a restart is not sent again. */
    story = set(OFFERED);
    story.rules.feedback_required = false;
    ck_assert_int_eq(happen(&story, REQUEST_RESTART).to, REQUEST_DONE);
}
END_TEST

START_TEST(progress_is_kept)
{
    struct story story = set(RUNNING);
    char note[REQUEST_NOTE_MAX + 8];
    memset(note, 'x', sizeof note);
    memcpy(note + REQUEST_NOTE_MAX - 1, "\xc3\xa4", 3); /* a character that does not fit any more */
    tell(&story,
         (struct request_event){.kind = PROGRESS, .attempt = 1, .trainer = "a", .fraction = 0.25, .note = note});
    ck_assert_double_eq(story.request.fraction, 0.25);
    ck_assert_uint_eq(strlen(story.request.note), REQUEST_NOTE_MAX - 1);
    ck_assert_int_eq(story.request.note[REQUEST_NOTE_MAX - 2], 'x');
    tell(&story, (struct request_event){.kind = PROGRESS, .attempt = 1, .trainer = "a", .fraction = NAN});
    ck_assert_double_eq(story.request.fraction, 0.25);
    say(&story, FAIL, 1, "a");
    ck_assert(isnan(story.request.fraction));
    ck_assert_str_eq(story.request.note, "");
    ck_assert_str_eq(story.request.trainer, "");
}
END_TEST

/* Worked out by another implementation of SipHash-2-4, which agrees with the paper's test vector. */
START_TEST(ids_follow_from_model_and_episode)
{
    struct model_id model;
    char id[REQUEST_ID_LEN + 1], other[REQUEST_ID_LEN + 1];
    ck_assert_int_eq(model_id_parse(&model, text_of("visutility/object-detector/v1.2.3")), 0);
    request_make_id(&model, 1, id);
    ck_assert_str_eq(id, "968a64de8a65c5821e428681f5f0cf59");
    request_make_id(&model, 18446744073709551615u, id);
    ck_assert_str_eq(id, "bd12bedac6f92cece2adc0f2dc882254");
    request_make_id(&model, 2, other);
    ck_assert_str_ne(id, other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("request");
    TCase *tests = tcase_create("life");
    tcase_add_test(tests, an_offer_nobody_takes_keeps_its_attempt);
    tcase_add_test(tests, nobody_wants_it_for_a_day);
    tcase_add_test(tests, leases_are_extended_from_receipt_and_capped);
    tcase_add_test(tests, max_run_ends_what_goes_on_and_on);
    tcase_add_test(tests, attempts_are_spent);
    tcase_add_test(tests, retries_wait_longer_and_longer);
    tcase_add_test(tests, recovery_and_replacement_spare_what_runs);
    tcase_add_test(tests, a_running_request_is_asked_to_stop);
    tcase_add_test(tests, final_is_final);
    tcase_add_test(tests, another_strategy_is_another_attempt);
    tcase_add_test(tests, a_late_done_is_noticed);
    tcase_add_test(tests, a_restart_gives_fresh_leases_and_offers_again);
    tcase_add_test(tests, without_feedback_handed_over_is_done);
    tcase_add_test(tests, progress_is_kept);
    tcase_add_test(tests, ids_follow_from_model_and_episode);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

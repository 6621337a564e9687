/* What a shard judges and tells: triggers, recovery, silence, and what the keeper of requests lets it know. */
#include "daemon/base/slice.h"
#include "tests/run_suite.h"
#include "tests/unit/shard_case.h"

static uint32_t notices_of(enum retrain_notice_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < told.notice_count; i++)
        count += told.notices[i]->kind == kind;
    return count;
}

static const struct retrain_notice *notice_of(enum retrain_notice_kind kind)
{
    for (uint32_t i = 0; i < told.notice_count; i++) {
        if (told.notices[i]->kind == kind)
            return told.notices[i];
    }
    return NULL;
}

START_TEST(the_third_failure_triggers_once)
{
    for (int i = 0; i < 4; i++) {
        now.steady_ns += S / 100;
        now.wall_s += 0.01;
        send_metrics("visutility/object-detector/v1.2.3", bad);
        ck_assert_uint_eq(told.event_count, 1); /* with the first failure, and not again */
    }
    ck_assert_uint_eq(told.notice_count, 2);
    ck_assert_int_eq(told.notices[0]->kind, NOTICE_SERVING);
    const struct retrain_notice *notice = told.notices[1];
    ck_assert_int_eq(notice->kind, NOTICE_TRIGGERED);
    ck_assert_str_eq(notice->model, "visutility/object-detector/v1.2.3");
    ck_assert_int_eq(notice->at_ns, 1000 * S + 3 * S / 100);
    ck_assert_int_eq(notice->first_seen_ns, 1000 * S + S / 100);
    ck_assert_str_eq(notice->trigger.metric, "accuracy");
    ck_assert_uint_eq(notice->trigger.failures, 3);
    ck_assert(notice->trigger.observed == 0.5 && notice->trigger.limit == 0.8);
    ck_assert_str_eq(notice->metrics_json, "{\"accuracy\":{\"last\":0.5,\"mean\":0.5,\"n\":3},"
                                           "\"latency_ms\":{\"last\":800,\"mean\":800,\"n\":3}}");
    const struct cloud_event *event = event_of("driftd.budget.violated");
    ck_assert_ptr_nonnull(event);
    ck_assert_str_eq(event->topic, "driftd.budget.violated/visutility/object-detector/v1.2.3");
    json_t *json = json_loads(event->json, JSON_REJECT_DUPLICATES, NULL);
    const char *type, *source, *subject, *id, *version, *metric, *over;
    double observed, min, max;
    ck_assert_int_eq(json_unpack(json, "{s:s, s:s, s:s, s:s, s:{s:{s:s}, s:[{s:s, s:s, s:F, s:F}, {s:F} !]}}", "type",
                                 &type, "source", &source, "subject", &subject, "id", &id, "data", "model", "version",
                                 &version, "violations", "metric", &metric, "over", &over, "observed", &observed, "min",
                                 &min, "max", &max),
                     0);
    ck_assert_str_eq(type, "driftd.budget.violated");
    ck_assert_str_eq(source, "driftd/test");
    ck_assert_str_eq(subject, "visutility/object-detector/v1.2.3");
    ck_assert_str_eq(id, "0000000000000abc/0/1");
    ck_assert_str_eq(version, "v1.2.3");
    ck_assert_str_eq(metric, "accuracy");
    ck_assert_str_eq(over, "mean");
    ck_assert(observed == 0.5 && min == 0.8 && max == 400.0);
    json_decref(json);
}
END_TEST

START_TEST(one_sick_among_many)
{
    char model[32];
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 90; i++) {
            snprintf(model, sizeof model, "p/m%d/v1", i);
            send_metrics(model, i == 77 ? bad : good);
        }
    }
    ck_assert_uint_eq(notices_of(NOTICE_TRIGGERED), 1);
    ck_assert_str_eq(notice_of(NOTICE_TRIGGERED)->model, "p/m77/v1");
    ck_assert_uint_eq(notices_of(NOTICE_SERVING), 90);
    ck_assert_uint_eq(workers_models(workers), 90);
    ck_assert_uint_eq(workers_events(workers), 360);
}
END_TEST

START_TEST(recovery_is_told)
{
    for (int i = 0; i < 3; i++)
        send_metrics("p/n/v", bad);
    forget_told();
    for (int i = 0; i < 10; i++)
        send_metrics("p/n/v", good);
    ck_assert_uint_ge(notices_of(NOTICE_RECOVERED), 1);
    ck_assert_str_eq(notice_of(NOTICE_RECOVERED)->trigger.metric, "accuracy");
    ck_assert_uint_eq(told.event_count, 1);
    ck_assert_str_eq(told.events[0]->topic, "driftd.model.recovered/p/n/v");
}
END_TEST

START_TEST(silence_is_told_once_and_the_return_too)
{
    send_metrics("p/n/v", good);
    forget_told();
    pass(599 * S);
    ck_assert_uint_eq(told.notice_count, 0);
    pass(2 * S);
    ck_assert_uint_eq(told.notice_count, 1);
    ck_assert_int_eq(told.notices[0]->kind, NOTICE_SILENT);
    ck_assert_str_eq(told.events[0]->topic, "driftd.model.stale/p/n/v");
    pass(1000 * S);
    ck_assert_uint_eq(told.notice_count, 1);
    ck_assert_int_eq(figure("models", "stale"), 1);
    forget_told();
    send_metrics("p/n/v", good);
    ck_assert_uint_eq(notices_of(NOTICE_SERVING), 1);
    ck_assert_int_eq(figure("models", "stale"), 0);
    pass(601 * S);
    ck_assert_uint_eq(notices_of(NOTICE_SILENT), 1);
}
END_TEST

static void update(const char *model, bool live, uint64_t episode, int64_t triggered_ns, int64_t ended_ns)
{
    struct retrain_update *news = calloc(1, sizeof *news);
    strcpy(news->model, model);
    news->live = live;
    news->episode = episode;
    news->triggered_ns = triggered_ns;
    news->ended_ns = ended_ns;
    workers_update(workers, news);
}

START_TEST(what_the_store_knows_holds_from_the_first_event)
{
    update("p/n/v", true, 3, 995 * S, retrain_never_ns());
    settle();
    ck_assert_uint_eq(workers_models(workers), 1);
    ck_assert_int_eq(figure("models", "retraining"), 1);
    for (int i = 0; i < 10; i++)
        send_metrics("p/n/v", bad);
    ck_assert_uint_eq(notices_of(NOTICE_TRIGGERED), 0); /* in back-off since 995 s, for 10 s */
    pass(6 * S);
    update("p/n/v", false, 3, 995 * S, 1002 * S); /* the end begins it anew */
    settle();
    send_metrics("p/n/v", bad);
    ck_assert_uint_eq(notices_of(NOTICE_TRIGGERED), 0);
    json_t *model = ask("{\"do\":\"model\",\"model\":\"p/n/v\"}");
    ck_assert_int_eq(json_integer_value(json_object_get(model, "episode")), 3);
    ck_assert(fabs(json_real_value(json_object_get(model, "backoff_left_s")) - 6.0) < 1e-9);
    json_decref(model);
    pass(6 * S);
    send_metrics("p/n/v", bad); /* the first failing event after it */
    ck_assert_uint_eq(notices_of(NOTICE_TRIGGERED), 1);
}
END_TEST

static void gone(const char *model, uint64_t episode)
{
    struct retrain_update *news = calloc(1, sizeof *news);
    strcpy(news->model, model);
    news->gone = true;
    news->episode = episode;
    news->triggered_ns = news->ended_ns = retrain_never_ns();
    workers_update(workers, news);
    settle();
}

START_TEST(of_what_is_gone_no_model_is_made)
{
    gone("p/n/v", 3);
    ck_assert_uint_eq(workers_models(workers), 0);
    send_metrics("p/n/v", good);
    gone("p/n/v", 3);
    json_t *model = ask("{\"do\":\"model\",\"model\":\"p/n/v\"}");
    ck_assert_int_eq(json_integer_value(json_object_get(model, "episode")), 3);
    json_decref(model);
}
END_TEST

static void ask_what_it_shows(const char *model, const char *metric, bool fresh)
{
    struct retrain_update *update = calloc(1, sizeof *update);
    snprintf(update->model, sizeof update->model, "%s", model);
    snprintf(update->shows, sizeof update->shows, "%s", metric);
    update->fresh = fresh;
    workers_update(workers, update);
    settle();
}

START_TEST(what_a_version_shows_is_told)
{
    ask_what_it_shows("p/n/v2", "latency_ms", false); /* not known, and not made for it */
    ck_assert_uint_eq(workers_models(workers), 0);
    send_metrics("p/n/v2", "{\"accuracy\": 0.9}");
    ask_what_it_shows("p/n/v2", "accuracy", false);
    pass(S);
    ck_assert_uint_eq(notices_of(NOTICE_SHOWN), 1);
    ck_assert_str_eq(notice_of(NOTICE_SHOWN)->trigger.metric, "accuracy");
    ck_assert_double_eq_tol(notice_of(NOTICE_SHOWN)->trigger.observed, 0.9, 1e-6);
    ck_assert_uint_eq(notice_of(NOTICE_SHOWN)->trigger.n, 1);
    pass(S);
    ck_assert_uint_eq(notices_of(NOTICE_SHOWN), 1);
    for (int i = 0; i < 3; i++)
        send_metrics("p/n/v2", "{\"accuracy\": 0.8, \"latency_ms\": 20}");
    pass(S);
    ck_assert_uint_eq(notices_of(NOTICE_SHOWN), 2);
    ck_assert_double_eq_tol(told.notices[told.notice_count - 1]->trigger.observed, 0.825, 1e-6);
    /* Of a model that served before, only a window of new values counts. */
    ask_what_it_shows("p/n/v2", "latency_ms", true);
    pass(S);
    ck_assert_uint_eq(notices_of(NOTICE_SHOWN), 2);
    for (int i = 1; i <= 4; i++)
        send_metrics("p/n/v2", i < 4 ? "{\"latency_ms\": 30}" : "{\"latency_ms\": 40}");
    pass(S);
    pass(S);
    ck_assert_uint_eq(notices_of(NOTICE_SHOWN), 3);
    ck_assert_double_eq_tol(told.notices[told.notice_count - 1]->trigger.observed, 40, 1e-6); /* over: last */
}
END_TEST

START_TEST(a_model_given_up)
{
    struct retrain_update *news = calloc(1, sizeof *news);
    strcpy(news->model, "p/n/v");
    news->unrecoverable = true;
    news->episode = 3;
    news->triggered_ns = news->ended_ns = retrain_never_ns();
    workers_update(workers, news);
    settle();
    ck_assert_int_eq(figure("models", "unrecoverable"), 1);
    news = calloc(1, sizeof *news);
    strcpy(news->model, "no model");
    workers_update(workers, news);
    settle();
    ck_assert_uint_eq(workers_models(workers), 1);
}
END_TEST

/* Known from the store, never heard: after stale_after it counts as silent, so that its successor can take its place.
 */
START_TEST(a_model_that_never_came_back)
{
    update("p/n/v", false, 1, 100 * S, 200 * S);
    settle();
    pass(601 * S);
    ck_assert_uint_eq(notices_of(NOTICE_SILENT), 1);
    ck_assert_int_eq(figure("models", "stale"), 1);
}
END_TEST

static int64_t stale(void)
{
    return figure("models", "stale");
}

/* Stops here, and starts again from what was written down, `away_ns` later. */
static void restart(int64_t away_ns)
{
    uint8_t bytes[32768];
    struct slice slice = {.bytes = bytes, .room = sizeof bytes, .begin = true};
    workers_slice_whole(workers, &slice);
    ck_assert(slice.last && slice.models == 2);
    workers_destroy(&workers);
    now.steady_ns += away_ns;
    now.wall_s += (double)away_ns / 1e9;
    struct workers_options options = options_of(0);
    ck_assert_int_eq(workers_new(&workers, &options, &ports), 0);
    for (size_t at = 0; at < slice.used;) {
        size_t len = bytes[at] | (size_t)bytes[at + 1] << 8;
        ck_assert_int_eq(workers_restore(workers, bytes + at + SLICE_HEAD, len, 0, now), 0);
        at += SLICE_HEAD + len;
    }
    ck_assert_int_eq(workers_start(workers), 0);
    settle();
}

/* Who was not stale is so only once stale_after has passed since the start; who was, still is. */
START_TEST(nobody_is_silent_while_we_are_away)
{
    send_metrics("p/n/v", good);
    pass(601 * S);
    send_metrics("q/n/v", good);
    ck_assert_int_eq(stale(), 1);
    forget_told();
    restart(5000 * S);
    ck_assert_int_eq(stale(), 1);
    pass(599 * S);
    ck_assert_int_eq(stale(), 1);
    ck_assert_uint_eq(told.event_count, 0);
    restart(5000 * S);
    pass(599 * S);
    ck_assert_int_eq(stale(), 1);
    json_t *model = ask("{\"do\":\"model\",\"model\":\"q/n/v\"}");
    ck_assert_double_eq(json_number_value(json_object_get(model, "last_event_s")), 11198);
    json_decref(model);
    pass(2 * S);
    ck_assert_int_eq(stale(), 2);
    ck_assert_ptr_nonnull(event_of("driftd.model.stale/q/n/v"));
    ck_assert_uint_eq(told.event_count, 1);
}
END_TEST

static uint32_t written(bool changed_only)
{
    uint8_t bytes[32768];
    struct slice slice = {.bytes = bytes, .room = sizeof bytes, .begin = true, .changed_only = changed_only};
    workers_slice_whole(workers, &slice);
    ck_assert(slice.last);
    return slice.models;
}

/* A checkpoint of what has changed since the last one knows of it: after a restart it is not told again. */
START_TEST(silence_is_written_down)
{
    send_metrics("p/n/v", good);
    ck_assert_uint_eq(written(false), 1);
    ck_assert_uint_eq(written(true), 0);
    pass(601 * S);
    ck_assert_uint_eq(written(true), 1);
    ck_assert_uint_eq(written(true), 0);
}
END_TEST

static void renew(const struct monitor_settings *settings, int64_t keep_ns)
{
    static atomic_uint changed;
    struct shard_renewal *renewal = calloc(1, sizeof *renewal);
    settings_now = settings;
    *renewal = (struct shard_renewal){.max_message_bytes = 2000,
                                      .max_future_s = 300,
                                      .max_models = 100,
                                      .keep_ns = keep_ns,
                                      .reply_to = replies,
                                      .changed = &changed};
    ck_assert_int_eq(inbox_put(workers_inbox(workers, 0), (struct letter){LETTER_RENEW, renewal, free}), 0);
    settle();
    struct letter letter;
    ck_assert(inbox_take(replies, &letter));
    ck_assert_int_eq(letter.kind, LETTER_RENEWED);
}

/* Who was looked at is not looked at again before it can have fallen silent: by other settings that may be sooner. */
START_TEST(silence_is_found_in_time)
{
    struct monitor_settings sooner = judged;
    sooner.stale_after_ns = 5 * S;
    send_metrics("p/n/v", good);
    send_metrics("q/n/v", good);
    for (int i = 0; i < 299; i++) {
        pass(2 * S);
        send_metrics("q/n/v", good);
    }
    ck_assert_int_eq(stale(), 0);
    pass(2 * S);
    ck_assert_int_eq(stale(), 1);
    ck_assert_ptr_nonnull(event_of("driftd.model.stale/p/n/v"));
    pass(597 * S);
    ck_assert_uint_eq(told.event_count, 1);
    pass(1 * S);
    ck_assert_ptr_nonnull(event_of("driftd.model.stale/q/n/v"));
    send_metrics("p/n/v", good);
    forget_told();
    pass(599 * S);
    ck_assert_uint_eq(told.event_count, 0);
    pass(1 * S);
    send_metrics("p/n/v", good);
    forget_told();
    renew(&sooner, 0);
    pass(4 * S);
    ck_assert_ptr_null(event_of("driftd.model.stale"));
    pass(1 * S);
    ck_assert_ptr_nonnull(event_of("driftd.model.stale/p/n/v"));
    renew(&judged, 20 * S);
    update("p/n/v", true, 1, now.steady_ns, INT64_MIN);
    pass(30 * S);
    ck_assert_uint_eq(workers_models(workers), 1); /* whose request is under way: it stays for now */
    update("p/n/v", false, 1, now.steady_ns, now.steady_ns);
    pass(9 * S);
    ck_assert_uint_eq(workers_models(workers), 1); /* its back-off of 10 s would be forgotten with it */
    pass(2 * S);
    ck_assert_uint_eq(workers_models(workers), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shard");
    TCase *tcase = tcase_create("shard");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, enter, leave);
    tcase_add_test(tcase, the_third_failure_triggers_once);
    tcase_add_test(tcase, one_sick_among_many);
    tcase_add_test(tcase, recovery_is_told);
    tcase_add_test(tcase, silence_is_told_once_and_the_return_too);
    tcase_add_test(tcase, what_the_store_knows_holds_from_the_first_event);
    tcase_add_test(tcase, of_what_is_gone_no_model_is_made);
    tcase_add_test(tcase, what_a_version_shows_is_told);
    tcase_add_test(tcase, a_model_given_up);
    tcase_add_test(tcase, a_model_that_never_came_back);
    tcase_add_test(tcase, nobody_is_silent_while_we_are_away);
    tcase_add_test(tcase, silence_is_written_down);
    tcase_add_test(tcase, silence_is_found_in_time);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

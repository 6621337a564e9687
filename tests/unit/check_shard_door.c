/* What a shard lets in, what it drops and counts, and what it answers. */
#include "daemon/base/slice.h"
#include "tests/run_suite.h"
#include "tests/unit/shard_case.h"

START_TEST(every_drop_has_its_reason)
{
    static char large[2002];
    memset(large, ' ', sizeof large - 1);
    send_bytes(FRAME_WRONG, 1, "metrics/p/n/v", "", 0);
    send_bytes(FRAME_WRONG, 3, "metrics/p/n/v", "x", 1);
    send_metrics("p/n", good);
    send_metrics("p//v", good);
    send_bytes(FRAME_BATCH, 2, "batch/", "[]", 2);
    send_metrics("p/n/v", "{\"accuracy\":0.5");
    send_metrics("p/n/v", "{\"accuracy\":0.5,\"accuracy\":0.6}");
    send_metrics("p/n/v", "{\"accuracy\":\"high\"}");
    send_metrics("p/n/v", "{\"accuracy\":1.5}");
    send_metrics("p/n/v", "[{\"accuracy\":-0.5},{\"accuracy\":0.9},{\"accuracy\":7}]");
    send_metrics("p/n/v", "{\"accuracy\":1e400}");
    send_metrics("p/n/v", "{\"accuracy\":0.5,\"timestamp\":1800000301}");
    send_metrics("p/n/v", large);
    settle();
    ck_assert_int_eq(figure("dropped", "frames"), 2);
    ck_assert_int_eq(figure("dropped", "topic"), 3);
    ck_assert_int_eq(figure("dropped", "syntax"), 2);
    ck_assert_int_eq(figure("dropped", "type"), 1);
    ck_assert_int_eq(figure("dropped", "range"), 3);
    ck_assert_int_eq(figure("dropped", "not_finite"), 1);
    ck_assert_int_eq(figure("dropped", "future"), 1);
    ck_assert_int_eq(figure("dropped", "too_large"), 1);
    ck_assert_int_eq(figure(NULL, "events"), 1);
    ck_assert_uint_eq(workers_models(workers), 1);
    ck_assert_uint_eq(workers_sums(workers).dropped, 14);
    json_t *rejects = ask("{\"do\":\"rejects\"}"), *list = json_object_get(rejects, "rejects");
    ck_assert_uint_eq(json_array_size(list), 8);
    size_t i;
    json_t *reject;
    json_array_foreach(list, i, reject)
    {
        const char *reason, *topic, *payload, *detail;
        ck_assert_int_eq(json_unpack(reject, "{s:s, s:{s:s, s:s, s:s}}", "reason", &reason, "last", "topic", &topic,
                                     "payload", &payload, "detail", &detail),
                         0);
        ck_assert_msg(*detail, "%s has no sentence", reason);
        if (strcmp(reason, "frames") == 0)
            ck_assert_str_eq(detail, "3 frames where there must be two");
        if (strcmp(reason, "future") == 0)
            ck_assert_str_eq(payload, "{\"accuracy\":0.5,\"timestamp\":1800000301}");
    }
    json_decref(rejects);
}
END_TEST

/* What is malformed must not take the place of a model. */
START_TEST(models_are_bounded)
{
    leave();
    ck_assert_int_eq(inbox_new(&replies), 0);
    begin(3);
    send_metrics("p/n/garbage", "{");
    send_metrics("p/n/wrong", "{\"accuracy\":2}");
    ck_assert_uint_eq(workers_models(workers), 0);
    char model[32];
    for (int i = 0; i < 5; i++) {
        snprintf(model, sizeof model, "p/n/v%d", i);
        send_metrics(model, "[{\"accuracy\":0.9},{\"accuracy\":0.9}]");
    }
    ck_assert_uint_eq(workers_models(workers), 3);
    ck_assert_int_eq(figure("dropped", "too_many_models"), 4);
    send_metrics("p/n/v0", good); /* who is in stays in */
    ck_assert_int_eq(figure(NULL, "events"), 7);
}
END_TEST

/* What a model asked for goes back with it, to the byte; who is in goes on, with the metrics that it has. */
START_TEST(memory_is_bounded)
{
    struct ceiling ceiling;
    struct workers_options options = options_of(0);
    workers_destroy(&workers);
    const int64_t least = (int64_t)(shard_model_bytes(&judged) + monitor_least_bytes(&judged));
    const int64_t metric = (int64_t)monitor_metric_most_bytes(judged.window, true);
    ceiling_init(&ceiling, 3 * least + 4 * metric);
    options.ceiling = &ceiling;
    options.keep_ns = 100 * S;
    ck_assert_int_eq(workers_new(&workers, &options, &ports), 0);
    ck_assert_int_eq(workers_start(workers), 0);
    for (int i = 0; i < 4; i++) {
        char model[32];
        snprintf(model, sizeof model, "p/n/v%d", i);
        send_metrics(model, "{\"accuracy\":0.9}");
    }
    ck_assert_uint_eq(workers_models(workers), 3);
    ck_assert_int_eq(figure("dropped", "too_many_models"), 1);
    ck_assert_uint_ge(ceiling_refused(&ceiling), 1);
    for (int i = 0; i < 40; i++) {
        char payload[64];
        snprintf(payload, sizeof payload, "{\"accuracy\":0.9,\"extra_%d\":1}", i);
        send_metrics("p/n/v0", payload);
    }
    ck_assert_int_le(ceiling_used(&ceiling), ceiling_most(&ceiling));
    ck_assert_int_eq(figure(NULL, "events"), 43); /* each was taken, with less of it */
    pass(60 * S);
    send_metrics("p/n/v0", good);
    pass(60 * S);
    pass(S);
    ck_assert_uint_eq(workers_models(workers), 1);
    send_metrics("p/n/v3", "{\"accuracy\":0.9}"); /* there is room again */
    ck_assert_uint_eq(workers_models(workers), 2);
    pass(200 * S);
    pass(S);
    ck_assert_uint_eq(workers_models(workers), 0);
    ck_assert_int_eq(ceiling_used(&ceiling), 0);
    workers_destroy(&workers); /* before the ceiling */
    begin(0);
}
END_TEST

/* Between two slices of a checkpoint those go that it has not come to, and the others after it. */
START_TEST(models_go_beside_a_checkpoint)
{
    struct workers_options options = options_of(0);
    uint8_t *bytes = calloc(1, 32768);
    struct slice slice = {.bytes = bytes, .room = 32768, .begin = true};
    workers_destroy(&workers);
    options.keep_ns = 100 * S;
    ck_assert_int_eq(workers_new(&workers, &options, &ports), 0);
    ck_assert_int_eq(workers_start(workers), 0);
    send_metrics("p/n/v0", good);
    send_metrics("p/n/v1", good);
    send_metrics("p/n/v2", good);
    workers_slice_whole(workers, &slice);
    ck_assert(slice.last && slice.models == 3);
    slice.room = slice.used - 1; /* of two models and no third */
    workers_slice_whole(workers, &slice);
    ck_assert(!slice.last && slice.models == 2);
    pass(101 * S);
    ck_assert_uint_eq(workers_models(workers), 2);
    slice.begin = false;
    workers_slice_whole(workers, &slice);
    ck_assert(slice.last && slice.models == 0);
    pass(S);
    ck_assert_uint_eq(workers_models(workers), 0);
    free(slice.bytes);
}
END_TEST

START_TEST(gaps_are_counted_and_told)
{
    send_metrics("p/n/v", "{\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":0}");
    send_metrics("p/n/v", "{\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":4}");
    static const char beacon[] = "{\"node\":\"cam\",\"boot\":\"x\",\"topics\":{\"p/n/v\":6,\"batch\":1}}";
    static const char batch[] = "[{\"model\":\"p/n/v\",\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":0}]";
    send_bytes(FRAME_BATCH, 2, "batch/cam", batch, sizeof batch - 1);
    send_bytes(FRAME_BEACON, 2, "beacon/cam", beacon, sizeof beacon - 1);
    ck_assert_int_eq(figure("lost", "cam"), 3 + 2 + 1);
    ck_assert_int_eq(figure(NULL, "beacons"), 1);
    pass(S);
    const struct cloud_event *event = event_of("driftd.frames.lost");
    ck_assert_ptr_nonnull(event);
    ck_assert_str_eq(event->topic, "driftd.frames.lost/cam");
    ck_assert_ptr_nonnull(strstr(event->json, "\"lost\":6"));
    forget_told();
    send_metrics("p/n/v", "{\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":9}");
    pass(5 * S);
    ck_assert_ptr_null(event_of("driftd.frames.lost")); /* one report in ten seconds */
    pass(6 * S);
    ck_assert_ptr_nonnull(event_of("driftd.frames.lost"));
    ck_assert_uint_eq(workers_sums(workers).lost, 8);
}
END_TEST

/* What was sent stands beside the model, and stays known when that goes: it was sent all the same. */
START_TEST(a_forgotten_models_stream_goes_on)
{
    struct workers_options options = options_of(0);
    static const char beacon[] = "{\"node\":\"cam\",\"boot\":\"x\",\"topics\":{\"p/n/v\":6}}";
    options.keep_ns = 100 * S;
    workers_destroy(&workers);
    ck_assert_int_eq(workers_new(&workers, &options, &ports), 0);
    ck_assert_int_eq(workers_start(workers), 0);
    send_metrics("p/n/v", "{\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":3}"); /* there was no model yet */
    send_metrics("p/n/v", "{\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":4}");
    pass(101 * S);
    pass(S);
    ck_assert_uint_eq(workers_models(workers), 0);
    send_bytes(FRAME_BEACON, 2, "beacon/cam", beacon, sizeof beacon - 1);
    ck_assert_int_eq(figure("lost", "cam"), 2);
    send_metrics("p/n/v", "{\"accuracy\":0.9,\"node\":\"cam\",\"boot\":\"x\",\"seq\":8}");
    ck_assert_int_eq(figure("lost", "cam"), 3);
}
END_TEST

static int64_t events_of(int i)
{
    char question[64];
    snprintf(question, sizeof question, "{\"do\":\"model\",\"model\":\"p/m%d/v\"}", i);
    json_t *model = ask(question);
    const int64_t events = json_integer_value(json_object_get(model, "events"));
    json_decref(model);
    return events;
}

/* Models are looked up many at a time: one that comes twice among them is made by the first of its events, and what
 * does not get a place does not take that of another. */
START_TEST(a_batch_finds_its_models)
{
    static const int models[] = {0,  1,  0,  2,  2,  1,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16,
                                 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 0};
    char batch[2000];
    int used = 0;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        used += snprintf(batch + used, sizeof batch - (size_t)used, "%c{\"model\":\"p/m%d/v\",\"accuracy\":0.9}",
                         i ? ',' : '[', models[i]);
    used += snprintf(batch + used, sizeof batch - (size_t)used, "]");
    workers_destroy(&workers);
    begin(35); /* one less than there are */
    for (int64_t time = 1; time <= 3; time++) {
        send_bytes(FRAME_BATCH, 2, "batch/n", batch, (size_t)used);
        ck_assert_uint_eq(workers_models(workers), 35);
        ck_assert_int_eq(events_of(0), 3 * time);
        ck_assert_int_eq(events_of(1), 2 * time);
        ck_assert_int_eq(events_of(2), 2 * time);
        for (int i = 3; i < 35; i++)
            ck_assert_int_eq(events_of(i), time);
        ck_assert_int_eq(figure("dropped", "too_many_models"), time);
    }
}
END_TEST

START_TEST(models_as_the_operator_sees_them)
{
    char model[32];
    for (int i = 0; i < 40; i++) {
        snprintf(model, sizeof model, "p%d/n/v", i % 2);
        snprintf(model, sizeof model, "p%d/n%d/v", i % 2, i);
        send_metrics(model, i % 4 == 0 ? bad : good);
    }
    json_t *reply = ask("{\"do\":\"models\",\"limit\":1000}");
    ck_assert_uint_eq(json_array_size(json_object_get(reply, "models")), 40);
    json_decref(reply);
    reply = ask("{\"do\":\"models\",\"limit\":1000,\"pattern\":\"p1\"}");
    ck_assert_int_eq(json_integer_value(json_object_get(reply, "matched")), 20);
    json_decref(reply);
    reply = ask("{\"do\":\"models\",\"limit\":3,\"state\":\"failing\"}");
    ck_assert_int_eq(json_integer_value(json_object_get(reply, "matched")), 10);
    ck_assert_uint_eq(json_array_size(json_object_get(reply, "models")), 3);
    json_t *first = json_array_get(json_object_get(reply, "models"), 0);
    const char *state, *name, *over;
    int failures, episode, violated, judged_now, n;
    double backoff, observed, min, last;
    json_error_t error;
    ck_assert_msg(json_unpack_ex(first, &error, 0,
                                 "{s:s, s:i, s:i, s:F, s:[{s:s, s:s, s:F, s:F, s:n, s:b, s:b, s:i, s:[F !]}, {} !]}",
                                 "state", &state, "failures", &failures, "episode", &episode, "backoff_left_s",
                                 &backoff, "kpis", "name", &name, "over", &over, "observed", &observed, "min", &min,
                                 "max", "violated", &violated, "judged", &judged_now, "n", &n, "recent", &last) == 0,
                  "%s", error.text);
    ck_assert_str_eq(state, "failing");
    ck_assert_int_eq(failures, 1);
    ck_assert_int_eq(episode, 0);
    ck_assert(backoff == 0.0 && observed == 0.5 && min == 0.8 && last == 0.5);
    ck_assert_str_eq(name, "accuracy");
    ck_assert_str_eq(over, "mean");
    ck_assert_int_eq(violated && judged_now, 1);
    ck_assert_int_eq(n, 1);
    json_decref(reply);
    reply = ask("{\"do\":\"model\",\"model\":\"p0/n0/v\"}");
    ck_assert(json_is_true(json_object_get(reply, "ok")));
    ck_assert_uint_eq(json_array_size(json_object_get(reply, "metrics")), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(reply, "settings"), "window")), 4);
    json_decref(reply);
    reply = ask("{\"do\":\"model\",\"model\":\"p0/n0/w\"}");
    ck_assert_str_eq(json_string_value(json_object_get(reply, "error")), "unknown_model");
    json_decref(reply);
}
END_TEST

static size_t bytes_of(json_t *models)
{
    char *text = json_dumps(models, JSON_COMPACT | JSON_REAL_PRECISION(15));
    size_t bytes = strlen(text);
    free(text);
    return bytes;
}

/* A list ends before it is longer than it may be; the rest is found behind its last model, each once and in order. */
START_TEST(a_list_is_as_long_as_its_bytes_allow)
{
    char model[32], question[400], last[32] = "";
    size_t seen = 0, answers = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(model, sizeof model, "p/n%03d/v", i);
        send_metrics(model, good);
    }
    for (bool more = true; more; answers++) {
        snprintf(question, sizeof question,
                 "{\"do\":\"models\",\"sort\":\"name\",\"limit\":150,\"bytes\":6000,\"after\":\"%s\"}", last);
        json_t *reply = ask(question), *models = json_object_get(reply, "models"), *at;
        size_t i;
        ck_assert_uint_le(bytes_of(models), 6000);
        ck_assert_int_eq(json_integer_value(json_object_get(reply, "matched")), 100);
        ck_assert_int_eq(json_integer_value(json_object_get(reply, "behind")), 100 - (json_int_t)seen);
        json_array_foreach(models, i, at)
        {
            ck_assert_str_gt(json_string_value(json_object_get(at, "model")), last);
            snprintf(last, sizeof last, "%s", json_string_value(json_object_get(at, "model")));
        }
        seen += json_array_size(models);
        more = json_is_true(json_object_get(reply, "cut"));
        ck_assert(more || seen == 100);
        json_decref(reply);
    }
    ck_assert_uint_eq(seen, 100);
    ck_assert_uint_gt(answers, 4);
    static const char *const orders[] = {"\"sort\":\"worst\",", ""};
    for (int i = 0; i < 2; i++) {
        snprintf(question, sizeof question, "{\"do\":\"models\",%s\"limit\":150,\"bytes\":1}", orders[i]);
        json_t *reply = ask(question);
        ck_assert_uint_eq(json_array_size(json_object_get(reply, "models")), 1); /* one is always there */
        ck_assert_int_eq(json_integer_value(json_object_get(reply, "matched")), 100);
        json_decref(reply);
    }
}
END_TEST

START_TEST(the_rate_is_that_of_the_last_seconds)
{
    for (int second = 0; second < 20; second++) {
        for (int i = 0; i < 50; i++)
            send_metrics("p/n/v", good);
        pass(S);
    }
    json_t *status = ask("{\"do\":\"status\"}");
    ck_assert(fabs(json_number_value(json_object_get(status, "events_per_s")) - 50.0) < 1.0);
    json_decref(status);
    for (int second = 0; second < 7; second++)
        pass(S);
    status = ask("{\"do\":\"status\"}");
    ck_assert(json_number_value(json_object_get(status, "events_per_s")) == 0.0);
    json_decref(status);
}
END_TEST

START_TEST(questions_left_behind)
{
    struct question *question = calloc(1, sizeof *question);
    question->ask = strdup("nonsense");
    question->reply_to = replies;
    inbox_put(workers_inbox(workers, 0), (struct letter){LETTER_QUESTION, question, question_drop});
    settle();
    struct letter letter;
    ck_assert(inbox_take(replies, &letter));
    ck_assert_ptr_nonnull(strstr(((struct question *)letter.body)->answer, "unknown_command"));
    question_drop(letter.body);
    question = calloc(1, sizeof *question);
    question->ask = strdup("{\"do\":\"status\"}");
    question->reply_to = replies;
    inbox_put(workers_inbox(workers, 0), (struct letter){LETTER_QUESTION, question, question_drop});
    /* destroyed with the question in the inbox */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shard_door");
    TCase *tcase = tcase_create("shard");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, enter, leave);
    tcase_add_test(tcase, every_drop_has_its_reason);
    tcase_add_test(tcase, models_are_bounded);
    tcase_add_test(tcase, memory_is_bounded);
    tcase_add_test(tcase, models_go_beside_a_checkpoint);
    tcase_add_test(tcase, gaps_are_counted_and_told);
    tcase_add_test(tcase, a_forgotten_models_stream_goes_on);
    tcase_add_test(tcase, a_batch_finds_its_models);
    tcase_add_test(tcase, models_as_the_operator_sees_them);
    tcase_add_test(tcase, a_list_is_as_long_as_its_bytes_allow);
    tcase_add_test(tcase, the_rate_is_that_of_the_last_seconds);
    tcase_add_test(tcase, questions_left_behind);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

#include <check.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/control/control.h"
#include "daemon/control/envelope.h"
#include "daemon/control/merge.h"
#include "tests/run_suite.h"
#include "tests/unit/control_case.h"

/* --- the station, with two shards and a keeper of requests that this test plays --- */

static void facts(void *argument, json_t *status)
{
    json_object_set_new(status, "version", json_string(argument));
}

static void enter(void)
{
    ports = (struct control_ports){.facts = facts, .argument = (void *)(uintptr_t) "1.2.3"};
    control_enter(2, ZMQ_REQ);
}

static void ask(const char *question)
{
    ck_assert_int_ge(zmq_send(zsock_resolve(client), question, strlen(question), 0), 0);
}

static json_t *answer(void)
{
    zmq_msg_t body;
    zmq_msg_init(&body);
    ck_assert_int_ge(zmq_msg_recv(&body, zsock_resolve(client), 0), 0);
    json_error_t error;
    json_t *json = json_loadb(zmq_msg_data(&body), zmq_msg_size(&body), 0, &error);
    ck_assert_msg(json != NULL, "%s", error.text);
    zmq_msg_close(&body);
    return json;
}

static const char *member(const json_t *json, const char *name)
{
    const char *value = json_string_value(json_object_get(json, name));
    return value ? value : "";
}

static void say(struct question *question, int from, const char *text)
{
    question->from = from;
    control_answer(question, strdup(text));
}

START_TEST(only_the_group_may_ask)
{
    struct stat st;
    ck_assert_int_eq(stat(endpoint + 6, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0660);
}
END_TEST

START_TEST(status_is_added_up)
{
    ask("{\"do\":\"status\"}");
    say(control_asked(ports.shards[1]), 1,
        "{\"ok\":true,\"events\":5,\"events_per_s\":1.5,\"dropped\":{\"range\":1},\"lost\":{\"a\":2},\"models\":{"
        "\"healthy\":3},"
        "\"nodes\":[{\"node\":\"a\",\"lost\":2,\"messages\":4}]}");
    say(control_asked(ports.requests), -1, "{\"ok\":true,\"requests\":{\"PENDING\":4}}");
    say(control_asked(ports.shards[0]), 0,
        "{\"ok\":true,\"events\":6,\"events_per_s\":1,\"dropped\":{\"range\":2,\"type\":1},\"lost\":{\"a\":1},"
        "\"models\":{\"stale\":1},\"nodes\":[{\"node\":\"b\",\"lost\":0,\"messages\":1},{\"node\":\"a\",\"lost\":1,"
        "\"messages\":1}]}");
    json_t *status = answer();
    int events, range, type, lost, healthy, stale, pending;
    double rate;
    const char *version;
    json_error_t error;
    ck_assert_msg(json_unpack_ex(status, &error, 0, "{s:i, s:F, s:{s:i, s:i}, s:{s:i}, s:{s:i, s:i}, s:{s:i}, s:s}",
                                 "events", &events, "events_per_s", &rate, "dropped", "range", &range, "type", &type,
                                 "lost", "a", &lost, "models", "healthy", &healthy, "stale", &stale, "requests",
                                 "PENDING", &pending, "version", &version) == 0,
                  "%s", error.text);
    ck_assert(json_is_true(json_object_get(status, "ok")));
    ck_assert_int_eq(events, 11);
    ck_assert(rate == 2.5);
    ck_assert_int_eq(range, 3);
    ck_assert_int_eq(type, 1);
    ck_assert_int_eq(lost, 3);
    ck_assert_int_eq(healthy + 10 * stale, 13);
    ck_assert_int_eq(pending, 4);
    ck_assert_str_eq(version, "1.2.3");
    ck_assert_uint_eq(json_array_size(json_object_get(status, "nodes")), 2);
    ck_assert_ptr_null(json_object_get(status, "incomplete"));
    json_decref(status);
}
END_TEST

START_TEST(models_are_sorted_and_limited)
{
    ask("{\"do\":\"models\",\"pattern\":\"p\",\"limit\":3}");
    for (int i = 0; i < 2; i++) {
        struct question *question = control_asked(ports.shards[i]);
        json_t *text = json_loads(question->ask, 0, NULL);
        ck_assert_str_eq(member(text, "pattern"), "p");
        ck_assert_int_eq(json_integer_value(json_object_get(text, "limit")), 3);
        json_decref(text);
        say(question, i,
            i ? "{\"ok\":true,\"matched\":2,\"models\":[{\"model\":\"p/c/1\"},{\"model\":\"p/a/1\"}]}"
              : "{\"ok\":true,\"matched\":5,\"models\":[{\"model\":\"p/d/1\"},{\"model\":\"p/b/1\"}]}");
    }
    json_t *reply = answer();
    const char *a, *b, *c;
    int left_out;
    ck_assert_int_eq(json_unpack(reply, "{s:[{s:s}, {s:s}, {s:s} !], s:i}", "models", "model", &a, "model", &b, "model",
                                 &c, "left_out", &left_out),
                     0);
    ck_assert_str_eq(a, "p/a/1");
    ck_assert_str_eq(b, "p/b/1");
    ck_assert_str_eq(c, "p/c/1");
    ck_assert_int_eq(left_out, 4);
    json_decref(reply);
}
END_TEST

START_TEST(the_shard_that_knows_the_model_answers)
{
    for (int knows = 0; knows < 2; knows++) {
        ask("{\"do\":\"model\",\"model\":\"p/n/v\"}");
        for (int i = 0; i < 2; i++)
            say(control_asked(ports.shards[i]), i,
                i == knows ? "{\"ok\":true,\"model\":\"p/n/v\"}" : "{\"ok\":false,\"error\":\"unknown_model\"}");
        json_t *reply = answer();
        ck_assert_str_eq(member(reply, "model"), "p/n/v");
        json_decref(reply);
    }
}
END_TEST

START_TEST(requests_pass_through)
{
    static const char *const questions[] = {
        "{\"do\":\"request\",\"request\":\"abc\"}", "{\"do\":\"cancel\",\"request\":\"abc\",\"reason\":\"why\"}",
        "{\"do\":\"requeue\",\"request\":\"abc\"}", "{\"do\":\"retrain\",\"model\":\"abc/d/e\"}"};
    for (int i = 0; i < 4; i++) {
        ask(questions[i]);
        struct question *question = control_asked(ports.requests);
        ck_assert_ptr_nonnull(strstr(question->ask, "\"abc"));
        say(question, -1, "{\"ok\":true,\"id\":\"abc\"}");
        json_t *reply = answer();
        ck_assert_str_eq(member(reply, "id"), "abc");
        json_decref(reply);
    }
}
END_TEST

START_TEST(rejects_are_put_together)
{
    ask("{\"do\":\"rejects\"}");
    say(control_asked(ports.shards[0]), 0,
        "{\"ok\":true,\"rejects\":[{\"reason\":\"range\",\"count\":2,\"last\":{\"at_s\":5,\"detail\":\"old\"}}]}");
    say(control_asked(ports.shards[1]), 1,
        "{\"ok\":true,\"rejects\":[{\"reason\":\"range\",\"count\":3,\"last\":{\"at_s\":6,\"detail\":\"new\"}},"
        "{\"reason\":\"type\",\"count\":1,\"last\":{\"at_s\":1}}]}");
    json_t *reply = answer();
    int count;
    const char *detail;
    ck_assert_int_eq(
        json_unpack(reply, "{s:[{s:i, s:{s:s}}, {} !]}", "rejects", "count", &count, "last", "detail", &detail), 0);
    ck_assert_int_eq(count, 5);
    ck_assert_str_eq(detail, "new");
    json_decref(reply);
}
END_TEST

START_TEST(refusals)
{
    static const struct {
        const char *question, *error, *part;
    } cases[] = {
        {"", "bad_message", "not a JSON object"},
        {"{", "bad_message", "not a JSON object"},
        {"[1]", "bad_message", "{\"do\": \"<command>\", ...}"},
        {"{\"do\": 5}", "bad_message", "one JSON object"},
        {"{\"do\":\"status\",\"do\":\"models\"}", "bad_message", "duplicate"},
        {"{\"do\":\"dance\"}", "unknown_command",
         "status, models, model, explain, requests, request, retrain, cancel, requeue, silence, unsilence, rejects, reload, log_level"},
        {"{\"do\":\"explain\"}", "bad_message", "project/name/version"},
        {"{\"do\":\"silence\",\"pattern\":\"a\"}", "bad_message", "for_s"},
        {"{\"do\":\"silence\",\"pattern\":\"a//b\",\"for_s\":1}", "bad_message", ""},
        {"{\"do\":\"retrain\",\"model\":\"a/b\"}", "bad_message", "project/name/version"},
        {"{\"do\":\"cancel\"}", "bad_message", "request"},
        {"{\"do\":\"models\",\"pattern\":\"a//b\"}", "bad_message", ""},
        {"{\"do\":\"models\",\"pattern\":7}", "bad_message", "\"pattern\" must be a string"},
        {"{\"do\":\"models\",\"state\":\"tired\"}", "bad_message", "warming"},
        {"{\"do\":\"models\",\"limit\":0}", "bad_message", "limit"},
        {"{\"do\":\"model\"}", "bad_message", "project/name/version"},
        {"{\"do\":\"model\",\"model\":\"a/b\"}", "bad_message", "project/name/version"},
        {"{\"do\":\"request\"}", "bad_message", "request"},
        {"{\"do\":\"log_level\",\"level\":\"loud\"}", "bad_message", "debug, info, warning or error"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ask(cases[i].question);
        json_t *reply = answer();
        ck_assert(json_is_false(json_object_get(reply, "ok")));
        ck_assert_str_eq(member(reply, "error"), cases[i].error);
        ck_assert_msg(strstr(member(reply, "message"), cases[i].part) != NULL, "%s: %s", cases[i].question,
                      member(reply, "message"));
        json_decref(reply);
    }
}
END_TEST

START_TEST(the_log_level_is_set_here)
{
    ask("{\"do\":\"log_level\",\"level\":\"error\"}");
    json_t *reply = answer();
    ck_assert(json_is_true(json_object_get(reply, "ok")));
    ck_assert_str_eq(member(reply, "level"), "error");
    json_decref(reply);
}
END_TEST

START_TEST(whoever_is_late_is_named)
{
    ask("{\"do\":\"status\"}");
    say(control_asked(ports.shards[0]), 0, "{\"ok\":true,\"events\":6}");
    json_t *reply = answer();
    const char *first, *second;
    ck_assert_int_eq(json_unpack(reply, "{s:[s, s !]}", "incomplete", &first, &second), 0);
    ck_assert_str_eq(first, "shard 1");
    ck_assert_str_eq(second, "requests");
    json_decref(reply);
    say(control_asked(ports.requests), -1, "{\"ok\":true}"); /* too late: nobody waits for it */

    ask("{\"do\":\"requests\"}");
    reply = answer();
    ck_assert_str_eq(member(reply, "error"), "timeout");
    json_decref(reply);
}
END_TEST

START_TEST(a_dealer_and_its_envelopes)
{
    zsock_t *dealer = zsock_new(ZMQ_DEALER);
    void *handle = zsock_resolve(dealer);
    char got[600];
    zsock_set_rcvtimeo(dealer, 20000);
    zsock_connect(dealer, "%s", endpoint);
    static const char bad[] = "{\"do\":\"dance\"}";
    /* none: none comes back */
    zmq_send(handle, bad, sizeof bad - 1, 0);
    ck_assert_int_gt(zmq_recv(handle, got, sizeof got, 0), 0);
    ck_assert_int_eq(got[0], '{');
    /* frames up to the first empty one come back as they were */
    zmq_send(handle, "one", 3, ZMQ_SNDMORE);
    zmq_send(handle, "", 0, ZMQ_SNDMORE);
    zmq_send(handle, bad, sizeof bad - 1, 0);
    ck_assert_int_eq(zmq_recv(handle, got, sizeof got, 0), 3);
    ck_assert_int_eq(zmq_recv(handle, got, sizeof got, 0), 0);
    ck_assert_int_gt(zmq_recv(handle, got, sizeof got, 0), 0);
    ck_assert_ptr_nonnull(strstr(got, "unknown_command"));
    /* what is too long is told so, and the next question is answered */
    static char long_one[65537];
    memset(long_one, ' ', sizeof long_one);
    zmq_send(handle, "", 0, ZMQ_SNDMORE);
    zmq_send(handle, long_one, sizeof long_one, 0);
    ck_assert_int_eq(zmq_recv(handle, got, sizeof got, 0), 0);
    ck_assert_int_gt(zmq_recv(handle, got, sizeof got, 0), 0);
    ck_assert_ptr_nonnull(strstr(got, "at most 65536 bytes"));
    /* two bodies are none */
    zmq_send(handle, "", 0, ZMQ_SNDMORE);
    zmq_send(handle, bad, sizeof bad - 1, ZMQ_SNDMORE);
    zmq_send(handle, bad, sizeof bad - 1, 0);
    ck_assert_int_eq(zmq_recv(handle, got, sizeof got, 0), 0);
    ck_assert_int_gt(zmq_recv(handle, got, sizeof got, 0), 0);
    ck_assert_ptr_nonnull(strstr(got, "bad_message"));
    /* a hundred frames get no answer, and the next question does */
    for (int i = 0; i < 100; i++)
        zmq_send(handle, "x", 1, ZMQ_SNDMORE);
    zmq_send(handle, "x", 1, 0);
    zmq_send(handle, bad, sizeof bad - 1, 0);
    ck_assert_int_gt(zmq_recv(handle, got, sizeof got, 0), 0);
    ck_assert_ptr_nonnull(strstr(got, "unknown_command"));
    zsock_destroy(&dealer);
}
END_TEST

/* More questions than there are places: the rest is told so, and the places come free again. */
START_TEST(too_many_at_once)
{
    zsock_t *dealer = zsock_new(ZMQ_DEALER);
    void *handle = zsock_resolve(dealer);
    char got[600];
    zsock_set_rcvtimeo(dealer, 20000);
    zsock_connect(dealer, "%s", endpoint);
    static const char question[] = "{\"do\":\"requests\"}";
    for (int i = 0; i < 65; i++)
        zmq_send(handle, question, sizeof question - 1, 0);
    int len = zmq_recv(handle, got, sizeof got - 1, 0);
    ck_assert_int_gt(len, 0);
    got[len] = '\0';
    ck_assert_ptr_nonnull(strstr(got, "\"busy\""));
    for (int i = 0; i < 64; i++)
        say(control_asked(ports.requests), -1, "{\"ok\":true}");
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(zmq_recv(handle, got, sizeof got, 0), 11);
    zsock_destroy(&dealer);
    ask("{\"do\":\"requests\"}");
    say(control_asked(ports.requests), -1, "{\"ok\":true}");
    json_decref(answer());
}
END_TEST

START_TEST(stopped_with_a_question_under_way)
{
    ask("{\"do\":\"status\"}");
    say(control_asked(ports.shards[0]), 0, "{\"ok\":true,\"events\":6}");
    question_drop(control_asked(ports.shards[1]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *tcase = tcase_create("control");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, enter, control_leave);
    tcase_add_test(tcase, only_the_group_may_ask);
    tcase_add_test(tcase, status_is_added_up);
    tcase_add_test(tcase, models_are_sorted_and_limited);
    tcase_add_test(tcase, the_shard_that_knows_the_model_answers);
    tcase_add_test(tcase, requests_pass_through);
    tcase_add_test(tcase, rejects_are_put_together);
    tcase_add_test(tcase, refusals);
    tcase_add_test(tcase, the_log_level_is_set_here);
    tcase_add_test(tcase, whoever_is_late_is_named);
    tcase_add_test(tcase, a_dealer_and_its_envelopes);
    tcase_add_test(tcase, too_many_at_once);
    tcase_add_test(tcase, stopped_with_a_question_under_way);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

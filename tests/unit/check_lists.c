/* Lists of the control socket: put together of shards that ended theirs early, and refused where there is no room. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/model_order.h"
#include "daemon/control/merge.h"
#include "daemon/control/pending.h"
#include "tests/run_suite.h"
#include "tests/unit/control_case.h"

/* --- putting together --- */

static json_t *merged(const char *question, const char *first, const char *second)
{
    json_t *ask = json_loads(question, 0, NULL), *answers[] = {json_loads(first, 0, NULL), json_loads(second, 0, NULL)};
    ck_assert(ask && answers[0] && answers[1]);
    json_t *reply = merge_models(ask, answers, 2);
    ck_assert_ptr_nonnull(reply);
    json_decref(ask);
    json_decref(answers[0]);
    json_decref(answers[1]);
    return reply;
}

/* The names that are shown, one behind the other, then `next`, and how many are left out. */
static const char *shown(json_t *reply)
{
    static char text[200];
    const char *next = json_string_value(json_object_get(reply, "next"));
    size_t i, len = 0;
    json_t *model;
    text[0] = '\0';
    json_array_foreach(json_object_get(reply, "models"), i, model) len +=
        (size_t)snprintf(text + len, sizeof text - len, "%s ", json_string_value(json_object_get(model, "model")));
    snprintf(text + len, sizeof text - len, "| %s %d", next ? next : "-",
             (int)json_integer_value(json_object_get(reply, "left_out")));
    json_decref(reply);
    return text;
}

#define MODEL(name) "{\"model\":\"" name "\",\"key\":0}"
static const char cut_at_c[] =
    "{\"ok\":true,\"matched\":9,\"behind\":9,\"cut\":true,\"models\":[" MODEL("a") "," MODEL("c") "]}";
static const char whole[] =
    "{\"ok\":true,\"matched\":3,\"behind\":3,\"cut\":false,\"models\":[" MODEL("b") "," MODEL("d") "," MODEL("e") "]}";

/* What comes behind `c` in the first shard is not known: it may come before `d`. */
START_TEST(in_order_as_far_as_all_shards_go)
{
    ck_assert_str_eq(shown(merged("{\"sort\":\"name\",\"limit\":100}", cut_at_c, whole)), "a b c | c 9");
    ck_assert_str_eq(shown(merged("{\"sort\":\"name\",\"limit\":100}", whole, cut_at_c)), "a b c | c 9");
    ck_assert_str_eq(shown(merged("{\"sort\":\"name\",\"limit\":2}", cut_at_c, whole)), "a b | b 10");
    ck_assert_str_eq(shown(merged("{\"sort\":\"worst\",\"limit\":100}", cut_at_c, whole)), "a b c | - 9");
    ck_assert_str_eq(shown(merged("{\"sort\":\"name\",\"limit\":100}", whole, whole)), "b b d d e e | - 0");
    ck_assert_str_eq(shown(merged("{\"limit\":100}", cut_at_c, whole)), "a b c d e | - 7"); /* in no order */
}
END_TEST

START_TEST(an_offset_that_no_answer_holds)
{
    ck_assert_str_eq(shown(merged("{\"sort\":\"worst\",\"offset\":2,\"limit\":5}", cut_at_c, whole)), "c | - 11");
    json_t *reply = merged("{\"sort\":\"worst\",\"offset\":3,\"limit\":5}", cut_at_c, whole);
    ck_assert_str_eq(json_string_value(json_object_get(reply, "error")), "bad_message");
    json_decref(reply);
    ck_assert_str_eq(shown(merged("{\"sort\":\"worst\",\"offset\":12,\"limit\":5}", cut_at_c, whole)), "| - 12");
}
END_TEST

START_TEST(where_to_go_on_must_be_an_order)
{
    static const struct {
        const char *ask;
        bool good;
    } asks[] = {{"{\"do\":\"models\",\"sort\":\"name\",\"after\":\"a/b/c\"}", true},
                {"{\"do\":\"models\",\"after\":\"a/b/c\"}", false},
                {"{\"do\":\"models\",\"sort\":\"worst\",\"after\":\"a/b/c\"}", false},
                {"{\"do\":\"models\",\"sort\":\"name\",\"after\":\"a/b/c\",\"offset\":0}", false},
                {"{\"do\":\"models\",\"sort\":\"name\",\"after\":5}", false}};
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++) {
        json_t *ask = json_loads(asks[i].ask, 0, NULL), *refusal = NULL;
        const struct command *command = command_find(ask, &refusal);
        ck_assert_ptr_nonnull(command);
        refusal = command->begin(ask);
        ck_assert_msg((refusal == NULL) == asks[i].good, "%s", asks[i].ask);
        json_decref(refusal);
        json_decref(ask);
    }
}
END_TEST

/* --- room --- */

static void enter(void)
{
    ports = (struct control_ports){.shard_count = 1};
    control_enter(1, ZMQ_DEALER);
}

static void say(zsock_t *to, const char *question)
{
    ck_assert_int_ge(zmq_send(zsock_resolve(to), question, strlen(question), 0), 0);
}

/* What the client gets: its length, and the beginning in `text`. */
static size_t hear(zsock_t *from, char *text, size_t room)
{
    int len = zmq_recv(zsock_resolve(from), text, room - 1, 0);
    ck_assert_int_gt(len, 0);
    text[(size_t)len < room - 1 ? (size_t)len : room - 1] = '\0';
    return (size_t)len;
}

/* As a list is that has become as long as it may. */
static char *long_list(void)
{
    size_t bytes = (size_t)MODEL_LIST_BYTES_MAX;
    char *text = malloc(bytes + 1);
    memset(text, 'x', bytes);
    memcpy(text, "{\"ok\":true,\"requests\":[\"", 24);
    memcpy(text + bytes - 3, "\"]}", 4);
    return text;
}

/* Eight lists that nobody reads are all that there is room for: the next is refused, a short question is not, and once
 * they are read there is room again. */
START_TEST(lists_that_nobody_reads)
{
    static const char list[] = "{\"do\":\"requests\",\"most\":100000}";
    char text[400];
    int answered = 0;
    zsock_t *other = zsock_new(ZMQ_DEALER);
    zsock_set_rcvtimeo(other, 20000);
    ck_assert_int_eq(zsock_connect(other, "%s", endpoint), 0);
    bool refused = false;
    while (!refused) {
        say(client, list);
        control_answer(control_asked(ports.requests), long_list());
        answered++;
        ck_assert_int_le(answered, 12); /* libzmq and the client's own queue hold some of them */
        say(other, list);               /* whose answer tells whether there is room for one more */
        zmq_pollitem_t items[] = {{.fd = inbox_fd(ports.requests), .events = ZMQ_POLLIN},
                                  {.socket = zsock_resolve(other), .events = ZMQ_POLLIN}};
        ck_assert_int_gt(zmq_poll(items, 2, 20000), 0);
        if (items[0].revents)
            control_answer(control_asked(ports.requests), strdup("{\"ok\":true}"));
        hear(other, text, sizeof text);
        refused = strstr(text, "\"busy\"") != NULL;
    }
    ck_assert_int_ge(answered, 7);
    say(other, "{\"do\":\"rejects\"}");
    control_answer(control_asked(ports.shards[0]), strdup("{\"ok\":true,\"rejects\":[]}"));
    hear(other, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "\"ok\":true"));
    for (int i = 0; i < answered; i++)
        ck_assert_uint_eq(hear(client, text, sizeof text), (size_t)MODEL_LIST_BYTES_MAX);
    say(other, list);
    control_answer(control_asked(ports.requests), strdup("{\"ok\":true}"));
    hear(other, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "\"ok\":true"));
    zsock_destroy(&other);
}
END_TEST

/* The shard is told how long its list may be, whatever the asker says. */
START_TEST(shards_are_told_their_share)
{
    char text[400];
    json_t *ask;
    say(client, "{\"do\":\"models\",\"limit\":100000,\"bytes\":99999999999}");
    struct question *question = control_asked(ports.shards[0]);
    ask = json_loads(question->ask, 0, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(ask, "bytes")), MODEL_LIST_BYTES_MAX);
    json_decref(ask);
    control_answer(question, strdup("{\"ok\":true,\"matched\":0,\"models\":[]}"));
    hear(client, text, sizeof text);
    say(client, "{\"do\":\"models\",\"limit\":1}");
    question = control_asked(ports.shards[0]);
    ask = json_loads(question->ask, 0, NULL);
    ck_assert_int_eq(json_integer_value(json_object_get(ask, "bytes")), 1 << 20);
    json_decref(ask);
    control_answer(question, strdup("{\"ok\":true,\"matched\":0,\"models\":[]}"));
    hear(client, text, sizeof text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lists");
    TCase *merging = tcase_create("merging"), *room = tcase_create("room");
    tcase_add_test(merging, in_order_as_far_as_all_shards_go);
    tcase_add_test(merging, an_offset_that_no_answer_holds);
    tcase_add_test(merging, where_to_go_on_must_be_an_order);
    tcase_add_checked_fixture(room, enter, control_leave);
    tcase_set_timeout(room, 60);
    tcase_add_test(room, lists_that_nobody_reads);
    tcase_add_test(room, shards_are_told_their_share);
    suite_add_tcase(suite, merging);
    suite_add_tcase(suite, room);
    return run_suite(suite);
}

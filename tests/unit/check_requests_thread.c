/* The station as the engine runs it: its thread, real sockets, the real clock. */
#include <czmq.h>
#include <poll.h>

#include "daemon/dispatch/dispatch.h"
#include "tests/run_suite.h"
#include "tests/unit/requests_rig.h"
#include "tests/unit/tsan_libzmq.h"
#include "tests/unit/endpoint_at.h"

#define PATIENCE_MS 10000

static struct rig rig; /* its folder, its inboxes, its notices; the core is the thread's */
static struct dispatch *dispatch;
static struct requests *station;
static struct inbox *told; /* updates, from the station's thread */
static char why[REQUESTS_WHY_MAX];

static void drop_update(void *body)
{
    struct retrain_update *update = body;
    retrain_update_destroy(&update);
}

static void hand_on(void *argument, struct retrain_update *update)
{
    ck_assert_int_eq(inbox_put(argument, (struct letter){LETTER_UPDATE, update, drop_update}), 0);
}

static void forget(void *argument, struct cloud_event *event)
{
    (void)argument;
    cloud_event_drop(event);
}

static int try_start(const char *jobs)
{
    static const char *feedback = "tcp://127.0.0.1:*";
    struct dispatch_options options = {.doors = {.jobs = {{{&jobs, 1, NULL}}}, .feedback = {{{&feedback, 1, NULL}}}},
                                       .feedback_required = true};
    ck_assert_int_eq(dispatch_new(&dispatch, &options), 0);
    struct requests_ports ports = {
        .job = dispatch_port(dispatch), .update = hand_on, .event = forget, .argument = told, .engine = rig.engine};
    return requests_start(&station, &rig.options, &ports, why);
}

static void start(void)
{
    int rc = try_start("tcp://127.0.0.1:*");
    ck_assert_msg(rc == 0, "%d: %s", rc, why);
}

static uint32_t stop(void)
{
    uint32_t left = 99;
    requests_stop(&station, &left);
    ck_assert_ptr_null(station);
    dispatch_destroy(&dispatch);
    return left;
}

static void begin(void)
{
    zsys_handler_set(NULL);
    rig_new(&rig);
    ck_assert_int_eq(inbox_new(&told), 0);
}

static void finish(void)
{
    inbox_destroy(&told);
    rig_end(&rig);
    zsys_shutdown();
}

static void trigger(const char *model)
{
    struct now now = clock_now();
    struct retrain_notice *notice = rig_trigger_notice(&rig, model, 0.35);
    notice->at_ns = now.steady_ns;
    notice->at_s = now.wall_s;
    ck_assert_int_eq(inbox_put(requests_inbox(station), (struct letter){LETTER_NOTICE, notice, rig_drop_notice}), 0);
}

/* How the requests of a model stand; what the monitors are asked meanwhile is passed over. */
static struct retrain_update next_update(void)
{
    struct pollfd poller = {.fd = inbox_fd(told), .events = POLLIN};
    struct retrain_update update;
    do {
        struct letter letter;
        ck_assert_int_eq(poll(&poller, 1, PATIENCE_MS), 1);
        ck_assert(inbox_take(told, &letter));
        update = *(struct retrain_update *)letter.body;
        letter.drop(letter.body);
    } while (update.shows[0]);
    return update;
}

static zsock_t *trainer_socket(int type, const char *endpoint)
{
    zsock_t *socket = zsock_new(type);
    zsock_set_rcvtimeo(socket, PATIENCE_MS);
    zsock_set_linger(socket, 0);
    zsock_set_rcvhwm(socket, 1);
    ck_assert_int_eq(zsock_connect(socket, "%s", endpoint), 0);
    return socket;
}

static void converse(zsock_t *talker, const char *say, const char *request, const char *expected)
{
    char json[256];
    snprintf(json, sizeof json, "{\"say\": \"%s\", \"request\": \"%s\", \"attempt\": 1, \"trainer\": \"t\"}", say, request);
    zstr_send(talker, json);
    char *answer = zstr_recv(talker);
    ck_assert_pstr_eq(answer, expected);
    zstr_free(&answer);
}

START_TEST(a_model_is_retrained_over_sockets)
{
    start();
    zsock_t *puller = trainer_socket(ZMQ_PULL, ENDPOINT_AT(dispatch_jobs_endpoint, dispatch, 0));
    zsock_t *talker = trainer_socket(ZMQ_REQ, ENDPOINT_AT(dispatch_feedback_endpoint, dispatch, 0));
    for (int i = 0; i < 3; i++) {
        char id[REQUEST_ID_LEN + 1];
        trigger("p/n/v1");
        ck_assert(next_update().live);
        char *job = zstr_recv(puller);
        ck_assert_ptr_nonnull(job);
        json_t *root = json_loads(job, JSON_REJECT_DUPLICATES, NULL);
        ck_assert_ptr_nonnull(root);
        snprintf(id, sizeof id, "%s", json_string_value(json_object_get(json_object_get(root, "data"), "request")));
        json_decref(root);
        zstr_free(&job);
        converse(talker, "accept", id, "{\"ok\":true,\"lease_s\":300}");
        converse(talker, "progress", id, "{\"ok\":true,\"lease_s\":300,\"cancel\":false}");
        converse(talker, "done", id, "{\"ok\":true}");
        struct retrain_update update = next_update();
        ck_assert(!update.live);
        ck_assert_uint_eq(update.episode, (uint64_t)i + 1);
    }
    ck_assert_uint_gt(heart_count(requests_heart(station)), 0);
    zsock_destroy(&puller);
    zsock_destroy(&talker);
    ck_assert_uint_eq(stop(), 0);
}
END_TEST

START_TEST(a_stop_says_what_is_left_and_a_start_tells_it)
{
    start();
    for (int i = 0; i < 700; i++) {
        char model[32];
        snprintf(model, sizeof model, "p/n%d/v1", i);
        trigger(model);
    }
    ck_assert_uint_eq(stop(), 700);
    for (int i = 0; i < 700; i++)
        ck_assert(next_update().live);
    struct now before = clock_now();
    start();
    ck_assert_uint_eq(inbox_count(told), 700); /* before the start returned */
    for (int i = 0; i < 700; i++) {
        struct retrain_update update = next_update();
        ck_assert(update.live);
        ck_assert_int_le(update.triggered_ns, before.steady_ns);
    }
    ck_assert_uint_eq(stop(), 700);
}
END_TEST

START_TEST(questions_come_back_answered)
{
    struct letter letter;
    start();
    struct question *question = calloc(1, sizeof *question);
    *question = (struct question){.id = 77, .ask = strdup("{\"do\": \"status\"}"), .from = -1, .reply_to = rig.answers};
    ck_assert_int_eq(inbox_put(requests_inbox(station), (struct letter){LETTER_QUESTION, question, question_drop}), 0);
    struct pollfd poller = {.fd = inbox_fd(rig.answers), .events = POLLIN};
    ck_assert_int_eq(poll(&poller, 1, PATIENCE_MS), 1);
    ck_assert(inbox_take(rig.answers, &letter));
    question = letter.body;
    ck_assert_uint_eq(question->id, 77);
    ck_assert_int_eq(question->from, -1);
    ck_assert_ptr_nonnull(strstr(question->answer, "\"PENDING\":0"));
    question_drop(question);
    stop();
}
END_TEST

START_TEST(a_start_that_fails_says_why_and_leaves_nothing)
{
    struct dispatch *first;
    start();
    first = dispatch;
    struct requests *running = station;
    /* the same store */
    ck_assert_int_eq(try_start("tcp://127.0.0.1:*"), -EBUSY);
    ck_assert_ptr_null(station);
    ck_assert_ptr_nonnull(strstr(why, "locked by another process"));
    dispatch_destroy(&dispatch);
    /* the same endpoint, another store */
    char other[96];
    snprintf(other, sizeof other, "%s/other", rig.dir);
    rig.options.state_dir = other;
    ck_assert_int_eq(try_start(ENDPOINT_AT(dispatch_jobs_endpoint, first, 0)), -EADDRINUSE);
    ck_assert_ptr_null(station);
    ck_assert_ptr_nonnull(strstr(why, "jobs.bind: tcp://127.0.0.1:"));
    dispatch_destroy(&dispatch);
    station = running;
    dispatch = first;
    ck_assert_uint_eq(stop(), 0);
    requests_stop(&station, NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests_thread");
    TCase *tests = tcase_create("thread");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, a_model_is_retrained_over_sockets);
    tcase_add_test(tests, a_stop_says_what_is_left_and_a_start_tells_it);
    tcase_add_test(tests, questions_come_back_answered);
    tcase_add_test(tests, a_start_that_fails_says_why_and_leaves_nothing);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

/* The job port over real sockets. Sockets are waited for, never slept for. */
#include <check.h>
#include <czmq.h>
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/dispatch/dispatch.h"
#include "tests/run_suite.h"
#include "tests/unit/tsan_libzmq.h"
#include "tests/unit/endpoint_at.h"

#define PATIENCE_MS 10000

static struct dispatch *dispatch;
static struct job_port port;
static int inbox;

static void open_port(const char *jobs, const char *feedback)
{
    struct dispatch_options options = {.doors = {.jobs = {{{&jobs, 1, NULL}}}, .feedback = {{{&feedback, 1, NULL}}}},
                                       .feedback_required = true};
    ck_assert_int_eq(dispatch_new(&dispatch, &options), 0);
    port = dispatch_port(dispatch);
    int rc = port.open(port.argument);
    ck_assert_msg(rc == 0, "%s", port.why(port.argument));
}

static void begin(void)
{
    zsys_handler_set(NULL);
    zsys_set_linger(0);
    inbox = eventfd(0, EFD_NONBLOCK);
    open_port("tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
}

static void finish(void)
{
    port.close(port.argument);
    dispatch_destroy(&dispatch);
    ck_assert_ptr_null(dispatch);
    dispatch_destroy(&dispatch);
    close(inbox);
    zsys_shutdown();
}

/* Waits as the station does, until a trainer is free. */
static void until_ready(void)
{
    for (int64_t end = zclock_mono() + PATIENCE_MS; !port.ready(port.argument, 0);) {
        ck_assert_int_lt(zclock_mono(), end);
        ck_assert_int_eq(port.wait(port.argument, inbox, INT64_C(1000000000)), 0);
    }
}

static struct feedback_letter until_letter(void)
{
    struct feedback_letter letter;
    for (int64_t end = zclock_mono() + PATIENCE_MS; !port.take(port.argument, &letter);) {
        ck_assert_int_lt(zclock_mono(), end);
        ck_assert_int_eq(port.wait(port.argument, inbox, INT64_C(1000000000)), 0);
    }
    return letter;
}

static bool holds(struct feedback_letter letter, const char *json)
{
    return letter.bytes == strlen(json) && memcmp(letter.json, json, letter.bytes) == 0;
}

static void reply(struct feedback_letter letter, const char *json)
{
    port.reply(port.argument, letter.sender, json, strlen(json));
}

static zsock_t *trainer_socket(int type, const char *endpoint)
{
    zsock_t *socket = zsock_new(type);
    ck_assert_ptr_nonnull(socket);
    zsock_set_rcvtimeo(socket, PATIENCE_MS);
    zsock_set_rcvhwm(socket, 1);
    ck_assert_int_eq(zsock_connect(socket, "%s", endpoint), 0);
    return socket;
}

START_TEST(endpoints_are_told_with_their_ports)
{
    int number = 0;
    ck_assert_int_eq(sscanf(ENDPOINT_AT(dispatch_jobs_endpoint, dispatch, 0), "tcp://127.0.0.1:%d", &number), 1);
    ck_assert_int_gt(number, 0);
    ck_assert_int_eq(sscanf(ENDPOINT_AT(dispatch_feedback_endpoint, dispatch, 0), "tcp://127.0.0.1:%d", &number), 1);
    ck_assert_str_eq(ENDPOINT_AT(dispatch_jobs_endpoint, dispatch, 1), "");
    ck_assert_str_eq(ENDPOINT_AT(dispatch_feedback_endpoint, dispatch, 1), "");
}
END_TEST

START_TEST(a_job_goes_to_who_is_connected)
{
    ck_assert(!port.ready(port.argument, 0));
    ck_assert_int_eq(port.send(port.argument, 0, "early", 5), -EAGAIN);
    zsock_t *trainer = trainer_socket(ZMQ_PULL, ENDPOINT_AT(dispatch_jobs_endpoint, dispatch, 0));
    until_ready();
    ck_assert_int_eq(port.send(port.argument, 0, "{\"job\":1}", 9), 0);
    zmsg_t *job = zmsg_recv(trainer);
    ck_assert_uint_eq(zmsg_size(job), 1);
    ck_assert(zframe_streq(zmsg_first(job), "{\"job\":1}"));
    zmsg_destroy(&job);
    /* One that does not take them has a short queue, not an endless one. */
    int sent = 0;
    until_ready();
    while (sent < 100000 && port.send(port.argument, 0, "again", 5) == 0)
        sent++;
    ck_assert_int_gt(sent, 0);
    ck_assert_int_lt(sent, 100000);
    char *first = zstr_recv(trainer);
    ck_assert_str_eq(first, "again");
    zstr_free(&first);
    zsock_destroy(&trainer);
}
END_TEST

START_TEST(a_trainer_that_left_is_not_ready)
{
    zsock_t *trainer = trainer_socket(ZMQ_PULL, ENDPOINT_AT(dispatch_jobs_endpoint, dispatch, 0));
    until_ready();
    zsock_destroy(&trainer);
    for (int64_t end = zclock_mono() + PATIENCE_MS; port.ready(port.argument, 0);) {
        ck_assert_int_lt(zclock_mono(), end);
        port.wait(port.argument, inbox, INT64_C(10000000));
    }
    ck_assert_int_eq(port.send(port.argument, 0, "late", 4), -EAGAIN);
}
END_TEST

START_TEST(a_req_is_answered)
{
    zsock_t *trainer = trainer_socket(ZMQ_REQ, ENDPOINT_AT(dispatch_feedback_endpoint, dispatch, 0));
    for (int i = 0; i < 3; i++) {
        zstr_send(trainer, "{\"say\":\"accept\"}");
        struct feedback_letter letter = until_letter();
        ck_assert(holds(letter, "{\"say\":\"accept\"}"));
        reply(letter, "{\"ok\":true}");
        char *answer = zstr_recv(trainer);
        ck_assert_pstr_eq(answer, "{\"ok\":true}");
        zstr_free(&answer);
    }
    zsock_destroy(&trainer);
}
END_TEST

/* What a DEALER sends, frame by frame ("-" is an empty frame), what the daemon makes of it, and what comes back. */
static const struct {
    const char *frames[5], *body;
    const char *back[5];
} dealers[] = {
    {{"body"}, "body", {"reply"}},
    {{"-", "body"}, "body", {"-", "reply"}},
    {{"token", "-", "body"}, "body", {"token", "-", "reply"}},
    {{"a", "b", "-", "body"}, "body", {"a", "b", "-", "reply"}},
    {{"-", "-"}, "", {"-", "reply"}},      /* a body that is empty */
    {{"-"}, "", {"-", "reply"}},           /* none at all */
    {{"a", "b"}, "", {"reply"}},           /* two bodies */
    {{"-", "a", "b"}, "", {"-", "reply"}},
};

START_TEST(a_dealer_gets_back_the_frames_it_sent)
{
    zsock_t *trainer = trainer_socket(ZMQ_DEALER, ENDPOINT_AT(dispatch_feedback_endpoint, dispatch, 0));
    zmsg_t *message = zmsg_new();
    for (int i = 0; i < 5 && dealers[_i].frames[i]; i++)
        zmsg_addstr(message, dealers[_i].frames[i][0] == '-' ? "" : dealers[_i].frames[i]);
    ck_assert_int_eq(zmsg_send(&message, trainer), 0);
    struct feedback_letter letter = until_letter();
    ck_assert(holds(letter, dealers[_i].body));
    reply(letter, "reply");
    message = zmsg_recv(trainer);
    ck_assert_ptr_nonnull(message);
    for (int i = 0; i < 5 && dealers[_i].back[i]; i++) {
        char *frame = zmsg_popstr(message);
        ck_assert_pstr_eq(frame, dealers[_i].back[i][0] == '-' ? "" : dealers[_i].back[i]);
        zstr_free(&frame);
    }
    ck_assert_uint_eq(zmsg_size(message), 0);
    zmsg_destroy(&message);
    zsock_destroy(&trainer);
}
END_TEST

START_TEST(too_many_frames_are_one_bad_message)
{
    zsock_t *trainer = trainer_socket(ZMQ_DEALER, ENDPOINT_AT(dispatch_feedback_endpoint, dispatch, 0));
    zmsg_t *message = zmsg_new();
    zmsg_addstr(message, "");
    for (int i = 0; i < 3000; i++)
        zmsg_addstr(message, "x");
    ck_assert_int_eq(zmsg_send(&message, trainer), 0);
    zmsg_t *good = zmsg_new();
    zmsg_addstr(good, "good");
    ck_assert_int_eq(zmsg_send(&good, trainer), 0);
    struct feedback_letter letter = until_letter();
    ck_assert_uint_eq(letter.bytes, 0);
    reply(letter, "bad");
    letter = until_letter();
    ck_assert(holds(letter, "good"));
    reply(letter, "ok");
    message = zmsg_recv(trainer);
    ck_assert_uint_eq(zmsg_size(message), 2);
    zmsg_destroy(&message);
    char *answer = zstr_recv(trainer);
    ck_assert_pstr_eq(answer, "ok");
    zstr_free(&answer);
    zsock_destroy(&trainer);
}
END_TEST

START_TEST(a_reply_to_one_who_left_is_lost_quietly)
{
    zsock_t *trainer = trainer_socket(ZMQ_REQ, ENDPOINT_AT(dispatch_feedback_endpoint, dispatch, 0));
    zstr_send(trainer, "bye");
    struct feedback_letter letter = until_letter();
    zsock_destroy(&trainer);
    reply(letter, "too late");
    trainer = trainer_socket(ZMQ_REQ, ENDPOINT_AT(dispatch_feedback_endpoint, dispatch, 0));
    zstr_send(trainer, "hello");
    letter = until_letter();
    ck_assert(holds(letter, "hello"));
    reply(letter, "hello");
    char *answer = zstr_recv(trainer);
    ck_assert_pstr_eq(answer, "hello");
    zstr_free(&answer);
    zsock_destroy(&trainer);
}
END_TEST

/* A trainer that is free and connected all the time must not keep the station awake: what ends the wait is the inbox. */
START_TEST(the_inbox_ends_a_wait_and_a_free_trainer_does_not)
{
    zsock_t *trainer = trainer_socket(ZMQ_PULL, ENDPOINT_AT(dispatch_jobs_endpoint, dispatch, 0));
    struct itimerspec soon = {.it_value = {.tv_nsec = 50000000}};
    uint64_t fired = 0;
    until_ready();
    int letters = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    ck_assert_int_eq(timerfd_settime(letters, 0, &soon, NULL), 0);
    ck_assert_int_eq(port.wait(port.argument, letters, INT64_C(3600) * 1000000000), 0);
    ck_assert_int_eq(read(letters, &fired, sizeof fired), (ssize_t)sizeof fired);
    close(letters);
    zsock_destroy(&trainer);
}
END_TEST

/* A project's own outlet has trainers of its own: each is ready, takes and lacks them by itself. */
START_TEST(outlets_are_apart)
{
    static const char *const any = "tcp://127.0.0.1:*";
    const struct doors_project own[] = {{"bank", {.sets = {{&any, 1, NULL}}}}, {"shop", {.sets = {{&any, 1, NULL}}}}};
    struct dispatch_options options = {
        .doors = {.jobs = {{{&any, 1, NULL}}}, .feedback = {{{&any, 1, NULL}}}, .own = own, .own_count = 2},
        .feedback_required = true};
    char at[ENDPOINT_MAX];
    port.close(port.argument);
    dispatch_destroy(&dispatch);
    ck_assert_int_eq(dispatch_new(&dispatch, &options), 0);
    port = dispatch_port(dispatch);
    ck_assert_uint_eq(port.outlets, 3);
    ck_assert_uint_eq(port.outlet(port.argument, "shop", 4), 2);
    ck_assert_uint_eq(port.outlet(port.argument, "shops", 5), 0);
    ck_assert_uint_eq(port.outlet(port.argument, "shops", 4), 2); /* not terminated */
    ck_assert_ptr_null(port.project(port.argument, 0));
    ck_assert_str_eq(port.project(port.argument, 1), "bank");
    ck_assert_int_eq(port.open(port.argument), 0);
    ck_assert(!dispatch_own_endpoint(dispatch, "mill", 0, at));
    ck_assert(!dispatch_own_endpoint(dispatch, "shop", 1, at));
    ck_assert(dispatch_own_endpoint(dispatch, "shop", 0, at));
    zsock_t *trainer = trainer_socket(ZMQ_PULL, at);
    for (int64_t end = zclock_mono() + PATIENCE_MS; !port.ready(port.argument, 2);) {
        ck_assert_int_lt(zclock_mono(), end);
        ck_assert_int_eq(port.wait(port.argument, inbox, INT64_C(1000000000)), 0);
    }
    ck_assert(!port.ready(port.argument, 0) && !port.ready(port.argument, 1));
    ck_assert_int_eq(port.send(port.argument, 0, "all", 3), -EAGAIN);
    ck_assert_int_eq(port.send(port.argument, 1, "bank", 4), -EAGAIN);
    ck_assert_int_eq(port.send(port.argument, 2, "shop", 4), 0);
    char *job = zstr_recv(trainer);
    ck_assert_pstr_eq(job, "shop");
    zstr_free(&job);
    zsock_t *other = trainer_socket(ZMQ_PULL, ENDPOINT_AT(dispatch_jobs_endpoint, dispatch, 0));
    until_ready();
    ck_assert_int_eq(port.send(port.argument, 0, "all", 3), 0);
    job = zstr_recv(other);
    ck_assert_pstr_eq(job, "all");
    zstr_free(&job);
    zsock_destroy(&trainer);
    zsock_destroy(&other);
}
END_TEST

START_TEST(a_taken_endpoint_is_said)
{
    struct dispatch *second;
    const char *jobs = ENDPOINT_AT(dispatch_jobs_endpoint, dispatch, 0), *feedback = "tcp://127.0.0.1:*";
    struct dispatch_options options = {.doors = {.jobs = {{{&jobs, 1, NULL}}}, .feedback = {{{&feedback, 1, NULL}}}},
                                       .feedback_required = true};
    ck_assert_int_eq(dispatch_new(&second, &options), 0);
    struct job_port other = dispatch_port(second);
    ck_assert_int_eq(other.open(other.argument), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(other.why(other.argument), jobs));
    ck_assert_ptr_nonnull(strstr(other.why(other.argument), "jobs.bind"));
    dispatch_destroy(&second);
    feedback = "udp://nonsense";
    jobs = "tcp://127.0.0.1:*";
    ck_assert_int_eq(dispatch_new(&second, &options), 0);
    other = dispatch_port(second);
    ck_assert_int_eq(other.open(other.argument), -EINVAL);
    ck_assert_ptr_nonnull(strstr(other.why(other.argument), "feedback.bind: udp://nonsense"));
    dispatch_destroy(&second);
}
END_TEST

START_TEST(unix_sockets_work_too)
{
    char jobs[64], feedback[64];
    port.close(port.argument);
    dispatch_destroy(&dispatch);
    snprintf(jobs, sizeof jobs, "ipc:///tmp/driftd-test-jobs-%d", (int)getpid());
    snprintf(feedback, sizeof feedback, "ipc:///tmp/driftd-test-feedback-%d", (int)getpid());
    open_port(jobs, feedback);
    zsock_t *trainer = trainer_socket(ZMQ_PULL, jobs), *talker = trainer_socket(ZMQ_REQ, feedback);
    until_ready();
    ck_assert_int_eq(port.send(port.argument, 0, "x", 1), 0);
    char *job = zstr_recv(trainer);
    ck_assert_pstr_eq(job, "x");
    zstr_free(&job);
    zstr_send(talker, "y");
    struct feedback_letter letter = until_letter();
    reply(letter, "z");
    char *answer = zstr_recv(talker);
    ck_assert_pstr_eq(answer, "z");
    zstr_free(&answer);
    zsock_destroy(&trainer);
    zsock_destroy(&talker);
    unlink(jobs + 6);
    unlink(feedback + 6);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("dispatch");
    TCase *tests = tcase_create("sockets");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, endpoints_are_told_with_their_ports);
    tcase_add_test(tests, a_job_goes_to_who_is_connected);
    tcase_add_test(tests, a_trainer_that_left_is_not_ready);
    tcase_add_test(tests, a_req_is_answered);
    tcase_add_loop_test(tests, a_dealer_gets_back_the_frames_it_sent, 0, sizeof dealers / sizeof *dealers);
    tcase_add_test(tests, too_many_frames_are_one_bad_message);
    tcase_add_test(tests, a_reply_to_one_who_left_is_lost_quietly);
    tcase_add_test(tests, the_inbox_ends_a_wait_and_a_free_trainer_does_not);
    tcase_add_test(tests, outlets_are_apart);
    tcase_add_test(tests, a_taken_endpoint_is_said);
    tcase_add_test(tests, unix_sockets_work_too);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

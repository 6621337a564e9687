#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/observe/observe.h"
#include "tests/run_suite.h"
#include "tests/unit/endpoint_at.h"

static struct observe *observe;
static char why[ENDPOINT_WHY_MAX];

static void enter(void)
{
    static const char *const bind[] = {"tcp://127.0.0.1:*"};
    static const struct doors_project own = {"p", {.sets = {{bind, 1, NULL}}}};
    struct doors_letter doors = {.wish = {.sets = {{bind, 1, NULL}}}, .own = &own, .own_count = 1};
    zsys_handler_set(NULL);
    ck_assert_int_eq(observe_new(&observe, &doors, why), 0);
    ck_assert_str_ne(ENDPOINT_AT(observe_endpoint, observe, 0), "");
    ck_assert_str_eq(ENDPOINT_AT(observe_endpoint, observe, 1), "");
}

static void leave(void)
{
    observe_stop(observe);
    observe_destroy(&observe);
    ck_assert_ptr_null(observe);
}

static void put(const char *topic, unsigned number)
{
    char json[32];
    snprintf(json, sizeof json, "{\"n\":%u}", number);
    observe_put(observe, cloud_event_new(topic, NULL, false, json, strlen(json)));
}

START_TEST(a_subscriber_gets_topic_and_json)
{
    ck_assert_int_eq(observe_start(observe), 0);
    zsock_t *sub = zsock_new(ZMQ_SUB);
    void *handle = zsock_resolve(sub);
    zsock_set_subscribe(sub, "driftd.model.recovered/");
    ck_assert_int_eq(zsock_connect(sub, "%s", ENDPOINT_AT(observe_endpoint, observe, 0)), 0);
    /* Until the subscription has arrived events pass by; each try puts one. */
    zmq_pollitem_t item = {.socket = handle, .events = ZMQ_POLLIN};
    for (unsigned i = 0; i < 2000 && zmq_poll(&item, 1, 10) == 0; i++)
        put("driftd.model.recovered/p/n/v", 7);
    put("driftd.model.stale/p/n/v", 8);
    put("driftd.model.recovered/p/n/v", 9);
    char got[64] = "";
    int number = 0;
    zsock_set_rcvtimeo(sub, 20000);
    while (number != 9) {
        int len = zmq_recv(handle, got, sizeof got - 1, 0);
        ck_assert_int_gt(len, 0);
        got[len] = '\0';
        ck_assert_str_eq(got, "driftd.model.recovered/p/n/v");
        ck_assert(zsock_rcvmore(sub));
        len = zmq_recv(handle, got, sizeof got - 1, 0);
        ck_assert_int_gt(len, 0);
        got[len] = '\0';
        ck_assert(!zsock_rcvmore(sub));
        ck_assert_int_eq(sscanf(got, "{\"n\":%d}", &number), 1);
    }
    zsock_destroy(&sub);
}
END_TEST

static void put_of_model(const char *topic, unsigned number)
{
    char json[32];
    snprintf(json, sizeof json, "{\"n\":%u}", number);
    observe_put(observe, cloud_event_new(topic, NULL, true, json, strlen(json)));
}

/* A project's own socket has what is about its models, and nothing that only looks like it. */
START_TEST(a_project_has_a_socket_of_its_own)
{
    char at[ENDPOINT_MAX], got[64] = "";
    ck_assert(!observe_own_endpoint(observe, "q", 0, at));
    ck_assert(observe_own_endpoint(observe, "p", 0, at));
    ck_assert_str_ne(at, ENDPOINT_AT(observe_endpoint, observe, 0));
    ck_assert_int_eq(observe_start(observe), 0);
    zsock_t *sub = zsock_new(ZMQ_SUB);
    void *handle = zsock_resolve(sub);
    zsock_set_subscribe(sub, "");
    ck_assert_int_eq(zsock_connect(sub, "%s", at), 0);
    zmq_pollitem_t item = {.socket = handle, .events = ZMQ_POLLIN};
    for (unsigned i = 0; i < 2000 && zmq_poll(&item, 1, 10) == 0; i++)
        put_of_model("t/p/n/v", 1);
    put("driftd.reload", 2);
    put("t/p/n/v", 3); /* a node of that name */
    put_of_model("t/pp/n/v", 4);
    put_of_model("t/q/p/v", 5);
    put_of_model("last/p/n/v", 6);
    zsock_set_rcvtimeo(sub, 20000);
    for (int number = 0; number != 6;) {
        int len = zmq_recv(handle, got, sizeof got - 1, 0);
        ck_assert_int_gt(len, 0);
        got[len] = '\0';
        ck_assert_ptr_nonnull(strstr(got, "/p/n/v"));
        len = zmq_recv(handle, got, sizeof got - 1, 0);
        ck_assert_int_gt(len, 0);
        got[len] = '\0';
        ck_assert_int_eq(sscanf(got, "{\"n\":%d}", &number), 1);
        ck_assert(number == 1 || number == 6);
    }
    zsock_destroy(&sub);
}
END_TEST

/* The station does not run yet: what waits is bounded, the rest is dropped and counted. What waits goes out at the end.
 */
START_TEST(what_waits_is_bounded)
{
    for (unsigned i = 0; i < OBSERVE_WAITING_MAX + 5; i++)
        put("driftd.model.stale/p/n/v", i);
    ck_assert_uint_eq(observe_dropped(observe), 5);
    ck_assert_uint_eq(observe_sent(observe), 0);
    ck_assert_int_eq(observe_start(observe), 0);
    observe_stop(observe);
    ck_assert_uint_eq(observe_sent(observe), OBSERVE_WAITING_MAX);
    ck_assert_uint_gt(heart_count(observe_heart(observe)), 0);
}
END_TEST

START_TEST(an_endpoint_that_is_taken)
{
    struct observe *second;
    char endpoint[ENDPOINT_MAX];
    const char *const bind[] = {endpoint};
    struct doors_letter doors = {.wish = {.sets = {{bind, 1, NULL}}}};
    strcpy(endpoint, ENDPOINT_AT(observe_endpoint, observe, 0));
    ck_assert_int_eq(observe_new(&second, &doors, why), -EADDRINUSE);
    ck_assert_ptr_null(second);
    ck_assert_ptr_eq(strstr(why, "events.bind: tcp://127.0.0.1:"), why);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("observe");
    TCase *tcase = tcase_create("observe");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, enter, leave);
    tcase_add_test(tcase, a_subscriber_gets_topic_and_json);
    tcase_add_test(tcase, a_project_has_a_socket_of_its_own);
    tcase_add_test(tcase, what_waits_is_bounded);
    tcase_add_test(tcase, an_endpoint_that_is_taken);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/observe/observe.h"
#include "tests/run_suite.h"
#include "tests/unit/endpoint_at.h"

#define LARGE 8192

static struct observe *observe;
static char why[ENDPOINT_WHY_MAX];

static void enter(void)
{
    static const char *const bind[] = {"tcp://127.0.0.1:*"};
    static const struct doors_project own = {"p", {.sets = {{bind, 1, NULL}}}};
    struct doors_letter doors = {.wish = {.sets = {{bind, 1, NULL}}}, .own = &own, .own_count = 1};
    zsys_handler_set(NULL);
    ck_assert_int_eq(observe_new(&observe, &doors, NULL, why), 0);
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

/* The number of the next event that a subscriber gets; 0: none comes within `wait_ms`. */
static unsigned long long next_number(zsock_t *sub, int wait_ms)
{
    static char got[LARGE + 128];
    zmq_pollitem_t item = {.socket = zsock_resolve(sub), .events = ZMQ_POLLIN};
    if (zmq_poll(&item, 1, wait_ms) == 0)
        return 0;
    ck_assert_int_gt(zmq_recv(item.socket, got, sizeof got - 1, 0), 0);
    int len = zmq_recv(item.socket, got, sizeof got - 1, 0);
    ck_assert_int_gt(len, 0);
    got[len] = '\0';
    const char *member = strstr(got, ",\"sequence\":\"");
    ck_assert_ptr_nonnull(member);
    ck_assert_str_eq(member + strlen(member) - 2, "\"}");
    return strtoull(member + strlen(",\"sequence\":\""), NULL, 10);
}

static void put_large(void)
{
    static char json[LARGE];
    memset(json, ' ', sizeof json);
    json[0] = '{';
    json[sizeof json - 1] = '}';
    const uint64_t before = observe_sent(observe);
    observe_put(observe, cloud_event_new("large", NULL, false, json, sizeof json));
    while (observe_sent(observe) == before)
        zclock_sleep(1);
}

static zsock_t *subscriber(int room)
{
    zsock_t *sub = zsock_new(ZMQ_SUB);
    zsock_set_rcvhwm(sub, room);
    zsock_set_subscribe(sub, "");
    ck_assert_int_eq(zsock_connect(sub, "%s", ENDPOINT_AT(observe_endpoint, observe, 0)), 0);
    while (next_number(sub, 10) == 0)
        put_large();
    return sub;
}

/* Until nothing comes any more. */
static void read_all(zsock_t *sub, unsigned long long *heard, unsigned long long *missing)
{
    for (unsigned long long number; (number = next_number(sub, 300)) != 0; *heard = number)
        *missing += *heard ? number - *heard - 1 : 0;
}

/* Who reads misses nothing, and who does not is told of: in a counter, and by the numbers of what it reads afterwards. */
START_TEST(an_observer_that_does_not_keep_up)
{
    ck_assert_int_eq(observe_start(observe), 0);
    zsock_t *fast = subscriber(0), *slow = subscriber(1);
    unsigned long long last = 0, heard = 0, missing = 0;
    while (next_number(fast, 100))
        ;
    for (unsigned times = 1; times <= 2; times++) {
        for (unsigned put = 0; put < 100000 && observe_behind(observe) < times; put++) {
            put_large();
            const unsigned long long number = next_number(fast, 20000);
            ck_assert(last == 0 || number == last + 1);
            last = number;
        }
        ck_assert_uint_eq(observe_behind(observe), times);
        const unsigned long long missing_before = missing;
        read_all(slow, &heard, &missing);
        put_large(); /* that there is something behind the gap */
        last = next_number(fast, 20000);
        read_all(slow, &heard, &missing);
        ck_assert_uint_eq(heard, last);
        ck_assert_uint_eq(missing, missing_before + 1);
    }
    ck_assert_uint_eq(observe_dropped(observe), 0);
    zsock_destroy(&fast);
    zsock_destroy(&slow);
}
END_TEST

/* What had no room before it got a number is missing in the numbers as well. */
START_TEST(events_that_were_dropped_are_missing_in_the_numbers)
{
    for (unsigned i = 0; i < OBSERVE_WAITING_MAX + 5; i++)
        put("driftd.model.stale/p/n/v", i);
    ck_assert_int_eq(observe_start(observe), 0);
    while (observe_sent(observe) < OBSERVE_WAITING_MAX)
        zclock_sleep(1);
    zsock_t *sub = subscriber(0);
    put_large();
    const unsigned long long newest = observe_sent(observe) + 5;
    unsigned long long number = 0;
    while (number < newest)
        ck_assert_uint_ne(number = next_number(sub, 20000), 0);
    ck_assert_uint_eq(number, newest);
    zsock_destroy(&sub);
}
END_TEST

START_TEST(an_endpoint_that_is_taken)
{
    struct observe *second;
    char endpoint[ENDPOINT_MAX];
    const char *const bind[] = {endpoint};
    struct doors_letter doors = {.wish = {.sets = {{bind, 1, NULL}}}};
    strcpy(endpoint, ENDPOINT_AT(observe_endpoint, observe, 0));
    ck_assert_int_eq(observe_new(&second, &doors, NULL, why), -EADDRINUSE);
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
    tcase_add_test(tcase, an_observer_that_does_not_keep_up);
    tcase_add_test(tcase, events_that_were_dropped_are_missing_in_the_numbers);
    tcase_add_test(tcase, an_endpoint_that_is_taken);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

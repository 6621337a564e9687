#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/ingest/ingest.h"
#include "tests/run_suite.h"
#include "tests/unit/endpoint_at.h"

/* What the sink has got, for the test's thread to look at. */
struct seen {
    enum frame_kind kind;
    uint32_t parts;
    char topic[64], payload[64];
};

enum { SEEN_MAX = 20000 };
static struct {
    pthread_mutex_t mutex;
    struct seen at[SEEN_MAX];
    uint32_t count, turns;
    int fd; /* readable when count has grown */
} sink = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void keep(const char *at, size_t len, char out[64])
{
    len = len < 63 ? len : 63;
    memcpy(out, at, len);
    out[len] = '\0';
}

static void take(void *argument, struct frame *frames, uint32_t count, struct now now)
{
    (void)argument;
    ck_assert_uint_le(count, FRAME_BATCH_MAX);
    ck_assert(now.steady_ns > 0);
    pthread_mutex_lock(&sink.mutex);
    for (uint32_t i = 0; i < count && sink.count < SEEN_MAX; i++) {
        struct seen *seen = &sink.at[sink.count++];
        seen->kind = frames[i].kind;
        seen->parts = frames[i].parts;
        keep(frames[i].topic, frames[i].topic_len, seen->topic);
        keep(frames[i].payload, frames[i].payload_len, seen->payload);
    }
    pthread_mutex_unlock(&sink.mutex);
    eventfd_write(sink.fd, 1);
}

/* Says twice that there is more to do, before the first frame. */
static bool turn(void *argument, struct now now)
{
    (void)argument, (void)now;
    if (sink.turns < 2)
        ck_assert_uint_eq(sink.count, 0);
    return sink.turns++ < 2;
}

static uint32_t seen_count(void)
{
    pthread_mutex_lock(&sink.mutex);
    uint32_t count = sink.count;
    pthread_mutex_unlock(&sink.mutex);
    return count;
}

static void wait_for(uint32_t count)
{
    while (seen_count() < count) {
        struct pollfd poller = {.fd = sink.fd, .events = POLLIN};
        ck_assert_int_eq(poll(&poller, 1, 20000), 1);
        eventfd_t ignored;
        eventfd_read(sink.fd, &ignored);
    }
}

static struct ingest *ingest;
static char why[ENDPOINT_WHY_MAX];

static void begin(const struct ingest_options *options)
{
    zsys_handler_set(NULL);
    sink.fd = eventfd(0, 0);
    sink.count = sink.turns = 0;
    ck_assert_msg(ingest_new(&ingest, options, why) == 0, "%s", why);
    struct ingest_sink to = {.take = take, .turn = turn, .fd = -1};
    ck_assert_int_eq(ingest_start(ingest, &to), 0);
}

static void end(void)
{
    ingest_stop_begin(ingest);
    while (!ingest_stop_finished(ingest))
        poll(NULL, 0, 1);
    ingest_destroy(&ingest);
    ck_assert_ptr_null(ingest);
    close(sink.fd);
}

/* Where it binds: two that are read without libzmq, and one that is not. */
static const char *place(int which)
{
    static char text[64];
    if (which == 0)
        return "tcp://127.0.0.1:*";
    snprintf(text, sizeof text, "ipc://%scheck_ingest.%d", which == 1 ? "/tmp/" : "@", (int)getpid());
    return text;
}

/* A publisher that has heard all three subscriptions: nothing it sends is lost for want of a subscriber. */
static zsock_t *publisher(const char *endpoint, bool connects)
{
    zsock_t *pub = zsock_new(ZMQ_XPUB);
    zsock_set_rcvtimeo(pub, 20000);
    zsock_set_sndhwm(pub, 0);
    zsock_set_xpub_verbose(pub, 1); /* says so too when a connection comes back with subscriptions it had */
    if (connects)
        ck_assert_int_eq(zsock_connect(pub, "%s", endpoint), 0);
    else
        ck_assert_int_ge(zsock_bind(pub, "%s", endpoint), 0);
    return pub;
}

static void hear_subscriptions(zsock_t *pub)
{
    char got[32];
    for (int i = 0; i < 3; i++)
        ck_assert_int_gt(zmq_recv(zsock_resolve(pub), got, sizeof got, 0), 0);
}

static void publish(zsock_t *pub, const char *const *parts)
{
    for (; *parts; parts++)
        ck_assert_int_ge(zmq_send(zsock_resolve(pub), *parts, strlen(*parts), parts[1] ? ZMQ_SNDMORE : 0), 0);
}

#define PUBLISH(pub, ...) publish(pub, (const char *const[]){__VA_ARGS__, NULL})

START_TEST(messages_of_every_shape)
{
    const char *const bind[] = {place(_i)};
    begin(&(struct ingest_options){.doors = {{{bind, 1, NULL}}}, .queue = 1000, .max_message_bytes = 1000});
    zsock_t *pub = publisher(ENDPOINT_AT(ingest_endpoint, ingest, 0), true);
    hear_subscriptions(pub);
    PUBLISH(pub, "metrics/p/n/v", "{}");
    PUBLISH(pub, "batch/node", "[]");
    PUBLISH(pub, "beacon/node", "{}");
    PUBLISH(pub, "metrics/alone");
    PUBLISH(pub, "metrics/p/n/v", "a", "b");
    PUBLISH(pub, "metrics/p/n/v", "1", "2", "3", "4", "5", "6", "7", "8", "9");
    PUBLISH(pub, "metrics/", "");
    PUBLISH(pub, "other/p/n/v", "{}"); /* not subscribed to: does not even come */
    PUBLISH(pub, "metrics/p/n/v", "last");
    wait_for(8);
    static const struct seen expected[] = {
        {FRAME_METRICS, 2, "metrics/p/n/v", "{}"}, {FRAME_BATCH, 2, "batch/node", "[]"},
        {FRAME_BEACON, 2, "beacon/node", "{}"},    {FRAME_WRONG, 1, "metrics/alone", ""},
        {FRAME_WRONG, 3, "metrics/p/n/v", "a"},    {FRAME_WRONG, 10, "metrics/p/n/v", "1"},
        {FRAME_METRICS, 2, "metrics/", ""},        {FRAME_METRICS, 2, "metrics/p/n/v", "last"},
    };
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(sink.at[i].kind, expected[i].kind);
        ck_assert_uint_eq(sink.at[i].parts, expected[i].parts);
        ck_assert_str_eq(sink.at[i].topic, expected[i].topic);
        ck_assert_str_eq(sink.at[i].payload, expected[i].payload);
    }
    zsock_destroy(&pub);
    end();
}
END_TEST

/* Somewhat too large comes through to be counted; much too large ends the connection, and the next one is fine. */
START_TEST(too_large)
{
    const char *const bind[] = {place(_i)};
    begin(&(struct ingest_options){.doors = {{{bind, 1, NULL}}}, .queue = 1000, .max_message_bytes = 1000});
    static char large[4001], huge[4002];
    memset(large, 'x', sizeof large - 1);
    memset(huge, 'y', sizeof huge - 1);
    zsock_t *pub = publisher(ENDPOINT_AT(ingest_endpoint, ingest, 0), true);
    hear_subscriptions(pub);
    PUBLISH(pub, "metrics/p/n/v", large);
    PUBLISH(pub, "metrics/p/n/v", huge);
    wait_for(2);
    ck_assert_int_eq(sink.at[0].payload[0], 'x');
    ck_assert_int_eq(sink.at[1].kind, FRAME_TOO_LARGE);
    ck_assert_str_eq(sink.at[1].topic, "metrics/p/n/v");
    hear_subscriptions(pub); /* it has come back */
    PUBLISH(pub, "metrics/p/n/v", "small");
    wait_for(3);
    ck_assert_str_eq(sink.at[2].payload, "small");
    zsock_destroy(&pub);
    end();
}
END_TEST

START_TEST(it_connects_too)
{
    char endpoint[64], *connect[] = {endpoint};
    snprintf(endpoint, sizeof endpoint, "ipc:///tmp/check_ingest.%d", (int)getpid());
    zsock_t *pub = publisher(endpoint, false);
    begin(&(struct ingest_options){.connect = connect, .connect_count = 1, .queue = 1000, .max_message_bytes = 1000});
    hear_subscriptions(pub);
    PUBLISH(pub, "metrics/p/n/v", "{}");
    wait_for(1);
    ck_assert_str_eq(ENDPOINT_AT(ingest_endpoint, ingest, 0), endpoint);
    end();
    zsock_destroy(&pub);
    unlink(endpoint + strlen("ipc://"));
}
END_TEST

/* The end gives the endpoints up and hands on, in order, what has been received. */
START_TEST(what_was_received_is_handed_on)
{
    const char *const bind[] = {place(_i)};
    char text[32], endpoint[ENDPOINT_MAX];
    begin(&(struct ingest_options){.doors = {{{bind, 1, NULL}}}, .queue = 1000, .max_message_bytes = 1000});
    strcpy(endpoint, ENDPOINT_AT(ingest_endpoint, ingest, 0));
    zsock_t *pub = publisher(endpoint, true);
    hear_subscriptions(pub);
    for (int i = 0; i < 10000; i++) {
        snprintf(text, sizeof text, "%d", i);
        PUBLISH(pub, "metrics/p/n/v", text);
    }
    wait_for(1);
    uint32_t before = seen_count();
    end();
    ck_assert_uint_ge(sink.count, before);
    for (uint32_t i = 0; i < sink.count; i++)
        ck_assert_uint_eq((uint32_t)atoi(sink.at[i].payload), i);
    zsock_t *next = zsock_new(ZMQ_SUB); /* the endpoint is free */
    ck_assert_int_eq(zmq_bind(zsock_resolve(next), endpoint), 0);
    zsock_destroy(&next);
    if (_i == 1)
        unlink(endpoint + strlen("ipc://")); /* libzmq leaves it */
    zsock_destroy(&pub);
}
END_TEST

START_TEST(an_endpoint_that_is_taken)
{
    static const char *const bind[] = {"tcp://127.0.0.1:*"};
    char endpoint[ENDPOINT_MAX];
    const char *const same[] = {endpoint};
    begin(&(struct ingest_options){.doors = {{{bind, 1, NULL}}}, .queue = 1000, .max_message_bytes = 1000});
    strcpy(endpoint, ENDPOINT_AT(ingest_endpoint, ingest, 0));
    struct ingest *second;
    ck_assert_int_eq(
        ingest_new(&second,
                   &(struct ingest_options){.doors = {{{same, 1, NULL}}}, .queue = 1000, .max_message_bytes = 1000},
                   why),
        -EADDRINUSE);
    ck_assert_ptr_null(second);
    ck_assert_ptr_eq(strstr(why, "metrics.bind: tcp://127.0.0.1:"), why);
    end();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ingest");
    TCase *tcase = tcase_create("ingest");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, messages_of_every_shape, 0, 3);
    tcase_add_loop_test(tcase, too_large, 0, 2);
    tcase_add_test(tcase, it_connects_too);
    tcase_add_loop_test(tcase, what_was_received_is_handed_on, 0, 3);
    tcase_add_test(tcase, an_endpoint_that_is_taken);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

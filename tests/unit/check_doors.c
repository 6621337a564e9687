#include "daemon/base/doors.h"
#include "tests/run_suite.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/endpoint_at.h"

#define PATIENCE_MS 10000

static zsock_t *push;
static struct doors *doors;
static char why[ENDPOINT_WHY_MAX];
static const char *const any[] = {"tcp://127.0.0.1:*"};

static void enter(void)
{
    setenv("ZSYS_SIGHANDLER", "none", 1);
    push = zsock_new(ZMQ_PUSH);
    zsock_set_immediate(push, 1);
    zsock_set_linger(push, 0);
    ck_assert_int_eq(doors_new(&doors, "jobs.bind", "jobs"), 0);
}

static void leave(void)
{
    doors_shut(doors, push);
    ck_assert_str_eq(ENDPOINT_AT(doors_endpoint, doors, 0), "");
    doors_destroy(&doors);
    ck_assert_ptr_null(doors);
    doors_destroy(&doors);
    zsock_destroy(&push);
}

static int open_doors(const char *const *first, const char *const *second, bool cut)
{
    struct doors_wish wish = {.sets = {{first, first ? 1 : 0, NULL}, {second, second ? 1 : 0, NULL}}, .cut = cut};
    return doors_open(doors, push, &wish, why);
}

static void copy_endpoint(uint32_t n, char out[ENDPOINT_MAX])
{
    ck_assert_msg(doors_endpoint(doors, n, out), "there is no endpoint %u", n);
}

/* A peer, and what its monitor tells. */
struct peer {
    zsock_t *pull, *pair;
    void *monitor; /* of the pair, for libzmq's own functions */
};

static uint16_t next_event(struct peer *peer)
{
    zmq_msg_t frame;
    zmq_pollitem_t item = {.socket = peer->monitor, .events = ZMQ_POLLIN};
    uint16_t event = 0;
    if (zmq_poll(&item, 1, PATIENCE_MS) != 1)
        return 0;
    zmq_msg_init(&frame);
    ck_assert_int_ge(zmq_msg_recv(&frame, peer->monitor, 0), 6);
    memcpy(&event, zmq_msg_data(&frame), sizeof event);
    ck_assert_int_ge(zmq_msg_recv(&frame, peer->monitor, 0), 0);
    zmq_msg_close(&frame);
    return event;
}

static bool monitor_waits(struct peer *peer)
{
    zmq_pollitem_t item = {.socket = peer->monitor, .events = ZMQ_POLLIN};
    return zmq_poll(&item, 1, 0) == 1;
}

static void peer_open(struct peer *peer, const char *endpoint)
{
    peer->pull = zsock_new(ZMQ_PULL);
    zsock_set_rcvtimeo(peer->pull, PATIENCE_MS);
    ck_assert_int_eq(zmq_socket_monitor(zsock_resolve(peer->pull), "inproc://peer",
                                        ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED),
                     0);
    peer->pair = zsock_new(ZMQ_PAIR);
    ck_assert_int_eq(zsock_connect(peer->pair, "inproc://peer"), 0);
    peer->monitor = zsock_resolve(peer->pair);
    ck_assert_int_eq(zsock_connect(peer->pull, "%s", endpoint), 0);
    ck_assert_uint_eq(next_event(peer), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
}

static void peer_close(struct peer *peer)
{
    zmq_socket_monitor(zsock_resolve(peer->pull), NULL, 0);
    zsock_destroy(&peer->pair);
    zsock_destroy(&peer->pull);
}

START_TEST(both_sets_are_bound)
{
    char first[ENDPOINT_MAX], second[ENDPOINT_MAX];
    ck_assert_int_eq(open_doors(any, any, false), 0);
    copy_endpoint(0, first);
    copy_endpoint(1, second);
    ck_assert_str_ne(first, second);
    ck_assert_str_eq(ENDPOINT_AT(doors_endpoint, doors, 2), "");
    ck_assert_int_eq(open_doors(any, NULL, false), 0);
    ck_assert_str_eq(ENDPOINT_AT(doors_endpoint, doors, 0), first);
    ck_assert_str_eq(ENDPOINT_AT(doors_endpoint, doors, 1), "");
}
END_TEST

START_TEST(what_stays_is_left_alone_and_what_is_cut_comes_again)
{
    char endpoint[ENDPOINT_MAX];
    struct peer peer;
    ck_assert_int_eq(open_doors(any, NULL, false), 0);
    copy_endpoint(0, endpoint);
    peer_open(&peer, endpoint);
    ck_assert_int_eq(open_doors(any, any, false), 0);
    ck_assert_int_eq(open_doors(any, NULL, false), 0);
    ck_assert(!monitor_waits(&peer));
    ck_assert_int_eq(open_doors(any, NULL, true), 0);
    ck_assert_str_eq(ENDPOINT_AT(doors_endpoint, doors, 0), endpoint);
    ck_assert_uint_eq(next_event(&peer), ZMQ_EVENT_DISCONNECTED);
    ck_assert_uint_eq(next_event(&peer), ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    zsock_set_sndtimeo(push, PATIENCE_MS);
    ck_assert_int_eq(zstr_send(push, "job"), 0);
    char *job = zstr_recv(peer.pull);
    ck_assert_str_eq(job, "job");
    zstr_free(&job);
    peer_close(&peer);
}
END_TEST

/* Of a wish that cannot be had whole the rest is fulfilled, and the next call tries again. */
START_TEST(an_endpoint_that_is_taken)
{
    char endpoint[ENDPOINT_MAX];
    zsock_t *other = zsock_new(ZMQ_PULL);
    int port = zsock_bind(other, "tcp://127.0.0.1:*");
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", port);
    const char *const taken[] = {endpoint};
    ck_assert_int_eq(open_doors(any, taken, false), -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(why, endpoint));
    ck_assert_ptr_eq(strstr(why, "jobs.bind: "), why);
    ck_assert_str_ne(ENDPOINT_AT(doors_endpoint, doors, 0), "");
    ck_assert_str_eq(ENDPOINT_AT(doors_endpoint, doors, 1), "");
    zsock_destroy(&other);
    int rc = -EADDRINUSE;
    for (int i = 0; rc == -EADDRINUSE && i < PATIENCE_MS; i++) { /* libzmq closes it in a thread of its own */
        zclock_sleep(1);
        rc = open_doors(any, taken, false);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_str_eq(ENDPOINT_AT(doors_endpoint, doors, 1), endpoint);
}
END_TEST

/* Who listens without libzmq, at one endpoint. */
static struct listener {
    int fd, opened, shut;
    char asked[ENDPOINT_MAX];
} listener;

static int listen_there(void *argument, const char *key, const char *endpoint, char actual[ENDPOINT_MAX],
                        char sentence[ENDPOINT_WHY_MAX])
{
    struct listener *self = argument;
    self->opened++;
    snprintf(self->asked, sizeof self->asked, "%s", endpoint);
    self->fd = endpoint_listen(key, endpoint, 40, actual, sentence);
    return self->fd < 0 ? self->fd : 0;
}

static void shut_there(void *argument, const char *actual)
{
    struct listener *self = argument;
    self->shut++;
    snprintf(self->asked, sizeof self->asked, "%s", actual);
    close(self->fd);
}

/* Plain TCP without a key is listened at without libzmq: it stays, is cut, and keeps its port where the socket takes it
 * over for a key, and back. */
START_TEST(plain_endpoints_are_not_the_sockets)
{
    char first[ENDPOINT_MAX], endpoint[ENDPOINT_MAX];
    struct curve_server curve = {.secret = ""};
    struct doors_wish with_key = {.sets = {{any, 1, &curve}}};
    ck_assert_int_eq(zmq_curve_keypair(endpoint, curve.secret), 0);
    listener = (struct listener){.fd = -1};
    doors_set_plain(doors, &(struct doors_plain){&listener, listen_there, shut_there});
    ck_assert_int_eq(open_doors(any, NULL, false), 0);
    copy_endpoint(0, first);
    ck_assert_int_eq(listener.opened, 1);
    ck_assert(!doors_any_of_socket(doors));
    ck_assert_int_eq(open_doors(any, NULL, false), 0);
    ck_assert_int_eq(listener.opened + listener.shut, 1);
    ck_assert_int_eq(open_doors(any, NULL, true), 0);
    ck_assert_int_eq(listener.opened, 2);
    ck_assert_int_eq(listener.shut, 1);
    ck_assert_str_eq(listener.asked, first);
    ck_assert_int_eq(doors_open(doors, push, &with_key, why), 0);
    ck_assert_int_eq(listener.opened, 2);
    ck_assert_int_eq(listener.shut, 2);
    ck_assert(doors_any_of_socket(doors));
    copy_endpoint(0, endpoint);
    ck_assert_str_eq(endpoint, first);
    ck_assert_int_eq(open_doors(any, NULL, false), 0);
    ck_assert_int_gt(listener.opened, 2); /* libzmq gives it up a moment later */
    ck_assert_str_eq(listener.asked, first);
    ck_assert(!doors_any_of_socket(doors));
    doors_shut(doors, push);
    ck_assert_int_eq(listener.shut, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doors");
    TCase *cases = tcase_create("doors");
    tcase_add_checked_fixture(cases, enter, leave);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, both_sets_are_bound);
    tcase_add_test(cases, what_stays_is_left_alone_and_what_is_cut_comes_again);
    tcase_add_test(cases, an_endpoint_that_is_taken);
    tcase_add_test(cases, plain_endpoints_are_not_the_sockets);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

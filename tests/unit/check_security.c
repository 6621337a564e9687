/* The one at the door: how a ZAP request is decided, what a key file must be, and that nobody is let in while nobody
 * answers. Handshakes are real, over TCP; what happens is read from the sockets' own monitors. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/security/security.h"
#include "daemon/security/zap.h"
#include "tests/run_suite.h"

#define LIMIT_MS 60000

struct pair {
    char public_key[41], secret[41];
};

static struct pair server, node, stranger;
static struct keyring *ring;
static char why[CURVE_WHY_MAX];

static void allow(const struct pair *pair, enum keyring_role role)
{
    struct keyring_entry entry = {.name = "it", .role = role};
    memcpy(entry.key, pair->public_key, sizeof entry.key);
    ck_assert_int_eq(keyring_replace(ring, &entry, 1, NULL, 0), 0);
}

static void begin(void)
{
    ck_assert_int_eq(zmq_curve_keypair(server.public_key, server.secret), 0);
    ck_assert_int_eq(zmq_curve_keypair(node.public_key, node.secret), 0);
    ck_assert_int_eq(zmq_curve_keypair(stranger.public_key, stranger.secret), 0);
    ck_assert_int_eq(keyring_new(&ring), 0);
}

static void finish(void)
{
    keyring_destroy(&ring);
}

/* -- one request -- */

static struct zap_decision decide(const char *version, const char *domain, const char *mechanism, const void *key,
                                  size_t key_len, uint32_t count)
{
    struct keyring_reader reader;
    struct zap_frame frames[ZAP_FRAMES] = {{version, strlen(version)}, {"7", 1}, {domain, strlen(domain)},
                                           {"127.0.0.1", 9}, {"", 0}, {mechanism, strlen(mechanism)}, {key, key_len}};
    keyring_open(&reader, ring);
    struct zap_decision out = zap_decide(frames, count, &reader);
    out.name = NULL;
    keyring_close(&reader);
    return out;
}

START_TEST(a_request_is_decided)
{
    uint8_t key[32];
    ck_assert_ptr_nonnull(zmq_z85_decode(key, node.public_key));
    allow(&node, KEYRING_NODE);
    struct zap_decision good = decide("1.0", "metrics", "CURVE", key, 32, 7);
    ck_assert_int_eq(good.verdict, ZAP_ACCEPTED);
    ck_assert_str_eq(good.status, "200");
    ck_assert_str_eq(good.key, node.public_key);
    static const char *const others[] = {"jobs", "feedback", "events", "", "metric", "metricss"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        ck_assert_int_eq(decide("1.0", others[i], "CURVE", key, 32, 7).verdict, ZAP_WRONG_ROLE);
        ck_assert_str_eq(decide("1.0", others[i], "CURVE", key, 32, 7).status, "300");
    }
    ck_assert_int_eq(decide("1.1", "metrics", "CURVE", key, 32, 7).verdict, ZAP_MALFORMED);
    ck_assert_int_eq(decide("1.0", "metrics", "NULL", key, 32, 7).verdict, ZAP_MALFORMED);
    ck_assert_int_eq(decide("1.0", "metrics", "CURVE", key, 31, 7).verdict, ZAP_MALFORMED);
    ck_assert_int_eq(decide("1.0", "metrics", "CURVE", key, 32, 8).verdict, ZAP_MALFORMED);
    ck_assert_int_eq(decide("1.0", "metrics", "CURVE", key, 32, 0).verdict, ZAP_MALFORMED);
    ck_assert_int_eq(keyring_replace(ring, NULL, 0, NULL, 0), 0);
    struct zap_decision unknown = decide("1.0", "metrics", "CURVE", key, 32, 7);
    ck_assert_int_eq(unknown.verdict, ZAP_UNKNOWN);
    ck_assert_str_eq(unknown.status, "300"); /* he may try again */
}
END_TEST

/* A key that is for one project comes into that project's sockets, and into those that ask for each message. */
START_TEST(a_socket_of_one_project)
{
    static const struct {
        const char *domain;
        bool whole, limited;
    } doors[] = {{"jobs", true, false},      {"jobs/shop", true, true},   {"jobs/bank", true, false},
                 {"jobs/shop/x", true, false}, {"jobs/", true, false},    {"feedback", true, true},
                 {"events/shop", false, false}, {"metrics/shop", false, false}, {"feedback/shop", false, false},
                 {"/shop", false, false}};
    static const char *const shop[] = {"shop"};
    uint8_t key[32];
    ck_assert_ptr_nonnull(zmq_z85_decode(key, node.public_key));
    struct keyring_entry entry = {.name = "it", .role = KEYRING_TRAINER, .projects = shop};
    memcpy(entry.key, node.public_key, sizeof entry.key);
    for (entry.project_count = 0; entry.project_count < 2; entry.project_count++) {
        ck_assert_int_eq(keyring_replace(ring, &entry, 1, NULL, 0), 0);
        for (size_t i = 0; i < sizeof doors / sizeof *doors; i++) {
            bool may = entry.project_count ? doors[i].limited : doors[i].whole;
            ck_assert_msg(decide("1.0", doors[i].domain, "CURVE", key, 32, 7).verdict ==
                              (may ? ZAP_ACCEPTED : ZAP_WRONG_ROLE),
                          "%s, %u projects", doors[i].domain, entry.project_count);
        }
    }
}
END_TEST

/* -- handshakes -- */

static zsock_t *open_door(char endpoint[256])
{
    struct curve_server curve;
    zsock_t *door = zsock_new(ZMQ_PULL);
    size_t size = 256;
    memcpy(curve.secret, server.secret, sizeof curve.secret);
    ck_assert_int_eq(curve_serve(door, &curve, "metrics", why), 0);
    zsock_set_handshake_ivl(door, 500);
    ck_assert_int_eq(zmq_bind(zsock_resolve(door), "tcp://127.0.0.1:*"), 0);
    ck_assert_int_eq(zmq_getsockopt(zsock_resolve(door), ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    return door;
}

/* A client of its own context, as another process would be. */
struct client {
    void *context, *socket, *monitor;
};

static struct client connect_to(const char *endpoint, const struct pair *pair, const char *server_key)
{
    struct client self = {.context = zmq_ctx_new()};
    int none = 0;
    self.socket = zmq_socket(self.context, ZMQ_PUSH);
    self.monitor = zmq_socket(self.context, ZMQ_PAIR);
    zmq_setsockopt(self.socket, ZMQ_LINGER, &none, sizeof none);
    if (pair) {
        ck_assert_int_eq(zmq_setsockopt(self.socket, ZMQ_CURVE_SERVERKEY, server_key, 41), 0);
        ck_assert_int_eq(zmq_setsockopt(self.socket, ZMQ_CURVE_PUBLICKEY, pair->public_key, 41), 0);
        ck_assert_int_eq(zmq_setsockopt(self.socket, ZMQ_CURVE_SECRETKEY, pair->secret, 41), 0);
    }
    ck_assert_int_eq(zmq_socket_monitor(self.socket, "inproc://events", ZMQ_EVENT_ALL), 0);
    ck_assert_int_eq(zmq_connect(self.monitor, "inproc://events"), 0);
    ck_assert_int_eq(zmq_connect(self.socket, endpoint), 0);
    return self;
}

static void leave(struct client *self)
{
    zmq_socket_monitor(self->socket, NULL, 0);
    zmq_close(self->monitor);
    zmq_close(self->socket);
    zmq_ctx_term(self->context);
}

/* What comes first: true, the handshake succeeded; false, it failed or the connection was ended. */
static bool gets_in(struct client *self)
{
    zmq_pollitem_t item = {.socket = self->monitor, .events = ZMQ_POLLIN};
    for (;;) {
        zmq_msg_t first, address;
        ck_assert_int_eq(zmq_poll(&item, 1, LIMIT_MS), 1);
        zmq_msg_init(&first);
        zmq_msg_init(&address);
        ck_assert_int_ge(zmq_msg_recv(&first, self->monitor, 0), 6);
        zmq_msg_recv(&address, self->monitor, 0);
        uint16_t event;
        memcpy(&event, zmq_msg_data(&first), sizeof event);
        zmq_msg_close(&first);
        zmq_msg_close(&address);
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            return true;
        if (event == ZMQ_EVENT_DISCONNECTED || event == ZMQ_EVENT_CONNECT_RETRIED ||
            event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL || event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ||
            event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
            return false;
    }
}

static void wait_to_get_in(struct client *self)
{
    while (!gets_in(self))
        ;
}

START_TEST(nobody_gets_in_while_nobody_answers)
{
    char endpoint[256];
    struct security *security;
    allow(&node, KEYRING_NODE);
    zsock_t *door = open_door(endpoint);
    struct client client = connect_to(endpoint, &node, server.public_key);
    for (int i = 0; i < 3; i++)
        ck_assert(!gets_in(&client));
    /* The same client heals once there is somebody. */
    ck_assert_int_eq(security_start(&security, ring, why), 0);
    wait_to_get_in(&client);
    leave(&client);
    /* And after he has gone nobody gets in any more. */
    security_stop(&security);
    client = connect_to(endpoint, &node, server.public_key);
    for (int i = 0; i < 3; i++)
        ck_assert(!gets_in(&client));
    leave(&client);
    zsock_destroy(&door);
}
END_TEST

START_TEST(keys_come_and_go)
{
    char endpoint[256];
    struct security *security;
    ck_assert_int_eq(security_start(&security, ring, why), 0);
    zsock_t *door = open_door(endpoint);
    struct client client = connect_to(endpoint, &node, server.public_key);
    ck_assert(!gets_in(&client)); /* not known */
    ck_assert_uint_ge(security_counts(security).unknown, 1);
    allow(&node, KEYRING_TRAINER);
    while (security_counts(security).wrong_role == 0)
        ck_assert(!gets_in(&client)); /* known, and not for this door */
    allow(&node, KEYRING_NODE);
    wait_to_get_in(&client);
    ck_assert_int_eq(zmq_send(client.socket, "hello", 5, 0), 5);
    zmq_msg_t message;
    zmq_msg_init(&message);
    ck_assert_int_eq(zmq_msg_recv(&message, zsock_resolve(door), 0), 5);
    ck_assert_str_eq(curve_sender(&message), node.public_key);
    zmq_msg_close(&message);
    ck_assert_uint_ge(security_counts(security).accepted, 1);
    leave(&client);
    client = connect_to(endpoint, &stranger, server.public_key);
    ck_assert(!gets_in(&client));
    leave(&client);
    client = connect_to(endpoint, &node, stranger.public_key); /* the wrong server's key */
    ck_assert(!gets_in(&client));
    leave(&client);
    client = connect_to(endpoint, NULL, NULL); /* no CURVE at all */
    ck_assert(!gets_in(&client));
    leave(&client);
    zsock_destroy(&door);
    security_stop(&security);
}
END_TEST

START_TEST(there_is_one_door_keeper)
{
    struct security *first, *second;
    ck_assert_int_eq(security_start(&first, ring, why), 0);
    ck_assert_int_lt(security_start(&second, ring, why), 0);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(strstr(why, "answers ZAP already"));
    security_stop(&first);
    security_stop(&first);
}
END_TEST

/* -- files -- */

static char path[64];

static void put_file(const char *text, mode_t mode)
{
    strcpy(path, "/tmp/driftd-key-XXXXXX");
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

START_TEST(a_secret_is_read_where_only_its_owner_can)
{
    static const mode_t wrong[] = {0640, 0604, 0644, 0620, 0601, 0610, 0660, 0777};
    struct curve_server read;
    char certificate[256];
    snprintf(certificate, sizeof certificate, "curve\n    public-key = \"%s\"\n    secret-key = \"%s\"\n",
             node.public_key, node.secret);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put_file(certificate, wrong[i]);
        ck_assert_int_eq(security_read_key(&read, path, why), -EPERM);
        ck_assert_ptr_nonnull(strstr(why, "chmod 600"));
        unlink(path);
    }
    put_file(certificate, 0600);
    ck_assert_int_eq(security_read_key(&read, path, why), 0);
    ck_assert_str_eq(read.secret, node.secret);
    unlink(path);
    snprintf(certificate, sizeof certificate, "  %s\n", server.secret); /* the characters alone */
    put_file(certificate, 0400);
    ck_assert_int_eq(security_read_key(&read, path, why), 0);
    ck_assert_str_eq(read.secret, server.secret);
    unlink(path);
}
END_TEST

START_TEST(what_is_no_secret_is_refused)
{
    static const char *const texts[] = {"", "\n", "secret-key = \"short\"\n", "public-key = \"x\"\n",
                                        "~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n",
                                        "########################################\n"};
    struct curve_server read;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put_file(texts[i], 0600);
        ck_assert_int_eq(security_read_key(&read, path, why), -EINVAL);
        ck_assert_ptr_nonnull(strstr(why, "holds no secret key"));
        unlink(path);
    }
    ck_assert_int_eq(security_read_key(&read, "/nowhere/curve.secret", why), -ENOENT);
    ck_assert_ptr_nonnull(strstr(why, "driftc keygen"));
    ck_assert_int_eq(security_read_key(&read, "/dev/null", why), -EINVAL);
    ck_assert_int_eq(security_read_key(&read, "/tmp", why), -EINVAL);
    put_file("- {}\n", 0644);
    ck_assert_int_eq(security_check_clients(path, why), 0);
    ck_assert_int_eq(chmod(path, 0664), 0);
    ck_assert_int_eq(security_check_clients(path, why), -EPERM);
    unlink(path);
    ck_assert_int_eq(security_check_clients(path, why), -ENOENT);
}
END_TEST

START_TEST(what_the_service_manager_hands_over_may_be_nothing)
{
    struct curve_server read;
    put_file("none", 0400);
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "/tmp", 1), 0);
    ck_assert_int_eq(security_read_key(&read, path, why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "handed over no secret key"));
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", "/tm", 1), 0);
    ck_assert_int_eq(security_read_key(&read, path, why), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "holds no secret key"));
    unsetenv("CREDENTIALS_DIRECTORY");
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("security");
    TCase *tests = tcase_create("security");
    tcase_set_timeout(tests, 180);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, a_request_is_decided);
    tcase_add_test(tests, a_socket_of_one_project);
    tcase_add_test(tests, nobody_gets_in_while_nobody_answers);
    tcase_add_test(tests, keys_come_and_go);
    tcase_add_test(tests, there_is_one_door_keeper);
    tcase_add_test(tests, a_secret_is_read_where_only_its_owner_can);
    tcase_add_test(tests, what_is_no_secret_is_refused);
    tcase_add_test(tests, what_the_service_manager_hands_over_may_be_nothing);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

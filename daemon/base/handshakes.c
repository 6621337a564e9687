#include "daemon/base/handshakes.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "daemon/base/clock.h"
#include "daemon/base/endpoint.h"
#include "daemon/base/inbox.h"
#include "daemon/base/log.h"
#include "daemon/base/publishers.h"
#include "daemon/base/told.h"

#define WANTED                                                                                                     \
    (ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CONNECT_RETRIED |               \
     ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
#define WAITING_MAX 10000 /* of what libzmq tells; beyond it its thread waits */
#define PEERS 256         /* a power of two; of the latest connections it is known who they are */
#define LEFT_NS (3600 * CLOCK_S_NS) /* how often it is told of who leaves by himself */

struct peer {
    int fd; /* at the time; 0: none */
    bool too_many;
    char address[ADDRESS_TEXT_MAX];
};

struct watched {
    void *monitor;
    const char *key;
    struct peer peers[PEERS];
    const char *failed; /* why the connection did that is about to be told of as ended; NULL: none did */
    struct told told;
};

struct handshakes {
    struct watched **at;
    zmq_pollitem_t *items; /* the inbox, the monitors */
    uint32_t count;
    struct inbox *inbox;
    pthread_t thread;
    bool started;
    struct heart heart;
    atomic_uint_fast64_t failed, broken_off, reconnected;
    struct publishers publishers; /* of the one socket that connects */
    struct {
        atomic_bool full; /* who connects has it; else the thread here */
        uint32_t count;
        char endpoints[PUBLISHERS_MAX][ENDPOINT_MAX];
    } lost;
};

int handshakes_new(struct handshakes **self_p)
{
    struct handshakes *self = calloc(1, sizeof *self);
    *self_p = self;
    int rc = self ? inbox_new(&self->inbox) : -ENOMEM;
    if (rc < 0)
        handshakes_destroy(self_p);
    return rc;
}

/* Who reads is there before anything is told, or libzmq's thread would wait for it. */
static int open_monitor(struct watched *self, void *handle, uint32_t number)
{
    char name[64];
    int waiting = WAITING_MAX;
    snprintf(name, sizeof name, "inproc://handshakes-%p-%u", (void *)self, number);
    if (!self->monitor)
        return -ENOMEM;
    zmq_setsockopt(self->monitor, ZMQ_RCVHWM, &waiting, sizeof waiting);
    if (zmq_connect(self->monitor, name) < 0 || zmq_socket_monitor(handle, name, WANTED) < 0)
        return -zmq_errno();
    return 0;
}

int handshakes_watch(struct handshakes *self, zsock_t *socket, const char *key)
{
    if (!self)
        return 0;
    struct watched **at = realloc(self->at, (self->count + 1) * sizeof *at);
    if (!at)
        return -ENOMEM;
    self->at = at;
    struct watched *watched = calloc(1, sizeof *watched);
    if (!watched)
        return -ENOMEM;
    watched->key = key;
    watched->monitor = zmq_socket(zsys_init(), ZMQ_PAIR);
    int rc = open_monitor(watched, zsock_resolve(socket), self->count);
    if (rc < 0) {
        if (watched->monitor)
            zmq_close(watched->monitor);
        free(watched);
        return rc;
    }
    self->at[self->count++] = watched;
    return 0;
}

/* --- what is told --- */

static const char left[] = "it only looked whether anybody listens, or its keys or its type of socket do not fit: see "
                           "security.curve here, and what it says itself";

static struct peer *peer_of(struct watched *self, int fd)
{
    return &self->peers[(unsigned)fd % PEERS];
}

/* libzmq ends the process where its listener of a Unix socket finds no descriptor for a driftc, so some are left to it, of
 * what nodes leave. Those that are given out are the lowest: one tells how many there are. */
static bool is_one_too_many(int fd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return false;
    const rlim_t eighth = limit.rlim_cur / 8, kept = eighth < HANDSHAKES_LEAVE ? eighth : HANDSHAKES_LEAVE;
    return (rlim_t)fd >= limit.rlim_cur - kept;
}

/* Who fails in the same moment may be gone already, and remains unknown. A descriptor is not closed here, but ended,
 * which libzmq takes for the peer's doing. */
static void accepted(struct watched *self, int fd)
{
    struct peer *peer = peer_of(self, fd);
    *peer = (struct peer){.fd = fd, .too_many = is_one_too_many(fd)};
    if (peer->too_many)
        shutdown(fd, SHUT_RDWR);
    address_of_peer(fd, peer->address);
}

static const char *reason_of(uint32_t error)
{
    switch (error) {
    case ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH:
        return "one side speaks with keys and the other without: see security.curve here, and its keys there";
    case ZMQ_PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC:
        return "the client does not hold the server's public key";
    default:
        return "what was said is not what ZMTP 3 asks for";
    }
}

static const char crowded[] = "no descriptor is left for it: end connections, or raise LimitNOFILE";

static void tell(struct watched *self, const char *endpoint, const char peer[ADDRESS_TEXT_MAX], const char *why)
{
    const uint64_t times = told_again(&self->told, peer, why, clock_now().steady_ns, why == left ? LEFT_NS : TOLD_NS);
    const struct log_field fields[] = {LOG_TEXT("key", self->key), LOG_TEXT("endpoint", endpoint), LOG_TEXT("peer", peer),
                                       LOG_TEXT("why", why), LOG_NUMBER("times", times)};
    const unsigned count = sizeof fields / sizeof *fields;
    if (times > 0 && why == left)
        log_write(LOG_LEVEL_INFO, "a peer left before it had come in", fields, count);
    else if (times > 0)
        log_write(LOG_LEVEL_WARNING, "a peer did not come in, its handshake failed", fields, count);
}

/* libzmq tells of a connection's end right behind its failure. */
static void ended(struct watched *self, const char *endpoint, int fd)
{
    const struct peer *peer = peer_of(self, fd);
    char who[ADDRESS_TEXT_MAX] = "unknown";
    if (peer->fd == fd && *peer->address)
        memcpy(who, peer->address, sizeof who);
    if (self->failed)
        tell(self, endpoint, who, peer->fd == fd && peer->too_many ? crowded : self->failed);
    self->failed = NULL;
}

static void connected(struct handshakes *self, struct watched *watched, const char *endpoint, int fd)
{
    struct peer *peer = peer_of(watched, fd);
    char address[ENDPOINT_MAX] = "";
    *peer = (struct peer){.fd = fd};
    address_of_peer(fd, peer->address);
    if (*peer->address && strncmp(endpoint, "tcp://", 6) == 0)
        snprintf(address, sizeof address, "tcp://%s", peer->address);
    publishers_connected(&self->publishers, endpoint, address);
}

static void not_reached(struct handshakes *self, const char *key, const char *endpoint)
{
    if (publishers_tried(&self->publishers, endpoint))
        log_warning("a publisher is not reached; it is tried again and again", LOG_TEXT("key", key),
                    LOG_TEXT("endpoint", endpoint));
}

static void reached(struct handshakes *self, const char *key, const char *endpoint)
{
    if (publishers_reached(&self->publishers, endpoint))
        log_info("a publisher is reached that was not before", LOG_TEXT("key", key), LOG_TEXT("endpoint", endpoint));
}

/* The failure of a handshake was told already. */
static void tell_of_lost(struct publisher *publisher, int64_t now_ns)
{
    if (!publisher->in)
        return;
    publisher->times++;
    if (publisher->told_ns && now_ns - publisher->told_ns < TOLD_NS)
        return;
    log_warning("a publisher's connection ended for what it sent, a message beyond four times max_message or no ZMTP at all; "
                "it is connected to again",
                LOG_TEXT("endpoint", publisher->endpoint), LOG_NUMBER("times", publisher->times));
    publisher->told_ns = now_ns;
    publisher->times = 0;
}

static void look_for_lost(struct handshakes *self)
{
    struct publisher *lost[PUBLISHERS_MAX];
    const int64_t now_ns = clock_now().steady_ns;
    if (atomic_load_explicit(&self->lost.full, memory_order_acquire))
        return;
    self->lost.count = publishers_lost(&self->publishers, now_ns, lost);
    for (uint32_t i = 0; i < self->lost.count; i++) {
        memcpy(self->lost.endpoints[i], lost[i]->endpoint, ENDPOINT_MAX);
        tell_of_lost(lost[i], now_ns);
    }
    atomic_fetch_add_explicit(&self->reconnected, self->lost.count, memory_order_relaxed);
    atomic_store_explicit(&self->lost.full, self->lost.count > 0, memory_order_release);
}

static void take(struct handshakes *self, struct watched *watched, unsigned event, uint32_t value, const char *endpoint)
{
    switch (event) {
    case ZMQ_EVENT_ACCEPTED:
        accepted(watched, (int)value);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        watched->failed = reason_of(value);
        atomic_fetch_add_explicit(&self->failed, 1, memory_order_relaxed);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        watched->failed = left;
        atomic_fetch_add_explicit(&self->broken_off, 1, memory_order_relaxed);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        ended(watched, endpoint, (int)value);
        publishers_ended(&self->publishers, endpoint, clock_now().steady_ns);
        break;
    case ZMQ_EVENT_CONNECTED:
        connected(self, watched, endpoint, (int)value);
        break;
    case ZMQ_EVENT_CONNECT_RETRIED:
        not_reached(self, watched->key, endpoint);
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        reached(self, watched->key, endpoint);
        break;
    default:
        break;
    }
}

/* --- the thread --- */

static bool receive(void *monitor, zmq_msg_t *frame)
{
    zmq_msg_init(frame);
    return zmq_msg_recv(frame, monitor, ZMQ_DONTWAIT) >= 0;
}

/* Two frames: 16 bits of event and 32 of value as this machine has them, and the endpoint. False: there is nothing. */
static bool take_one(struct handshakes *self, struct watched *watched)
{
    zmq_msg_t head, endpoint;
    uint16_t event = 0;
    uint32_t value = 0;
    char text[ENDPOINT_MAX];
    const bool any = receive(watched->monitor, &head), whole = any && receive(watched->monitor, &endpoint);
    if (whole && zmq_msg_size(&head) == sizeof event + sizeof value) {
        memcpy(&event, zmq_msg_data(&head), sizeof event);
        memcpy(&value, (const char *)zmq_msg_data(&head) + sizeof event, sizeof value);
        snprintf(text, sizeof text, "%.*s", (int)zmq_msg_size(&endpoint), (const char *)zmq_msg_data(&endpoint));
        take(self, watched, event, value, text);
    }
    if (any)
        zmq_msg_close(&endpoint);
    zmq_msg_close(&head);
    return whole;
}

static bool told_to_stop(struct handshakes *self)
{
    struct letter letter;
    return inbox_take(self->inbox, &letter) && letter.kind == LETTER_STOP;
}

static void *run(void *argument)
{
    struct handshakes *self = argument;
    while (!told_to_stop(self)) {
        heart_beat(&self->heart);
        for (uint32_t i = 0; i < self->count; i++)
            for (int many = 0; many < WAITING_MAX && take_one(self, self->at[i]);)
                many++;
        look_for_lost(self);
        zmq_poll(self->items, (int)self->count + 1, HEART_TURN_MAX_MS);
    }
    return NULL;
}

int handshakes_start(struct handshakes *self)
{
    self->items = calloc(self->count + 1, sizeof *self->items);
    if (!self->items)
        return -ENOMEM;
    self->items[0] = (zmq_pollitem_t){.fd = inbox_fd(self->inbox), .events = ZMQ_POLLIN};
    for (uint32_t i = 0; i < self->count; i++)
        self->items[1 + i] = (zmq_pollitem_t){.socket = self->at[i]->monitor, .events = ZMQ_POLLIN};
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error)
        return -error;
    self->started = true;
    pthread_setname_np(self->thread, "handshakes");
    return 0;
}

const struct heart *handshakes_heart(const struct handshakes *self)
{
    return &self->heart;
}

struct handshakes_counts handshakes_counts(const struct handshakes *self)
{
    return (struct handshakes_counts){.failed = atomic_load_explicit(&self->failed, memory_order_relaxed),
                                      .broken_off = atomic_load_explicit(&self->broken_off, memory_order_relaxed),
                                      .reconnected = atomic_load_explicit(&self->reconnected, memory_order_relaxed)};
}

uint32_t handshakes_lost(struct handshakes *self, const char (**endpoints_p)[ENDPOINT_MAX])
{
    if (!self || !atomic_load_explicit(&self->lost.full, memory_order_acquire))
        return 0;
    *endpoints_p = (const char(*)[ENDPOINT_MAX])self->lost.endpoints;
    return self->lost.count;
}

void handshakes_reconnected(struct handshakes *self)
{
    atomic_store_explicit(&self->lost.full, false, memory_order_release);
}

void handshakes_destroy(struct handshakes **self_p)
{
    struct handshakes *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->started) {
        while (inbox_put(self->inbox, (struct letter){.kind = LETTER_STOP}) < 0)
            zclock_sleep(10);
        pthread_join(self->thread, NULL);
    }
    for (uint32_t i = 0; i < self->count; i++) {
        zmq_close(self->at[i]->monitor);
        free(self->at[i]);
    }
    free(self->at);
    free(self->items);
    inbox_destroy(&self->inbox);
    free(self);
}

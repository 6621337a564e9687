#include "daemon/ingest/ingest.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "daemon/base/log.h"
#include "daemon/ingest/pace.h"
#include "daemon/ingest/receiver.h"

#define ENDPOINTS_MAX 64
#define QUIET_MS 20                   /* a drain ends when nothing came for so long, */
#define DRAIN_MAX_NS (2 * CLOCK_S_NS) /* or after this */
#define DEAD_S 40                     /* a node that is gone without a word is found so within this */
#define HANDSHAKE_MS 3000

struct ingest {
    zsock_t *socket;
    struct inbox *inbox;
    struct doors *doors;
    struct receiver receiver;
    struct nodes *nodes; /* who comes in without libzmq; all others are the socket's */
    char connected[ENDPOINTS_MAX][ENDPOINT_MAX];
    uint32_t connected_count;
    struct curve_server curve; /* of what is connected */
    bool with_curve;
    struct handshakes *handshakes; /* NULL: none */

    struct ingest_sink sink;
    struct frame frames[FRAME_BATCH_MAX];
    pthread_t thread;
    bool started;
    struct heart heart;
    struct pace pace;
    int64_t now_ns; /* of the last turn */
    atomic_bool hasten;
    atomic_uint_fast64_t messages;
};

static int connect_all(struct ingest *self, char why[ENDPOINT_WHY_MAX])
{
    int rc = curve_serve(self->socket, self->with_curve ? &self->curve : NULL, "metrics", why);
    for (uint32_t i = 0; i < self->connected_count && rc == 0; i++)
        rc = endpoint_connect(self->socket, "metrics.connect", self->connected[i], why);
    return rc;
}

/* What came from there stays to be read after it was given up. */
static void look_at_socket(struct ingest *self)
{
    self->receiver.socket_used =
        self->receiver.socket_used || self->connected_count > 0 || doors_any_of_socket(self->doors);
}

static void take_options(struct ingest *self, const struct ingest_options *options)
{
    for (uint32_t i = 0; i < options->connect_count && i < ENDPOINTS_MAX; i++)
        snprintf(self->connected[self->connected_count++], ENDPOINT_MAX, "%s", options->connect[i]);
    self->handshakes = options->handshakes;
    self->with_curve = options->doors.sets[0].curve != NULL;
    if (self->with_curve)
        self->curve = *options->doors.sets[0].curve;
}

/* Publishers leave out what begins with none of these. A SUB would look for each topic among them once more, one byte
 * after another; kind_of() does it for us, and counts what came all the same. */
static const char *const wanted[] = {"metrics/", "batch/", "beacon/", NULL};

static void subscribe(struct ingest *self)
{
    for (const char *const *prefix = wanted; *prefix; prefix++) {
        char subscription[16];
        int len = snprintf(subscription, sizeof subscription, "\001%s", *prefix);
        zmq_send(self->receiver.handle, subscription, (size_t)len, 0);
    }
}

static void set_up(struct ingest *self, const struct ingest_options *options)
{
    zsock_set_rcvhwm(self->socket, (int)options->queue);
    zsock_set_linger(self->socket, 0);
    zsock_set_handshake_ivl(self->socket, HANDSHAKE_MS);
    endpoint_find_dead(self->socket, DEAD_S, false);
    int64_t largest = options->max_message_bytes > INT64_MAX / INGEST_FRAME_FACTOR
                          ? -1
                          : (int64_t)options->max_message_bytes * INGEST_FRAME_FACTOR;
    zmq_setsockopt(self->receiver.handle, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
    subscribe(self);
}

static int nodes_of(struct ingest *self, const struct ingest_options *options)
{
    const struct nodes_options of = {.prefixes = wanted,
                                     .most_bytes = options->max_message_bytes * INGEST_FRAME_FACTOR,
                                     .dead_s = DEAD_S,
                                     .handshake_ns = HANDSHAKE_MS * CLOCK_MS_NS};
    int rc = nodes_new(&self->nodes, &of);
    self->receiver.nodes = self->nodes;
    if (rc == 0)
        doors_set_plain(self->doors, &(struct doors_plain){self->nodes, nodes_open, nodes_shut});
    return rc;
}

int ingest_new(struct ingest **self_p, const struct ingest_options *options, char why[ENDPOINT_WHY_MAX])
{
    *self_p = NULL;
    struct ingest *self = calloc(1, sizeof *self);
    if (!self) {
        snprintf(why, ENDPOINT_WHY_MAX, "no memory for the metrics socket");
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < FRAME_BATCH_MAX; i++)
        frame_init(&self->frames[i]);
    pace_init(&self->pace, options->gather_ns);
    take_options(self, options);
    int rc = inbox_new(&self->inbox);
    if (rc == 0)
        rc = doors_new(&self->doors, "metrics.bind", "metrics");
    if (rc == 0)
        rc = nodes_of(self, options);
    if (rc < 0) {
        snprintf(why, ENDPOINT_WHY_MAX, "no descriptor for the metrics socket");
        ingest_destroy(&self);
        return rc;
    }
    self->socket = zsock_new(ZMQ_XSUB);
    self->receiver.handle = zsock_resolve(self->socket);
    set_up(self, options);
    snprintf(why, ENDPOINT_WHY_MAX, "no descriptor for the metrics socket");
    rc = handshakes_watch(options->handshakes, self->socket, options->connect_count ? "metrics" : "metrics.bind");
    if (rc == 0)
        rc = doors_open(self->doors, self->socket, &options->doors, why);
    if (rc == 0)
        rc = connect_all(self, why);
    look_at_socket(self);
    if (rc < 0)
        ingest_destroy(&self);
    *self_p = self;
    return rc;
}

/* --- receiving --- */

struct received {
    uint32_t count; /* messages */
    uint64_t bytes; /* of their payloads */
};

static uint64_t bytes_of(const struct frame *frames, uint32_t count)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes += frames[i].payload_len;
    return bytes;
}

/* One turn: receives up to a batch, reads the clock once, hands on, and lets the sink do what else it has. Returns what
 * came; *more_p: the sink wants another turn at once; *now_p: when it was. */
static struct received turn(struct ingest *self, bool *more_p, int64_t *now_p)
{
    uint32_t count = receiver_take(&self->receiver, self->frames, self->now_ns);
    struct received received = {count, bytes_of(self->frames, count)};
    struct now now = clock_now();
    self->now_ns = now.steady_ns;
    if (count) {
        self->sink.take(self->sink.argument, self->frames, count, now);
        uint64_t before = atomic_load_explicit(&self->messages, memory_order_relaxed);
        atomic_store_explicit(&self->messages, before + count, memory_order_relaxed);
    }
    heart_beat(&self->heart);
    *more_p = self->sink.turn(self->sink.argument, now) || nodes_more(self->nodes);
    *now_p = now.steady_ns;
    return received;
}

static void wait_for_more(struct ingest *self, int timeout_ms)
{
    zmq_pollitem_t items[4] = {{.fd = inbox_fd(self->inbox), .events = ZMQ_POLLIN},
                               {.fd = nodes_fd(self->nodes), .events = ZMQ_POLLIN}};
    int count = 2;
    if (self->sink.fd >= 0)
        items[count++] = (zmq_pollitem_t){.fd = self->sink.fd, .events = ZMQ_POLLIN};
    if (self->receiver.socket_used)
        items[count++] = (zmq_pollitem_t){.socket = self->receiver.handle, .events = ZMQ_POLLIN};
    zmq_poll(items, count, timeout_ms);
}

static void disconnect_all(struct ingest *self)
{
    for (uint32_t i = 0; i < self->connected_count; i++)
        zmq_disconnect(self->receiver.handle, self->connected[i]);
}

/* The endpoints are given up first, so that what can still come is what the kernel or libzmq has received already. Of
 * a bound endpoint that stays to be read; a connected one takes it along, and is emptied before. */
static void drain(struct ingest *self)
{
    int64_t until_ns = clock_now().steady_ns + DRAIN_MAX_NS;
    zmq_pollitem_t items[] = {{.socket = self->receiver.handle, .events = ZMQ_POLLIN},
                              {.fd = nodes_fd(self->nodes), .events = ZMQ_POLLIN}};
    bool more = true;
    int64_t now_ns;
    doors_shut(self->doors, self->socket);
    while (!atomic_load(&self->hasten) && clock_now().steady_ns < until_ns) {
        if (turn(self, &more, &now_ns).count == FRAME_BATCH_MAX || more)
            continue;
        if (self->connected_count) {
            disconnect_all(self);
            self->connected_count = 0;
        } else if (zmq_poll(items, 2, QUIET_MS) <= 0) {
            break;
        }
    }
}

/* What is connected has the first key too: when that changes, it comes again. */
static void renew_doors(struct ingest *self, struct doors_letter *letter)
{
    const struct curve_server *curve = letter->wish.sets[0].curve;
    char why[ENDPOINT_WHY_MAX];
    letter->error = doors_open(self->doors, self->socket, &letter->wish, letter->why);
    look_at_socket(self);
    if (!curve || !self->with_curve || strcmp(curve->secret, self->curve.secret) == 0)
        return;
    self->curve = *curve;
    disconnect_all(self);
    int rc = connect_all(self, why);
    if (rc < 0 && letter->error == 0) {
        letter->error = rc;
        memcpy(letter->why, why, sizeof why);
    }
}

static bool is_connected(const struct ingest *self, const char *endpoint)
{
    for (uint32_t i = 0; i < self->connected_count; i++)
        if (strcmp(self->connected[i], endpoint) == 0)
            return true;
    return false;
}

/* All are given up before the first is had again: what libzmq forgot of one may stand where another comes to stand. */
static void connect_to_lost(struct ingest *self)
{
    const char(*lost)[ENDPOINT_MAX];
    char why[ENDPOINT_WHY_MAX];
    const uint32_t count = handshakes_lost(self->handshakes, &lost);
    for (uint32_t i = 0; i < count; i++)
        zmq_disconnect(self->receiver.handle, lost[i]);
    for (uint32_t i = 0; i < count; i++)
        if (is_connected(self, lost[i]) && endpoint_connect(self->socket, "metrics.connect", lost[i], why) < 0)
            log_warning("a publisher cannot be connected to again", LOG_TEXT("why", why));
    if (count)
        handshakes_reconnected(self->handshakes);
}

static bool told_to_stop(struct ingest *self)
{
    struct letter letter;
    bool stop = false;
    while (inbox_take(self->inbox, &letter)) {
        stop = stop || letter.kind == LETTER_STOP;
        if (letter.kind == LETTER_DOORS) {
            renew_doors(self, letter.body);
            doors_letter_back(letter.body);
        } else if (letter.drop) {
            letter.drop(letter.body);
        }
    }
    return stop;
}

static void *run(void *argument)
{
    struct ingest *self = argument;
    while (self->sink.turn(self->sink.argument, clock_now()))
        heart_beat(&self->heart);
    prctl(PR_SET_TIMERSLACK, 1000UL); /* of this thread: its waits are shorter than what the kernel adds by itself */
    while (!told_to_stop(self)) {
        bool more;
        int64_t now_ns;
        struct received received = turn(self, &more, &now_ns);
        connect_to_lost(self);
        if (received.count == FRAME_BATCH_MAX || more) {
            pace_busy(&self->pace, received.count, received.bytes);
            continue;
        }
        int64_t gather_ns = pace_turn(&self->pace, received.count, received.bytes, now_ns);
        if (gather_ns)
            clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){.tv_nsec = gather_ns}, NULL);
        else
            wait_for_more(self, HEART_TURN_MAX_MS);
    }
    drain(self);
    return NULL;
}

int ingest_start(struct ingest *self, const struct ingest_sink *sink)
{
    self->sink = *sink;
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error)
        return -error;
    self->started = true;
    pthread_setname_np(self->thread, "ingest");
    return 0;
}

/* Which are connected does not change until the drain, when nobody asks any more. */
bool ingest_endpoint(struct ingest *self, uint32_t n, char out[ENDPOINT_MAX])
{
    uint32_t bound = 0;
    while (doors_endpoint(self->doors, bound, out)) {
        if (bound++ == n)
            return true;
    }
    if (n - bound >= self->connected_count)
        return false;
    memcpy(out, self->connected[n - bound], ENDPOINT_MAX);
    return true;
}

struct inbox *ingest_inbox(struct ingest *self)
{
    return self->inbox;
}

const struct heart *ingest_heart(const struct ingest *self)
{
    return &self->heart;
}

uint64_t ingest_messages(const struct ingest *self)
{
    return atomic_load_explicit(&self->messages, memory_order_relaxed);
}

uint32_t ingest_connections(const struct ingest *self)
{
    return nodes_count(self->nodes);
}

uint64_t ingest_connections_ended(const struct ingest *self)
{
    return nodes_ended(self->nodes);
}

void ingest_hasten(struct ingest *self)
{
    atomic_store(&self->hasten, true);
}

void ingest_stop_begin(struct ingest *self)
{
    while (self->started && inbox_put(self->inbox, (struct letter){.kind = LETTER_STOP}) < 0)
        zclock_sleep(10);
}

bool ingest_stop_finished(struct ingest *self)
{
    if (self->started && pthread_tryjoin_np(self->thread, NULL) == 0)
        self->started = false;
    return !self->started;
}

void ingest_destroy(struct ingest **self_p)
{
    struct ingest *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < FRAME_BATCH_MAX; i++)
        frame_close(&self->frames[i]);
    if (self->socket) {
        doors_shut(self->doors, self->socket);
        disconnect_all(self);
    }
    zsock_destroy(&self->socket);
    nodes_destroy(&self->nodes);
    doors_destroy(&self->doors);
    explicit_bzero(&self->curve, sizeof self->curve);
    inbox_destroy(&self->inbox);
    free(self);
}

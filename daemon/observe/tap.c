#include "daemon/observe/tap.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/outgoing.h"
#include "lib/wire/recorded.h"

#define PATH_MAX_BYTES 107 /* of a Unix socket */
#define LINGER_MS 1000
#define SUBSCRIPTION_MAX 64
#define QUEUE 1000
#define SLOW_MS 5                /* between attempts to send: libzmq does not tell when a PUB has room again */
#define STOP_NS (2 * CLOCK_S_NS) /* how long a stop waits for recorders */

struct tap {
    zsock_t *socket;
    void *handle;
    struct inbox *inbox;
    char endpoint[ENDPOINT_MAX];
    pthread_t thread;
    bool started;
    struct heart heart;
    unsigned sessions;      /* so far */
    uint64_t untold;        /* events dropped that the recording does not speak of yet; the thread's */
    atomic_uint session;
    struct outgoing *waiting; /* bytes, also of what libzmq has not sent yet */
    bool greets;            /* a recorder has come that nothing was said to yet */
    atomic_uint_fast64_t dropped_now; /* since the thread last looked */
    atomic_uint_fast64_t sent, lost;
    atomic_int_fast64_t until_ns; /* recorders are waited for, at most */
};

static bool name_endpoint(const char *control, char out[ENDPOINT_MAX])
{
    static const char ipc[] = "ipc://", suffix[] = ".record";
    size_t len = strlen(control);
    bool file = strncmp(control, ipc, sizeof ipc - 1) == 0 && control[sizeof ipc - 1] == '/';
    if (!file || len + sizeof suffix - sizeof ipc > PATH_MAX_BYTES || len + sizeof suffix > ENDPOINT_MAX)
        return false;
    snprintf(out, ENDPOINT_MAX, "%s%s", control, suffix);
    return true;
}

static int open_socket(struct tap *self, const char *endpoint, char why[ENDPOINT_WHY_MAX])
{
    int on = 1;
    self->socket = zsock_new(ZMQ_XPUB);
    self->handle = zsock_resolve(self->socket);
    zsock_set_linger(self->socket, LINGER_MS);
    zsock_set_maxmsgsize(self->socket, SUBSCRIPTION_MAX);
    zsock_set_sndhwm(self->socket, QUEUE);
    zmq_setsockopt(self->handle, ZMQ_XPUB_NODROP, &on, sizeof on);
    zmq_setsockopt(self->handle, ZMQ_XPUB_VERBOSE, &on, sizeof on);
    /* No other thread makes files yet: the mask is the process's. */
    mode_t before = umask(0117);
    int rc = endpoint_bind(self->socket, "record", endpoint, self->endpoint, why);
    umask(before);
    return rc;
}

int tap_new(struct tap **self_p, const char *control, char why[ENDPOINT_WHY_MAX])
{
    char endpoint[ENDPOINT_MAX];
    *self_p = NULL;
    snprintf(why, ENDPOINT_WHY_MAX, "the control socket is no file with room for a name beside it");
    if (!name_endpoint(control, endpoint))
        return -ENOTSUP;
    snprintf(why, ENDPOINT_WHY_MAX, "no memory or descriptor for the socket of recordings");
    struct tap *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    atomic_init(&self->until_ns, INT64_MAX);
    self->waiting = outgoing_new(TAP_WAITING_BYTES);
    int rc = self->waiting ? inbox_new(&self->inbox) : -ENOMEM;
    if (rc == 0)
        rc = open_socket(self, endpoint, why);
    if (rc < 0)
        tap_destroy(&self);
    *self_p = self;
    return rc;
}

const char *tap_endpoint(const struct tap *self)
{
    return self->endpoint;
}

const atomic_uint *tap_session(const struct tap *self)
{
    return &self->session;
}

/* -- handing over ---------------------------------------------------------------------------------------------------- */

static void drop(struct tap *self, struct tape *tape)
{
    atomic_fetch_add_explicit(&self->dropped_now, tape->events, memory_order_relaxed);
    atomic_fetch_add_explicit(&self->lost, tape->events, memory_order_relaxed);
    tape_drop(tape);
}

void tap_put(struct tap *self, struct tape *tape)
{
    struct letter letter = {.kind = LETTER_TAPE, .body = tape, .drop = tape_drop};
    const int64_t len = (int64_t)tape->len;
    const bool room = outgoing_take(self->waiting, len);
    if (room && inbox_put(self->inbox, letter) == 0)
        return;
    if (room)
        outgoing_give(self->waiting, len);
    drop(self, tape);
}

void tap_event(struct tap *self, const struct cloud_event *event, double now_s)
{
    static const char prefix[] = "driftd.retraining.";
    const char *slash = strchr(event->topic, '/');
    if (!atomic_load_explicit(&self->session, memory_order_relaxed) || !slash ||
        strncmp(event->topic, prefix, sizeof prefix - 1) != 0)
        return;
    struct json_write out = {.at = NULL};
    recorded_transition(&out, text_of(slash + 1), now_s, text_of(event->json));
    struct tape *tape = calloc(1, sizeof *tape);
    char *line = json_write_take(&out);
    size_t len = line ? strlen(line) : 0;
    if (!tape || !line) {
        free(tape);
        free(line);
        return;
    }
    line[len] = '\n'; /* in the place of the NUL: a tape has a length */
    tape->text = line;
    tape->len = len + 1;
    tap_put(self, tape);
}

/* -- the thread ------------------------------------------------------------------------------------------------------ */

static void take_subscriptions(struct tap *self)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, self->handle, ZMQ_DONTWAIT) >= 0) {
        const char *said = zmq_msg_data(&message);
        if (zmq_msg_size(&message) == 0 || zmq_msg_more(&message))
            continue;
        if (*said == 1) {
            self->greets = true;
            if (!atomic_load_explicit(&self->session, memory_order_relaxed)) { /* else it is owed to who records already */
                self->untold = 0;
                atomic_store_explicit(&self->dropped_now, 0, memory_order_relaxed);
            }
            self->sessions = self->sessions == UINT32_MAX ? 1 : self->sessions + 1;
            atomic_store_explicit(&self->session, self->sessions, memory_order_release);
            log_info("somebody records what is taken");
        } else {
            atomic_store_explicit(&self->session, 0, memory_order_release);
            log_info("nobody records any more");
        }
    }
    zmq_msg_close(&message);
}

/* Waits for a recorder that is slow; false: there is none any more, or the time is over. The message is gone then. */
static bool send_message(struct tap *self, zmq_msg_t *message)
{
    while (atomic_load_explicit(&self->session, memory_order_relaxed)) {
        heart_beat(&self->heart);
        if (zmq_msg_send(message, self->handle, ZMQ_DONTWAIT) >= 0)
            return true;
        zmq_pollitem_t item = {.socket = self->handle, .events = ZMQ_POLLIN};
        if (zmq_errno() != EAGAIN || clock_now().steady_ns > atomic_load(&self->until_ns))
            break;
        zmq_poll(&item, 1, SLOW_MS);
        take_subscriptions(self);
    }
    zmq_msg_close(message);
    return false;
}

/* The first frame says that from here on nothing is missed. */
static void greet(struct tap *self)
{
    zmq_msg_t empty;
    while (self->greets) {
        self->greets = false;
        zmq_msg_init(&empty);
        send_message(self, &empty);
    }
}

/* What was dropped stood before what was put later: so it is told first. */
static void send_lost(struct tap *self)
{
    struct json_write out = {.at = NULL};
    self->untold += atomic_exchange_explicit(&self->dropped_now, 0, memory_order_relaxed);
    if (self->untold == 0)
        return;
    recorded_lost(&out, self->untold);
    char *line = json_write_take(&out);
    size_t len = line ? strlen(line) : 0;
    if (!line)
        return;
    line[len] = '\n';
    zmq_msg_t message;
    if (outgoing_message(self->waiting, &message, line, len + 1) == 0 && send_message(self, &message))
        self->untold = 0;
}

/* Its bytes count as waiting until libzmq has done with them. */
static bool send_text(struct tap *self, struct tape *tape)
{
    zmq_msg_t message;
    const int rc = outgoing_message(self->waiting, &message, tape->text, tape->len);
    tape->text = NULL;
    outgoing_give(self->waiting, (int64_t)tape->len);
    return rc == 0 && send_message(self, &message);
}

static void send_tape(struct tap *self, struct tape *tape)
{
    send_lost(self);
    if (send_text(self, tape))
        atomic_fetch_add_explicit(&self->sent, tape->events, memory_order_relaxed);
    else if (atomic_load_explicit(&self->session, memory_order_relaxed)) {
        atomic_fetch_add_explicit(&self->lost, tape->events, memory_order_relaxed);
        self->untold += tape->events;
    }
}

static void *run(void *argument)
{
    struct tap *self = argument;
    bool stop = false;
    while (!stop || inbox_count(self->inbox) > 0) {
        struct letter letter;
        heart_beat(&self->heart);
        take_subscriptions(self);
        greet(self);
        if (inbox_take(self->inbox, &letter)) {
            if (letter.kind == LETTER_STOP)
                stop = true;
            if (letter.kind == LETTER_TAPE)
                send_tape(self, letter.body);
            if (letter.drop)
                letter.drop(letter.body);
            continue;
        }
        send_lost(self);
        zmq_pollitem_t items[] = {{.fd = inbox_fd(self->inbox), .events = ZMQ_POLLIN},
                                  {.socket = self->handle, .events = ZMQ_POLLIN}};
        zmq_poll(items, 2, HEART_TURN_MAX_MS);
    }
    return NULL;
}

int tap_start(struct tap *self)
{
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error)
        return -error;
    self->started = true;
    pthread_setname_np(self->thread, "tap");
    return 0;
}

uint64_t tap_sent(const struct tap *self)
{
    return atomic_load_explicit(&self->sent, memory_order_relaxed);
}

uint64_t tap_lost(const struct tap *self)
{
    return atomic_load_explicit(&self->lost, memory_order_relaxed);
}

const struct heart *tap_heart(const struct tap *self)
{
    return &self->heart;
}

void tap_stop(struct tap *self)
{
    if (!self->started)
        return;
    atomic_store(&self->until_ns, clock_now().steady_ns + STOP_NS);
    while (inbox_put(self->inbox, (struct letter){.kind = LETTER_STOP}) < 0)
        zclock_sleep(10);
    pthread_join(self->thread, NULL);
    self->started = false;
}

void tap_destroy(struct tap **self_p)
{
    struct tap *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (*self->endpoint)
        endpoint_unbind(self->socket, self->endpoint);
    zsock_destroy(&self->socket);
    inbox_destroy(&self->inbox);
    outgoing_drop(&self->waiting);
    free(self);
}

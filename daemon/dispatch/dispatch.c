#include "daemon/dispatch/dispatch.h"

#include <czmq.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES_MAX (1024 * 1024) /* a frame of a trainer */
#define FRAMES_MAX 16                   /* before and with the body; a message of more comes out empty */
#define QUEUE_MAX 1000                  /* messages a trainer's connection holds */
#define HANDSHAKE_MS 3000
#define HEARTBEAT_MS 2000 /* on bound sockets only: who does not answer is found dead within 5 s */
#define HEARTBEAT_TIMEOUT_MS 2500
#define REPLY_LINGER_MS 250  /* replies that are on their way when the daemon stops */
#define REFUSALS_A_TURN 64   /* what a key without a right sends is let go, a little at a time */
#define JOB_LINGER_MS 1000   /* jobs, where nobody offers them again */

struct dispatch {
    struct job_doors wish; /* until open() */
    struct doors *jobs, *feedback;
    bool feedback_required;
    bool with_curve;
    struct keyring_reader keys;
    zsock_t *push, *router;
    void *push_handle, *router_handle;
    bool wanted; /* ready() said no: wait() is to end when a trainer is free */
    char why[ENDPOINT_WHY_MAX];
};

/* The frames that a reply goes behind. */
struct sender {
    zmq_msg_t frames[FRAMES_MAX];
    uint32_t envelope; /* of these, the first are echoed */
    uint32_t count;
};

int dispatch_new(struct dispatch **self_p, const struct dispatch_options *options)
{
    *self_p = NULL;
    struct dispatch *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->feedback_required = options->feedback_required;
    self->with_curve = options->keyring != NULL;
    self->wish = options->doors;
    if (options->keyring)
        keyring_open(&self->keys, options->keyring);
    int rc = doors_new(&self->jobs, "jobs.bind", "jobs");
    if (rc == 0)
        rc = doors_new(&self->feedback, "feedback.bind", "feedback");
    if (rc < 0)
        dispatch_destroy(&self);
    *self_p = self;
    return rc;
}

static void set_heartbeat(zsock_t *socket)
{
    zsock_set_handshake_ivl(socket, HANDSHAKE_MS);
    zsock_set_heartbeat_ivl(socket, HEARTBEAT_MS);
    zsock_set_heartbeat_timeout(socket, HEARTBEAT_TIMEOUT_MS);
}

static void port_close(void *argument)
{
    struct dispatch *self = argument;
    if (self->push && self->router) {
        doors_shut(self->jobs, self->push);
        doors_shut(self->feedback, self->router);
    }
    zsock_destroy(&self->push);
    zsock_destroy(&self->router);
}

static void port_renew(void *argument, struct job_doors *doors)
{
    struct dispatch *self = argument;
    char why[ENDPOINT_WHY_MAX];
    doors->error = doors_open(self->jobs, self->push, &doors->jobs, doors->why);
    int second = doors_open(self->feedback, self->router, &doors->feedback, why);
    if (doors->error < 0 || second == 0)
        return;
    doors->error = second;
    memcpy(doors->why, why, sizeof why);
}

static int port_open(void *argument)
{
    struct dispatch *self = argument;
    self->push = zsock_new(ZMQ_PUSH);
    self->router = zsock_new(ZMQ_ROUTER);
    if (!self->push || !self->router) {
        snprintf(self->why, sizeof self->why, "jobs.bind: a socket cannot be made: %s", zmq_strerror(zmq_errno()));
        port_close(self);
        return -ENOMEM;
    }
    self->push_handle = zsock_resolve(self->push);
    self->router_handle = zsock_resolve(self->router);
    zsock_set_sndhwm(self->push, 1);
    zsock_set_immediate(self->push, 1);
    /* A job that has not left when the daemon stops is OFFERED, and offered again after the next start: it need not
     * leave. Without feedback it counts as delivered already. */
    zsock_set_linger(self->push, self->feedback_required ? 0 : JOB_LINGER_MS);
    zsock_set_maxmsgsize(self->push, MESSAGE_BYTES_MAX);
    set_heartbeat(self->push);
    zsock_set_router_mandatory(self->router, 1);
    /* A trainer that comes back under its identity is heard before its old connection is found dead. */
    zsock_set_router_handover(self->router, 1);
    zsock_set_rcvhwm(self->router, QUEUE_MAX);
    zsock_set_sndhwm(self->router, QUEUE_MAX);
    zsock_set_maxmsgsize(self->router, MESSAGE_BYTES_MAX);
    zsock_set_linger(self->router, REPLY_LINGER_MS);
    set_heartbeat(self->router);
    port_renew(self, &self->wish);
    int rc = self->wish.error;
    if (rc < 0) {
        memcpy(self->why, self->wish.why, sizeof self->why);
        port_close(self);
    }
    return rc;
}

static const char *port_why(void *argument)
{
    return ((const struct dispatch *)argument)->why;
}

/* Asked of the socket, not of its descriptor: that says only that something has happened. Asking also makes the socket
 * look at what has happened, which a send does but once in a millisecond. */
static bool can_send(struct dispatch *self)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(self->push_handle, ZMQ_EVENTS, &events, &size) == 0 && events & ZMQ_POLLOUT;
}

static bool port_ready(void *argument)
{
    struct dispatch *self = argument;
    bool ready = can_send(self);
    self->wanted = !ready;
    return ready;
}

static int port_send(void *argument, const char *job, size_t bytes)
{
    struct dispatch *self = argument;
    if (!can_send(self))
        return -EAGAIN;
    for (;;) {
        if (zmq_send(self->push_handle, job, bytes, ZMQ_DONTWAIT) >= 0)
            return 0;
        if (zmq_errno() != EINTR)
            return -zmq_errno();
    }
}

static void sender_free(struct sender *sender)
{
    for (uint32_t i = 0; i < sender->count; i++)
        zmq_msg_close(&sender->frames[i]);
    free(sender);
}

/* Takes all frames of one message. What is beyond FRAMES_MAX is let go; *more_p says that there was such. -EAGAIN: there
 * is no message. */
static int receive(struct dispatch *self, struct sender *sender, bool *more_p)
{
    bool more = true;
    *more_p = false;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        int rc;
        while ((rc = zmq_msg_recv(&frame, self->router_handle, ZMQ_DONTWAIT)) < 0 && zmq_errno() == EINTR)
            ;
        if (rc < 0) {
            zmq_msg_close(&frame);
            return -EAGAIN;
        }
        more = zmq_msg_more(&frame);
        if (sender->count < FRAMES_MAX) {
            zmq_msg_init(&sender->frames[sender->count]);
            zmq_msg_move(&sender->frames[sender->count++], &frame);
        } else {
            *more_p = true;
        }
        zmq_msg_close(&frame);
    }
    return 0;
}

/* The identity and every frame up to and including the first empty one; without an empty one, the identity alone. */
static uint32_t envelope_of(struct sender *sender)
{
    for (uint32_t i = 1; i < sender->count; i++) {
        if (zmq_msg_size(&sender->frames[i]) == 0)
            return i + 1;
    }
    return 1;
}

/* A connection outlives the revocation of its key: each message is asked for again. */
static bool is_trainer(struct dispatch *self, struct sender *sender)
{
    if (!self->with_curve)
        return true;
    const char *key = curve_sender(&sender->frames[sender->count - 1]);
    return keyring_may(keyring_find(&self->keys, key), KEYRING_TRAINER, "", 0);
}

/* The sender of the next message, whoever it is; NULL: there is none. */
static struct sender *take_any(struct dispatch *self, struct feedback_letter *out)
{
    struct sender *sender = calloc(1, sizeof *sender);
    bool too_many;
    if (!sender)
        return NULL;
    if (receive(self, sender, &too_many) < 0) {
        sender_free(sender);
        return NULL;
    }
    sender->envelope = envelope_of(sender);
    *out = (struct feedback_letter){.json = "", .sender = sender};
    if (!too_many && sender->count == sender->envelope + 1) {
        zmq_msg_t *body = &sender->frames[sender->envelope];
        out->json = zmq_msg_data(body);
        out->bytes = zmq_msg_size(body);
    }
    return sender;
}

/* A trainer that has gone, or that reads nothing, loses its reply; it asks again when it is back. */
static void port_reply(void *argument, void *token, const char *json, size_t bytes)
{
    struct dispatch *self = argument;
    struct sender *sender = token;
    bool good = true;
    for (uint32_t i = 0; good && i < sender->envelope; i++)
        good = zmq_msg_send(&sender->frames[i], self->router_handle, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
    if (good)
        zmq_send(self->router_handle, json, bytes, ZMQ_DONTWAIT);
    sender_free(sender);
}

static bool port_take(void *argument, struct feedback_letter *out)
{
    static const char refusal[] = "{\"ok\":false,\"error\":\"unauthorized\","
                                  "\"message\":\"this key is not, or no longer, that of a trainer\"}";
    struct dispatch *self = argument;
    for (int i = 0; i < REFUSALS_A_TURN; i++) {
        struct sender *sender = take_any(self, out);
        if (!sender || is_trainer(self, sender))
            return sender != NULL;
        port_reply(self, sender, refusal, sizeof refusal - 1);
    }
    return false;
}

/* PUSH is waited for also when nobody wants to send: what libzmq asks of this thread when trainers come and go is done in
 * between, and it would keep their memory and descriptors until then. It is never readable, so that does not end the wait. */
static int port_wait(void *argument, int inbox_fd, int64_t timeout_ns)
{
    struct dispatch *self = argument;
    zmq_pollitem_t items[] = {{.socket = self->router_handle, .events = ZMQ_POLLIN},
                              {.fd = inbox_fd, .events = ZMQ_POLLIN},
                              {.socket = self->push_handle, .events = self->wanted ? ZMQ_POLLOUT : ZMQ_POLLIN}};
    int64_t ms = (timeout_ns + 999999) / 1000000;
    int rc = zmq_poll(items, 3, ms > 3600000 ? 3600000 : (long)ms);
    self->wanted = false;
    return rc < 0 && zmq_errno() != EINTR ? -zmq_errno() : 0;
}

struct job_port dispatch_port(struct dispatch *self)
{
    return (struct job_port){.argument = self,
                             .open = port_open,
                             .why = port_why,
                             .ready = port_ready,
                             .send = port_send,
                             .take = port_take,
                             .reply = port_reply,
                             .wait = port_wait,
                             .renew = port_renew,
                             .close = port_close};
}

bool dispatch_jobs_endpoint(struct dispatch *self, uint32_t n, char out[ENDPOINT_MAX])
{
    return doors_endpoint(self->jobs, n, out);
}

bool dispatch_feedback_endpoint(struct dispatch *self, uint32_t n, char out[ENDPOINT_MAX])
{
    return doors_endpoint(self->feedback, n, out);
}

void dispatch_destroy(struct dispatch **self_p)
{
    struct dispatch *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    port_close(self);
    doors_destroy(&self->jobs);
    doors_destroy(&self->feedback);
    keyring_close(&self->keys);
    free(self);
}

#include "daemon/dispatch/dispatch.h"

#include <czmq.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/dispatch/sender.h"

#define MESSAGE_BYTES_MAX (1024 * 1024) /* a frame of a trainer */
#define QUEUE_MAX 1000                  /* messages a trainer's connection holds */
#define HANDSHAKE_MS 3000
#define DEAD_S 4 /* a trainer that is gone without a word is found so within this */
#define REPLY_LINGER_MS 250  /* replies that are on their way when the daemon stops */
#define REFUSALS_A_TURN 64   /* what a key without a right sends is let go, a little at a time */
#define JOB_LINGER_MS 1000   /* jobs, where nobody offers them again */

struct outlet {
    char *project; /* NULL: for all that have none of their own */
    struct doors_name name;
    struct doors *doors;
    zsock_t *push;
    void *handle;
    bool wanted; /* ready() said no: wait() is to end when a trainer is free */
};

struct dispatch {
    struct job_doors wish; /* until open() */
    struct outlet *outlets;
    uint32_t outlet_count;
    struct doors *feedback;
    bool feedback_required;
    bool with_curve;
    struct handshakes *handshakes;
    struct keyring_reader keys;
    zsock_t *router;
    void *router_handle;
    atomic_uint_fast64_t unauthorized, replies_lost;
    zmq_pollitem_t *items; /* for wait(): the router, the inbox, the outlets */
    char why[ENDPOINT_WHY_MAX];
};

static int outlet_init(struct outlet *self, const char *project)
{
    self->name = (struct doors_name){.key = "jobs.bind", .domain = "jobs"};
    if (project)
        doors_name_of(&self->name, project, "jobs");
    self->project = project ? strdup(project) : NULL;
    if (project && !self->project)
        return -ENOMEM;
    return doors_new(&self->doors, self->name.key, self->name.domain);
}

int dispatch_new(struct dispatch **self_p, const struct dispatch_options *options)
{
    *self_p = NULL;
    struct dispatch *self = calloc(1, sizeof *self);
    uint32_t count = 1 + options->doors.own_count;
    if (!self)
        return -ENOMEM;
    self->feedback_required = options->feedback_required;
    self->handshakes = options->handshakes;
    self->with_curve = options->keyring != NULL;
    self->wish = options->doors;
    if (options->keyring)
        keyring_open(&self->keys, options->keyring);
    self->outlets = calloc(count, sizeof *self->outlets);
    self->items = calloc(count + 2, sizeof *self->items);
    int rc = self->outlets && self->items ? 0 : -ENOMEM;
    while (rc == 0 && self->outlet_count < count) {
        uint32_t i = self->outlet_count++;
        rc = outlet_init(&self->outlets[i], i ? options->doors.own[i - 1].project : NULL);
    }
    if (rc == 0)
        rc = doors_new(&self->feedback, "feedback.bind", "feedback");
    if (rc < 0)
        dispatch_destroy(&self);
    *self_p = self;
    return rc;
}

static void set_patience(zsock_t *socket)
{
    zsock_set_handshake_ivl(socket, HANDSHAKE_MS);
    endpoint_find_dead(socket, DEAD_S, true);
}

static void port_close(void *argument)
{
    struct dispatch *self = argument;
    for (uint32_t i = 0; self->outlets && i < self->outlet_count; i++) {
        struct outlet *outlet = &self->outlets[i];
        if (outlet->push)
            doors_shut(outlet->doors, outlet->push);
        zsock_destroy(&outlet->push);
    }
    if (self->router)
        doors_shut(self->feedback, self->router);
    zsock_destroy(&self->router);
}

static void renew_one(struct job_doors *all, struct doors *doors, zsock_t *socket, const struct doors_wish *wish)
{
    char why[ENDPOINT_WHY_MAX];
    int rc = doors_open(doors, socket, wish, why);
    if (rc == 0 || all->error < 0)
        return;
    all->error = rc;
    memcpy(all->why, why, sizeof why);
}

static void port_renew(void *argument, struct job_doors *doors)
{
    struct dispatch *self = argument;
    doors->error = 0;
    for (uint32_t i = 0; i < self->outlet_count && i <= doors->own_count; i++)
        renew_one(doors, self->outlets[i].doors, self->outlets[i].push, i ? &doors->own[i - 1].wish : &doors->jobs);
    renew_one(doors, self->feedback, self->router, &doors->feedback);
}

static int open_outlet(struct dispatch *self, struct outlet *outlet)
{
    outlet->push = zsock_new(ZMQ_PUSH);
    if (!outlet->push)
        return -ENOMEM;
    outlet->handle = zsock_resolve(outlet->push);
    zsock_set_sndhwm(outlet->push, 1);
    zsock_set_immediate(outlet->push, 1);
    /* A job that has not left when the daemon stops is OFFERED, and offered again after the next start: it need not
     * leave. Without feedback it counts as delivered already. */
    zsock_set_linger(outlet->push, self->feedback_required ? 0 : JOB_LINGER_MS);
    zsock_set_maxmsgsize(outlet->push, MESSAGE_BYTES_MAX);
    set_patience(outlet->push);
    return handshakes_watch(self->handshakes, outlet->push, outlet->name.key);
}

static int open_router(struct dispatch *self)
{
    self->router = zsock_new(ZMQ_ROUTER);
    if (!self->router)
        return -ENOMEM;
    self->router_handle = zsock_resolve(self->router);
    zsock_set_router_mandatory(self->router, 1);
    /* A trainer that comes back under its identity is heard before its old connection is found dead. */
    zsock_set_router_handover(self->router, 1);
    zsock_set_rcvhwm(self->router, QUEUE_MAX);
    zsock_set_sndhwm(self->router, QUEUE_MAX);
    zsock_set_maxmsgsize(self->router, MESSAGE_BYTES_MAX);
    zsock_set_linger(self->router, REPLY_LINGER_MS);
    set_patience(self->router);
    return handshakes_watch(self->handshakes, self->router, "feedback.bind");
}

static int port_open(void *argument)
{
    struct dispatch *self = argument;
    int rc = open_router(self);
    for (uint32_t i = 0; rc == 0 && i < self->outlet_count; i++)
        rc = open_outlet(self, &self->outlets[i]);
    if (rc < 0) {
        snprintf(self->why, sizeof self->why, "jobs.bind: a socket cannot be made: %s", zmq_strerror(zmq_errno()));
        port_close(self);
        return rc;
    }
    port_renew(self, &self->wish);
    rc = self->wish.error;
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

static uint32_t port_outlet(void *argument, const char *project, size_t len)
{
    const struct dispatch *self = argument;
    for (uint32_t i = 1; i < self->outlet_count; i++) {
        const char *own = self->outlets[i].project;
        if (strlen(own) == len && memcmp(own, project, len) == 0)
            return i;
    }
    return 0;
}

static const char *port_project(void *argument, uint32_t outlet)
{
    return ((const struct dispatch *)argument)->outlets[outlet].project;
}

/* Asked of the socket, not of its descriptor: that says only that something has happened. Asking also makes the socket
 * look at what has happened, which a send does but once in a millisecond. */
static bool can_send(struct outlet *outlet)
{
    int events = 0;
    size_t size = sizeof events;
    return zmq_getsockopt(outlet->handle, ZMQ_EVENTS, &events, &size) == 0 && events & ZMQ_POLLOUT;
}

static bool port_ready(void *argument, uint32_t outlet)
{
    struct dispatch *self = argument;
    bool ready = can_send(&self->outlets[outlet]);
    self->outlets[outlet].wanted = !ready;
    return ready;
}

static int port_send(void *argument, uint32_t outlet, const char *job, size_t bytes)
{
    struct dispatch *self = argument;
    if (!can_send(&self->outlets[outlet]))
        return -EAGAIN;
    for (;;) {
        if (zmq_send(self->outlets[outlet].handle, job, bytes, ZMQ_DONTWAIT) >= 0)
            return 0;
        if (zmq_errno() != EINTR)
            return -zmq_errno();
    }
}

/* A connection outlives the revocation of its key: each message is asked for again. NULL: the key may not speak. */
static const struct keyring_entry *key_of(struct dispatch *self, struct sender *sender)
{
    return keyring_find(&self->keys, sender_key(sender));
}

static bool is_trainer(struct dispatch *self, struct sender *sender)
{
    const struct keyring_entry *key = self->with_curve ? key_of(self, sender) : NULL;
    return !self->with_curve || (key && key->role == KEYRING_TRAINER);
}

static bool port_may(void *argument, void *sender, const char *project, size_t len)
{
    struct dispatch *self = argument;
    return !self->with_curve || keyring_may(key_of(self, sender), KEYRING_TRAINER, project, len);
}

static void port_reply(void *argument, void *token, const char *json, size_t bytes)
{
    struct dispatch *self = argument;
    if (!sender_reply(token, self->router_handle, json, bytes))
        atomic_fetch_add_explicit(&self->replies_lost, 1, memory_order_relaxed);
}

static bool port_take(void *argument, struct feedback_letter *out)
{
    static const char refusal[] = "{\"ok\":false,\"error\":\"unauthorized\","
                                  "\"message\":\"this key is not, or no longer, that of a trainer\"}";
    struct dispatch *self = argument;
    for (int i = 0; i < REFUSALS_A_TURN; i++) {
        struct sender *sender = sender_take(self->router_handle, out);
        if (!sender || is_trainer(self, sender))
            return sender != NULL;
        atomic_fetch_add_explicit(&self->unauthorized, 1, memory_order_relaxed);
        port_reply(self, sender, refusal, sizeof refusal - 1);
    }
    return false;
}

/* A PUSH is waited for also when nobody wants to send: what libzmq asks of this thread when trainers come and go is
 * done in between, and it would keep their memory and descriptors until then. It is never readable, so that does not
 * end the wait. */
static int port_wait(void *argument, int inbox_fd, int64_t timeout_ns)
{
    struct dispatch *self = argument;
    self->items[0] = (zmq_pollitem_t){.socket = self->router_handle, .events = ZMQ_POLLIN};
    self->items[1] = (zmq_pollitem_t){.fd = inbox_fd, .events = ZMQ_POLLIN};
    for (uint32_t i = 0; i < self->outlet_count; i++) {
        struct outlet *outlet = &self->outlets[i];
        self->items[2 + i] =
            (zmq_pollitem_t){.socket = outlet->handle, .events = outlet->wanted ? ZMQ_POLLOUT : ZMQ_POLLIN};
        outlet->wanted = false;
    }
    int64_t ms = (timeout_ns + 999999) / 1000000;
    int rc = zmq_poll(self->items, 2 + (int)self->outlet_count, ms > 3600000 ? 3600000 : (long)ms);
    return rc < 0 && zmq_errno() != EINTR ? -zmq_errno() : 0;
}

struct job_port dispatch_port(struct dispatch *self)
{
    return (struct job_port){.argument = self,
                             .outlets = self->outlet_count,
                             .outlet = port_outlet,
                             .project = port_project,
                             .open = port_open,
                             .why = port_why,
                             .ready = port_ready,
                             .send = port_send,
                             .take = port_take,
                             .may = port_may,
                             .reply = port_reply,
                             .wait = port_wait,
                             .renew = port_renew,
                             .close = port_close};
}

bool dispatch_own_endpoint(struct dispatch *self, const char *project, uint32_t n, char out[ENDPOINT_MAX])
{
    uint32_t outlet = port_outlet(self, project, strlen(project));
    return outlet && doors_endpoint(self->outlets[outlet].doors, n, out);
}

bool dispatch_jobs_endpoint(struct dispatch *self, uint32_t n, char out[ENDPOINT_MAX])
{
    return doors_endpoint(self->outlets[0].doors, n, out);
}

bool dispatch_feedback_endpoint(struct dispatch *self, uint32_t n, char out[ENDPOINT_MAX])
{
    return doors_endpoint(self->feedback, n, out);
}

struct dispatch_counts dispatch_counts(const struct dispatch *self)
{
    return (struct dispatch_counts){
        .unauthorized = atomic_load_explicit(&self->unauthorized, memory_order_relaxed),
        .replies_lost = atomic_load_explicit(&self->replies_lost, memory_order_relaxed)};
}

void dispatch_destroy(struct dispatch **self_p)
{
    struct dispatch *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    port_close(self);
    for (uint32_t i = 0; self->outlets && i < self->outlet_count; i++) {
        doors_destroy(&self->outlets[i].doors);
        free(self->outlets[i].project);
    }
    free(self->outlets);
    free(self->items);
    doors_destroy(&self->feedback);
    keyring_close(&self->keys);
    free(self);
}

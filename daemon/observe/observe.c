#include "daemon/observe/observe.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"

#define LINGER_MS 200
#define HANDSHAKE_MS 3000
#define HEARTBEAT_MS 10000
#define HEARTBEAT_TIMEOUT_MS 30000
#define SUBSCRIPTION_MAX 4096 /* bytes; all that observers have to say */

struct observe {
    zsock_t *socket;
    void *handle;
    struct inbox *inbox;
    struct doors *doors;
    pthread_t thread;
    bool started;
    struct heart heart;
    atomic_uint_fast64_t sent, dropped;
};

int observe_new(struct observe **self_p, const struct doors_wish *doors, char why[ENDPOINT_WHY_MAX])
{
    *self_p = NULL;
    snprintf(why, ENDPOINT_WHY_MAX, "no memory or descriptor for the events socket");
    struct observe *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    int rc = inbox_new(&self->inbox);
    if (rc == 0)
        rc = doors_new(&self->doors, "events.bind", "events");
    if (rc < 0) {
        observe_destroy(&self);
        return rc;
    }
    self->socket = zsock_new(ZMQ_PUB);
    self->handle = zsock_resolve(self->socket);
    zsock_set_linger(self->socket, LINGER_MS);
    zsock_set_handshake_ivl(self->socket, HANDSHAKE_MS);
    zsock_set_heartbeat_ivl(self->socket, HEARTBEAT_MS);
    zsock_set_heartbeat_timeout(self->socket, HEARTBEAT_TIMEOUT_MS);
    zsock_set_maxmsgsize(self->socket, SUBSCRIPTION_MAX);
    rc = doors_open(self->doors, self->socket, doors, why);
    if (rc < 0)
        observe_destroy(&self);
    *self_p = self;
    return rc;
}

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void observe_put(struct observe *self, struct cloud_event *event)
{
    struct letter letter = {.kind = LETTER_EVENT, .body = event, .drop = cloud_event_drop};
    if (inbox_count(self->inbox) < OBSERVE_WAITING_MAX && inbox_put(self->inbox, letter) == 0)
        return;
    cloud_event_drop(event);
    count(&self->dropped);
}

/* A PUB socket never waits: who cannot keep up loses, by libzmq's own bound. */
static void publish(struct observe *self, const struct cloud_event *event)
{
    if (zmq_send(self->handle, event->topic, strlen(event->topic), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
        zmq_send(self->handle, event->json, strlen(event->json), ZMQ_DONTWAIT) >= 0)
        count(&self->sent);
    else
        count(&self->dropped);
}

static void renew_doors(struct observe *self, struct doors_letter *letter)
{
    letter->error = doors_open(self->doors, self->socket, &letter->wish, letter->why);
    doors_letter_back(letter);
}

static void *run(void *argument)
{
    struct observe *self = argument;
    bool stop = false;
    while (!stop || inbox_count(self->inbox) > 0) {
        heart_beat(&self->heart);
        struct letter letter;
        if (inbox_take(self->inbox, &letter)) {
            if (letter.kind == LETTER_EVENT)
                publish(self, letter.body);
            stop = stop || letter.kind == LETTER_STOP;
            if (letter.kind == LETTER_DOORS)
                renew_doors(self, letter.body);
            else if (letter.drop)
                letter.drop(letter.body);
            continue;
        }
        /* The socket is never readable, but looking at it is what lets libzmq take new subscribers in. */
        zmq_pollitem_t items[] = {{.fd = inbox_fd(self->inbox), .events = ZMQ_POLLIN},
                                  {.socket = self->handle, .events = ZMQ_POLLIN}};
        zmq_poll(items, 2, HEART_TURN_MAX_MS);
    }
    return NULL;
}

int observe_start(struct observe *self)
{
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error)
        return -error;
    self->started = true;
    pthread_setname_np(self->thread, "observe");
    return 0;
}

bool observe_endpoint(struct observe *self, uint32_t n, char out[ENDPOINT_MAX])
{
    return doors_endpoint(self->doors, n, out);
}

struct inbox *observe_inbox(struct observe *self)
{
    return self->inbox;
}

uint64_t observe_sent(const struct observe *self)
{
    return atomic_load_explicit(&self->sent, memory_order_relaxed);
}

uint64_t observe_dropped(const struct observe *self)
{
    return atomic_load_explicit(&self->dropped, memory_order_relaxed);
}

const struct heart *observe_heart(const struct observe *self)
{
    return &self->heart;
}

void observe_stop(struct observe *self)
{
    if (!self->started)
        return;
    while (inbox_put(self->inbox, (struct letter){.kind = LETTER_STOP}) < 0)
        zclock_sleep(10);
    pthread_join(self->thread, NULL);
    self->started = false;
}

void observe_destroy(struct observe **self_p)
{
    struct observe *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->socket)
        doors_shut(self->doors, self->socket);
    doors_destroy(&self->doors);
    zsock_destroy(&self->socket);
    inbox_destroy(&self->inbox);
    free(self);
}

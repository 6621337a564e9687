#include "daemon/observe/observe.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#define LINGER_MS 200
#define HANDSHAKE_MS 3000
#define DEAD_S 40 /* an observer that is gone without a word is found so within this */
#define SUBSCRIPTION_MAX 4096 /* bytes; all that observers have to say */
#define TELL_EVERY_NS (60 * CLOCK_S_NS)

struct outlet {
    char *project; /* NULL: for all of them */
    uint64_t sequence;                /* of its latest event */
    atomic_uint_fast64_t passed_over; /* events that were dropped before they had a number */
    int64_t told_ns;                  /* that an observer does not keep up; INT64_MIN: never */
    struct doors_name name;
    struct doors *doors;
    zsock_t *socket;
    void *handle;
};

struct observe {
    struct outlet *outlets; /* the first for all, then those of single projects */
    uint32_t outlet_count;
    zmq_pollitem_t *items; /* the inbox, the outlets */
    struct inbox *inbox;
    pthread_t thread;
    bool started;
    struct heart heart;
    atomic_uint_fast64_t sent, dropped, behind;
};

/* Whether libzmq leaves out who has no room for an event, which it tells nobody, or refuses the event (EAGAIN). */
static void outlet_drops(struct outlet *self, bool drops)
{
    const int no_drop = !drops;
    zmq_setsockopt(self->handle, ZMQ_XPUB_NODROP, &no_drop, sizeof no_drop);
}

static int outlet_open(struct outlet *self, const char *project, const struct doors_wish *wish,
                       struct handshakes *handshakes, char why[ENDPOINT_WHY_MAX])
{
    self->name = (struct doors_name){.key = "events.bind", .domain = "events"};
    self->told_ns = INT64_MIN;
    if (project)
        doors_name_of(&self->name, project, "events");
    self->project = project ? strdup(project) : NULL;
    int rc = project && !self->project ? -ENOMEM : doors_new(&self->doors, self->name.key, self->name.domain);
    self->socket = rc == 0 ? zsock_new(ZMQ_PUB) : NULL;
    if (!self->socket)
        return -ENOMEM;
    self->handle = zsock_resolve(self->socket);
    zsock_set_linger(self->socket, LINGER_MS);
    zsock_set_handshake_ivl(self->socket, HANDSHAKE_MS);
    endpoint_find_dead(self->socket, DEAD_S, false);
    /* Subscriptions are taken as they come; a queue that is full of them would end the process with the connection. */
    zsock_set_rcvhwm(self->socket, 0);
    zsock_set_maxmsgsize(self->socket, SUBSCRIPTION_MAX);
    rc = handshakes_watch(handshakes, self->socket, self->name.key);
    return rc == 0 ? doors_open(self->doors, self->socket, wish, why) : rc;
}

int observe_new(struct observe **self_p, const struct doors_letter *doors, struct handshakes *handshakes,
                char why[ENDPOINT_WHY_MAX])
{
    *self_p = NULL;
    snprintf(why, ENDPOINT_WHY_MAX, "no memory or descriptor for the events socket");
    struct observe *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    uint32_t count = 1 + doors->own_count;
    int rc = inbox_new(&self->inbox);
    self->outlets = calloc(count, sizeof *self->outlets);
    self->items = calloc(count + 1, sizeof *self->items);
    if (!self->outlets || !self->items)
        rc = -ENOMEM;
    while (rc == 0 && self->outlet_count < count) {
        uint32_t i = self->outlet_count++;
        const struct doors_project *own = i ? &doors->own[i - 1] : NULL;
        rc = outlet_open(&self->outlets[i], own ? own->project : NULL, own ? &own->wish : &doors->wish,
                         handshakes, why);
    }
    if (rc < 0)
        observe_destroy(&self);
    *self_p = self;
    return rc;
}

static void count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* NULL: the project has none of its own. */
static struct outlet *own_of(struct observe *self, const char *project, size_t len)
{
    for (uint32_t i = 1; i < self->outlet_count; i++) {
        struct outlet *outlet = &self->outlets[i];
        if (strlen(outlet->project) == len && memcmp(outlet->project, project, len) == 0)
            return outlet;
    }
    return NULL;
}

/* Of the project whose model an event is about. */
static struct outlet *own_of_event(struct observe *self, const struct cloud_event *event)
{
    const char *slash = event->of_model ? strchr(event->topic, '/') : NULL;
    return slash ? own_of(self, slash + 1, strcspn(slash + 1, "/")) : NULL;
}

void observe_put(struct observe *self, struct cloud_event *event)
{
    struct letter letter = {.kind = LETTER_EVENT, .body = event, .drop = cloud_event_drop};
    if (inbox_count(self->inbox) < OBSERVE_WAITING_MAX && inbox_put(self->inbox, letter) == 0)
        return;
    struct outlet *own = own_of_event(self, event);
    cloud_event_drop(event);
    count(&self->dropped);
    count(&self->outlets[0].passed_over);
    if (own)
        count(&own->passed_over);
}

static void fell_behind(struct observe *self, struct outlet *outlet)
{
    const int64_t now_ns = clock_now().steady_ns;
    count(&self->behind);
    if (outlet->told_ns != INT64_MIN && now_ns - outlet->told_ns < TELL_EVERY_NS)
        return;
    outlet->told_ns = now_ns;
    log_warning("an observer does not keep up and misses events until it has read half of what waits for it; "
                "have it read faster, or subscribe to less", LOG_TEXT("key", outlet->name.key));
}

/* The event's object with its number as one more member, or a message without any where memory is short. */
static void number_event(zmq_msg_t *out, const char *json, uint64_t sequence)
{
    char member[48];
    const size_t len = strlen(json) - 1; /* less the brace */
    const size_t more = (size_t)snprintf(member, sizeof member, ",\"sequence\":\"%020" PRIu64 "\"}", sequence);
    if (zmq_msg_init_size(out, len + more) < 0) {
        zmq_msg_init(out);
        return;
    }
    memcpy(zmq_msg_data(out), json, len);
    memcpy((char *)zmq_msg_data(out) + len, member, more);
}

static bool send_topic(const struct outlet *outlet, const struct cloud_event *event)
{
    return zmq_send(outlet->handle, event->topic, strlen(event->topic), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
}

/* A PUB socket never waits: who cannot keep up loses, by libzmq's own bound. It is only asked whether somebody does. */
static bool publish_on(struct observe *self, struct outlet *outlet, const struct cloud_event *event)
{
    zmq_msg_t json;
    outlet->sequence += 1 + atomic_exchange_explicit(&outlet->passed_over, 0, memory_order_relaxed);
    number_event(&json, event->json, outlet->sequence);
    bool sent = zmq_msg_size(&json) > 0;
    outlet_drops(outlet, false);
    if (sent && !send_topic(outlet, event)) {
        fell_behind(self, outlet);
        outlet_drops(outlet, true);
        sent = send_topic(outlet, event);
    }
    outlet_drops(outlet, true); /* what has begun is not refused in its middle */
    sent = sent && zmq_msg_send(&json, outlet->handle, ZMQ_DONTWAIT) >= 0;
    zmq_msg_close(&json);
    return sent;
}

static void publish(struct observe *self, const struct cloud_event *event)
{
    struct outlet *own = own_of_event(self, event);
    bool sent = publish_on(self, &self->outlets[0], event);
    if (own)
        sent = publish_on(self, own, event) && sent;
    count(sent ? &self->sent : &self->dropped);
}

static void renew_doors(struct observe *self, struct doors_letter *letter)
{
    char why[ENDPOINT_WHY_MAX];
    letter->error = 0;
    for (uint32_t i = 0; i < self->outlet_count && i <= letter->own_count; i++) {
        struct outlet *outlet = &self->outlets[i];
        int rc = doors_open(outlet->doors, outlet->socket, i ? &letter->own[i - 1].wish : &letter->wish, why);
        if (rc == 0 || letter->error < 0)
            continue;
        letter->error = rc;
        memcpy(letter->why, why, sizeof why);
    }
    doors_letter_back(letter);
}

/* The sockets are never readable, but looking at them is what lets libzmq take new subscribers in. */
static void wait_for_letters(struct observe *self)
{
    self->items[0] = (zmq_pollitem_t){.fd = inbox_fd(self->inbox), .events = ZMQ_POLLIN};
    for (uint32_t i = 0; i < self->outlet_count; i++)
        self->items[1 + i] = (zmq_pollitem_t){.socket = self->outlets[i].handle, .events = ZMQ_POLLIN};
    zmq_poll(self->items, 1 + (int)self->outlet_count, HEART_TURN_MAX_MS);
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
        wait_for_letters(self);
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
    return doors_endpoint(self->outlets[0].doors, n, out);
}

bool observe_own_endpoint(struct observe *self, const char *project, uint32_t n, char out[ENDPOINT_MAX])
{
    struct outlet *own = own_of(self, project, strlen(project));
    return own && doors_endpoint(own->doors, n, out);
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

uint64_t observe_behind(const struct observe *self)
{
    return atomic_load_explicit(&self->behind, memory_order_relaxed);
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
    for (uint32_t i = 0; self->outlets && i < self->outlet_count; i++) {
        struct outlet *outlet = &self->outlets[i];
        if (outlet->socket)
            doors_shut(outlet->doors, outlet->socket);
        doors_destroy(&outlet->doors);
        zsock_destroy(&outlet->socket);
        free(outlet->project);
    }
    free(self->outlets);
    free(self->items);
    inbox_destroy(&self->inbox);
    free(self);
}

#include "cli/publisher.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zmq.h>

#include "cli/clock.h"
#include "cli/connect.h"
#include "cli/figure.h"
#include "cli/say.h"
#include "lib/model_id.h"

#define BEACON_EVERY_NS (2 * INT64_C(1000000000))
#define BEACON_TOPICS 500        /* in one beacon: well below what a daemon takes */
#define PAYLOAD_MOST (256 << 10) /* bytes of a batch */
#define STUCK 6                  /* times the time-out: how long a subscriber may take nothing, or be away */
#define FEW 100                  /* messages that fit any subscriber's queue */
#define STAY_NS 500000000        /* how long to stay behind more of them */

struct publisher {
    struct publisher_options options;
    void *context, *socket;
    char boot[17];
    json_t *prefixes; /* what is subscribed to: a set of topics' beginnings */
    json_t *sent;     /* topic as beacons name it -> the highest number sent */
    json_t *fresh;    /* the same, of those with news since the last beacon */
    int64_t beacon_ns;
    uint64_t messages, bytes;
};

/* Another one at each start, whatever the clocks do. */
static void make_boot(char boot[17])
{
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) != (ssize_t)sizeof random)
        random = (uint64_t)clock_now_ns();
    snprintf(boot, 17, "%016llx", (unsigned long long)random);
}

int publisher_open(struct publisher **self_p, const struct publisher_options *options)
{
    struct publisher *self = must(calloc(1, sizeof *self));
    int yes = 1, stuck_ms = (int)(STUCK * options->timeout_s * 1000);
    self->options = *options;
    make_boot(self->boot);
    self->prefixes = must(json_object());
    self->sent = must(json_object());
    self->fresh = must(json_object());
    self->context = must(zmq_ctx_new());
    self->beacon_ns = clock_now_ns();
    self->socket = must(zmq_socket(self->context, ZMQ_XPUB));
    zmq_setsockopt(self->socket, ZMQ_XPUB_NODROP, &yes, sizeof yes);
    zmq_setsockopt(self->socket, ZMQ_SNDTIMEO, &stuck_ms, sizeof stuck_ms);
    zmq_setsockopt(self->socket, ZMQ_LINGER, &stuck_ms, sizeof stuck_ms);
    curve_apply(self->socket, options->curve);
    *self_p = self;
    if (connect_to(self->socket, options->endpoint) == 0)
        return 0;
    say("'%s' is no endpoint that can be reached: %s", options->endpoint, zmq_strerror(errno));
    publisher_close(self_p);
    return EX_USAGE;
}

/* Hears who came and who went, without waiting. */
static void hear(struct publisher *self)
{
    char text[1024];
    int len;
    while ((len = zmq_recv(self->socket, text, sizeof text - 1, ZMQ_DONTWAIT)) > 0) {
        if (len > (int)sizeof text - 1)
            continue;
        if (text[0] == 1)
            json_object_setn_new_nocheck(self->prefixes, text + 1, (size_t)len - 1, json_true());
        else if (text[0] == 0)
            json_object_deln(self->prefixes, text + 1, (size_t)len - 1);
    }
}

static bool subscribed(const struct publisher *self, const char *topic)
{
    const char *prefix;
    size_t len;
    json_t *value;
    json_object_keylen_foreach(self->prefixes, prefix, len, value)
    {
        if (strncmp(prefix, topic, len) == 0)
            return true;
    }
    return false;
}

int publisher_wait(struct publisher *self, const char *topic, double seconds)
{
    int64_t until_ns = clock_now_ns() + (int64_t)(seconds * 1e9);
    for (hear(self); !subscribed(self, topic); hear(self)) {
        int64_t left_ns = until_ns - clock_now_ns();
        zmq_pollitem_t item = {.socket = self->socket, .events = ZMQ_POLLIN};
        if (*self->options.stopping)
            return EX_TEMPFAIL;
        if (left_ns <= 0) {
            say("nobody subscribes to metrics at %s within %s: is driftd running?", self->options.endpoint,
                figure_span(seconds).text);
            return EX_UNAVAILABLE;
        }
        zmq_poll(&item, 1, (long)(left_ns / 1000000 + 1));
    }
    return 0;
}

/* One frame; a signal that does not end the program does not end the sending. */
static int send_frame(struct publisher *self, const void *at, size_t len, int more)
{
    while (zmq_send(self->socket, at, len, more) < 0) {
        if (errno == EINTR && !*self->options.stopping)
            continue;
        if (errno == EINTR)
            return EX_TEMPFAIL;
        if (errno == EAGAIN)
            say("driftd at %s has taken nothing for %s", self->options.endpoint,
                figure_span(STUCK * self->options.timeout_s).text);
        else
            say("cannot send to %s: %s", self->options.endpoint, zmq_strerror(errno));
        return EX_UNAVAILABLE;
    }
    return 0;
}

static int send_message(struct publisher *self, const char *topic, const struct payload *payload)
{
    int status = send_frame(self, topic, strlen(topic), ZMQ_SNDMORE);
    if (status == 0)
        status = send_frame(self, payload->at, payload->len, 0);
    if (status == 0)
        self->bytes += payload->len;
    return status;
}

static void sign(struct publisher *self, json_t *events, json_int_t seq)
{
    json_t *first = json_is_array(events) ? json_array_get(events, 0) : events;
    json_object_set_new(first, "node", json_string(self->options.node));
    json_object_set_new(first, "boot", json_string(self->boot));
    json_object_set_new(first, "seq", json_integer(seq));
}

/* A batch that is too large leaves as two. */
static int send_halves(struct publisher *self, const char *model, const json_t *events)
{
    size_t count = json_array_size(events), half = count / 2;
    json_t *parts[2] = {must(json_array()), must(json_array())};
    for (size_t i = 0; i < count; i++)
        json_array_append(parts[i >= half], json_array_get(events, i));
    json_t *first = json_array_get(events, 0);
    json_object_del(first, "node");
    json_object_del(first, "boot");
    json_object_del(first, "seq");
    int status = publisher_send(self, model, parts[0]);
    if (status == 0)
        status = publisher_send(self, model, parts[1]);
    json_decref(parts[0]);
    json_decref(parts[1]);
    return status;
}

int publisher_send(struct publisher *self, const char *model, json_t *events)
{
    char topic[MODEL_ID_MAX + 16];
    snprintf(topic, sizeof topic, model ? "metrics/%s" : "batch/%s", model ? model : self->options.node);
    const json_t *last = json_object_get(self->sent, model ? model : "batch");
    json_int_t seq = last ? json_integer_value(last) + 1 : 0;
    sign(self, events, seq);
    struct payload payload = payload_of(events, self->options.format);
    if (payload.len > PAYLOAD_MOST && json_array_size(events) > 1) {
        payload_free(&payload);
        return send_halves(self, model, events);
    }
    int status = send_message(self, topic, &payload);
    payload_free(&payload);
    if (status)
        return status;
    json_object_set_new(self->sent, model ? model : "batch", json_integer(seq));
    json_object_set_new(self->fresh, model ? model : "batch", json_integer(seq));
    self->messages++;
    return 0;
}

/* Sends and forgets the topics gathered so far. */
static int send_beacon(struct publisher *self, json_t *topics)
{
    char topic[MODEL_ID_MAX + 16];
    json_t *beacon =
        must(json_pack("{s:s, s:s, s:O}", "node", self->options.node, "boot", self->boot, "topics", topics));
    struct payload payload = payload_of(beacon, self->options.format);
    snprintf(topic, sizeof topic, "beacon/%s", self->options.node);
    int status = send_message(self, topic, &payload);
    payload_free(&payload);
    json_decref(beacon);
    json_object_clear(topics);
    return status;
}

int publisher_beacon(struct publisher *self, bool now, bool all)
{
    json_t *from = all ? self->sent : self->fresh, *topics, *seq;
    const char *topic;
    int status = 0;
    if (!now && clock_now_ns() < self->beacon_ns + BEACON_EVERY_NS)
        return 0;
    self->beacon_ns = clock_now_ns();
    topics = must(json_object());
    json_object_foreach(from, topic, seq)
    {
        json_object_set(topics, topic, seq);
        if (json_object_size(topics) == BEACON_TOPICS && status == 0)
            status = send_beacon(self, topics);
    }
    if (json_object_size(topics) && status == 0)
        status = send_beacon(self, topics);
    json_decref(topics);
    json_object_clear(self->fresh);
    return status;
}

uint64_t publisher_messages(const struct publisher *self)
{
    return self->messages;
}

uint64_t publisher_bytes(const struct publisher *self)
{
    return self->bytes;
}

uint64_t publisher_topics(const struct publisher *self)
{
    return json_object_size(self->sent);
}

const char *publisher_boot(const struct publisher *self)
{
    return self->boot;
}

/* A subscriber whose queue is full when the connection ends loses what it has not read by then, and would not know. */
static void stay(const struct publisher *self)
{
    struct timespec nap = {.tv_nsec = STAY_NS};
    if (self->messages > FEW)
        nanosleep(&nap, NULL);
}

int publisher_close(struct publisher **self_p)
{
    struct publisher *self = *self_p;
    int status = 0;
    if (!self)
        return 0;
    stay(self);
    int64_t began_ns = clock_now_ns(), linger_ns = (int64_t)(STUCK * self->options.timeout_s * 1e9);
    zmq_close(self->socket);
    bool ended = zmq_ctx_term(self->context) == 0; /* a signal ends the waiting, and this program with it */
    if (self->messages && (!ended || clock_now_ns() - began_ns >= linger_ns)) {
        say("the last messages did not leave for %s: is driftd running?", self->options.endpoint);
        status = EX_UNAVAILABLE;
    }
    json_decref(self->prefixes);
    json_decref(self->sent);
    json_decref(self->fresh);
    free(self);
    *self_p = NULL;
    return status;
}

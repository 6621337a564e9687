#include "cli/talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "cli/connect.h"
#include "cli/member.h"
#include "cli/say.h"

#define PATIENCE_NS INT64_C(1000000000) /* before the first repetition, where nobody says */
#define PATIENCE_LEAST_NS INT64_C(50000000)
#define PATIENCE_MOST_NS (10 * INT64_C(1000000000)) /* before any */
#define TRIES_A_CONNECTION 2

struct talk {
    void *context, *socket;
    const struct curve *curve;
    char *endpoint;
    char *message; /* NULL: nothing to say */
    uint64_t number;
    char token[17]; /* of the message */
    unsigned tries;
    int64_t again_ns, patience_ns;
};

static bool connect_socket(struct talk *self)
{
    int none = 0;
    self->socket = must(zmq_socket(self->context, ZMQ_DEALER));
    zmq_setsockopt(self->socket, ZMQ_LINGER, &none, sizeof none);
    curve_apply(self->socket, self->curve);
    return connect_to(self->socket, self->endpoint) == 0;
}

int talk_open(struct talk **self_p, void *context, const char *endpoint, const struct curve *curve)
{
    struct talk *self = must(calloc(1, sizeof *self));
    self->context = context;
    self->curve = curve;
    self->endpoint = must(strdup(endpoint));
    self->patience_ns = PATIENCE_NS;
    *self_p = self;
    if (connect_socket(self))
        return 0;
    say("'%s' is no endpoint that can be reached: %s", endpoint, zmq_strerror(errno));
    talk_close(self_p);
    return EX_USAGE;
}

void talk_patience(struct talk *self, int64_t patience_ns)
{
    self->patience_ns = patience_ns < PATIENCE_LEAST_NS ? PATIENCE_LEAST_NS
                        : patience_ns > PATIENCE_NS     ? PATIENCE_NS
                                                        : patience_ns;
}

/* Twice as long each time. */
static int64_t wait_ns(const struct talk *self)
{
    int64_t ns = self->patience_ns;
    for (unsigned i = 1; i < self->tries && ns < PATIENCE_MOST_NS; i++)
        ns *= 2;
    return ns < PATIENCE_MOST_NS ? ns : PATIENCE_MOST_NS;
}

static void send_it(struct talk *self, int64_t now_ns)
{
    if (self->tries && self->tries % TRIES_A_CONNECTION == 0) {
        zmq_close(self->socket);
        connect_socket(self);
    }
    /* A full queue is a reply that does not come: the next try has a new connection. */
    if (zmq_send(self->socket, self->token, strlen(self->token), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
        zmq_send(self->socket, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
        zmq_send(self->socket, self->message, strlen(self->message), ZMQ_DONTWAIT);
    self->tries++;
    self->again_ns = now_ns + wait_ns(self);
}

void talk_say(struct talk *self, json_t *message, int64_t now_ns)
{
    free(self->message);
    self->message = must(json_dumps(message, JSON_COMPACT));
    json_decref(message);
    snprintf(self->token, sizeof self->token, "%llx", (unsigned long long)++self->number);
    self->tries = 0;
    send_it(self, now_ns);
}

bool talk_waits(const struct talk *self)
{
    return self->message != NULL;
}

unsigned talk_tries(const struct talk *self)
{
    return self->tries;
}

void talk_drop(struct talk *self)
{
    free(self->message);
    self->message = NULL;
}

void *talk_socket(const struct talk *self)
{
    return self->socket;
}

int64_t talk_turn(struct talk *self, int64_t now_ns)
{
    if (!self->message)
        return INT64_MAX;
    if (now_ns >= self->again_ns)
        send_it(self, now_ns);
    return self->again_ns;
}

/* Receives one reply: whether it has the token, an empty frame and a body. False: there is none at all. */
static bool receive(struct talk *self, bool *ours_p, zmq_msg_t *body)
{
    int frame = 0, more;
    *ours_p = self->message != NULL;
    do {
        if (zmq_msg_recv(body, self->socket, ZMQ_DONTWAIT) < 0)
            return false;
        size_t len = zmq_msg_size(body);
        if (frame == 0)
            *ours_p = *ours_p && len == strlen(self->token) && memcmp(zmq_msg_data(body), self->token, len) == 0;
        else if (frame == 1)
            *ours_p = *ours_p && len == 0;
        more = zmq_msg_more(body);
        frame++;
    } while (more);
    *ours_p = *ours_p && frame == 3;
    return true;
}

static json_t *read_reply(struct talk *self, zmq_msg_t *body)
{
    json_t *reply = json_loadb(zmq_msg_data(body), zmq_msg_size(body), JSON_REJECT_DUPLICATES, NULL);
    if (json_is_boolean(json_object_get(reply, "ok")) && !text_is(member_text(reply, "error"), "unavailable")) {
        talk_drop(self);
        return reply;
    }
    json_decref(reply);
    return NULL;
}

json_t *talk_hear(struct talk *self)
{
    zmq_msg_t body;
    bool ours;
    json_t *reply = NULL;
    zmq_msg_init(&body);
    while (!reply && receive(self, &ours, &body)) {
        if (ours)
            reply = read_reply(self, &body);
    }
    zmq_msg_close(&body);
    return reply;
}

void talk_close(struct talk **self_p)
{
    struct talk *self = *self_p;
    if (!self)
        return;
    zmq_close(self->socket);
    free(self->endpoint);
    free(self->message);
    free(self);
    *self_p = NULL;
}

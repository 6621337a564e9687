#include "daemon/security/security.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/base/inbox.h"
#include "daemon/base/log.h"
#include "daemon/security/zap.h"

#define ENDPOINT "inproc://zeromq.zap.01"
#define FRAMES_KEPT 8                  /* of a request: one more than there can be */
#define TELL_EVERY_NS (10 * CLOCK_S_NS) /* between two lines about who was refused */

struct security {
    zsock_t *socket;
    void *handle;
    struct inbox *inbox;
    struct keyring_reader reader;
    pthread_t thread;
    bool started;
    struct heart heart;
    atomic_uint_fast64_t verdicts[ZAP_VERDICTS];
    uint64_t told; /* refusals that the log knows of */
    int64_t told_ns;
};

/* All frames of one request; what is beyond FRAMES_KEPT is let go. 0: there is none. */
static uint32_t receive(struct security *self, zmq_msg_t frames[FRAMES_KEPT])
{
    uint32_t count = 0;
    bool more = true;
    while (more) {
        zmq_msg_t rest, *frame = count < FRAMES_KEPT ? &frames[count] : &rest;
        zmq_msg_init(frame);
        int rc;
        while ((rc = zmq_msg_recv(frame, self->handle, ZMQ_DONTWAIT)) < 0 && zmq_errno() == EINTR)
            ;
        more = rc >= 0 && zmq_msg_more(frame);
        if (rc < 0 || count >= FRAMES_KEPT)
            zmq_msg_close(frame);
        count += rc >= 0;
    }
    return count;
}

static void send_text(struct security *self, const char *text, int more)
{
    zmq_send(self->handle, text, strlen(text), more | ZMQ_DONTWAIT);
}

static void reply(struct security *self, const struct zap_frame *id, const struct zap_decision *decision)
{
    send_text(self, "1.0", ZMQ_SNDMORE);
    zmq_send(self->handle, id->at, id->len, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    send_text(self, decision->status, ZMQ_SNDMORE);
    send_text(self, decision->text, ZMQ_SNDMORE);
    send_text(self, decision->verdict == ZAP_ACCEPTED ? decision->key : "", ZMQ_SNDMORE);
    send_text(self, "", 0);
}

/* Who tries again and again is told of once in a while. */
static void tell(struct security *self, const struct zap_decision *decision, struct zap_frame domain,
                 struct zap_frame address)
{
    static const char *const sentences[ZAP_VERDICTS] = {
        [ZAP_UNKNOWN] = "a key that clients.yaml does not know was refused",
        [ZAP_WRONG_ROLE] = "a key was refused on a socket that is not for its role and projects",
        [ZAP_MALFORMED] = "a malformed request for authentication was refused"};
    char where[192], from[64];
    int64_t now_ns = clock_now().steady_ns;
    if (decision->verdict == ZAP_ACCEPTED || (self->told_ns && now_ns - self->told_ns < TELL_EVERY_NS))
        return;
    uint64_t refused = 0;
    for (int i = ZAP_UNKNOWN; i < ZAP_VERDICTS; i++)
        refused += atomic_load_explicit(&self->verdicts[i], memory_order_relaxed);
    snprintf(where, sizeof where, "%.*s", (int)(domain.len < sizeof where ? domain.len : sizeof where - 1),
             (const char *)domain.at);
    snprintf(from, sizeof from, "%.*s", (int)(address.len < 63 ? address.len : 63), (const char *)address.at);
    log_warning(sentences[decision->verdict], LOG_TEXT("key", decision->key),
                LOG_TEXT("name", decision->name ? decision->name : ""), LOG_TEXT("socket", where),
                LOG_TEXT("address", from), LOG_NUMBER("refused", refused - self->told));
    self->told = refused;
    self->told_ns = now_ns;
}

static bool answer(struct security *self)
{
    zmq_msg_t messages[FRAMES_KEPT];
    struct zap_frame frames[FRAMES_KEPT] = {{.at = "", .len = 0}};
    uint32_t count = receive(self, messages), kept = count < FRAMES_KEPT ? count : FRAMES_KEPT;
    if (count == 0)
        return false;
    for (uint32_t i = 0; i < FRAMES_KEPT; i++)
        frames[i] = i < kept ? (struct zap_frame){zmq_msg_data(&messages[i]), zmq_msg_size(&messages[i])}
                             : (struct zap_frame){"", 0};
    struct zap_decision decision = zap_decide(frames, count, &self->reader);
    atomic_fetch_add_explicit(&self->verdicts[decision.verdict], 1, memory_order_relaxed);
    reply(self, &frames[1], &decision);
    tell(self, &decision, frames[2], frames[3]);
    for (uint32_t i = 0; i < kept; i++)
        zmq_msg_close(&messages[i]);
    return true;
}

static bool told_to_stop(struct security *self)
{
    struct letter letter;
    bool stop = false;
    while (inbox_take(self->inbox, &letter)) {
        stop = stop || letter.kind == LETTER_STOP;
        if (letter.drop)
            letter.drop(letter.body);
    }
    return stop;
}

static void *run(void *argument)
{
    struct security *self = argument;
    zmq_pollitem_t items[] = {{.socket = self->handle, .events = ZMQ_POLLIN},
                              {.fd = inbox_fd(self->inbox), .events = ZMQ_POLLIN}};
    while (!told_to_stop(self)) {
        heart_beat(&self->heart);
        if (!answer(self))
            zmq_poll(items, 2, HEART_TURN_MAX_MS);
    }
    return NULL;
}

static int begin(struct security *self, char why[CURVE_WHY_MAX])
{
    if (!zmq_has("curve")) {
        snprintf(why, CURVE_WHY_MAX, "security.curve: this libzmq was built without CURVE");
        return -EINVAL;
    }
    int rc = inbox_new(&self->inbox);
    self->socket = rc == 0 ? zsock_new(ZMQ_REP) : NULL;
    if (!self->socket) {
        snprintf(why, CURVE_WHY_MAX, "security.curve: no memory or descriptor for the one who lets clients in");
        return rc < 0 ? rc : -ENOMEM;
    }
    self->handle = zsock_resolve(self->socket);
    zsock_set_linger(self->socket, 0);
    if (zmq_bind(self->handle, ENDPOINT) < 0) {
        rc = -zmq_errno();
        snprintf(why, CURVE_WHY_MAX, "security.curve: somebody else in this process answers ZAP already");
        return rc;
    }
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error) {
        snprintf(why, CURVE_WHY_MAX, "security.curve: a thread could not be started: %s", strerror(error));
        return -error;
    }
    self->started = true;
    pthread_setname_np(self->thread, "security");
    return 0;
}

int security_start(struct security **self_p, struct keyring *keyring, char why[CURVE_WHY_MAX])
{
    *self_p = NULL;
    struct security *self = calloc(1, sizeof *self);
    if (!self) {
        snprintf(why, CURVE_WHY_MAX, "no memory to start with");
        return -ENOMEM;
    }
    keyring_open(&self->reader, keyring);
    int rc = begin(self, why);
    if (rc < 0)
        security_stop(&self);
    *self_p = self;
    return rc;
}

const struct heart *security_heart(const struct security *self)
{
    return &self->heart;
}

static uint64_t count_of(const struct security *self, enum zap_verdict verdict)
{
    return atomic_load_explicit(&self->verdicts[verdict], memory_order_relaxed);
}

struct security_counts security_counts(const struct security *self)
{
    return (struct security_counts){.accepted = count_of(self, ZAP_ACCEPTED),
                                    .unknown = count_of(self, ZAP_UNKNOWN),
                                    .wrong_role = count_of(self, ZAP_WRONG_ROLE),
                                    .malformed = count_of(self, ZAP_MALFORMED)};
}

void security_stop(struct security **self_p)
{
    struct security *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    while (self->started && inbox_put(self->inbox, (struct letter){.kind = LETTER_STOP}) < 0)
        zclock_sleep(10);
    if (self->started)
        pthread_join(self->thread, NULL);
    zsock_destroy(&self->socket);
    inbox_destroy(&self->inbox);
    keyring_close(&self->reader);
    free(self);
}

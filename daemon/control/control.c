#include "daemon/control/control.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/control/commands.h"
#include "daemon/control/pending.h"
#include "lib/wire/json_wide.h"

#define ENDPOINTS_MAX 32
#define PENDING_MAX 64     /* questions at a time; further ones are told "busy" */
#define QUESTION_MAX 65536 /* bytes */
#define FRAME_MAX 1048576  /* what is longer than a question but not than this is refused with a sentence */
#define QUEUE_MAX 64       /* questions that one asker's connection holds */
#define PATIENCE_NS (3 * CLOCK_S_NS)
#define CHECKPOINT_PATIENCE_NS (600 * CLOCK_S_NS) /* a million models take a minute, and a slow disk longer */
#define ENGINE_PATIENCE_NS (600 * CLOCK_S_NS) /* a reload works out the thresholds of many rules */
#define MESSAGES_A_TURN 64
/* Bytes of lists that are being made or not sent yet, for each way to ask. */
#define LISTS_BYTES ((int64_t)64 << 20)
#define HANDSHAKE_MS 3000

struct control {
    zsock_t *socket;
    struct asker_socket out;
    struct outgoing *letters; /* lists for other stations, which answer for them once they have them */
    struct inbox *inbox;
    char endpoints[ENDPOINTS_MAX][ENDPOINT_MAX];
    uint32_t endpoint_count;
    struct control_ports ports;
    struct pending pending[PENDING_MAX];
    uint32_t pending_count;
    unsigned long long last_id;
    pthread_t thread;
    bool started;
    struct heart heart;
};

/* The mode of a Unix socket is what the mask leaves at the moment of the bind. No other thread makes files yet. */
static int bind_all(struct control *self, char *const *bind, uint32_t bind_count, char why[ENDPOINT_WHY_MAX])
{
    int rc = 0;
    mode_t before = umask(0117);
    for (uint32_t i = 0; i < bind_count && i < ENDPOINTS_MAX && rc == 0; i++) {
        rc = endpoint_bind(self->socket, "control.bind", bind[i], self->endpoints[i], why);
        self->endpoint_count += rc == 0;
    }
    umask(before);
    return rc;
}

int control_new(struct control **self_p, char *const *bind, uint32_t bind_count, char why[ENDPOINT_WHY_MAX])
{
    *self_p = NULL;
    snprintf(why, ENDPOINT_WHY_MAX, "no memory or descriptor for the control socket");
    struct control *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->out.outgoing = outgoing_new(LISTS_BYTES);
    self->letters = outgoing_new(LISTS_BYTES);
    int rc = self->out.outgoing && self->letters ? inbox_new(&self->inbox) : -ENOMEM;
    if (rc < 0) {
        control_destroy(&self);
        return rc;
    }
    self->socket = zsock_new(ZMQ_ROUTER);
    self->out.handle = zsock_resolve(self->socket);
    zsock_set_linger(self->socket, 0);
    zsock_set_handshake_ivl(self->socket, HANDSHAKE_MS);
    zsock_set_maxmsgsize(self->socket, FRAME_MAX);
    zsock_set_rcvhwm(self->socket, QUEUE_MAX);
    rc = bind_all(self, bind, bind_count, why);
    if (rc < 0)
        control_destroy(&self);
    *self_p = self;
    return rc;
}

/* --- replies --- */

/* Whom of those asked we have not heard. */
static json_t *missing(const struct control *self, const struct pending *pending)
{
    bool heard[ANSWERS_MAX] = {false};
    for (uint32_t i = 0; i < pending->answered; i++)
        heard[pending->from[i] >= 0 ? pending->from[i] : CONTROL_SHARDS_MAX - 1 - pending->from[i]] = true;
    json_t *list = json_array();
    for (int i = 0; i < (int)self->ports.shard_count && (pending->command->targets & ASK_SHARDS); i++) {
        if (!heard[i])
            json_array_append_new(list, json_sprintf("shard %d", i));
    }
    if ((pending->command->targets & ASK_REQUESTS) && !heard[CONTROL_SHARDS_MAX])
        json_array_append_new(list, json_string("requests"));
    return list;
}

static void forget(struct control *self, struct pending *pending)
{
    pending_clear(pending);
    self->pending_count--;
}

static void finish(struct control *self, struct pending *pending)
{
    const struct command *command = pending->command;
    bool whole = pending->answered == pending->asked;
    json_t *json;
    if (!whole && !command->partial)
        json = command_refuse("timeout", "the daemon did not answer in time; it may be busy, or a disk may be slow");
    else
        json = pending_merge(pending);
    if (json && !whole && command->partial)
        json_object_set_new(json, "incomplete", missing(self, pending));
    if (json && whole && (command->targets & ASK_ENGINE))
        json = self->ports.answer(self->ports.argument, pending->ask, json);
    if (json && (command->targets & ASK_REQUESTS) && (command->targets & ASK_SHARDS))
        self->ports.facts(self->ports.argument, json);
    asker_reply_json(&pending->asker, &self->out, json);
    forget(self, pending);
}

/* What one station answers alone is handed on as it stands: a list of ten thousand requests, read and written again, would
 * take seven times its size. */
static bool hand_on(struct control *self, struct pending *pending, struct question *question)
{
    if (pending->command->merge != merge_only || pending->command->targets != ASK_REQUESTS || !question->answer)
        return false;
    asker_reply(&pending->asker, &self->out, question->answer);
    question->answer = NULL;
    forget(self, pending);
    return true;
}

/* --- questions --- */

static void ask_one(struct control *self, struct pending *pending, struct inbox *inbox, int from, const char *text)
{
    struct question *question = calloc(1, sizeof *question);
    pending->asked++;
    if (!question)
        return; /* it will be missing in the reply */
    question->id = pending->id;
    question->ask = strdup(text);
    question->from = from;
    question->reply_to = self->inbox;
    struct letter letter = {.kind = LETTER_QUESTION, .body = question, .drop = question_drop};
    if (!question->ask || inbox_put(inbox, letter) < 0)
        question_drop(question);
}

static void ask_all(struct control *self, struct pending *pending)
{
    char *text = json_dumps(pending->ask, JSON_COMPACT);
    if (pending->command->targets & ASK_SHARDS) {
        for (uint32_t i = 0; i < self->ports.shard_count; i++)
            ask_one(self, pending, self->ports.shards[i], (int)i, text ? text : "{}");
    }
    if (pending->command->targets & ASK_REQUESTS)
        ask_one(self, pending, self->ports.requests, FROM_REQUESTS, text ? text : "{}");
    if (pending->command->targets & ASK_CHECKPOINT)
        ask_one(self, pending, self->ports.checkpoint, FROM_CHECKPOINT, text ? text : "{}");
    if (pending->command->targets & ASK_MAIN_LOOP)
        ask_one(self, pending, self->ports.engine, FROM_ENGINE, text ? text : "{}");
    free(text);
}

static struct pending *free_place(struct control *self)
{
    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        if (self->pending[i].id == 0)
            return &self->pending[i];
    }
    return NULL;
}

/* Takes over the question and who asked it. */
static void begin(struct control *self, struct asker *asker, json_t *ask, int64_t now_ns)
{
    json_t *refusal = NULL;
    const struct command *command = command_find(ask, &refusal);
    if (command && command->begin)
        refusal = command->begin(ask);
    struct pending *pending = refusal ? NULL : free_place(self);
    if (!refusal && !pending)
        refusal = command_refuse("busy", "too many questions are under way; ask again");
    if (refusal || !pending || !command) {
        asker_reply_json(asker, &self->out, refusal);
        json_decref(ask);
        return;
    }
    int64_t patience_ns = command->targets & ASK_CHECKPOINT ? CHECKPOINT_PATIENCE_NS : PATIENCE_NS;
    if (command->targets & ASK_MAIN_LOOP)
        patience_ns = ENGINE_PATIENCE_NS;
    *pending =
        (struct pending){.id = ++self->last_id, .command = command, .ask = ask, .until_ns = now_ns + patience_ns};
    envelope_move(&pending->asker.envelope, &asker->envelope);
    pending->asker.question = asker->question;
    self->pending_count++;
    struct outgoing *room = pending->asker.question ? self->letters : self->out.outgoing;
    if (pending_take_room(pending, room, self->ports.shard_count)) {
        ask_all(self, pending);
        return;
    }
    asker_reply_json(&pending->asker, &self->out,
                     command_refuse("busy", "the lists that are being made, or are not read yet, take the memory there "
                                            "is for them: ask again, or for fewer with \"limit\""));
    forget(self, pending);
}

static void take_question(struct control *self, struct asker *asker, const char *text, size_t bytes, int64_t now_ns)
{
    json_error_t error;
    json_t *ask = json_wide_read((struct text){text, bytes}, JSON_REJECT_DUPLICATES, &error);
    if (ask) {
        begin(self, asker, ask, now_ns);
        return;
    }
    char sentence[JSON_ERROR_TEXT_LENGTH + 64];
    snprintf(sentence, sizeof sentence, "not a JSON object: %s, at byte %d", error.text, error.position);
    asker_reply_json(asker, &self->out, command_refuse("bad_message", sentence));
}

/* Takes the letter's body over. */
static void take_letter_question(struct control *self, struct question *question, int64_t now_ns)
{
    struct asker asker = {.question = question};
    take_question(self, &asker, question->ask, strlen(question->ask), now_ns);
}

static bool take_message(struct control *self, int64_t now_ns)
{
    struct asker asker = {.question = NULL};
    zmq_msg_t body;
    int rc = envelope_receive(self->out.handle, &asker.envelope, &body);
    if (rc == -EAGAIN)
        return false;
    if (rc == -EPROTO)
        return true;
    if (rc == -EBADMSG) {
        asker_reply_json(&asker, &self->out, command_refuse("bad_message", "a question is one frame behind the envelope"));
        return true;
    }
    if (zmq_msg_size(&body) > QUESTION_MAX)
        asker_reply_json(&asker, &self->out, command_refuse("bad_message", "a question is at most 65536 bytes long"));
    else
        take_question(self, &asker, zmq_msg_data(&body), zmq_msg_size(&body), now_ns);
    zmq_msg_close(&body);
    return true;
}

/* --- answers --- */

static void take_answer(struct control *self, struct question *question)
{
    if (question->from < FROM_ENGINE || question->from >= (int)self->ports.shard_count)
        return;
    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        struct pending *pending = &self->pending[i];
        if (pending->id != question->id || pending->answered >= ANSWERS_MAX)
            continue;
        if (hand_on(self, pending, question))
            return;
        pending->from[pending->answered] = question->from;
        pending->answers[pending->answered++] = question->answer;
        question->answer = NULL;
        if (pending->answered == pending->asked)
            finish(self, pending);
        return;
    }
}

static bool take_letters(struct control *self, int64_t now_ns)
{
    struct letter letter;
    bool stop = false;
    while (inbox_take(self->inbox, &letter)) {
        stop = stop || letter.kind == LETTER_STOP;
        if (letter.kind == LETTER_ANSWER)
            take_answer(self, letter.body);
        if (letter.kind == LETTER_QUESTION)
            take_letter_question(self, letter.body, now_ns);
        else if (letter.drop)
            letter.drop(letter.body);
    }
    return !stop;
}

static void give_up_late(struct control *self, int64_t now_ns)
{
    for (uint32_t i = 0; i < PENDING_MAX && self->pending_count; i++) {
        if (self->pending[i].id && self->pending[i].until_ns <= now_ns)
            finish(self, &self->pending[i]);
    }
}

static void *run(void *argument)
{
    struct control *self = argument;
    int64_t now_ns = clock_now().steady_ns;
    while (take_letters(self, now_ns)) {
        heart_beat(&self->heart);
        now_ns = clock_now().steady_ns;
        give_up_late(self, now_ns);
        uint32_t taken = 0;
        while (taken < MESSAGES_A_TURN && take_message(self, now_ns))
            taken++;
        if (taken == MESSAGES_A_TURN)
            continue;
        zmq_pollitem_t items[] = {{.socket = self->out.handle, .events = ZMQ_POLLIN},
                                  {.fd = inbox_fd(self->inbox), .events = ZMQ_POLLIN}};
        zmq_poll(items, 2, self->pending_count ? 100 : HEART_TURN_MAX_MS);
    }
    return NULL;
}

int control_start(struct control *self, const struct control_ports *ports)
{
    self->ports = *ports;
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error)
        return -error;
    self->started = true;
    pthread_setname_np(self->thread, "control");
    return 0;
}

uint32_t control_endpoint_count(const struct control *self)
{
    return self->endpoint_count;
}

const char *control_endpoint(const struct control *self, uint32_t index)
{
    return self->endpoints[index];
}

const struct heart *control_heart(const struct control *self)
{
    return &self->heart;
}

struct inbox *control_inbox(struct control *self)
{
    return self->inbox;
}

void control_stop(struct control *self)
{
    if (!self->started)
        return;
    while (inbox_put(self->inbox, (struct letter){.kind = LETTER_STOP}) < 0)
        zclock_sleep(10);
    pthread_join(self->thread, NULL);
    self->started = false;
}

void control_destroy(struct control **self_p)
{
    struct control *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        struct pending *pending = &self->pending[i];
        if (!pending->id)
            continue;
        envelope_clear(&pending->asker.envelope);
        if (pending->asker.question)
            question_drop(pending->asker.question);
        forget(self, pending);
    }
    for (uint32_t i = 0; i < self->endpoint_count; i++)
        endpoint_unbind(self->socket, self->endpoints[i]);
    zsock_destroy(&self->socket);
    outgoing_drop(&self->out.outgoing);
    outgoing_drop(&self->letters);
    inbox_destroy(&self->inbox);
    free(self);
}

#include "daemon/observe/answers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/siphash.h"

#define ANSWERS_MAX 48 /* questions at a time */
#define PATIENCE_NS (6 * INT64_C(1000000000))
#define UNUSED_NS (10 * INT64_C(1000000000))

static const char late[] =
    "{\"ok\":false,\"error\":\"timeout\",\"message\":\"the daemon did not answer in time; it may be "
    "busy, or a disk may be slow\"}";

struct answer {
    char *ask; /* NULL: free */
    uint64_t id;
    struct body *body;
    int64_t asked_ns; /* what `body` answers */
    int64_t under_way_ns, used_ns;
    bool pending;
};

struct answers {
    struct inbox *to, *reply_to;
    struct answer at[ANSWERS_MAX];
    uint64_t last_id;
    int64_t bytes; /* of bodies that live */
};

void body_hold(struct body *self)
{
    self->holders++;
}

void body_release(void *body)
{
    struct body *self = body;
    if (!self || --self->holders > 0)
        return;
    if (self->counted)
        *self->counted -= (int64_t)self->len;
    free(self->text);
    free(self);
}

struct body *body_new(char *text)
{
    struct siphash_key key = {0, 0}; /* a tag only tells a text from its own past */
    struct body *self = text ? malloc(sizeof *self) : NULL;
    if (!self) {
        free(text);
        return NULL;
    }
    *self = (struct body){.text = text, .len = strlen(text), .holders = 1};
    self->tag = siphash13(&key, text, self->len);
    return self;
}

const struct body *answer_body(const struct answer *self)
{
    return self->body;
}

int answers_new(struct answers **self_p, struct inbox *to, struct inbox *reply_to)
{
    struct answers *self = calloc(1, sizeof *self);
    *self_p = self;
    if (!self)
        return -ENOMEM;
    self->to = to;
    self->reply_to = reply_to;
    return 0;
}

static void forget(struct answer *answer)
{
    free(answer->ask);
    body_release(answer->body);
    *answer = (struct answer){.ask = NULL};
}

/* The place of the question; else a free one, or the one that was not used for longest. NULL: all are under way. */
static struct answer *place_of(struct answers *self, const char *ask)
{
    struct answer *best = NULL;
    for (uint32_t i = 0; i < ANSWERS_MAX; i++) {
        struct answer *answer = &self->at[i];
        if (answer->ask && strcmp(answer->ask, ask) == 0)
            return answer;
        if (answer->pending)
            continue;
        if (!best || !answer->ask || (best->ask && answer->used_ns < best->used_ns))
            best = answer;
    }
    if (best) {
        forget(best);
        best->ask = strdup(ask);
    }
    return best && best->ask ? best : NULL;
}

/* Lets go what was not used for longest, but for `keep`. False: what is being sent takes all the room there is. */
static bool make_room(struct answers *self, const struct answer *keep)
{
    while (self->bytes >= ANSWERS_BYTES_MAX) {
        struct answer *oldest = NULL;
        for (uint32_t i = 0; i < ANSWERS_MAX; i++) {
            struct answer *answer = &self->at[i];
            if (answer->body && answer != keep && !answer->pending && (!oldest || answer->used_ns < oldest->used_ns))
                oldest = answer;
        }
        if (!oldest)
            return false;
        forget(oldest);
    }
    return true;
}

static bool send(struct answers *self, struct answer *answer, int64_t now_ns)
{
    struct question *question = calloc(1, sizeof *question);
    if (!question)
        return false;
    *question =
        (struct question){.id = ++self->last_id, .ask = strdup(answer->ask), .from = -1, .reply_to = self->reply_to};
    struct letter letter = {.kind = LETTER_QUESTION, .body = question, .drop = question_drop};
    if (!question->ask || inbox_put(self->to, letter) < 0) {
        question_drop(question);
        return false;
    }
    answer->id = self->last_id;
    answer->under_way_ns = now_ns;
    answer->pending = true;
    return true;
}

enum answers_state answers_get(struct answers *self, const char *ask, int64_t since_ns, int64_t now_ns,
                               const struct answer **out)
{
    struct answer *answer = place_of(self, ask);
    if (!answer)
        return ANSWERS_BUSY;
    answer->used_ns = now_ns;
    if (answer->body && answer->asked_ns >= since_ns - ANSWERS_FRESH_NS) {
        *out = answer;
        return ANSWERS_READY;
    }
    if (!answer->pending && (!make_room(self, answer) || !send(self, answer, now_ns)))
        return ANSWERS_BUSY;
    return ANSWERS_WAIT;
}

static void fill(struct answers *self, struct answer *answer, char *text)
{
    body_release(answer->body);
    answer->body = body_new(text ? text : strdup(late));
    if (answer->body) {
        answer->body->counted = &self->bytes;
        self->bytes += (int64_t)answer->body->len;
    }
    answer->asked_ns = answer->under_way_ns;
    answer->pending = false;
}

bool answers_take(struct answers *self, struct question *question)
{
    for (uint32_t i = 0; i < ANSWERS_MAX; i++) {
        struct answer *answer = &self->at[i];
        if (!answer->pending || answer->id != question->id)
            continue;
        fill(self, answer, question->answer);
        question->answer = NULL;
        return true;
    }
    return false;
}

bool answers_give_up(struct answers *self, int64_t now_ns)
{
    bool any = false;
    for (uint32_t i = 0; i < ANSWERS_MAX; i++) {
        struct answer *answer = &self->at[i];
        if (answer->pending && now_ns - answer->under_way_ns > PATIENCE_NS) {
            fill(self, answer, NULL);
            any = true;
        } else if (answer->ask && !answer->pending && now_ns - answer->used_ns > UNUSED_NS) {
            forget(answer);
        }
    }
    return any;
}

void answers_destroy(struct answers **self_p)
{
    struct answers *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < ANSWERS_MAX; i++)
        forget(&self->at[i]);
    free(self);
}

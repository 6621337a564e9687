/* inbox.h - letters from any thread to one thread.
 *
 * A list under a mutex and an eventfd that polls readable while letters wait: for what passes a few thousand times a
 * second (notices, updates, questions, answers), not for events.
 *
 * Threads: inbox_put() from any; inbox_take() and inbox_fd() by the owner. Memory: a letter's body belongs to who holds
 * the letter; what is still inside when the inbox is destroyed is freed by each letter's drop function.
 */
#ifndef DRIFTD_BASE_INBOX_H
#define DRIFTD_BASE_INBOX_H

#include <stdbool.h>
#include <stddef.h>

struct inbox;

struct letter {
    int kind; /* what the body is; enum letter_kind */
    void *body;
    void (*drop)(void *body); /* frees the body; NULL: nothing to free */
};

/* Every kind of letter in the daemon. The body's type stands beside it. */
enum letter_kind {
    LETTER_STOP,     /* NULL: finish what you hold, then end */
    LETTER_NOTICE,   /* struct retrain_notice, keeper of models -> keeper of requests */
    LETTER_UPDATE,   /* struct retrain_update, keeper of requests -> keeper of models */
    LETTER_QUESTION, /* struct question, control -> anyone, http -> control */
    LETTER_SILENCES, /* struct silences, all that stand; keeper of requests -> keepers of models */
    LETTER_ANSWER,   /* the same, back */
    LETTER_EVENT,    /* struct cloud_event, anyone -> observe */
    LETTER_TAPE,     /* struct tape, anyone -> observe */
    LETTER_ALARM,    /* a station cannot go on: NULL; anyone -> engine */
    LETTER_SLICE,    /* struct slice, checkpoint -> keeper of models, and back */
    LETTER_RENEW,    /* other settings: struct shard_renewal or requests_renewal, engine -> its station */
    LETTER_DOORS,    /* struct doors_letter: other endpoints or keys, engine -> the owner of a socket */
    LETTER_RENEWED,  /* NULL: nothing of the old ones is in use here any more; back */
    LETTER_RETURNED, /* NULL: a worker's shard is run by ingest again, worker -> ingest; there is nothing else to do */
    LETTER_BUILT,    /* NULL: the configuration that was being read is there, or is not; engine -> itself */
};

/* A question of the control socket or of a browser and, on its way back, its answer: JSON objects as text, owned. */
struct question {
    unsigned long long id;
    char *ask;
    char *answer; /* NULL until answered */
    int from;     /* who is asked: a shard's number, or a number below 0; comes back as it was */
    struct inbox *reply_to;
};
void question_drop(void *question);

/* What observers are told: topic and CloudEvents JSON, one piece of memory. */
struct cloud_event {
    const char *json; /* behind the topic */
    bool of_model;    /* the topic is "<type>/<project>/<name>/<version>" */
    char topic[];     /* "<type>/<subject>", or "<type>" where there is none */
};
/* All is copied. `subject` NULL: none; `json`, of `bytes` bytes, NULL: it could not be written. NULL: memory is short. */
struct cloud_event *cloud_event_new(const char *type, const char *subject, bool of_model, const char *json,
                                    size_t bytes);
void cloud_event_drop(void *cloud_event);

/* Lines of a recording, each with its end; owned. */
struct tape {
    char *text; /* `len` bytes, without a NUL */
    size_t len;
    unsigned long long events;
};
void tape_drop(void *tape);

int inbox_new(struct inbox **self_p);

/* Hands a letter over. Returns 0, or -ENOMEM: the letter is then still the caller's. Never blocks on the reader. */
int inbox_put(struct inbox *self, struct letter letter);

/* Takes the oldest letter; false when there is none. */
bool inbox_take(struct inbox *self, struct letter *out);

/* Polls readable while letters wait. */
int inbox_fd(const struct inbox *self);
size_t inbox_count(struct inbox *self);

void inbox_destroy(struct inbox **self_p);

#endif

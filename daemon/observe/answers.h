/* answers.h - what the daemon says of itself, asked for at most once a second however many look.
 *
 * A question is the text that the control socket takes. Its answer is kept for a second; whoever asks meanwhile shares
 * it. What is not used for a while is let go.
 *
 * Threads: one, that of the HTTP station. Memory: bounded: so many questions at a time, and nothing new is asked for while
 * bodies take ANSWERS_BYTES_MAX; a body lives until the last response that sends it has gone, which must be before
 * answers_destroy(). Failure: no memory counts as too many questions.
 */
#ifndef DRIFTD_OBSERVE_ANSWERS_H
#define DRIFTD_OBSERVE_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/inbox.h"

#define ANSWERS_BYTES_MAX ((int64_t)64 << 20)
#define ANSWERS_FRESH_NS INT64_C(1000000000)

/* A text that several responses may be sending. */
struct body {
    char *text;
    size_t len;
    uint64_t tag; /* of its bytes, for an ETag */
    uint32_t holders;
    int64_t *counted; /* where its bytes are counted until it goes; NULL: nowhere */
};
void body_hold(struct body *self);
void body_release(void *body);

/* Takes `text` over; NULL: no memory, and the text is freed. */
struct body *body_new(char *text);

struct answer;
const struct body *answer_body(const struct answer *self); /* borrowed until the next call of answers_... */

enum answers_state { ANSWERS_READY, ANSWERS_WAIT, ANSWERS_BUSY };

struct answers;

/* `to` is asked, and answers to `reply_to`. 0 or -ENOMEM. */
int answers_new(struct answers **self_p, struct inbox *to, struct inbox *reply_to);

/* The answer for somebody who has asked at `since_ns`: READY and *out; WAIT: call again after answers_take() or
 * answers_give_up() was true. */
enum answers_state answers_get(struct answers *self, const char *ask, int64_t since_ns, int64_t now_ns,
                               const struct answer **out);

/* A LETTER_ANSWER's body, which stays the caller's. True: somebody may be waiting for it. */
bool answers_take(struct answers *self, struct question *question);

/* Whoever waits too long gets a refusal. True as above. */
bool answers_give_up(struct answers *self, int64_t now_ns);

void answers_destroy(struct answers **self_p);

#endif

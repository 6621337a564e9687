#include "daemon/checkpoint/checkpoint.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/checkpoint/checkpoint_inside.h"

#define SLICE_BYTES ((size_t)256 << 10)
#define WAIT_MAX_MS 60000

int checkpoint_new(struct checkpoint **self_p, const struct checkpoint_options *options,
                   const struct checkpoint_ports *ports)
{
    *self_p = NULL;
    struct checkpoint *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->options = *options;
    self->ports = *ports;
    self->folder.fd = -1;
    pthread_mutex_init(&self->mutex, NULL);
    self->state_dir = strdup(options->state_dir);
    self->slice.bytes = malloc(SLICE_BYTES);
    self->slice.room = SLICE_BYTES;
    self->all_due = true;
    int rc = self->state_dir && self->slice.bytes ? 0 : -ENOMEM;
    if (rc == 0)
        rc = boot_id(self->boot);
    if (rc == 0)
        rc = inbox_new(&self->inbox);
    self->slice.reply_to = self->inbox;
    if (rc < 0)
        checkpoint_destroy(&self);
    *self_p = self;
    return rc;
}

/* What nobody has read is not for the next checkpoint to take away. */
static void put_aside(struct checkpoint *self)
{
    self->unread = false;
    if (self->folder.count)
        self->number = self->folder.entries[self->folder.count - 1].number;
    while (self->folder.count)
        folder_set_aside(&self->folder, self->folder.count - 1);
}

int checkpoint_folder(struct checkpoint *self)
{
    if (self->open)
        return 0;
    int rc = folder_open(&self->folder, self->state_dir);
    self->open = rc == 0;
    if (self->open && self->unread)
        put_aside(self);
    return rc;
}

struct inbox *checkpoint_inbox(struct checkpoint *self)
{
    return self->inbox;
}

void checkpoint_last(struct checkpoint *self, struct checkpoint_figures *out)
{
    pthread_mutex_lock(&self->mutex);
    *out = self->figures;
    pthread_mutex_unlock(&self->mutex);
}

/* --- questions --- */

static void answer(struct question *question, const struct checkpoint_figures *figures)
{
    json_t *json =
        *figures->error
            ? json_pack("{s:b, s:s, s:s}", "ok", 0, "error", "checkpoint_failed", "message", figures->error)
            : json_pack("{s:b, s:I, s:I, s:f}", "ok", 1, "models", (json_int_t)figures->models, "bytes",
                        (json_int_t)figures->bytes, "seconds", figures->seconds);
    question->answer = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json);
    struct letter letter = {.kind = LETTER_ANSWER, .body = question, .drop = question_drop};
    if (!question->answer || inbox_put(question->reply_to, letter) < 0)
        question_drop(question);
}

static void take_question(struct checkpoint *self, struct question *question)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (!waiting) {
        question_drop(question);
        return;
    }
    *waiting = (struct waiting){.next = self->waiting, .question = question};
    self->waiting = waiting;
}

static void finish_waiting(struct waiting *waiting, const struct checkpoint_figures *figures)
{
    while (waiting) {
        struct waiting *next = waiting->next;
        if (figures)
            answer(waiting->question, figures);
        else
            question_drop(waiting->question);
        free(waiting);
        waiting = next;
    }
}

/* --- the thread --- */

void checkpoint_letters(struct checkpoint *self, int timeout_ms)
{
    struct pollfd poller = {.fd = inbox_fd(self->inbox), .events = POLLIN};
    struct letter letter;
    poll(&poller, 1, timeout_ms);
    while (inbox_take(self->inbox, &letter)) {
        if (letter.kind == LETTER_STOP)
            self->stopping = true;
        else if (letter.kind == LETTER_SLICE)
            self->slice_back = true;
        else if (letter.kind == LETTER_QUESTION)
            take_question(self, letter.body);
        else if (letter.drop)
            letter.drop(letter.body);
    }
}

/* Whoever asks while one is being written gets the next: what he wants kept may be in none of the slices before. */
static void run_once(struct checkpoint *self)
{
    struct checkpoint_figures figures;
    struct waiting *waiting = self->waiting;
    self->waiting = NULL;
    int rc = checkpoint_write(self, false);
    checkpoint_last(self, &figures);
    finish_waiting(waiting, rc == -ECANCELED ? NULL : &figures);
}

static void *run(void *argument)
{
    struct checkpoint *self = argument;
    int64_t due_ns = clock_now().steady_ns + self->options.every_ns;
    while (!self->stopping) {
        int64_t left_ms = (due_ns - clock_now().steady_ns) / CLOCK_MS_NS;
        if (left_ms > 0 && !self->waiting) {
            checkpoint_letters(self, left_ms < WAIT_MAX_MS ? (int)left_ms + 1 : WAIT_MAX_MS);
            continue;
        }
        const int64_t began_ns = clock_now().steady_ns;
        run_once(self);
        due_ns = checkpoint_due_ns(began_ns, clock_now().steady_ns, self->options.every_ns);
    }
    return NULL;
}

int checkpoint_start(struct checkpoint *self)
{
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error)
        return -error;
    self->started = true;
    pthread_setname_np(self->thread, "checkpoint");
    return 0;
}

void checkpoint_stop(struct checkpoint *self)
{
    if (!self->started)
        return;
    while (inbox_put(self->inbox, (struct letter){.kind = LETTER_STOP}) < 0)
        poll(NULL, 0, 10);
    pthread_join(self->thread, NULL);
    self->started = false;
    finish_waiting(self->waiting, NULL);
    self->waiting = NULL;
}

void checkpoint_finish(struct checkpoint *self)
{
    struct checkpoint_figures figures;
    if (checkpoint_write(self, true) < 0)
        return;
    checkpoint_last(self, &figures);
    log_info("the monitors are kept for the next start", LOG_NUMBER("models", figures.models),
             LOG_NUMBER("bytes", figures.bytes), LOG_NUMBER("seconds", figures.seconds));
}

void checkpoint_destroy(struct checkpoint **self_p)
{
    struct checkpoint *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    finish_waiting(self->waiting, NULL);
    if (self->open)
        folder_close(&self->folder);
    inbox_destroy(&self->inbox);
    pthread_mutex_destroy(&self->mutex);
    free(self->slice.bytes);
    free(self->state_dir);
    free(self);
}

#include "daemon/requests/core.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/requests/failpoint.h"

/* -- letters --------------------------------------------------------------------------------------------------------- */

static void letter_drop(struct letter *letter)
{
    if (letter->drop)
        letter->drop(letter->body);
}

static bool letters_add(struct letters *self, struct letter letter)
{
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : CORE_LETTERS_A_TURN;
        struct letter *at = reallocarray(self->at, room, sizeof *at);
        if (!at)
            return false;
        self->at = at;
        self->room = room;
    }
    self->at[self->count++] = letter;
    return true;
}

static void letters_free(struct letters *self)
{
    for (size_t i = 0; i < self->count; i++)
        letter_drop(&self->at[i]);
    free(self->at);
    *self = (struct letters){.at = NULL};
}

/* Keeps a notice for a later turn. What cannot be kept is lost, and said so once. */
static void hold(struct core *self, struct letter letter)
{
    if (self->held.count < CORE_HELD_MAX && letters_add(&self->held, letter))
        return;
    letter_drop(&letter);
    if (self->held_lost++ == 0)
        log_error("notices of monitors are lost, the store could not be written for too long: make room on the disk of "
                  "this file "
                  "at once; what was kept is safe",
                  LOG_TEXT("file", store_file(self->store)), LOG_NUMBER("held", self->held.count));
}

/* These two return false when this and all later letters have to wait for the next turn. */
static bool take_question(struct core *self, struct letter letter, bool writable)
{
    struct question *question = letter.body;
    int rc = writable ? commands_take(self, question) : -ENOENT;
    if (rc == -EAGAIN) {
        hold(self, letter);
        return false;
    }
    if (rc == -ENOENT && !letters_add(&self->asked, letter))
        effects_answer_now(question);
    return true;
}

static bool take_notice(struct core *self, struct letter letter)
{
    if (!letters_add(&self->taken, letter)) {
        core_fail(self, -ENOMEM);
        letter_drop(&letter);
        return true;
    }
    if (notices_take(self, letter.body) != -EAGAIN)
        return true;
    self->taken.count--;
    hold(self, letter);
    return false;
}

/* Returns false when nothing more may be taken in this turn. */
static bool take_letter(struct core *self, struct letter letter, bool writable)
{
    switch ((enum letter_kind)letter.kind) {
    case LETTER_STOP:
        self->stopping = true;
        letter_drop(&letter);
        return false;
    case LETTER_NOTICE:
        if (writable)
            return take_notice(self, letter);
        hold(self, letter);
        return true;
    case LETTER_QUESTION:
        return take_question(self, letter, writable);
    case LETTER_RENEW:
        free(self->renewal);
        self->renewal = letter.body;
        self->again = true;
        return true;
    case LETTER_UPDATE:
    case LETTER_SILENCES:
    case LETTER_ANSWER:
    case LETTER_EVENT:
    case LETTER_TAPE:
    case LETTER_ALARM:
    case LETTER_SLICE:
    case LETTER_RENEWED:
    case LETTER_DOORS:
    case LETTER_BUILT:
    case LETTER_RETURNED:
        break;
    }
    letter_drop(&letter);
    return true;
}

static void take_letters(struct core *self, bool writable)
{
    struct letters before = {.at = NULL};
    struct letter letter;
    size_t taken = 0;
    bool more = true;
    if (writable) {
        before = self->held;
        self->held = (struct letters){.at = NULL};
    }
    for (size_t i = 0; i < before.count; i++) {
        if (more && taken++ < CORE_LETTERS_A_TURN)
            more = take_letter(self, before.at[i], writable);
        else
            hold(self, before.at[i]);
    }
    free(before.at);
    while (more && !self->stopping && taken < CORE_LETTERS_A_TURN && inbox_take(self->inbox, &letter)) {
        taken++;
        more = take_letter(self, letter, writable);
    }
    if (taken >= CORE_LETTERS_A_TURN || (writable && self->held.count))
        self->again = true;
}

static void take_feedback(struct core *self)
{
    struct job_port *port = &self->ports.job;
    struct feedback_letter letter;
    for (int i = 0; i < CORE_FEEDBACK_A_TURN; i++) {
        if (!port->take(port->argument, &letter))
            return;
        hear_feedback(self, &letter);
    }
    self->again = true;
}

static void answer_questions(struct core *self)
{
    for (size_t i = 0; i < self->asked.count; i++) {
        struct question *question = self->asked.at[i].body;
        question->answer = questions_answer(self, question->ask);
        effects_answer_now(question);
    }
    self->asked.count = 0;
}

/* -- turns ----------------------------------------------------------------------------------------------------------- */

/* Sentences are whole in themselves: what happened, what is safe, what to do. File and cause stand in fields. */
static void die(struct core *self, int error)
{
    const char *sentence =
        "the store of requests failed and driftd ends, to be started again: what was answered is safe on the "
        "disk, what was under way was told to nobody; look at the disk (dmesg)";
    if (error == -EILSEQ)
        sentence = "the store of requests is damaged and driftd ends: nothing more is written to it; look at the disk "
                   "(dmesg), "
                   "and put back a copy";
    if (error == -ENOMEM)
        sentence =
            "memory is short and driftd ends, to be started again: what was answered is safe on the disk; give it more "
            "memory (MemoryMax)";
    self->ended = true;
    effects_store_alarm(self, "store_failed", true, sentence, error == -ENOMEM ? NULL : store_complaint(self->store));
    struct letter letter = {.kind = LETTER_ALARM};
    if (self->ports.engine && inbox_put(self->ports.engine, letter) < 0)
        log_error("the engine cannot be told of it: memory is short");
}

static void become_full(struct core *self, int error)
{
    self->retry_ns = self->now.steady_ns + CORE_RETRY_NS;
    if (self->full)
        return;
    self->full = true;
    const char *sentence =
        "requests cannot be kept, there is no room for them: what was kept is safe, drift is still watched, no "
        "retraining is offered; make room on the disk of this file, and all goes on by itself";
    if (error == -ENOMEM)
        sentence =
            "requests cannot be kept, memory is short: what was kept is safe, drift is still watched, no retraining is "
            "offered; give driftd more memory (MemoryMax), and all goes on by itself";
    effects_store_alarm(self, "store_full", true, sentence, error == -ENOMEM ? NULL : store_complaint(self->store));
}

/* Trainers could not report meanwhile: as after a restart, nobody loses a lease for that. */
static void become_writable(struct core *self)
{
    self->full = false;
    self->held_lost = 0;
    live_renew_leases(self);
    effects_store_alarm(self, "store_full", false,
                        "requests can be kept again: what waited is kept now, and leases begin anew", NULL);
}

/* The notices of a turn that came to nothing are taken again, before all others. */
static void keep_taken(struct core *self)
{
    struct letters later = self->held;
    self->held = self->taken;
    self->taken = (struct letters){.at = NULL};
    for (size_t i = 0; i < later.count; i++)
        hold(self, later.at[i]);
    free(later.at);
}

/* Who has asked for something that had to wait for the next turn is not kept waiting until there is room. */
static void give_up_commands(struct core *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->held.count; i++) {
        const struct letter letter = self->held.at[i];
        if (letter.kind != LETTER_QUESTION)
            self->held.at[kept++] = letter;
        else if (!letters_add(&self->asked, letter))
            effects_answer_now(letter.body);
    }
    self->held.count = kept;
}

static void finish(struct core *self, bool writable)
{
    int error = self->error;
    bool busy = self->touched || self->taken.count || self->effect_count;
    failpoint("turn_decided");
    error = error ? store_give_up(self->store, error) : store_commit(self->store);
    if (!error) {
        failpoint("turn_committed");
        if (writable)
            live_sent_recorded(self);
        live_publish(self);
        forget_settle(self, true);
        letters_free(&self->taken);
        effects_act(self);
        failpoint("turn_acted");
        if (self->full && writable) {
            become_writable(self);
            self->again = true;
        }
        if (busy)
            self->busy_ns = self->now.steady_ns;
        if (self->ended)
            die(self, -ENOMEM);
        else if (offers_possible(self))
            self->again = true; /* what this turn has made due is offered by the next */
        return;
    }
    live_undo(self);
    self->choose_due = true; /* what it chose may have been undone */
    forget_settle(self, false);
    effects_undo(self);
    keep_taken(self);
    give_up_commands(self);
    if (error == -ENOSPC || error == -ENOMEM)
        become_full(self, error);
    else
        die(self, error);
}

bool core_turn(struct core *self, struct now now)
{
    if (self->ended)
        return false;
    self->now = (struct moment){.steady_ns = now.steady_ns, .wall_s = now.wall_s};
    self->again = false;
    self->fleet_known = self->silences_differ = false;
    offers_begin(self);
    self->error = 0;
    bool writable = !self->full || now.steady_ns >= self->retry_ns;
    limits_expire(self->limits, now.steady_ns);
    if (writable && self->full)
        store_probe(self->store);
    if (writable)
        offers_record_sent(self);
    if (self->renewal && !core_renew(self))
        self->again = true;
    if (self->choose_due && writable)
        core_choose_anew(self);
    take_letters(self, writable);
    take_feedback(self);
    if (!self->full) {
        offers_timers(self);
        offers_make(self);
        forget_some(self);
    }
    finish(self, writable);
    answer_questions(self);
    if (self->ended)
        return false;
    bool quiet = now.steady_ns - self->busy_ns >= CORE_TIDY_NS;
    int error = store_tidy(self->store, quiet);
    if (error)
        die(self, error);
    return !self->ended;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t core_due_ns(const struct core *self)
{
    if (self->full)
        return self->retry_ns;
    if (self->again || self->sent)
        return self->now.steady_ns;
    int64_t due = INT64_MAX;
    const struct live *first = heap_first(&self->timers);
    if (first)
        due = first->timer_ns;
    if (self->options.keep_ns)
        due = sooner(due, self->forget_ns);
    if (queue_count(self->queue)) {
        due = sooner(due, limits_next_expiry_ns(self->limits));
        for (uint32_t i = 0; i < self->ports.job.outlets; i++) {
            if (self->outlets[i].offer_ns > self->now.steady_ns)
                due = sooner(due, self->outlets[i].offer_ns);
        }
    }
    return due;
}

bool core_stopped(const struct core *self)
{
    return self->ended || (self->stopping && (self->full || (!self->sent && !self->held.count)));
}

uint32_t core_live(const struct core *self)
{
    return (uint32_t)self->by_id.count;
}

void core_destroy(struct core **self_p)
{
    struct core *self = *self_p;
    if (!self)
        return;
    live_free_all(self);
    queue_destroy(&self->queue);
    limits_destroy(&self->limits);
    map_free(&self->by_id);
    map_free(&self->by_family);
    heap_free(&self->timers);
    letters_free(&self->held);
    letters_free(&self->taken);
    letters_free(&self->asked);
    free(self->effects);
    free(json_write_take(&self->data));
    free(json_write_take(&self->event));
    free(self->silences);
    free(self->fleet);
    free(self->outlets);
    free(self->closed);
    store_close(&self->store);
    free(self->renewal);
    for (size_t i = 0; i < self->memory_count; i++)
        free(self->memory[i]);
    free(self->memory);
    free(self);
    *self_p = NULL;
}

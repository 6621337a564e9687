/* The table of docs/requests.md: what each event does to a request. */
#include "lib/retrain/request.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Takes back the bytes of a character that was cut at the end of a full buffer. */
static void trim(char *text)
{
    size_t len = strlen(text), at = len;
    while (at > 0 && len - at < 4 && ((unsigned char)text[at - 1] & 0xc0) == 0x80)
        at--;
    if (at == 0)
        return;
    unsigned char lead = (unsigned char)text[at - 1];
    size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (len - (at - 1) < need)
        text[at - 1] = '\0';
}

__attribute__((format(printf, 4, 5))) static void go(struct request *self, struct request_step *step,
                                                     enum request_state to, const char *why, ...)
{
    va_list arguments;
    va_start(arguments, why);
    vsnprintf(step->why, sizeof step->why, why, arguments);
    va_end(arguments);
    trim(step->why);
    step->changed = step->told = true;
    step->to = to;
    self->state = to;
}

/* Of seconds, for a person. */
static int decimals(int64_t span_ns)
{
    return span_ns < INT64_C(9950000000) ? 1 : 0;
}

static void by(struct request_step *step, const char *who)
{
    snprintf(step->by, sizeof step->by, "%s", who);
}

static void end(struct request *self, struct moment now)
{
    assert(request_state_final(self->state));
    self->ended = now;
    self->cancel_asked = false;
}

/* The attempt that ran is over: notes whose it was, and how. */
static void end_attempt(struct request *self, struct request_step *step, enum attempt_outcome outcome)
{
    step->attempt_ended = true;
    step->outcome = outcome;
    step->attempt = self->attempt;
    memcpy(step->trainer, self->trainer, sizeof step->trainer);
}

/* After an attempt that did not succeed: another one, later and in another way, or none. `why` says what happened. Of what
 * was cancelled while it ran there is none: it waits for its REQUEST_CANCEL, which is due at once. */
static void try_again(struct request *self, struct request_step *step, const struct request_rules *rules,
                      struct moment now, const char *why)
{
    self->trainer[0] = '\0';
    self->fraction = NAN;
    self->note[0] = '\0';
    if (self->cancel_asked) {
        go(self, step, REQUEST_PENDING, "%s", why);
        return;
    }
    if (self->attempt >= rules->attempts) {
        go(self, step, REQUEST_DEAD, "%s; attempt %u of %u was the last", why, self->attempt, rules->attempts);
        end(self, now);
        return;
    }
    const int64_t wait = request_retry_wait_ns(self->id, self->attempt, rules);
    self->attempt++;
    self->offers = 0;
    self->offered_for_ns = 0;
    self->not_before = moment_after(now, wait);
    step->next_strategy = true;
    go(self, step, REQUEST_PENDING, "%s; attempt %u in %.*f s", why, self->attempt, decimals(wait), (double)wait / 1e9);
}

static void on_offer(struct request *self, struct request_step *step, struct moment now)
{
    if (self->state != REQUEST_PENDING)
        return;
    by(step, "dispatcher");
    go(self, step, REQUEST_OFFERED, "attempt %u, %s", self->attempt, self->strategy);
    self->offered = now;
    if (moment_is_never(self->first_offered))
        self->first_offered = now;
}

static void on_not_taken(struct request *self, struct request_step *step, struct moment now)
{
    if (self->state != REQUEST_OFFERED)
        return;
    by(step, "dispatcher");
    go(self, step, REQUEST_PENDING, "the trainer went away before it took the job");
    self->not_before = now;
}

static void on_handed(struct request *self, struct request_step *step, struct moment now)
{
    if (self->state != REQUEST_OFFERED)
        return;
    by(step, "dispatcher");
    end_attempt(self, step, ATTEMPT_DELIVERED);
    self->taken = true;
    go(self, step, REQUEST_DONE, "delivered: handed to a connected trainer, which gives no feedback");
    end(self, now);
}

static void offer_over(struct request *self, struct request_step *step, struct moment now)
{
    self->offers++;
    self->offered_for_ns += now.steady_ns - self->offered.steady_ns;
    if (self->offered_for_ns >= REQUEST_UNWANTED_NS) {
        go(self, step, REQUEST_DEAD, "nobody accepted attempt %u within 24 h of being offered", self->attempt);
        end(self, now);
        return;
    }
    self->not_before = now;
    const int64_t offered_ns = now.steady_ns - self->offered.steady_ns;
    go(self, step, REQUEST_PENDING, "nobody accepted attempt %u within %.*f s, offer %u", self->attempt,
       decimals(offered_ns), (double)offered_ns / 1e9, self->offers);
}

static void on_time(struct request *self, struct request_step *step, const struct request_rules *rules,
                    struct moment now)
{
    if (self->state != REQUEST_OFFERED && self->state != REQUEST_RUNNING)
        return;
    if (now.steady_ns < request_deadline_ns(self, rules))
        return;
    by(step, "timer");
    if (self->state == REQUEST_OFFERED) {
        offer_over(self, step, now);
        return;
    }
    char why[REQUEST_TRAINER_MAX + 96];
    if (self->run_end_ns <= now.steady_ns)
        snprintf(why, sizeof why, "attempt %u by %s reached max_run, %.9g s", self->attempt, self->trainer,
                 (double)rules->max_run_ns / 1e9);
    else
        snprintf(why, sizeof why, "the lease of %s on attempt %u ran out", self->trainer, self->attempt);
    end_attempt(self, step, ATTEMPT_LOST);
    try_again(self, step, rules, now, why);
}

/* An offer of before may have reached a trainer or not. With feedback it is made again and its accept is granted; without,
 * it is not, since delivery is at most once. */
static void on_restart(struct request *self, struct request_step *step, const struct request_rules *rules,
                       struct moment now)
{
    by(step, "restart");
    if (self->state == REQUEST_RUNNING) {
        self->lease_end_ns = now.steady_ns + rules->lease_ns;
        go(self, step, REQUEST_RUNNING, "a full fresh lease for %s", self->trainer);
    } else if (self->state == REQUEST_OFFERED && rules->feedback_required) {
        self->offers++;
        self->not_before = now;
        go(self, step, REQUEST_PENDING, "attempt %u is offered again", self->attempt);
    } else if (self->state == REQUEST_OFFERED) {
        end_attempt(self, step, ATTEMPT_DELIVERED);
        self->taken = true;
        go(self, step, REQUEST_DONE, "delivered or lost when the daemon ended: without feedback it is not sent twice");
        end(self, now);
    }
}

__attribute__((format(printf, 3, 4))) static void refuse(struct request_step *step, enum request_answer answer,
                                                         const char *why, ...)
{
    va_list arguments;
    va_start(arguments, why);
    vsnprintf(step->why, sizeof step->why, why, arguments);
    va_end(arguments);
    trim(step->why);
    step->answer = answer;
}

static void grant(struct request *self, struct request_step *step, const struct request_event *event)
{
    snprintf(step->by, sizeof step->by, "trainer %s", event->trainer);
    step->answer = ANSWER_GRANTED;
    step->changed = true;
    step->attempt = self->attempt;
    snprintf(step->trainer, sizeof step->trainer, "%s", event->trainer);
}

static bool granted_before(const struct request_event *event)
{
    return event->record && event->record->said & 1u << event->kind &&
           strcmp(event->record->trainer, event->trainer) == 0;
}

/* On a final request a repetition is answered as it was then; all else is told that the request has ended. A progress
 * is granted again only where the trainer itself ended the attempt: one that works on what was taken from it must stop. */
static void hear_final(struct request *self, struct request_step *step, const struct request_event *event)
{
    bool own_end = event->record && (event->record->outcome == ATTEMPT_DONE || event->record->outcome == ATTEMPT_FAILED);
    if (granted_before(event) && (event->kind != REQUEST_PROGRESS || own_end)) {
        bool told_to_stop = event->kind == REQUEST_PROGRESS && self->state == REQUEST_CANCELLED;
        step->answer = told_to_stop ? ANSWER_CANCEL : ANSWER_GRANTED;
        step->again = true;
        return;
    }
    refuse(step, ANSWER_ENDED, "the request is %s: stop working on it", request_state_name(self->state));
    step->late = self->state == REQUEST_SUPERSEDED && event->kind == REQUEST_FINISH && event->record &&
                 strcmp(event->record->trainer, event->trainer) == 0;
}

static void hear_accept(struct request *self, struct request_step *step, const struct request_event *event,
                        const struct request_rules *rules, struct moment now)
{
    if (self->state == REQUEST_PENDING && self->offers == 0) {
        refuse(step, ANSWER_STALE_ATTEMPT, "attempt %u has not been offered yet", event->attempt);
        return;
    }
    grant(self, step, event);
    step->attempt_began = true;
    snprintf(self->trainer, sizeof self->trainer, "%s", event->trainer);
    self->fraction = NAN;
    self->note[0] = '\0';
    self->taken = true;
    self->accepted = now;
    self->offered_for_ns = 0;
    self->lease_end_ns = now.steady_ns + rules->lease_ns;
    self->run_end_ns = now.steady_ns + rules->max_run_ns;
    go(self, step, REQUEST_RUNNING, "attempt %u, lease %.9g s", self->attempt, (double)rules->lease_ns / 1e9);
}

static void hear_holder(struct request *self, struct request_step *step, const struct request_event *event,
                        const struct request_rules *rules, struct moment now)
{
    char why[REQUEST_WHY_MAX - 64];
    grant(self, step, event);
    switch (event->kind) {
    case REQUEST_ACCEPT: /* the answer promises a lease: it is one from now on */
        step->again = true;
        self->lease_end_ns = now.steady_ns + rules->lease_ns;
        break;
    case REQUEST_PROGRESS:
        self->lease_end_ns = now.steady_ns + rules->lease_ns;
        if (!isnan(event->fraction))
            self->fraction = event->fraction;
        if (event->note)
            snprintf(self->note, sizeof self->note, "%s", event->note);
        trim(self->note);
        if (self->cancel_asked)
            step->answer = ANSWER_CANCEL;
        break;
    case REQUEST_FINISH:
        end_attempt(self, step, ATTEMPT_DONE);
        go(self, step, REQUEST_DONE, "%s", event->note && *event->note ? event->note : "trained");
        end(self, now);
        break;
    default:
        assert(event->kind == REQUEST_FAIL);
        end_attempt(self, step, ATTEMPT_FAILED);
        snprintf(why, sizeof why, "attempt %u failed: %s", self->attempt,
                 event->note && *event->note ? event->note : "no error was given");
        if (event->retry || self->cancel_asked) {
            try_again(self, step, rules, now, why);
        } else {
            go(self, step, REQUEST_DEAD, "%s; the trainer wants no retry", why);
            end(self, now);
        }
        break;
    }
}

static void hear(struct request *self, struct request_step *step, const struct request_event *event,
                 const struct request_rules *rules, struct moment now)
{
    if (request_state_final(self->state)) {
        hear_final(self, step, event);
        return;
    }
    if (event->attempt != self->attempt) {
        /* A fail that was granted moved the request on to the next attempt: its repetition stays granted. */
        if (event->kind == REQUEST_FAIL && granted_before(event)) {
            step->answer = ANSWER_GRANTED;
            step->again = true;
            return;
        }
        refuse(step, ANSWER_STALE_ATTEMPT, "attempt %u is not the current one, which is %u: stop working on it",
               event->attempt, self->attempt);
        return;
    }
    if (self->state != REQUEST_RUNNING) {
        if (event->kind == REQUEST_ACCEPT)
            hear_accept(self, step, event, rules, now);
        else
            refuse(step, ANSWER_NOT_ACCEPTED, "attempt %u has not been accepted by anybody: accept it first",
                   event->attempt);
        return;
    }
    if (strcmp(self->trainer, event->trainer) != 0) {
        refuse(step, ANSWER_STALE_ATTEMPT, "attempt %u is held by another trainer: stop working on it", event->attempt);
        return;
    }
    hear_holder(self, step, event, rules, now);
}

static void on_cancel(struct request *self, struct request_step *step, const struct request_event *event,
                      struct moment now)
{
    const char *reason = event->note && *event->note ? event->note : "no reason given";
    if (request_state_final(self->state))
        return;
    by(step, "operator");
    if (self->state == REQUEST_RUNNING) {
        self->cancel_asked = true;
        go(self, step, REQUEST_RUNNING, "%s is told to stop: %s", self->trainer, reason);
        return;
    }
    go(self, step, REQUEST_CANCELLED, "%s", reason);
    end(self, now);
}

static void on_monitor(struct request *self, struct request_step *step, const struct request_event *event,
                       struct moment now)
{
    if (self->state != REQUEST_PENDING && self->state != REQUEST_OFFERED)
        return;
    by(step, "monitor");
    if (event->kind == REQUEST_RECOVERED)
        go(self, step, REQUEST_CANCELLED, "%s holds its budget again", self->metric);
    else
        go(self, step, REQUEST_SUPERSEDED, "%s", event->note ? event->note : "a newer version serves");
    end(self, now);
}

/* A trainer may hold an offer of the attempt and accept it yet, so its strategy stands: another one is another attempt.
 * Where no further attempt is allowed, it stays as it was offered. */
static void on_unserved(struct request *self, struct request_step *step, const struct request_rules *rules)
{
    if (self->state != REQUEST_PENDING || (self->offers > 0 && self->attempt >= rules->attempts))
        return;
    step->next_strategy = step->changed = true;
    if (self->offers == 0)
        return;
    by(step, "dispatcher");
    go(self, step, REQUEST_PENDING, "attempt %u was offered as %s, which is configured no more; attempt %u follows",
       self->attempt, self->strategy, self->attempt + 1);
    self->attempt++;
    self->offers = 0;
    self->offered_for_ns = 0;
}

struct request_step request_apply(struct request *self, const struct request_event *event,
                                  const struct request_rules *rules, struct moment now)
{
    struct request_step step = {.from = self->state, .to = self->state, .answer = ANSWER_NONE};
    switch (event->kind) {
    case REQUEST_OFFER:
        on_offer(self, &step, now);
        break;
    case REQUEST_NOT_TAKEN:
        on_not_taken(self, &step, now);
        break;
    case REQUEST_HANDED:
        on_handed(self, &step, now);
        break;
    case REQUEST_TIME:
        on_time(self, &step, rules, now);
        break;
    case REQUEST_RESTART:
        on_restart(self, &step, rules, now);
        break;
    case REQUEST_ACCEPT:
    case REQUEST_PROGRESS:
    case REQUEST_FINISH:
    case REQUEST_FAIL:
        hear(self, &step, event, rules, now);
        break;
    case REQUEST_CANCEL:
        on_cancel(self, &step, event, now);
        break;
    case REQUEST_RECOVERED:
    case REQUEST_REPLACED:
        on_monitor(self, &step, event, now);
        break;
    case REQUEST_UNSERVED:
        on_unserved(self, &step, rules);
        break;
    case REQUEST_EVENTS:
        assert(!"not an event");
        break;
    }
    return step;
}

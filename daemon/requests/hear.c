/* One message of a trainer: read, applied to its request, answered. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/requests/core.h"

#define UNKNOWN_EVERY_NS (10 * CLOCK_S_NS) /* between two alarms about unknown requests */
#define TOLD_EVERY_NS (60 * CLOCK_S_NS)    /* and between two lines about the same kind of refusal */

static const enum request_event_kind kinds[SAYS] = {REQUEST_ACCEPT, REQUEST_PROGRESS, REQUEST_FINISH, REQUEST_FAIL};

/* --- what was refused --- */

static const char *code_of(int kind)
{
    return kind == HEARD_UNAUTHORIZED ? "unauthorized" : request_refusal_code((enum request_answer)kind);
}

void hear_write(const struct core *self, struct json_write *out)
{
    json_write_key(out, "feedback");
    json_write_bracket(out, '{');
    json_write_key(out, "messages");
    json_write_integer(out, (int64_t)self->heard.messages);
    json_write_key(out, "refused");
    json_write_bracket(out, '{');
    for (int kind = 0; kind <= HEARD_UNAUTHORIZED; kind++) {
        if (self->heard.refused[kind].count == 0)
            continue;
        json_write_key(out, code_of(kind));
        json_write_integer(out, (int64_t)self->heard.refused[kind].count);
    }
    json_write_bracket(out, '}');
    json_write_bracket(out, '}');
}

/* Whether it is time to tell of this kind again. *before_p: how many there were since the last time. */
static bool count_refused(struct core *self, int kind, int64_t every_ns, uint64_t *before_p)
{
    const int64_t now_ns = self->now.steady_ns, told_ns = self->heard.refused[kind].told_ns;
    self->heard.refused[kind].count++;
    *before_p = self->heard.refused[kind].untold++;
    if (told_ns && now_ns - told_ns < every_ns)
        return false;
    self->heard.refused[kind].untold = 0;
    self->heard.refused[kind].told_ns = now_ns;
    return true;
}

/* The rest is a matter of course: a lease that ran out, a request that has ended, a store that is full. */
static bool is_a_mistake(int kind)
{
    return kind == ANSWER_BAD_MESSAGE || kind == ANSWER_NOT_ACCEPTED || kind == HEARD_UNAUTHORIZED;
}

/* `said`: NULL where it could not be read. */
static void tell_refused(struct core *self, const struct feedback_letter *letter, const struct feedback *said, int kind,
                         const char *why)
{
    uint64_t before;
    if (!count_refused(self, kind, TOLD_EVERY_NS, &before) || !is_a_mistake(kind))
        return;
    log_warning("feedback of a trainer was refused", LOG_TEXT("error", code_of(kind)), LOG_TEXT("why", why),
                LOG_TEXT("peer", letter->peer ? letter->peer : "unknown"), LOG_TEXT("trainer", said ? said->trainer : ""),
                LOG_TEXT("request", said ? said->request : ""), LOG_NUMBER("times", before + 1));
}

static void refuse(struct core *self, const struct feedback_letter *letter, const struct feedback *said, int kind,
                   const char *sentence)
{
    tell_refused(self, letter, said, kind, sentence);
    effects_reply(self, letter->sender, feedback_refused(code_of(kind), sentence), true);
}

/* A trainer knows a request that the store does not: it may have been put back to an older state. */
static void refuse_unknown(struct core *self, const struct feedback_letter *letter, const struct feedback *said)
{
    char message[512], more[64] = "";
    uint64_t before;
    if (count_refused(self, ANSWER_UNKNOWN_REQUEST, UNKNOWN_EVERY_NS, &before)) {
        if (before)
            snprintf(more, sizeof more, "; %llu more since the last alarm", (unsigned long long)before);
        snprintf(message, sizeof message,
                 "feedback names an unknown request, %s (trainer %s%s): was the store put back to an older state?",
                 said->request, said->trainer, more);
        effects_alarm(self, "feedback_unknown", true, message);
    }
    effects_reply(self, letter->sender,
                  feedback_refused(code_of(ANSWER_UNKNOWN_REQUEST), "no request has this id: stop working on it"), true);
}

/* --- what was said --- */

static void answer(struct core *self, const struct feedback_letter *letter, const struct feedback *said,
                   const struct request_step *step)
{
    char *text;
    const char *code = request_refusal_code(step->answer);
    if (code) {
        tell_refused(self, letter, said, step->answer, step->why);
        text = feedback_refused(code, step->why);
    } else {
        text = feedback_granted(said->say, self->rules.lease_ns, step->answer == ANSWER_CANCEL);
    }
    effects_reply(self, letter->sender, text, false);
}

static void describe(const struct feedback *said, char note[REQUEST_NOTE_MAX + 1])
{
    size_t len = (size_t)snprintf(note, REQUEST_NOTE_MAX + 1, "trained%s%s%s", *said->version ? ", version " : "",
                                  said->version, *said->artifact && !*said->version ? ", an artifact" : "");
    if (!isnan(said->gpu_hours) && len < REQUEST_NOTE_MAX)
        snprintf(note + len, REQUEST_NOTE_MAX + 1 - len, ", %.9g GPU-hours", said->gpu_hours);
}

static void refuse_metric(struct core *self, const struct feedback_letter *letter, const struct feedback *said,
                          const char *metric)
{
    char why[METRIC_NAME_MAX + 96];
    snprintf(why, sizeof why, "\"%s\" in \"metrics\" must be a number: the request is about it", metric);
    refuse(self, letter, said, ANSWER_BAD_MESSAGE, why);
}

/* A trainer's key may be for some projects only. Whether it was refused. */
static bool refuse_stranger(struct core *self, const struct feedback_letter *letter, const struct feedback *said,
                            const char *model)
{
    const struct job_port *port = &self->ports.job;
    struct model_id id;
    if (!port->may ||
        (model_id_parse(&id, text_of(model)) == 0 &&
         port->may(port->argument, letter->sender, id.project.at, id.project.len)))
        return false;
    refuse(self, letter, said, HEARD_UNAUTHORIZED, "this key is not for the project of the request");
    return true;
}

static void apply(struct core *self, const struct feedback *said, const struct feedback_letter *letter)
{
    char note[REQUEST_NOTE_MAX + 1];
    struct attempt_record record;
    struct request_step step;
    struct request_event event = {.kind = kinds[said->say],
                                  .attempt = said->attempt,
                                  .trainer = said->trainer,
                                  .fraction = said->fraction,
                                  .note = *said->note ? said->note : NULL,
                                  .retry = said->retry,
                                  .done_gpu_hours = said->gpu_hours};
    if (said->say == SAY_DONE) {
        describe(said, note);
        event.note = note;
    }
    struct live *live = live_by_id(self, text_of(said->request));
    struct request stored;
    int rc = live ? 1 : store_get_ended(self->store, said->request, &stored);
    if (rc == 0) {
        refuse_unknown(self, letter, said);
        return;
    }
    if (rc > 0 && refuse_stranger(self, letter, said, live ? live_value(live)->model : stored.model)) {
        if (!live)
            request_texts_free(&stored);
        return;
    }
    /* It says how much was won by the training: without a number it would count as if all had been. */
    if (live && said->say == SAY_DONE && !feedback_metric_fits(said, live_value(live)->metric)) {
        refuse_metric(self, letter, said, live_value(live)->metric);
        return;
    }
    bool is_stored = rc == 1 && !live;
    if (rc > 0) {
        rc = store_get_attempt(self->store, said->request, said->attempt, &record);
        event.record = rc == 1 ? &record : NULL;
    }
    if (rc < 0) {
        core_fail(self, rc);
        step = (struct request_step){.answer = ANSWER_UNAVAILABLE, .why = "the store cannot be read now: try again"};
    } else if (is_stored) {
        step = request_apply(&stored, &event, &self->rules, self->now);
        step_late(self, &stored, &step, &event, said);
    } else {
        step = step_apply_report(self, live, &event, said);
    }
    if (is_stored)
        request_texts_free(&stored);
    answer(self, letter, said, &step);
}

void hear_feedback(struct core *self, const struct feedback_letter *letter)
{
    struct feedback said;
    char why[256];
    self->heard.messages++;
    int rc = feedback_read(&said, (struct text){letter->json, letter->bytes}, why);
    if (rc == -EINVAL) {
        refuse(self, letter, NULL, ANSWER_BAD_MESSAGE, why);
        return;
    }
    if (rc < 0 || self->full || self->ended) {
        refuse(self, letter, NULL, ANSWER_UNAVAILABLE, "the store cannot be written now: try again");
    } else {
        apply(self, &said, letter);
    }
    if (rc == 0)
        feedback_free(&said);
}

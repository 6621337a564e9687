/* One message of a trainer: read, applied to its request, answered. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/requests/core.h"

#define UNKNOWN_EVERY_NS (10 * CLOCK_S_NS) /* between two alarms about unknown requests */

static const enum request_event_kind kinds[SAYS] = {REQUEST_ACCEPT, REQUEST_PROGRESS, REQUEST_FINISH, REQUEST_FAIL};

static void answer(struct core *self, void *sender, const struct feedback *said, const struct request_step *step)
{
    char *text;
    const char *code = request_refusal_code(step->answer);
    if (code)
        text = feedback_refused(code, step->why);
    else
        text = feedback_granted(said->say, self->rules.lease_ns, step->answer == ANSWER_CANCEL);
    effects_reply(self, sender, text, false);
}

static void refuse(struct core *self, void *sender, enum request_answer why, const char *sentence)
{
    effects_reply(self, sender, feedback_refused(request_refusal_code(why), sentence), true);
}

/* A trainer knows a request that the store does not: it may have been put back to an older state. */
static void alarm_unknown(struct core *self, const struct feedback *said)
{
    char message[512];
    self->unknown++;
    if (self->unknown_told_ns != INT64_MIN && self->now.steady_ns - self->unknown_told_ns < UNKNOWN_EVERY_NS)
        return;
    snprintf(message, sizeof message,
             "feedback names an unknown request, %s (trainer %s; %llu such messages): "
             "was the store put back to an older state?",
             said->request, said->trainer, (unsigned long long)self->unknown);
    self->unknown = 0;
    self->unknown_told_ns = self->now.steady_ns;
    effects_alarm(self, "feedback_unknown", true, message);
}

static void refuse_unknown(struct core *self, void *sender, const struct feedback *said)
{
    alarm_unknown(self, said);
    refuse(self, sender, ANSWER_UNKNOWN_REQUEST, "no request has this id: stop working on it");
}

static void describe(const struct feedback *said, char note[REQUEST_NOTE_MAX + 1])
{
    size_t len = (size_t)snprintf(note, REQUEST_NOTE_MAX + 1, "trained%s%s%s", *said->version ? ", version " : "",
                                  said->version, *said->artifact && !*said->version ? ", an artifact" : "");
    if (!isnan(said->gpu_hours) && len < REQUEST_NOTE_MAX)
        snprintf(note + len, REQUEST_NOTE_MAX + 1 - len, ", %.9g GPU-hours", said->gpu_hours);
}

static void refuse_metric(struct core *self, void *sender, const char *metric)
{
    char why[METRIC_NAME_MAX + 96];
    snprintf(why, sizeof why, "\"%s\" in \"metrics\" must be a number: the request is about it", metric);
    refuse(self, sender, ANSWER_BAD_MESSAGE, why);
}

/* A trainer's key may be for some projects only. Whether it was refused. */
static bool refuse_stranger(struct core *self, void *sender, const char *model)
{
    const struct job_port *port = &self->ports.job;
    struct model_id id;
    if (!port->may ||
        (model_id_parse(&id, text_of(model)) == 0 && port->may(port->argument, sender, id.project.at, id.project.len)))
        return false;
    effects_reply(self, sender, feedback_refused("unauthorized", "this key is not for the project of the request"),
                  true);
    return true;
}

static void apply(struct core *self, const struct feedback *said, void *sender)
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
        refuse_unknown(self, sender, said);
        return;
    }
    if (rc > 0 && refuse_stranger(self, sender, live ? live_value(live)->model : stored.model)) {
        if (!live)
            request_texts_free(&stored);
        return;
    }
    /* It says how much was won by the training: without a number it would count as if all had been. */
    if (live && said->say == SAY_DONE && !feedback_metric_fits(said, live_value(live)->metric)) {
        refuse_metric(self, sender, live_value(live)->metric);
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
    answer(self, sender, said, &step);
}

void hear_feedback(struct core *self, const struct feedback_letter *letter)
{
    struct feedback said;
    char why[256];
    int rc = feedback_read(&said, (struct text){letter->json, letter->bytes}, why);
    if (rc == -EINVAL) {
        refuse(self, letter->sender, ANSWER_BAD_MESSAGE, why);
        return;
    }
    if (rc < 0 || self->full || self->ended) {
        refuse(self, letter->sender, ANSWER_UNAVAILABLE, "the store cannot be written now: try again");
    } else {
        apply(self, &said, letter->sender);
    }
    if (rc == 0)
        feedback_free(&said);
}

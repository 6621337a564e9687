/* What happened to a request is written down here, and noted for those who are to hear of it. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/requests/core.h"
#include "lib/wire/cloud_event.h"
#include "lib/words.h"

struct text step_family(const char *model)
{
    return model_id_family_of(text_of(model));
}

/* -- strategy -------------------------------------------------------------------------------------------------------- */

struct tried {
    const struct core *core;
    uint32_t *at;
    uint32_t count, room;
};

static void note_tried(void *argument, const struct store_outcome *outcome)
{
    struct tried *tried = argument;
    const struct requests_options *options = &tried->core->options;
    if (outcome->attempt < 1 || outcome->attempt > tried->room)
        return;
    for (uint32_t i = 0; i < options->strategy_count; i++) {
        if (strcmp(options->strategies[i].name, outcome->strategy) == 0)
            tried->at[outcome->attempt - 1] = i;
    }
}

void step_choose(struct core *self, struct request *request, struct text family, uint64_t family_requests)
{
    const struct requests_options *options = &self->options;
    uint32_t few[8];
    struct tried tried = {.core = self, .at = few, .room = request->attempt - 1};
    if (tried.room > sizeof few / sizeof *few)
        tried.at = malloc(tried.room * sizeof *tried.at);
    if (!tried.at) {
        core_fail(self, -ENOMEM);
        return;
    }
    for (uint32_t i = 0; i < tried.room; i++)
        tried.at[i] = UINT32_MAX;
    int rc = tried.room ? store_each_attempt(self->store, request->id, note_tried, &tried) : 0;
    if (rc < 0)
        core_fail(self, rc);
    struct strategy_context context = {.seed = options->seed,
                                       .request = text_of(request->id),
                                       .family = family,
                                       .family_requests = family_requests,
                                       .attempt = request->attempt,
                                       .tried = tried.at};
    uint32_t index = learn_choose(self, &context, request->strategy_reason);
    text_put(request->strategy, sizeof request->strategy, options->strategies[index].name);
    request->gpu_hours = options->strategies[index].gpu_hours;
    if (tried.at != few)
        free(tried.at);
}

static void choose_next(struct core *self, struct request *request)
{
    struct text family = step_family(request->model);
    struct store_family row = {.requests = 1};
    int rc = store_get_family(self->store, family, &row);
    if (rc < 0)
        core_fail(self, rc);
    step_choose(self, request, family, row.requests ? row.requests - 1 : 0);
}

/* -- history and news ------------------------------------------------------------------------------------------------ */

struct headline {
    const char *type, *sentence;
    bool warning;
};

static const struct headline requested = {"driftd.retraining.requested", "retraining requested", false};

/* What observers and the log hear of a step; type NULL: nothing. */
static struct headline headline_of(const struct request_step *step)
{
    switch (step->to) {
    case REQUEST_OFFERED:
        return (struct headline){"driftd.retraining.offered", "retraining offered to trainers", false};
    case REQUEST_RUNNING:
        if (step->from == REQUEST_OFFERED || step->from == REQUEST_PENDING)
            return (struct headline){"driftd.retraining.accepted", "retraining accepted by a trainer", false};
        break;
    case REQUEST_DONE:
        return (struct headline){"driftd.retraining.done", "retraining done", false};
    case REQUEST_DEAD:
        return (struct headline){"driftd.retraining.dead", "retraining given up; `driftc requeue` makes a new request",
                                 true};
    case REQUEST_CANCELLED:
        return (struct headline){"driftd.retraining.cancelled", "retraining cancelled", false};
    case REQUEST_SUPERSEDED:
        return (struct headline){"driftd.retraining.superseded", "retraining superseded by a newer version", false};
    case REQUEST_PENDING:
        if (step->attempt_ended)
            return (struct headline){"driftd.retraining.failed", "an attempt of retraining failed", true};
        break;
    case REQUEST_STATES:
        break;
    }
    return (struct headline){NULL, NULL, false};
}

/* The attempt that it is about, which may be over, and the next one begun. */
struct tale {
    uint32_t attempt;
    const char *trainer; /* "": nobody */
    const char *by, *why;
};

static struct text news_data(struct json_write *out, const struct request *request, const struct tale *tale,
                             bool with_trigger)
{
    struct model_id model;
    json_write_clear(out);
    json_write_bracket(out, '{');
    json_write_name(out, "request");
    json_write_string(out, request->id);
    json_write_name(out, "attempt");
    json_write_integer(out, tale->attempt);
    if (model_id_parse(&model, text_of(request->model)) == 0)
        cloud_event_model(out, &model);
    json_write_name(out, "state");
    json_write_string(out, request_state_name(request->state));
    json_write_name(out, "strategy");
    json_write_string(out, request->strategy);
    json_write_name(out, "strategy_reason");
    json_write_string(out, request->strategy_reason);
    json_write_name(out, "trainer");
    json_write_string(out, *tale->trainer ? tale->trainer : NULL);
    json_write_name(out, "by");
    json_write_string(out, tale->by);
    json_write_name(out, "why");
    json_write_string(out, tale->why);
    if (with_trigger) {
        json_write_name(out, "trigger");
        json_write_raw(out, text_of(request->trigger_json));
    }
    json_write_bracket(out, '}');
    return json_write_whole(out);
}

/* Its id is none that a job has: a job's is <request>/<attempt>. */
static void tell(struct core *self, const struct request *request, const struct headline *headline, int64_t line,
                 const struct tale *tale)
{
    char id[REQUEST_ID_LEN + 32];
    struct words words = words_into(id, sizeof id);
    words_add(&words, request->id);
    words_add(&words, "/history/");
    words_add_count(&words, (uint64_t)line);
    effects_news(self, headline->type, id, request, headline->sentence, headline->warning, tale->why,
                 news_data(&self->data, request, tale, headline->type == requested.type));
}

static int64_t add_line(struct core *self, const struct request *request, uint32_t attempt, const char *from,
                        const char *by, const char *why)
{
    return store_add_line(self->store, &(struct store_line){.request = request->number,
                                                            .attempt = attempt,
                                                            .at_s = self->now.wall_s,
                                                            .from = from,
                                                            .to = request_state_name(request->state),
                                                            .by = by,
                                                            .why = why});
}

void step_note(struct core *self, const struct request *request, const char *by, const char *why)
{
    add_line(self, request, request->attempt, request_state_name(request->state), by, why);
}

void step_begin(struct core *self, struct live *live, const char *by, const char *why)
{
    struct request *request = live->next;
    request->number = store_add_request(self->store, request, by, why);
    tell(self, request, &requested, request->number,
         &(struct tale){.attempt = request->attempt, .trainer = "", .by = by, .why = why});
}

/* -- models that wait for a request ---------------------------------------------------------------------------------- */

struct waiting {
    struct store_model *at;
    size_t count, room;
    bool failed;
};

static void collect(void *argument, const struct store_model *model)
{
    struct waiting *waiting = argument;
    if (waiting->count == waiting->room) {
        size_t room = waiting->room ? 2 * waiting->room : 4;
        struct store_model *at = reallocarray(waiting->at, room, sizeof *at);
        if (!at) {
            waiting->failed = true;
            return;
        }
        waiting->at = at;
        waiting->room = room;
    }
    waiting->at[waiting->count++] = *model;
}

/* Nothing has happened to a model for longer than anything is kept. */
static bool long_gone(const struct core *self, const struct store_model *row)
{
    const int64_t times[] = {row->triggered.steady_ns, row->ended.steady_ns, row->served.steady_ns};
    for (int i = 0; i < 3; i++)
        if (times[i] != retrain_never_ns() && times[i] >= self->now.steady_ns - self->options.keep_ns)
            return false;
    return self->options.keep_ns > 0;
}

void step_tell_model(struct core *self, const struct store_model *row, bool live, bool unrecoverable)
{
    struct retrain_update *update = malloc(sizeof *update);
    if (!update) {
        core_fail(self, -ENOMEM);
        return;
    }
    *update = (struct retrain_update){.gone = !live && !unrecoverable && long_gone(self, row),
                                      .live = live,
                                      .unrecoverable = unrecoverable,
                                      .episode = row->episode,
                                      .triggered_ns = row->triggered.steady_ns, /* never is retrain_never_ns() */
                                      .ended_ns = row->ended.steady_ns};
    text_put(update->model, sizeof update->model, row->model);
    effects_update(self, update);
}

static void end_waiting(struct core *self, const struct request *request)
{
    struct store_family family = {.requests = 0};
    struct waiting waiting = {.at = NULL};
    int rc = store_get_family(self->store, step_family(request->model), &family);
    if (rc >= 0)
        rc = store_each_waiting(self->store, step_family(request->model), request->id, collect, &waiting);
    if (rc < 0 || waiting.failed)
        core_fail(self, rc < 0 ? rc : -ENOMEM);
    for (size_t i = 0; i < waiting.count; i++) {
        struct store_model *model = &waiting.at[i];
        model->request[0] = '\0';
        model->ended = self->now;
        store_put_model(self->store, model);
        step_tell_model(self, model, false, family.unrecoverable);
    }
    free(waiting.at);
    learn_done(self, request);
}

/* -- steps ----------------------------------------------------------------------------------------------------------- */

static const char *or_none(const char *text)
{
    return *text ? text : NULL;
}

static struct store_outcome outcome_of(const struct request *request, const struct request_step *step,
                                       const struct feedback *report)
{
    struct store_outcome outcome = {.request = request->id,
                                    .strategy = request->strategy,
                                    .trainer = step->trainer,
                                    .attempt = step->attempt,
                                    .outcome = step->outcome,
                                    .expected_gpu_hours = request->gpu_hours,
                                    .gpu_hours = NAN,
                                    .gain = NAN,
                                    .measured = NAN,
                                    .recovery = NAN};
    if (!report)
        return outcome;
    outcome.gpu_hours = report->gpu_hours;
    outcome.version = or_none(report->version);
    outcome.artifact = or_none(report->artifact);
    outcome.metrics_json = report->metrics_json;
    outcome.error = or_none(report->note);
    return outcome;
}

static void record_attempt(struct core *self, struct live *live, const struct request_step *step,
                           const struct request_event *event, const struct feedback *report)
{
    const struct request *request = live->next;
    struct store_outcome outcome = outcome_of(request, step, report);
    if (step->attempt_began || step->outcome == ATTEMPT_DELIVERED)
        store_begin_attempt(self->store, &outcome, step_family(request->model), self->now);
    bool granted = step->answer == ANSWER_GRANTED || step->answer == ANSWER_CANCEL;
    if (granted && !step->again)
        store_said(self->store, request->id, step->attempt, 1u << event->kind, self->now);
    if (step->attempt_ended) {
        if (step->outcome == ATTEMPT_LOST)
            outcome.error = step->why;
        learn_ended(self, request, report, &outcome);
        store_end_attempt(self->store, &outcome, self->now);
        if (outcome.outcome == ATTEMPT_DONE || outcome.outcome == ATTEMPT_DELIVERED)
            learn_ask(self, request, outcome.version);
        live->ended_attempt = step->attempt;
        live->ended_gpu_hours = outcome.gpu_hours;
    }
}

void step_late(struct core *self, const struct request *request, const struct request_step *step,
               const struct request_event *event, const struct feedback *report)
{
    const uint32_t late = 1u << 12; /* in the store's `said`, beside what was granted; nothing that is said has this bit */
    if (!step->late || event->record->said & late)
        return;
    char by[REQUEST_BY_MAX], why[REQUEST_WHY_MAX];
    struct store_outcome outcome = {.request = request->id,
                                    .attempt = event->attempt,
                                    .gpu_hours = report->gpu_hours,
                                    .version = or_none(report->version),
                                    .artifact = or_none(report->artifact),
                                    .metrics_json = report->metrics_json};
    store_late_report(self->store, &outcome);
    store_said(self->store, request->id, event->attempt, late, self->now);
    snprintf(by, sizeof by, "trainer %s", event->trainer);
    snprintf(why, sizeof why, "%s, which came too late and is not applied", event->note);
    add_line(self, request, event->attempt, request_state_name(request->state), by, why);
}

static void apply_once(struct core *self, struct live *live, const struct request_event *event,
                       const struct feedback *report, struct request_step *step)
{
    struct request *request = live->next;
    uint32_t attempt = request->attempt;
    *step = request_apply(request, event, &self->rules, self->now);
    if (step->changed || step->attempt_ended)
        record_attempt(self, live, step, event, report);
    if (report)
        step_late(self, request, step, event, report);
    if (step->told) {
        int64_t line = add_line(self, request, attempt, request_state_name(step->from), step->by, step->why);
        struct tale tale = {.attempt = attempt,
                            .trainer = step->attempt_ended ? step->trainer : request->trainer,
                            .by = step->by,
                            .why = step->why};
        struct headline headline = headline_of(step);
        if (headline.type)
            tell(self, request, &headline, line, &tale);
    }
    if (step->next_strategy) /* only now: what was told is of the attempt before */
        choose_next(self, request);
    if (step->changed)
        store_set_request(self->store, request);
    if (!request_state_final(step->from) && request_state_final(step->to))
        end_waiting(self, request);
}

static bool strategy_stands(const struct core *self, const char *name)
{
    for (uint32_t i = 0; i < self->options.strategy_count; i++) {
        if (strcmp(self->options.strategies[i].name, name) == 0)
            return true;
    }
    return false;
}

void step_renew_strategy(struct core *self, struct live *live)
{
    const struct request *request = live_value(live);
    struct request_step step;
    if (request->state != REQUEST_PENDING || strategy_stands(self, request->strategy) || !live_touch(self, live))
        return;
    apply_once(self, live, &(struct request_event){.kind = REQUEST_UNSERVED}, NULL, &step);
}

struct request_step step_apply_report(struct core *self, struct live *live, const struct request_event *event,
                                      const struct feedback *report)
{
    struct request_step step = {.answer = ANSWER_UNAVAILABLE, .why = "memory is short: try again"};
    if (!live_touch(self, live))
        return step;
    apply_once(self, live, event, report, &step);
    /* What was cancelled, or got well by itself, while it ran: as soon as it runs no more. */
    if (live->next->state == REQUEST_PENDING && (live->next->cancel_asked || live->well)) {
        const bool asked = live->next->cancel_asked;
        struct request_step after;
        struct request_event over = {.kind = asked ? REQUEST_CANCEL : REQUEST_RECOVERED, .note = "cancelled while it ran"};
        apply_once(self, live, &over, NULL, &after);
    }
    step_renew_strategy(self, live);
    return step;
}

struct request_step step_apply(struct core *self, struct live *live, const struct request_event *event)
{
    return step_apply_report(self, live, event, NULL);
}

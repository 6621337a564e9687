/* What is to be said once the turn is committed, in the order it was decided. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/requests/core.h"
#include "daemon/requests/failpoint.h"
#include "lib/wire/cloud_event.h"
#include "lib/wire/job.h"

#define PREVIOUS_MAX 16 /* attempts of the past in a job message */

static void news_free(struct news *news)
{
    if (news && news->event)
        cloud_event_drop(news->event);
    free(news);
}

static void effect_free(struct effect *effect)
{
    switch (effect->kind) {
    case EFFECT_REPLY:
        free(effect->reply.text);
        break;
    case EFFECT_UPDATE:
        retrain_update_destroy(&effect->update);
        break;
    case EFFECT_NEWS:
        news_free(effect->news);
        break;
    case EFFECT_ANSWER:
        question_drop(effect->question);
        break;
    case EFFECT_JOB:
    case EFFECT_SILENCES:
        break;
    }
}

/* NULL when memory is short: the turn cannot be committed, and nothing was noted. */
static struct effect *add(struct core *self, struct effect effect)
{
    if (self->effect_count == self->effect_room) {
        size_t room = self->effect_room ? 2 * self->effect_room : 256;
        struct effect *at = reallocarray(self->effects, room, sizeof *at);
        if (!at) {
            core_fail(self, -ENOMEM);
            return NULL;
        }
        self->effects = at;
        self->effect_room = room;
    }
    self->effects[self->effect_count] = effect;
    return &self->effects[self->effect_count++];
}

void effects_job(struct core *self, struct live *live)
{
    add(self, (struct effect){.kind = EFFECT_JOB, .live = live});
}

static void reply(struct core *self, void *sender, const char *json)
{
    failpoint("before_reply");
    self->ports.job.reply(self->ports.job.argument, sender, json, strlen(json));
    failpoint("after_reply");
}

/* A port is owed exactly one reply for each message: without memory it is made here and now. */
void effects_reply(struct core *self, void *sender, char *text, bool stands)
{
    struct effect effect = {.kind = EFFECT_REPLY, .stands = stands, .reply = {.sender = sender, .text = text}};
    if (text && add(self, effect))
        return;
    if (!text)
        core_fail(self, -ENOMEM);
    free(text);
    reply(self, sender, "{\"ok\":false,\"error\":\"unavailable\",\"message\":\"memory is short: try again\"}");
}

void effects_answer_now(struct question *question)
{
    struct letter letter = {.kind = LETTER_ANSWER, .body = question, .drop = question_drop};
    if (!question->answer)
        question->answer = strdup("{\"ok\":false,\"error\":\"unavailable\",\"message\":\"memory is short: try again\"}");
    if (!question->reply_to || inbox_put(question->reply_to, letter) < 0)
        question_drop(question);
}

void effects_answer(struct core *self, struct question *question)
{
    if (!add(self, (struct effect){.kind = EFFECT_ANSWER, .question = question}))
        effects_answer_now(question);
}

void effects_update(struct core *self, struct retrain_update *update)
{
    struct effect effect = {.kind = EFFECT_UPDATE, .update = update};
    if (!add(self, effect))
        effect_free(&effect);
}

void effects_silences(struct core *self)
{
    self->silences_differ = true;
    add(self, (struct effect){.kind = EFFECT_SILENCES});
}

static struct cloud_event *make_event(struct core *self, const struct cloud_event_head *head, struct text data)
{
    struct json_write *out = &self->event;
    if (!data.at)
        return NULL;
    json_write_clear(out);
    cloud_event_open(out, head);
    json_write_raw(out, data);
    json_write_bracket(out, '}');
    struct text json = json_write_whole(out);
    return cloud_event_new(head->type, head->subject, head->of_model, json.at, json.len);
}

static struct news *make_news(const struct request *request, const char *why)
{
    size_t id = strlen(request->id) + 1, model = strlen(request->model) + 1, reason = strlen(why) + 1;
    struct news *news = malloc(sizeof *news + id + model + reason);
    if (!news)
        return NULL;
    memcpy(news->texts, request->id, id);
    news->model = memcpy(news->texts + id, request->model, model);
    news->why = memcpy(news->texts + id + model, why, reason);
    return news;
}

void effects_news(struct core *self, const char *type, const char *id, const struct request *request,
                  const char *sentence, bool warning, const char *why, struct text data)
{
    struct news *news = make_news(request, why);
    if (news) {
        struct cloud_event_head head = {.type = type,
                                        .source = self->options.source,
                                        .id = id,
                                        .subject = request->model,
                                        .of_model = true,
                                        .time_s = self->now.wall_s};
        news->sentence = sentence;
        news->warning = warning;
        news->event = type ? make_event(self, &head, data) : NULL;
    }
    struct effect effect = {.kind = EFFECT_NEWS, .news = news};
    if (!news || (type && !news->event) || !add(self, effect)) {
        core_fail(self, -ENOMEM);
        news_free(news);
    }
}

/* To observers; the log is the caller's. */
static void publish_alarm(struct core *self, const char *kind, bool raised, const char *message)
{
    char id[64];
    struct json_write *data = &self->data;
    json_write_clear(data);
    snprintf(id, sizeof id, "alarm/%.3f/%llu", self->now.wall_s, (unsigned long long)++self->alarms);
    struct cloud_event_head head = {
        .type = "driftd.alarm", .source = self->options.source, .id = id, .time_s = self->now.wall_s};
    json_write_bracket(data, '{');
    json_write_key(data, "alarm");
    json_write_string(data, kind);
    json_write_key(data, "raised");
    json_write_bool(data, raised);
    json_write_key(data, "message");
    json_write_string(data, message);
    json_write_bracket(data, '}');
    struct cloud_event *event = make_event(self, &head, json_write_whole(data));
    if (event)
        self->ports.event(self->ports.argument, event);
}

static void log_alarm(bool raised, const char *sentence, const struct log_field *fields, unsigned count)
{
    log_write(raised ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, sentence, fields, count);
}

void effects_alarm(struct core *self, const char *kind, bool raised, const char *message)
{
    log_alarm(raised, message, (const struct log_field[]){LOG_TEXT("alarm", kind)}, 1);
    publish_alarm(self, kind, raised, message);
}

void effects_store_alarm(struct core *self, const char *kind, bool raised, const char *sentence, const char *why)
{
    const char *file = store_file(self->store);
    char message[2 * STORE_WHY_MAX];
    log_alarm(raised, sentence,
              (const struct log_field[]){LOG_TEXT("alarm", kind), LOG_TEXT("file", file), LOG_TEXT("why", why)},
              why ? 3 : 2);
    snprintf(message, sizeof message, "%s: %s%s%s", file, sentence, why ? ": " : "", why ? why : "");
    publish_alarm(self, kind, raised, message);
}

/* -- jobs ------------------------------------------------------------------------------------------------------------ */

struct past {
    struct job_previous rows[PREVIOUS_MAX];
    char texts[PREVIOUS_MAX][REQUEST_ID_LEN + 1 + STRATEGY_NAME_MAX + 1];
    uint32_t count;
};

/* They come newest first, and are told oldest first. */
static void take_past(void *argument, const struct store_outcome *outcome)
{
    struct past *past = argument;
    if (past->count == PREVIOUS_MAX)
        return;
    uint32_t at = PREVIOUS_MAX - ++past->count;
    char *request = past->texts[at], *strategy = request + REQUEST_ID_LEN + 1;
    text_put(request, REQUEST_ID_LEN + 1, outcome->request);
    text_put(strategy, STRATEGY_NAME_MAX + 1, outcome->strategy);
    past->rows[at] = (struct job_previous){.request = request,
                                           .strategy = strategy,
                                           .outcome = attempt_outcome_name(outcome->outcome),
                                           .gain = isnan(outcome->measured) ? outcome->gain : outcome->measured,
                                           .gpu_hours = outcome->gpu_hours};
}

static char *make_job(struct core *self, const struct request *request)
{
    const struct requests_options *options = &self->options;
    struct job job = {.source = options->source,
                      .time_s = self->now.wall_s,
                      .created_s = request->created.wall_s,
                      .request = request->id,
                      .attempt = request->attempt,
                      .strategy = request->strategy,
                      .strategy_reason = request->strategy_reason,
                      .parameters_json = "{}",
                      .accept_within_ns = options->accept_within_ns,
                      .lease_ns = options->lease_ns,
                      .trigger_json = request->trigger_json,
                      .metrics_json = request->metrics_json};
    struct past *past = calloc(1, sizeof *past);
    if (!past || model_id_parse(&job.model, text_of(request->model)) < 0 ||
        store_each_outcome(self->store, step_family(request->model), PREVIOUS_MAX, take_past, past) < 0) {
        free(past);
        return NULL;
    }
    job.previous = past->rows + PREVIOUS_MAX - past->count;
    job.previous_count = past->count;
    for (uint32_t i = 0; i < options->strategy_count; i++) {
        if (strcmp(options->strategies[i].name, request->strategy) == 0 && options->strategies[i].parameters_json)
            job.parameters_json = options->strategies[i].parameters_json;
    }
    char *text = job_text(&job);
    free(past);
    return text;
}

/* What cannot be said now, be it for want of memory, goes back to wait: the next turn records it. */
static void send_job(struct core *self, struct live *live)
{
    struct job_port *port = &self->ports.job;
    char *text = make_job(self, &live->now);
    failpoint("before_send");
    struct outlet *outlet = &self->outlets[live->item.outlet];
    bool sent = text && port->send(port->argument, live->item.outlet, text, strlen(text)) == 0;
    failpoint("after_send");
    free(text);
    outlet->sent_now += sent;
    outlet->refused_now += !sent;
    if (sent && self->rules.feedback_required)
        return;
    live->sent = sent ? SENT_HANDED : SENT_NOT_TAKEN;
    live->next_sent = self->sent;
    self->sent = live;
    self->again = true;
}

static void tell(struct core *self, struct news *news)
{
    log_write(news->warning ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, news->sentence,
              (const struct log_field[]){LOG_TEXT("request", news->texts), LOG_TEXT("model", news->model),
                                         LOG_TEXT("why", news->why)},
              3);
    if (news->event)
        self->ports.event(self->ports.argument, news->event);
    free(news);
}

/* As many offers a transaction as trainers were seen to take at once. */
static void adapt_bursts(struct core *self)
{
    for (uint32_t i = 0; i < self->ports.job.outlets; i++) {
        struct outlet *outlet = &self->outlets[i];
        if (outlet->refused_now) {
            outlet->burst = 1;
            outlet->offer_ns = self->now.steady_ns + CORE_REFUSED_NS;
            self->closed[i] = true;
        } else if (outlet->sent_now == outlet->burst && outlet->burst < CORE_BURST_MAX) {
            outlet->burst *= 2;
        }
        outlet->sent_now = outlet->refused_now = 0;
    }
}

void effects_act(struct core *self)
{
    for (size_t i = 0; i < self->effect_count; i++) {
        struct effect *effect = &self->effects[i];
        switch (effect->kind) {
        case EFFECT_JOB:
            send_job(self, effect->live);
            break;
        case EFFECT_REPLY:
            reply(self, effect->reply.sender, effect->reply.text);
            free(effect->reply.text);
            break;
        case EFFECT_UPDATE:
            self->ports.update(self->ports.argument, effect->update);
            break;
        case EFFECT_NEWS:
            tell(self, effect->news);
            break;
        case EFFECT_ANSWER:
            effects_answer_now(effect->question);
            break;
        case EFFECT_SILENCES:
            if (!silences_tell(self))
                self->ended = true; /* it starts anew from the store */
            break;
        }
    }
    self->effect_count = 0;
    adapt_bursts(self);
}

void effects_undo(struct core *self)
{
    static const char unavailable[] = "{\"ok\":false,\"error\":\"unavailable\","
                                      "\"message\":\"the store cannot be written now: try again\"}";
    for (size_t i = 0; i < self->effect_count; i++) {
        struct effect *effect = &self->effects[i];
        switch (effect->kind) {
        case EFFECT_REPLY:
            reply(self, effect->reply.sender, effect->stands ? effect->reply.text : unavailable);
            effect_free(effect);
            break;
        case EFFECT_ANSWER:
            free(effect->question->answer);
            effect->question->answer = strdup(unavailable);
            effects_answer_now(effect->question);
            break;
        case EFFECT_JOB:
        case EFFECT_UPDATE:
        case EFFECT_NEWS:
        case EFFECT_SILENCES:
            effect_free(effect);
            break;
        }
    }
    self->effect_count = 0;
}

/* How a reload went: to who asked, observers, the status and the log. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/base/notify.h"
#include "daemon/engine/inside.h"
#include "lib/wire/cloud_event.h"

#define REFUSED "the configuration was read again and refused"
#define HALF_DONE "the configuration is in force, but an endpoint could not be bound; the next reload tries again"
#define ERRORS_TOLD 20 /* in the log, the status and the event; who asked gets all */

static json_t *first_of(const json_t *errors)
{
    json_t *list = json_array();
    size_t count = json_array_size(errors);
    char more[64];
    for (size_t i = 0; i < count && i < ERRORS_TOLD; i++)
        json_array_append(list, json_array_get(errors, i));
    snprintf(more, sizeof more, "and %zu mistakes more", count - ERRORS_TOLD);
    if (count > ERRORS_TOLD)
        json_array_append_new(list, json_string(more));
    return list;
}

static void keep_status(struct engine *self, struct now now)
{
    struct reload *reload = &self->reload;
    pthread_mutex_lock(&reload->mutex);
    reload->refused = reload->errors && json_array_size(reload->errors) > 0;
    clock_text(now.wall_s, reload->at);
    json_decref(reload->told);
    reload->told = first_of(reload->errors);
    pthread_mutex_unlock(&reload->mutex);
}

json_t *engine_reload_status(struct engine *self)
{
    struct reload *reload = &self->reload;
    pthread_mutex_lock(&reload->mutex);
    json_t *status =
        json_pack("{s:b, s:s?, s:o}", "ok", (int)!reload->refused, "at", *reload->at ? reload->at : NULL, "errors",
                  json_deep_copy(reload->told));
    pthread_mutex_unlock(&reload->mutex);
    return status;
}

/* What the caller gets, and observers but for the members ok, error and message. */
static json_t *figures(struct engine *self, struct now now)
{
    struct reload *reload = &self->reload;
    json_t *warnings = reload->refused ? NULL : engine_warnings(self);
    return json_pack("{s:b, s:I, s:I, s:I, s:f, s:o*}", "ok", (int)!reload->refused, "models",
                     (json_int_t)workers_models(self->workers), "changed", (json_int_t)atomic_load(&reload->changed),
                     "budgets", (json_int_t)engine_budget_count(self->config), "took_s",
                     (double)(now.steady_ns - reload->began.steady_ns) / 1e9, "warnings", warnings);
}

static void send_event(struct engine *self, const json_t *answer, struct now now)
{
    char id[64];
    snprintf(id, sizeof id, "reload/%" PRIx64 "/%" PRIu64, (uint64_t)self->started.steady_ns, self->reload.count);
    struct cloud_event_head head = {
        .type = "driftd.reload", .source = self->source, .id = id, .time_s = now.wall_s};
    json_t *data = json_copy((json_t *)(uintptr_t)answer);
    if (data)
        json_object_set(data, "errors", self->reload.told);
    char *text = data ? json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    char *json = text ? cloud_event_text(&head, text_of(text)) : NULL;
    struct cloud_event *event = cloud_event_new(head.type, NULL, false, json, json ? strlen(json) : 0);
    if (event)
        observe_put(self->observe, event);
    free(json);
    free(text);
    json_decref(data);
}

static void log_result(struct engine *self, double took_s)
{
    const struct reload *reload = &self->reload;
    if (!reload->refused) {
        log_info("the configuration was read again and is in force", LOG_TEXT("config", self->files.file),
                 LOG_NUMBER("budgets", engine_budget_count(self->config)),
                 LOG_NUMBER("models", workers_models(self->workers)),
                 LOG_NUMBER("changed", atomic_load(&reload->changed)), LOG_NUMBER("took_s", took_s));
        engine_warn(self);
        return;
    }
    log_error(reload->in_force ? HALF_DONE : REFUSED "; the one before stays in force: mend it and reload",
              LOG_TEXT("config", self->files.file), LOG_NUMBER("mistakes", json_array_size(reload->errors)));
    for (size_t i = 0; i < json_array_size(reload->told); i++)
        log_error(json_string_value(json_array_get(reload->told, i)));
}

void engine_reload_reply(struct question *question, const char *text)
{
    question->answer = text ? strdup(text) : NULL;
    struct letter letter = {.kind = LETTER_ANSWER, .body = question, .drop = question_drop};
    if (inbox_put(question->reply_to, letter) < 0)
        question_drop(question);
}

static void add_refusal(const struct reload *reload, json_t *answer)
{
    size_t count = json_array_size(reload->errors);
    const char *first = json_string_value(json_array_get(reload->errors, 0));
    const char *how = reload->in_force ? HALF_DONE : "refused, the configuration before stays in force";
    char *message = NULL;
    int length = count > 1 ? asprintf(&message, "%s: %s (and %zu more)", how, first ? first : "", count - 1)
                           : asprintf(&message, "%s: %s", how, first ? first : "");
    json_object_set_new(answer, "error", json_string(reload->code));
    json_object_set_new(answer, "message", json_string(length < 0 ? "refused" : message));
    json_object_set(answer, "errors", reload->errors);
    if (length >= 0)
        free(message);
}

void engine_reload_tell(struct engine *self)
{
    struct reload *reload = &self->reload;
    struct now now = clock_now();
    reload->count++;
    keep_status(self, now);
    json_t *answer = figures(self, now);
    send_event(self, answer, now);
    log_result(self, (double)(now.steady_ns - reload->began.steady_ns) / 1e9);
    notify_ready();
    if (reload->refused)
        add_refusal(reload, answer);
    char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    for (uint32_t i = 0; i < reload->asker_count; i++)
        engine_reload_reply(reload->askers[i], text);
    reload->asker_count = 0;
    free(text);
    json_decref(answer);
    json_decref(reload->errors);
    reload->errors = NULL;
}

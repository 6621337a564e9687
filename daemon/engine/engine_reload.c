/* The configuration read again while the daemon runs.
 *
 * A thread of its own reads the files, checks them, and works out the settings of every model that is known, thresholds
 * included: that may take long, and the main loop has a watchdog to feed. What it made is then put into force at once: new
 * models get the new settings, and each station is sent a letter and takes the rest over between two frames or two
 * commits. When the last of them has let go of the old configuration it is freed, and who asked is answered. Whoever asks
 * while one is under way is answered by the next. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/base/notify.h"
#include "daemon/engine/inside.h"
#include "lib/config/print.h"
#include "lib/wire/cloud_event.h"

#define REFUSED "the configuration was read again and refused"
#define HALF_DONE "the configuration is in force, but an endpoint could not be bound; the next reload tries again"
#define ERRORS_TOLD 20 /* in the log, the status and the event; who asked gets all */

void engine_reload_init(struct engine *self)
{
    pthread_mutex_init(&self->reload.mutex, NULL);
    self->reload.told = json_array();
    self->reload.max_message_bytes = self->config->metrics.max_message_bytes;
}

/* --- in the thread: reading, checking, working out --- */

static void add_error(void *argument, const char *line)
{
    struct reload *reload = argument;
    json_t *text = json_string(line);
    json_array_append_new(reload->errors, text ? text : json_string("a mistake that is no UTF-8"));
}

/* What sockets, threads and files were made of. */
static const char *const fixed[] = {"metrics.bind",     "metrics.connect", "metrics.queue",  "jobs.bind",
                                    "jobs.feedback",    "feedback.bind",   "events.bind",    "control.bind",
                                    "http.listen",      "http.hosts",      "workers",        "state.dir",
                                    "state.checkpoint", "log.format",      "security.curve", "projects"};

static void refuse(struct reload *reload, const char *key, const char *sentence)
{
    struct config_place place;
    char *line = NULL;
    int length;
    if (config_place_of(reload->next, key, &place))
        length = asprintf(&line, "%s:%" PRIu32 ":%" PRIu32 ": %s: %s", place.file, place.line, place.column, key,
                          sentence);
    else
        length = asprintf(&line, "%s: %s", key, sentence);
    reload->code = "needs_restart";
    add_error(reload, length < 0 ? key : line);
    if (length >= 0)
        free(line);
}

static void check_fixed(struct engine *self)
{
    struct reload *reload = &self->reload;
    char sentence[1024];
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        char *was = config_value(self->config, fixed[i]), *is = config_value(reload->next, fixed[i]);
        if (was && is && strcmp(was, is) != 0) {
            snprintf(sentence, sizeof sentence, "a change from %.400s to %.400s needs a restart", was, is);
            refuse(reload, fixed[i], sentence);
        }
        free(was);
        free(is);
    }
    if (reload->next->metrics.max_message_bytes / INGEST_FRAME_FACTOR > reload->max_message_bytes) {
        snprintf(sentence, sizeof sentence,
                 "a change to more than %d times the %" PRIu64 " bytes of the start needs a restart",
                 INGEST_FRAME_FACTOR, reload->max_message_bytes);
        refuse(reload, "metrics.max_message", sentence);
    }
}

/* The names as they are now. */
static struct roll copy_roll(struct engine *self)
{
    pthread_mutex_lock(&self->settings_mutex);
    struct roll copy = {.at = self->roll.len ? malloc(self->roll.len) : NULL, .len = self->roll.len};
    if (copy.at)
        memcpy(copy.at, self->roll.at, copy.len);
    config_inherit(self->reload.next, self->config);
    pthread_mutex_unlock(&self->settings_mutex);
    return copy;
}

/* Settings of all models that are known: once the new configuration is in force each of them will only be looked up. */
static int work_out(struct engine *self)
{
    struct roll roll = copy_roll(self);
    int rc = roll.at || roll.len == 0 ? 0 : -ENOMEM;
    for (size_t at = 0; rc == 0 && at < roll.len && !atomic_load(&self->reload.cancelled);
         at += strlen(roll.at + at) + 1) {
        struct model_id id;
        const struct monitor_settings *settings;
        if (model_id_parse(&id, text_of(roll.at + at)) == 0)
            rc = config_settings_for(self->reload.next, &id, &settings);
    }
    config_inherit(self->reload.next, NULL);
    roll_clear(&roll);
    return rc;
}

static void *build(void *argument)
{
    struct engine *self = argument;
    struct reload *reload = &self->reload;
    if (engine_load(&reload->next, &self->files, false, add_error, reload) == 0) {
        check_fixed(self);
        if (json_array_size(reload->errors) == 0 && work_out(self) < 0)
            add_error(reload, "there is no memory for the settings of all models");
    }
    while (inbox_put(self->inbox, (struct letter){.kind = LETTER_BUILT}) < 0 && !atomic_load(&reload->cancelled))
        ; /* a few bytes, which somebody is about to give back */
    return NULL;
}

/* --- telling how it went --- */

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

bool engine_reload_ok(struct engine *self)
{
    pthread_mutex_lock(&self->reload.mutex);
    bool ok = !self->reload.refused;
    pthread_mutex_unlock(&self->reload.mutex);
    return ok;
}

/* What the caller gets, and observers but for the members ok, error and message. */
static json_t *figures(struct engine *self, struct now now)
{
    struct reload *reload = &self->reload;
    json_t *warnings = reload->refused ? NULL : engine_security_warnings(self);
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
        if (!self->config->has_budgets)
            log_warning("no budgets are configured: models are shown, none is judged");
        engine_security_warn(self);
        return;
    }
    log_error(reload->in_force ? HALF_DONE : REFUSED "; the one before stays in force: mend it and reload",
              LOG_TEXT("config", self->files.file), LOG_NUMBER("mistakes", json_array_size(reload->errors)));
    for (size_t i = 0; i < json_array_size(reload->told); i++)
        log_error(json_string_value(json_array_get(reload->told, i)));
}

static void reply(struct question *question, const char *text)
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

static void begin(struct engine *self);

/* Tells everybody, and begins with the next one where there is one. */
static void finish(struct engine *self)
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
        reply(reload->askers[i], text);
    reload->asker_count = 0;
    free(text);
    json_decref(answer);
    json_decref(reload->errors);
    reload->errors = NULL;
    if (reload->again)
        begin(self);
}

/* --- the main thread's part --- */

static void begin(struct engine *self)
{
    struct reload *reload = &self->reload;
    memcpy(reload->askers, reload->waiting, sizeof reload->askers);
    reload->asker_count = reload->waiting_count;
    reload->waiting_count = 0;
    reload->again = false;
    reload->began = clock_now();
    reload->code = "configuration";
    reload->in_force = false;
    reload->errors = json_array();
    atomic_store(&reload->changed, 0);
    notify_reloading();
    reload->building = reload->errors && pthread_create(&reload->thread, NULL, build, self) == 0;
    if (reload->building) {
        pthread_setname_np(reload->thread, "reload");
        return;
    }
    reload->code = "no_memory";
    if (reload->errors)
        add_error(reload, "there is no memory, or no thread, to read the configuration with");
    finish(self);
}

void engine_reload(struct engine *self, struct question *asker)
{
    struct reload *reload = &self->reload;
    if (asker && reload->waiting_count == RELOAD_ASKERS_MAX) {
        reply(asker, "{\"ok\":false,\"error\":\"busy\",\"message\":\"too many wait for a reload; ask again\"}");
        return;
    }
    if (asker)
        reload->waiting[reload->waiting_count++] = asker;
    reload->again = true;
    if (!reload->building && reload->awaited == 0)
        begin(self);
}

static bool send_renewal(struct inbox *inbox, void *body)
{
    struct letter letter = {.kind = LETTER_RENEW, .body = body, .drop = free};
    return body && inbox_put(inbox, letter) == 0;
}

/* Whom there is no memory to tell cannot let go of the old configuration: the daemon could not either. */
static bool tell_stations(struct engine *self)
{
    struct reload *reload = &self->reload;
    const struct config *config = self->config;
    uint32_t shards = workers_shards(self->workers);
    bool told = true;
    for (uint32_t i = 0; i < shards && told; i++) {
        struct shard_renewal *renewal = malloc(sizeof *renewal);
        if (renewal)
            *renewal = (struct shard_renewal){.max_message_bytes = config->metrics.max_message_bytes,
                                              .max_future_s = (double)config->metrics.max_future_ns / 1e9,
                                              .max_models = config->metrics.max_models,
                                              .keep_ns = config->state.keep_ns,
                                              .reply_to = self->inbox,
                                              .changed = &reload->changed};
        told = send_renewal(workers_inbox(self->workers, i), renewal);
        reload->awaited += told;
    }
    struct requests_renewal *renewal = malloc(sizeof *renewal);
    reload->projects = calloc(config->retraining.project_count + 1, sizeof *reload->projects);
    if (!told || !renewal || !reload->projects) {
        free(renewal);
        return false;
    }
    *renewal = (struct requests_renewal){.options = engine_requests_options(self, config, reload->projects),
                                         .doors = &reload->doors.jobs,
                                         .reply_to = self->inbox};
    told = engine_doors_tell(self, &reload->revoked);
    if (!told) {
        free(renewal);
        return false;
    }
    told = send_renewal(requests_inbox(self->requests), renewal);
    reload->awaited += told;
    return told;
}

/* The last that can be wrong: keys. Who may connect holds at once for every message, also on connections of before. */
static void take_keys(struct engine *self)
{
    struct reload *reload = &self->reload;
    reload->revoked.count = 0;
    if (json_array_size(reload->errors) > 0 ||
        engine_security_keys(&reload->doors.keys, reload->next, add_error, reload) < 0 || !self->keyring)
        return;
    if (engine_security_replace(self, reload->next, add_error, reload, &reload->revoked) < 0 &&
        json_array_size(reload->errors) == 0)
        add_error(reload, "security.clients: the table stays as it was");
    bool cut = false;
    for (uint32_t i = 0; i < reload->revoked.count; i++)
        cut = cut || reload->revoked.at[i].revoked;
    if (cut)
        log_info("keys of trainers or observers were taken away: the connections of their sockets are cut, and whoever "
                 "still may comes back by himself");
}

void engine_reload_built(struct engine *self)
{
    struct reload *reload = &self->reload;
    pthread_join(reload->thread, NULL);
    reload->building = false;
    take_keys(self);
    if (json_array_size(reload->errors) > 0) {
        explicit_bzero(&reload->doors, sizeof reload->doors);
        config_destroy(&reload->next);
        finish(self);
        return;
    }
    pthread_mutex_lock(&self->settings_mutex);
    reload->old = self->config;
    self->config = reload->next;
    reload->next = NULL;
    reload->in_force = true;
    roll_clear(&self->roll); /* everybody is asked for again */
    pthread_mutex_unlock(&self->settings_mutex);
    engine_set_log_level(self->config);
    engine_memory_renew(self);
    if (!tell_stations(self)) {
        reload->half = true;
        log_error("there is no memory to tell all stations of the new configuration; start the daemon again");
        inbox_put(self->inbox, (struct letter){.kind = LETTER_ALARM});
    }
}

void engine_reload_renewed(struct engine *self)
{
    struct reload *reload = &self->reload;
    if (--reload->awaited > 0 || reload->half)
        return;
    config_destroy(&reload->old);
    free(reload->projects);
    reload->projects = NULL;
    reload->code = "endpoint";
    engine_doors_told(self, add_error, reload);
    finish(self);
}

void engine_reload_end(struct engine *self)
{
    struct reload *reload = &self->reload;
    atomic_store(&reload->cancelled, true);
    if (reload->building)
        pthread_join(reload->thread, NULL);
    for (uint32_t i = 0; i < reload->asker_count; i++)
        question_drop(reload->askers[i]);
    for (uint32_t i = 0; i < reload->waiting_count; i++)
        question_drop(reload->waiting[i]);
    config_destroy(&reload->next);
    config_destroy(&reload->old);
    explicit_bzero(&reload->doors, sizeof reload->doors);
    free(reload->projects);
    json_decref(reload->errors);
    json_decref(reload->told);
    pthread_mutex_destroy(&reload->mutex);
}

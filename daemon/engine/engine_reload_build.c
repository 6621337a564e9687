/* A reload's thread: reads the files, checks them, and works out the settings of every model that is known. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/engine/inside.h"
#include "lib/config/print.h"

void engine_reload_error(void *argument, const char *line)
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
    engine_reload_error(reload, length < 0 ? key : line);
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

void *engine_reload_build(void *argument)
{
    struct engine *self = argument;
    struct reload *reload = &self->reload;
    if (engine_load(&reload->next, &self->files, false, engine_reload_error, reload) == 0) {
        check_fixed(self);
        if (json_array_size(reload->errors) == 0 && work_out(self) < 0)
            engine_reload_error(reload, "there is no memory for the settings of all models");
    }
    while (inbox_put(self->inbox, (struct letter){.kind = LETTER_BUILT}) < 0 && !atomic_load(&reload->cancelled))
        ; /* a few bytes, which somebody is about to give back */
    return NULL;
}

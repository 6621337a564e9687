/* The configuration read again while the daemon runs.
 *
 * A thread of its own reads the files, checks them, and works out the settings of every model that is known, thresholds
 * included: that may take long, and the main loop has a watchdog to feed. What it made is then put into force at once: new
 * models get the new settings, and each station is sent a letter and takes the rest over between two frames or two
 * commits. When the last of them has let go of the old configuration it is freed, and who asked is answered. Whoever asks
 * while one is under way is answered by the next. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/base/notify.h"
#include "daemon/engine/inside.h"

void engine_reload_init(struct engine *self)
{
    pthread_mutex_init(&self->reload.mutex, NULL);
    self->reload.told = json_array();
    self->reload.max_message_bytes = self->config->metrics.max_message_bytes;
}

static void begin(struct engine *self);

/* Begins with the next one where there is one. */
static void finish(struct engine *self)
{
    engine_reload_tell(self);
    if (self->reload.again)
        begin(self);
}

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
    reload->building = reload->errors && pthread_create(&reload->thread, NULL, engine_reload_build, self) == 0;
    if (reload->building) {
        pthread_setname_np(reload->thread, "reload");
        return;
    }
    reload->code = "no_memory";
    if (reload->errors)
        engine_reload_error(reload, "there is no memory, or no thread, to read the configuration with");
    finish(self);
}

void engine_reload(struct engine *self, struct question *asker)
{
    struct reload *reload = &self->reload;
    if (asker && reload->waiting_count == RELOAD_ASKERS_MAX) {
        engine_reload_reply(asker, "{\"ok\":false,\"error\":\"busy\",\"message\":\"too many wait for a reload; ask again\"}");
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
        engine_security_keys(&reload->doors.keys, reload->next, engine_reload_error, reload) < 0 || !self->keyring)
        return;
    if (engine_security_replace(self, reload->next, engine_reload_error, reload, &reload->revoked) < 0 &&
        json_array_size(reload->errors) == 0)
        engine_reload_error(reload, "security.clients: the table stays as it was");
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
    engine_doors_told(self, engine_reload_error, reload);
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

#include "daemon/base/log.h"
#include "daemon/workers/shard_inside.h"

/* A model that the store knows and that has not been heard since the start gets its place here, so that its back-off
 * holds from its first event on. */
void shard_update(struct shard *self, const struct retrain_update *update, struct now now)
{
    struct model_id id;
    if (*update->shows) {
        shard_shows(self, update);
        return;
    }
    if (model_id_parse(&id, text_of(update->model)) < 0) {
        log_warning("an update names no model; it is passed over", LOG_TEXT("model", update->model));
        return;
    }
    uint64_t hash = siphash13(&self->options.key, id.whole.at, id.whole.len);
    if (update->replaced) {
        struct model *replaced = models_find(self->models, hash, id.whole);
        if (replaced)
            replaced->replaced = true;
        return;
    }
    int why = 0;
    struct model *model = update->gone ? models_find(self->models, hash, id.whole)
                                       : shard_model(self, hash, &id, now.steady_ns, &why);
    if (!model && update->gone)
        return;
    if (!model) {
        log_warning("no room for a model that has a request; its back-off is not kept",
                    LOG_TEXT("model", update->model), LOG_NUMBER("max_models", self->options.max_models));
        return;
    }
    model->live = update->live;
    model->unrecoverable = update->unrecoverable;
    model->episode = update->episode;
    model->told = true;
    model->triggered_ns = update->triggered_ns;
    model->ended_ns = update->ended_ns;
    if (update->triggered_ns != retrain_never_ns())
        monitor_triggered_at(model->monitor, update->triggered_ns);
    monitor_request_live(model->monitor, update->live, update->live ? update->triggered_ns : update->ended_ns);
    tape_update(self, model, now);
}

/* A shard takes over other settings, model by model, between frames. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/workers/shard_inside.h"

#define RENEW_SLICE 64 /* models a turn: some tens of microseconds */

void shard_renew(struct shard *self, struct shard_renewal *renewal)
{
    free(self->renewal);
    self->renewal = renewal;
    self->renewed = 0;
    self->options.max_message_bytes = renewal->max_message_bytes;
    self->options.max_models = renewal->max_models;
    self->options.keep_ns = renewal->keep_ns;
    metric_decoder_allow(self->decoder, renewal->max_future_s);
}

/* False: no memory; the model goes on with what it has, and is asked for again in the next turn. */
static bool renew_model(struct shard *self, struct model *model)
{
    const struct monitor_settings *settings, *before = monitor_settings_of(model->monitor);
    const uint32_t metrics = monitor_metric_count(model->monitor);
    const struct model_id id = model_id_of(model);
    if (self->ports.settings(self->ports.argument, &id, &settings) < 0)
        return false;
    bool same = monitor_settings_same(before, settings);
    const int64_t had = shard_bytes_of(model);
    int rc = monitor_change(&model->monitor, settings);
    if (rc == -ENOMEM)
        return false;
    if (rc < 0) {
        log_error("a model cannot be judged by its new settings, and goes on with those it had", LOG_TEXT("model", model->text));
        return true;
    }
    model_renewed(model);
    if (self->options.ceiling) /* who changes the settings means it */
        ceiling_count(self->options.ceiling, shard_bytes_of(model) - had);
    if (monitor_metric_count(model->monitor) < metrics) /* rows began anew: tracks stand in their order */
        recorder_clear(&model->recorder);
    if (!same)
        atomic_fetch_add_explicit(self->renewal->changed, 1, memory_order_relaxed);
    return true;
}

bool shard_renewing(struct shard *self)
{
    if (!self->renewal)
        return false;
    const uint32_t count = models_count(self->models);
    for (uint32_t i = 0; i < RENEW_SLICE && self->renewed < count; i++, self->renewed++)
        if (!renew_model(self, models_at(self->models, self->renewed)))
            return true;
    if (self->renewed < count)
        return true;
    models_all_due(self->models); /* they may fall silent sooner now */
    struct letter letter = {.kind = LETTER_RENEWED};
    if (inbox_put(self->renewal->reply_to, letter) < 0)
        return true;
    free(self->renewal);
    self->renewal = NULL;
    return false;
}

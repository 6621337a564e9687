/* Which models a person keeps from triggering. Their keeper of requests sends the whole list whenever it changes. */
#include <stdlib.h>

#include "daemon/workers/shard_inside.h"

#define SILENCE_SLICE 4096 /* models in one turn: a few hundred microseconds with some patterns */

void shard_silence_model(struct shard *self, struct model *model)
{
    const struct model_id id = model_id_of(model);
    int64_t until_ns = silences_until_ns(self->silences, &id);
    if (until_ns == model->silenced_ns)
        return;
    model->silenced_ns = until_ns;
    monitor_hold(model->monitor, until_ns);
}

void shard_silences(struct shard *self, struct silences *silences)
{
    free(self->silences);
    self->silences = silences;
    self->silences_at = 0;
}

bool shard_silence_more(struct shard *self)
{
    uint32_t count = models_count(self->models);
    for (uint32_t i = 0; i < SILENCE_SLICE && self->silences_at < count; i++)
        shard_silence_model(self, models_at(self->models, self->silences_at++));
    if (self->silences_at >= count)
        self->silences_at = UINT32_MAX;
    return self->silences_at != UINT32_MAX;
}

/* The frames that a shard is handed, by stages: what costs is waiting for memory. */
#include "daemon/workers/shard_inside.h"
#include "daemon/workers/topic.h"
#include "lib/lines.h"

void shard_prefetch_monitors(const struct monitor *monitors[FRAME_BATCH_MAX], uint32_t count)
{
    for (unsigned step = 0; step < MONITOR_PREFETCH_STEPS && count > 0; step++) {
        uint32_t left = 0;
        for (uint32_t i = 0; i < count; i++) {
            monitors[left] = monitors[i];
            left += monitor_prefetch(monitors[i], step);
        }
        count = left;
    }
}

/* A frame on its way through the stages. */
struct passing {
    struct text about, payload;
    struct model *model; /* as guessed, then as found */
    uint32_t guess;
};

/* Whether a line is asked for twice, or one more than there are, does not matter. */
static inline void prefetch_payload(struct text payload)
{
    __builtin_prefetch(payload.at);
    __builtin_prefetch(payload.at + LINES_BYTES);
    __builtin_prefetch(payload.at + 2 * LINES_BYTES);
    if (payload.len > 3 * LINES_BYTES)
        __builtin_prefetch(payload.at + 3 * LINES_BYTES);
}

static void begin_frame(struct shard *self, struct frame *frame, struct passing *out)
{
    out->payload = (struct text){.at = frame->payload, .len = frame->payload_len};
    out->about = (struct text){0};
    out->guess = 0;
    out->model = NULL;
    prefetch_payload(out->payload);
    if (!frame_is_ours(frame->kind))
        return;
    out->about = topic_about(frame);
    if (frame->kind == FRAME_METRICS)
        out->guess = models_guess(self->models, out->about);
}

/* Who hands frames over without a ring leaves their hash to be made here, where it is mostly not needed. */
static void hash_frame(const struct shard *self, struct frame *frame, struct text about)
{
    if (!frame->hashed)
        frame->hash = frame_is_ours(frame->kind) ? siphash13(&self->options.key, about.at, about.len) : 0;
    frame->hashed = true;
}

static void find_frame(struct shard *self, struct frame *frame, struct passing *passing)
{
    const struct text about = passing->about;
    struct model *model = passing->model = models_known(passing->model, about);
    if (!model)
        hash_frame(self, frame, about);
    if (frame->kind != FRAME_METRICS)
        return;
    if (model) {
        frame->hash = model->hash;
    } else {
        model = passing->model = models_find(self->models, frame->hash, about);
        if (!model)
            return;
        models_learn(self->models, passing->guess, model);
    }
    model_prefetch(model);
    ledger_prefetch(self->ledger, &model->sender);
}

/* By stages, so that the memory of all is on its way before the first is used: what costs is waiting for it. */
void shard_take(struct shard *self, struct frame *frames, uint32_t count, struct now now)
{
    struct passing passing[FRAME_BATCH_MAX];
    const struct monitor *monitors[FRAME_BATCH_MAX];
    uint32_t known = 0;
    tape_begin(self);
    for (uint32_t i = 0; i < count; i++)
        begin_frame(self, &frames[i], &passing[i]);
    for (uint32_t i = 0; i < count; i++) {
        if (frames[i].kind == FRAME_METRICS)
            passing[i].model = models_guessed(self->models, passing[i].guess);
    }
    for (uint32_t i = 0; i < count; i++) {
        find_frame(self, &frames[i], &passing[i]);
        if (passing[i].model)
            monitors[known++] = passing[i].model->monitor;
    }
    shard_prefetch_monitors(monitors, known);
    for (uint32_t i = 0; i < count; i++)
        shard_frame(self, &frames[i], passing[i].payload, passing[i].model, now);
    tape_flush(self);
    atomic_store_explicit(&self->events_seen, self->events, memory_order_relaxed);
}

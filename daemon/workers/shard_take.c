/* The frames that a shard is handed, by stages: what costs is waiting for memory. */
#include "daemon/workers/shard_inside.h"
#include "daemon/workers/stages.h"
#include "daemon/workers/topic.h"
#include "lib/lines.h"

#define APART 1 /* frame: judging one takes about as long as the memory */

/* A frame on its way through the stages. */
struct passing {
    struct text about, payload;
    struct model *model; /* as guessed, then as found */
    uint32_t guess;
    bool asks; /* its monitor has more to ask the memory for */
};

struct taking {
    struct shard *shard;
    struct frame *frames;
    struct now now;
    struct passing passing[FRAME_BATCH_MAX];
};

/* Whether a line is asked for twice, or one more than there are, does not matter. */
static inline void prefetch_payload(struct text payload)
{
    lines_ask(payload.at);
    lines_ask(payload.at + LINES_BYTES);
    lines_ask(payload.at + 2 * LINES_BYTES);
    if (payload.len > 3 * LINES_BYTES)
        lines_ask(payload.at + 3 * LINES_BYTES);
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
}

/* Between some there is nothing to do: what is asked for there is likely to be far away, in tables that grow with the
 * models, and takes longer than one event to come. */
enum stage { BEGIN = 0, GUESSED = 2, FIND = 5, ASK = 7, JUDGE = ASK + MONITOR_PREFETCH_STEPS, STAGES };

static inline void pass(void *context, uint32_t i, uint32_t stage)
{
    struct taking *self = context;
    struct passing *passing = &self->passing[i];
    switch (stage) {
    case BEGIN:
        begin_frame(self->shard, &self->frames[i], passing);
        break;
    case GUESSED:
        if (self->frames[i].kind == FRAME_METRICS)
            passing->model = models_guessed(self->shard->models, passing->guess);
        break;
    case FIND:
        find_frame(self->shard, &self->frames[i], passing);
        passing->asks = passing->model != NULL;
        break;
    case JUDGE:
        shard_frame(self->shard, &self->frames[i], passing->payload, passing->model, self->now);
        break;
    default:
        if (stage >= ASK && passing->asks)
            passing->asks = monitor_prefetch(passing->model->monitor, stage - ASK);
    }
}

void shard_take(struct shard *self, struct frame *frames, uint32_t count, struct now now)
{
    struct taking taking = {.shard = self, .frames = frames, .now = now};
    tape_begin(self);
    stages_run(&taking, count, STAGES, APART, pass);
    tape_flush(self);
    atomic_store_explicit(&self->events_seen, self->events, memory_order_relaxed);
}

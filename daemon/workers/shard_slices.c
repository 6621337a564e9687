/* How a shard writes its models down for a checkpoint, a little in each turn, and takes them back at the start. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/workers/model_record.h"
#include "daemon/workers/shard_inside.h"

/* What one turn may take: copying so many bytes costs some ten microseconds; looking at a model that has not changed is a
 * miss of the cache. A model larger than this takes a turn by itself. */
#define TURN_BYTES 16384
#define TURN_LOOKED 256

/* Writes one model down. False: the slice is full, and the model's turn is in the next one. */
static bool put(struct slice *slice, struct model *model)
{
    if (slice->room - slice->used < SLICE_HEAD)
        return false;
    size_t room = slice->room - slice->used - SLICE_HEAD;
    size_t needed = model_record_save(model, slice->bytes + slice->used + SLICE_HEAD, room);
    if (needed > room && slice->used > 0)
        return false;
    if (needed > room) {
        uint8_t *larger = needed < UINT32_MAX ? realloc(slice->bytes, needed + SLICE_HEAD) : NULL;
        if (!larger) {
            slice->left_out++;
            return true;
        }
        slice->bytes = larger;
        slice->room = needed + SLICE_HEAD;
        model_record_save(model, slice->bytes + SLICE_HEAD, needed);
    }
    for (unsigned i = 0; i < SLICE_HEAD; i++)
        slice->bytes[slice->used + i] = (uint8_t)(i < 4 ? needed >> (8 * i) : 0);
    slice->used += SLICE_HEAD + needed;
    slice->models++;
    model->changed = false;
    return true;
}

/* Goes on until the slice is full, the models are all, or so much is done. True: the slice is finished. */
static bool fill(struct shard *self, struct slice *slice, size_t bytes, uint32_t looked)
{
    const size_t until = bytes < SIZE_MAX - slice->used ? slice->used + bytes : SIZE_MAX;
    for (; self->slice_at < models_count(self->models); self->slice_at++) {
        struct model *model = models_at(self->models, self->slice_at);
        if (looked-- == 0 || slice->used >= until)
            return false;
        if (monitor_events(model->monitor) == 0 || (slice->changed_only && !model->changed))
            continue;
        if (!put(slice, model))
            return true;
    }
    slice->last = true;
    self->slice_at = 0;
    return true;
}

static void begin(struct shard *self, struct slice *slice)
{
    slice->used = 0;
    slice->models = slice->left_out = 0;
    slice->last = false;
    if (slice->begin)
        self->slice_at = 0;
}

void shard_slice_begin(struct shard *self, struct slice *slice)
{
    begin(self, slice);
    self->slice = slice;
}

bool shard_slices(struct shard *self)
{
    struct slice *slice = self->slice;
    if (!slice)
        return false;
    if (!fill(self, slice, TURN_BYTES, TURN_LOOKED))
        return true;
    struct letter letter = {.kind = LETTER_SLICE, .body = slice};
    if (inbox_put(slice->reply_to, letter) < 0)
        return true; /* no memory for the letter: again in the next turn */
    self->slice = NULL;
    return false;
}

void shard_slice_whole(struct shard *self, struct slice *slice)
{
    begin(self, slice);
    while (!fill(self, slice, SIZE_MAX, UINT32_MAX))
        ;
}

void shard_save_streams(struct shard *self, struct codec *codec, struct now now)
{
    ledger_save(self->ledger, codec, now.steady_ns);
}

/* --- at the start --- */

void shard_load_streams(struct shard *self, struct codec *codec, struct now now)
{
    ledger_load(self->ledger, codec, now.steady_ns);
}

static void take_over(struct model *model, struct model_record *record, int64_t now_ns)
{
    model->recorder = record->recorder;
    model->first_seen_ns = record->first_seen_ns;
    model->heard_ns = record->heard_ns;
    model->serving_told = record->serving_told;
    model->silent_told = record->silent_told;
    model->heard = true;
    model->changed = true;
    model->back_ns = now_ns;
}

int shard_restore(struct shard *self, uint64_t hash, const struct model_id *id, const void *bytes, size_t size,
                  int64_t shift_ns, struct now now)
{
    const struct monitor_settings *settings;
    struct model_record record;
    struct model *model;
    if (models_find(self->models, hash, id->whole))
        return -EEXIST;
    int why = self->ports.settings(self->ports.argument, id, &settings);
    if (why == 0)
        why = model_record_load(&record, settings, bytes, size, shift_ns);
    if (why != 0)
        return why;
    const bool too_old = self->options.keep_ns > 0 && record.heard_ns < now.steady_ns - self->options.keep_ns;
    model = too_old ? NULL : shard_add(self, hash, id, record.monitor, now.steady_ns, &why);
    if (model) {
        take_over(model, &record, now.steady_ns);
        return 0;
    }
    monitor_destroy(&record.monitor);
    recorder_clear(&record.recorder);
    return too_old ? -ESTALE : why;
}

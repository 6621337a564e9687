#include "daemon/workers/shard.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/workers/shard_inside.h"

#define LETTERS_A_TURN 64
#define STREAMS_SPARE 1024
#define STREAMS_A_MODEL 4 /* followed sequences: a model is mostly served by a few nodes */

static bool allow(void *argument, int64_t bytes)
{
    return ceiling_take(argument, bytes);
}

/* Each shard has its part of the models, and so of the streams; a little more than that, as no part is exact. */
static uint32_t streams_most(const struct shard_options *options)
{
    const uint64_t all = (uint64_t)options->max_models * STREAMS_A_MODEL, part = all / options->shards;
    const uint64_t most = options->shards > 1 ? part + part / 8 + STREAMS_SPARE : all;
    return most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

int shard_new(struct shard **self_p, const struct shard_options *options, const struct shard_ports *ports)
{
    *self_p = NULL;
    struct shard *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->options = *options;
    self->ports = *ports;
    self->silences_at = UINT32_MAX;
    if (options->keyring)
        keyring_open(&self->keys, options->keyring);
    struct metric_options decoding = {.max_future_s = options->max_future_s, .secret = options->key};
    self->allowance = (struct allowance){.take = allow, .argument = options->ceiling};
    int rc = inbox_new(&self->inbox);
    if (rc == 0)
        rc = metric_decoder_new(&self->decoder, &decoding);
    if (rc == 0)
        rc = models_new(&self->models);
    if (rc == 0)
        rc = ledger_new(&self->ledger, &options->key, streams_most(options));
    if (rc < 0)
        shard_destroy(&self);
    *self_p = self;
    return rc;
}

struct inbox *shard_inbox(struct shard *self)
{
    return self->inbox;
}

bool shard_stopping(const struct shard *self)
{
    return self->stopping;
}

uint64_t shard_events(const struct shard *self)
{
    return atomic_load_explicit(&self->events_seen, memory_order_relaxed);
}

uint64_t shard_dropped(const struct shard *self)
{
    return rejects_sum(&self->rejects);
}

uint64_t shard_lost(const struct shard *self)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < ledger_node_count(self->ledger); i++)
        sum += ledger_node_at(self->ledger, i)->lost;
    return sum;
}

static bool reserve_model(struct shard *self)
{
    if (atomic_fetch_add_explicit(self->options.model_count, 1, memory_order_relaxed) < self->options.max_models)
        return true;
    atomic_fetch_sub_explicit(self->options.model_count, 1, memory_order_relaxed);
    return false;
}

uint64_t shard_model_bytes(const struct monitor_settings *settings)
{
    const bool recorded = settings->window < RECORDER_VALUES;
    return SHARD_MODEL_BYTES + (recorded ? sizeof(struct recorder_tracks) + RECORDER_METRICS_MAX * sizeof(float[RECORDER_VALUES]) : 0);
}

static int64_t bytes_with(const struct monitor *monitor)
{
    return (int64_t)(shard_model_bytes(monitor_settings_of(monitor)) + monitor_bytes(monitor));
}

int64_t shard_bytes_of(const struct model *model)
{
    return bytes_with(model->monitor);
}

void shard_give_back(struct shard *self, const struct model *model)
{
    if (self->options.ceiling)
        ceiling_count(self->options.ceiling, -shard_bytes_of(model));
}

/* Asks the ceiling for a model with this monitor; it is asked by the monitor from then on. */
static bool take_memory(struct shard *self, struct monitor *monitor)
{
    struct ceiling *ceiling = self->options.ceiling;
    if (!ceiling)
        return true;
    if (!ceiling_take(ceiling, bytes_with(monitor)))
        return false;
    monitor_allow(monitor, &self->allowance);
    return true;
}

struct model *shard_add(struct shard *self, uint64_t hash, const struct model_id *id, struct monitor *monitor,
                        int64_t now_ns, int *why_p)
{
    struct model *model;
    *why_p = -ENOSPC;
    if (!reserve_model(self))
        return NULL;
    *why_p = take_memory(self, monitor) ? models_add(self->models, hash, id, monitor, now_ns, &model) : -EDQUOT;
    if (*why_p == 0) {
        shard_silence_model(self, model);
        return model;
    }
    if (*why_p == -ENOMEM && self->options.ceiling)
        ceiling_count(self->options.ceiling, -bytes_with(monitor));
    atomic_fetch_sub_explicit(self->options.model_count, 1, memory_order_relaxed);
    return NULL;
}

struct model *shard_model(struct shard *self, uint64_t hash, const struct model_id *id, int64_t now_ns, int *why_p)
{
    struct model *model = models_find(self->models, hash, id->whole);
    if (model)
        return model;
    *why_p = -ENOSPC;
    if (atomic_load_explicit(self->options.model_count, memory_order_relaxed) >= self->options.max_models)
        return NULL; /* before the cost of a monitor */
    *why_p = -EDQUOT;
    if (self->options.ceiling && ceiling_refuses(self->options.ceiling, SHARD_MODEL_BYTES))
        return NULL; /* and of its settings */
    const struct monitor_settings *settings;
    struct monitor *monitor = NULL;
    *why_p = self->ports.settings(self->ports.argument, id, &settings);
    if (*why_p == 0)
        *why_p = monitor_new(&monitor, settings);
    if (*why_p == 0)
        model = shard_add(self, hash, id, monitor, now_ns, why_p);
    if (!model)
        monitor_destroy(&monitor);
    return model;
}

static void take_letter(struct shard *self, struct letter *letter, struct now now)
{
    switch ((enum letter_kind)letter->kind) {
    case LETTER_STOP:
        self->stopping = true;
        break;
    case LETTER_UPDATE:
        shard_update(self, letter->body, now);
        break;
    case LETTER_SILENCES:
        shard_silences(self, letter->body); /* takes it over */
        return;
    case LETTER_RENEW:
        shard_renew(self, letter->body); /* takes it over */
        return;
    case LETTER_QUESTION:
        shard_ask(self, letter->body); /* takes it over */
        return;
    case LETTER_SLICE:
        shard_slice_begin(self, letter->body);
        return;
    case LETTER_NOTICE:
    case LETTER_ANSWER:
    case LETTER_EVENT:
    case LETTER_TAPE:
    case LETTER_ALARM:
    case LETTER_RENEWED:
    case LETTER_DOORS:
    case LETTER_BUILT:
    case LETTER_RETURNED:
        break;
    }
    if (letter->drop)
        letter->drop(letter->body);
}

bool shard_turn(struct shard *self, struct now now)
{
    struct letter letter;
    uint32_t taken = 0;
    tape_begin(self);
    while (taken < LETTERS_A_TURN && inbox_take(self->inbox, &letter)) {
        take_letter(self, &letter, now);
        taken++;
    }
    tape_flush(self);
    bool silencing = shard_silence_more(self);
    bool round = shard_timers(self, now);
    bool asked = shard_answers(self, now);
    bool slices = shard_slices(self);
    bool renewing = shard_renewing(self);
    return taken == LETTERS_A_TURN || silencing || round || asked || slices || renewing;
}

void shard_destroy(struct shard **self_p)
{
    struct shard *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    shard_forget_questions(self);
    free(self->asks);
    tape_free(self);
    free(self->silences);
    keyring_close(&self->keys);
    free(self->renewal);
    models_destroy(&self->models);
    ledger_destroy(&self->ledger);
    metric_decoder_destroy(&self->decoder);
    inbox_destroy(&self->inbox);
    free(self);
}

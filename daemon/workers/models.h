/* models.h - the models of one shard, found by their id.
 *
 * An index of 8-byte slots (a tag and a place) with open addressing, hashed with a secret key since ids come from the
 * network; the models stand elsewhere and never move.
 *
 * Threads: one. Memory: grows with the models. Failure: -ENOMEM; nothing has changed then.
 */
#ifndef DRIFTD_WORKERS_MODELS_H
#define DRIFTD_WORKERS_MODELS_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/workers/recorder.h"
#include "lib/model_id.h"
#include "lib/monitor/monitor.h"

struct model {
    struct model_id id; /* points into `text` */
    uint64_t hash;
    struct monitor *monitor;
    struct recorder recorder;
    int64_t first_seen_ns; /* steady clock: when it was first heard of, here or from the store */
    int64_t heard_ns;      /* its last event; before the first one as first_seen_ns */
    uint64_t episode;      /* the latest of its requests; 0: none */
    int64_t silenced_ns;   /* it does not trigger before; INT64_MIN: no silence covers it */
    bool heard;            /* it has sent an event since the start */
    bool serving_told, silent_told;
    bool live, unrecoverable; /* how its requests stand, as of the last update: */
    bool told;                /* there was one */
    int64_t triggered_ns, ended_ns;
    bool changed; /* it has had an event since it was last written down */
    uint16_t like;            /* what its messages look like: metric_decode_like() */
    unsigned tape_session;    /* of recording, that knows of it, */
    int64_t tape_silenced_ns; /* and of this */
    char text[];
};

struct models;

int models_new(struct models **self_p);

/* Asks the processor to have at hand soon where `hash` is looked up; and, once that is there, the model that may be
 * found. */
void models_prefetch(const struct models *self, uint64_t hash);
void models_prefetch_head(const struct models *self, uint64_t hash);

/* The model called `id`, or NULL. */
struct model *models_find(const struct models *self, uint64_t hash, struct text id);

/* Adds a model that is not there yet; it owns the monitor from then on. */
int models_add(struct models *self, uint64_t hash, const struct model_id *id, struct monitor *monitor, int64_t now_ns,
               struct model **out);

/* Takes the model at `place` out and frees it; the last one gets its place. */
void models_remove(struct models *self, uint32_t place);

uint32_t models_count(const struct models *self);
struct model *models_at(const struct models *self, uint32_t place);

void models_destroy(struct models **self_p);

/* Whether the recorder is needed: a window that is as long keeps the same values. */
static inline bool model_records(const struct model *model)
{
    return monitor_settings_of(model->monitor)->window < RECORDER_VALUES;
}

/* And what the next event of a model needs. */
static inline void model_prefetch(const struct model *model)
{
    monitor_prefetch(model->monitor, 0);
    for (uint32_t i = 0; i < model->recorder.count; i++)
        __builtin_prefetch(&model->recorder.tracks[i][model->recorder.next[i] % RECORDER_VALUES], 1);
}

#endif

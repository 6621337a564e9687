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
    bool heard;            /* it has sent an event since the start */
    bool serving_told, silent_told;
    bool live, unrecoverable; /* how its requests stand */
    char text[];
};

struct models;

int models_new(struct models **self_p);

/* Asks the processor to have the place of `hash` at hand soon. */
void models_prefetch(const struct models *self, uint64_t hash);

/* The model called `id`, or NULL. */
struct model *models_find(const struct models *self, uint64_t hash, struct text id);

/* Adds a model that is not there yet; it owns the monitor from then on. */
int models_add(struct models *self, uint64_t hash, const struct model_id *id, struct monitor *monitor, int64_t now_ns,
               struct model **out);

uint32_t models_count(const struct models *self);
struct model *models_at(const struct models *self, uint32_t place);

void models_destroy(struct models **self_p);

#endif

/* models.h - the models of one shard, found by their id.
 *
 * An index of 8-byte slots (a tag and a place) with open addressing, hashed with a secret key since ids come from the
 * network; the models stand elsewhere and never move. When it grows, what it holds is carried over a little with each
 * model that is added, so that no turn waits for it. Before it stands a table of guesses: where the last models were
 * whose ids have such a sum, which costs a tenth of the keyed hash. Seven share a line of the cache, for five models at
 * most on average; a byte of the sum of each keeps other models from being looked at. A guess is looked at byte for
 * byte; who makes sums that meet mostly has his own messages hashed.
 *
 * Cost: a guess that holds, 60 instructions, a line of guesses and the model's; else (one in fifty events on 10,000
 * models) a keyed hash (150) and two lines more. Growing: four slots for each model that is added.
 *
 * What is looked at once a second asks a second for each model, side by side, before which it need not be looked at.
 *
 * Threads: one. Memory: grows with the models, some 40 bytes each. Failure: -ENOMEM; nothing has changed then.
 */
#ifndef DRIFTD_WORKERS_MODELS_H
#define DRIFTD_WORKERS_MODELS_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/workers/ledger.h"
#include "daemon/workers/recorder.h"
#include "lib/lines.h"
#include "lib/model_id.h"
#include "lib/monitor/monitor.h"

/* What no event touches is the first line of the cache; what each does are the two behind it, with the first 40 bytes of
 * the id. */
struct model {
    int64_t first_seen_ns; /* steady clock: when it was first heard of, here or from the store */
    uint64_t episode;      /* the latest of its requests; 0: none */
    int64_t silenced_ns;   /* it does not trigger before; INT64_MIN: no silence covers it */
    int64_t triggered_ns, ended_ns;
    int64_t back_ns; /* when it was taken back from a checkpoint; 0: it was not. Silence before that is nobody's */
    int64_t tape_silenced_ns; /* what the recording knows of that, */
    unsigned tape_session;    /* which is this one */
    bool live, unrecoverable; /* how its requests stand, as of the last update: */
    bool told;                /* there was one */
    bool replaced;            /* a version that was trained in its place serves: its silence is meant */

    alignas(LINES_BYTES) uint64_t hash;
    struct monitor *monitor;
    int64_t heard_ns; /* its last event; before the first one as first_seen_ns */
    struct recorder recorder;
    struct ledger_memo sender;     /* of its last messages */
    uint16_t len;                  /* of the id */
    uint8_t project_len, name_len; /* of these of its segments */
    uint16_t like;                 /* what its messages look like: metric_decode_like() */
    bool heard : 1;                /* it has sent an event since the start */
    bool changed : 1;              /* it has had an event since it was last written down */
    bool serving_told : 1, silent_told : 1;
    bool records : 1; /* it needs the recorder: a window that is as long keeps the same values */
    char text[];      /* the id, and a NUL */
};

struct models;

int models_new(struct models **self_p);

/* Where a model called `id` was, if it was looked for before. models_guess() asks the processor to have that at hand
 * soon; models_guessed() what it says, and asks for the model; models_known() whether it is the one, or NULL;
 * models_learn() lets a guess say where the model is that was found without it. */
uint32_t models_guess(const struct models *self, struct text id);
struct model *models_guessed(const struct models *self, uint32_t guess);
static inline struct model *models_known(struct model *guessed, struct text id);
void models_learn(struct models *self, uint32_t guess, struct model *model);

/* The model called `id`, or NULL. */
struct model *models_find(const struct models *self, uint64_t hash, struct text id);

/* Adds a model that is not there yet; it owns the monitor from then on. */
int models_add(struct models *self, uint64_t hash, const struct model_id *id, struct monitor *monitor, int64_t now_ns,
               struct model **out);

/* Takes the model at `place` out and frees it; the last one gets its place. */
void models_remove(struct models *self, uint32_t place);

uint32_t models_count(const struct models *self);
struct model *models_at(const struct models *self, uint32_t place);

/* The first model from `place` on that is due at now_s, a second of any clock, or `end`, which is models_count() at most.
 * One that is new is due; models_put_off() has one wait, models_all_due() none. Four bytes a model that is not due. */
uint32_t models_due(const struct models *self, uint32_t place, uint32_t end, uint32_t now_s);
void models_put_off(struct models *self, uint32_t place, uint32_t until_s);
void models_all_due(struct models *self);

void models_destroy(struct models **self_p);

static inline struct model *models_known(struct model *guessed, struct text id)
{
    return guessed && guessed->len == id.len && text_same_few(guessed->text, id.at, id.len) ? guessed : NULL;
}

/* Its id, which lives as long as the model. */
static inline struct model_id model_id_of(const struct model *model)
{
    const char *name = model->text + model->project_len + 1, *version = name + model->name_len + 1;
    return (struct model_id){.whole = {model->text, model->len},
                             .project = {model->text, model->project_len},
                             .name = {name, model->name_len},
                             .version = {version, (size_t)(model->text + model->len - version)}};
}

/* Its monitor has other settings, or is another. */
static inline void model_renewed(struct model *model)
{
    model->records = monitor_settings_of(model->monitor)->window < RECORDER_VALUES;
}

/* Asks the processor for what says how a model stands, beside its monitor. */
static inline void model_prefetch_state(const struct model *model)
{
    lines_ask(model);
    lines_ask(&model->hash);
    lines_ask(&model->len);
}

/* Asks the processor for what the next event of a model needs. */
static inline void model_prefetch(const struct model *model)
{
    monitor_prefetch_head(model->monitor);
    if (model->records)
        lines_ask(model->recorder.tracks);
}

#endif

#include "daemon/workers/workers.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/base/slice.h"
#include "daemon/workers/model_record.h"
#include "daemon/workers/topic.h"
#include "daemon/workers/workers_inside.h"

int workers_new(struct workers **self_p, const struct workers_options *options, const struct shard_ports *ports)
{
    *self_p = NULL;
    struct workers *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->options = *options;
    self->shards = options->threads ? options->threads : 1;
    self->threads = options->lend_by ? 1 : options->threads;
    int rc = 0;
    for (uint32_t i = 0; i < self->shards && rc == 0; i++) {
        struct shard_options shard = {.number = i,
                                      .shards = self->shards,
                                      .key = options->key,
                                      .run = options->run,
                                      .max_message_bytes = options->max_message_bytes,
                                      .max_future_s = options->max_future_s,
                                      .max_models = options->max_models,
                                      .ceiling = options->ceiling,
                                      .keyring = options->keyring,
                                      .keep_ns = options->keep_ns,
                                      .model_count = &self->model_count};
        rc = shard_new(&self->at[i].shard, &shard, ports);
        atomic_init(&self->at[i].runner, options->threads ? RUNNER_THREAD : RUNNER_INGEST);
        self->at[i].cpu_ns = options->lend_by;
        if (rc == 0 && self->threads)
            rc = ring_new(&self->at[i].ring, WORKERS_RING_SLOTS);
    }
    if (rc < 0)
        workers_destroy(&self);
    *self_p = self;
    return rc;
}

int workers_start(struct workers *self)
{
    int rc = 0;
    for (uint32_t i = 0; i < self->threads && rc == 0; i++)
        rc = worker_start(&self->at[i], i);
    return rc;
}

/* --- handing over --- */

/* A batch or a beacon concerns models of any shard: each gets a copy that shares the bytes, the owner answers for it.
 */
static void put_to_all(struct workers *self, struct frame *frame, uint32_t owner, struct now now)
{
    struct frame copy;
    worker_hold(frame);
    frame_init(&copy);
    for (uint32_t i = 0; i < self->shards; i++) {
        frame_share(&copy, frame);
        copy.accounts = i == owner;
        worker_put(&self->at[i], &copy, now);
    }
    frame_close(&copy);
}

/* A shard that has all models hashes by itself what it does not know. */
static uint32_t owner_of(const struct workers *self, struct frame *frame)
{
    frame->hashed = self->shards > 1;
    if (!frame->hashed)
        return 0;
    const struct text about = topic_about(frame);
    frame->hash = frame_is_ours(frame->kind) ? siphash13(&self->options.key, about.at, about.len) : 0;
    return shard_owner(frame->hash, self->shards);
}

static void hand_over(struct workers *self, struct frame *frames, uint32_t count, struct now now)
{
    for (uint32_t i = 0; i < count; i++) {
        struct frame *frame = &frames[i];
        const uint32_t owner = owner_of(self, frame);
        frame->accounts = true;
        if (self->shards > 1 && (frame->kind == FRAME_BATCH || frame->kind == FRAME_BEACON))
            put_to_all(self, frame, owner, now);
        else
            worker_put(&self->at[owner], frame, now);
    }
    for (uint32_t i = 0; i < self->shards; i++)
        ring_publish(self->at[i].ring);
}

void workers_take(void *argument, struct frame *frames, uint32_t count, struct now now)
{
    struct workers *self = argument;
    self->messages += count;
    self->borrowed += count && !frames[0].holds ? count : 0; /* they mostly come from one place */
    if (worker_runner(&self->at[0]) != RUNNER_INGEST) {
        hand_over(self, frames, count, now);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        frames[i].accounts = true;
        frames[i].hashed = false;
    }
    worker_take(&self->at[0], frames, count, now);
}

static void lend_or_recall(struct workers *self)
{
    const struct lend *lend = &self->lend;
    (lend->lent ? worker_lend : worker_recall)(&self->at[0]);
    if (lend->lent)
        log_info("judging takes most of the receiving thread's time: a thread of its own does it from now on",
                 LOG_NUMBER("judge_us", lend->judge_ns / 1e3), LOG_NUMBER("receive_us", lend->other_ns / 1e3));
    else
        log_info("judging takes little time: the receiving thread does it from now on",
                 LOG_NUMBER("judge_us", lend->judge_ns / 1e3), LOG_NUMBER("receive_us", lend->other_ns / 1e3));
}

static void look(struct workers *self, struct now now)
{
    struct worker *worker = &self->at[0];
    if (!lend_due(&self->lend, now.steady_ns) || worker_runner(worker) == RUNNER_RECALLED)
        return;
    struct lend_sums sums = {.messages = self->messages,
                             .borrowed = self->borrowed,
                             .receiving_ns = self->options.lend_by(),
                             .measured = atomic_load_explicit(&worker->measured, memory_order_relaxed),
                             .judging_ns = (int64_t)atomic_load_explicit(&worker->judging_ns, memory_order_relaxed)};
    if (lend_look(&self->lend, now.steady_ns, &sums))
        lend_or_recall(self);
}

bool workers_turn(void *argument, struct now now)
{
    struct workers *self = argument;
    if (self->options.lend_by)
        look(self, now);
    if (worker_runner(&self->at[0]) != RUNNER_INGEST)
        return false;
    worker_take(&self->at[0], NULL, 0, now);
    return shard_turn(self->at[0].shard, now);
}

/* With a thread that is lent to, ingest is woken by what is that thread's as well: it looks, and sleeps again. */
int workers_fd(const struct workers *self)
{
    return self->options.threads ? -1 : inbox_fd(shard_inbox(self->at[0].shard));
}

void workers_update(struct workers *self, struct retrain_update *update)
{
    uint64_t hash = siphash13(&self->options.key, update->model, strlen(update->model));
    struct letter letter = {.kind = LETTER_UPDATE, .body = update, .drop = free};
    if (inbox_put(shard_inbox(self->at[shard_owner(hash, self->shards)].shard), letter) < 0) {
        log_error("no memory to tell a model's keeper how its requests stand", LOG_TEXT("model", update->model));
        free(update);
    }
}

void workers_silences(struct workers *self, const struct silences *silences)
{
    size_t bytes = sizeof *silences + silences->count * sizeof silences->at[0];
    for (uint32_t i = 0; i < self->shards; i++) {
        struct letter letter = {.kind = LETTER_SILENCES, .body = malloc(bytes), .drop = free};
        if (letter.body)
            memcpy(letter.body, silences, bytes);
        if (letter.body && inbox_put(shard_inbox(self->at[i].shard), letter) == 0)
            continue;
        log_error("no memory to tell a keeper of models which of them are silenced");
        free(letter.body);
    }
}

int workers_slice(void *argument, struct slice *slice)
{
    struct workers *self = argument;
    struct letter letter = {.kind = LETTER_SLICE, .body = slice};
    return inbox_put(shard_inbox(self->at[slice->shard].shard), letter);
}

void workers_slice_whole(void *argument, struct slice *slice)
{
    struct workers *self = argument;
    shard_slice_whole(self->at[slice->shard].shard, slice);
}

int workers_restore(void *argument, const void *bytes, size_t size, int64_t shift_ns, struct now now)
{
    struct workers *self = argument;
    struct model_id id;
    int rc = model_record_id(bytes, size, &id);
    if (rc < 0)
        return rc;
    uint64_t hash = siphash13(&self->options.key, id.whole.at, id.whole.len);
    return shard_restore(self->at[shard_owner(hash, self->shards)].shard, hash, &id, bytes, size, shift_ns, now);
}

/* --- what others ask --- */

uint32_t workers_shards(const struct workers *self)
{
    return self->shards;
}

struct inbox *workers_inbox(struct workers *self, uint32_t shard)
{
    return shard_inbox(self->at[shard].shard);
}

uint64_t workers_events(const struct workers *self)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < self->shards; i++)
        sum += shard_events(self->at[i].shard);
    return sum;
}

struct workers_sums workers_sums(const struct workers *self)
{
    struct workers_sums sums = {0};
    for (uint32_t i = 0; i < self->shards; i++) {
        sums.events += shard_events(self->at[i].shard);
        sums.dropped += shard_dropped(self->at[i].shard);
        sums.lost += shard_lost(self->at[i].shard);
    }
    return sums;
}

uint32_t workers_models(const struct workers *self)
{
    return atomic_load_explicit(&self->model_count, memory_order_relaxed);
}

uint32_t workers_threads(const struct workers *self)
{
    return self->threads;
}

uint32_t workers_judging(const struct workers *self)
{
    return worker_runner(&self->at[0]) == RUNNER_INGEST ? 0 : self->threads;
}

const struct heart *workers_heart(const struct workers *self, uint32_t thread)
{
    return &self->at[thread].heart;
}

/* --- the end --- */

void workers_stop(struct workers *self)
{
    for (uint32_t i = 0; i < self->threads; i++)
        worker_stop_begin(&self->at[i]);
    for (uint32_t i = 0; i < self->threads; i++)
        worker_stop_finish(&self->at[i]);
}

void workers_destroy(struct workers **self_p)
{
    struct workers *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->shards; i++) {
        ring_destroy(&self->at[i].ring);
        shard_destroy(&self->at[i].shard);
    }
    free(self);
}

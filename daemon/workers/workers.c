#include "daemon/workers/workers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/base/slice.h"
#include "daemon/workers/model_record.h"
#include "daemon/workers/topic.h"

#define PATIENCE_MS 100

struct worker {
    struct shard *shard;
    struct frame_ring *ring; /* NULL without threads */
    pthread_t thread;
    bool started;
    struct heart heart;
};

struct workers {
    struct workers_options options;
    uint32_t shards;
    atomic_uint model_count;
    struct worker at[WORKERS_MAX];
};

int workers_new(struct workers **self_p, const struct workers_options *options, const struct shard_ports *ports)
{
    *self_p = NULL;
    struct workers *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->options = *options;
    self->shards = options->threads ? options->threads : 1;
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
        if (rc == 0 && options->threads)
            rc = ring_new(&self->at[i].ring, WORKERS_RING_SLOTS);
    }
    if (rc < 0)
        workers_destroy(&self);
    *self_p = self;
    return rc;
}

/* --- a worker's thread --- */

static void sleep_until_work(struct worker *self)
{
    if (!ring_may_sleep(self->ring))
        return;
    struct pollfd pollers[] = {{.fd = ring_fd(self->ring), .events = POLLIN},
                               {.fd = inbox_fd(shard_inbox(self->shard)), .events = POLLIN}};
    poll(pollers, 2, HEART_TURN_MAX_MS);
    ring_awake(self->ring);
}

/* All letters that wait come before the first frame: what the store knows of a model stands before its first event. A
 * stop is obeyed once the ring is empty; nobody fills it any more by then. */
static void *run(void *argument)
{
    struct worker *self = argument;
    struct frame frames[FRAME_BATCH_MAX];
    for (uint32_t i = 0; i < FRAME_BATCH_MAX; i++)
        frame_init(&frames[i]);
    while (shard_turn(self->shard, clock_now()))
        heart_beat(&self->heart);
    for (;;) {
        heart_beat(&self->heart);
        struct now now = clock_now();
        bool more = shard_turn(self->shard, now);
        uint32_t count = ring_take(self->ring, frames, FRAME_BATCH_MAX);
        if (count)
            shard_take(self->shard, frames, count, now);
        else if (shard_stopping(self->shard))
            break;
        else if (!more)
            sleep_until_work(self);
    }
    for (uint32_t i = 0; i < FRAME_BATCH_MAX; i++)
        frame_close(&frames[i]);
    return NULL;
}

int workers_start(struct workers *self)
{
    for (uint32_t i = 0; i < self->options.threads; i++) {
        int error = pthread_create(&self->at[i].thread, NULL, run, &self->at[i]);
        if (error)
            return -error;
        self->at[i].started = true;
        char name[16];
        snprintf(name, sizeof name, "worker-%u", i % 1000);
        pthread_setname_np(self->at[i].thread, name);
    }
    return 0;
}

/* --- handing over --- */

/* A full ring means that the worker is behind: ingest waits for it, libzmq's queue fills, publishers drop, and the
 * sequence numbers say so. */
static void put(struct worker *worker, struct frame *frame)
{
    while (!ring_put(worker->ring, frame, PATIENCE_MS))
        ;
}

/* A batch or a beacon concerns models of any shard: each gets a copy that shares the bytes, the owner answers for it.
 */
static void put_to_all(struct workers *self, struct frame *frame, uint32_t owner)
{
    struct frame copy;
    frame_init(&copy);
    for (uint32_t i = 0; i < self->shards; i++) {
        frame_share(&copy, frame);
        copy.accounts = i == owner;
        put(&self->at[i], &copy);
    }
    frame_close(&copy);
}

void workers_take(void *argument, struct frame *frames, uint32_t count, struct now now)
{
    struct workers *self = argument;
    const bool alone = self->options.threads == 0; /* the shard hashes what it does not know */
    for (uint32_t i = 0; i < count; i++) {
        struct frame *frame = &frames[i];
        frame->accounts = true;
        frame->hashed = !alone;
        if (alone)
            continue;
        const struct text about = topic_about(frame);
        frame->hash = frame->kind == FRAME_WRONG ? 0 : siphash13(&self->options.key, about.at, about.len);
        uint32_t owner = shard_owner(frame->hash, self->shards);
        if (self->shards > 1 && (frame->kind == FRAME_BATCH || frame->kind == FRAME_BEACON))
            put_to_all(self, frame, owner);
        else
            put(&self->at[owner], frame);
    }
    if (alone) {
        shard_take(self->at[0].shard, frames, count, now);
        return;
    }
    for (uint32_t i = 0; i < self->shards; i++)
        ring_publish(self->at[i].ring);
}

bool workers_turn(void *argument, struct now now)
{
    struct workers *self = argument;
    return !self->options.threads && shard_turn(self->at[0].shard, now);
}

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
    return self->options.threads;
}

const struct heart *workers_heart(const struct workers *self, uint32_t thread)
{
    return &self->at[thread].heart;
}

/* --- the end --- */

void workers_stop(struct workers *self)
{
    for (uint32_t i = 0; i < self->options.threads; i++) {
        if (!self->at[i].started)
            continue;
        while (inbox_put(shard_inbox(self->at[i].shard), (struct letter){.kind = LETTER_STOP}) < 0)
            poll(NULL, 0, PATIENCE_MS);
    }
    for (uint32_t i = 0; i < self->options.threads; i++) {
        if (self->at[i].started)
            pthread_join(self->at[i].thread, NULL);
        self->at[i].started = false;
    }
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

#include "daemon/workers/worker.h"

#include <poll.h>
#include <stdio.h>

#define PATIENCE_MS 100
#define TURNS_A_MEASURE 64 /* one in so many is timed */

static void judge(struct worker *self, struct frame *frames, uint32_t count, struct now now)
{
    if (!self->cpu_ns || self->turns++ % TURNS_A_MEASURE) {
        shard_take(self->shard, frames, count, now);
        return;
    }
    int64_t began_ns = self->cpu_ns();
    shard_take(self->shard, frames, count, now);
    atomic_fetch_add_explicit(&self->judging_ns, (uint64_t)(self->cpu_ns() - began_ns), memory_order_relaxed);
    atomic_fetch_add_explicit(&self->measured, count, memory_order_relaxed);
}

/* --- a worker's thread --- */

static void sleep_until_lent(struct worker *self)
{
    struct pollfd poller = {.fd = ring_fd(self->ring), .events = POLLIN};
    poll(&poller, 1, HEART_TURN_MAX_MS);
    ring_awake(self->ring);
}

/* Not where a stop has come meanwhile, for which the thread has it again. The letter wakes ingest, which may sleep. */
static void give_back(struct worker *self)
{
    int runner = RUNNER_RECALLED;
    if (!atomic_compare_exchange_strong(&self->runner, &runner, RUNNER_INGEST))
        return;
    (void)inbox_put(shard_inbox(self->shard), (struct letter){.kind = LETTER_RETURNED});
}

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
    while (worker_runner(self) != RUNNER_INGEST && shard_turn(self->shard, clock_now()))
        heart_beat(&self->heart);
    for (;;) {
        heart_beat(&self->heart);
        enum runner runner = worker_runner(self);
        if (runner == RUNNER_INGEST) {
            sleep_until_lent(self);
            continue;
        }
        struct now now = clock_now();
        bool more = shard_turn(self->shard, now);
        uint32_t count = ring_take(self->ring, frames, FRAME_BATCH_MAX);
        if (count)
            judge(self, frames, count, now);
        else if (shard_stopping(self->shard))
            break;
        else if (runner == RUNNER_RECALLED)
            give_back(self);
        else if (!more)
            sleep_until_work(self);
    }
    for (uint32_t i = 0; i < FRAME_BATCH_MAX; i++)
        frame_close(&frames[i]);
    return NULL;
}

int worker_start(struct worker *self, uint32_t number)
{
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error)
        return -error;
    self->started = true;
    char name[16];
    snprintf(name, sizeof name, "worker-%u", number % 1000);
    pthread_setname_np(self->thread, name);
    return 0;
}

/* --- by ingest --- */

static void take_left(struct worker *self, struct now now)
{
    struct frame frames[FRAME_BATCH_MAX];
    uint32_t count;
    self->left = false;
    for (uint32_t i = 0; i < FRAME_BATCH_MAX; i++)
        frame_init(&frames[i]);
    while ((count = ring_take(self->ring, frames, FRAME_BATCH_MAX)))
        judge(self, frames, count, now);
    for (uint32_t i = 0; i < FRAME_BATCH_MAX; i++)
        frame_close(&frames[i]);
}

void worker_take(struct worker *self, struct frame *frames, uint32_t count, struct now now)
{
    if (self->left)
        take_left(self, now);
    if (count)
        judge(self, frames, count, now);
}

void worker_hold(struct frame *frame)
{
    while (frame_hold(frame) < 0)
        poll(NULL, 0, PATIENCE_MS);
}

/* A full ring means that the worker is behind: ingest waits for it, its connections fill, publishers drop, and the
 * sequence numbers say so. Or that the worker has just given the shard back. */
void worker_put(struct worker *self, struct frame *frame, struct now now)
{
    worker_hold(frame);
    while (!ring_put(self->ring, frame, worker_runner(self) == RUNNER_INGEST ? 0 : PATIENCE_MS))
        if (worker_runner(self) == RUNNER_INGEST) {
            take_left(self, now);
            self->left = true; /* this frame, and those behind it */
        }
}

void worker_lend(struct worker *self)
{
    atomic_store_explicit(&self->runner, RUNNER_THREAD, memory_order_release);
    ring_wake(self->ring);
}

void worker_recall(struct worker *self)
{
    self->left = true;
    atomic_store_explicit(&self->runner, RUNNER_RECALLED, memory_order_release);
    ring_wake(self->ring);
}

/* --- the end --- */

void worker_stop_begin(struct worker *self)
{
    if (!self->started)
        return;
    worker_lend(self);
    while (inbox_put(shard_inbox(self->shard), (struct letter){.kind = LETTER_STOP}) < 0)
        poll(NULL, 0, PATIENCE_MS);
}

void worker_stop_finish(struct worker *self)
{
    if (self->started)
        pthread_join(self->thread, NULL);
    self->started = false;
}

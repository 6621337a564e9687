/* worker.h - a shard, and who runs it at the moment: a thread of its own, or ingest; for workers.c alone.
 *
 * A thread that is lent a shard gets it by worker_lend() and gives it back after worker_recall(), once it has emptied
 * the ring. What ingest puts there meanwhile, ingest takes out.
 *
 * Threads: worker_runner() and the atomic members by any; the rest by ingest, or by the engine while that does not run.
 * Memory: the shard, a ring of frames where there is a thread. Failure: as each function says.
 */
#ifndef DRIFTD_WORKERS_WORKER_H
#define DRIFTD_WORKERS_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "daemon/base/heart.h"
#include "daemon/workers/shard.h"

enum runner { RUNNER_INGEST, RUNNER_THREAD, RUNNER_RECALLED /* the thread, for this once */ };

struct worker {
    struct shard *shard;
    struct frame_ring *ring; /* NULL: there is no thread */
    pthread_t thread;
    bool started;
    struct heart heart;
    atomic_int runner;                         /* enum runner */
    bool left;                                 /* the ring may hold what the thread did not take any more */
    int64_t (*cpu_ns)(void);                   /* NULL: how long judging takes is not measured */
    uint32_t turns;                            /* that who runs it has measured, or might have */
    atomic_uint_fast64_t measured, judging_ns; /* struct lend_sums */
};

/* Starts the thread, whose name has this number; it has the shard if `runner` says so. 0 or a negative error. */
int worker_start(struct worker *self, uint32_t number);

static inline enum runner worker_runner(const struct worker *self)
{
    return (enum runner)atomic_load_explicit(&self->runner, memory_order_acquire);
}

/* Lets the shard take up to FRAME_BATCH_MAX frames, after those that were left in the ring; while ingest runs it. */
void worker_take(struct worker *self, struct frame *frames, uint32_t count, struct now now);

/* Copies what the frame borrows; waits for memory where there is none. */
void worker_hold(struct frame *frame);

/* Puts a frame into the ring, while the thread runs the shard; it is seen after ring_publish(). What it borrows is
 * copied. */
void worker_put(struct worker *self, struct frame *frame, struct now now);

void worker_lend(struct worker *self);
void worker_recall(struct worker *self);

/* Lets the thread take what it has been handed and end, while ingest does not run; and waits for that. */
void worker_stop_begin(struct worker *self);
void worker_stop_finish(struct worker *self);

#endif

/* queue.h - the order among requests that are due and wait: highest severity first, then oldest, within the limits.
 *
 * All that the limits can tell apart is whose project a request is, whether it was offered before, and what its
 * strategy costs. Beside that projects may leave by different outlets, each open or closed to all that wait before it.
 * Requests that agree in these are one shelf, and are held or not together: so a pick looks at shelves, never at every
 * request. A shelf that its project's limits hold is put aside until they ease.
 *
 * Threads: one owner. Memory: items are the caller's; shelves stay with their project's account. Failure: -ENOMEM.
 */
#ifndef DRIFT_LIB_RETRAIN_QUEUE_H
#define DRIFT_LIB_RETRAIN_QUEUE_H

#include <stdint.h>

#include "lib/retrain/limits.h"

/* Lies inside a waiting request. */
struct queue_item {
    double severity;
    int64_t since_ns;
    const char *id; /* settles what severity and age do not */
    struct limit_account *account;
    uint32_t outlet;   /* the same for all of an account */
    uint32_t strategy; /* index into the costs */
    bool first;        /* not offered before */
    size_t place;      /* the queue's own */
    struct queue_shelf *shelf;
};

struct queue;

/* `micro_gpu_hours`: the cost of each strategy; copied. `limits` must outlive the queue. */
int queue_new(struct queue **self_p, struct limits *limits, const int64_t *micro_gpu_hours, uint32_t strategies,
              uint32_t outlets);
void queue_destroy(struct queue **self_p);

/* The item's first seven members are set. Returns 0 or -ENOMEM. */
int queue_put(struct queue *self, struct queue_item *item);

/* Nothing happens when it is not inside. */
void queue_remove(struct queue *self, struct queue_item *item);

/* The first that no limit holds and whose outlet is not closed; it stays inside. NULL: none. */
struct queue_item *queue_best(struct queue *self, const bool *closed);

uint32_t queue_count(const struct queue *self);

#endif

/* lend.h - whether judging is worth a thread of its own, by what it costs. On few cores a thread that judges takes from
 * the others what it needs, and each frame costs its hand-over: it pays where judging is most of what the receiving
 * thread does, and that thread has little time left.
 *
 * Pure: the sums come in, one look a second. Threads: one at a time. Memory: the caller's. Failure: none.
 */
#ifndef DRIFTD_WORKERS_LEND_H
#define DRIFTD_WORKERS_LEND_H

#include <stdbool.h>
#include <stdint.h>

#define LEND_LOOK_NS INT64_C(1000000000)

/* Of the whole run, each growing. */
struct lend_sums {
    uint64_t messages;    /* that were received; */
    uint64_t borrowed;    /* of these, those whose bytes would have to be copied for another thread */
    int64_t receiving_ns; /* CPU time of the receiving thread, with what it judges itself */
    uint64_t measured;    /* messages whose judging was timed, */
    int64_t judging_ns;   /* and how much CPU time that took */
};

struct lend {
    int64_t looked_ns; /* of the steady clock; 0: not yet */
    struct lend_sums sums;
    uint32_t looks;  /* in a row that spoke for a change */
    bool lent;       /* a thread of its own judges */
    double judge_ns; /* what a message took, and */
    double other_ns; /* what receiving it took, as of the last look at which any came */
};

/* True when whoever judges is to change: `lent` says who it is from now on. Looks once in LEND_LOOK_NS, else it returns
 * false; lend_due() says so before the sums are made. */
bool lend_look(struct lend *self, int64_t now_ns, const struct lend_sums *sums);

static inline bool lend_due(const struct lend *self, int64_t now_ns)
{
    return now_ns - self->looked_ns >= LEND_LOOK_NS;
}

#endif

/* streams.h - the table of a ledger's streams: found by name, forgotten when nothing was heard for a while, and grown
 * without a turn that waits for it.
 *
 * A stream may go on elsewhere, beside what its messages are about: then nothing is looked for here.
 *
 * Cost: a slot of 24 bytes each, of which at most three in four are used. A larger table takes the streams over a few
 * slots at a time.
 *
 * Threads: the owner's. Memory: streams_close() frees it. Failure: as each function says.
 */
#ifndef DRIFTD_WORKERS_STREAMS_H
#define DRIFTD_WORKERS_STREAMS_H

#include <stdbool.h>
#include <stdint.h>

/* How far a stream has come. All zero: there is none. */
struct stream {
    uint64_t next; /* the number that should come */
    uint32_t node; /* index + 1 */
    uint32_t seen_s;
};

/* Of the table. */
struct stream_slot {
    uint64_t name; /* 0: a free slot */
    union {
        struct stream here;
        struct stream *elsewhere; /* where `here.node` says so */
    };
};

struct streams {
    struct stream_slot *slots;
    uint32_t size, used;   /* slots, a power of two; streams */
    struct stream_slot *before; /* half as many slots: the table before it grew, of which the first `carried` have been */
    uint32_t carried;      /* carried over, and others where they were needed; NULL: all have been */
    uint32_t hand;         /* where the next sweep begins */
};

/* 0 or -ENOMEM. */
int streams_open(struct streams *self);
void streams_close(struct streams *self);

/* NULL: there is none of that name. */
struct stream *streams_find(struct streams *self, uint64_t name);

/* Whether there is room for another, which may take memory. */
bool streams_room(struct streams *self);

/* A stream that is not there yet, where there is room, all zero: for the caller to fill. */
struct stream *streams_add(struct streams *self, uint64_t name);

/* A stream that is there goes on at `to`, which the caller keeps until the stream is back, forgotten (it is all zero then),
 * or the streams are closed. */
void streams_lend(struct streams *self, uint64_t name, struct stream *to);
void streams_back(struct streams *self, uint64_t name);

/* One stream after the other, from *at_p = 0 on; NULL: those were all. Nothing is added or forgotten meanwhile. */
struct stream *streams_next(struct streams *self, uint32_t *at_p, uint64_t *name_p);

/* Looks at so many slots, and forgets who was not seen for more than `forget_s`. */
void streams_sweep(struct streams *self, uint32_t slots, uint32_t now_s, uint32_t forget_s);

#endif

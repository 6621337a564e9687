/* workers.h - the shards, and who runs them: threads of their own, or with none the caller of workers_take(). With
 * `lend_by` it is that caller until judging takes so much that a thread is worth it (lend.h), and then that thread, as
 * long as it is.
 *
 * Threads: workers_new(), _start(), _stop() and _destroy() by the engine; workers_take() and workers_turn() by ingest
 * alone; workers_update(), _silences(), _inbox() and _events() by any. Memory: a ring of frames for each thread.
 * Failure: as each function says.
 */
#ifndef DRIFTD_WORKERS_WORKERS_H
#define DRIFTD_WORKERS_WORKERS_H

#include "daemon/base/heart.h"
#include "daemon/workers/shard.h"
#include "lib/retrain/silence.h"

#define WORKERS_MAX 64
#define WORKERS_RING_SLOTS 1024 /* messages that wait for each thread */

struct workers_options {
    uint32_t threads;         /* 0: one shard, run by who calls workers_take() */
    int64_t (*lend_by)(void); /* or by a thread, as this clock of a thread's CPU time says; NULL: never */
    struct siphash_key key;
    uint64_t run; /* a number that this run of the daemon alone has */
    uint64_t max_message_bytes;
    double max_future_s;
    uint32_t max_models;
    struct ceiling *ceiling; /* these as in shard.h */
    struct keyring *keyring;
    int64_t keep_ns;
};

struct workers;

/* Makes the shards; letters can be put into their inboxes from then on. 0 or a negative error. */
int workers_new(struct workers **self_p, const struct workers_options *options, const struct shard_ports *ports);

/* Starts the threads, if any. */
int workers_start(struct workers *self);

/* Hands up to FRAME_BATCH_MAX frames to the shards they belong to. The frames stay initialised; what they hold may be
 * gone. */
void workers_take(void *self, struct frame *frames, uint32_t count, struct now now);

/* Without threads: lets the shard do whatever is not frames; true when there is more to do at once. */
bool workers_turn(void *self, struct now now);
/* What ingest has to watch for workers_turn(), or -1. */
int workers_fd(const struct workers *self);

/* Sends a copy of all silences to every shard. */
void workers_silences(struct workers *self, const struct silences *silences);

/* Sends an update to the shard that keeps its model; takes it over. */
void workers_update(struct workers *self, struct retrain_update *update);

/* Hands a slice to its shard, which sends it back; or fills it, while nobody runs the shards. `self` is a struct
 * workers. workers_slice() returns 0, or -ENOMEM: it has not gone. */
struct slice;
int workers_slice(void *self, struct slice *slice);
void workers_slice_whole(void *self, struct slice *slice);

/* Gives a model that was written down back to the shard it belongs to, before they run: see shard_restore(). */
int workers_restore(void *self, const void *bytes, size_t size, int64_t shift_ns, struct now now);

/* How far the numbers of all who send have come, in a piece of memory that the caller frees, for the next run; while nobody
 * runs the shards. 0 or -ENOMEM. */
int workers_save_streams(struct workers *self, uint8_t **bytes_p, size_t *size_p, struct now now);
/* The key that a run has to have to go on there. 0 or -EPROTO. */
int workers_streams_key(const uint8_t *bytes, size_t size, struct siphash_key *out);
/* Goes on there. 0; -EPROTO: damaged, what stands before the damage goes on; -ESTALE: of another key or
 * another number of shards. */
int workers_load_streams(struct workers *self, const uint8_t *bytes, size_t size, struct now now);

uint32_t workers_shards(const struct workers *self);
struct inbox *workers_inbox(struct workers *self, uint32_t shard);
uint64_t workers_events(const struct workers *self);
uint32_t workers_models(const struct workers *self);

/* How many threads there are, and how many of them judge at the moment. */
uint32_t workers_threads(const struct workers *self);
uint32_t workers_judging(const struct workers *self);
const struct heart *workers_heart(const struct workers *self, uint32_t thread);

/* What happened in all, to be asked once the threads have ended. */
struct workers_sums {
    uint64_t events, dropped, lost;
};
struct workers_sums workers_sums(const struct workers *self);

/* Lets each shard take what it has been handed, then ends the threads. Nobody may hand anything more. */
void workers_stop(struct workers *self);
void workers_destroy(struct workers **self_p);

#endif

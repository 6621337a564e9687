/* shard.h - some of the models, and all that happens to them: frames in, verdicts, notices and events out.
 *
 * A shard owns its models outright. Who runs it, ingest itself or a thread of its own, makes no difference to it: it
 * waits for nothing, reads no clock and is handed the time.
 *
 * Threads: shard_new(), and shard_inbox(), shard_events() from any; the rest by the one thread that runs it. Memory:
 * grows with the models, up to the bound that all shards share. Failure: an event for which there is no memory is left
 * out and counted.
 */
#ifndef DRIFTD_WORKERS_SHARD_H
#define DRIFTD_WORKERS_SHARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/base/ceiling.h"
#include "daemon/base/clock.h"
#include "daemon/base/frame.h"
#include "daemon/base/inbox.h"
#include "daemon/base/keyring.h"
#include "lib/monitor/monitor.h"
#include "lib/retrain/notice.h"
#include "lib/siphash.h"

/* Bytes that a model takes beside its monitor, at most: itself and its id, its place in the index, the streams that are
 * followed for it, its name among those whose settings a reload works out, and what is shown of its last values. */
#define SHARD_MODEL_BYTES 2048
uint64_t shard_model_bytes(const struct monitor_settings *settings);

struct shard_options {
    uint32_t number, shards; /* which one of how many */
    struct siphash_key key;  /* the same for all of them */
    uint64_t run;            /* a number that this run of the daemon alone has, for ids */
    uint64_t max_message_bytes;
    double max_future_s;
    uint32_t max_models;      /* of all shards together */
    int64_t keep_ns;          /* how long a model that says nothing is kept; 0: for ever */
    atomic_uint *model_count; /* of all shards together; outlives them */
    struct ceiling *ceiling;  /* of the memory of all shards' models; outlives them; NULL: there is no bound */
    struct keyring *keyring;  /* with CURVE: who may speak of what; NULL: everybody of everything */
};

/* How a shard reaches others. All functions may be called from any shard's thread at the same time. */
struct shard_ports {
    void *argument;
    /* What a model is judged by; never NULL on success. 0 or -ENOMEM. */
    int (*settings)(void *argument, const struct model_id *model, const struct monitor_settings **out);
    /* To the keeper of requests, and to observers; both take over what they are given. */
    void (*notice)(void *argument, struct retrain_notice *notice);
    void (*event)(void *argument, struct cloud_event *event);
    /* Lines of a recording, which are taken over; and whether anybody wants them: 0, or the number of a session. Both
     * may be NULL. */
    void (*tape)(void *argument, struct tape *tape);
    const atomic_uint *tape_session;
    const char *source; /* of cloud events: "driftd/<host>" */
};

/* LETTER_RENEW: other settings. What the port `settings` answers has changed as well; each model is asked for anew, a few
 * each turn, and once the last has let go of its old settings `reply_to` gets LETTER_RENEWED. One at a time. */
struct shard_renewal {
    uint64_t max_message_bytes;
    double max_future_s;
    uint32_t max_models;
    int64_t keep_ns;
    struct inbox *reply_to;
    atomic_uint *changed; /* counts the models that have got other settings; outlives the shard */
};

struct shard;

int shard_new(struct shard **self_p, const struct shard_options *options, const struct shard_ports *ports);

/* Whose model hashes to this; bits that the index of a shard does not begin with. */
static inline uint32_t shard_owner(uint64_t hash, uint32_t shards)
{
    return (uint32_t)((hash >> 24) & 0xffffff) % shards;
}

/* Takes up to FRAME_BATCH_MAX frames; they stay initialised, and the caller's. */
void shard_take(struct shard *self, struct frame *frames, uint32_t count, struct now now);

/* Whatever is not frames: letters, timers, answers; a little of it each time. True when there is more to do at once. */
bool shard_turn(struct shard *self, struct now now);

/* LETTER_UPDATE, LETTER_SILENCES, LETTER_RENEW, LETTER_QUESTION, LETTER_SLICE and LETTER_STOP go in here. */
struct inbox *shard_inbox(struct shard *self);
bool shard_stopping(const struct shard *self);

/* Fills a slice at once, while nobody runs the shard. */
struct slice;
void shard_slice_whole(struct shard *self, struct slice *slice);

/* Takes a model back that was written down, before the shard runs. Moments of the clock then are shift_ns behind. 0;
 * -EEXIST: it is there already; -ESTALE: not heard of for keep_ns; -ENOSPC, -EDQUOT: too many models, or too much memory
 * for them; -EPROTO: no such record; -EINVAL; -ENOMEM. */
int shard_restore(struct shard *self, uint64_t hash, const struct model_id *id, const void *bytes, size_t size,
                  int64_t shift_ns, struct now now);

/* How far the numbers of all who send to it have come, while nobody runs the shard: as ledger.h says. */
struct codec;
void shard_save_streams(struct shard *self, struct codec *codec, struct now now);
void shard_load_streams(struct shard *self, struct codec *codec, struct now now);

/* Events taken since the start. */
uint64_t shard_events(const struct shard *self);

/* What was dropped at the door, and what was lost on the way; for the thread that runs the shard. */
uint64_t shard_dropped(const struct shard *self);
uint64_t shard_lost(const struct shard *self);

void shard_destroy(struct shard **self_p);

#endif

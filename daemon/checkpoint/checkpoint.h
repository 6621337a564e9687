/* checkpoint.h - the station that keeps monitors on disk, so that a restart goes on where the daemon was.
 *
 * Every so often it asks one shard after the other for its models, a slice at a time, and writes what it gets into a file
 * beside the store: all models, or those that changed since the file before, whichever costs less in the long run. A shard
 * gives a bounded part of a slice each turn and is asked no faster than CHECKPOINT_BYTES_PER_S, for a quarter of the time at
 * most; the interval is a target that many models may stretch. Files are complete or not there (folder.h), and carry what
 * damage is found by (format.h).
 *
 * A full disk, or one that fails, raises an alarm and costs the checkpoint alone.
 *
 * Threads: everything by the engine; checkpoint_inbox() and checkpoint_last() by any. Memory: one slice. Failure: as each
 * function says.
 */
#ifndef DRIFTD_CHECKPOINT_CHECKPOINT_H
#define DRIFTD_CHECKPOINT_CHECKPOINT_H

#include "daemon/base/clock.h"
#include "daemon/base/inbox.h"
#include "daemon/base/slice.h"

#define CHECKPOINT_BYTES_PER_S (UINT64_C(64) << 20)
#define CHECKPOINT_ERROR_MAX 160

struct checkpoint_options {
    const char *state_dir;
    int64_t every_ns;
    uint32_t shards;
};

/* How it reaches others. */
struct checkpoint_ports {
    void *argument;
    /* Hands a slice to the shard that it names; it comes back to slice->reply_to. 0 or -ENOMEM: it has not gone. */
    int (*ask)(void *argument, struct slice *slice);
    /* The same while no shard runs: the slice is filled at once. */
    void (*fill)(void *argument, struct slice *slice);
    /* Takes a model back. 0; -EEXIST: it is there, from a newer file; -ESTALE: not heard of for too long; -ENOSPC: too many models; -EPROTO: unreadable; or
     * another error. */
    int (*restore)(void *argument, const void *bytes, size_t size, int64_t shift_ns, struct now now);
    /* To observers; takes the event over. */
    void (*event)(void *argument, struct cloud_event *event);
    const char *source; /* of cloud events */
};

/* How the last one went. */
struct checkpoint_figures {
    double at_s;    /* seconds since the epoch; 0: there was none since the start */
    uint64_t models, bytes;
    double seconds;
    uint64_t failed;                  /* since the start */
    char error[CHECKPOINT_ERROR_MAX]; /* of the last one; "": it went well */
};

/* What was found at the start. */
struct checkpoint_restored {
    uint64_t models, too_old, too_many, unreadable;
    uint32_t files, refused, damaged;
    double seconds;
};

struct checkpoint;

/* 0 or -ENOMEM, or the error of a descriptor. A folder that cannot be had is no failure: it is told, and tried again. */
int checkpoint_new(struct checkpoint **self_p, const struct checkpoint_options *options,
                   const struct checkpoint_ports *ports);

/* Gives every model that was kept to ports.restore; says in the log what did not come back. */
void checkpoint_restore(struct checkpoint *self, struct checkpoint_restored *out);

int checkpoint_start(struct checkpoint *self);
/* LETTER_QUESTION {"do": "checkpoint"} goes in here. */
struct inbox *checkpoint_inbox(struct checkpoint *self);
void checkpoint_last(struct checkpoint *self, struct checkpoint_figures *out);

/* Ends the thread, and leaves a checkpoint that is under way: while the shards still run. */
void checkpoint_stop(struct checkpoint *self);

/* The last one, once no shard runs any more: nothing is lost after it. */
void checkpoint_finish(struct checkpoint *self);
void checkpoint_destroy(struct checkpoint **self_p);

#endif

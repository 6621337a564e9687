/* checkpoint_inside.h - what the files of the station share; for them alone.
 *
 * Threads, memory, failure: as checkpoint.h says.
 */
#ifndef DRIFTD_CHECKPOINT_CHECKPOINT_INSIDE_H
#define DRIFTD_CHECKPOINT_CHECKPOINT_INSIDE_H

#include <pthread.h>

#include "daemon/base/boot.h"
#include "daemon/checkpoint/checkpoint.h"
#include "daemon/checkpoint/folder.h"
#include "daemon/checkpoint/format.h"

struct waiting {
    struct waiting *next;
    struct question *question;
};

struct checkpoint {
    struct checkpoint_options options;
    struct checkpoint_ports ports;
    char *state_dir;
    char boot[BOOT_ID_MAX];
    struct folder folder;
    bool open; /* the folder is */
    bool unread; /* it was not at the start: what is in it is of an earlier run */
    uint64_t number; /* of the last file */
    bool all_due;    /* the next file has to hold all models */
    uint64_t all_bytes, new_bytes; /* of the last file with all models, and of those since */

    struct slice slice;
    bool slice_back;
    struct inbox *inbox;
    struct waiting *waiting; /* who asked for a checkpoint that has not begun */
    bool stopping;
    uint64_t alarms;
    pthread_t thread;
    bool started;

    pthread_mutex_t mutex;
    struct checkpoint_figures figures;
};

/* checkpoint_write.c: one checkpoint; the figures say how it went. `direct`: no shard runs. -ECANCELED: a stop came
 * between. */
int checkpoint_write(struct checkpoint *self, bool direct);

/* When the next one is due. No more than a quarter of the time is spent on them, nor of what the disk is asked for at most. */
#define CHECKPOINT_REST 3
static inline int64_t checkpoint_due_ns(int64_t began_ns, int64_t ended_ns, int64_t every_ns)
{
    const int64_t rested_ns = ended_ns + CHECKPOINT_REST * (ended_ns - began_ns);
    return began_ns + every_ns > rested_ns ? began_ns + every_ns : rested_ns;
}

/* checkpoint.c: what came in; waits up to so long for something. */
void checkpoint_letters(struct checkpoint *self, int timeout_ms);

/* Opens the folder if that has not been done yet. */
int checkpoint_folder(struct checkpoint *self);

#endif

/* workers_inside.h - what the files of the station share; for them alone.
 *
 * Threads, memory, failure: as workers.h says.
 */
#ifndef DRIFTD_WORKERS_WORKERS_INSIDE_H
#define DRIFTD_WORKERS_WORKERS_INSIDE_H

#include "daemon/workers/lend.h"
#include "daemon/workers/worker.h"
#include "daemon/workers/workers.h"

struct workers {
    struct workers_options options;
    uint32_t shards;
    uint32_t threads; /* that there are, whether they have work or not */
    atomic_uint model_count;
    struct lend lend;            /* these by ingest alone */
    uint64_t messages, borrowed; /* struct lend_sums */
    struct worker at[WORKERS_MAX];
};

#endif

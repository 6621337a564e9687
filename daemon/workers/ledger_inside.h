/* ledger_inside.h - what the files of the ledger share; for them alone.
 *
 * Threads, memory, failure: as ledger.h says.
 */
#ifndef DRIFTD_WORKERS_LEDGER_INSIDE_H
#define DRIFTD_WORKERS_LEDGER_INSIDE_H

#include "daemon/workers/ledger.h"

/* Beside a stream's node: the run before heard of it, and this one did not yet. */
#define LEDGER_KEPT (UINT32_C(1) << 30)

struct ledger {
    struct siphash_key key;
    struct streams streams;
    uint32_t streams_max;
    uint64_t not_followed, while_down;

    struct ledger_node *nodes;
    uint32_t *node_slots; /* open addressing: index + 1, or 0 */
    uint32_t node_count, node_room;
    uint32_t untold_hand;

    int64_t now_ns; /* the last time that was told, and the same in seconds */
    uint32_t now_s;
};

/* ledger.c: the account of a node; beyond the bound that of the unnamed. False when even that cannot be made. */
bool ledger_account(struct ledger *self, struct text name, uint32_t *out);

#endif

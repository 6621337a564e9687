/* slice.h - a bounded number of models, written down by the shard that keeps them for who writes them to disk.
 *
 * Records stand one behind the other. Each begins with SLICE_HEAD bytes that are left to who writes the file; the shard
 * puts the length of what follows into the first four of them, little-endian.
 *
 * Threads: a slice has one owner at a time and goes back and forth as LETTER_SLICE. Memory: `bytes` is the slice's; a
 * shard makes it larger for a model that does not fit an empty one. Failure: slice.left_out counts models for which
 * there was no memory.
 */
#ifndef DRIFTD_BASE_SLICE_H
#define DRIFTD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/base/inbox.h"

#define SLICE_HEAD 16

struct slice {
    uint8_t *bytes;
    size_t used, room;
    uint32_t shard;        /* whose models */
    bool begin;            /* from the first model on; else where the last slice ended */
    bool changed_only;     /* those alone that have had an event since they were last written down */
    bool last;             /* there are no more */
    uint32_t models, left_out;
    struct inbox *reply_to;
};

#endif

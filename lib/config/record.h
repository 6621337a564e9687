/* record.h - which keys of a record were set, and where.
 *
 * Threads: belongs to one thread. Memory: of the arena. Failure: -ENOMEM.
 */
#ifndef DRIFT_LIB_CONFIG_RECORD_H
#define DRIFT_LIB_CONFIG_RECORD_H

#include "lib/config/arena.h"
#include "lib/config/mistakes.h"
#include "lib/config/schema.h"

struct key_place {
    const struct schema_row *row;
    struct mark mark;
    bool bad; /* a mistake was told, or the value cannot be known: nothing follows from it */
};

struct record {
    struct key_place *places;
    uint32_t count, room;
};

/* NULL: the key was not set. */
const struct key_place *record_find(const struct record *self, const struct schema_row *row);

/* The same by the whole path of its row; few keys are set, so this looks among them and not in the table. */
const struct key_place *record_at(const struct record *self, const char *path);

/* Notes a key; one that was noted before gets the new place. */
int record_note(struct record *self, struct arena *memory, const struct key_place *place);

#endif

/* folder.h - the files of monitors in <state.dir>/monitors: <number>.all holds every model, <number>.new those that
 * changed since the file before. What holds is the newest .all and every .new after it; the rest is of no use any more.
 *
 * Threads: one at a time. Memory: small. Failure: negative errors of the file system.
 */
#ifndef DRIFTD_CHECKPOINT_FOLDER_H
#define DRIFTD_CHECKPOINT_FOLDER_H

#include <stdbool.h>
#include <stdint.h>

struct folder_entry {
    uint64_t number;
    bool changed_only;
};

struct folder {
    int fd;
    struct folder_entry *entries; /* by number, rising */
    uint32_t count;
};

#define FOLDER_NAME_MAX 40

/* Opens <dir>/monitors, made where it is not there, and reads what there is; what an interrupted write left goes. */
int folder_open(struct folder *self, const char *dir);
void folder_name(const struct folder_entry *entry, char out[FOLDER_NAME_MAX]);

/* The first entry of those that hold: the newest with all models, or the first where there is none. */
uint32_t folder_first(const struct folder *self);

/* Forgets and removes every entry before `index`. */
void folder_drop(struct folder *self, uint32_t index);

/* Puts a file that is not to be read out of the way, under a name that is never touched again, and forgets it. */
int folder_set_aside(struct folder *self, uint32_t index);

void folder_close(struct folder *self);

/* A file on its way. Nobody sees it before folder_commit(), which returns once it and its name are on the disk. */
struct folder_file {
    int fd;
    uint64_t bytes;   /* written */
    uint64_t flushed; /* given to the disk already */
};
int folder_create(struct folder *self, struct folder_file *out);
int folder_write(struct folder_file *file, const void *bytes, uint64_t count);
int folder_commit(struct folder *self, struct folder_file *file, const struct folder_entry *entry);
void folder_abandon(struct folder *self, struct folder_file *file);

#endif

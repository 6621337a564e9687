/* file.h - the bytes of a file: the one place of the configuration that reads a disk.
 *
 * Threads: any. Memory: of the arena. Failure: a negative error of the system; -EFBIG: more than SOURCE_BYTES_MAX.
 */
#ifndef DRIFT_LIB_CONFIG_FILE_H
#define DRIFT_LIB_CONFIG_FILE_H

#include "lib/config/arena.h"

int file_read(struct text *out, const char *path, struct arena *memory);

#endif

/* file.h - the files that a configuration is read from: the one place of lib/ that opens any.
 *
 * Threads: pure but for the disk. Memory: of the arena. Failure: negative errors; nothing is told to anyone.
 */
#ifndef DRIFT_LIB_CONFIG_FILE_H
#define DRIFT_LIB_CONFIG_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/config/arena.h"

#define FILE_FOLDER_MAX 1000 /* files of a conf.d */

/* -ESPIPE: a pipe, and `lasting` asks for what can be read again. */
int file_read(struct text *out, const char *path, bool lasting, struct arena *memory);

/* The paths of all "*.yaml" in a folder, in the order of their names; those that begin with a dot are passed over. -E2BIG:
 * more than FILE_FOLDER_MAX. */
int file_list(char ***paths_p, uint32_t *count_p, const char *folder, struct arena *memory);

#endif

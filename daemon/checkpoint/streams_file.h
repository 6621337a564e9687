/* streams_file.h - <state.dir>/monitors/streams: how far the numbers of all senders had come when the daemon was last
 * stopped, so that what they sent meanwhile and what never came is told apart from what they sent long before.
 *
 * It holds for one start alone: whoever has read it removes it, since after a crash it would be wrong.
 *
 * Threads: one at a time. Memory: streams_file_read() gives a piece that the caller frees. Failure: negative errors of the
 * file system.
 */
#ifndef DRIFTD_CHECKPOINT_STREAMS_FILE_H
#define DRIFTD_CHECKPOINT_STREAMS_FILE_H

#include <stddef.h>
#include <stdint.h>

/* Also -ENOENT: there is none; -EPROTO: damaged, or of another version of driftd. */
int streams_file_read(const char *state_dir, uint8_t **bytes_p, size_t *size_p);

/* Complete and on the disk, or not there. The folder is there. */
int streams_file_write(const char *state_dir, const uint8_t *bytes, size_t size);

void streams_file_remove(const char *state_dir);

#endif

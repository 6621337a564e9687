/* lines.h - a file or standard input, line by line, without waiting for ever.
 *
 * Threads: one. Memory: a line is borrowed until the next call. Failure: LINES_WRONG, with errno.
 */
#ifndef DRIFT_CLI_LINES_H
#define DRIFT_CLI_LINES_H

#include <stdint.h>

#include "lib/text.h"

#define LINES_BYTES_MAX (16 << 20) /* of one line; a longer one is EMSGSIZE */

struct lines {
    int fd;
    char *buffer;
    size_t begin, end, room; /* what was read and not handed out: [begin, end) */
    size_t searched;         /* behind begin, there is no line end in so many bytes */
    bool ended;
    uint64_t number; /* of the line handed out last, from 1 */
};

enum lines_outcome { LINES_LINE, LINES_WAIT, LINES_END, LINES_WRONG };

/* Opens a file, or standard input where the path is "-". 0 or -errno. */
int lines_open(struct lines *self, const char *path);

/* Takes a descriptor over. */
void lines_of(struct lines *self, int fd);

/* The next line without its end (LF or CRLF). LINES_WAIT: nothing came within `timeout_ms`, or a signal did. */
enum lines_outcome lines_next(struct lines *self, int timeout_ms, struct text *out);

void lines_close(struct lines *self);

#endif

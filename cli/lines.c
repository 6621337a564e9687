#include "cli/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/say.h"

#define CHUNK 65536

int lines_open(struct lines *self, const char *path)
{
    int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    lines_of(self, fd);
    return 0;
}

void lines_of(struct lines *self, int fd)
{
    *self = (struct lines){.fd = fd};
}

/* Hands [begin, end of line) out. */
static void hand_out(struct lines *self, size_t len, size_t terminator, struct text *out)
{
    out->at = self->buffer + self->begin;
    out->len = len && out->at[len - 1] == '\r' ? len - 1 : len;
    self->begin += len + terminator;
    self->searched = 0;
    self->number++;
}

static bool take_line(struct lines *self, struct text *out)
{
    size_t have = self->end - self->begin;
    const char *from = self->buffer + self->begin;
    const char *at = have > self->searched ? memchr(from + self->searched, '\n', have - self->searched) : NULL;
    if (at)
        hand_out(self, (size_t)(at - from), 1, out);
    else if (self->ended && have)
        hand_out(self, have, 0, out);
    else
        self->searched = have;
    return at || (self->ended && have);
}

static void make_room(struct lines *self)
{
    if (self->buffer && self->begin) {
        memmove(self->buffer, self->buffer + self->begin, self->end - self->begin);
        self->end -= self->begin;
        self->begin = 0;
    }
    if (self->room - self->end < CHUNK) {
        self->room = self->room < CHUNK ? (size_t)2 * CHUNK : self->room * 2;
        self->buffer = must(realloc(self->buffer, self->room));
    }
}

enum lines_outcome lines_next(struct lines *self, int timeout_ms, struct text *out)
{
    while (!(self->buffer && take_line(self, out))) {
        struct pollfd item = {.fd = self->fd, .events = POLLIN};
        if (self->ended)
            return LINES_END;
        if (self->end - self->begin > LINES_BYTES_MAX) {
            errno = EMSGSIZE;
            return LINES_WRONG;
        }
        int ready = poll(&item, 1, timeout_ms);
        if (ready == 0 || (ready < 0 && errno == EINTR))
            return LINES_WAIT;
        make_room(self);
        ssize_t got = read(self->fd, self->buffer + self->end, CHUNK);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            return LINES_WAIT;
        if (got < 0)
            return LINES_WRONG;
        self->end += (size_t)got;
        self->ended = got == 0;
    }
    return LINES_LINE;
}

void lines_close(struct lines *self)
{
    if (self->fd >= 0)
        close(self->fd);
    free(self->buffer);
    *self = (struct lines){.fd = -1};
}

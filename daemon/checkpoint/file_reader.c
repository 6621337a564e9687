#include "daemon/checkpoint/file_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM_FIRST ((size_t)1 << 20)
/* Bytes looked at in vain, in files' lengths: beyond that the rest of a file is given up. Damage that happens costs
 * little; a file made up to cost time costs so much and no more. */
#define PATIENCE 8

static int read_at(int fd, void *out, size_t bytes, uint64_t at)
{
    uint8_t *to = out;
    while (bytes > 0) {
        ssize_t got = pread(fd, to, bytes, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -ENOENT;
        to += got;
        at += (uint64_t)got;
        bytes -= (size_t)got;
    }
    return 0;
}

/* The head, or where that is damaged its copy in the end. */
static int read_head(struct file_reader *self)
{
    uint8_t head[FORMAT_HEAD], end[FORMAT_END];
    uint32_t length;
    if (self->size < FORMAT_HEAD)
        return -ENOENT;
    int rc = read_at(self->fd, head, sizeof head, 0);
    if (rc == 0)
        rc = format_head_read(head, &self->head);
    if (rc != -ENOENT || self->size < FORMAT_HEAD + FORMAT_END)
        return rc;
    rc = read_at(self->fd, end, sizeof end, self->size - sizeof end);
    if (rc < 0)
        return rc;
    if (format_kind_of(end, &length) != FORMAT_LAST || length != 8 + FORMAT_HEAD || !format_holds(end, length))
        return -ENOENT;
    self->damaged = true;
    return format_head_read(end + FORMAT_RECORD_HEAD + 8, &self->head);
}

int file_reader_open(struct file_reader *self, int folder_fd, const char *name)
{
    struct stat about;
    *self = (struct file_reader){.promised = UINT64_MAX,
                                 .fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
    if (self->fd < 0 || fstat(self->fd, &about) < 0) {
        int rc = -errno;
        file_reader_close(self);
        return rc == -ENOENT ? -EIO : rc; /* it was in the listing */
    }
    self->size = S_ISREG(about.st_mode) && about.st_size > 0 ? (uint64_t)about.st_size : 0;
    int rc = read_head(self);
    if (rc == 0) {
        self->room = ROOM_FIRST;
        self->buffer = malloc(self->room);
        rc = self->buffer ? 0 : -ENOMEM;
    }
    if (rc < 0) {
        file_reader_close(self);
        return rc;
    }
    posix_fadvise(self->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    self->left = self->size - FORMAT_HEAD;
    return 0;
}

/* Brings at least so many bytes to buffer[from], if the file has them. */
static bool need(struct file_reader *self, size_t bytes)
{
    if (self->until - self->from >= bytes)
        return true;
    if (self->until - self->from + self->left < bytes || self->error)
        return false;
    memmove(self->buffer, self->buffer + self->from, self->until - self->from);
    self->until -= self->from;
    self->from = 0;
    if (bytes > self->room) {
        uint8_t *larger = realloc(self->buffer, bytes);
        if (!larger) {
            self->error = -ENOMEM;
            return false;
        }
        self->buffer = larger;
        self->room = bytes;
    }
    size_t more = self->room - self->until < self->left ? self->room - self->until : (size_t)self->left;
    int rc = read_at(self->fd, self->buffer + self->until, more, self->size - self->left);
    if (rc < 0) {
        self->error = rc == -ENOENT ? -EIO : rc;
        return false;
    }
    self->until += more;
    self->left -= more;
    return true;
}

/* From a record that does not hold to the next mark. */
static bool look_further(struct file_reader *self)
{
    self->damaged = true;
    self->from++;
    for (;;) {
        if (++self->tried > PATIENCE * self->size || !need(self, FORMAT_RECORD_HEAD))
            return false;
        size_t found = format_next_mark(self->buffer, self->from, self->until);
        self->tried += found - self->from;
        if (found < self->until) {
            self->from = found;
            return true;
        }
        self->from = self->until - (FORMAT_MARK_BYTES - 1);
        if (self->left == 0)
            return false;
    }
}

bool file_reader_next(struct file_reader *self, const uint8_t **content_p, uint32_t *length_p)
{
    while (need(self, FORMAT_RECORD_HEAD)) {
        enum format_kind kind = format_kind_of(self->buffer + self->from, length_p);
        const bool whole = kind != FORMAT_NOTHING && need(self, FORMAT_RECORD_HEAD + (size_t)*length_p);
        if (!whole || !format_holds(self->buffer + self->from, *length_p)) {
            self->tried += whole ? *length_p : 0;
            if (self->error || !look_further(self))
                break;
            continue;
        }
        const uint8_t *content = self->buffer + self->from + FORMAT_RECORD_HEAD;
        self->from += FORMAT_RECORD_HEAD + (size_t)*length_p;
        if (kind == FORMAT_MODEL) {
            self->records++;
            *content_p = content;
            return true;
        }
        if (*length_p != 8 + FORMAT_HEAD)
            continue;
        self->promised = 0;
        for (unsigned i = 0; i < 8; i++)
            self->promised |= (uint64_t)content[i] << (8 * i);
    }
    self->damaged = self->damaged || self->records != self->promised;
    return false;
}

void file_reader_close(struct file_reader *self)
{
    if (self->fd >= 0)
        close(self->fd);
    free(self->buffer);
    self->fd = -1;
    self->buffer = NULL;
}

#include "daemon/checkpoint/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "monitors"
#define UNFINISHED "unfinished"
#define FLUSH_BYTES (UINT64_C(4) << 20)

void folder_name(const struct folder_entry *entry, char out[FOLDER_NAME_MAX])
{
    snprintf(out, FOLDER_NAME_MAX, "%012" PRIu64 ".%s", entry->number, entry->changed_only ? "new" : "all");
}

/* A name that folder_name() would give, and no other. */
static bool entry_of(const char *name, struct folder_entry *out)
{
    char again[FOLDER_NAME_MAX], *end;
    if (*name < '0' || *name > '9')
        return false;
    errno = 0;
    out->number = strtoull(name, &end, 10);
    out->changed_only = strcmp(end, ".new") == 0;
    if (errno || out->number == UINT64_MAX)
        return false;
    folder_name(out, again);
    return strcmp(name, again) == 0;
}

static int by_number(const void *a, const void *b)
{
    const struct folder_entry *left = a, *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

static int list(struct folder *self)
{
    struct folder_entry entry;
    int copy = openat(self->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = copy < 0 ? NULL : fdopendir(copy);
    if (!stream) {
        int rc = -errno;
        if (copy >= 0)
            close(copy);
        return rc;
    }
    int rc = 0;
    for (struct dirent *file; rc == 0 && (file = readdir(stream));) {
        if (!entry_of(file->d_name, &entry))
            continue;
        struct folder_entry *entries = reallocarray(self->entries, self->count + (size_t)1, sizeof *entries);
        if (entries) {
            self->entries = entries;
            entries[self->count++] = entry;
        } else {
            rc = -ENOMEM;
        }
    }
    closedir(stream);
    if (self->count)
        qsort(self->entries, self->count, sizeof *self->entries, by_number);
    return rc;
}

int folder_open(struct folder *self, const char *dir)
{
    *self = (struct folder){.fd = -1};
    int parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return -errno;
    const bool made = mkdirat(parent, NAME, 0750) == 0;
    int rc = !made && errno != EEXIST ? -errno : 0;
    if (rc == 0) {
        self->fd = openat(parent, NAME, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        rc = self->fd < 0 ? -errno : 0;
    }
    if (made)
        fsync(parent); /* where it cannot be done, the first file's own will tell */
    close(parent);
    if (rc == 0) {
        unlinkat(self->fd, UNFINISHED, 0);
        rc = list(self);
    }
    if (rc < 0)
        folder_close(self);
    return rc;
}

uint32_t folder_first(const struct folder *self)
{
    for (uint32_t i = self->count; i > 0; i--)
        if (!self->entries[i - 1].changed_only)
            return i - 1;
    return 0;
}

static void forget(struct folder *self, uint32_t from, uint32_t count)
{
    self->count -= count;
    memmove(self->entries + from, self->entries + from + count, (self->count - from) * sizeof *self->entries);
}

void folder_drop(struct folder *self, uint32_t index)
{
    char name[FOLDER_NAME_MAX];
    for (uint32_t i = 0; i < index; i++) {
        folder_name(&self->entries[i], name);
        unlinkat(self->fd, name, 0);
    }
    if (index)
        forget(self, 0, index);
}

int folder_set_aside(struct folder *self, uint32_t index)
{
    char name[FOLDER_NAME_MAX], aside[FOLDER_NAME_MAX + 16];
    folder_name(&self->entries[index], name);
    snprintf(aside, sizeof aside, "%s.refused", name);
    forget(self, index, 1);
    return renameat(self->fd, name, self->fd, aside) < 0 ? -errno : 0;
}

void folder_close(struct folder *self)
{
    if (self->fd >= 0)
        close(self->fd);
    free(self->entries);
    *self = (struct folder){.fd = -1};
}

/* --- writing --- */

int folder_create(struct folder *self, struct folder_file *out)
{
    *out = (struct folder_file){.fd = openat(self->fd, UNFINISHED, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640)};
    return out->fd < 0 ? -errno : 0;
}

/* A long file goes to the disk piece by piece: a single flush at the end would keep everybody else's waiting. Nobody
 * reads it soon, so that it need not stay in memory. */
static void flush_some(struct folder_file *file)
{
    const off_t from = (off_t)file->flushed, length = (off_t)(file->bytes - file->flushed);
    if (file->bytes - file->flushed < FLUSH_BYTES)
        return;
    sync_file_range(file->fd, from, length,
                    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    posix_fadvise(file->fd, from, length, POSIX_FADV_DONTNEED);
    file->flushed = file->bytes;
}

int folder_write(struct folder_file *file, const void *bytes, uint64_t count)
{
    const uint8_t *at = bytes;
    while (count > 0) {
        ssize_t put = write(file->fd, at, count < (1u << 30) ? count : 1u << 30);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -errno;
        at += put;
        count -= (uint64_t)put;
        file->bytes += (uint64_t)put;
    }
    flush_some(file);
    return 0;
}

int folder_commit(struct folder *self, struct folder_file *file, const struct folder_entry *entry)
{
    char name[FOLDER_NAME_MAX];
    struct folder_entry *entries = reallocarray(self->entries, self->count + (size_t)1, sizeof *entries);
    int rc = entries ? 0 : -ENOMEM;
    if (entries)
        self->entries = entries;
    folder_name(entry, name);
    if (rc == 0 && fsync(file->fd) < 0)
        rc = -errno;
    close(file->fd);
    file->fd = -1;
    if (rc == 0 && renameat(self->fd, UNFINISHED, self->fd, name) < 0)
        rc = -errno;
    if (rc < 0) {
        unlinkat(self->fd, UNFINISHED, 0);
        return rc;
    }
    self->entries[self->count++] = *entry;
    return fsync(self->fd) < 0 ? -errno : 0;
}

void folder_abandon(struct folder *self, struct folder_file *file)
{
    if (file->fd < 0)
        return;
    close(file->fd);
    file->fd = -1;
    unlinkat(self->fd, UNFINISHED, 0);
}

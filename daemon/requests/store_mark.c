#include "daemon/requests/store_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Makes the names in the file's folder durable. */
static int sync_folder(const char *file)
{
    char dir[4096];
    const char *slash = strrchr(file, '/');
    snprintf(dir, sizeof dir, "%.*s", slash ? (int)(slash - file) + 1 : 1, slash ? file : ".");
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = folder < 0 || fsync(folder) < 0 ? -errno : 0;
    if (folder >= 0)
        close(folder);
    return error;
}

int store_mark_leave(const char *file, const char *text)
{
    ssize_t bytes = (ssize_t)strlen(text);
    if (access(file, F_OK) == 0)
        return 0;
    int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd >= 0)
        errno = EIO;
    bool good = fd >= 0 && write(fd, text, (size_t)bytes) == bytes && fsync(fd) == 0;
    int error = good ? 0 : -errno;
    if (fd >= 0)
        close(fd);
    if (!error)
        error = sync_folder(file);
    if (error)
        unlink(file);
    return error;
}

int store_mark_take(const char *file)
{
    if (unlink(file) < 0 && errno != ENOENT)
        return -errno;
    return sync_folder(file);
}

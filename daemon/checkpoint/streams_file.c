#include "daemon/checkpoint/streams_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/checkpoint/folder.h"
#include "lib/codec.h"
#include "lib/siphash.h"

#define NAME "streams"
#define UNFINISHED "streams.unfinished"
#define VERSION 1
#define HEAD 20
#define BYTES_MAX ((off_t)4 << 30) /* of all streams that a daemon follows at its largest, and far more */

static const uint8_t file_mark[8] = {'D', 'R', 'I', 'F', 'T', 'S', 'E', 'Q'};
static const struct siphash_key seal_key = {UINT64_C(0x736d61657274732e), UINT64_C(0x7366736e65657571)}; /* against damage alone */

/* A mark, the version, and a seal over all that follows. */
static int walk_head(struct codec *codec, uint64_t seal)
{
    uint8_t mark[sizeof file_mark];
    uint32_t version = VERSION;
    uint64_t told = seal;
    memcpy(mark, file_mark, sizeof mark);
    codec_bytes(codec, mark, sizeof mark);
    codec_u32(codec, &version, UINT32_MAX);
    codec_u64(codec, &told);
    return codec->failed || memcmp(mark, file_mark, sizeof mark) != 0 || version != VERSION || told != seal ? -EPROTO : 0;
}

static int folder(const char *state_dir)
{
    char path[PATH_MAX];
    const int length = snprintf(path, sizeof path, "%s/monitors", state_dir);
    if (length < 0 || (size_t)length >= sizeof path)
        return -ENAMETOOLONG;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int read_all(int fd, uint8_t *to, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t got = read(fd, to, bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EPROTO;
        to += got;
        bytes -= (size_t)got;
    }
    return 0;
}

/* The content goes to the beginning of the piece. */
static int read_file(int fd, uint8_t **bytes_p, size_t *size_p)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return -errno;
    if (!S_ISREG(about.st_mode) || about.st_size < HEAD || about.st_size > BYTES_MAX)
        return -EPROTO;
    uint8_t head[HEAD], *bytes = malloc((size_t)about.st_size);
    const size_t size = (size_t)about.st_size - HEAD;
    int rc = bytes ? read_all(fd, head, HEAD) : -ENOMEM;
    if (rc == 0)
        rc = read_all(fd, bytes, size);
    struct codec loading = {.in = head, .size = HEAD};
    if (rc == 0)
        rc = walk_head(&loading, siphash13(&seal_key, bytes, size));
    if (rc < 0) {
        free(bytes);
        return rc;
    }
    *bytes_p = bytes;
    *size_p = size;
    return 0;
}

int streams_file_read(const char *state_dir, uint8_t **bytes_p, size_t *size_p)
{
    const int folder_fd = folder(state_dir);
    if (folder_fd < 0)
        return folder_fd;
    const int fd = openat(folder_fd, NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const int rc = fd < 0 ? -errno : read_file(fd, bytes_p, size_p);
    if (fd >= 0)
        close(fd);
    close(folder_fd);
    return rc;
}

static int write_file(int folder_fd, const uint8_t *bytes, size_t size)
{
    uint8_t head[HEAD];
    struct codec saving = {.out = head, .size = HEAD};
    struct folder_file file = {.fd = openat(folder_fd, UNFINISHED, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (file.fd < 0)
        return -errno;
    int rc = walk_head(&saving, siphash13(&seal_key, bytes, size));
    if (rc == 0)
        rc = folder_write(&file, head, HEAD);
    if (rc == 0)
        rc = folder_write(&file, bytes, size);
    if (rc == 0 && fsync(file.fd) < 0)
        rc = -errno;
    close(file.fd);
    return rc;
}

int streams_file_write(const char *state_dir, const uint8_t *bytes, size_t size)
{
    const int folder_fd = folder(state_dir);
    if (folder_fd < 0)
        return folder_fd;
    int rc = write_file(folder_fd, bytes, size);
    if (rc == 0 && renameat(folder_fd, UNFINISHED, folder_fd, NAME) < 0)
        rc = -errno;
    if (rc == 0 && fsync(folder_fd) < 0)
        rc = -errno;
    if (rc < 0)
        unlinkat(folder_fd, UNFINISHED, 0);
    close(folder_fd);
    return rc;
}

void streams_file_remove(const char *state_dir)
{
    const int folder_fd = folder(state_dir);
    if (folder_fd < 0)
        return;
    unlinkat(folder_fd, NAME, 0);
    unlinkat(folder_fd, UNFINISHED, 0);
    close(folder_fd);
}

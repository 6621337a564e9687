/* points.c - what `make fault` links into its driftd: failpoints that kill, and a disk that fails on order.
 *
 * DRIFT_FAILPOINT=name:count   SIGKILL when the count-th time comes that the process passes the point
 * DRIFT_DISK=FILE              SQLite's disk does what FILE says at that moment: "full" (no write succeeds), "sync" (no
 *                              sync does), "write" (writes fail with EIO); anything else, or no FILE: it works
 */
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/requests/failpoint.h"

static char wanted[64];
static atomic_long left = -1;

void failpoint(const char *name)
{
    static const struct timespec moment = {.tv_nsec = 20000000};
    if (strcmp(name, wanted) != 0 || atomic_fetch_sub(&left, 1) != 1)
        return;
    nanosleep(&moment, NULL); /* what was handed to libzmq before this leaves: too early a word must be heard */
    kill(getpid(), SIGKILL);
}

static sqlite3_vfs *real, ordered;
static const char *order_file;

struct file {
    sqlite3_file base;
    sqlite3_file *under;
};

static bool order_is(const char *what)
{
    char order[16] = "";
    FILE *file = order_file ? fopen(order_file, "re") : NULL;
    if (!file)
        return false;
    if (!fgets(order, sizeof order, file))
        order[0] = '\0';
    fclose(file);
    order[strcspn(order, "\n")] = '\0';
    return strcmp(order, what) == 0;
}

#define SELF(f) ((struct file *)(f))
#define CALL(f, method, ...) (SELF(f)->under->pMethods->method(SELF(f)->under, ##__VA_ARGS__))

static int file_close(sqlite3_file *f)
{
    int rc = CALL(f, xClose);
    free(SELF(f)->under);
    return rc;
}

static int file_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return CALL(f, xRead, to, n, at);
}

/* A write is two, with a point between: a kill may find half of it done. */
static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    if (order_is("full"))
        return SQLITE_FULL;
    if (order_is("write"))
        return SQLITE_IOERR_WRITE;
    failpoint("disk_write");
    int half = n > 512 ? n / 2 : 0;
    int rc = half ? CALL(f, xWrite, from, half, at) : SQLITE_OK;
    if (half)
        failpoint("disk_half_written");
    return rc != SQLITE_OK ? rc : CALL(f, xWrite, (const char *)from + half, n - half, at + half);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    failpoint("disk_truncate");
    return CALL(f, xTruncate, size);
}

static int file_sync(sqlite3_file *f, int flags)
{
    if (order_is("sync"))
        return SQLITE_IOERR_FSYNC;
    failpoint("disk_sync");
    int rc = CALL(f, xSync, flags);
    failpoint("disk_synced");
    return rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return CALL(f, xFileSize, size);
}

static int file_lock(sqlite3_file *f, int level)
{
    return CALL(f, xLock, level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return CALL(f, xUnlock, level);
}

static int file_reserved(sqlite3_file *f, int *out)
{
    return CALL(f, xCheckReservedLock, out);
}

static int file_control(sqlite3_file *f, int op, void *argument)
{
    return CALL(f, xFileControl, op, argument);
}

static int file_sector(sqlite3_file *f)
{
    return CALL(f, xSectorSize);
}

static int file_traits(sqlite3_file *f)
{
    return CALL(f, xDeviceCharacteristics);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    static const sqlite3_io_methods methods = {.iVersion = 1,
                                               .xClose = file_close,
                                               .xRead = file_read,
                                               .xWrite = file_write,
                                               .xTruncate = file_truncate,
                                               .xSync = file_sync,
                                               .xFileSize = file_size,
                                               .xLock = file_lock,
                                               .xUnlock = file_unlock,
                                               .xCheckReservedLock = file_reserved,
                                               .xFileControl = file_control,
                                               .xSectorSize = file_sector,
                                               .xDeviceCharacteristics = file_traits};
    (void)vfs;
    SELF(f)->under = calloc(1, (size_t)real->szOsFile);
    if (!SELF(f)->under)
        return SQLITE_NOMEM;
    int rc = real->xOpen(real, name, SELF(f)->under, flags, out);
    f->pMethods = rc == SQLITE_OK ? &methods : NULL;
    if (rc != SQLITE_OK)
        free(SELF(f)->under);
    return rc;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    failpoint("disk_delete");
    return real->xDelete(real, name, sync);
}

__attribute__((constructor)) static void begin(void)
{
    const char *point = getenv("DRIFT_FAILPOINT"), *count = point ? strchr(point, ':') : NULL;
    if (point && count && (size_t)(count - point) < sizeof wanted) {
        memcpy(wanted, point, (size_t)(count - point));
        atomic_store(&left, strtol(count + 1, NULL, 10));
    }
    order_file = getenv("DRIFT_DISK");
    real = sqlite3_vfs_find(NULL);
    ordered = *real;
    ordered.zName = "ordered";
    ordered.xOpen = open_file;
    ordered.xDelete = delete_file;
    ordered.szOsFile = sizeof(struct file);
    ordered.pNext = NULL;
    sqlite3_vfs_register(&ordered, 1);
}

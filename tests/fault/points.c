/* points.c - what `make fault` links into its driftd: failpoints that kill, and a disk that fails on order.
 *
 * DRIFT_FAILPOINT=name:count   SIGKILL when the count-th time comes that the process passes the point
 * DRIFT_DISK=FILE              SQLite's disk does what FILE says at that moment: "full" (no write succeeds), "sync" (no
 *                              sync does), "write" (writes fail with EIO); anything else, or no FILE: it works
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/requests/failpoint.h"
#include "tests/fault/passing_vfs.h"

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

static const char *order_file;

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

/* A write is two, with a point between: a kill may find half of it done. */
static int ordered_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    if (order_is("full"))
        return SQLITE_FULL;
    if (order_is("write"))
        return SQLITE_IOERR_WRITE;
    failpoint("disk_write");
    int half = n > 512 ? n / 2 : 0;
    int rc = half ? PASS_ON(f, xWrite, from, half, at) : SQLITE_OK;
    if (half)
        failpoint("disk_half_written");
    return rc != SQLITE_OK ? rc : PASS_ON(f, xWrite, (const char *)from + half, n - half, at + half);
}

static int ordered_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    failpoint("disk_truncate");
    return PASS_ON(f, xTruncate, size);
}

static int ordered_sync(sqlite3_file *f, int flags)
{
    if (order_is("sync"))
        return SQLITE_IOERR_FSYNC;
    failpoint("disk_sync");
    int rc = PASS_ON(f, xSync, flags);
    failpoint("disk_synced");
    return rc;
}

static int ordered_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    failpoint("disk_delete");
    return passing_real->xDelete(passing_real, name, sync);
}

__attribute__((constructor)) static void begin(void)
{
    static const struct passing_hooks hooks = {
        .write = ordered_write, .truncate = ordered_truncate, .sync = ordered_sync, .remove = ordered_delete};
    const char *point = getenv("DRIFT_FAILPOINT"), *count = point ? strchr(point, ':') : NULL;
    if (point && count && (size_t)(count - point) < sizeof wanted) {
        memcpy(wanted, point, (size_t)(count - point));
        atomic_store(&left, strtol(count + 1, NULL, 10));
    }
    order_file = getenv("DRIFT_DISK");
    passing_register("ordered", &hooks);
}

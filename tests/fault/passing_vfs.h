/* passing_vfs.h - a file system for SQLite that passes everything on to the real one, but what a test wants to see or
 * to spoil.
 *
 * Threads: as SQLite calls it. Memory: one for the program. Failure: what the real one answers; SQLITE_NOMEM.
 */
#ifndef TESTS_PASSING_VFS_H
#define TESTS_PASSING_VFS_H

#include <sqlite3.h>
#include <stdlib.h>

struct passing_file {
    sqlite3_file base;
    sqlite3_file *under;
    int tag;
};

/* Each may be NULL: it is passed on. Who is called instead of the real one passes on by PASS_ON, or does not. */
struct passing_hooks {
    int (*tag)(const char *path); /* a number for a file that is opened; path NULL: a temporary one */
    int (*write)(sqlite3_file *f, const void *from, int n, sqlite3_int64 at);
    int (*truncate)(sqlite3_file *f, sqlite3_int64 size);
    int (*sync)(sqlite3_file *f, int flags);
    int (*remove)(sqlite3_vfs *vfs, const char *path, int sync);
};

#define PASSING(f) ((struct passing_file *)(f))
#define PASS_ON(f, method, ...) (PASSING(f)->under->pMethods->method(PASSING(f)->under, ##__VA_ARGS__))

static sqlite3_vfs *passing_real, passing_vfs;
static struct passing_hooks passing_hooks;

static int pass_close(sqlite3_file *f)
{
    int rc = PASS_ON(f, xClose);
    free(PASSING(f)->under);
    return rc;
}

static int pass_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return PASS_ON(f, xRead, to, n, at);
}

static int pass_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    return passing_hooks.write ? passing_hooks.write(f, from, n, at) : PASS_ON(f, xWrite, from, n, at);
}

static int pass_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return passing_hooks.truncate ? passing_hooks.truncate(f, size) : PASS_ON(f, xTruncate, size);
}

static int pass_sync(sqlite3_file *f, int flags)
{
    return passing_hooks.sync ? passing_hooks.sync(f, flags) : PASS_ON(f, xSync, flags);
}

static int pass_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return PASS_ON(f, xFileSize, size);
}

static int pass_lock(sqlite3_file *f, int level)
{
    return PASS_ON(f, xLock, level);
}

static int pass_unlock(sqlite3_file *f, int level)
{
    return PASS_ON(f, xUnlock, level);
}

static int pass_reserved(sqlite3_file *f, int *out)
{
    return PASS_ON(f, xCheckReservedLock, out);
}

static int pass_control(sqlite3_file *f, int op, void *argument)
{
    return PASS_ON(f, xFileControl, op, argument);
}

static int pass_sector(sqlite3_file *f)
{
    return PASS_ON(f, xSectorSize);
}

static int pass_traits(sqlite3_file *f)
{
    return PASS_ON(f, xDeviceCharacteristics);
}

static int pass_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out)
{
    static const sqlite3_io_methods methods = {.iVersion = 1,
                                               .xClose = pass_close,
                                               .xRead = pass_read,
                                               .xWrite = pass_write,
                                               .xTruncate = pass_truncate,
                                               .xSync = pass_sync,
                                               .xFileSize = pass_size,
                                               .xLock = pass_lock,
                                               .xUnlock = pass_unlock,
                                               .xCheckReservedLock = pass_reserved,
                                               .xFileControl = pass_control,
                                               .xSectorSize = pass_sector,
                                               .xDeviceCharacteristics = pass_traits};
    (void)vfs;
    f->pMethods = NULL;
    PASSING(f)->under = calloc(1, (size_t)passing_real->szOsFile);
    if (!PASSING(f)->under)
        return SQLITE_NOMEM;
    PASSING(f)->tag = passing_hooks.tag ? passing_hooks.tag(path) : 0;
    int rc = passing_real->xOpen(passing_real, path, PASSING(f)->under, flags, out);
    if (rc == SQLITE_OK)
        f->pMethods = &methods;
    else
        free(PASSING(f)->under);
    return rc;
}

/* Puts it before the real one, as the default; NULL: SQLite does not take it. */
static sqlite3_vfs *passing_register(const char *name, const struct passing_hooks *hooks)
{
    passing_hooks = *hooks;
    passing_real = sqlite3_vfs_find(NULL);
    passing_vfs = *passing_real;
    passing_vfs.zName = name;
    passing_vfs.xOpen = pass_open;
    passing_vfs.szOsFile = sizeof(struct passing_file);
    passing_vfs.pNext = NULL;
    if (hooks->remove)
        passing_vfs.xDelete = hooks->remove;
    return sqlite3_vfs_register(&passing_vfs, 1) == SQLITE_OK ? &passing_vfs : NULL;
}

#endif

/* folder.h - a folder of a test's own.
 *
 * Threads: one. Memory: the caller's. Failure: of making, the test fails. */
#ifndef TESTS_FOLDER_H
#define TESTS_FOLDER_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FOLDER_ROOM 64

static inline void folder_make(char dir[FOLDER_ROOM])
{
    strcpy(dir, "/tmp/driftd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static inline int folder_unlink(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* With all that is in it. */
static inline void folder_remove(const char *dir)
{
    nftw(dir, folder_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

#endif

/* power_disk.h - a file system under SQLite that notes what is done to it, and disks as they may be when the power
 * went.
 *
 * Noting: every write, truncation, deletion and sync is a step, in order; the test adds steps of its own (ACK). A disk
 * is moved on step by step, and laid out as files. For a test of one program each.
 *
 * Threads: one. Memory: steps live as long as the program. Failure: the test fails.
 */
#ifndef TESTS_POWER_DISK_H
#define TESTS_POWER_DISK_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/retrain/request.h"
#include "tests/fault/passing_vfs.h"

enum { FILES_MAX = 4, TORN = 512 };

/* -- what was done to the disk ------------------------------------------------------------------------------------- */

enum what { WRITE, TRUNCATE, SYNC, DELETE, ACK };

struct step {
    enum what what;
    int file;
    int64_t at; /* offset, or the new size */
    size_t bytes;
    unsigned char *data;
    bool open_mark, made_mark; /* requests.db-open and requests.db-made were there before it */
    struct {                   /* ACK: in the store this has to stand */
        char request[REQUEST_ID_LEN + 1];
        unsigned attempt;         /* 0: any */
        enum request_state state; /* that was reached at least once */
    } ack;
};

static struct step *steps;
static size_t step_count, step_room;
static char names[FILES_MAX][32];
static int name_count;
static char open_mark[96], made_mark[96]; /* the paths of the marks, which are no files of SQLite's */

static struct step *step_new(enum what what)
{
    if (step_count == step_room) {
        step_room = step_room ? 2 * step_room : 4096;
        steps = realloc(steps, step_room * sizeof *steps);
        ck_assert_ptr_nonnull(steps);
    }
    steps[step_count] = (struct step){
        .what = what, .open_mark = access(open_mark, F_OK) == 0, .made_mark = access(made_mark, F_OK) == 0};
    return &steps[step_count++];
}

static void steps_free(void)
{
    for (size_t i = 0; i < step_count; i++)
        free(steps[i].data);
    free(steps);
    steps = NULL;
    step_count = step_room = 0;
}

static int name_of(const char *path)
{
    const char *name = path ? strrchr(path, '/') + 1 : "";
    for (int i = 0; i < name_count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    ck_assert_int_lt(name_count, FILES_MAX);
    snprintf(names[name_count], sizeof *names, "%s", name);
    return name_count++;
}

/* -- a file system that notes it ----------------------------------------------------------------------------------- */

static const bool *noting_fails; /* no write and no sync succeeds, and none is noted */

static int note_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    if (*noting_fails)
        return SQLITE_IOERR_WRITE;
    struct step *step = step_new(WRITE);
    step->file = PASSING(f)->tag;
    step->at = at;
    step->bytes = (size_t)n;
    step->data = malloc((size_t)n);
    ck_assert_ptr_nonnull(step->data);
    memcpy(step->data, from, (size_t)n);
    return PASS_ON(f, xWrite, from, n, at);
}

static int note_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct step *step = step_new(TRUNCATE);
    step->file = PASSING(f)->tag;
    step->at = size;
    return PASS_ON(f, xTruncate, size);
}

static int note_sync(sqlite3_file *f, int flags)
{
    if (*noting_fails)
        return SQLITE_IOERR_FSYNC;
    step_new(SYNC)->file = PASSING(f)->tag;
    return PASS_ON(f, xSync, flags);
}

static int note_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    step_new(DELETE)->file = name_of(path);
    return passing_real->xDelete(passing_real, path, sync);
}

/* From now on what SQLite does is noted, until sqlite3_vfs_unregister(); while *fails, its disk does nothing. */
static sqlite3_vfs *noting_begin(const bool *fails)
{
    static const struct passing_hooks hooks = {
        .tag = name_of, .write = note_write, .truncate = note_truncate, .sync = note_sync, .remove = note_delete};
    noting_fails = fails;
    sqlite3_vfs *noting = passing_register("noting", &hooks);
    ck_assert_ptr_nonnull(noting);
    return noting;
}

/* -- the disk after the power went --------------------------------------------------------------------------------- */

struct image {
    unsigned char *at;
    size_t bytes, room;
    bool there;
};

/* Beside what is synced, the steps since the last sync of each file. */
struct disk {
    struct image synced[FILES_MAX];
    size_t since[FILES_MAX];   /* the first step that is not synced */
    size_t pending[FILES_MAX]; /* writes among these */
};

static uint64_t chance;

static uint32_t draw(uint32_t below)
{
    chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(chance >> 33) % below;
}

static void image_size(struct image *image, size_t bytes)
{
    if (bytes > image->room) {
        image->room = 2 * bytes;
        image->at = realloc(image->at, image->room);
        ck_assert_ptr_nonnull(image->at);
    }
    if (bytes > image->bytes)
        memset(image->at + image->bytes, 0, bytes - image->bytes);
    image->bytes = bytes;
    image->there = true;
}

static void image_write(struct image *image, const struct step *step, size_t from, size_t to)
{
    if (from >= to)
        return;
    if (image->bytes < (size_t)step->at + to)
        image_size(image, (size_t)step->at + to);
    memcpy(image->at + step->at + from, step->data + from, to - from);
    image->there = true;
}

static void apply(struct image *image, const struct step *step)
{
    if (step->what == WRITE)
        image_write(image, step, 0, step->bytes);
    else if (step->what == TRUNCATE)
        image_size(image, (size_t)step->at);
}

/* A write that was not synced: there, not there, or some of its sectors. */
static void apply_by_chance(struct image *image, const struct step *step)
{
    switch (step->what == TRUNCATE ? draw(2) : draw(3)) {
    case 0:
        break;
    case 1:
        apply(image, step);
        break;
    default:
        for (size_t from = 0; from < step->bytes; from += TORN)
            if (draw(2))
                image_write(image, step, from, from + TORN < step->bytes ? from + TORN : step->bytes);
        break;
    }
}

/* Takes one step into the disk; syncs make durable what came before them. */
static void advance(struct disk *disk, size_t number)
{
    const struct step *step = &steps[number];
    if (step->what == WRITE || step->what == TRUNCATE)
        disk->pending[step->file]++;
    else if (step->what != ACK)
        disk->pending[step->file] = 0;
    if (step->what == SYNC) {
        for (size_t i = disk->since[step->file]; i < number; i++)
            if (steps[i].file == step->file)
                apply(&disk->synced[step->file], &steps[i]);
        disk->synced[step->file].there = true;
        disk->since[step->file] = number + 1;
    } else if (step->what == DELETE) {
        disk->synced[step->file].bytes = 0;
        disk->synced[step->file].there = false;
        disk->since[step->file] = number + 1;
    }
}

static void disk_free(struct disk *disk)
{
    for (int f = 0; f < FILES_MAX; f++)
        free(disk->synced[f].at);
}

static bool disk_unsynced(const struct disk *disk)
{
    size_t pending = 0;
    for (int f = 0; f < name_count; f++)
        pending += disk->pending[f];
    return pending > 0;
}

/* Whether the disk after step `end` - 1 can be another than those after the step before it; `how`: see lay_out(). */
static bool disk_differs(const struct disk *disk, size_t end, int how)
{
    if (end == 0 || end == step_count || steps[end - 1].what == DELETE)
        return true;
    if (steps[end - 1].what == SYNC)
        return how == 0 || (how == 2 && disk_unsynced(disk));
    return how != 0; /* a write: what is synced stayed as it was */
}

static void put_file(const char *dir, const char *name, const void *data, size_t bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert(bytes == 0 || fwrite(data, bytes, 1, file) == 1);
    ck_assert_int_eq(fclose(file), 0);
}

/* The folder as it may be when the power went before step `end`; `how`: 0 nothing that was not synced, 1 all of it, 2
 * by chance. */
static void lay_out(const struct disk *disk, size_t end, int how, const char *dir)
{
    for (int f = 0; f < name_count; f++) {
        char path[128];
        struct image image = {.at = NULL};
        const struct image *synced = &disk->synced[f];
        image_size(&image, synced->bytes);
        if (synced->bytes)
            memcpy(image.at, synced->at, synced->bytes);
        image.there = synced->there;
        for (size_t i = disk->since[f]; i < end; i++) {
            if (steps[i].file != f || (steps[i].what != WRITE && steps[i].what != TRUNCATE))
                continue;
            if (how == 1)
                apply(&image, &steps[i]);
            else if (how == 2)
                apply_by_chance(&image, &steps[i]);
        }
        snprintf(path, sizeof path, "%s/%s", dir, names[f]);
        if (image.there)
            put_file(dir, names[f], image.at, image.bytes);
        else
            unlink(path);
        free(image.at);
    }
    /* Marks are synced when they come and when they go, before the next step; the power goes before that or after. */
    const struct step *before = end > 0 ? &steps[end - 1] : NULL, *after = end < step_count ? &steps[end] : NULL;
    if (how == 0 ? before && before->made_mark : !after || after->made_mark)
        put_file(dir, "requests.db-made", "made", 4);
    if (how == 0 ? before && before->open_mark : after && after->open_mark)
        put_file(dir, "requests.db-open", "open", 4);
}

#endif

/* The power goes at every moment of a run of requests: each prefix of what was written opens, and has everything that
 * anybody was told of.
 *
 * A file system under SQLite notes every write, truncation, deletion and sync, and every acknowledgement in between: a
 * job sent, a reply, an event. Afterwards the disk is made anew as it may look when the power went after each of these
 * steps: what was synced is there; what was not is there, or is not, or in part, in any combination by chance. The store
 * is opened on it and asked for all that was acknowledged until then.
 *
 * POWER: requests in the run (12). STRIDE: every so many-th prefix (1). SEED: of chance (1). */
#include <sqlite3.h>

#include "tests/unit/requests_rig.h"

enum { FILES_MAX = 4, TORN = 512 };

/* -- what was done to the disk ----------------------------------------------------------------------------------------- */

enum what { WRITE, TRUNCATE, SYNC, DELETE, ACK };

struct step {
    enum what what;
    int file;
    int64_t at; /* offset, or the new size */
    size_t bytes;
    unsigned char *data;
    struct { /* ACK: in the store this has to stand */
        char request[REQUEST_ID_LEN + 1];
        unsigned attempt;
        enum request_state state; /* that was reached at least once */
    } ack;
};

static struct step *steps;
static size_t step_count, step_room;
static char names[FILES_MAX][32];
static int name_count;

static struct step *step_new(enum what what)
{
    if (step_count == step_room) {
        step_room = step_room ? 2 * step_room : 4096;
        steps = realloc(steps, step_room * sizeof *steps);
        ck_assert_ptr_nonnull(steps);
    }
    steps[step_count] = (struct step){.what = what};
    return &steps[step_count++];
}

static int name_of(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    for (int i = 0; i < name_count; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    ck_assert_int_lt(name_count, FILES_MAX);
    snprintf(names[name_count], sizeof *names, "%s", name);
    return name_count++;
}

/* -- a file system that notes it ---------------------------------------------------------------------------------------- */

static sqlite3_vfs *real, noting;

struct file {
    sqlite3_file base;
    sqlite3_file *under;
    int name;
};

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
static int file_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    struct step *step = step_new(WRITE);
    step->file = SELF(f)->name;
    step->at = at;
    step->bytes = (size_t)n;
    step->data = malloc((size_t)n);
    ck_assert_ptr_nonnull(step->data);
    memcpy(step->data, from, (size_t)n);
    return CALL(f, xWrite, from, n, at);
}
static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    struct step *step = step_new(TRUNCATE);
    step->file = SELF(f)->name;
    step->at = size;
    return CALL(f, xTruncate, size);
}
static int file_sync(sqlite3_file *f, int flags)
{
    step_new(SYNC)->file = SELF(f)->name;
    return CALL(f, xSync, flags);
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

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out)
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
    SELF(f)->name = path ? name_of(path) : 0;
    int rc = real->xOpen(real, path, SELF(f)->under, flags, out);
    f->pMethods = rc == SQLITE_OK ? &methods : NULL;
    if (rc != SQLITE_OK)
        free(SELF(f)->under);
    return rc;
}

static int delete_file(sqlite3_vfs *vfs, const char *path, int sync)
{
    (void)vfs;
    step_new(DELETE)->file = name_of(path);
    return real->xDelete(real, path, sync);
}

/* -- a run of requests --------------------------------------------------------------------------------------------------- */

static struct rig rig;

static void acknowledged(const char *request, unsigned attempt, enum request_state state)
{
    struct step *step = step_new(ACK);
    snprintf(step->ack.request, sizeof step->ack.request, "%s", request);
    step->ack.attempt = attempt;
    step->ack.state = state;
}

static int (*rig_send_before)(void *argument, const char *job, size_t bytes);

static int send_and_note(void *argument, const char *job, size_t bytes)
{
    int rc = rig_send_before(argument, job, bytes);
    unsigned attempt;
    if (rc == 0) {
        const char *id = rig_job(&rig, rig.job_count - 1, &attempt);
        acknowledged(id, attempt, REQUEST_OFFERED);
    }
    return rc;
}

static void told(const char *reply, const char *id, unsigned attempt, enum request_state state)
{
    if (strstr(reply, "\"ok\":true"))
        acknowledged(id, attempt, state);
}

/* Drifts come in groups, as they do; trainers finish most, fail some, forget some. */
static void run_requests(int count)
{
    for (int i = 0; i < count;) {
        rig_forget(&rig);
        for (int group = 1 + i % 7; group > 0 && i < count; group--, i++) {
            char model[32];
            snprintf(model, sizeof model, "p/m%d/v", i);
            rig_put(&rig, rig_trigger_notice(&rig, model, 0.1 * i));
        }
        rig_turn(&rig);
        int jobs = rig.job_count;
        for (int job = 0; job < jobs; job++) {
            unsigned attempt;
            char id[REQUEST_ID_LEN + 1];
            snprintf(id, sizeof id, "%s", rig_job(&rig, job, &attempt));
            told(rig_say(&rig, "accept", id, attempt, "t", NULL), id, attempt, REQUEST_RUNNING);
            if (job % 5 == 4)
                continue;
            if (job % 3 == 2)
                told(rig_say(&rig, "fail", id, attempt, "t", NULL), id, attempt, REQUEST_PENDING);
            else
                told(rig_say(&rig, "done", id, attempt, "t", "\"gpu_hours\": 1"), id, attempt, REQUEST_DONE);
        }
        rig_pass(&rig, 40);
        if (rig.coming_count > RIG_MANY / 2) {
            for (int m = 0; m < rig.coming_count; m++) {
                free(rig.coming[m]->json);
                free(rig.coming[m]->reply);
                free(rig.coming[m]);
            }
            rig.coming_count = rig.coming_taken = 0;
        }
    }
}

/* -- the disk after the power went ---------------------------------------------------------------------------------------- */

struct image {
    unsigned char *at;
    size_t bytes, room;
    bool there;
};

/* Beside what is synced, the steps since the last sync of each file. */
struct disk {
    struct image synced[FILES_MAX];
    size_t since[FILES_MAX]; /* the first step that is not synced */
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

static void put_file(const char *dir, const char *name, const void *data, size_t bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert(bytes == 0 || fwrite(data, bytes, 1, file) == 1);
    ck_assert_int_eq(fclose(file), 0);
}

/* The folder as it may be when the power went before step `end`; `how`: 0 nothing that was not synced, 1 all of it, 2 by
 * chance. */
static void lay_out(const struct disk *disk, size_t end, int how, bool open_mark, const char *dir)
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
    put_file(dir, "requests.db-made", "made", 4);
    if (open_mark)
        put_file(dir, "requests.db-open", "open", 4);
}

struct reached {
    bool offered, accepted, done, back;
    unsigned attempt;
};

static void note_line(void *argument, const struct store_line *line)
{
    struct reached *reached = argument;
    if (line->attempt != reached->attempt)
        return;
    reached->offered |= strcmp(line->to, "OFFERED") == 0;
    reached->accepted |= strcmp(line->to, "RUNNING") == 0;
    reached->done |= strcmp(line->to, "DONE") == 0;
    reached->back |= line->from && strcmp(line->from, "RUNNING") == 0 && strcmp(line->to, "RUNNING") != 0;
}

/* Opens the store and asks for the acknowledgements among steps [first, end). */
static void opens_with_all(const char *dir, size_t first, size_t end, int how)
{
    struct store *store;
    char why[STORE_WHY_MAX];
    struct moment later = {.steady_ns = INT64_C(90000) * RIG_S, .wall_s = RIG_WALL_S + 90000};
    int rc = store_open(&store, dir, "first", later, why);
    ck_assert_msg(rc == 0, "the power went before step %zu (%d): %d: %s", end, how, rc, why);
    for (size_t i = first; i < end; i++) {
        if (steps[i].what != ACK)
            continue;
        struct reached reached = {.attempt = steps[i].ack.attempt};
        ck_assert_int_ge(store_each_line(store, steps[i].ack.request, note_line, &reached), 0);
        bool good = steps[i].ack.state == REQUEST_OFFERED   ? reached.offered
                    : steps[i].ack.state == REQUEST_RUNNING ? reached.accepted
                    : steps[i].ack.state == REQUEST_DONE    ? reached.done
                                                            : reached.back;
        ck_assert_msg(good, "the power went before step %zu (%d): %s of attempt %u was acknowledged at step %zu and is lost",
                      end, how, request_state_name(steps[i].ack.state), steps[i].ack.attempt, i);
    }
    store_close(&store);
}

/* What was synced only grows: all acknowledgements are asked for now and then, the latest each time. */
static size_t latest_acks(size_t end)
{
    size_t acks = 0;
    while (end > 0 && acks < 64)
        acks += steps[--end].what == ACK;
    return end;
}

static long number_from(const char *name, long standard)
{
    const char *text = getenv(name);
    return text && *text ? strtol(text, NULL, 10) : standard;
}

START_TEST(every_prefix_opens_and_loses_nothing_acknowledged)
{
    long count = number_from("POWER", 12), stride = number_from("STRIDE", 1);
    chance = (uint64_t)number_from("SEED", 1);
    real = sqlite3_vfs_find(NULL);
    noting = *real;
    noting.zName = "noting";
    noting.xOpen = open_file;
    noting.xDelete = delete_file;
    noting.szOsFile = sizeof(struct file);
    noting.pNext = NULL;
    ck_assert_int_eq(sqlite3_vfs_register(&noting, 1), SQLITE_OK);
    rig_new(&rig);
    rig_start(&rig);
    size_t opened = step_count; /* from here on the marks are there */
    rig_send_before = rig.core->ports.job.send;
    rig.core->ports.job.send = send_and_note;
    run_requests((int)count);
    core_destroy(&rig.core); /* its end is part of the run: the log goes into the database, and away */
    sqlite3_vfs_unregister(&noting);

    char dir[] = "/dev/shm/driftd-power-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    struct disk disk = {.since = {0}};
    size_t prefixes = 0, acknowledged_count = 0, syncs = 0;
    for (size_t end = 0; end <= step_count; end++) {
        if (end > 0) {
            advance(&disk, end - 1);
            acknowledged_count += steps[end - 1].what == ACK;
            syncs += steps[end - 1].what == SYNC;
        }
        bool changed = end == 0 || steps[end - 1].what != ACK;
        if (end < opened || !changed || end % (size_t)stride)
            continue;
        for (int how = 0; how < 3; how++) {
            /* The mark goes before the log does, at the end. */
            bool log_there = end < step_count;
            for (size_t i = end; i-- > opened && log_there;)
                if (steps[i].what == DELETE)
                    log_there = false;
            lay_out(&disk, end, how, log_there && end < step_count, dir);
            opens_with_all(dir, prefixes % 64 ? latest_acks(end) : 0, end, how);
            nftw(dir, rig_unlink, 8, FTW_DEPTH | FTW_PHYS);
            ck_assert_int_eq(mkdir(dir, 0700), 0);
            prefixes++;
        }
    }
    fprintf(stderr, "%ld requests: %zu steps on the disk, %zu syncs, %zu acknowledgements; %zu disks opened, none lost any\n",
            count, step_count - acknowledged_count, syncs, acknowledged_count, prefixes);
    nftw(dir, rig_unlink, 8, FTW_DEPTH | FTW_PHYS);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("power");
    TCase *tests = tcase_create("power");
    tcase_set_timeout(tests, 7200);
    tcase_add_test(tests, every_prefix_opens_and_loses_nothing_acknowledged);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

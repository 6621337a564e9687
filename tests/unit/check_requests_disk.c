/* The station's core when the disk does not do what it should: full, and then broken. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>

#include "daemon/requests/store_inside.h"
#include "tests/run_suite.h"
#include "tests/unit/requests_rig.h"

/* A disk under SQLite that can be told to fail: every call goes through to the real one, until `sync_fails` or `full`. */
static sqlite3_vfs *real;
static bool sync_fails, full, read_fails;
static int writes;

struct shim_file {
    sqlite3_file base;
    sqlite3_file *under;
};

#define UNDER(f) (((struct shim_file *)(f))->under)
#define CALL(f, method, ...) (UNDER(f)->pMethods->method(UNDER(f), ##__VA_ARGS__))

static int shim_close(sqlite3_file *f)
{
    int rc = CALL(f, xClose);
    free(UNDER(f));
    return rc;
}
static int shim_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
    return read_fails ? SQLITE_IOERR_READ : CALL(f, xRead, to, n, at);
}
static int shim_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
    writes++;
    return full ? SQLITE_FULL : CALL(f, xWrite, from, n, at);
}
static int shim_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    return CALL(f, xTruncate, size);
}
static int shim_sync(sqlite3_file *f, int flags)
{
    return sync_fails ? SQLITE_IOERR_FSYNC : CALL(f, xSync, flags);
}
static int shim_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return CALL(f, xFileSize, size);
}
static int shim_lock(sqlite3_file *f, int level)
{
    return CALL(f, xLock, level);
}
static int shim_unlock(sqlite3_file *f, int level)
{
    return CALL(f, xUnlock, level);
}
static int shim_check_lock(sqlite3_file *f, int *out)
{
    return CALL(f, xCheckReservedLock, out);
}
static int shim_control(sqlite3_file *f, int op, void *argument)
{
    return CALL(f, xFileControl, op, argument);
}
static int shim_sector(sqlite3_file *f)
{
    return CALL(f, xSectorSize);
}
static int shim_traits(sqlite3_file *f)
{
    return CALL(f, xDeviceCharacteristics);
}

static int shim_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
    static const sqlite3_io_methods methods = {.iVersion = 1,
                                               .xClose = shim_close,
                                               .xRead = shim_read,
                                               .xWrite = shim_write,
                                               .xTruncate = shim_truncate,
                                               .xSync = shim_sync,
                                               .xFileSize = shim_size,
                                               .xLock = shim_lock,
                                               .xUnlock = shim_unlock,
                                               .xCheckReservedLock = shim_check_lock,
                                               .xFileControl = shim_control,
                                               .xSectorSize = shim_sector,
                                               .xDeviceCharacteristics = shim_traits};
    (void)vfs;
    UNDER(f) = calloc(1, (size_t)real->szOsFile);
    int rc = real->xOpen(real, name, UNDER(f), flags, out);
    f->pMethods = rc == SQLITE_OK ? &methods : NULL;
    if (rc != SQLITE_OK)
        free(UNDER(f));
    return rc;
}

static struct rig rig;
static sqlite3_vfs shim;

static void begin(void)
{
    real = sqlite3_vfs_find(NULL);
    shim = *real;
    shim.zName = "shim";
    shim.xOpen = shim_open;
    shim.szOsFile = sizeof(struct shim_file);
    shim.pNext = NULL;
    ck_assert_int_eq(sqlite3_vfs_register(&shim, 1), SQLITE_OK);
    sync_fails = full = read_fails = false;
    rig_new(&rig);
    rig_start(&rig);
    core_destroy(&rig.core); /* the log of a store that is made is longer than what stands in it afterwards */
    rig_start(&rig);
}

static void finish(void)
{
    sync_fails = full = read_fails = false;
    rig_end(&rig);
    sqlite3_vfs_unregister(&shim);
}

#define REFUSED(reply, code) ck_assert_ptr_nonnull(strstr((reply), "{\"ok\":false,\"error\":\"" code "\""))

/* Detection goes on, nothing is offered, trainers are told to try again; with room, all of it is made good. */
static void a_full_disk(void (*fill)(bool))
{
    rig_trigger(&rig, "p/runs/v", 0.1);
    const char *runs = rig_job(&rig, 0, NULL);
    rig_say(&rig, "accept", runs, 1, "t", NULL);
    rig_forget(&rig);
    rig_trigger(&rig, "p/a/v", 0.1);
    ck_assert_int_eq(rig.job_count, 1);
    const char *id = rig_job(&rig, 0, NULL);
    fill(true);
    for (int i = 0; i < 50; i++) {
        char model[32];
        snprintf(model, sizeof model, "p/n%d/v", i);
        rig_trigger(&rig, model, 0.1);
    }
    REFUSED(rig_say(&rig, "accept", id, 1, "t", NULL), "unavailable");
    rig_pass(&rig, 2.5);
    REFUSED(rig_say(&rig, "accept", id, 1, "t", NULL), "unavailable");
    ck_assert_int_eq(rig.job_count, 1);
    ck_assert_int_eq(rig_events(&rig, "driftd.alarm"), 1);
    ck_assert_ptr_nonnull(strstr(rig.events[rig.event_count - 1], "\"alarm\":\"store_full\",\"raised\":true"));
    json_t *answer = rig_ask(&rig, "{\"do\": \"status\"}");
    ck_assert(json_is_true(json_object_get(answer, "store_full")));
    ck_assert_int_eq(json_integer_value(json_object_get(json_object_get(answer, "requests"), "OFFERED")), 1);
    json_decref(answer);
    answer = rig_ask(&rig, "{\"do\": \"retrain\", \"model\": \"p/z/v\"}");
    ck_assert_str_eq(json_string_value(json_object_get(answer, "error")), "unavailable");
    json_decref(answer);
    ck_assert_uint_eq(inbox_count(rig.engine), 0);
    rig_pass(&rig, 310);
    ck_assert_int_eq(rig_events(&rig, "driftd.alarm"), 1);
    REFUSED(rig_say(&rig, "progress", runs, 1, "t", NULL), "unavailable");

    fill(false);
    rig_pass(&rig, 1.5);
    ck_assert_int_eq(rig_events(&rig, "driftd.alarm"), 2);
    ck_assert_uint_eq(core_live(rig.core), 52);
    /* Nobody lost a lease because the daemon could not hear. */
    ck_assert_ptr_nonnull(strstr(rig_say(&rig, "progress", runs, 1, "t", NULL), "\"ok\":true"));
    ck_assert_int_eq(rig.job_count, 52); /* 50 new ones, and the first again: its offer ran out meanwhile */
    ck_assert_ptr_nonnull(strstr(rig_say(&rig, "accept", id, 1, "t", NULL), "\"ok\":true"));
    answer = rig_ask(&rig, "{\"do\": \"status\"}");
    ck_assert(json_is_false(json_object_get(answer, "store_full")));
    json_decref(answer);
    core_destroy(&rig.core);
    rig_start(&rig);
    ck_assert_uint_eq(core_live(rig.core), 52);
}

/* Sends a job, and then takes turns on a full disk, the second of them before the disk is tried again: what became of the
 * job is recorded once there is room. */
static void send_into_a_full_disk(void)
{
    rig_put(&rig, rig_trigger_notice(&rig, "p/a/v", 0.1));
    for (int i = 0; i < 5 && !rig.core->sent; i++)
        core_turn(rig.core, rig_now(&rig));
    ck_assert_ptr_nonnull(rig.core->sent);
    full = true;
    core_turn(rig.core, rig_now(&rig));
    json_decref(rig_ask(&rig, "{\"do\": \"status\"}"));
    full = false;
}

START_TEST(what_was_handed_over_is_not_forgotten)
{
    core_destroy(&rig.core);
    rig.options.feedback_required = false;
    rig_start(&rig);
    send_into_a_full_disk();
    const char *id = rig_job(&rig, 0, NULL);
    rig_pass(&rig, 5);
    ck_assert_str_eq(rig_member(&rig, id, "state"), "DONE");
    rig_trigger(&rig, "p/a/v", 0.1);
    ck_assert_int_eq(rig.job_count, 2);
}
END_TEST

START_TEST(what_was_not_taken_is_offered_again)
{
    rig.refuses = true;
    send_into_a_full_disk();
    rig.refuses = false;
    rig_pass(&rig, 5);
    ck_assert_int_eq(rig.job_count, 1);
}
END_TEST

static void put_question(const char *ask)
{
    struct question *question = calloc(1, sizeof *question);
    *question = (struct question){.id = 5, .ask = strdup(ask), .from = -1, .reply_to = rig.answers};
    ck_assert_int_eq(inbox_put(rig.inbox, (struct letter){LETTER_QUESTION, question, question_drop}), 0);
}

/* A command that waits for the next turn, and finds the disk full there, is answered as any other, and not carried out
 * hours later. */
START_TEST(a_command_does_not_wait_for_room)
{
    char ask[128];
    struct letter letter;
    rig_trigger(&rig, "p/a/v", 0.1);
    snprintf(ask, sizeof ask, "{\"do\": \"cancel\", \"request\": \"%s\"}", rig_job(&rig, 0, NULL));
    full = true;
    put_question(ask);
    put_question("{\"do\": \"retrain\", \"model\": \"p/a/v\"}");
    core_turn(rig.core, rig_now(&rig));
    for (int i = 0; i < 2; i++) {
        ck_assert(inbox_take(rig.answers, &letter));
        ck_assert_ptr_nonnull(strstr(((struct question *)letter.body)->answer, "unavailable"));
        question_drop(letter.body);
    }
    full = false;
    rig_pass(&rig, 5);
    ck_assert_uint_eq(core_live(rig.core), 1); /* that was not cancelled */
}
END_TEST

static void fill_shim(bool fill)
{
    full = fill;
}

START_TEST(a_full_disk_stops_offers_and_heals)
{
    a_full_disk(fill_shim);
}
END_TEST

static void fill_quota(bool fill)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (fill) {
        char path[96];
        struct stat st;
        snprintf(path, sizeof path, "%s/requests.db-wal", rig.dir);
        ck_assert_int_eq(stat(path, &st), 0);
        limit.rlim_cur = (rlim_t)st.st_size;
    }
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(a_file_that_may_not_grow_is_a_full_disk)
{
    signal(SIGXFSZ, SIG_IGN);
    a_full_disk(fill_quota);
}
END_TEST

START_TEST(a_failed_sync_ends_the_station)
{
    struct letter letter;
    rig_trigger(&rig, "p/a/v", 0.1);
    const char *id = rig_job(&rig, 0, NULL);
    sync_fails = true;
    struct rig_message *message = rig_post(&rig, "{\"say\": \"dance\"}");
    char json[256];
    snprintf(json, sizeof json, "{\"say\": \"accept\", \"request\": \"%s\", \"attempt\": 1, \"trainer\": \"t\"}", id);
    struct rig_message *accept = rig_post(&rig, json);
    ck_assert(!core_turn(rig.core, rig_now(&rig)));
    REFUSED(message->reply, "bad_message"); /* what needs no store stands */
    REFUSED(accept->reply, "unavailable");
    ck_assert(inbox_take(rig.engine, &letter));
    ck_assert_int_eq(letter.kind, LETTER_ALARM);
    ck_assert_int_eq(rig_events(&rig, "driftd.alarm"), 1);
    /* Nothing is tried again: a later sync could falsely succeed. */
    sync_fails = false;
    ck_assert(!core_turn(rig.core, rig_now(&rig)));
    ck_assert(core_stopped(rig.core));
    ck_assert(!inbox_take(rig.engine, &letter));
    core_destroy(&rig.core);
    rig_start(&rig);
    ck_assert_uint_eq(core_live(rig.core), 1);
}
END_TEST

/* Made and offered in the turn that could not be kept: it is made again, and its place within the limit is free. */
/* What cannot be read may be the disk's last word: the log stays as it is, for whoever looks. */
START_TEST(a_failed_read_ends_the_station)
{
    char mark[FOLDER_ROOM + 32];
    for (int i = 0; i < 300; i++) {
        char model[32];
        snprintf(model, sizeof model, "p/n%d/v", i);
        rig_trigger(&rig, model, 0.1);
    }
    sqlite3_db_release_memory(rig.core->store->db);
    read_fails = true;
    rig_post(&rig, "{\"say\": \"accept\", \"request\": \"nope\", \"attempt\": 1, \"trainer\": \"t\"}");
    ck_assert(!core_turn(rig.core, rig_now(&rig)));
    read_fails = false;
    writes = 0;
    snprintf(mark, sizeof mark, "%s/requests.db-open", rig.dir);
    core_destroy(&rig.core);
    ck_assert_int_eq(writes, 0);
    ck_assert_int_eq(access(mark, F_OK), 0);
    rig_start(&rig);
    ck_assert_uint_eq(core_live(rig.core), 300);
}
END_TEST

START_TEST(what_could_not_be_kept_counts_for_no_limit)
{
    core_destroy(&rig.core);
    rig.options.fleet.concurrent = 1;
    rig_start(&rig);
    full = true;
    rig_trigger(&rig, "p/a/v", 0.1);
    ck_assert_uint_eq(core_live(rig.core), 0);
    rig_pass(&rig, 3);
    full = false;
    rig_pass(&rig, 3);
    ck_assert_uint_eq(core_live(rig.core), 1);
    ck_assert_int_eq(rig.job_count, 1);
    ck_assert_ptr_nonnull(strstr(rig.jobs[0], "\"mean\":0.52")); /* with the metrics of its notice */
    rig_trigger(&rig, "p/b/v", 0.1);
    ck_assert_int_eq(rig.job_count, 1);
}
END_TEST

START_TEST(notices_wait_in_order_while_the_disk_is_full)
{
    rig.free_trainers = 0;
    full = true;
    for (int i = 0; i < 1200; i++) {
        char model[32];
        snprintf(model, sizeof model, "p/n%d/v", i);
        rig_put(&rig, rig_trigger_notice(&rig, model, 0.1));
        struct retrain_notice *recovered = rig_notice(&rig, NOTICE_RECOVERED, model);
        strcpy(recovered->trigger.metric, "accuracy");
        if (i % 3 == 0)
            rig_put(&rig, recovered);
        else
            retrain_notice_destroy(&recovered);
    }
    rig_turn(&rig);
    ck_assert_uint_eq(core_live(rig.core), 0);
    rig_pass(&rig, 10);
    full = false;
    rig_pass(&rig, 2);
    ck_assert_uint_eq(core_live(rig.core), 800);
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.requested"), 1200);
    ck_assert_int_eq(rig_events(&rig, "driftd.retraining.cancelled"), 400);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests_disk");
    TCase *tests = tcase_create("disk");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, a_full_disk_stops_offers_and_heals);
    tcase_add_test(tests, what_was_handed_over_is_not_forgotten);
    tcase_add_test(tests, a_command_does_not_wait_for_room);
    tcase_add_test(tests, what_was_not_taken_is_offered_again);
    tcase_add_test(tests, a_file_that_may_not_grow_is_a_full_disk);
    tcase_add_test(tests, a_failed_sync_ends_the_station);
    tcase_add_test(tests, a_failed_read_ends_the_station);
    tcase_add_test(tests, what_could_not_be_kept_counts_for_no_limit);
    tcase_add_test(tests, notices_wait_in_order_while_the_disk_is_full);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

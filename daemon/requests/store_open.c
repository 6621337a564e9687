/* How a store is opened: nothing is written before it is certain that the file is ours and whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/requests/failpoint.h"
#include "daemon/requests/store_inside.h"
#include "daemon/requests/store_log.h"
#include "daemon/requests/store_mark.h"
#include "daemon/requests/store_memory.h"
#include "daemon/requests/store_schema.h"
#include "daemon/requests/store_why.h"

static const char made_text[] =
    "driftd made requests.db beside this file. While this file stands here, a requests.db that is missing or empty stops\n"
    "the start, since requests may have been lost. Remove it to begin with an empty store.\n";
static const char open_text[] =
    "driftd keeps requests.db open, or ended without closing it. While this file stands here, requests.db-wal is as much\n"
    "part of the store as requests.db, and a start without it is refused.\n";

static int make_folders(const char *dir, char why[STORE_WHY_MAX])
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s", dir) >= sizeof path)
        return store_say(why, -ENAMETOOLONG, "state.dir is longer than a path can be: set a shorter one");
    for (char *at = path + 1;; at++) {
        char end = *at;
        if (end != '/' && end != '\0')
            continue;
        *at = '\0';
        if (mkdir(path, 0750) < 0 && errno != EEXIST) {
            int error = errno;
            return store_say(why, -error, "%s cannot be made: %s; make it, and give it to this user", path,
                             strerror(error));
        }
        *at = end;
        if (end == '\0')
            return 0;
    }
}

/* Bytes of a file; 0 for one that is not there; negative: an error. */
static int64_t size_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    return S_ISREG(st.st_mode) ? st.st_size : -ENOTSUP;
}

static int cannot_read(const char *file, const char *how, int error, char why[STORE_WHY_MAX])
{
    return store_say(why, error,
                     "%s cannot be read: %s; nothing was changed: give it to this user, or look at the disk (dmesg)",
                     file, how);
}

/* What is committed and not yet in the database stands in the log alone. */
static int look_at_log(struct store *self, const char *log_file, char why[STORE_WHY_MAX])
{
    const char *what;
    int error = store_log_check(log_file, access(self->open_file, F_OK) == 0, &what);
    if (error == -EILSEQ)
        return store_say(
            why, error,
            "%s was not closed and its log %s is %s; nothing was changed: put back a copy of both, or remove the "
            "log and %s to go on without the latest requests",
            self->file, log_file, what, self->open_file);
    return error ? cannot_read(log_file, strerror(-error), error, why) : 0;
}

/* The power went while the file was being made, and no request was ever kept: SQLite begins anew. */
static bool cut_at_its_making(const struct store *self)
{
    char journal[4096];
    snprintf(journal, sizeof journal, "%s-journal", self->file);
    return access(self->made_file, F_OK) < 0 && store_log_of_first_transaction(journal);
}

/* SQLite forgets a write-ahead log whose database is empty: so this comes before it is asked. */
static int look(struct store *self, const char *dir, char why[STORE_WHY_MAX])
{
    char log_file[4096], head[16] = "";
    snprintf(log_file, sizeof log_file, "%s-wal", self->file);
    int64_t size = size_of(self->file), log_size = size_of(log_file);
    if (size < 0)
        return cannot_read(self->file, size == -ENOTSUP ? "it is no regular file" : strerror((int)-size), (int)size,
                           why);
    if (size == 0) {
        if (access(self->made_file, F_OK) == 0 || log_size > 0)
            return store_say(
                why, -EILSEQ,
                "%s is missing or empty, but requests were kept here; nothing was changed: put it back, or remove "
                "%s%s%s to begin empty",
                self->file, log_size > 0 ? log_file : "", log_size > 0 ? " and " : "", self->made_file);
        return 0;
    }
    if (access(self->file, W_OK) < 0 || access(dir, W_OK) < 0)
        return store_say_error(self, -errno, why);
    int fd = open(self->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int error = errno;
        return cannot_read(self->file, strerror(error), -error, why);
    }
    ssize_t got = read(fd, head, sizeof head);
    close(fd);
    if ((got != sizeof head || memcmp(head, "SQLite format 3", sizeof head) != 0) && !cut_at_its_making(self))
        return store_say(why, -EILSEQ,
                         "%s is no store of driftd, and nothing was changed: move it away, or set another state.dir",
                         self->file);
    return look_at_log(self, log_file, why);
}

/* One integer that a statement answers. */
static int ask(struct store *self, const char *sql, int64_t *out)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(self->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW) {
        *out = sqlite3_column_int64(statement, 0);
        rc = SQLITE_OK;
    }
    int finalized = sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc != SQLITE_OK ? rc : finalized;
}

/* The file's word on whose it is; *version_p 0: it is empty and ours to fill. */
static int identify(struct store *self, int64_t *version_p, char why[STORE_WHY_MAX])
{
    int64_t application = 0, objects = 0;
    int rc = ask(self, "PRAGMA application_id", &application);
    if (rc == SQLITE_OK)
        rc = ask(self, "PRAGMA user_version", version_p);
    if (rc == SQLITE_OK)
        rc = ask(self, "SELECT count(*) FROM sqlite_master", &objects);
    if (rc != SQLITE_OK)
        return store_say_why(self, rc, why);
    if (application == 0 && *version_p == 0 && objects == 0) {
        if (access(self->made_file, F_OK) == 0)
            return store_say(why, -EILSEQ,
                             "%s is empty, but requests were kept here; nothing was changed: put it back, or remove %s "
                             "to begin empty",
                             self->file, self->made_file);
        return 0;
    }
    if (application != STORE_APPLICATION_ID)
        return store_say(
            why, -EILSEQ,
            "%s belongs to another program, and nothing was changed: move it away, or set another state.dir",
            self->file);
    if (*version_p > STORE_VERSION)
        return store_say(
            why, -EILSEQ,
            "%s was written by a newer driftd (version %lld, this one knows %d), and nothing was changed: install that "
            "one, or put back the copy from before",
            self->file, (long long)*version_p, STORE_VERSION);
    if (*version_p < 1)
        return store_say_damaged(self, "it has no version", why);
    return 0;
}

static int check_whole(struct store *self, char why[STORE_WHY_MAX])
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(self->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    int error = 0;
    if (rc == SQLITE_ROW) {
        const char *verdict = (const char *)sqlite3_column_text(statement, 0);
        /* The first line only says which database. */
        if (verdict && strrchr(verdict, '\n'))
            verdict = strrchr(verdict, '\n') + 1;
        if (!verdict || strcmp(verdict, "ok") != 0)
            error = store_say_damaged(self, verdict ? verdict : "no verdict", why);
    } else {
        error = store_say_why(self, rc, why);
    }
    sqlite3_finalize(statement);
    return error;
}

static int bring_up(struct store *self, int64_t version, char why[STORE_WHY_MAX])
{
    int rc = SQLITE_OK;
    for (; version < STORE_VERSION && rc == SQLITE_OK; version++) {
        char stamp[128];
        snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %lld; COMMIT",
                 STORE_APPLICATION_ID, (long long)version + 1);
        rc = sqlite3_exec(self->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(self->db, store_steps[version], NULL, NULL, NULL);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(self->db, stamp, NULL, NULL, NULL);
    }
    return rc == SQLITE_OK ? 0 : store_say_why(self, rc, why);
}

static int leave_mark(const char *file, const char *text, char why[STORE_WHY_MAX])
{
    int error = store_mark_leave(file, text);
    return error
               ? store_say(why, error,
                           "%s cannot be written: %s; what is kept is safe: make room, or give the folder to this user",
                           file, strerror(-error))
               : 0;
}

/* From here on the log is part of the store: it has its head and a transaction that is synced. */
static int begin_log(struct store *self, char why[STORE_WHY_MAX])
{
    int error = store_bring_in(self);
    if (!error)
        store_probe(self);
    if (!error)
        error = store_commit(self);
    if (error)
        return store_say_error(self, error, why);
    return leave_mark(self->open_file, open_text, why);
}

static int count_log(void *argument, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct store *)argument)->log_pages = pages;
    return SQLITE_OK;
}

static int connect_to(struct store *self, char why[STORE_WHY_MAX])
{
    /* Exclusive before the first look: the lock is then held from it to the end, and no shared memory is needed. */
    static const char settings[] =
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
        "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA secure_delete = OFF;"
        "PRAGMA cache_size = -65536;"; /* KiB; pages that a burst comes back to */
    /* Nobody asks SQLite for its statistics of memory, which cost a mutex an allocation. Refused, and no matter, where
     * SQLite is in use already. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    store_memory_use();
    int rc = sqlite3_open_v2(self->file, &self->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                             NULL);
    if (!self->db)
        return store_say(why, -ENOMEM, "no memory for the store");
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(self->db, settings, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : store_say_why(self, rc, why);
}

static int keep_log(struct store *self, char why[STORE_WHY_MAX])
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(self->db, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_step(statement);
    const char *mode = rc == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    bool is_log = mode && strcmp(mode, "wal") == 0;
    sqlite3_finalize(statement);
    if (rc != SQLITE_ROW)
        return store_say_why(self, rc, why);
    if (!is_log)
        return store_say(why, -EIO, "%s cannot be kept with a write-ahead log: is its file system fit for a database?",
                         self->file);
    sqlite3_wal_autocheckpoint(self->db, 0);
    sqlite3_wal_hook(self->db, count_log, self);
    return 0;
}

static int prepare(struct store *self, char why[STORE_WHY_MAX])
{
    for (int i = 0; i < STATEMENTS; i++) {
        int rc = sqlite3_prepare_v3(self->db, store_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &self->statements[i], NULL);
        if (rc == SQLITE_ERROR)
            return store_say_damaged(self, sqlite3_errmsg(self->db), why);
        if (rc != SQLITE_OK)
            return store_say_why(self, rc, why);
    }
    return 0;
}

/* The number of this boot of the machine. */
static int number_boot(struct store *self, const char *boot, char why[STORE_WHY_MAX])
{
    static const char *const steps[] = {"INSERT OR IGNORE INTO boots (id, first_s) VALUES (?1, ?2)",
                                        "SELECT boot FROM boots WHERE id = ?1"};
    int rc = SQLITE_OK;
    for (size_t i = 0; i < 2 && (rc == SQLITE_OK || rc == SQLITE_DONE); i++) {
        sqlite3_stmt *statement = NULL;
        rc = sqlite3_prepare_v2(self->db, steps[i], -1, &statement, NULL);
        if (rc == SQLITE_OK) {
            sqlite3_bind_text(statement, 1, boot, -1, SQLITE_STATIC);
            if (i == 0)
                sqlite3_bind_double(statement, 2, self->opened.wall_s);
            rc = sqlite3_step(statement);
        }
        if (rc == SQLITE_ROW) {
            self->boot = sqlite3_column_int64(statement, 0);
            rc = SQLITE_OK;
        }
        sqlite3_finalize(statement);
    }
    return rc == SQLITE_OK ? 0 : store_say_why(self, rc, why);
}

static int open_all(struct store *self, const char *dir, const char *boot, char why[STORE_WHY_MAX])
{
    int64_t version = 0;
    int error = make_folders(dir, why);
    if (!error)
        error = look(self, dir, why);
    if (!error)
        error = connect_to(self, why);
    if (!error)
        error = identify(self, &version, why);
    if (!error)
        error = keep_log(self, why);
    if (!error)
        error = check_whole(self, why);
    if (!error)
        error = bring_up(self, version, why);
    failpoint("schema_made");
    if (!error)
        error = leave_mark(self->made_file, made_text, why);
    failpoint("mark_left");
    if (!error)
        error = prepare(self, why);
    if (!error)
        error = number_boot(self, boot, why);
    if (!error)
        error = store_find_last(self, why);
    if (!error)
        error = begin_log(self, why);
    failpoint("log_begun");
    return error;
}

int store_open(struct store **self_p, const char *dir, const char *boot, struct moment now, char why[STORE_WHY_MAX])
{
    *self_p = NULL;
    struct store *self = calloc(1, sizeof *self);
    size_t room = strlen(dir) + sizeof "/requests.db-made";
    if (self) {
        self->opened = now;
        self->file = malloc(room);
        self->made_file = malloc(room);
        self->open_file = malloc(room);
    }
    if (!self || !self->file || !self->made_file || !self->open_file) {
        store_close(&self);
        return store_say(why, -ENOMEM, "no memory for the store");
    }
    snprintf(self->file, room, "%s/requests.db", dir);
    snprintf(self->made_file, room, "%s/requests.db-made", dir);
    snprintf(self->open_file, room, "%s/requests.db-open", dir);
    int error = open_all(self, dir, boot, why);
    if (error) {
        self->broken = true; /* nothing of it is closed in order */
        store_close(&self);
        return error;
    }
    *self_p = self;
    return 0;
}

void store_close(struct store **self_p)
{
    struct store *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(self->statements[i]);
    /* Closing brings the log into the database and removes it: the mark goes before, when that is bound to succeed. */
    failpoint("before_close");
    if (self->db)
        store_rollback(self);
    bool in_order = self->db && !self->broken && store_bring_in(self) == 0 && store_mark_take(self->open_file) == 0;
    if (self->db && !in_order)
        sqlite3_db_config(self->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    failpoint("mark_away");
    sqlite3_close(self->db);
    failpoint("closed");
    free(self->file);
    free(self->made_file);
    free(self->open_file);
    free(self);
    *self_p = NULL;
}

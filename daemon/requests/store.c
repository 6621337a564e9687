#include "daemon/requests/store_inside.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/requests/failpoint.h"

/* Frames in the write-ahead log that are worth two fsyncs while nobody waits, and those that are worth it at once. */
#define TIDY_PAGES 256
#define TIDY_SOON_PAGES 16384

/* The error number of the file that was written last. */
static int file_errno(struct store *self)
{
    sqlite3_file *log = NULL;
    int of_log = 0, of_database = 0;
    sqlite3_file_control(self->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
    if (log && log->pMethods)
        log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &of_log);
    sqlite3_file_control(self->db, "main", SQLITE_FCNTL_LAST_ERRNO, &of_database);
    return of_log ? of_log : of_database;
}

/* Whether a write just failed for want of room. SQLite knows only ENOSPC as such. */
static bool no_room(struct store *self)
{
    int why = file_errno(self);
    return why == ENOSPC || why == EDQUOT || why == EFBIG;
}

/* What was being done when the disk answered `rc`, before SQLite's own words. */
static const char *doing(struct store *self, int rc)
{
    switch (rc) {
    case SQLITE_FULL:
        return "the disk is full: ";
    case SQLITE_IOERR_WRITE:
        return !no_room(self)               ? "a write failed: "
               : file_errno(self) == EDQUOT ? "the quota is used up: "
               : file_errno(self) == EFBIG  ? "the limit on a file's size is reached: "
                                            : "the disk is full: ";
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
        return "a sync failed: ";
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
        return "a read failed: ";
    case SQLITE_IOERR_TRUNCATE:
        return "a file could not be cut: ";
    default:
        return "";
    }
}

int store_error_of(struct store *self, int rc)
{
    int error;
    switch (rc & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_FULL:
        error = -ENOSPC;
        break;
    case SQLITE_NOMEM:
        error = -ENOMEM;
        break;
    case SQLITE_IOERR:
        error = -EIO;
        if (rc == SQLITE_IOERR_NOMEM)
            error = -ENOMEM;
        if (rc == SQLITE_IOERR_WRITE && no_room(self))
            error = -ENOSPC; /* nothing was synced yet: the transaction is simply undone */
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error = -EBUSY;
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        error = -EILSEQ;
        break;
    case SQLITE_CONSTRAINT:
        error = -EEXIST;
        break;
    case SQLITE_READONLY:
        error = -EROFS;
        break;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        error = -EACCES;
        break;
    default:
        error = -EIO;
        break;
    }
    snprintf(self->complaint, sizeof self->complaint, "%s%.300s (SQLite %d)", doing(self, rc), sqlite3_errmsg(self->db),
             rc);
    return error;
}

const char *store_complaint(const struct store *self)
{
    return self->complaint;
}

const char *store_file(const struct store *self)
{
    return self->file;
}

static int run(struct store *self, const char *sql)
{
    return store_error_of(self, sqlite3_exec(self->db, sql, NULL, NULL, NULL));
}

/* -- cursors --------------------------------------------------------------------------------------------------------- */

struct cursor store_read(struct store *self, enum store_statement statement)
{
    return (struct cursor){.store = self, .statement = self->statements[statement]};
}

struct cursor store_write(struct store *self, enum store_statement statement)
{
    if (!self->writing && !self->error) {
        failpoint("before_begin");
        self->error = run(self, "BEGIN IMMEDIATE");
        self->writing = self->error == 0;
    }
    return store_read(self, statement);
}

void put_integer(struct cursor *cursor, int64_t value)
{
    sqlite3_bind_int64(cursor->statement, ++cursor->at, value);
}

void put_real(struct cursor *cursor, double value)
{
    cursor->at++;
    if (isnan(value))
        sqlite3_bind_null(cursor->statement, cursor->at);
    else
        sqlite3_bind_double(cursor->statement, cursor->at, value);
}

void put_piece(struct cursor *cursor, struct text text)
{
    sqlite3_bind_text(cursor->statement, ++cursor->at, text.at, (int)text.len, SQLITE_STATIC);
}

void put_text(struct cursor *cursor, const char *text)
{
    if (text)
        put_piece(cursor, text_of(text));
    else
        sqlite3_bind_null(cursor->statement, ++cursor->at);
}

void put_moment(struct cursor *cursor, struct moment moment)
{
    if (moment_is_never(moment)) {
        sqlite3_bind_null(cursor->statement, ++cursor->at);
        sqlite3_bind_null(cursor->statement, ++cursor->at);
    } else {
        put_integer(cursor, moment.steady_ns);
        put_real(cursor, moment.wall_s);
    }
}

void store_finish(struct cursor *cursor)
{
    sqlite3_reset(cursor->statement);
}

/* What was bound stays so, and may be gone: a statement is begun with each of its parameters bound anew. */
static void check_bound(const struct cursor *cursor)
{
    assert(sqlite3_stmt_busy(cursor->statement) || cursor->at == sqlite3_bind_parameter_count(cursor->statement));
}

void store_execute(struct cursor *cursor)
{
    struct store *self = cursor->store;
    if (!self->error) {
        failpoint("before_row");
        check_bound(cursor);
        int rc = sqlite3_step(cursor->statement);
        self->error = store_error_of(self, rc);
    }
    store_finish(cursor);
}

int store_next(struct cursor *cursor)
{
    check_bound(cursor);
    int rc = sqlite3_step(cursor->statement);
    cursor->at = 0;
    if (rc == SQLITE_ROW)
        return 1;
    int error = store_error_of(cursor->store, rc);
    store_finish(cursor);
    return error;
}

int64_t get_integer(struct cursor *cursor)
{
    return sqlite3_column_int64(cursor->statement, cursor->at++);
}

double get_real(struct cursor *cursor)
{
    int at = cursor->at++;
    return sqlite3_column_type(cursor->statement, at) == SQLITE_NULL ? NAN : sqlite3_column_double(cursor->statement, at);
}

const char *get_text(struct cursor *cursor)
{
    return (const char *)sqlite3_column_text(cursor->statement, cursor->at++);
}

void get_string(struct cursor *cursor, char *out, size_t size)
{
    const char *text = get_text(cursor);
    text_put(out, size, text ? text : "");
}

struct moment get_moment(struct cursor *cursor, int64_t boot)
{
    const struct store *self = cursor->store;
    bool never = sqlite3_column_type(cursor->statement, cursor->at) == SQLITE_NULL;
    struct moment moment = {.steady_ns = get_integer(cursor)};
    moment.wall_s = get_real(cursor);
    if (never)
        return moment_never();
    if (boot == self->boot)
        return moment;
    /* Of a boot before: how long ago it was by the wall clock; what the wall clock puts into the future was just now. */
    double ago_s = self->opened.wall_s - moment.wall_s;
    if (!(ago_s > 0))
        ago_s = 0;
    if (ago_s > 1e9)
        ago_s = 1e9;
    moment.steady_ns = self->opened.steady_ns - (int64_t)(ago_s * 1e9);
    return moment;
}

/* -- transactions ---------------------------------------------------------------------------------------------------- */

void store_rollback(struct store *self)
{
    /* SQLite may have undone it by itself: then this does nothing but complain. */
    if (self->writing && !sqlite3_get_autocommit(self->db))
        sqlite3_exec(self->db, "ROLLBACK", NULL, NULL, NULL);
    self->writing = false;
    self->error = 0;
}

/* A transaction that could not be taken is only undone; after anything else nothing more may be written. */
static int judge(struct store *self, int error)
{
    if (error && error != -ENOSPC && error != -ENOMEM)
        self->broken = true;
    return error;
}

int store_give_up(struct store *self, int error)
{
    const int own = self->error;
    store_rollback(self);
    if (own && own != -ENOSPC && own != -ENOMEM)
        error = own;
    return judge(self, error);
}

int store_commit(struct store *self)
{
    int error = self->error;
    if (!error && self->writing) {
        failpoint("before_commit");
        error = run(self, "COMMIT");
        failpoint("after_commit");
    }
    if (error)
        store_rollback(self);
    self->writing = false;
    self->error = 0;
    return judge(self, error);
}

void store_probe(struct store *self)
{
    struct cursor cursor = store_write(self, PROBE);
    store_execute(&cursor);
}

int store_bring_in(struct store *self)
{
    failpoint("before_tidy");
    int left = -1, done = -1;
    int rc = sqlite3_wal_checkpoint_v2(self->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &left, &done);
    failpoint("after_tidy");
    int error = store_error_of(self, rc);
    return error == 0 && left != done ? -EBUSY : error;
}

int store_tidy(struct store *self, bool soon)
{
    if (self->writing || self->log_pages < (soon ? TIDY_PAGES : TIDY_SOON_PAGES))
        return 0;
    int error = store_bring_in(self);
    if (error == -ENOSPC || error == -ENOMEM)
        return 0; /* what is committed is safe in the log */
    if (error == 0)
        self->log_pages = 0;
    return judge(self, error);
}

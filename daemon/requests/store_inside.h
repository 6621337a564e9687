/* store_inside.h - what the files of the store share: the connection, its prepared statements, cursors over them.
 *
 * Threads, memory: as store.h. Failure: a cursor that writes leaves its error in the store.
 */
#ifndef DRIFTD_REQUESTS_STORE_INSIDE_H
#define DRIFTD_REQUESTS_STORE_INSIDE_H

#include <sqlite3.h>

#include "daemon/requests/store.h"

enum store_statement {
    LAST_NUMBER,
    ADD_REQUEST,
    SET_REQUEST,
    GET_ENDED,
    LIVE_REQUESTS,
    NEWEST_REQUESTS,
    COUNT_STATES,
    ADD_LINE,
    LINES,
    BEGIN_ATTEMPT,
    SAID,
    END_ATTEMPT,
    LATE_REPORT,
    GET_ATTEMPT,
    OUTCOMES,
    LAST_TRAINED,
    MEASURED,
    GET_TALLY,
    PUT_TALLY,
    FAMILY_TALLIES,
    FLEET,
    GET_FLEET,
    PUT_FLEET,
    ATTEMPTS,
    USED_STARTS,
    USED_HOURS,
    GET_MODEL,
    PUT_MODEL,
    EPISODES,
    FAMILY_EPISODES,
    WAITING,
    VERSIONS,
    GET_FAMILY,
    PUT_FAMILY,
    ENDED_LONG_AGO,
    FORGET_REQUEST,
    FORGET_FIRST_LINE,
    FORGET_LINES,
    FORGET_OUTCOMES,
    PUT_SILENCE,
    END_SILENCES,
    SILENCES,
    PROBE,
    STATEMENTS
};
extern const char *const store_sql[STATEMENTS];

struct store {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    char *file;      /* path of the database */
    char *made_file; /* path of the file that says that there is one */
    char *open_file; /* and of the one that says that it was not closed: the log is part of it */
    int64_t boot;    /* this boot's number */
    int64_t last;    /* number that a request or a line has */
    struct moment opened;
    bool writing;    /* a transaction is open */
    bool broken;     /* the disk failed: not one byte more is written */
    int error;       /* the first of this transaction; 0: none */
    int log_pages;   /* in the write-ahead log */
    char complaint[STORE_WHY_MAX];
};

/* The daemon's error for SQLite's `rc`. */
int store_error_of(struct store *self, int rc);

/* Brings all of the log into the database, synced; the next transaction begins the log anew. */
int store_bring_in(struct store *self);

/* Sets `last`. */
int store_find_last(struct store *self, char why[STORE_WHY_MAX]);

/* Walks the parameters or the columns of a statement from left to right. */
struct cursor {
    struct store *store;
    sqlite3_stmt *statement;
    int at;
};

/* For a statement that writes: begins a transaction if there is none. */
struct cursor store_write(struct store *self, enum store_statement statement);
struct cursor store_read(struct store *self, enum store_statement statement);

void put_integer(struct cursor *cursor, int64_t value);
void put_real(struct cursor *cursor, double value); /* NAN: NULL */
void put_text(struct cursor *cursor, const char *text);   /* NULL: NULL */
void put_piece(struct cursor *cursor, struct text text);
void put_moment(struct cursor *cursor, struct moment moment); /* two parameters */

/* Executes a writing statement; its error stays in the store. */
void store_execute(struct cursor *cursor);

/* 1: a row, whose columns are read from the first; 0: no more; negative: an error. After 0 or an error the statement is
 * ready for its next use; who stops before that calls store_finish(). */
int store_next(struct cursor *cursor);
void store_finish(struct cursor *cursor);

int64_t get_integer(struct cursor *cursor);
double get_real(struct cursor *cursor); /* NULL: NAN */
const char *get_text(struct cursor *cursor); /* borrowed until the next step; NULL: NULL */
void get_string(struct cursor *cursor, char *out, size_t size);
/* Two columns, brought to this boot's steady clock; `boot`: whose clock they are of. */
struct moment get_moment(struct cursor *cursor, int64_t boot);

#endif

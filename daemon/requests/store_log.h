/* store_log.h - a look at SQLite's write-ahead log before SQLite sees it.
 *
 * SQLite takes the first frame that is not whole for the log's end, as after a crash, and drops what follows without a
 * word. A log whose head or whose middle was damaged would so lose requests silently. With synchronous=FULL at most the
 * last transaction can be unfinished after a crash: where more transactions follow a frame that is not whole, the log was
 * damaged.
 *
 * Threads: pure but for reading the file. Memory: one page. Failure: as it says.
 */
#ifndef DRIFTD_REQUESTS_STORE_LOG_H
#define DRIFTD_REQUESTS_STORE_LOG_H

#include <stdbool.h>

/* `needed`: the store was in use, so that there must be a log with its head. Returns 0; -EILSEQ and what is wrong with it
 * in *what_p (static); or an error of reading. */
int store_log_check(const char *file, bool needed, const char **what_p);

/* Whether `file` is a rollback journal of a database that was empty before: its first transaction was cut short, and SQLite
 * makes the database empty again. False where there is none or it cannot be read. */
bool store_log_of_first_transaction(const char *file);

#endif

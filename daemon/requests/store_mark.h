/* store_mark.h - files that say something by being there, durable with their names.
 *
 * Threads: any. Memory: none. Failure: a negative errno.
 */
#ifndef DRIFTD_REQUESTS_STORE_MARK_H
#define DRIFTD_REQUESTS_STORE_MARK_H

/* 0 also where it is there already; on failure it is not. `text` tells people what it is. */
int store_mark_leave(const char *file, const char *text);

/* 0 also where it is not there. */
int store_mark_take(const char *file);

#endif

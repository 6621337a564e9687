/* store_why.h - the sentences that say why a store was not opened: what it is, that nothing was changed, what to do.
 *
 * Threads: any. Memory: the caller's. Failure: none; what does not fit is cut.
 */
#ifndef DRIFTD_REQUESTS_STORE_WHY_H
#define DRIFTD_REQUESTS_STORE_WHY_H

#include "daemon/requests/store_inside.h"

/* These return `error`, or what they made of `rc`. */
__attribute__((format(printf, 3, 4))) int store_say(char why[STORE_WHY_MAX], int error, const char *format, ...);

/* The database is damaged; `how` in SQLite's words. */
int store_say_damaged(const struct store *self, const char *how, char why[STORE_WHY_MAX]);

/* What a call of the store answered; its complaint is said where nothing better is known. */
int store_say_error(const struct store *self, int error, char why[STORE_WHY_MAX]);

/* What SQLite answered. */
int store_say_why(struct store *self, int rc, char why[STORE_WHY_MAX]);

#endif

/* request_id.h - the ids of requests, which are long: their beginnings are enough where they are unique.
 *
 * Threads: one. Memory: ids are the caller's. Failure: said; the exit status is returned.
 */
#ifndef DRIFT_CLI_REQUEST_ID_H
#define DRIFT_CLI_REQUEST_ID_H

#include "cli/command.h"
#include "lib/text.h"

/* What is shown of an id on a terminal: as much as a person types. */
struct text request_id_shown(struct text id);

/* Finds the one request whose id begins with `word`; asks the daemon where the word is no whole id. Returns 0 and
 * *id_p; EX_USAGE: it is none, or several begin so. */
int request_id_find(const struct common *common, const char *word, char **id_p);

#endif

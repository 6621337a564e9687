/* models.h - the table of models, for the commands that show it.
 *
 * Threads: one. Memory: lists are the caller's. Failure: as control.h says.
 */
#ifndef DRIFT_CLI_MODELS_H
#define DRIFT_CLI_MODELS_H

#include <jansson.h>

#include "cli/command.h"

/* At most `most` models that match (NULL: all), those that need somebody among them; *models_p is the caller's, on
 * failure too. */
int models_gather(const struct common *common, const char *pattern, size_t most, json_t **models_p);

/* Prints them, those that need somebody first. */
void models_table(const json_t *models);

#endif

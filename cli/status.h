/* status.h - how the daemon is, in a few lines, for the commands that show it.
 *
 * Threads: one. Memory: borrowed. Failure: none.
 */
#ifndef DRIFT_CLI_STATUS_H
#define DRIFT_CLI_STATUS_H

#include <jansson.h>

void status_show(const json_t *status);

#endif

/* control.h - one question to the daemon's control socket, one answer.
 *
 * Threads: one. Memory: questions are taken over; answers are borrowed by who shows them. Failure: said on stderr in
 * one sentence; the return value is the exit status of the program.
 */
#ifndef DRIFT_CLI_CONTROL_H
#define DRIFT_CLI_CONTROL_H

#include <jansson.h>

#include "cli/command.h"
#include "lib/config/config.h"

/* Prints a granted answer for people. */
typedef void control_show_fn(const json_t *answer, const void *argument);

/* Asks and shows the answer: with --json as it came, else through `show`. Returns 0; EX_UNAVAILABLE: no daemon, or none
 * that answers in time; EX_NOPERM; EX_PROTOCOL: no answer of ours; EXIT_REFUSED: the daemon said no. */
int control_ask(const struct common *common, json_t *question, control_show_fn *show, const void *argument);

/* The same for a question in between: *answer_p is a granted answer, the caller's, or NULL on failure. */
int control_get(const struct common *common, json_t *question, json_t **answer_p);

/* Where to ask when no option says: what DRIFTC_SOCKET names; else a person's own daemon where one runs, else the system's. Caller's memory. */
char *control_default_socket(void);

/* Whether somebody listens there. */
bool control_is_there(void);

/* How the configuration is read by who runs this program. */
struct config_options config_options_here(void);

#endif

/* terminal.h - what stdout and stderr are: how wide, whether they show colours, whether somebody watches.
 *
 * Threads: one. Memory: static strings. Failure: none; what cannot be found out is taken for a pipe.
 */
#ifndef DRIFT_CLI_TERMINAL_H
#define DRIFT_CLI_TERMINAL_H

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

enum colour { PLAIN, BOLD, DIM, RED, GREEN, YELLOW, CYAN };

/* Columns of stdout; TERMINAL_ENDLESS in a pipe. */
#define TERMINAL_ENDLESS UINT_MAX
unsigned terminal_width(void);

/* Whether stdout takes colours: a terminal, and neither NO_COLOR nor TERM=dumb. */
bool terminal_colours(void);

/* Whether somebody watches stderr: progress is shown there. */
bool terminal_watched(void);

/* Sequences around a piece of text on stdout; "" where there are no colours. */
const char *terminal_on(enum colour colour);
const char *terminal_off(enum colour colour);

#endif

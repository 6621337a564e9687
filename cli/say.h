/* say.h - what driftc says when something is wrong, and the exit statuses it ends with.
 *
 * Threads: one. Memory: none is kept. Failure: say_and_end() and must() end the program.
 */
#ifndef DRIFT_CLI_SAY_H
#define DRIFT_CLI_SAY_H

#include <stdnoreturn.h>
#include <sysexits.h>

/* The daemon understood and refused, or the work was done and failed. */
#define EXIT_REFUSED 1

/* One sentence on stderr behind "driftc: "; whatever stands in it, it stays one line and no control character of
 * others reaches the terminal. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* The same, and ends the program. */
__attribute__((format(printf, 2, 3))) noreturn void say_and_end(int status, const char *format, ...);

/* Memory for a program of one run: without it there is nothing to be done but say so. */
void *must(void *memory);

#endif

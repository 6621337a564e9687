/* step.h - the trainer's log: a line a step.
 *
 * Threads: one. Memory: none is kept. Failure: none. A log that nobody reads stops no training: what would have to wait
 * is left out, and counted in the next line that gets through.
 */
#ifndef DRIFT_CLI_STEP_H
#define DRIFT_CLI_STEP_H

#include <stdarg.h>
#include <stdbool.h>

#include "cli/job.h"

/* "2026-11-23 10:00:00Z REQUEST/1 MODEL: sentence" on stderr; as JSON a line on stdout: {"at", "step", "request",
 * "attempt", "model", "message"}. `job` may be NULL. */
__attribute__((format(printf, 4, 0))) void step_say(bool json, const struct job *job, const char *name,
                                                    const char *format, va_list arguments);

/* A line of the command's, on stderr. */
void step_echo(struct text line);

#endif

/* outcome.h - how a command ended, as the messages `done` and `fail` say it.
 *
 * Threads: pure functions. Memory: members are added to the caller's object. Failure: what the daemon would not take is
 * left out, with a sentence that the caller frees.
 */
#ifndef DRIFT_CLI_OUTCOME_H
#define DRIFT_CLI_OUTCOME_H

#include <jansson.h>
#include <stdbool.h>

/* Adds version, artifact, metrics and gpu_hours from a command's last line, where that is a JSON object; gpu_hours are
 * `hours` when it says nothing of them. Returns NULL, or what was left out and why. */
char *outcome_done(json_t *message, const char *last, double hours);

/* Adds error, retry and gpu_hours, each as a command's last line says it, where that is a JSON object which does. Else the
 * error is `last_error`, the last line of standard error, or what `status` (wait(2)'s) says; retry is true with status 75
 * or `retry_any`; and gpu_hours are `hours`. Returns as outcome_done() does. */
char *outcome_fail(json_t *message, int status, const char *last, const char *last_error, double hours, bool retry_any);

#endif

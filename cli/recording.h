/* recording.h - recorded events, read from JSON lines or CSV: one event a line, with `model` and a time.
 *
 * The first line tells: one that begins with '{' is JSON, any other the header of a CSV.
 *
 * Threads: one. Memory: events are the caller's; the sentence is borrowed until the next call. Failure: RECORDING_WRONG
 * with a sentence that begins with file and line; there is no going on after it.
 */
#ifndef DRIFT_CLI_RECORDING_H
#define DRIFT_CLI_RECORDING_H

#include <jansson.h>

struct recording;

enum recording_outcome { RECORDING_EVENT, RECORDING_WAIT, RECORDING_END, RECORDING_WRONG };

/* Opens a file, or standard input for "-". Returns 0 or -errno; *self_p is NULL then. */
int recording_open(struct recording **self_p, const char *path);

/* The next event: an object. RECORDING_WAIT: nothing came within `timeout_ms`, or a signal did. */
enum recording_outcome recording_next(struct recording *self, int timeout_ms, json_t **out, const char **why_p);

/* When an event was received, else measured, in seconds since the epoch; NAN: it does not say. */
double recording_time(const json_t *event);

/* "file:line", of the event read last; borrowed until the next call. */
const char *recording_place(struct recording *self);

void recording_close(struct recording **self_p);

#endif

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
#include <stdint.h>

#include "lib/text.h"

struct recording;

enum recording_outcome { RECORDING_EVENT, RECORDING_WAIT, RECORDING_END, RECORDING_WRONG, RECORDING_BAD };

/* Opens a file, or standard input for "-". Returns 0 or -errno; *self_p is NULL then. */
int recording_open(struct recording **self_p, const char *path);

/* The next event: an object; what a recorder wrote about requests is passed over. RECORDING_WAIT: nothing came within `timeout_ms`, or a signal did. */
enum recording_outcome recording_next(struct recording *self, int timeout_ms, json_t **out, const char **why_p);

/* The next line as it stands, or a record of CSV as a line of JSON; borrowed until the next call. RECORDING_BAD, with a
 * sentence that does not name the place: no line of JSON can be made of this record, but there is a next one. */
enum recording_outcome recording_next_line(struct recording *self, int timeout_ms, struct text *out, const char **why_p);

/* The place of what was read last among the lines of the file, from 0; a CSV's header does not count. */
uint64_t recording_line(const struct recording *self);

/* How much of the file was read, 0 to 1; NAN: it is no file. */
double recording_fraction(const struct recording *self);

/* When an event was received, else measured, in seconds since the epoch; NAN: it does not say. */
double recording_time(const json_t *event);

/* "file:line", of the event read last; borrowed until the next call. */
const char *recording_place(struct recording *self);

void recording_close(struct recording **self_p);

#endif

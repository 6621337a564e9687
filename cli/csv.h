/* csv.h - records of comma-separated values: RFC 4180, with a header that names the members of an event.
 *
 * Threads: one. Memory: events made are the caller's. Failure: a sentence without the place.
 */
#ifndef DRIFT_CLI_CSV_H
#define DRIFT_CLI_CSV_H

#include <jansson.h>

#include "lib/text.h"
#include "lib/wire/json_write.h"

struct csv {
    char **names;
    size_t count;
};

/* Whether a record is whole: a line that ends within quotes goes on in the next. */
bool csv_whole(struct text record);

/* Reads the header; one of its names must be a metric's, or a label's. False, with a sentence in *why_p that the caller frees. */
bool csv_header(struct csv *self, struct text record, char **why_p);

/* Makes an event: an empty cell is absent; model, node, boot, and times that are no number are text; whatever else is
 * not a finite number is wrong. NULL, with a sentence in *why_p that the caller frees. */
json_t *csv_event(const struct csv *self, struct text record, char **why_p);

/* Writes an event as JSON, to be judged by the rules of the wire: an empty cell is absent, a number a number however it
 * is written, a cell that begins with a brace stands as it is, whatever else is text. False, with a sentence as above. */
bool csv_json(const struct csv *self, struct text record, struct json_write *out, char **why_p);

void csv_close(struct csv *self);

#endif

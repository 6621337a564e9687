/* json_string.h - the strings of JSON: UTF-8 is checked, escapes are undone.
 *
 * Threads, memory, failure: as metric_reader.h says. Strings without escapes point into the payload.
 */
#ifndef DRIFT_LIB_WIRE_JSON_STRING_H
#define DRIFT_LIB_WIRE_JSON_STRING_H

#include "lib/wire/metric_reader.h"

/* The first byte from `at` on that is not printable ASCII, or is a quote or a backslash; or `end`. */
const unsigned char *json_plain_end(const unsigned char *at, const unsigned char *end);

/* Reads the rest of a string whose opening quote has been passed. */
bool json_read_string(struct metric_reader *reader, struct text *out);

#endif

/* json_wide.h - JSON off the hot path, by jansson, with integers of any size.
 *
 * RFC 8259 sets no limit to an integer; jansson refuses a text that has one beyond 64 bits. Here that is a number as the
 * ones with a point are. Whoever wants an integer, as for an attempt, still sees that it is none.
 *
 * Threads: pure functions. Memory: the value is the caller's. Failure: NULL, with jansson's error.
 */
#ifndef DRIFT_LIB_WIRE_JSON_WIDE_H
#define DRIFT_LIB_WIRE_JSON_WIDE_H

#include <jansson.h>

#include "lib/text.h"

/* As json_loadb(). `error` may be NULL. */
json_t *json_wide_read(struct text json, size_t flags, json_error_t *error);

#endif

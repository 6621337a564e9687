/* json_reader.h - JSON (RFC 8259) for metric_reader: the functions it calls, and no others.
 *
 * Strict: no NaN, no comment, no trailing comma, no leading zero, no lone surrogate, no control character in a string.
 * Threads, memory, failure: as metric_reader.h says.
 */
#ifndef DRIFT_LIB_WIRE_JSON_READER_H
#define DRIFT_LIB_WIRE_JSON_READER_H

#include "lib/wire/metric_reader.h"

/* Says whether a payload with this first byte is taken for JSON. */
bool json_begins(unsigned char first);

enum wire_kind json_value(struct metric_reader *reader, struct wire_value *out);
bool json_element(struct metric_reader *reader, struct wire_value *array);
bool json_member(struct metric_reader *reader, struct wire_value *map, struct text *name);

/* Passes over white space. */
void json_space(struct metric_reader *reader);

#endif

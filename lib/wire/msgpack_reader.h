/* msgpack_reader.h - MessagePack for metric_reader: the functions it calls, and no others.
 *
 * Source: the MessagePack specification (formats, and the extension type -1, timestamp). A length that says more than
 * what is left of the payload is an error at once. str must be UTF-8.
 * Threads, memory, failure: as metric_reader.h says.
 */
#ifndef DRIFT_LIB_WIRE_MSGPACK_READER_H
#define DRIFT_LIB_WIRE_MSGPACK_READER_H

#include "lib/wire/metric_reader.h"

/* Says whether a payload with this first byte is taken for MessagePack: a map or an array. */
bool msgpack_begins(unsigned char first);

enum wire_kind msgpack_value(struct metric_reader *reader, struct wire_value *out);
bool msgpack_element(struct metric_reader *reader, struct wire_value *array);
bool msgpack_member(struct metric_reader *reader, struct wire_value *map, struct text *name);

#endif

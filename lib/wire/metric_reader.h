/* metric_reader.h - a payload as a sequence of values, whichever of the two formats it is written in.
 *
 * Pull: reader_value() reads the next value, or opens it when it is an array or a map; what is inside is then taken
 * with reader_element() or reader_member(), each followed by one reader_value(), until they return false. An error
 * sticks: from then on everything returns false or WIRE_NONE, and whoever drives the reader looks once, at the end.
 *
 * The reader sees to it that the payload is one well-formed value: UTF-8, no name twice in an object at any depth, at
 * most METRIC_DEPTH_MAX arrays and objects inside one another, nothing after its end.
 *
 * Threads: belongs to one thread. Memory: texts point into the payload, or, where JSON has escapes, into the reader,
 * until reader_begin() is called again. Failure: `error` is -EBADMSG with a sentence in `why`, or -ENOMEM.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_READER_H
#define DRIFT_LIB_WIRE_METRIC_READER_H

#include <stdint.h>

#include "lib/text.h"
#include "lib/wire/metric_keys.h"

enum wire_kind {
    WIRE_NONE, /* nothing: the reader failed */
    WIRE_NULL,
    WIRE_BOOLEAN,
    WIRE_NUMBER,
    WIRE_STRING,
    WIRE_ARRAY,
    WIRE_MAP,
    WIRE_TIME,  /* MessagePack's timestamp */
    WIRE_BINARY /* MessagePack's bin, and extensions that are no timestamp */
};

struct wire_value {
    enum wire_kind kind;
    bool whole; /* NUMBER: an integer of at most 64 bits, exact in `negative` and `magnitude` */
    bool negative;
    bool open;             /* ARRAY, MAP: its end has not been read */
    uint32_t left;         /* ARRAY, MAP: how many are to come (MessagePack), or whether one came (JSON) */
    uint64_t magnitude;    /* BOOLEAN: 1 for true */
    double number;         /* NUMBER: may be infinite or NaN. TIME: seconds since the epoch, NAN for bad nanoseconds */
    struct text text;      /* STRING */
    struct key_scope keys; /* MAP */
};

struct metric_reader {
    const unsigned char *start, *at, *end;
    bool json;
    unsigned depth;
    int error;
    const char *why;
    size_t where; /* of the error: bytes from the start */
    struct metric_keys keys;
    unsigned char *plain; /* strings without their escapes, as long together as the payload at most */
    size_t plain_used, plain_room;
};

void reader_begin(struct metric_reader *self, struct text payload);

enum wire_kind reader_value(struct metric_reader *self, struct wire_value *out);

/* Says whether one more element of an open array follows; when not, the array is closed. */
bool reader_element(struct metric_reader *self, struct wire_value *array);

/* The same for the members of an open map, with the member's name. A name that is no string (MessagePack allows it) has
 * a NULL for `at`. */
bool reader_member(struct metric_reader *self, struct wire_value *map, struct text *name);

/* Passes over what is left of a value: nothing, unless it is an array or a map that is still open. */
void reader_skip(struct metric_reader *self, struct wire_value *value);

/* Looks that nothing follows the outermost value. */
void reader_end(struct metric_reader *self);

void reader_free(struct metric_reader *self);

/* For the two formats. */
bool reader_fail(struct metric_reader *self, const char *why);
void reader_no_memory(struct metric_reader *self);
enum wire_kind reader_open(struct metric_reader *self, struct wire_value *out, enum wire_kind kind, uint32_t left);

#endif

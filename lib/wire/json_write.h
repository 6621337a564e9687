/* json_write.h - writes one JSON value piece by piece into memory.
 *
 * Commas are set by the writer. Text may come from anywhere: what is no UTF-8 comes out as U+FFFD, so the result is
 * always RFC 8259. NaN and infinities come out as null.
 *
 * Threads: a writer belongs to one thread. Memory: the writer owns its buffer until json_write_take(). Failure: sticky;
 * nothing has to be checked before the end.
 */
#ifndef DRIFT_LIB_WIRE_JSON_WRITE_H
#define DRIFT_LIB_WIRE_JSON_WRITE_H

#include <stdint.h>

#include "lib/text.h"

struct json_write {
    char *at;
    size_t len, room;
    bool failed;
};

/* '{', '}', '[' or ']'. */
void json_write_bracket(struct json_write *self, char bracket);
void json_write_key(struct json_write *self, const char *key);
/* The same of a literal that needs no escapes, which is only copied: json_write_name(out, "attempt"). */
#define json_write_name(out, key) json_write_ready(out, "\"" key "\":", sizeof "\"" key "\":" - 1)
void json_write_ready(struct json_write *self, const char *key, size_t len); /* with its quotes and colon */
void json_write_key_text(struct json_write *self, struct text key);

void json_write_text(struct json_write *self, struct text text);
/* NULL: null. */
void json_write_string(struct json_write *self, const char *string);
void json_write_integer(struct json_write *self, int64_t number);
void json_write_bool(struct json_write *self, bool truth);
void json_write_null(struct json_write *self);

/* The shortest decimal that is read back as the same double. */
void json_write_number(struct json_write *self, double number);

/* A measured value, kept in single precision: the shortest decimal, of at most 8 significant digits, that is read back as
 * the same float; 0.8 stays 0.8. */
void json_write_measure(struct json_write *self, double number);

/* RFC 3339 in UTC with milliseconds, of seconds since the epoch; null for what is not finite or outside years 0 to
 * 9999. */
void json_write_time(struct json_write *self, double seconds);

/* A value that is JSON already. */
void json_write_raw(struct json_write *self, struct text json);

/* Begins anew in the memory that the writer has. */
static inline void json_write_clear(struct json_write *self)
{
    self->len = 0;
    self->failed = false;
}

/* What is written, borrowed until the writer is used again; its `at` NULL: memory was short. */
static inline struct text json_write_whole(const struct json_write *self)
{
    return (struct text){self->failed ? NULL : self->at, self->failed ? 0 : self->len};
}

/* The whole text, NUL-terminated, which the caller frees; NULL when memory was short. The writer is empty then. */
char *json_write_take(struct json_write *self);

#endif

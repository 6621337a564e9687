/* wire_walk.h - a whole payload, as metric_reader reads it, written as one line to compare with.
 *
 * null true 7 -7 0.5 "text" [1 2] {"name":1} @1.5 (a timestamp) # (binary) ?:1 (a member whose name is no string)
 */
#ifndef TESTS_UNIT_WIRE_WALK_H
#define TESTS_UNIT_WIRE_WALK_H

#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/metric_reader.h"

static inline void walk_text(FILE *out, struct text text)
{
    fputc('"', out);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.at[i];
        fprintf(out, c < 0x20 || c > 0x7E || c == '"' || c == '\\' ? "\\x%02X" : "%c", c);
    }
    fputc('"', out);
}

static inline void walk_value(FILE *out, struct metric_reader *reader)
{
    struct wire_value value;
    struct text name;
    const char *before = "";
    switch (reader_value(reader, &value)) {
    case WIRE_NONE:
        return;
    case WIRE_NULL:
        fputs("null", out);
        return;
    case WIRE_BOOLEAN:
        fputs(value.magnitude ? "true" : "false", out);
        return;
    case WIRE_NUMBER:
        if (value.whole)
            fprintf(out, "%s%llu", value.negative ? "-" : "", (unsigned long long)value.magnitude);
        else
            fprintf(out, "%.17g", value.number);
        return;
    case WIRE_STRING:
        walk_text(out, value.text);
        return;
    case WIRE_TIME:
        fprintf(out, "@%.17g", value.number);
        return;
    case WIRE_BINARY:
        fputc('#', out);
        return;
    case WIRE_ARRAY:
        fputc('[', out);
        for (; reader_element(reader, &value); before = " ") {
            fputs(before, out);
            walk_value(out, reader);
        }
        fputc(']', out);
        return;
    case WIRE_MAP:
        fputc('{', out);
        for (; reader_member(reader, &value, &name); before = " ") {
            fputs(before, out);
            if (name.at != NULL)
                walk_text(out, name);
            else
                fputc('?', out);
            fputc(':', out);
            walk_value(out, reader);
        }
        fputc('}', out);
        return;
    }
}

/* The line, or "error: why" for a payload that is not well formed; to be freed. The payload is read from memory of just
 * its size, so that a sanitizer sees a byte too many. */
static inline char *walk(struct text payload)
{
    static struct metric_reader reader; /* kept, so that one payload can disturb the next */
    char *line = NULL, *copy = malloc(payload.len > 0 ? payload.len : 1);
    size_t bytes;
    if (payload.len > 0)
        memcpy(copy, payload.at, payload.len);
    FILE *out = open_memstream(&line, &bytes);
    reader_begin(&reader, (struct text){copy, payload.len});
    walk_value(out, &reader);
    reader_end(&reader);
    fclose(out);
    if (reader.error != 0) {
        free(line);
        line = NULL;
        if (asprintf(&line, "error: %s", reader.why) < 0)
            abort();
    }
    /* Passing over it must come to the same. */
    struct metric_reader other = {0};
    struct wire_value value;
    reader_begin(&other, (struct text){copy, payload.len});
    reader_value(&other, &value);
    reader_skip(&other, &value);
    reader_end(&other);
    if (other.error != reader.error || other.where != (reader.error != 0 ? reader.where : 0) || other.depth != reader.depth)
        abort();
    reader_free(&other);
    free(copy);
    return line;
}

#endif

#include "lib/wire/json_number.h"
#include "lib/wire/json_reader.h"
#include "lib/wire/json_string.h"

static bool is_space(unsigned char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

bool json_begins(unsigned char first)
{
    return first == '{' || first == '[' || is_space(first);
}

void json_space(struct metric_reader *reader)
{
    while (reader->at < reader->end && is_space(*reader->at)) {
        reader->at++;
    }
}

/* The next byte that is no white space, or 0 at the end: a NUL fits nowhere either. */
static unsigned char peek(struct metric_reader *reader)
{
    json_space(reader);
    return reader->at < reader->end ? *reader->at : 0;
}

static bool fail_here(struct metric_reader *reader, const char *why)
{
    return reader_fail(reader, reader->at == reader->end ? "the payload ends in the middle of a value" : why);
}

static enum wire_kind literal(struct metric_reader *reader, const char *word, enum wire_kind kind)
{
    size_t bytes = strlen(word);
    if ((size_t)(reader->end - reader->at) < bytes || memcmp(reader->at, word, bytes) != 0) {
        reader_fail(reader, "there is neither a value nor true, false or null");
        return WIRE_NONE;
    }
    reader->at += bytes;
    return kind;
}

enum wire_kind json_value(struct metric_reader *reader, struct wire_value *out)
{
    unsigned char first = peek(reader);
    switch (first) {
    case '{':
        reader->at++;
        return reader_open(reader, out, WIRE_MAP, 0);
    case '[':
        reader->at++;
        return reader_open(reader, out, WIRE_ARRAY, 0);
    case '"':
        reader->at++;
        return json_read_string(reader, &out->text) ? WIRE_STRING : WIRE_NONE;
    case 't':
    case 'f':
        out->magnitude = first == 't';
        return literal(reader, first == 't' ? "true" : "false", WIRE_BOOLEAN);
    case 'n':
        return literal(reader, "null", WIRE_NULL);
    default:
        break;
    }
    const unsigned char *after = json_number(reader->at, reader->end, out);
    if (after == NULL) {
        fail_here(reader, "there is no value that JSON knows");
        return WIRE_NONE;
    }
    reader->at = after;
    return WIRE_NUMBER;
}

/* Passes the comma that must stand between two; false when the array or object ends here. */
static bool another(struct metric_reader *reader, struct wire_value *open, unsigned char closing)
{
    unsigned char next = peek(reader);
    if (next == closing) {
        reader->at++;
        return false;
    }
    if (next == 0) {
        return fail_here(reader, "there is a byte that JSON does not know");
    }
    if (open->left == 0) {
        open->left = 1;
        return true;
    }
    if (next != ',') {
        return fail_here(reader, "a comma or a closing bracket is missing");
    }
    reader->at++;
    return true;
}

bool json_element(struct metric_reader *reader, struct wire_value *array)
{
    return another(reader, array, ']');
}

bool json_member(struct metric_reader *reader, struct wire_value *map, struct text *name)
{
    if (!another(reader, map, '}')) {
        return false;
    }
    if (peek(reader) != '"') {
        return fail_here(reader, "a member's name is missing");
    }
    reader->at++;
    if (!json_read_string(reader, name)) {
        return false;
    }
    if (peek(reader) != ':') {
        return fail_here(reader, "the colon after a member's name is missing");
    }
    reader->at++;
    return true;
}

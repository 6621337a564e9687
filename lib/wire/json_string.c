#include <stdlib.h>

#include "lib/wire/json_string.h"
#include "lib/wire/metric_memory.h"
#include "lib/wire/utf8.h"

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)

/* Nothing to look at: printable ASCII that is neither a quote nor a backslash. */
static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
}

const unsigned char *json_plain_end(const unsigned char *at, const unsigned char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    /* Eight at once. A byte's high bit ends up set when it is special; a borrow can set a wrong one only above a right
     * one, so the lowest is always right. */
    while (end - at >= 8) {
        uint64_t eight;
        memcpy(&eight, at, sizeof eight);
        uint64_t quote = eight ^ EACH_BYTE * '"', backslash = eight ^ EACH_BYTE * '\\';
        uint64_t special =
            (eight | (eight - EACH_BYTE * 0x20) | (quote - EACH_BYTE) | (backslash - EACH_BYTE)) & HIGH_BITS;
        if (special != 0) {
            return at + (__builtin_ctzll(special) >> 3);
        }
        at += 8;
    }
#endif
    while (at < end && is_plain(*at)) {
        at++;
    }
    return at;
}

static int hex_digit(unsigned char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    unsigned char lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Four hexadecimal digits, or -1. */
static int32_t code_unit(struct metric_reader *reader)
{
    if (reader->end - reader->at < 4) {
        return -1;
    }
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(reader->at[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    reader->at += 4;
    return unit;
}

/* What follows "\u": one code unit, or a surrogate pair. */
static bool code_point(struct metric_reader *reader, uint32_t *out)
{
    int32_t high = code_unit(reader);
    if (high < 0) {
        return reader_fail(reader, "\\u needs four hexadecimal digits");
    }
    *out = (uint32_t)high;
    if (high < 0xD800 || high > 0xDFFF) {
        return true;
    }
    bool paired = high < 0xDC00 && reader->end - reader->at >= 2 && reader->at[0] == '\\' && reader->at[1] == 'u';
    if (!paired) {
        return reader_fail(reader, "half of a surrogate pair stands alone");
    }
    reader->at += 2;
    int32_t low = code_unit(reader);
    if (low < 0xDC00 || low > 0xDFFF) {
        return reader_fail(reader, "half of a surrogate pair stands alone");
    }
    *out = 0x10000 + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
    return true;
}

/* Undoes the escape at reader->at, which stands after the backslash. */
static bool escape(struct metric_reader *reader, unsigned char **to_p)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    unsigned char which = reader->at < reader->end ? *reader->at : 0;
    if (which == 'u') {
        uint32_t point = 0;
        reader->at++;
        if (!code_point(reader, &point)) {
            return false;
        }
        *to_p += utf8_encode(*to_p, point);
        return true;
    }
    const char *found = which != 0 ? strchr(from, which) : NULL;
    if (found == NULL) {
        return reader_fail(reader, "a backslash escapes nothing that JSON knows");
    }
    *(*to_p)++ = (unsigned char)to[found - from];
    reader->at++;
    return true;
}

/* All strings of a payload together are no longer than it, so the room that is made with the first one is enough for
 * all of them, and none has to move. */
static unsigned char *plain_room(struct metric_reader *reader)
{
    size_t needed = (size_t)(reader->end - reader->start);
    if (reader->plain_room < needed) {
        unsigned char *plain = malloc(needed);
        if (plain == NULL) {
            reader_no_memory(reader);
            return NULL;
        }
        free(reader->plain);
        reader->plain = plain;
        reader->plain_room = needed;
    }
    return reader->plain + reader->plain_used;
}

/* A string with escapes: `start` is its first byte, reader->at its first backslash. */
static bool escaped_string(struct metric_reader *reader, const unsigned char *start, struct text *out)
{
    unsigned char *first = plain_room(reader), *to = first;
    if (first == NULL) {
        return false;
    }
    while (reader->at < reader->end && *reader->at != '"') {
        if (*reader->at == '\\') {
            size_t bytes = (size_t)(reader->at - start);
            memcpy(to, start, bytes);
            to += bytes;
            reader->at++;
            if (!escape(reader, &to)) {
                return false;
            }
            start = reader->at;
            continue;
        }
        unsigned bytes = *reader->at < 0x20 ? 0 : utf8_sequence(reader->at, reader->end);
        if (bytes == 0) {
            return reader_fail(reader, "a string holds a control character or is not UTF-8");
        }
        reader->at += bytes;
    }
    if (reader->at == reader->end) {
        return reader_fail(reader, "the payload ends in the middle of a string");
    }
    size_t bytes = (size_t)(reader->at - start);
    memcpy(to, start, bytes);
    to += bytes;
    reader->at++;
    *out = (struct text){.at = (const char *)first, .len = (size_t)(to - first)};
    reader->plain_used += out->len;
    return true;
}

bool json_read_string(struct metric_reader *reader, struct text *out)
{
    const unsigned char *start = reader->at, *at = start, *end = reader->end;
    for (;;) {
        at = json_plain_end(at, end);
        if (at == end) {
            return reader_fail(reader, "the payload ends in the middle of a string");
        }
        if (*at == '"') {
            *out = (struct text){.at = (const char *)start, .len = (size_t)(at - start)};
            reader->at = at + 1;
            return true;
        }
        reader->at = at;
        if (*at == '\\') {
            return escaped_string(reader, start, out);
        }
        unsigned bytes = *at < 0x20 ? 0 : utf8_sequence(at, end);
        if (bytes == 0) {
            return reader_fail(reader, "a string holds a control character or is not UTF-8");
        }
        at += bytes;
    }
}

#include <math.h>

#include "lib/wire/msgpack_reader.h"
#include "lib/wire/utf8.h"

#define TYPE_TIMESTAMP 0xFF /* extension type -1 */

bool msgpack_begins(unsigned char first)
{
    return (first >= 0x80 && first <= 0x9F) || (first >= 0xDC && first <= 0xDF);
}

static uint64_t big_endian(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

/* Passes over so many bytes and returns where they begin; NULL when the payload has fewer. */
static const unsigned char *take(struct metric_reader *reader, uint64_t bytes)
{
    if ((uint64_t)(reader->end - reader->at) < bytes) {
        reader_fail(reader, "the payload ends in the middle of a value");
        return NULL;
    }
    reader->at += bytes;
    return reader->at - bytes;
}

static bool take_unsigned(struct metric_reader *reader, unsigned bytes, uint64_t *out)
{
    const unsigned char *at = take(reader, bytes);
    if (at == NULL) {
        return false;
    }
    *out = big_endian(at, bytes);
    return true;
}

static enum wire_kind positive(struct wire_value *out, uint64_t value)
{
    out->whole = true;
    out->negative = false;
    out->magnitude = value;
    out->number = (double)value;
    return WIRE_NUMBER;
}

static enum wire_kind integer(struct wire_value *out, int64_t value)
{
    if (value >= 0) {
        return positive(out, (uint64_t)value);
    }
    out->whole = true;
    out->negative = true;
    out->magnitude = 0 - (uint64_t)value;
    out->number = (double)value;
    return WIRE_NUMBER;
}

static enum wire_kind unsigned_of(struct metric_reader *reader, struct wire_value *out, unsigned bytes)
{
    uint64_t value;
    return take_unsigned(reader, bytes, &value) ? positive(out, value) : WIRE_NONE;
}

static enum wire_kind signed_of(struct metric_reader *reader, struct wire_value *out, unsigned bytes)
{
    uint64_t bits;
    if (!take_unsigned(reader, bytes, &bits)) {
        return WIRE_NONE;
    }
    unsigned unused = 64 - 8 * bytes;
    return integer(out, (int64_t)(bits << unused) >> unused); /* brings the sign up and back */
}

static enum wire_kind float_of(struct metric_reader *reader, struct wire_value *out, unsigned bytes)
{
    uint64_t bits;
    if (!take_unsigned(reader, bytes, &bits)) {
        return WIRE_NONE;
    }
    out->whole = false;
    if (bytes == 4) {
        uint32_t low = (uint32_t)bits;
        float single;
        memcpy(&single, &low, sizeof single);
        out->number = (double)single;
    } else {
        memcpy(&out->number, &bits, sizeof out->number);
    }
    out->negative = signbit(out->number) != 0;
    out->magnitude = 0;
    return WIRE_NUMBER;
}

static enum wire_kind string(struct metric_reader *reader, struct wire_value *out, uint64_t bytes)
{
    const unsigned char *at = take(reader, bytes);
    if (at == NULL) {
        return WIRE_NONE;
    }
    out->text = (struct text){.at = (const char *)at, .len = (size_t)bytes};
    if (!utf8_valid(out->text)) {
        reader_fail(reader, "a string is not UTF-8");
        return WIRE_NONE;
    }
    return WIRE_STRING;
}

static enum wire_kind binary(struct metric_reader *reader, uint64_t bytes)
{
    return take(reader, bytes) != NULL ? WIRE_BINARY : WIRE_NONE;
}

/* Every element takes a byte at least, every member two: a count that is larger can only be a lie. */
static enum wire_kind container(struct metric_reader *reader, struct wire_value *out, enum wire_kind kind,
                                uint64_t count)
{
    uint64_t left = (uint64_t)(reader->end - reader->at);
    if (count > (kind == WIRE_MAP ? left / 2 : left)) {
        reader_fail(reader, "an array or a map claims more than the payload holds");
        return WIRE_NONE;
    }
    return reader_open(reader, out, kind, (uint32_t)count);
}

static enum wire_kind extension(struct metric_reader *reader, struct wire_value *out, uint64_t bytes)
{
    const unsigned char *type = take(reader, 1);
    const unsigned char *at = type != NULL ? take(reader, bytes) : NULL;
    if (at == NULL) {
        return WIRE_NONE;
    }
    uint64_t nanoseconds = 0;
    int64_t seconds;
    if (*type != TYPE_TIMESTAMP) {
        return WIRE_BINARY;
    }
    if (bytes == 4) {
        seconds = (int64_t)big_endian(at, 4);
    } else if (bytes == 8) {
        uint64_t both = big_endian(at, 8);
        nanoseconds = both >> 34;
        seconds = (int64_t)(both & ((UINT64_C(1) << 34) - 1));
    } else if (bytes == 12) {
        nanoseconds = big_endian(at, 4);
        seconds = (int64_t)big_endian(at + 4, 8);
    } else {
        return WIRE_BINARY;
    }
    out->number = nanoseconds <= 999999999 ? (double)seconds + (double)nanoseconds / 1e9 : (double)NAN;
    return WIRE_TIME;
}

/* The formats whose length stands in 1, 2 or 4 bytes behind the first one. */
static enum wire_kind with_length(struct metric_reader *reader, struct wire_value *out, unsigned char first)
{
    static const unsigned char bytes[] = {
        [0xC4] = 1, [0xC5] = 2, [0xC6] = 4, [0xC7] = 1, [0xC8] = 2, [0xC9] = 4, [0xD9] = 1,
        [0xDA] = 2, [0xDB] = 4, [0xDC] = 2, [0xDD] = 4, [0xDE] = 2, [0xDF] = 4,
    };
    uint64_t length;
    if (!take_unsigned(reader, bytes[first], &length)) {
        return WIRE_NONE;
    }
    if (first <= 0xC6) {
        return binary(reader, length);
    }
    if (first <= 0xC9) {
        return extension(reader, out, length);
    }
    if (first <= 0xDB) {
        return string(reader, out, length);
    }
    return container(reader, out, first <= 0xDD ? WIRE_ARRAY : WIRE_MAP, length);
}

enum wire_kind msgpack_value(struct metric_reader *reader, struct wire_value *out)
{
    const unsigned char *at = take(reader, 1);
    if (at == NULL) {
        return WIRE_NONE;
    }
    unsigned char first = *at;
    if (first <= 0x7F) {
        return positive(out, first);
    }
    if (first <= 0x8F) {
        return container(reader, out, WIRE_MAP, first & 0x0F);
    }
    if (first <= 0x9F) {
        return container(reader, out, WIRE_ARRAY, first & 0x0F);
    }
    if (first <= 0xBF) {
        return string(reader, out, first & 0x1F);
    }
    if (first >= 0xE0) {
        return integer(out, (int8_t)first);
    }
    switch (first) {
    case 0xC0:
        return WIRE_NULL;
    case 0xC1:
        reader_fail(reader, "there is a byte that MessagePack never uses");
        return WIRE_NONE;
    case 0xC2:
    case 0xC3:
        out->magnitude = first == 0xC3;
        return WIRE_BOOLEAN;
    case 0xCA:
    case 0xCB:
        return float_of(reader, out, first == 0xCA ? 4 : 8);
    case 0xCC:
    case 0xCD:
    case 0xCE:
    case 0xCF:
        return unsigned_of(reader, out, 1u << (first - 0xCC));
    case 0xD0:
    case 0xD1:
    case 0xD2:
    case 0xD3:
        return signed_of(reader, out, 1u << (first - 0xD0));
    case 0xD4:
    case 0xD5:
    case 0xD6:
    case 0xD7:
    case 0xD8:
        return extension(reader, out, 1u << (first - 0xD4));
    default:
        return with_length(reader, out, first);
    }
}

static bool another(struct wire_value *open)
{
    if (open->left == 0) {
        return false;
    }
    open->left--;
    return true;
}

bool msgpack_element(struct metric_reader *reader, struct wire_value *array)
{
    return reader->error == 0 && another(array);
}

bool msgpack_member(struct metric_reader *reader, struct wire_value *map, struct text *name)
{
    if (reader->error != 0 || !another(map)) {
        return false;
    }
    struct wire_value key;
    *name = (struct text){.at = NULL, .len = 0};
    if (reader_value(reader, &key) == WIRE_STRING) {
        *name = key.text;
    } else {
        reader_skip(reader, &key);
    }
    return reader->error == 0;
}

#include "lib/wire/utf8.h"

static bool follows(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

unsigned utf8_sequence(const unsigned char *at, const unsigned char *end)
{
    size_t left = (size_t)(end - at);
    if (left == 0) {
        return 0;
    }
    unsigned char first = at[0];
    if (first < 0x80) {
        return 1;
    }
    if (first < 0xC2 || first > 0xF4) {
        return 0;
    }
    if (first < 0xE0) {
        return left >= 2 && follows(at[1]) ? 2 : 0;
    }
    /* The second byte alone tells overlong forms, surrogates and code points that are too high. */
    if (first < 0xF0) {
        unsigned char low = first == 0xE0 ? 0xA0 : 0x80, high = first == 0xED ? 0x9F : 0xBF;
        return left >= 3 && at[1] >= low && at[1] <= high && follows(at[2]) ? 3 : 0;
    }
    unsigned char low = first == 0xF0 ? 0x90 : 0x80, high = first == 0xF4 ? 0x8F : 0xBF;
    return left >= 4 && at[1] >= low && at[1] <= high && follows(at[2]) && follows(at[3]) ? 4 : 0;
}

bool utf8_valid(struct text text)
{
    const unsigned char *at = (const unsigned char *)text.at, *end = at + text.len;
    while (at < end) {
        uint64_t eight;
        if (end - at >= 8 && (memcpy(&eight, at, 8), (eight & UINT64_C(0x8080808080808080)) == 0)) {
            at += 8;
            continue;
        }
        unsigned bytes = *at < 0x80 ? 1 : utf8_sequence(at, end);
        if (bytes == 0) {
            return false;
        }
        at += bytes;
    }
    return true;
}

unsigned utf8_encode(unsigned char out[4], uint32_t code_point)
{
    if (code_point < 0x80) {
        out[0] = (unsigned char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (unsigned char)(0xC0 | code_point >> 6);
        out[1] = (unsigned char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (unsigned char)(0xE0 | code_point >> 12);
        out[1] = (unsigned char)(0x80 | (code_point >> 6 & 0x3F));
        out[2] = (unsigned char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    out[0] = (unsigned char)(0xF0 | code_point >> 18);
    out[1] = (unsigned char)(0x80 | (code_point >> 12 & 0x3F));
    out[2] = (unsigned char)(0x80 | (code_point >> 6 & 0x3F));
    out[3] = (unsigned char)(0x80 | (code_point & 0x3F));
    return 4;
}

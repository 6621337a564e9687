#include "lib/config/source.h"

/* Bytes of the character at text.at[from], 0 where it is none; Unicode 15, table 3-7. */
static size_t character(struct text text, size_t from, uint32_t *code_p)
{
    const unsigned char *s = (const unsigned char *)text.at + from;
    size_t left = text.len - from, bytes = 0;
    uint32_t code = s[0], least = 0;
    if (code < 0x80) {
        *code_p = code;
        return 1;
    }
    if (code >= 0xc2 && code <= 0xdf)
        bytes = 2, least = 0x80, code &= 0x1f;
    else if ((code & 0xf0) == 0xe0)
        bytes = 3, least = 0x800, code &= 0x0f;
    else if (code >= 0xf0 && code <= 0xf4)
        bytes = 4, least = 0x10000, code &= 0x07;
    if (bytes == 0 || bytes > left)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (s[i] & 0x3f);
    }
    *code_p = code;
    return code < least || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? 0 : bytes;
}

/* Bytes of the line break at text.at[from], 0 where there is none. */
static size_t line_break(struct text text, size_t from)
{
    unsigned char c = (unsigned char)text.at[from];
    if (c == '\n')
        return 1;
    if (c == '\r')
        return from + 1 < text.len && text.at[from + 1] == '\n' ? 2 : 1;
    if (c == 0xc2 && from + 1 < text.len && (unsigned char)text.at[from + 1] == 0x85)
        return 2;
    if (c == 0xe2 && from + 2 < text.len && (unsigned char)text.at[from + 1] == 0x80 &&
        ((unsigned char)text.at[from + 2] & 0xfe) == 0xa8)
        return 3;
    return 0;
}

struct text source_without_mark(struct text source)
{
    if (source.len >= 3 && memcmp(source.at, "\xef\xbb\xbf", 3) == 0)
        return (struct text){.at = source.at + 3, .len = source.len - 3};
    return source;
}

/* What YAML 1.2 calls printable (5.1); a byte order mark within the text is not. */
static bool printable(uint32_t code)
{
    return code == '\t' || code == '\n' || code == '\r' || (code >= 0x20 && code <= 0x7e) || code == 0x85 ||
           (code >= 0xa0 && code != 0xfeff && code != 0xfffe && code != 0xffff);
}

static const char *wrong_with(size_t bytes, uint32_t code)
{
    if (bytes == 0)
        return "a byte that is no UTF-8; save the file as UTF-8";
    if (code == 0)
        return "a NUL byte; the file must be text in UTF-8";
    return printable(code) ? NULL : "a control character; only tab and line breaks may stand in a text";
}

const char *source_check(struct text source, struct mark *mark_p)
{
    struct mark mark = {.line = 1, .column = 1};
    for (size_t at = 0; at < source.len;) {
        uint32_t code = 0;
        size_t bytes = character(source, at, &code);
        const char *why = wrong_with(bytes, code);
        if (why) {
            *mark_p = mark;
            return why;
        }
        size_t broken = line_break(source, at);
        at += broken > 0 ? broken : bytes;
        mark.column = broken > 0 ? 1 : mark.column + 1;
        mark.line += broken > 0;
    }
    return NULL;
}

bool source_is_utf8(struct text text)
{
    uint32_t code;
    for (size_t at = 0; at < text.len;) {
        size_t bytes = character(text, at, &code);
        if (bytes == 0)
            return false;
        at += bytes;
    }
    return true;
}

size_t source_line(struct text source, uint32_t lines)
{
    size_t at = 0;
    while (lines > 0 && at < source.len) {
        size_t broken = line_break(source, at);
        at += broken > 0 ? broken : 1;
        lines -= broken > 0;
    }
    return at;
}

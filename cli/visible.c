#include "cli/visible.h"

#include <langinfo.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <wchar.h>

#include "cli/say.h"

static bool utf8;

static bool chosen(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

void visible_init(void)
{
    /* A bare environment (a container, cron) says nothing; then UTF-8 is what terminals read today. */
    bool any = chosen("LC_ALL") || chosen("LC_CTYPE") || chosen("LANG");
    bool set = any && setlocale(LC_CTYPE, "");
    utf8 = (set && strcmp(nl_langinfo(CODESET), "UTF-8") == 0) || !any;
    if (utf8 && !set)
        setlocale(LC_CTYPE, "C.UTF-8");
}

bool visible_utf8(void)
{
    return utf8;
}

/* Decodes one character. Returns its length in bytes, or 0 when there is no valid one. */
static unsigned decode(struct text text, uint32_t *out)
{
    const unsigned char *at = (const unsigned char *)text.at;
    unsigned len = at[0] < 0x80 ? 1 : at[0] < 0xc2 ? 0 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : at[0] < 0xf5 ? 4 : 0;
    if (!len || len > text.len)
        return 0;
    uint32_t point = len == 1 ? at[0] : at[0] & (0x7fu >> len);
    for (unsigned i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (at[i] & 0x3f);
    }
    if ((len == 3 && point < 0x800) || (len == 4 && point < 0x10000) || point > 0x10ffff ||
        (point >= 0xd800 && point < 0xe000))
        return 0;
    *out = point;
    return len;
}

/* Characters that a terminal obeys, or that make text look other than it is. */
static bool treacherous(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0xad || point == 0x61c ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff || (point >= 0xfff0 && point <= 0xfffb) ||
           (point >= 0xe0000 && point <= 0xe0fff);
}

static void escape(FILE *out, uint32_t point)
{
    if (point == '\n')
        fputs("\\n", out);
    else if (point == '\t')
        fputs("\\t", out);
    else if (point == '\r')
        fputs("\\r", out);
    else if (point < 0x80)
        fprintf(out, "\\x%02x", (unsigned)point);
    else
        fprintf(out, "\\u{%x}", (unsigned)point);
}

void visible_put(FILE *out, struct text text)
{
    while (text.len) {
        uint32_t point = 0;
        unsigned len = decode(text, &point);
        if (!len)
            fprintf(out, "\\x%02x", (unsigned char)text.at[0]);
        else if (treacherous(point) || (point >= 0x80 && (!utf8 || wcwidth((wchar_t)point) < 0)))
            escape(out, point);
        else
            fwrite(text.at, 1, len, out);
        text.at += len ? len : 1;
        text.len -= len ? len : 1;
    }
}

char *visible_of(struct text text)
{
    char *memory = NULL;
    size_t size;
    FILE *out = must(open_memstream(&memory, &size));
    visible_put(out, text);
    fwrite("\0\0\0", 1, 3, out); /* room for visible_cut() */
    fclose(out);
    return must(memory);
}

static void escape_json(FILE *out, uint32_t point)
{
    if (point < 0x10000) {
        fprintf(out, "\\u%04x", (unsigned)point);
        return;
    }
    point -= 0x10000;
    fprintf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + (point >> 10)), (unsigned)(0xdc00 + (point & 0x3ff)));
}

void visible_put_json(FILE *out, struct text json)
{
    /* Outside of strings JSON has only ASCII, of which line ends, tabs and spaces are all that is not printable. */
    while (json.len) {
        uint32_t point = 0;
        unsigned len = decode(json, &point);
        if (len && ((point >= 0x20 && treacherous(point)) || (point >= 0x80 && !utf8)))
            escape_json(out, point);
        else
            fwrite(json.at, 1, len ? len : 1, out);
        json.at += len ? len : 1;
        json.len -= len ? len : 1;
    }
}

static unsigned width_of(uint32_t point)
{
    int width = point < 0x80 ? 1 : wcwidth((wchar_t)point);
    return width < 0 ? 1 : (unsigned)width;
}

unsigned visible_columns(const char *visible)
{
    struct text rest = text_of(visible);
    unsigned columns = 0;
    while (rest.len) {
        uint32_t point = 0;
        unsigned len = decode(rest, &point);
        columns += len ? width_of(point) : 1;
        rest.at += len ? len : 1;
        rest.len -= len ? len : 1;
    }
    return columns;
}

size_t visible_fitting(const char *visible, unsigned columns)
{
    struct text rest = text_of(visible);
    unsigned taken = 0;
    while (rest.len) {
        uint32_t point = 0;
        unsigned len = decode(rest, &point), width = len ? width_of(point) : 1;
        if (taken + width > columns && taken)
            break;
        taken += width;
        rest.at += len ? len : 1;
        rest.len -= len ? len : 1;
    }
    return (size_t)(rest.at - visible);
}

void visible_cut(char *visible, unsigned columns)
{
    if (visible_columns(visible) <= columns)
        return;
    size_t kept = columns > 1 ? visible_fitting(visible, columns - 1) : 0;
    const char *mark = utf8 ? "…" : "~";
    memcpy(visible + kept, mark, strlen(mark) + 1);
}

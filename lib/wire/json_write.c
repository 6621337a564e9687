#include "lib/wire/json_write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static __attribute__((noinline)) bool grow(struct json_write *self, size_t len)
{
    size_t room = self->room ? self->room * 2 : 512;
    while (room < self->len + len + 1)
        room *= 2;
    char *at = realloc(self->at, room);
    if (!at) {
        self->failed = true;
        return false;
    }
    self->at = at;
    self->room = room;
    return true;
}

/* Where `len` bytes more are to be written, which count as written; NULL: memory is short. */
static inline __attribute__((always_inline)) char *extend(struct json_write *self, size_t len)
{
    if (self->failed || (self->len + len + 1 > self->room && !grow(self, len)))
        return NULL;
    char *at = self->at + self->len;
    self->len += len;
    return at;
}

static void append(struct json_write *self, const char *bytes, size_t len)
{
    char *at = extend(self, len);
    if (at)
        memcpy(at, bytes, len);
}

/* A value or a key follows another unless a bracket was just opened or a key was just written. */
static bool follows(const struct json_write *self)
{
    char last = self->len ? self->at[self->len - 1] : '[';
    return last != '[' && last != '{' && last != ':';
}

static void separate(struct json_write *self)
{
    if (follows(self))
        append(self, ",", 1);
}

void json_write_bracket(struct json_write *self, char bracket)
{
    if (bracket == '{' || bracket == '[')
        separate(self);
    append(self, &bracket, 1);
}

/* Bytes of the well-formed UTF-8 character at the front of `text`, 0 where there is none (RFC 3629, section 4). */
static size_t character(struct text text)
{
    const unsigned char *s = (const unsigned char *)text.at;
    unsigned char low = 0x80, high = 0xbf;
    size_t bytes;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        bytes = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        bytes = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        bytes = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (text.len < bytes || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < bytes; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    }
    return bytes;
}

/* Whether one of eight bytes does not stand for itself: below 0x20, a quote, a backslash, 0x7f, or no ASCII. Subtracting one
 * from a byte borrows into its highest bit only where the byte was zero; a borrow from below can only say yes too often. */
static bool any_special(uint64_t eight)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = 0x80 * ones;
    uint64_t quote = eight ^ 0x22 * ones, backslash = eight ^ 0x5c * ones, delete = eight ^ 0x7f * ones;
    return ((eight - 0x20 * ones) | (quote - ones) | (backslash - ones) | (delete - ones) | eight) & high;
}

/* How many bytes at the front of `text` stand for themselves and are one character each. */
static size_t plain(struct text text)
{
    size_t len = 0;
    uint64_t eight;
    for (; len + sizeof eight <= text.len; len += sizeof eight) {
        memcpy(&eight, text.at + len, sizeof eight);
        if (any_special(eight))
            break;
    }
    if (len && len + sizeof eight > text.len) { /* the last eight, some of which were looked at */
        memcpy(&eight, text.at + text.len - sizeof eight, sizeof eight);
        if (!any_special(eight))
            return text.len;
    }
    while (len < text.len && text.at[len] >= 0x20 && text.at[len] < 0x7f && text.at[len] != '"' && text.at[len] != '\\')
        len++;
    return len;
}

static void append_escaped(struct json_write *self, struct text text)
{
    while (text.len) {
        size_t run = plain(text);
        append(self, text.at, run);
        text.at += run;
        text.len -= run;
        if (!text.len)
            break;
        size_t bytes = character(text);
        unsigned char c = (unsigned char)text.at[0];
        char escape[8];
        if (bytes == 0) {
            append(self, "\xef\xbf\xbd", 3);
            bytes = 1;
        } else if (c == '"' || c == '\\') {
            escape[0] = '\\';
            escape[1] = (char)c;
            append(self, escape, 2);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof escape, "\\u%04x", c);
            append(self, escape, 6);
        } else {
            append(self, text.at, bytes);
        }
        text.at += bytes;
        text.len -= bytes;
    }
}

/* A string, what separates it from the one before, and `behind`, "" or ":". */
static void append_quoted(struct json_write *self, struct text text, const char *behind)
{
    size_t after = strlen(behind), before = follows(self) ? 2 : 1, len = plain(text);
    if (len < text.len) {
        separate(self);
        append(self, "\"", 1);
        append_escaped(self, text);
        append(self, "\":", 1 + after);
        return;
    }
    char *at = extend(self, before + len + 1 + after);
    if (!at)
        return;
    memcpy(at, &",\""[2 - before], before);
    memcpy(at + before, text.at, len);
    memcpy(at + before + len, "\":", 1 + after);
}

void json_write_ready(struct json_write *self, const char *key, size_t len)
{
    size_t before = follows(self);
    char *at = extend(self, before + len);
    if (!at)
        return;
    *at = ',';
    memcpy(at + before, key, len);
}

void json_write_key_text(struct json_write *self, struct text key)
{
    append_quoted(self, key, ":");
}

void json_write_key(struct json_write *self, const char *key)
{
    json_write_key_text(self, text_of(key));
}

void json_write_text(struct json_write *self, struct text text)
{
    append_quoted(self, text, "");
}

void json_write_string(struct json_write *self, const char *string)
{
    if (string)
        json_write_text(self, text_of(string));
    else
        json_write_null(self);
}

void json_write_raw(struct json_write *self, struct text json)
{
    separate(self);
    append(self, json.at, json.len);
}

void json_write_null(struct json_write *self)
{
    json_write_raw(self, text_of("null"));
}

void json_write_bool(struct json_write *self, bool truth)
{
    json_write_raw(self, text_of(truth ? "true" : "false"));
}

/* The digits of a number, at least `least` of them, before `end`; where they begin. */
static char *digits_of(uint64_t number, int least, char *end)
{
    for (; number || least > 0; number /= 10, least--)
        *--end = (char)('0' + number % 10);
    return end;
}

void json_write_integer(struct json_write *self, int64_t number)
{
    char text[24], *end = text + sizeof text;
    char *begin = digits_of(number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 1, end);
    if (number < 0)
        *--begin = '-';
    json_write_raw(self, (struct text){begin, (size_t)(end - begin)});
}

/* Written without a point: 300, not 3e+02. */
static bool is_plain_integer(double number, double below)
{
    return fabs(number) < below && !((double)(int64_t)number < number) && !((double)(int64_t)number > number);
}

void json_write_number(struct json_write *self, double number)
{
    if (!isfinite(number)) {
        json_write_null(self);
        return;
    }
    char text[32];
    if (is_plain_integer(number, 1e15)) {
        json_write_integer(self, (int64_t)number);
        return;
    }
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        double back = strtod(text, NULL);
        if (!(back < number) && !(back > number))
            break;
    }
    json_write_raw(self, text_of(text));
}

static bool same_float(double a, double b)
{
    float left = (float)a, right = (float)b;
    return !(left < right) && !(left > right);
}

/* The same as the loop of json_write_measure() for what has a few places behind the point: an integer over a power of
 * ten that both are exact is the double nearest to that decimal (Clinger, PLDI 1990, section 4). False: not one of
 * these. */
static bool write_places(struct json_write *self, double number)
{
    static const uint32_t tens[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
    double size = fabs(number);
    if (!(size >= 0.1 && size < 1e5) || same_float((double)(uint32_t)(size + 0.5), size))
        return false;
    int whole = size < 1 ? 0 : size < 10 ? 1 : size < 100 ? 2 : size < 1e3 ? 3 : size < 1e4 ? 4 : 5;
    for (int places = 1; places + whole <= 7; places++) {
        uint32_t decimal = (uint32_t)(size * tens[places] + 0.5); /* of at most seven digits */
        if (!same_float((double)decimal / tens[places], size))
            continue;
        char text[24], *end = text + sizeof text;
        char *begin = digits_of(decimal % tens[places], places, end);
        *--begin = '.';
        begin = digits_of(decimal / tens[places], 1, begin);
        if (number < 0)
            *--begin = '-';
        json_write_raw(self, (struct text){begin, (size_t)(end - begin)});
        return true;
    }
    return false;
}

void json_write_measure(struct json_write *self, double number)
{
    if (!isfinite(number)) {
        json_write_null(self);
        return;
    }
    char text[32];
    if (is_plain_integer(number, 1e8)) {
        json_write_integer(self, (int64_t)number);
        return;
    }
    if (write_places(self, number))
        return;
    for (int digits = 1; digits <= 8; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (same_float(strtod(text, NULL), number))
            break;
    }
    json_write_raw(self, text_of(text));
}

/* The date of a day that is counted from 1970-01-01. Years are counted from March, so that a day that only some have is
 * their last: 400 of them have 146097 days, and 153 days are five months from March or from August on. */
static void date_of(int64_t days, int *year_p, int *month_p, int *day_p)
{
    days += 719468; /* from 0000-03-01 on */
    int64_t cycle = (days >= 0 ? days : days - 146096) / 146097;
    int of_cycle = (int)(days - cycle * 146097);
    int year = (of_cycle - of_cycle / 1460 + of_cycle / 36524 - of_cycle / 146096) / 365;
    int of_year = of_cycle - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153; /* 0: March */
    *day_p = of_year - (153 * month + 2) / 5 + 1;
    *month_p = month < 10 ? month + 3 : month - 9;
    *year_p = (int)(400 * cycle) + year + (*month_p <= 2);
}

/* Two digits and what stands behind them. */
static char *put_two(char *at, int number, char behind)
{
    at[0] = (char)('0' + number / 10);
    at[1] = (char)('0' + number % 10);
    at[2] = behind;
    return at + 3;
}

void json_write_time(struct json_write *self, double seconds)
{
    if (!(seconds > -62167219200.0 && seconds < 253402300799.0)) {
        json_write_null(self);
        return;
    }
    int64_t ms = (int64_t)floor(seconds * 1e3 + 0.5);
    int64_t days = (ms >= 0 ? ms : ms - 86399999) / 86400000;
    int of_day = (int)(ms - days * 86400000), year, month, day;
    date_of(days, &year, &month, &day);
    char text[32] = "\"", *at = text + 1;
    at = put_two(at, year / 100, '0') - 1;
    at = put_two(at, year % 100, '-');
    at = put_two(at, month, '-');
    at = put_two(at, day, 'T');
    at = put_two(at, of_day / 3600000, ':');
    at = put_two(at, of_day / 60000 % 60, ':');
    at = put_two(at, of_day / 1000 % 60, '.');
    *at++ = (char)('0' + of_day % 1000 / 100);
    at = put_two(at, of_day % 100, 'Z');
    *at++ = '"';
    json_write_raw(self, (struct text){text, (size_t)(at - text)});
}

char *json_write_take(struct json_write *self)
{
    append(self, "", 0);
    char *at = self->at;
    if (self->failed) {
        free(at);
        at = NULL;
    } else {
        at[self->len] = '\0';
    }
    *self = (struct json_write){.at = NULL};
    return at;
}

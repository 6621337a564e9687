#include <endian.h>
#include <errno.h>

#include "lib/wire/rfc3339.h"

#define DATE_BYTES 10 /* "2026-11-23" */
#define TIME_AT 11    /* "10:00:00" */
#define TIME_END 19

struct cursor {
    const char *at, *end;
    bool bad;
};

static char take(struct cursor *c)
{
    if (c->at == c->end) {
        c->bad = true;
        return '\0';
    }
    return *c->at++;
}

static void expect(struct cursor *c, char wanted)
{
    if (take(c) != wanted) {
        c->bad = true;
    }
}

/* Exactly `digits` digits, between low and high. */
static int number(struct cursor *c, int digits, int low, int high)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        char digit = take(c);
        if (digit < '0' || digit > '9') {
            c->bad = true;
            return low;
        }
        value = value * 10 + (digit - '0');
    }
    if (value < low || value > high) {
        c->bad = true;
        return low;
    }
    return value;
}

static bool leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* Days from 1970-01-01 to a date from the year 0000 on. */
static int64_t days(int year, int month, int day)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    /* Leap days before this year, counted from the year 0000, which is one itself. */
    int64_t past = year == 0 ? 0 : 1 + (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400;
    int64_t since_zero = (int64_t)year * 365 + past + before[month - 1] + (month > 2 && leap(year)) + day - 1;
    return since_zero - 719528; /* of 1970-01-01 */
}

static int month_length(int year, int month)
{
    static const int length[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return length[month - 1] + (month == 2 && leap(year));
}

static int nanoseconds(struct cursor *c)
{
    const char *at = c->at, *end = c->end;
    int value = 0, unit = 100000000;
    if (at == end || *at != '.') {
        return 0;
    }
    const char *first = ++at;
    for (; at < end && *at >= '0' && *at <= '9'; at++) {
        value += (*at - '0') * unit;
        unit /= 10;
    }
    c->at = at;
    if (at == first) {
        c->bad = true;
    }
    return value;
}

/* Seconds that the local time is ahead of UTC. */
static int offset(struct cursor *c)
{
    char sign = take(c);
    if (sign == 'Z' || sign == 'z') {
        return 0;
    }
    if (sign != '+' && sign != '-') {
        c->bad = true;
        return 0;
    }
    int hours = number(c, 2, 0, 23);
    expect(c, ':');
    int minutes = number(c, 2, 0, 59);
    int ahead = hours * 3600 + minutes * 60;
    return sign == '-' ? -ahead : ahead;
}

static int parse(struct text text, int64_t *day_p, double *seconds_p)
{
    struct cursor c = {.at = text.at, .end = text.at + text.len};
    int year = number(&c, 4, 0, 9999);
    expect(&c, '-');
    int month = number(&c, 2, 1, 12);
    expect(&c, '-');
    int day = number(&c, 2, 1, month_length(year, month));
    char between = take(&c);
    if (between != 'T' && between != 't' && between != ' ') {
        c.bad = true;
    }
    int hour = number(&c, 2, 0, 23);
    expect(&c, ':');
    int minute = number(&c, 2, 0, 59);
    expect(&c, ':');
    int second = number(&c, 2, 0, 60);
    int nanos = nanoseconds(&c);
    int ahead = offset(&c);
    if (c.bad || c.at != c.end) {
        return -EINVAL;
    }
    *day_p = days(year, month, day);
    int64_t minutes = (*day_p * 24 + hour) * 60 + minute, whole = minutes * 60 + second - ahead;
    if (second == 60 && whole % 86400 != 0) {
        return -EINVAL; /* leap seconds end a day of UTC */
    }
    *seconds_p = (double)whole + (double)nanos / 1e9;
    return 0;
}

/* Seconds of the day from "10:00:00"; -1: it is no such time, or a leap second. */
static int64_t seconds_of(const char *at)
{
    uint64_t eight;
    memcpy(&eight, at, sizeof eight);
    /* Digits become 0 to 9 and colons 0; each pair of digits its number, in its first byte. */
    eight = le64toh(eight) ^ UINT64_C(0x30303a30303a3030);
    if ((((eight + UINT64_C(0x7676767676767676)) | eight) & UINT64_C(0x8080808080808080)) != 0 ||
        (eight & UINT64_C(0x0000ff0000ff0000)) != 0) {
        return -1;
    }
    eight = eight * 10 + (eight >> 8);
    const int64_t hour = eight & 0xff, minute = eight >> 24 & 0xff, second = eight >> 48 & 0xff;
    return hour < 24 && minute < 60 && second < 60 ? (hour * 60 + minute) * 60 + second : -1;
}

/* A time in UTC of the day that is known. */
static bool parse_same_day(struct text text, const struct rfc3339_day *day, double *seconds_p)
{
    if (text.len <= TIME_END || day->text[0] == '\0' || memcmp(text.at, day->text, DATE_BYTES) != 0) {
        return false;
    }
    const char between = text.at[DATE_BYTES];
    const int64_t seconds = seconds_of(text.at + TIME_AT);
    struct cursor c = {.at = text.at + TIME_END, .end = text.at + text.len};
    const int nanos = nanoseconds(&c);
    if (seconds < 0 || (between != 'T' && between != 't' && between != ' ') || c.bad || c.end - c.at != 1 ||
        (*c.at != 'Z' && *c.at != 'z')) {
        return false;
    }
    *seconds_p = (double)(day->number * 86400 + seconds) + (double)nanos / 1e9;
    return true;
}

int rfc3339_parse_next(struct text text, struct rfc3339_day *day, double *seconds_p)
{
    int64_t number_of_day;
    if (parse_same_day(text, day, seconds_p)) {
        return 0;
    }
    if (parse(text, &number_of_day, seconds_p) != 0) {
        return -EINVAL;
    }
    memcpy(day->text, text.at, DATE_BYTES);
    day->number = number_of_day;
    return 0;
}

int rfc3339_parse(struct text text, double *seconds_p)
{
    int64_t day;
    return parse(text, &day, seconds_p);
}

#include <errno.h>
#include <stdint.h>

#include "lib/wire/rfc3339.h"

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
    int value = 0, unit = 100000000;
    if (c->at == c->end || *c->at != '.') {
        return 0;
    }
    c->at++;
    const char *first = c->at;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        value += (*c->at++ - '0') * unit;
        unit /= 10;
    }
    if (c->at == first) {
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

int rfc3339_parse(struct text text, double *seconds_p)
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
    int64_t minutes = (days(year, month, day) * 24 + hour) * 60 + minute, whole = minutes * 60 + second - ahead;
    if (second == 60 && whole % 86400 != 0) {
        return -EINVAL; /* leap seconds end a day of UTC */
    }
    *seconds_p = (double)whole + (double)nanos / 1e9;
    return 0;
}

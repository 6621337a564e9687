#include "cli/when.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Exactly two digits up to `most`; -1 where there are none. */
static int two_digits(const char *at, int most)
{
    if (!isdigit((unsigned char)at[0]) || !isdigit((unsigned char)at[1]))
        return -1;
    int value = (at[0] - '0') * 10 + (at[1] - '0');
    return value <= most ? value : -1;
}

/* Seconds east of Greenwich; NAN for what is no offset that ends the text. */
static double offset_of(const char *at)
{
    if ((*at == 'Z' || *at == 'z') && at[1] == '\0')
        return 0;
    if ((*at != '+' && *at != '-') || strlen(at) != 6 || at[3] != ':')
        return (double)NAN;
    int hours = two_digits(at + 1, 23), minutes = two_digits(at + 4, 59);
    if (hours < 0 || minutes < 0)
        return (double)NAN;
    return (*at == '-' ? -60.0 : 60.0) * (hours * 60 + minutes);
}

double when_of(const char *text)
{
    struct tm when = {0};
    double fraction = 0;
    if (strlen(text) < strlen("2026-11-23T10:00:00Z") || (text[10] != 'T' && text[10] != 't' && text[10] != ' '))
        return (double)NAN;
    char day[11];
    memcpy(day, text, 10);
    day[10] = '\0';
    const char *end = strptime(day, "%Y-%m-%d", &when);
    when.tm_hour = two_digits(text + 11, 23);
    when.tm_min = two_digits(text + 14, 59);
    when.tm_sec = two_digits(text + 17, 60);
    if (!end || *end || when.tm_hour < 0 || when.tm_min < 0 || when.tm_sec < 0 || text[13] != ':' || text[16] != ':')
        return (double)NAN;
    const char *rest = text + 19;
    if (*rest == '.') {
        if (!isdigit((unsigned char)rest[1]))
            return (double)NAN;
        char digits[32];
        snprintf(digits, sizeof digits, "0%.*s", (int)(1 + strspn(rest + 1, "0123456789")), rest);
        fraction = strtod(digits, NULL);
        rest += 1 + strspn(rest + 1, "0123456789");
    }
    return (double)timegm(&when) + fraction - offset_of(rest);
}

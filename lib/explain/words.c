#include "lib/explain/words.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MINUTE 60.0
#define HOUR 3600.0
#define DAY 86400.0
#define YEAR (365.25 * DAY)

/* Three digits that count; whole from 100 on. */
static void three_digits(double value, char out[32])
{
    double size = fabs(value), step = size >= 1000 ? pow(10, floor(log10(size)) - 2) : 0;
    if (step > 0)
        snprintf(out, 32, "%.0f", round(value / step) * step);
    else
        snprintf(out, 32, "%.3g", value);
}

struct words words_figure(double value)
{
    struct words out;
    if (isnan(value))
        snprintf(out.text, sizeof(out.text), "unknown");
    else if (fabs(value) >= 1e4 || (value != 0 && fabs(value) < 1e-4))
        snprintf(out.text, sizeof(out.text), "%.3g", value);
    else
        snprintf(out.text, sizeof(out.text), "%.4g", value);
    return out;
}

struct words words_count(double count)
{
    struct words out;
    char digits[32];
    if (!(fabs(count) < 1e15)) {
        snprintf(out.text, sizeof(out.text), "%.3g", count);
        return out;
    }
    if (count < 1000)
        snprintf(digits, sizeof(digits), "%.0f", count);
    else
        three_digits(count, digits);
    size_t length = strlen(digits), at = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out.text[at++] = ',';
        out.text[at++] = digits[i];
    }
    out.text[at] = '\0';
    return out;
}

static void with_unit(double amount, const char *unit, struct words *out)
{
    struct words digits;
    if (amount >= 1000)
        digits = words_count(amount);
    else
        three_digits(amount, digits.text);
    snprintf(out->text, sizeof(out->text), "%.30s %s%s", digits.text, unit, strcmp(digits.text, "1") == 0 ? "" : "s");
}

struct words words_span(double seconds)
{
    struct words out;
    if (!(seconds > 0) || isinf(seconds))
        snprintf(out.text, sizeof(out.text), seconds == 0 ? "0 seconds" : "unknown");
    else if (seconds < 1)
        snprintf(out.text, sizeof(out.text), "%.1g seconds", seconds);
    else if (seconds < 100)
        with_unit(seconds, "second", &out);
    else if (seconds < 100 * MINUTE)
        with_unit(seconds / MINUTE, "minute", &out);
    else if (seconds < 2 * DAY)
        with_unit(seconds / HOUR, "hour", &out);
    else if (seconds < 2 * YEAR)
        with_unit(seconds / DAY, "day", &out);
    else
        with_unit(seconds / YEAR, "year", &out);
    return out;
}

struct words words_rate(double per_second)
{
    static const struct {
        double seconds;
        const char *unit;
    } units[] = {{1, "a second"}, {MINUTE, "a minute"}, {HOUR, "an hour"}, {DAY, "a day"}};
    struct words out, amount;
    size_t unit = 0;
    while (unit < 3 && per_second * units[unit].seconds < 0.95)
        unit++;
    with_unit(per_second * units[unit].seconds, "value", &amount);
    snprintf(out.text, sizeof(out.text), "%.40s %s", amount.text, units[unit].unit);
    return out;
}

void words_say(struct sentence *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(self->text + self->len, sizeof(self->text) - self->len, format, arguments);
    va_end(arguments);
    size_t room = sizeof(self->text) - self->len - 1;
    if (wanted > 0)
        self->len += (size_t)wanted < room ? (size_t)wanted : room;
}

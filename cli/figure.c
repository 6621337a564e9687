#include "cli/figure.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/visible.h"

struct figure figure_count(int64_t count)
{
    struct figure out = {.text = ""};
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%" PRId64, count);
    char *to = out.text;
    for (int i = 0; i < len; i++) {
        *to++ = digits[i];
        int left = len - 1 - i;
        if (left && left % 3 == 0 && digits[i] != '-')
            *to++ = ',';
    }
    *to = '\0';
    return out;
}

struct figure figure_value(double value)
{
    struct figure out;
    if (!isfinite(value))
        snprintf(out.text, sizeof out.text, "-");
    else if (fabs(value) >= 10000 && fabs(value) < 1e15)
        snprintf(out.text, sizeof out.text, "%.0f", value);
    else
        snprintf(out.text, sizeof out.text, "%.4g", value);
    return out;
}

struct figure figure_span(double seconds)
{
    struct figure out;
    if (!isfinite(seconds) || seconds > 1e15) {
        snprintf(out.text, sizeof out.text, "-");
        return out;
    }
    int64_t s = (int64_t)(seconds < 0 ? 0 : seconds);
    int64_t minutes = s / 60, hours = minutes / 60, days = hours / 24;
    if (s < 10)
        snprintf(out.text, sizeof out.text, "%.1f s", seconds < 0 ? 0 : seconds);
    else if (s < 60)
        snprintf(out.text, sizeof out.text, "%" PRId64 " s", s);
    else if (hours == 0)
        snprintf(out.text, sizeof out.text, "%" PRId64 " min %" PRId64 " s", minutes, s % 60);
    else if (days == 0)
        snprintf(out.text, sizeof out.text, "%" PRId64 " h %" PRId64 " min", hours, minutes % 60);
    else
        snprintf(out.text, sizeof out.text, "%" PRId64 " d %" PRId64 " h", days, hours % 24);
    return out;
}

struct figure figure_time(double epoch_s)
{
    struct figure out;
    struct tm when;
    time_t whole = isfinite(epoch_s) && fabs(epoch_s) < 1e11 ? (time_t)epoch_s : 0;
    if (whole <= 0 || !gmtime_r(&whole, &when))
        snprintf(out.text, sizeof out.text, "-");
    else
        strftime(out.text, sizeof out.text, "%Y-%m-%d %H:%M:%SZ", &when);
    return out;
}

struct figure figure_stamp(struct text rfc3339)
{
    struct figure out;
    bool known = rfc3339.len >= 20 && rfc3339.at[10] == 'T' && rfc3339.at[rfc3339.len - 1] == 'Z';
    if (known)
        snprintf(out.text, sizeof out.text, "%.10s %.8sZ", rfc3339.at, rfc3339.at + 11);
    else
        snprintf(out.text, sizeof out.text, "%.*s", (int)rfc3339.len, rfc3339.at);
    return out;
}

/* Which of eight heights; a history that does not move is drawn in the middle. */
static unsigned height_of(double value, double low, double high)
{
    if (!(high > low))
        return 3;
    double share = (value / 2 - low / 2) / (high / 2 - low / 2); /* halves: the range may be beyond a double */
    return share >= 1 ? 7 : (unsigned)(share * 8);
}

struct sparkline figure_sparkline(const double *values, uint32_t count)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const plain[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    struct sparkline out = {.text = ""};
    double low = INFINITY, high = -INFINITY;
    if (count > SPARKLINE_MAX) {
        values += count - SPARKLINE_MAX;
        count = SPARKLINE_MAX;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!isfinite(values[i]))
            continue;
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    for (uint32_t i = 0, at = 0; i < count; i++) {
        const char *block =
            !isfinite(values[i]) ? " " : (visible_utf8() ? blocks : plain)[height_of(values[i], low, high)];
        size_t len = strlen(block);
        memcpy(out.text + at, block, len + 1);
        at += (uint32_t)len;
    }
    return out;
}

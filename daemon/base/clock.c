#include "daemon/base/clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct now clock_now(void)
{
    struct timespec steady, wall;
    clock_gettime(CLOCK_BOOTTIME, &steady);
    clock_gettime(CLOCK_REALTIME, &wall);
    return (struct now){.steady_ns = (int64_t)steady.tv_sec * CLOCK_S_NS + steady.tv_nsec,
                        .wall_s = (double)wall.tv_sec + (double)wall.tv_nsec / 1e9};
}

int64_t clock_cpu_ns(void)
{
    struct timespec at;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (int64_t)at.tv_sec * CLOCK_S_NS + at.tv_nsec;
}

void clock_text(double wall_s, char out[CLOCK_TEXT_MAX])
{
    /* Years 0000 to 9999 are what RFC 3339 can write; the nearest of them stands for whatever lies beyond. */
    const double first_ms = -62167219200000.0, last_ms = 253402300799999.0;
    double ms = isnan(wall_s) ? 0.0 : floor(wall_s * 1000.0 + 0.5);
    if (ms < first_ms)
        ms = first_ms;
    if (ms > last_ms)
        ms = last_ms;
    int64_t whole = (int64_t)ms;
    int64_t part = whole % 1000;
    if (part < 0)
        part += 1000;
    time_t seconds = (time_t)((whole - part) / 1000);
    struct tm t;
    gmtime_r(&seconds, &t);
    /* The remainders change nothing; they tell the compiler how long the text can be. */
    snprintf(out, CLOCK_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)(t.tm_year + 1900) % 10000,
             (unsigned)(t.tm_mon + 1) % 100, (unsigned)t.tm_mday % 100, (unsigned)t.tm_hour % 100,
             (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100, (unsigned)part % 1000);
}

/* clock.h - the time, read once a loop turn at the edge and handed down from there.
 *
 * Threads: any. Memory: none. Failure: none; the kernel's clocks are always there.
 */
#ifndef DRIFTD_BASE_CLOCK_H
#define DRIFTD_BASE_CLOCK_H

#include <stdint.h>

struct now {
    int64_t steady_ns; /* CLOCK_BOOTTIME: never jumps, goes on while the machine sleeps */
    double wall_s;     /* CLOCK_REALTIME, seconds since the Unix epoch: for people only */
};

struct now clock_now(void);

/* CPU time of the calling thread; a call into the kernel. */
int64_t clock_cpu_ns(void);

#define CLOCK_S_NS INT64_C(1000000000)
#define CLOCK_MS_NS INT64_C(1000000)

/* Writes RFC 3339 in UTC with milliseconds, "2026-11-23T10:00:00.000Z". */
#define CLOCK_TEXT_MAX 32
void clock_text(double wall_s, char out[CLOCK_TEXT_MAX]);

#endif

/* clock.h - the time, for a program that reads it where it needs it.
 *
 * Threads: any. Memory: none. Failure: none.
 */
#ifndef DRIFT_CLI_CLOCK_H
#define DRIFT_CLI_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Of a clock that does not jump, and goes on while the machine sleeps. */
static inline int64_t clock_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Seconds since the epoch. */
static inline double clock_epoch_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

#endif

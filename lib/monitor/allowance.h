/* allowance.h - whom a monitor asks before it takes memory beyond what it was made with.
 *
 * What peers send decides how much that is: each metric has a window, events that stand for many predictions need
 * weights, a first histogram needs cells. So all of this is asked for, and what is not allowed is left out and counted.
 *
 * Threads: as whoever gives the function says; a monitor calls it from its own. Memory: borrowed by the monitor.
 */
#ifndef DRIFT_LIB_MONITOR_ALLOWANCE_H
#define DRIFT_LIB_MONITOR_ALLOWANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct allowance {
    bool (*take)(void *argument, int64_t bytes); /* below 0: gives back, which is never refused */
    void *argument;
};

/* NULL: there is no bound. */
static inline bool allowance_take(const struct allowance *self, int64_t bytes)
{
    return !self || self->take(self->argument, bytes);
}

#endif

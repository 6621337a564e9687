/* heart.h - a counter that a station's loop raises each turn, and that tells the engine that the loop still turns.
 *
 * Threads: heart_beat() by the station, heart_count() by anyone. Memory: the station's. Failure: none.
 */
#ifndef DRIFTD_BASE_HEART_H
#define DRIFTD_BASE_HEART_H

#include <stdatomic.h>
#include <stdint.h>

/* However quiet it is, a loop turns at least this often. */
#define HEART_TURN_MAX_MS 1000

struct heart {
    atomic_uint_fast64_t beats;
};

static inline void heart_beat(struct heart *self)
{
    atomic_fetch_add_explicit(&self->beats, 1, memory_order_relaxed);
}

static inline uint64_t heart_count(const struct heart *self)
{
    return atomic_load_explicit(&self->beats, memory_order_relaxed);
}

#endif

/* pace.h - how long to let messages gather before the next look, where they come one by one and many a second.
 *
 * Paced traffic is all wake-ups: each costs a signal, a switch of threads and a look, several times what the message
 * itself costs. So above PACE_WAKES_PER_S wake-ups a second the socket is left alone until about PACE_GATHER messages
 * or PACE_GATHER_BYTES are there, and never longer than the bound that was set. Below that rate nothing waits. The bytes
 * are fewer than a connection's window: a sender that fills it has to wait for us.
 *
 * Cost: a few instructions a turn. Threads: a value, of one thread. Memory: none. Failure: none.
 */
#ifndef DRIFTD_INGEST_PACE_H
#define DRIFTD_INGEST_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_WAKES_PER_S 10000
#define PACE_GATHER 128
#define PACE_GATHER_BYTES 32768
#define PACE_WAIT_MOST_NS 1000000

struct pace {
    int64_t most_ns;  /* 0: never waits */
    int64_t since_ns; /* when the measurement began */
    uint32_t wakes, messages;
    uint64_t bytes;
    int64_t wait_ns; /* as the last measurement has it */
};

/* `most_ns`: how long to wait at most; above PACE_WAIT_MOST_NS it is that. */
void pace_init(struct pace *self, int64_t most_ns);

/* After each turn that left nothing to take: `count` messages of so many bytes came in it. Returns how long to wait before
 * the next; 0: until one comes. */
int64_t pace_turn(struct pace *self, uint32_t count, uint64_t bytes, int64_t now_ns);

/* A turn that was full: more is there. */
static inline void pace_busy(struct pace *self, uint32_t count, uint64_t bytes)
{
    self->messages += count;
    self->bytes += bytes;
}

#endif

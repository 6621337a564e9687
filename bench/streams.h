/* streams.h - healthy streams, and what may happen to them, for the benches of detection.
 *
 * Threads: values. Memory: the caller's. Failure: none. The same seed gives the same stream.
 */
#ifndef DRIFT_BENCH_STREAMS_H
#define DRIFT_BENCH_STREAMS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct stream {
    uint64_t state;
    double spare; /* the second of a pair of normal numbers */
    bool has_spare;
    double level; /* of an AR(1) */
};

static inline struct stream stream_seeded(uint64_t purpose, uint64_t number)
{
    return (struct stream){.state = purpose * UINT64_C(0xd1342543de82ef95) + number * UINT64_C(0x2545f4914f6cdd1d) + 1};
}

/* Splitmix64 (Steele, Lea, Flood 2014). */
static inline double stream_uniform(struct stream *self)
{
    uint64_t z = (self->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return ((double)(z >> 11) + 0.5) / 9007199254740992.0;
}

/* Two at a time, by the polar method (Marsaglia and Bray 1964). */
static inline double stream_normal(struct stream *self)
{
    double x, y, size;
    if (self->has_spare) {
        self->has_spare = false;
        return self->spare;
    }
    do {
        x = 2 * stream_uniform(self) - 1;
        y = 2 * stream_uniform(self) - 1;
        size = x * x + y * y;
    } while (size >= 1);
    double factor = sqrt(-2 * log(size) / size);
    self->spare = y * factor;
    self->has_spare = true;
    return x * factor;
}

/* AR(1) with deviation 1. */
static inline double stream_autoregressive(struct stream *self, double phi)
{
    self->level = phi * self->level + sqrt(1 - phi * phi) * stream_normal(self);
    return self->level;
}

/* The share of right answers in a batch. */
static inline double stream_share(struct stream *self, int batch, double right)
{
    int count = 0;
    for (int i = 0; i < batch; i++)
        count += stream_uniform(self) < right;
    return (double)count / batch;
}

#endif

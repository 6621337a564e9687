/* detect_streams.h - the streams of tests/oracle/detect_streams.py, bit for bit: splitmix64, sums of uniforms, no libm.
 *
 * For tests only. Threads: values. Memory: the caller's. Failure: stream_find() returns NULL.
 */
#ifndef DRIFT_TESTS_UNIT_DETECT_STREAMS_H
#define DRIFT_TESTS_UNIT_DETECT_STREAMS_H

#include <stdint.h>
#include <string.h>

#define STREAM_LENGTH 3000

struct source {
    uint64_t state;
    double level;
};

static inline double source_uniform(struct source *self)
{
    uint64_t z = (self->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return (double)(z >> 11) / 9007199254740992.0;
}

/* A sum of twelve uniforms less six: mean 0, deviation 1. */
static inline double source_normal(struct source *self)
{
    double total = 0;
    for (int i = 0; i < 12; i++)
        total += source_uniform(self);
    return total - 6;
}

typedef double stream_fn(struct source *s, int i);

static inline double stream_steady(struct source *s, int i)
{
    (void)i;
    return source_normal(s);
}

static inline double stream_step(struct source *s, int i)
{
    return source_normal(s) + (i >= 1500 ? 1.5 : 0.0);
}

static inline double stream_fall(struct source *s, int i)
{
    return source_normal(s) - (i >= 1200 ? 1.0 : 0.0);
}

static inline double stream_gradual(struct source *s, int i)
{
    return source_normal(s) + (i < 1000 ? 0.0 : i < 2000 ? (i - 1000) * 0.002 : 2.0);
}

static inline double stream_variance(struct source *s, int i)
{
    return source_normal(s) * (i >= 1500 ? 3.0 : 1.0);
}

static inline double stream_unit(struct source *s, int i)
{
    return source_uniform(s) * (i >= 1500 ? 0.5 : 1.0);
}

static inline double stream_errors(struct source *s, int i)
{
    return source_uniform(s) < (i < 1000 ? 0.1 : i < 2000 ? 0.3 : 0.05) ? 1.0 : 0.0;
}

static inline double stream_rare(struct source *s, int i)
{
    return source_uniform(s) < (i < 400 ? 0.0 : i < 1500 ? 0.02 : 0.25) ? 1.0 : 0.0;
}

static inline double stream_shares(struct source *s, int i)
{
    double wrong = 0;
    for (int k = 0; k < 8; k++)
        wrong += source_uniform(s) < (i < 1500 ? 0.1 : 0.2) ? 1.0 : 0.0;
    return wrong / 8.0;
}

static inline double stream_latency(struct source *s, int i)
{
    double u = source_uniform(s), v = source_uniform(s);
    return (20.0 + 100.0 * u * u * v) * (i >= 1800 ? 1.4 : 1.0);
}

static inline double stream_dependent(struct source *s, int i)
{
    s->level = 0.8 * s->level + 0.6 * source_normal(s);
    return s->level + (i >= 2000 ? 2.0 : 0.0);
}

struct stream {
    const char *name;
    stream_fn *draw;
};

/* In the order of the oracle: the seed is the place, from 1. */
static const struct stream streams[] = {
    {"steady", stream_steady},   {"step", stream_step},           {"fall", stream_fall},
    {"gradual", stream_gradual}, {"variance", stream_variance},   {"unit", stream_unit},
    {"errors", stream_errors},   {"rare", stream_rare},           {"shares", stream_shares},
    {"latency", stream_latency}, {"dependent", stream_dependent},
};

static inline const struct stream *stream_find(const char *name)
{
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
        if (strcmp(streams[i].name, name) == 0)
            return &streams[i];
    return NULL;
}

static inline struct source stream_source(const struct stream *stream)
{
    return (struct source){.state = (uint64_t)(stream - streams) + 1};
}

#endif

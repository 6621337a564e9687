/* decisions.h - what the two programs share that print all that detectors and monitors decide about generated streams.
 *
 *   decisions_detect [keep FILE | from FILE]     decisions_monitor [keep FILE | from FILE]
 *
 * For a change that must change no decision: bench/decisions.sh builds them before and behind it, and compares what
 * they print. A line for each stream and half of it: a hash of every verdict; and each trigger of a monitor with its
 * figures in hexadecimal. Each stream also runs through restarts, saved and loaded again and again; where that gives
 * other verdicts, the program fails.
 *
 *   keep   also writes what every detector or monitor knows after its first half
 *   from   begins there, and prints the second halves alone: does a new layout read the checkpoints of an old one?
 *
 * Threads: one. Memory: a stream at a time. Failure: the program ends.
 */
#ifndef DRIFT_BENCH_DECISIONS_H
#define DRIFT_BENCH_DECISIONS_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/streams.h"
#include "lib/detect/detect.h"

#define VALUES 2400
#define HALF 1250 /* values of the first; no round number: nothing that recurs ends with it */
#define KINDS 8
#define HASH_FIRST UINT64_C(14695981039346656037)

static FILE *keep, *from;
static int different;

static inline void stop(const char *why)
{
    fprintf(stderr, "decisions: %s\n", why);
    exit(1);
}

/* FNV-1a, eight bytes at a time. All NANs are one. */
static inline void hash_u64(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * UINT64_C(1099511628211);
    *hash ^= *hash >> 29;
}

static inline void hash_f64(uint64_t *hash, double value)
{
    uint64_t bits;
    if (isnan(value))
        value = (double)NAN;
    memcpy(&bits, &value, sizeof bits);
    hash_u64(hash, bits);
}

/* Streams --------------------------------------------------------------------------------------------------------- */

/* Value number i; values of a kind have to be asked for in their order. */
static inline double value_of(struct stream *s, uint32_t kind, uint32_t i)
{
    switch (kind % KINDS) {
    case 0:
        return 0.85 + 0.05 * stream_normal(s);
    case 1:
        return 0.85 + 0.05 * stream_autoregressive(s, 0.8) + (i > 1900 ? 0.2 : 0);
    case 2:
        return 80 * exp(0.4 * stream_autoregressive(s, 0.5)) * (i > 1500 ? 2 : 1);
    case 3:
        return stream_uniform(s) < (i % 1000 < 900 ? 0.92 : 0.6);
    case 4:
        return i < 700 ? 0.3 : i < 1400 ? 0.3 + 1e-9 : 0.9;
    case 5:
        return 30 + 2 * stream_normal(s) + (i % 800 > 700 ? 3 : 0);
    case 6:
        return i % 97 == 50 ? 1e200 : i % 389 == 11 ? -1e12 : i % 501 == 3 ? 0.0 : 5 + stream_normal(s);
    default:
        return stream_share(s, 64, 0.95 - 0.1 * i / VALUES);
    }
}

static inline void set(struct detect_params *params, const char *name, double value)
{
    if (!isnan(detect_params_get(params, name)) && detect_params_set(params, name, value, NULL) != 0)
        stop(name);
}

static inline void write_state(const void *bytes, size_t size)
{
    if (fwrite(&size, sizeof size, 1, keep) != 1 || fwrite(bytes, 1, size, keep) != size)
        stop("cannot write what is to be kept");
}

static inline void *read_state(size_t *size_p)
{
    void *bytes = NULL;
    if (fread(size_p, sizeof *size_p, 1, from) != 1 || !(bytes = malloc(*size_p + 1)) ||
        fread(bytes, 1, *size_p, from) != *size_p)
        stop("cannot read what was kept");
    return bytes;
}

static inline void say(const char *what, uint32_t number, const uint64_t plain[2], const uint64_t restarted[2])
{
    if (!from)
        printf("%s %" PRIu32 " first %016" PRIx64 "\n", what, number, plain[0]);
    printf("%s %" PRIu32 " second %016" PRIx64 "\n", what, number, plain[1]);
    if (from || (plain[0] == restarted[0] && plain[1] == restarted[1]))
        return;
    fprintf(stderr, "%s %" PRIu32 ": restarts make a difference\n", what, number);
    different++;
}

static inline void begin(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "keep") == 0)
        keep = fopen(argv[2], "wb");
    else if (argc == 3 && strcmp(argv[1], "from") == 0)
        from = fopen(argv[2], "rb");
    if (argc != 1 && !keep && !from)
        stop("usage: [keep FILE | from FILE]");
}

static inline int end(void)
{
    if (keep && fclose(keep) != 0)
        stop("cannot write what is to be kept");
    if (from)
        fclose(from);
    return different != 0;
}

#endif

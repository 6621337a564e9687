/* traffic.h - the events that the benches send: five metrics of a healthy detector, as JSON and as MessagePack.
 *
 * Threads: pure functions. Memory: the caller's. Failure: none.
 */
#ifndef DRIFT_BENCH_TRAFFIC_H
#define DRIFT_BENCH_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SEQ_DIGITS 12

/* Deterministic values around what a healthy detector would say. */
static inline double wobble(uint64_t i, double base, double span)
{
    uint64_t z = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    return base + span * ((double)(z >> 11) / 9007199254740992.0 - 0.5);
}

static inline size_t json_event(char *out, size_t room, uint64_t i, bool first)
{
    char seq[64] = "";
    if (first)
        snprintf(seq, sizeof seq, "\"node\":\"n%02u\",\"boot\":1,\"seq\":%*u,", (unsigned)(i / 64 % 16), SEQ_DIGITS, 0u);
    return (size_t)snprintf(out, room,
                            "{%s\"accuracy\":%.4f,\"precision\":%.4f,\"recall\":%.4f,\"latency_ms\":%.2f,\"processed_fps\":%.1f}",
                            seq, wobble(i, 0.95, 0.04), wobble(i + 1, 0.94, 0.04), wobble(i + 2, 0.93, 0.04),
                            wobble(i + 3, 40, 20), wobble(i + 4, 30, 4));
}

static inline size_t msgpack_number(unsigned char *out, const char *name, double value)
{
    size_t n = strlen(name);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    out[0] = (unsigned char)(0xa0 | n);
    memcpy(out + 1, name, n);
    out[n + 1] = 0xcb;
    for (int b = 0; b < 8; b++)
        out[n + 2 + (size_t)b] = (unsigned char)(bits >> (56 - 8 * b));
    return n + 10;
}

static inline size_t msgpack_event(unsigned char *out, uint64_t i, bool first)
{
    static const unsigned char seq[] = {0xa4, 'n', 'o', 'd', 'e', 0xa3, 'n', '0', '0', 0xa4, 'b', 'o', 'o', 't', 1,
                                        0xa3, 's', 'e', 'q', 0xcf, 0, 0, 0, 0, 0, 0, 0, 0};
    size_t len = 1;
    out[0] = (unsigned char)(0x80 | (first ? 8 : 5));
    if (first) {
        memcpy(out + len, seq, sizeof seq);
        out[len + 7] = (unsigned char)('0' + i / 64 % 16 / 10);
        out[len + 8] = (unsigned char)('0' + i / 64 % 16 % 10);
        len += sizeof seq;
    }
    len += msgpack_number(out + len, "accuracy", wobble(i, 0.95, 0.04));
    len += msgpack_number(out + len, "precision", wobble(i + 1, 0.94, 0.04));
    len += msgpack_number(out + len, "recall", wobble(i + 2, 0.93, 0.04));
    len += msgpack_number(out + len, "latency_ms", wobble(i + 3, 40, 20));
    len += msgpack_number(out + len, "processed_fps", wobble(i + 4, 30, 4));
    return len;
}

/* A message of a model: `rows` events, the first with node, boot and seq. `out` has 256 bytes a row and 64 more. */
static inline size_t traffic_payload(char *out, uint64_t model, unsigned rows, bool msgpack)
{
    size_t len = 0;
    if (rows > 1 && msgpack) {
        out[len++] = (char)0xdc;
        out[len++] = (char)(rows >> 8);
        out[len++] = (char)rows;
    } else if (rows > 1) {
        out[len++] = '[';
    }
    for (unsigned r = 0; r < rows; r++) {
        if (r && !msgpack)
            out[len++] = ',';
        len += msgpack ? msgpack_event((unsigned char *)out + len, model * 64 + r, r == 0)
                       : json_event(out + len, 256, model * 64 + r, r == 0);
    }
    if (rows > 1 && !msgpack)
        out[len++] = ']';
    return len;
}

/* A message of a node, in JSON: an event of each of `rows` models from `model` on, `lap` makes their values. The first
 * has node, boot and seq. Room as above. */
static inline size_t traffic_batch(char *out, uint64_t model, unsigned rows, uint64_t lap)
{
    size_t len = 0;
    for (unsigned r = 0; r < rows; r++) {
        len += (size_t)sprintf(out + len, "%c{\"model\":\"bench/model-%07u/v1\"", r ? ',' : '[', (unsigned)model + r);
        const size_t at = len;
        len += json_event(out + at, 256, (lap * 64 + r) * 1024, r == 0);
        out[at] = ',';
    }
    out[len++] = ']';
    return len;
}

static inline size_t traffic_batch_topic(char out[40], uint64_t model)
{
    return (size_t)snprintf(out, 40, "batch/node-%07u", (unsigned)model);
}

static inline size_t traffic_topic(char out[40], uint64_t model)
{
    return (size_t)snprintf(out, 40, "metrics/bench/model-%07u/v1", (unsigned)model);
}

/* Writes a sequence number over the one at `at`. */
static inline void traffic_seq(char *at, uint64_t seq, bool msgpack)
{
    for (int i = 0; msgpack && i < 8; i++)
        at[i] = (char)(seq >> (56 - 8 * i));
    for (int i = SEQ_DIGITS; !msgpack && i-- > 0; seq /= 10)
        at[i] = seq || i == SEQ_DIGITS - 1 ? (char)('0' + seq % 10) : ' ';
}

#endif

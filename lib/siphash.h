/* siphash.h - SipHash, a keyed hash for tables whose keys come from the network.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012. The reduced SipHash-1-3 serves hash tables;
 * SipHash-2-4 serves names that must stay the same for ever.
 * Threads: pure functions. Memory: none. Failure: none.
 */
#ifndef DRIFT_LIB_SIPHASH_H
#define DRIFT_LIB_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash13(const struct siphash_key *key, const void *data, size_t bytes);
uint64_t siphash24(const struct siphash_key *key, const void *data, size_t bytes);

#endif

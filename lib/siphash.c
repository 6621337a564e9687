#include "lib/siphash.h"

#include <endian.h>
#include <string.h>

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void round_of(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/* The last word: what is left of the data, and the length's low byte on top. Nothing beyond the data is read. */
static inline uint64_t tail_of(const unsigned char *at, size_t bytes)
{
    const size_t left = bytes & 7;
    uint64_t word = (uint64_t)(bytes & 0xff) << 56;
    if (left && bytes >= 8) { /* the last eight bytes, without those that are hashed already */
        uint64_t eight;
        memcpy(&eight, at + left - 8, sizeof eight);
        return word | le64toh(eight) >> (64 - 8 * left);
    }
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

/* Inlined with both numbers of rounds known, so that their loops unroll. */
static inline uint64_t siphash(const struct siphash_key *key, const void *data, size_t bytes, int each, int last)
{
    uint64_t v[4] = {key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
                     key->k0 ^ UINT64_C(0x6c7967656e657261), key->k1 ^ UINT64_C(0x7465646279746573)};
    const unsigned char *at = data;
    for (size_t words = bytes / 8; words; words--, at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        word = le64toh(word);
        v[3] ^= word;
        for (int i = 0; i < each; i++)
            round_of(v);
        v[0] ^= word;
    }
    uint64_t word = tail_of(at, bytes);
    v[3] ^= word;
    for (int i = 0; i < each; i++)
        round_of(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < last; i++)
        round_of(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t siphash13(const struct siphash_key *key, const void *data, size_t bytes)
{
    return siphash(key, data, bytes, 1, 3);
}

uint64_t siphash24(const struct siphash_key *key, const void *data, size_t bytes)
{
    return siphash(key, data, bytes, 2, 4);
}

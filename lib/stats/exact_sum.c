#include "lib/stats/exact_sum.h"

#include <stdbool.h>
#include <string.h>

enum { WORDS = 6 };

/* |value| * weight is lo + hi * 2^64, times the worth of word[at]. */
struct term {
    uint64_t lo, hi;
    unsigned at; /* 0 to 3 */
    bool negative;
};

static struct term term_of(float value, uint64_t weight)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t exponent = bits >> 23 & 0xff;
    uint64_t mantissa = bits & 0x7fffff;
    if (exponent) {
        mantissa |= UINT64_C(1) << 23;
        exponent--; /* subnormals and the least normals have one unit in common: 2^-149 */
    }
    mantissa *= weight; /* 24 + 37 bits at most */
    unsigned shift = exponent & 63;
    return (struct term){mantissa << shift, mantissa >> 1 >> (63 - shift), exponent >> 6, bits >> 31};
}

static void plus(uint64_t word[WORDS], struct term t)
{
    word[t.at] += t.lo;
    t.hi += word[t.at] < t.lo; /* hi is below 2^60: it takes the carry */
    word[t.at + 1] += t.hi;
    bool carry = word[t.at + 1] < t.hi;
    for (unsigned i = t.at + 2; carry && i < WORDS; i++)
        carry = ++word[i] == 0;
}

static void minus(uint64_t word[WORDS], struct term t)
{
    t.hi += word[t.at] < t.lo;
    word[t.at] -= t.lo;
    bool borrow = word[t.at + 1] < t.hi;
    word[t.at + 1] -= t.hi;
    for (unsigned i = t.at + 2; borrow && i < WORDS; i++)
        borrow = word[i]-- == 0;
}

void exact_sum_clear(struct exact_sum *self)
{
    memset(self, 0, sizeof *self);
}

void exact_sum_add(struct exact_sum *self, float value, uint64_t weight)
{
    struct term t = term_of(value, weight);
    t.negative ? minus(self->word, t) : plus(self->word, t);
}

void exact_sum_take(struct exact_sum *self, float value, uint64_t weight)
{
    struct term t = term_of(value, weight);
    t.negative ? plus(self->word, t) : minus(self->word, t);
}

double exact_sum_get(const struct exact_sum *self)
{
    static const double worth[WORDS] = {0x1p-149, 0x1p-85, 0x1p-21, 0x1p43, 0x1p107, 0x1p171};
    uint64_t word[WORDS];
    memcpy(word, self->word, sizeof word);
    bool negative = word[WORDS - 1] >> 63;
    if (negative) {
        bool carry = true;
        for (unsigned i = 0; i < WORDS; i++) {
            word[i] = ~word[i] + carry;
            carry = carry && word[i] == 0;
        }
    }
    unsigned top = WORDS - 1;
    while (top && word[top] == 0)
        top--;
    /* Two words hold at least 65 bits of a number of more than one word: what lies below them is no part in 2^64. */
    double sum = (double)word[top] * worth[top];
    if (top)
        sum += (double)word[top - 1] * worth[top - 1];
    return negative ? -sum : sum;
}

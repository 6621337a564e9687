/* metric_pairs.h - the numbers of a run of a layout, two at a time.
 *
 * What they are made of was compared: eight bytes that end with a number's last digit hold nothing but its digits where
 * the pair says so, and in MessagePack those of a double. Where the processor has SSE2 both are worked on at once.
 *
 * Threads: pure functions. Memory: none. Failure: false where one is out of its range.
 */
#ifndef DRIFT_LIB_WIRE_METRIC_PAIRS_H
#define DRIFT_LIB_WIRE_METRIC_PAIRS_H

#include <endian.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lib/wire/metric_layout.h"
#include "lib/wire/metric_message.h"

/* Eight bytes that are 0 to 9, the first of them highest in value. Three multiplications, each of which joins pairs. */
static inline uint64_t pairs_digits(uint64_t digits)
{
    digits = digits * (1 + (10 << 8)) >> 8 & UINT64_C(0x00ff00ff00ff00ff);
    digits = digits * (1 + (100 << 16)) >> 16 & UINT64_C(0x0000ffff0000ffff);
    return digits * (1 + (UINT64_C(10000) << 32)) >> 32;
}

/* The eight bytes at `at` as one word, the first of them lowest. */
static inline uint64_t pairs_word(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return le64toh(word);
}

/* The same, the first highest. */
static inline uint64_t pairs_high_word(const unsigned char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return be64toh(word);
}

static inline struct metric *pairs_metric(const struct layout_pair *pair, struct metric *metrics)
{
    return (struct metric *)(void *)((char *)metrics + pair->metric);
}

#ifdef __SSE2__
static inline __m128i pairs_words(const unsigned char *a, const unsigned char *b)
{
    const __m128i first = _mm_loadl_epi64((const void *)a);
    return _mm_castpd_si128(_mm_loadh_pd(_mm_castsi128_pd(first), (const void *)b));
}

static inline void pairs_put(const struct layout_pair *pair, __m128d numbers, struct metric *metrics)
{
    struct metric *first = pairs_metric(pair, metrics);
    _mm_storel_pd(&first[0].number, numbers);
    _mm_storeh_pd(&first[1].number, numbers);
}

/* `at`: where the run begins. Pairs of bytes, of words and of double words become one of twice the width. */
static inline bool pairs_json(const struct layout_pair *pair, const struct layout_pair *last, const unsigned char *at,
                              struct metric *metrics)
{
    __m128d good = _mm_castsi128_pd(_mm_set1_epi32(-1));
    for (; pair < last; pair++) {
        const unsigned char *a = at + pair->end[0], *b = at + pair->end[1];
        __m128i all = _mm_or_si128(_mm_and_si128(pairs_words(a - 8, b - 8), _mm_load_si128((const void *)pair->digits)),
                                   _mm_and_si128(pairs_words(a - 9, b - 9), _mm_load_si128((const void *)pair->point)));
        all = _mm_srli_epi16(_mm_mullo_epi16(all, _mm_set1_epi16(10 << 8 | 1)), 8);
        all = _mm_madd_epi16(all, _mm_set1_epi32(1 << 16 | 100));
        all = _mm_madd_epi16(_mm_packs_epi32(all, all), _mm_set1_epi32(1 << 16 | 10000));
        const __m128d numbers = _mm_div_pd(_mm_cvtepi32_pd(all), _mm_load_pd(pair->tens));
        good = _mm_and_pd(good, _mm_cmple_pd(numbers, _mm_load_pd(pair->most)));
        pairs_put(pair, numbers, metrics);
    }
    return _mm_movemask_pd(good) == 3;
}

/* The same of doubles, the highest byte first; infinities and NAN are in no range. */
static inline bool pairs_msgpack(const struct layout_pair *pair, const struct layout_pair *last,
                                 const unsigned char *at, struct metric *metrics)
{
    __m128d good = _mm_castsi128_pd(_mm_set1_epi32(-1));
    for (; pair < last; pair++) {
        __m128i all = pairs_words(at + pair->end[0] - 8, at + pair->end[1] - 8);
        all = _mm_or_si128(_mm_slli_epi16(all, 8), _mm_srli_epi16(all, 8));
        all = _mm_shufflehi_epi16(_mm_shufflelo_epi16(all, 0x1b), 0x1b);
        const __m128d numbers = _mm_castsi128_pd(all);
        good = _mm_and_pd(good, _mm_cmple_pd(numbers, _mm_load_pd(pair->most)));
        good = _mm_and_pd(good, _mm_cmpge_pd(numbers, _mm_load_pd(pair->least)));
        pairs_put(pair, numbers, metrics);
    }
    return _mm_movemask_pd(good) == 3;
}
#else
static inline bool pairs_json(const struct layout_pair *pair, const struct layout_pair *last, const unsigned char *at,
                              struct metric *metrics)
{
    bool good = true;
    for (; pair < last; pair++) {
        for (int i = 0; i < 2; i++) {
            const unsigned char *end = at + pair->end[i];
            const uint64_t digits = (pairs_word(end - 8) & pair->digits[i]) | (pairs_word(end - 9) & pair->point[i]);
            const double number = (double)(int64_t)pairs_digits(digits) / pair->tens[i];
            good = good && number <= pair->most[i];
            pairs_metric(pair, metrics)[i].number = number;
        }
    }
    return good;
}

static inline bool pairs_msgpack(const struct layout_pair *pair, const struct layout_pair *last,
                                 const unsigned char *at, struct metric *metrics)
{
    bool good = true;
    for (; pair < last; pair++) {
        for (int i = 0; i < 2; i++) {
            const uint64_t word = pairs_high_word(at + pair->end[i] - 8);
            double number;
            memcpy(&number, &word, sizeof number);
            good = good && number >= pair->least[i] && number <= pair->most[i];
            pairs_metric(pair, metrics)[i].number = number;
        }
    }
    return good;
}
#endif

#endif

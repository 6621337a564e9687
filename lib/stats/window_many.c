/* Several values into two windows at once, whose places stand side by side.
 *
 * What window_add_run() does to each, in the same order of the same operations, on two doubles at a time. Two things
 * that it looks at with every value are looked at once instead, when the values are in: whether a sum has lost
 * something, and whether there was something for a watch. If so the places get their values back, and the longer way is
 * taken. */
#include "lib/stats/window_inside.h"

#ifdef __SSE2__
#include <emmintrin.h>

/* What is known of the values that came and of those that left, a window in each half. */
struct run {
    __m128d sum, ewma;
    __m128 least, most; /* of what came, then of what left */
};

struct range {
    double least, most;
};

/* Floats stand at no double's place: two are loaded and put as what may stand anywhere. `singles` and `alone` are known
 * where it is called. */
static inline __m128 look(const void *place, const bool alone)
{
    return alone ? _mm_load_ss(place) : _mm_castsi128_ps(_mm_loadl_epi64(place));
}

static inline void put(void *place, __m128 values, const bool alone)
{
    if (alone)
        _mm_store_ss(place, values);
    else
        _mm_storel_epi64(place, _mm_castps_si128(values));
}

static inline __m128 load(const char *at, size_t apart, const bool singles, const bool alone)
{
    if (singles)
        return look(at, alone);
    const __m128d first = _mm_load_sd((const double *)(const void *)at);
    return _mm_cvtpd_ps(alone ? first : _mm_loadh_pd(first, (const double *)(const void *)(at + apart)));
}

static inline void take(struct run *self, float *place, size_t step, const struct window_numbers *values, size_t apart,
                        uint32_t count, double rate, float (*left)[2], const bool singles, const bool alone)
{
    const __m128d in_part = _mm_set1_pd(rate), rest = _mm_set1_pd(1.0 - rate);
    struct run run = *self;
    const char *at = values->at;
    const size_t stride = values->stride;
    for (float(*end)[2] = left + count; left < end; left++, place += step, at += stride) {
        const __m128 in = _mm_add_ps(load(at, apart, singles, alone), _mm_setzero_ps()), out = look(place, alone);
        const __m128d came = _mm_cvtps_pd(in);
        put(place, in, alone);
        put(*left, out, alone);
        const __m128 both = _mm_movelh_ps(in, out);
        run.least = _mm_min_ps(run.least, both);
        run.most = _mm_max_ps(run.most, both);
        run.sum = _mm_add_pd(_mm_sub_pd(run.sum, _mm_cvtps_pd(out)), came);
        run.ewma = _mm_add_pd(_mm_mul_pd(rest, run.ewma), _mm_mul_pd(in_part, came));
    }
    *self = run;
}

static struct range range_of(const struct run *run, int half)
{
    float least[4], most[4];
    _mm_storeu_ps(least, run->least);
    _mm_storeu_ps(most, run->most);
    const float low = least[half], high = most[half], out_low = least[half + 2], out_high = most[half + 2];
    return (struct range){(double)(low < out_low ? low : out_low), (double)(high > out_high ? high : out_high)};
}

/* 1.5 * 2^(52 + e), where 2^e is what the smallest of the floats is a multiple of, and so are all others: a double of
 * that size has no place for less. */
static double coarse(double smallest)
{
    uint64_t bits;
    double number;
    memcpy(&bits, &smallest, sizeof bits);
    bits = ((bits >> 52) + 52 - 23) << 52 | UINT64_C(1) << 51;
    memcpy(&number, &bits, sizeof number);
    return number;
}

/* Whether no sum on the way from this one lost anything: all are multiples of the same, and so small that a double
 * holds them. False: it cannot be said so simply, as where values of both signs came. */
static bool kept_all(double sum, struct range range, uint32_t count)
{
    if (!(range.least > 0 || range.most < 0))
        return false;
    const double smallest = range.least > 0 ? range.least : -range.most,
                 largest = range.least > 0 ? range.most : -range.least;
    const double bound = coarse(smallest);
    return fabs(sum) + 2.0 * count * largest < bound / 4 && (sum + bound) - bound == sum;
}

static bool may(const struct window *self)
{
    return self->total >= self->capacity && self->averages && (!self->sums || self->exact);
}

static bool nothing_else(const struct window *self, struct range range, uint32_t count)
{
    const struct watch *watch = self->more && self->more->watch.on ? &self->more->watch : NULL;
    return !(watch && (range.least < watch->below || range.most > watch->above)) &&
           (!self->sums || kept_all(self->sum, range, count));
}

static void close(struct window *self, double sum, double ewma, uint32_t count)
{
    self->sum = self->sums ? sum : self->sum;
    self->ewma = ewma;
    self->next = self->next + count == self->capacity ? 0 : self->next + count;
    self->total += count;
}

bool window_add_many(struct window *self, struct window *beside, struct window_numbers values, size_t apart,
                     uint32_t count, double rate)
{
    const bool alone = beside == NULL;
    float left[WINDOW_MANY][2];
    assert(count > 0 && count <= WINDOW_MANY && count <= self->capacity - self->next);
    if (!may(self) || (!alone && !may(beside)))
        return false;
    float *const place = window_place(self, self->next);
    const size_t step = self->stride;
    struct run run = {_mm_set_pd(alone ? 0 : beside->sum, self->sum), _mm_set_pd(alone ? 0 : beside->ewma, self->ewma),
                      _mm_set1_ps(FLT_MAX), _mm_set1_ps(-FLT_MAX)};
    if (values.singles)
        alone ? take(&run, place, step, &values, apart, count, rate, left, true, true)
              : take(&run, place, step, &values, apart, count, rate, left, true, false);
    else
        alone ? take(&run, place, step, &values, apart, count, rate, left, false, true)
              : take(&run, place, step, &values, apart, count, rate, left, false, false);
    if (!nothing_else(self, range_of(&run, 0), count) || (!alone && !nothing_else(beside, range_of(&run, 1), count))) {
        for (uint32_t i = 0; i < count; i++)
            memcpy(place + i * step, left[i], (alone ? 1 : 2) * sizeof **left);
        return false;
    }
    close(self, _mm_cvtsd_f64(run.sum), _mm_cvtsd_f64(run.ewma), count);
    if (!alone)
        close(beside, _mm_cvtsd_f64(_mm_unpackhi_pd(run.sum, run.sum)),
              _mm_cvtsd_f64(_mm_unpackhi_pd(run.ewma, run.ewma)), count);
    return true;
}

#else

bool window_add_many(struct window *self, struct window *beside, struct window_numbers values, size_t apart,
                     uint32_t count, double rate)
{
    (void)self, (void)beside, (void)values, (void)apart, (void)count, (void)rate;
    return false;
}

#endif

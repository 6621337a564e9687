#include <math.h>

#include "lib/wire/json_number.h"
#include "lib/wire/json_string.h"
#include "lib/wire/metric_pairs.h"
#include "lib/wire/metric_value.h"

#define EACH_BYTE UINT64_C(0x0101010101010101)
#define HIGH_BITS UINT64_C(0x8080808080808080)
#define DIGITS_MAX 19     /* of a mantissa that surely fits 64 bits */
#define LONG_MAX_BYTES 24 /* that reading such a number looks at */

/* By the point and the digits behind it. One without a digit makes what is in no range. */
static const double tens_by_point[] = {(double)NAN, (double)NAN, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
static const uint32_t tens_whole[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

/* The next eight bytes, the first of them lowest, with zeros behind the end, before which eight can be read. */
static inline uint64_t eight_at(const unsigned char *at, const unsigned char *end)
{
    const ptrdiff_t left = end - at;
    return left >= 8 ? pairs_word(at) : pairs_word(end - 8) >> (64 - 8 * left);
}

/* The high bit of each byte that is no digit, where digits are 0 to 9. Right up to the first byte above 0x7f. */
static inline uint64_t no_digits(uint64_t eight)
{
    return ((eight + EACH_BYTE * 0x76) | eight) & HIGH_BITS;
}

/* Whether a number begins with `whole` digits and a point, as eight bytes of it say that begin with as many digits. */
static inline bool has_point(const unsigned char *at, uint64_t eight, size_t whole)
{
    return at[whole] == '.' && (whole == 1 || (whole > 1 && (eight & 0xff) != 0));
}

/* What stands before the first of `others`, the point, moves over it. */
static inline uint64_t without_point(uint64_t eight, uint64_t others)
{
    return eight ^ ((eight ^ eight << 8) & (others ^ (others - 1)));
}

/* A number without a sign that has a point and ends within the eight bytes at *at_p: exact, since both factors are
 * doubles and one operation rounds once (Clinger, PLDI 1990). False: it is another, or none. What follows a number is
 * looked at as what stands before the next value. */
static inline bool take_number(uint64_t eight, const unsigned char **at_p, double *out)
{
    const unsigned char *at = *at_p;
    eight ^= EACH_BYTE * '0';
    const uint64_t others = no_digits(eight), behind = others & (others - 1);
    if (behind == 0)
        return false;
    const size_t whole = (size_t)__builtin_ctzll(others) / 8, bits = (size_t)__builtin_ctzll(behind) & ~(size_t)7;
    if (!has_point(at, eight, whole))
        return false;
    *out =
        (double)(int64_t)pairs_digits(without_point(eight, others) << (-bits & 63)) / tens_by_point[bits / 8 - whole];
    *at_p = at + bits / 8;
    return true;
}

/* One whose point is among its first eight bytes, and more digits are behind them: what programs write that print all
 * of a double. NULL: it is another. With `far`, the end is LONG_MAX_BYTES away at least. */
static inline __attribute__((always_inline)) const unsigned char *
take_long(const unsigned char *at, const unsigned char *end, bool far, double *out)
{
    uint64_t eight = (far ? pairs_word(at) : eight_at(at, end)) ^ EACH_BYTE * '0', others = no_digits(eight);
    const size_t whole = others ? (size_t)__builtin_ctzll(others) / 8 : 0;
    if ((others & (others - 1)) != 0 || !has_point(at, eight, whole))
        return NULL;
    uint64_t mantissa = pairs_digits(without_point(eight, others));
    size_t len = 8, count;
    do {
        eight = (far ? pairs_word(at + len) : eight_at(at + len, end)) ^ EACH_BYTE * '0';
        others = no_digits(eight);
        count = others ? (size_t)__builtin_ctzll(others) / 8 : 8;
        if (count)
            mantissa = mantissa * tens_whole[count] + pairs_digits(eight << (64 - 8 * count));
        len += count;
        if (len > DIGITS_MAX + 1)
            return NULL;
    } while (count == 8);
    const size_t places = len - whole - 1;
    if (places == 0)
        return NULL;
    *out = json_fraction(mantissa, (unsigned)places);
    return at + len;
}

/* An integer without a sign, of at most 15 digits; *digits: how many. */
static inline bool take_integer(const unsigned char *at, const unsigned char *end, uint64_t *out, size_t *digits)
{
    uint64_t eight = eight_at(at, end) ^ EACH_BYTE * '0', others = no_digits(eight), high = 0;
    const bool zero = (eight & 0xff) == 0;
    *digits = 0;
    if (others == 0) {
        *digits = 8;
        high = pairs_digits(eight);
        eight = eight_at(at + 8, end) ^ EACH_BYTE * '0';
        others = no_digits(eight);
        if (others == 0)
            return false;
    }
    const unsigned bits = (unsigned)__builtin_ctzll(others) & ~7u;
    *digits += bits / 8;
    *out = high * tens_whole[bits / 8] + (bits ? pairs_digits(eight << (64 - bits)) : 0);
    return *digits == 1 || (*digits > 1 && !zero);
}

/* The bytes between two quotes: printable ASCII without escapes. */
static inline const unsigned char *take_text(const unsigned char *at, const unsigned char *end, struct text *out)
{
    if (*at++ != '"')
        return NULL;
    const uint64_t eight = eight_at(at, end), quote = eight ^ EACH_BYTE * '"', backslash = eight ^ EACH_BYTE * '\\';
    /* A byte's high bit is set when it is special; the lowest is always right (json_string.c). */
    const uint64_t special =
        (eight | (eight - EACH_BYTE * 0x20) | (quote - EACH_BYTE) | (backslash - EACH_BYTE)) & HIGH_BITS;
    const unsigned char *after = special ? at + (__builtin_ctzll(special) >> 3) : json_plain_end(at + 8, end);
    if (after >= end || *after != '"')
        return NULL;
    *out = (struct text){(const char *)at, (size_t)(after - at)};
    return after + 1;
}

/* One space is what some libraries write, and many are what pads a number. A bracket ends them. */
static const unsigned char *behind_space(const unsigned char *at, const unsigned char *end)
{
    for (;;) {
        const uint64_t others = eight_at(at, end) ^ EACH_BYTE * ' ';
        at += others ? (unsigned)__builtin_ctzll(others) >> 3 : 8;
        if (others == 0)
            continue;
        if (*at != '\n' && *at != '\t' && *at != '\r')
            return at;
        at++;
    }
}

/* Any other number than those of take_number(). */
static __attribute__((noinline)) const unsigned char *other_number(const unsigned char *first, const unsigned char *end,
                                                                   double *out)
{
    if (*first <= ' ') {
        first = behind_space(first, end);
        if (take_number(eight_at(first, end), &first, out))
            return first;
    }
    const unsigned char *after = take_long(first, end, false, out);
    if (after)
        return after;
    uint64_t whole;
    size_t digits;
    if (!take_integer(first, end, &whole, &digits) || first[digits] == '.')
        return fast_json_number(first, end, out);
    *out = (double)(int64_t)whole; /* of at most 15 digits */
    return first + digits;
}

struct shape_form value_json_form(const struct shape_member *member, const unsigned char *at, const unsigned char *end)
{
    static const struct shape_form none;
    struct shape_form form = {0};
    if (end - at > LAYOUT_VALUE_MAX)
        return none;
    for (; *at == ' '; at++)
        form.spaces++;
    if (*at == '-' && member->member == MEMBER_METRIC)
        form.head = *at++;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        form.whole++;
    if (at < end && *at == '.')
        form.behind = (uint8_t)(end - at);
    for (at += form.behind != 0; at < end && *at >= '0' && *at <= '9'; at++)
        ;
    return at == end && form.spaces <= LAYOUT_SPACES_MAX &&
                   form.whole + form.behind <= LAYOUT_DIGITS_MAX + (form.behind != 0)
               ? form
               : none;
}

const unsigned char *value_json_metric(const struct shape_member *member, const unsigned char *at,
                                       const unsigned char *end, double *out)
{
    if (member->lengthy) {
        const unsigned char *after =
            end - at >= LONG_MAX_BYTES ? take_long(at, end, true, out) : take_long(at, end, false, out);
        if (after)
            return *out <= member->most ? after : NULL;
    }
    if (!take_number(eight_at(at, end), &at, out)) {
        at = other_number(at, end, out);
        if (!at || !(*out >= member->least))
            return NULL;
    }
    return *out <= member->most ? at : NULL;
}

const unsigned char *value_json(struct metric_decoder *self, struct fast_event *out, const struct shape_member *member,
                                const unsigned char *at, const unsigned char *end)
{
    const enum member kind = (enum member)member->member;
    struct text text;
    uint64_t whole;
    if (*at <= ' ')
        at = behind_space(at, end);
    if (member->value == SHAPE_TEXT) {
        const unsigned char *after = take_text(at, end, &text);
        return after && fast_text(self, out, kind, text) ? after : NULL;
    }
    if (member->value == SHAPE_NUMBER) {
        double *time = &out->event->timestamp_s;
        const unsigned char *after = fast_json_number(at, end, time);
        return after && fast_time(out, *time) ? after : NULL;
    }
    size_t digits;
    return take_integer(at, end, &whole, &digits) &&
                   fast_integer(out, kind, whole, (struct text){(const char *)at, digits})
               ? at + digits
               : NULL;
}

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/json_number.h"

#define DIGITS_MAX 19 /* of a mantissa that surely fits 64 bits */
#define EXACT_MAX (UINT64_C(1) << 53)
#define EXPONENT_LIMIT 1000000000 /* far beyond the doubles, and no sum of it overflows */
#define LONG_DIGITS 800           /* 767 significant digits tell any two neighbouring doubles apart */

__extension__ typedef unsigned __int128 uint128;

/* A number as written: digits, from `first` to `last` with a point somewhere inside perhaps, times 10^exponent. */
struct decimal {
    const unsigned char *first, *last;
    uint64_t mantissa; /* all digits as one integer, modulo 2^64 */
    int64_t digits;    /* from the first that is not 0 */
    int64_t exponent;
    bool negative, integer;
};

static bool is_digit(const unsigned char *at, const unsigned char *end)
{
    return at < end && (unsigned char)(*at - '0') <= 9;
}

static const unsigned char *digits(const unsigned char *at, const unsigned char *end, uint64_t *mantissa)
{
    while (is_digit(at, end)) {
        *mantissa = *mantissa * 10 + (uint64_t)(*at++ - '0');
    }
    return at;
}

/* What follows the 'e'. */
static const unsigned char *exponent(const unsigned char *at, const unsigned char *end, int64_t *out)
{
    bool negative = at < end && *at == '-';
    int64_t value = 0;
    at += at < end && (*at == '-' || *at == '+');
    if (!is_digit(at, end)) {
        return NULL;
    }
    while (is_digit(at, end)) {
        value = value * 10 + (*at++ - '0');
        value = value > EXPONENT_LIMIT ? EXPONENT_LIMIT : value;
    }
    *out += negative ? -value : value;
    return at;
}

static const unsigned char *scan(const unsigned char *at, const unsigned char *end, struct decimal *out)
{
    out->negative = at < end && *at == '-';
    at += out->negative;
    if (!is_digit(at, end)) {
        return NULL;
    }
    out->first = at;
    out->mantissa = 0;
    out->exponent = 0;
    const unsigned char *significant = at;
    /* No leading zero: what follows a 0 is no digit of the same number. */
    at = *at == '0' ? at + 1 : digits(at, end, &out->mantissa);
    out->digits = out->mantissa != 0 || at - significant > 1 ? at - significant : 0;
    out->integer = true;
    if (at < end && *at == '.') {
        const unsigned char *point = at++;
        if (!is_digit(at, end)) {
            return NULL;
        }
        out->integer = false;
        significant = at;
        if (out->digits == 0) {
            while (significant < end && *significant == '0') {
                significant++;
            }
        }
        at = digits(significant, end, &out->mantissa);
        out->digits += at - significant;
        out->exponent = -(at - point - 1);
    }
    out->last = at;
    if (at < end && (*at | 0x20) == 'e') {
        out->integer = false;
        return exponent(at + 1, end, &out->exponent);
    }
    return at;
}

static double power_of_two(int exponent_)
{
    uint64_t bits = (uint64_t)(1023 + exponent_) << 52;
    double out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* 10^places, shifted `up` so that its highest bit is set; and floor((2^128 - 1) / divisor) - 2^64. */
const struct json_power json_powers[JSON_PLACES_MAX + 1] = {
    {UINT64_C(0x8000000000000000), UINT64_C(0xffffffffffffffff), 63},
    {UINT64_C(0xa000000000000000), UINT64_C(0x9999999999999999), 60},
    {UINT64_C(0xc800000000000000), UINT64_C(0x47ae147ae147ae14), 57},
    {UINT64_C(0xfa00000000000000), UINT64_C(0x0624dd2f1a9fbe76), 54},
    {UINT64_C(0x9c40000000000000), UINT64_C(0xa36e2eb1c432ca57), 50},
    {UINT64_C(0xc350000000000000), UINT64_C(0x4f8b588e368f0846), 47},
    {UINT64_C(0xf424000000000000), UINT64_C(0x0c6f7a0b5ed8d36b), 44},
    {UINT64_C(0x9896800000000000), UINT64_C(0xad7f29abcaf48578), 40},
    {UINT64_C(0xbebc200000000000), UINT64_C(0x5798ee2308c39df9), 37},
    {UINT64_C(0xee6b280000000000), UINT64_C(0x12e0be826d694b2e), 34},
    {UINT64_C(0x9502f90000000000), UINT64_C(0xb7cdfd9d7bdbab7d), 30},
    {UINT64_C(0xba43b74000000000), UINT64_C(0x5fd7fe17964955fd), 27},
    {UINT64_C(0xe8d4a51000000000), UINT64_C(0x19799812dea11197), 24},
    {UINT64_C(0x9184e72a00000000), UINT64_C(0xc25c268497681c26), 20},
    {UINT64_C(0xb5e620f480000000), UINT64_C(0x6849b86a12b9b01e), 17},
    {UINT64_C(0xe35fa931a0000000), UINT64_C(0x203af9ee756159b2), 14},
    {UINT64_C(0x8e1bc9bf04000000), UINT64_C(0xcd2b297d889bc2b6), 10},
    {UINT64_C(0xb1a2bc2ec5000000), UINT64_C(0x70ef54646d496892), 7},
    {UINT64_C(0xde0b6b3a76400000), UINT64_C(0x2725dd1d243aba0e), 4},
    {UINT64_C(0x8ac7230489e80000), UINT64_C(0xd83c94fb6d2ac34a), 0},
};

/* mantissa / 10^places to the nearest double, ties to even: one exact division of integers, both scaled so that their
 * highest bit is set, by the reciprocal (Moller and Granlund 2011, algorithm 4). The quotient has 63 or 64 bits, far
 * more than a double holds; of what is behind them it only matters whether it is 0, which the lowest bit can tell. */
static double divide(uint64_t mantissa, unsigned places)
{
    const struct json_power *power = &json_powers[places];
    const int up = __builtin_clzll(mantissa);
    const uint64_t high = mantissa << up >> 1, low = mantissa << up << 63;
    const uint128 product = (uint128)power->reciprocal * high + ((uint128)high << 64 | low);
    uint64_t quotient = (uint64_t)(product >> 64) + 1, rest = low - quotient * power->divisor;
    if (rest > (uint64_t)product) {
        quotient--;
        rest += power->divisor;
    }
    if (rest >= power->divisor) {
        quotient++;
        rest -= power->divisor;
    }
    const uint64_t rounded = quotient >> 1 | (quotient & 1) | (rest != 0);
    return (double)(int64_t)rounded * power_of_two(power->up - up - 62);
}

double json_fraction(uint64_t mantissa, unsigned places)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                  1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
    if (mantissa <= EXACT_MAX) { /* both are doubles, so one operation rounds once (Clinger 1990) */
        return (double)mantissa / tens[places];
    }
    return places == 0 ? (double)mantissa : divide(mantissa, places);
}

/* For numbers that are long or far from 1, and not 0: strtod() on digits and an exponent, without a point, which is a
 * comma in some locales. Digits beyond LONG_DIGITS matter only by not being 0. */
static double slow(const struct decimal *decimal)
{
    char copy[LONG_DIGITS + 32];
    size_t taken = 0;
    int64_t dropped = 0;
    bool more = false;
    for (const unsigned char *at = decimal->first; at < decimal->last; at++) {
        if (*at == '.' || (taken == 0 && *at == '0')) {
            continue;
        }
        if (taken < LONG_DIGITS) {
            copy[taken++] = (char)*at;
        } else {
            dropped++;
            more = more || *at != '0';
        }
    }
    if (more) {
        copy[taken++] = '1';
        dropped--;
    }
    snprintf(copy + taken, sizeof copy - taken, "e%" PRId64, decimal->exponent + dropped);
    return strtod(copy, NULL);
}

static double read_double(const struct decimal *decimal)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                  1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (decimal->digits > DIGITS_MAX) {
        return slow(decimal);
    }
    if (decimal->mantissa == 0) {
        return 0.0;
    }
    /* Both factors are doubles, so one operation rounds once (Clinger 1990). */
    if (decimal->mantissa <= EXACT_MAX && decimal->exponent >= -22 && decimal->exponent <= 22) {
        double mantissa = (double)decimal->mantissa;
        return decimal->exponent < 0 ? mantissa / tens[-decimal->exponent] : mantissa * tens[decimal->exponent];
    }
    if (decimal->exponent < 0 && decimal->exponent >= -DIGITS_MAX) {
        return divide(decimal->mantissa, (unsigned)-decimal->exponent);
    }
    return decimal->exponent == 0 ? (double)decimal->mantissa : slow(decimal);
}

/* Twenty digits may still fit: 18446744073709551615 does. They begin with a 1 then, and what overflowed is small. */
static bool fits_64_bits(const struct decimal *decimal)
{
    return decimal->digits <= DIGITS_MAX ||
           (decimal->digits == 20 && *decimal->first == '1' && decimal->mantissa >= UINT64_C(10000000000000000000));
}

const unsigned char *json_number(const unsigned char *at, const unsigned char *end, struct wire_value *out)
{
    struct decimal decimal;
    const unsigned char *after = scan(at, end, &decimal);
    if (after == NULL) {
        return NULL;
    }
    out->negative = decimal.negative;
    out->magnitude = decimal.mantissa;
    out->whole = decimal.integer && fits_64_bits(&decimal);
    double number = read_double(&decimal);
    out->number = decimal.negative ? -number : number;
    return after;
}

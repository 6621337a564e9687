#include "lib/wire/json_number.h"
#include "tests/rounds.h"
#include "tests/run_suite.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Reads `text` from memory that ends with it. */
static bool read_number(const char *text, struct wire_value *out, size_t *taken)
{
    size_t len = strlen(text);
    unsigned char *copy = malloc(len + 1);
    memcpy(copy, text, len);
    const unsigned char *after = json_number(copy, copy + len, out);
    *taken = after != NULL ? (size_t)(after - copy) : 0;
    free(copy);
    return after != NULL;
}

/* Bit for bit, the sign of zero too. */
static void compare(const char *text)
{
    struct wire_value value;
    size_t taken;
    double expected = strtod(text, NULL);
    ck_assert_msg(read_number(text, &value, &taken) && taken == strlen(text), "%.60s", text);
    if (memcmp(&expected, &value.number, sizeof expected) != 0)
        ck_abort_msg("%.60s: %a, strtod says %a", text, value.number, expected);
}

static uint64_t state;

static uint64_t next(void) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * UINT64_C(2685821657736338717);
}

static char *random_digits(char *at, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        *at++ = (char)('0' + next() % 10);
    return at;
}

/* Anything the grammar allows, at every length and size. */
static void write_any(char *at)
{
    if (next() % 2)
        *at++ = '-';
    if (next() % 4 == 0) {
        *at++ = '0';
    } else {
        *at++ = (char)('1' + next() % 9);
        at = random_digits(at, (unsigned)(next() % (next() % 8 == 0 ? 330 : 22)));
    }
    if (next() % 4 != 0) {
        *at++ = '.';
        for (uint64_t zeros = next() % 4 == 0 ? next() % 330 : 0; zeros > 0; zeros--)
            *at++ = '0';
        at = random_digits(at, 1 + (unsigned)(next() % (next() % 16 == 0 ? 1000 : 22)));
    }
    if (next() % 2) {
        *at++ = next() % 2 ? 'e' : 'E';
        if (next() % 2)
            *at++ = next() % 2 ? '+' : '-';
        at = random_digits(at, 1 + (unsigned)(next() % 3));
    }
    *at = '\0';
}

START_TEST(random_numbers_are_those_of_strtod)
{
    static char text[4096];
    state = 20261123;
    for (int i = 0; i < ROUNDS_OR(200000, 40000); i++) {
        write_any(text);
        compare(text);
    }
}
END_TEST

/* As programs print doubles: 17 digits, shortest that reads back, few digits. */
START_TEST(printed_doubles_are_those_of_strtod)
{
    static const char *const formats[] = {"%.17g", "%.16g", "%.15g", "%.6g", "%.3f", "%.17e", "%.20f"};
    char text[400];
    state = 4711;
    for (int i = 0; i < ROUNDS_OR(100000, 20000); i++) {
        uint64_t bits = next();
        double number;
        if (i % 2)
            bits = (bits & ~(UINT64_C(0x7FF) << 52)) | ((UINT64_C(1023) - 20 + next() % 60) << 52); /* of common size */
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number))
            continue;
        const char *format = formats[next() % 7];
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
            snprintf(text, sizeof text, format, number);
        _Pragma("GCC diagnostic pop") compare(text);
    }
}
END_TEST

/* Exactly between two doubles, and a digit to either side of it: for 2^53 + 1 + 2k, written with up to 19 decimals. */
START_TEST(ties_go_to_the_even_one)
{
    char text[80];
    state = 99;
    for (int i = 0; i < 50000; i++) {
        unsigned decimals = (unsigned)(next() % 3), places = (unsigned)(next() % 900);
        uint64_t odd = (UINT64_C(1) << 53) + 1 + 2 * (next() % (UINT64_C(1) << 52));
        int len = snprintf(text, sizeof text, "%llu", (unsigned long long)odd);
        snprintf(text + len, sizeof text - (size_t)len, ".%0*u", (int)decimals + 1, places % (decimals == 2 ? 1000 : 10));
        compare(text);
        snprintf(text, sizeof text, "%llu.%llu", (unsigned long long)(odd >> 20), (unsigned long long)(odd % 1000000007));
        compare(text);
        /* m / 2^k has a finite decimal form: ties of small numbers. */
        snprintf(text, sizeof text, "%.19f", (double)(odd >> 40) / 8192 + 1.0 / 4503599627370496);
        compare(text);
    }
}
END_TEST

static const char *const edges[] = {
    "0", "-0", "0.0", "-0.0", "0e999999999999", "0.000e-5", "1", "-1", "1e0", "1E+2", "1e-2", "1e22", "1e23", "1e-22", "1e-23",
    "9007199254740992", "9007199254740993", "9007199254740993.0", "9007199254740993e0", "9007199254740994.9999",
    "123456789012345678", "1234567890123456789", "12345678901234567890", "18446744073709551615", "18446744073709551616",
    "1844674407370955161.5", "0.1234567890123456789", "0.12345678901234567890", "1e308", "1.7976931348623157e308",
    "1.7976931348623158e308", "1.7976931348623159e308", "1e309", "-1e309", "1e400", "1e999999999999999999999", "1e-400",
    "1e-99999999999999999999999", "5e-324", "4.9406564584124654e-324", "2.4703282292062327e-324", "2.4703282292062328e-324",
    "2.2250738585072014e-308", "2.2250738585072011e-308", "2.2250738585072012e-308", "0.5", "0.93", "732356000.123456",
    "1732356000.1234567", "8.5e-7", "6.0221409e+23", "179769313486231580793728971405301e276", "100000000000000000000000e-23",
};

START_TEST(edges_are_those_of_strtod)
{
    compare(edges[_i]);
}
END_TEST

START_TEST(very_long_numbers_are_exact)
{
    static char text[100100];
    const char *half = "9007199254740993"; /* halfway: what follows decides */
    for (size_t zeros = 700; zeros < 100000; zeros = zeros * 5 / 2) {
        size_t len = (size_t)snprintf(text, sizeof text, "%s.", half);
        memset(text + len, '0', zeros);
        strcpy(text + len + zeros, "0");
        compare(text);
        strcpy(text + len + zeros, "1");
        compare(text);
        memset(text, '0', zeros);
        text[1] = '.';
        strcpy(text + zeros, "123e");
        snprintf(text + zeros + 4, 24, "%zu", zeros);
        compare(text);
        memset(text, '7', zeros);
        snprintf(text + zeros, 24, "e-%zu", zeros);
        compare(text);
    }
}
END_TEST

/* What is taken of a text, and what is none. */
static const struct {
    const char *text;
    size_t taken; /* 0: no number */
} grammar[] = {
    {"", 0}, {"-", 0}, {"+1", 0}, {".5", 0}, {"-.5", 0}, {"1.", 0}, {"1.e5", 0}, {"1e", 0}, {"1e+", 0}, {"1e-", 0}, {"1.5e", 0},
    {"NaN", 0}, {"Infinity", 0}, {"-Infinity", 0}, {"a", 0}, {"01", 1}, {"-01", 2}, {"00", 1}, {"1.5.5", 3}, {"1e5e5", 3},
    {"0x10", 1}, {"1,5", 1}, {"1 ", 1}, {"12]", 2}, {"1.25}", 4}, {"1e5,", 3}, {"--1", 0}, {"1_000", 1}, {"1f", 1},
};

START_TEST(the_grammar_is_that_of_json)
{
    struct wire_value value;
    size_t taken;
    read_number(grammar[_i].text, &value, &taken);
    ck_assert_msg(taken == grammar[_i].taken, "%s: %zu", grammar[_i].text, taken);
}
END_TEST

static const struct {
    const char *text;
    bool whole, negative;
    uint64_t magnitude;
} integers[] = {
    {"0", true, false, 0}, {"-0", true, true, 0}, {"7", true, false, 7}, {"-7", true, true, 7},
    {"9999999999999999999", true, false, UINT64_C(9999999999999999999)},
    {"10000000000000000000", true, false, UINT64_C(10000000000000000000)},
    {"18446744073709551615", true, false, UINT64_MAX}, {"-18446744073709551615", true, true, UINT64_MAX},
    {"18446744073709551616", false, false, 0}, {"19999999999999999999", false, false, 0},
    {"20000000000000000000", false, false, 0}, {"28446744073709551615", false, false, 0},
    {"99999999999999999999", false, false, 0}, {"100000000000000000000", false, false, 0},
    {"7.0", false, false, 0}, {"7e0", false, false, 0}, {"0.5", false, false, 0},
};

START_TEST(integers_are_exact_to_64_bits)
{
    struct wire_value value;
    size_t taken;
    ck_assert(read_number(integers[_i].text, &value, &taken));
    ck_assert_msg(value.whole == integers[_i].whole, "%s", integers[_i].text);
    if (value.whole) {
        ck_assert(value.negative == integers[_i].negative);
        ck_assert(value.magnitude == integers[_i].magnitude);
    }
}
END_TEST

/* At every number of places, among them mantissas around what a double holds and halves between two doubles. */
/* (2^128 - 1) / divisor lies from 2^64 + reciprocal on, and below one more. */
START_TEST(reciprocals_are_those_of_their_powers)
{
    __extension__ typedef unsigned __int128 wide;
    uint64_t ten = 1;
    for (int places = 0; places <= JSON_PLACES_MAX; places++, ten *= 10) {
        const struct json_power *power = &json_powers[places];
        ck_assert_uint_eq(power->divisor >> 63, 1);
        ck_assert_uint_eq(power->divisor >> power->up, ten);
        const wide rest = ~(wide)0 - (wide)power->reciprocal * power->divisor - ((wide)power->divisor << 64);
        ck_assert(rest < power->divisor);
    }
}
END_TEST

START_TEST(fractions_are_read_as_strtod_reads_them)
{
    uint64_t drawn = 3;
    for (int round = 0; round < ROUNDS_OR(200000, 40000); round++) {
        drawn = drawn * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint64_t mantissa = drawn >> (drawn >> 58);
        if (round % 4 == 0)
            mantissa = (UINT64_C(1) << 53) + (drawn >> 61);
        if (mantissa > UINT64_C(9999999999999999999))
            mantissa >>= 1;
        const unsigned places = (unsigned)(drawn >> 40) % 20;
        char text[48];
        snprintf(text, sizeof text, "%llue-%u", (unsigned long long)mantissa, places);
        ck_assert_msg(json_fraction(mantissa, places) == strtod(text, NULL), "%s: %.17g", text,
                      json_fraction(mantissa, places));
    }
    ck_assert_double_eq(json_fraction(0, 19), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_number");
    TCase *tcase = tcase_create("json_number");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, random_numbers_are_those_of_strtod);
    tcase_add_test(tcase, printed_doubles_are_those_of_strtod);
    tcase_add_test(tcase, ties_go_to_the_even_one);
    tcase_add_loop_test(tcase, edges_are_those_of_strtod, 0, sizeof edges / sizeof edges[0]);
    tcase_add_test(tcase, very_long_numbers_are_exact);
    tcase_add_test(tcase, reciprocals_are_those_of_their_powers);
    tcase_add_test(tcase, fractions_are_read_as_strtod_reads_them);
    tcase_add_loop_test(tcase, the_grammar_is_that_of_json, 0, sizeof grammar / sizeof grammar[0]);
    tcase_add_loop_test(tcase, integers_are_exact_to_64_bits, 0, sizeof integers / sizeof integers[0]);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

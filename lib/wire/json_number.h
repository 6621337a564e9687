/* json_number.h - the numbers of JSON, read to the nearest double as strtod(3) reads them, in any locale.
 *
 * Threads: pure functions. Memory: none. Failure: NULL; a number beyond the doubles is no failure but an infinity.
 */
#ifndef DRIFT_LIB_WIRE_JSON_NUMBER_H
#define DRIFT_LIB_WIRE_JSON_NUMBER_H

#include "lib/wire/metric_reader.h"

/* Reads the longest number at `at` into out->number, and where it is an integer that 64 bits hold, out->whole, negative
 * and magnitude. Returns where it ends, or NULL when none begins there. */
const unsigned char *json_number(const unsigned char *at, const unsigned char *end, struct wire_value *out);

#define JSON_PLACES_MAX 19

/* For tests: what json_fraction() divides by. */
struct json_power {
    uint64_t divisor, reciprocal;
    int up;
};
extern const struct json_power json_powers[JSON_PLACES_MAX + 1];

/* mantissa / 10^places to the nearest double, ties to even; at most JSON_PLACES_MAX places. */
double json_fraction(uint64_t mantissa, unsigned places);

#endif

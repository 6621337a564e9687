/* utf8.h - what well-formed UTF-8 is (RFC 3629, table in section 4): no overlong forms, no surrogates, nothing above
 * U+10FFFF.
 *
 * Threads: pure functions. Memory: none. Failure: said by the value that is returned.
 */
#ifndef DRIFT_LIB_WIRE_UTF8_H
#define DRIFT_LIB_WIRE_UTF8_H

#include <stdint.h>

#include "lib/text.h"

/* Bytes (1 to 4) of the well-formed sequence that begins at `at`, or 0 when there is none before `end`. */
unsigned utf8_sequence(const unsigned char *at, const unsigned char *end);

bool utf8_valid(struct text text);

/* Writes a code point that is no surrogate and at most U+10FFFF; returns how many bytes (1 to 4) it took. */
unsigned utf8_encode(unsigned char out[4], uint32_t code_point);

#endif

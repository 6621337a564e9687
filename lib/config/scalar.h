/* scalar.h - texts to numbers, durations and sizes, strictly.
 *
 * Threads: pure functions. Memory: nothing is taken. Failure: the output is then untouched; -EINVAL: not of this form;
 * -ERANGE: of this form, but too large or too fine to be held.
 */
#ifndef DRIFT_LIB_CONFIG_SCALAR_H
#define DRIFT_LIB_CONFIG_SCALAR_H

#include <stdint.h>

#include "lib/text.h"

/* Decimal digits, with a sign where it is wanted; no leading zeros (they mean octal to some). *negative_p with a
 * magnitude of at most 2^64 - 1. */
int scalar_whole(struct text text, uint64_t *magnitude_p, bool *negative_p);

/* A decimal number with an optional fraction and exponent, whatever the locale; finite. 1e400 and 1e-400 are -ERANGE.
 */
int scalar_number(struct text text, double *out);

/* "30m", "250ms", "1.5h": a number not below 0 and a unit, in nanoseconds. Also -EDOM: a number without a unit. */
int scalar_duration(struct text text, int64_t *ns_p);
#define SCALAR_DURATION_UNITS "d, h, m, s, ms, us"

/* "64MiB": likewise, in bytes. */
int scalar_size(struct text text, uint64_t *bytes_p);
#define SCALAR_SIZE_UNITS "B, KiB, MiB, GiB"

/* A YAML 1.1 word for no: off, no, false, in the cases that YAML allows. */
bool scalar_is_off(struct text text);

#endif

/* rfc3339.h - a date and time as people write it, to seconds since the Unix epoch.
 *
 * Source: RFC 3339, section 5.6 (date-time) and 5.7 (what its fields may hold). Years 0000 to 9999 of the proleptic
 * Gregorian calendar.
 * Threads: pure functions. Memory: none. Failure: -EINVAL, the output is then untouched.
 */
#ifndef DRIFT_LIB_WIRE_RFC3339_H
#define DRIFT_LIB_WIRE_RFC3339_H

#include "lib/text.h"

/* Reads "2026-11-23T10:00:00.25Z" or with an offset, "+01:00". 't', 'z' and a space for the 'T' are taken too. Of a
 * fraction the first nine digits count. A leap second, 23:59:60 in UTC, is the second after it, as in POSIX. */
int rfc3339_parse(struct text text, double *seconds_p);

#endif

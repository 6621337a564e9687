/* rfc3339.h - a date and time as people write it, to seconds since the Unix epoch.
 *
 * Source: RFC 3339, section 5.6 (date-time) and 5.7 (what its fields may hold). Years 0000 to 9999 of the proleptic
 * Gregorian calendar.
 * Threads: pure functions. Memory: none. Failure: -EINVAL, the output is then untouched.
 */
#ifndef DRIFT_LIB_WIRE_RFC3339_H
#define DRIFT_LIB_WIRE_RFC3339_H

#include <stdint.h>

#include "lib/text.h"

/* Reads "2026-11-23T10:00:00.25Z" or with an offset, "+01:00". 't', 'z' and a space for the 'T' are taken too. Of a
 * fraction the first nine digits count. A leap second, 23:59:60 in UTC, is the second after it, as in POSIX. */
int rfc3339_parse(struct text text, double *seconds_p);

/* The same for who reads many, mostly of one day: *day is what the last one showed, all zero before the first. */
struct rfc3339_day {
    char text[10];
    int64_t number; /* from 1970-01-01 on */
};
int rfc3339_parse_next(struct text text, struct rfc3339_day *day, double *seconds_p);

#endif

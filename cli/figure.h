/* figure.h - numbers, spans of time and short histories as people read them.
 *
 * Threads: pure functions. Memory: values, no state. Failure: none; what is no number is written as "-".
 */
#ifndef DRIFT_CLI_FIGURE_H
#define DRIFT_CLI_FIGURE_H

#include <stdint.h>

#include "lib/text.h"

struct figure {
    char text[64];
};

struct figure figure_count(int64_t count); /* 12,345,678 */
struct figure figure_value(double value);  /* four digits: 0.52, 412.3, 123457 */
struct figure figure_span(double seconds); /* 0.4 s, 29 min 12 s, 3 h 4 min, 2 d 5 h */
struct figure figure_time(double epoch_s); /* 2026-11-23 10:00:00Z */

/* The same of a time as the daemon writes it (RFC 3339, UTC), without the fraction; what is none stays as it is. */
struct figure figure_stamp(struct text rfc3339);

#define SPARKLINE_MAX 64

/* Values as a row of blocks, lowest to highest; the newest SPARKLINE_MAX of them. One that is NAN is a gap. */
struct sparkline {
    char text[SPARKLINE_MAX * 3 + 1];
};
struct sparkline figure_sparkline(const double *values, uint32_t count);

#endif

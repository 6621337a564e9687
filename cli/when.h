/* when.h - a time of RFC 3339 as seconds since the epoch.
 *
 * Threads: pure. Memory: none. Failure: NAN for what is none.
 */
#ifndef DRIFT_CLI_WHEN_H
#define DRIFT_CLI_WHEN_H

/* "2026-11-23T10:00:00.25Z", "2026-11-23 11:00:00+01:00". */
double when_of(const char *text);

#endif

/* failpoint.h - named places where a test may end the process, as kill -9 and power cuts do at the worst of moments.
 *
 * In a build without DRIFT_FAILPOINTS, which is every build but that of `make fault`, nothing of it is left. With it,
 * tests/fault/points.c has the function: DRIFT_FAILPOINT=name:count kills the process the count-th time it comes by.
 *
 * Threads: any. Memory: none. Failure: it may not return.
 */
#ifndef DRIFTD_REQUESTS_FAILPOINT_H
#define DRIFTD_REQUESTS_FAILPOINT_H

#ifdef DRIFT_FAILPOINTS
void failpoint(const char *name);
#else
#define failpoint(name) ((void)0)
#endif

#endif

/* engine.h - builds the line of a configuration, runs it, and stops it in order.
 *
 * The only place that knows the configuration and all the stations: it hands each of them the few options it needs, and
 * gives them the functions by which they reach one another.
 *
 * Threads: the main thread. Memory: everything is given back before engine_run() returns. Failure: an exit status,
 * after a sentence in the log or on standard error.
 */
#ifndef DRIFTD_ENGINE_ENGINE_H
#define DRIFTD_ENGINE_ENGINE_H

#include <stdbool.h>

/* Exit statuses, as sysexits(3) numbers them. */
enum engine_exit {
    EXIT_STOPPED = 0, /* when asked */
    EXIT_WRONG_USAGE = 64,
    EXIT_TAKEN = 69, /* an endpoint or the store is somebody else's */
    EXIT_OUR_BUG = 70,
    EXIT_IO = 74, /* a disk, or a store that cannot be used */
    EXIT_CONFIGURATION = 78
};

/* Reads and checks a configuration; every mistake goes to standard error. EXIT_STOPPED or EXIT_CONFIGURATION. */
int engine_check(const char *config_file, bool no_env);

/* Runs until a signal on `signal_fd` (signalfd(2): SIGTERM, SIGINT, SIGHUP) or until a station cannot go on. */
int engine_run(const char *config_file, int signal_fd);

#endif

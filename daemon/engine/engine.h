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

/* What the configuration is read from. The texts outlive the engine. */
struct engine_files {
    const char *file;
    const char *folder; /* conf.d; NULL: none */
    bool folder_may_lack;
};

/* Reads and checks a configuration; every mistake goes to standard error. EXIT_STOPPED or EXIT_CONFIGURATION. */
int engine_check(const struct engine_files *files, bool no_env);

/* The same, and prints what is in force on standard output. EXIT_IO where it cannot be written. */
int engine_print(const struct engine_files *files);

/* Runs until a signal on `signal_fd` (signalfd(2): SIGTERM, SIGINT, SIGHUP) or until a station cannot go on. */
int engine_run(const struct engine_files *files, int signal_fd);

#endif

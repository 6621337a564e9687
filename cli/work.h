/* work.h - a command of the user's at work: a process group of its own, its output line by line, its end.
 *
 * Threads: one, which has SIGCHLD blocked and calls work_turn() when it comes. Memory: owned. Failure: the program ends
 * when it cannot make a process.
 */
#ifndef DRIFT_CLI_WORK_H
#define DRIFT_CLI_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/text.h"

#define WORK_LINE_MAX 65536 /* bytes kept of a line */

struct work;

struct work_options {
    const char *command; /* for /bin/sh -c */
    char **environment;
    struct text input;
    /* Is handed each line of output as it comes; `error`: of standard error. */
    void (*line)(void *argument, struct text line, bool error);
    void *argument;
};

struct work *work_start(const struct work_options *options);

/* What to poll: readable when there is output; -1: closed. */
int work_output(const struct work *self);
int work_errors(const struct work *self);

/* Takes what output there is; kills what does not end in time. True when the command has ended and all its output was
 * taken. *next_ns_p: when to call again at the latest. */
bool work_turn(struct work *self, int64_t now_ns, int64_t *next_ns_p);

/* Asks the group to end, and kills it when it does not within `grace_ns`. */
void work_stop(struct work *self, int64_t now_ns, int64_t grace_ns);

/* How it ended, as wait(2) says; and how long it ran. */
int work_status(const struct work *self);
int64_t work_took_ns(const struct work *self);

/* The last line of its output that said something and was no progress; and of its errors. Borrowed. */
const char *work_last(const struct work *self);
const char *work_last_error(const struct work *self);

/* Keeps `line` as the last one of the output. */
void work_keep(struct work *self, struct text line, bool error);

/* A command that still runs is killed. */
void work_destroy(struct work **self_p);

#endif

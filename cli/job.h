/* job.h - a job as a trainer pulls it: what is needed to answer for it, and what its command is told.
 *
 * Threads: one. Memory: a job owns all it has. Failure: NULL for what is no job, with a sentence.
 */
#ifndef DRIFT_CLI_JOB_H
#define DRIFT_CLI_JOB_H

#include <jansson.h>
#include <stdint.h>

#include "lib/text.h"

struct job {
    struct text text; /* as it came, for the command's standard input */
    json_t *root;
    const json_t *data;
    char *request; /* id */
    int64_t attempt;
    char *model; /* project/name/version, made visible */
};

/* Reads a job message; `text` is copied. NULL, with a sentence in *why_p (static), when there is nothing to answer for.
 */
struct job *job_read(struct text text, const char **why_p);

/* Environment of a command: this process's and DRIFT_*. Free it with job_environment_free(). */
char **job_environment(const struct job *self, const char *trainer, double lease_s);
void job_environment_free(char **environment);

void job_destroy(struct job **self_p);

#endif

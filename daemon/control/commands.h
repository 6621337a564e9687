/* commands.h - what the control socket understands: one row a command.
 *
 * Threads: that of the control station. Memory: rows are constant. Failure: a refusal is a reply.
 */
#ifndef DRIFTD_CONTROL_COMMANDS_H
#define DRIFTD_CONTROL_COMMANDS_H

#include <stdbool.h>

#include "daemon/control/merge.h"

enum command_target {
    ASK_NOBODY = 0, /* answered here */
    ASK_SHARDS = 1,
    ASK_REQUESTS = 2,
    ASK_ENGINE = 4, /* makes the reply of what the others have answered */
    ASK_CHECKPOINT = 8,
    ASK_MAIN_LOOP = 16
};

struct command {
    const char *name;
    int targets;  /* enum command_target, or-ed */
    bool partial; /* a reply of some of those asked is worth something */
    merge_fn *merge;
    /* Checks the arguments and completes them; answers by itself where nobody is asked. NULL: go on; else the reply. */
    json_t *(*begin)(json_t *ask);
    /* The bytes that the answer is kept to, of a list; NULL: it is none, and short. */
    int64_t (*bytes)(const json_t *ask);
};

/* The command of a question, or NULL and the reply: not JSON, no command, an unknown one, one that this release has
 * not. */
const struct command *command_find(const json_t *ask, json_t **refusal_p);

/* {"ok": false, "error": code, "message": sentence} */
json_t *command_refuse(const char *code, const char *sentence);

#endif

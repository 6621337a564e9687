/* expand.h - ${NAME}, ${NAME:-default} and ${NAME:?message} in a scalar value.
 *
 * NAME is a letter or '_', then letters, digits and '_'. As in a shell, ":-" and ":?" act where NAME is unset or empty.
 * "$${" stands for "${"; every other '$' is itself. A default or message ends at the first '}' and holds no variable.
 *
 * Threads: what `getenv` allows. Memory: the result lives in the arena. Failure: see expand_text().
 */
#ifndef DRIFT_LIB_CONFIG_EXPAND_H
#define DRIFT_LIB_CONFIG_EXPAND_H

#include "lib/config/arena.h"
#include "lib/config/config.h"

#define EXPAND_VALUE_BYTES_MAX 65536 /* of one value */
#define EXPAND_BYTES_MAX (16u << 20) /* of all of them together */
#define EXPAND_WHY_MAX 512

struct expansion {
    const struct config_options *options;
    struct arena *memory;
    size_t bytes; /* used of EXPAND_BYTES_MAX */
};

enum expanded {
    EXPAND_PLAIN, /* nothing to replace; *out is the text that was given */
    EXPAND_DONE,
    EXPAND_UNKNOWN, /* options->no_env, and a variable has no value */
    EXPAND_WRONG,   /* `why` has the sentence */
    EXPAND_NOMEM
};

enum expanded expand_text(struct expansion *self, struct text text, struct text *out, char why[EXPAND_WHY_MAX]);

#endif

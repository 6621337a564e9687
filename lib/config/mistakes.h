/* mistakes.h - everything that is wrong with a configuration, told at once and in the order of the file.
 *
 * Threads: belongs to one thread. Memory: texts live in the arena. Failure: where there is no memory for a mistake it
 * is counted all the same, and the arena says that it failed.
 */
#ifndef DRIFT_LIB_CONFIG_MISTAKES_H
#define DRIFT_LIB_CONFIG_MISTAKES_H

#include <stdint.h>

#include "lib/config/arena.h"
#include "lib/config/config.h"

#define MISTAKES_MAX 1000     /* further ones are counted and not shown */
#define MISTAKES_QUOTE_MAX 96 /* bytes of a quotation, with its NUL */

struct mistake {
    uint32_t line, column; /* from 1; line 0: of the file as a whole */
    uint32_t order;        /* keeps what stands at one place as it came */
    char *text;            /* "key: what is wrong, what is allowed" */
};

struct mistakes {
    const char *file;
    struct arena *memory;
    struct mistake *at; /* room for MISTAKES_MAX, taken with the first */
    uint64_t count;     /* those that are not kept too */
};

/* Where something stands in the file. */
struct mark {
    uint32_t line, column;
};

void mistakes_add(struct mistakes *self, struct mark mark, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* No further mistake will be shown: what is costly to say need not be worked out. */
bool mistakes_full(const struct mistakes *self);

/* Tells all of them, each once. */
void mistakes_tell(struct mistakes *self, config_error_fn *error, void *argument);

/* `text` as it may be shown in a line: cut to about 64 bytes, control characters made visible. Returns `out`. */
const char *mistakes_quote(struct text text, char out[MISTAKES_QUOTE_MAX]);

/* The same of a key, which is visible even where it is empty. */
const char *mistakes_key(struct text key, char out[MISTAKES_QUOTE_MAX]);

#endif

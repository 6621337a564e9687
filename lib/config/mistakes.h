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
    uint32_t file, line, column; /* file: an index; line and column from 1, 0: of the file as a whole */
    uint32_t order;        /* keeps what stands at one place as it came */
    char *text;            /* "key: what is wrong, what is allowed" */
};

struct mistakes {
    const char *const *files; /* their names; the first stands for all of them together */
    struct arena *memory;
    struct mistake *at; /* room for MISTAKES_MAX, taken with the first */
    uint64_t count;     /* those that are not kept too */
};

/* Where something stands. */
struct mark {
    uint32_t line, column;
    uint32_t file; /* index of the file, in the order they were read */
};

/* "line 12", or with the file's name "a.yaml:12" where `from` stands in another one. Returns `out`. */
#define MISTAKES_PLACE_MAX 320
const char *mistakes_place(const struct mistakes *self, struct mark mark, struct mark from,
                           char out[MISTAKES_PLACE_MAX]);

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

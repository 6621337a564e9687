/* print.h - a configuration as YAML: what is in force, and where each value comes from.
 *
 * The text is read again to the same configuration. Values of the environment are in it as they were: it is as secret as
 * they are.
 *
 * Threads: as config.h. Memory: nothing is kept. Failure: -ENOMEM.
 */
#ifndef DRIFT_LIB_CONFIG_PRINT_H
#define DRIFT_LIB_CONFIG_PRINT_H

#include "lib/config/config.h"
#include "lib/config/schema.h"

/* Called for each line, without its newline. */
typedef void config_line_fn(void *argument, const char *line);

/* Every key that has a value, then the blocks of budgets with what each of them sets. */
int config_print(const struct config *self, config_line_fn *line, void *argument);

/* The value of a key outside of `budgets` ("workers", "metrics.bind") as config_print() writes it, for the caller to free.
 * NULL: there is no such key, it has no value, or there was no memory. */
char *config_value(const struct config *self, const char *key);

/* print_value.c: a growing text, with a sticky failure. */
struct print_text {
    char *at;
    size_t len, room;
    bool failed;
};
void print_put(struct print_text *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
void print_quoted(struct print_text *self, struct text text); /* between double quotes, as YAML reads a value; "${" doubled */
void print_quoted_key(struct print_text *self, struct text text); /* the same of a key, in which no variable stands */
void print_number(struct print_text *self, double value);     /* the shortest that is read back as the same */

/* The value of a row in the record at `base`. False: it has none there, and nothing was put. */
bool print_value(struct print_text *self, const struct schema_row *row, const void *base);

#endif

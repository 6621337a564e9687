/* schema.h - the one table of what a configuration may say.
 *
 * A row is a key: its path, type, range, default, words, and where it lands. Ranges and defaults are written as a
 * person would write them, and read by the same code as the file. Adding a key is adding a row (and a line in
 * docs/configuration.md: a test compares them). A key whose feature is not in this release has its row too, with the
 * sentence that refuses it: building the feature takes the sentence away.
 *
 * A path names keys joined by dots; "[]" behind a key: the items of a list; "<name>": any name of the user's own.
 *
 * Threads: constant data and pure functions. Memory: nothing is taken. Failure: none.
 */
#ifndef DRIFT_LIB_CONFIG_SCHEMA_H
#define DRIFT_LIB_CONFIG_SCHEMA_H

#include <stdint.h>

#include "lib/text.h"

enum schema_type {
    SCHEMA_MAP,      /* keys of the same record */
    SCHEMA_COUNT,    /* a whole number, uint32_t; a word may stand for a value */
    SCHEMA_COUNT64,  /* uint64_t */
    SCHEMA_NUMBER,   /* double */
    SCHEMA_LIMIT,    /* double, in the range of its metric */
    SCHEMA_DURATION, /* int64_t, nanoseconds */
    SCHEMA_SIZE,     /* uint64_t, bytes */
    SCHEMA_WORD,     /* an enum */
    SCHEMA_PATH,     /* char * */
    SCHEMA_BIND,     /* struct config_endpoints */
    SCHEMA_CONNECT,
    SCHEMA_CONTROL,
    SCHEMA_LISTEN,     /* char *: "host:port"; NULL: off */
    SCHEMA_HOSTS,      /* struct config_endpoints */
    SCHEMA_CHOICE,     /* char[STRATEGY_NAME_MAX + 1]: a word or the name of a strategy */
    SCHEMA_PATTERN,    /* char * */
    SCHEMA_PARAMETERS, /* char *: a map as the text of a JSON object */
    SCHEMA_BLOCKS,     /* what follows are records of their own, each with its reader */
    SCHEMA_KPIS,
    SCHEMA_KPI,
    SCHEMA_PROJECTS,
    SCHEMA_PROJECT,
    SCHEMA_OWN, /* struct config_projects */
    SCHEMA_STRATEGIES,
    SCHEMA_STRATEGY,
    SCHEMA_ALARMS, /* struct alarm_budget */
    SCHEMA_RATE,   /* double, a second */
    SCHEMA_RANGE,  /* double[2] */
    SCHEMA_DRIFT,  /* struct drift_rules: a list of rules, taken over whole */
    SCHEMA_TYPES
};

struct schema_word {
    const char *word;
    int32_t value;
};

struct schema_row {
    const char *path;
    enum schema_type type;
    const char *least, *most;        /* both included; NULL: no range */
    const char *standard;            /* default; NULL: none */
    size_t offset;                   /* in the record it belongs to; SCHEMA_NOWHERE */
    const struct schema_word *words; /* ended by one without a word; NULL: none */
};

#define SCHEMA_NOWHERE ((size_t)-1)

extern const struct schema_row schema_rows[];
extern const uint32_t schema_row_count;

/* The row of `key` in a section ("" is the whole file), NULL: unknown there. */
const struct schema_row *schema_find(const char *section, struct text key);

/* The row by its whole path, NULL: none. */
const struct schema_row *schema_row_of(const char *path);

/* Whether a row stands right below a section, and the last part of its path. */
bool schema_is_in(const struct schema_row *row, const char *section);
const char *schema_key(const struct schema_row *row);

/* The known key of the section that looks most like `key`, NULL: none looks like it. */
const struct schema_row *schema_nearest(const char *section, struct text key);

/* "a whole number, 1 to 1000"; "debug, info or error": what may stand there, in words. */
#define SCHEMA_ALLOWED_MAX 320
const char *schema_allowed(const struct schema_row *row, char out[SCHEMA_ALLOWED_MAX]);

/* The keys of a section: "bind, connect, queue". Those not in this release are left out. */
const char *schema_keys(const char *section, char out[SCHEMA_ALLOWED_MAX]);

/* "whole number", "duration": as documentation names a type. */
const char *schema_type_name(enum schema_type type);

/* Bytes of the field where a value lands, for types that are copied as they are; 0 for others. */
size_t schema_width(enum schema_type type);

/* The range of a known metric: *least and *most, -INFINITY and INFINITY where there is none. */
void schema_metric_range(struct text metric, double *least, double *most);

#endif

/* log.h - what an operator reads: one sentence and its fields.
 *
 * Under systemd (JOURNAL_STREAM is standard error) fields go to the journal; elsewhere a line of logfmt or JSON goes to
 * standard error. Text from outside is escaped on its way out: a model's id cannot forge a line.
 *
 * Threads: any, after log_open(). Memory: nothing is kept. Failure: a line that cannot be written is lost; counted by
 * log_lost().
 */
#ifndef DRIFTD_BASE_LOG_H
#define DRIFTD_BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_AUTO, LOG_FORMAT_JOURNAL, LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

void log_open(enum log_format format, enum log_level level);
void log_set_level(enum log_level level);

/* A field: a name in lower case ("model"; MODEL in the journal, prefixed DRIFTD_), and a text or a number. */
struct log_field {
    const char *name;
    const char *text; /* NULL: the number */
    double number;
};

#define LOG_TEXT(n, t) ((struct log_field){.name = (n), .text = (t)})
#define LOG_NUMBER(n, v) ((struct log_field){.name = (n), .number = (double)(v)})

/* Writes one line. `sentence` says what happened and, where someone has to act, what to do. */
void log_write(enum log_level level, const char *sentence, const struct log_field *fields, unsigned count);

/* log_info ("models restored", LOG_NUMBER ("count", n)); fields may be absent. */
#define LOG_FIELDS_(...) (const struct log_field[]){{0}, ##__VA_ARGS__}
#define LOG_COUNT_(...) ((unsigned)(sizeof(LOG_FIELDS_(__VA_ARGS__)) / sizeof(struct log_field)) - 1)
#define LOG_AT_(level, sentence, ...) \
    log_write((level), (sentence), LOG_FIELDS_(__VA_ARGS__) + 1, LOG_COUNT_(__VA_ARGS__))
#define log_debug(...) LOG_AT_(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...) LOG_AT_(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) LOG_AT_(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...) LOG_AT_(LOG_LEVEL_ERROR, __VA_ARGS__)

uint64_t log_lost(void);

#endif

/* words.h - figures as a person would say them.
 *
 * Threads: pure functions. Memory: values. Failure: none.
 */
#ifndef DRIFT_LIB_EXPLAIN_WORDS_H
#define DRIFT_LIB_EXPLAIN_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct words {
    char text[64];
};

struct words words_span(double seconds);      /* 0.4 seconds, 45 minutes, 30 days, 4.5 years */
struct words words_rate(double per_second);   /* 2.1 values a second, 3 values an hour */
struct words words_count(double count);       /* 16,300,000: three digits that count */
struct words words_figure(double value);      /* 0.931, 5.07, 12300 */

/* A sentence that grows, and is cut where its room ends. */
struct sentence {
    char text[1024];
    size_t len;
};
void words_say(struct sentence *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

/* log_pace.h - keeps one kind of line from drowning all others: a fleet of ten thousand models can break its budgets at once.
 *
 * Of each sentence so many lines are written in ten seconds; those beyond are counted, and one line says later how many were
 * left out.
 *
 * Threads: one at a time; log.c sees to that. Memory: a table of fixed size; a sentence that finds no place in it is not held
 * back. Failure: none.
 */
#ifndef DRIFTD_BASE_LOG_PACE_H
#define DRIFTD_BASE_LOG_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_PACE_LINES 500
#define LOG_PACE_NS INT64_C(10000000000)
#define LOG_PACE_SENTENCES 64
#define LOG_PACE_BYTES 96

struct log_pace {
    struct {
        char sentence[LOG_PACE_BYTES]; /* as much of it as tells it from others */
        int64_t began_ns;
        uint64_t lines, held;
    } at[LOG_PACE_SENTENCES];
    uint32_t count;
};

/* Whether a line of this sentence may be written now. */
bool log_pace_admit(struct log_pace *self, const char *sentence, int64_t now_ns);

/* A sentence whose ten seconds are over, and how many lines of it were left out; false: there is none. */
bool log_pace_left_out(struct log_pace *self, int64_t now_ns, char sentence[LOG_PACE_BYTES], uint64_t *lines);

#endif

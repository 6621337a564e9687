/* strategy_way.h - what the ways to choose a strategy share; for strategy.c and the files of single ways alone.
 *
 * Threads, memory, failure: as strategy.h says.
 */
#ifndef DRIFT_LIB_RETRAIN_STRATEGY_WAY_H
#define DRIFT_LIB_RETRAIN_STRATEGY_WAY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/retrain/strategy.h"

/* What a way of choosing sees: all strategies, and which of them may be taken in this attempt. */
struct choice {
    struct text name; /* the way, as the configuration has it */
    const struct strategy *at;
    uint32_t count;
    uint32_t tries;      /* only strategies that were tried this often may be taken */
    uint32_t candidates; /* how many those are, >= 1 */
    const struct strategy_context *context;
};

/* A sentence that grows; what does not fit is left out whole. */
struct sentence {
    char *at; /* STRATEGY_REASON_MAX bytes */
    size_t len;
};

/* False: left out. */
__attribute__((format(printf, 2, 3))) bool sentence_add(struct sentence *sentence, const char *format, ...);

/* ", attempt 2 after bayesian" */
void sentence_add_attempt(struct sentence *sentence, const struct choice *choice);

/* strategy_history.c: by what each strategy has brought. It has a rule of its own for what was tried already. */
uint32_t choose_history(const struct choice *choice, char reason[STRATEGY_REASON_MAX]);

#endif

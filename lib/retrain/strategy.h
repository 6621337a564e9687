/* strategy.h - how a model may be retrained, and how one of the ways is chosen.
 *
 * Two tables: the strategies (rows of the configuration: name, cost, parameters) and the ways to choose among them (rows
 * of functions). A choice is a pure function of its arguments: it can be replayed.
 *
 * Threads: pure functions. Memory: strategies are borrowed; the reason is written into the caller's buffer.
 */
#ifndef DRIFT_LIB_RETRAIN_STRATEGY_H
#define DRIFT_LIB_RETRAIN_STRATEGY_H

#include <stdint.h>

#include "lib/retrain/history.h"
#include "lib/text.h"

#define STRATEGY_NAME_MAX 64
#define STRATEGY_REASON_MAX 256

struct strategy {
    char name[STRATEGY_NAME_MAX + 1];
    double gpu_hours;            /* expected cost of one attempt, > 0 */
    const char *parameters_json; /* a JSON object, passed to trainers as it stands */
};

/* grid_search 8 h, bayesian 3 h, pbt 12 h: what stands when the configuration names none. */
extern const struct strategy strategy_defaults[];
extern const uint32_t strategy_default_count;

struct strategy_context {
    uint64_t seed;            /* retraining.seed */
    struct text request;      /* id */
    struct text family;       /* project/name */
    uint64_t family_requests; /* requests of this family before this one */
    uint32_t attempt;         /* from 1 */
    const uint32_t *tried;    /* strategies tried in earlier attempts of this request, oldest first: attempt - 1 of them */
    const struct history_row *history; /* one a strategy, for "history"; NULL: nothing is known */
};

/* "history", "cheapest", "round_robin", "random", or a strategy's name. Says whether `choose` can be used with these strategies:
 * 0, or -ENOENT. */
int strategy_choice_check(struct text choose, const struct strategy *strategies, uint32_t count);

/* Chooses; returns the index. `reason` gets one sentence with its figures. On a retry another strategy than those that
 * failed goes first, until all have been tried; with "history", unless it is expected to bring less than a tenth. */
uint32_t strategy_choose(struct text choose, const struct strategy *strategies, uint32_t count,
                         const struct strategy_context *context, char reason[STRATEGY_REASON_MAX]);

#endif

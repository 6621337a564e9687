/* check.h - mistakes that no key shows alone: what keys say together.
 *
 * Threads: pure functions. Memory: of the arenas. Failure: mistakes are told to `mistakes`; lack of memory shows in the
 * arenas. Nothing is concluded from a key that is wrong by itself.
 */
#ifndef DRIFT_LIB_CONFIG_CHECK_H
#define DRIFT_LIB_CONFIG_CHECK_H

#include "lib/config/box.h"
#include "lib/config/mistakes.h"

struct checker {
    struct config_box *box;
    struct mistakes *mistakes;
    struct mistakes *notes; /* what is no mistake, and hardly what was meant */
    struct arena *scratch;
    struct check_most *mosts; /* what charts can promise */
};

/* Endpoints, times and strategies. */
void check_file(struct checker *self);

/* Budgets of blocks that apply to the same models; needs budgets_index(). */
void check_budgets(struct checker *self);

/* What budgets a merged set cannot keep to: promises that no threshold keeps, limits that values are not told apart at. Into
 * the notes. */
void check_set(struct checker *self, struct budget_set *set, struct arena *memory);

#endif

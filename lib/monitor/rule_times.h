/* rule_times.h - when the values of a model's rules came.
 *
 * Rules mostly take the same events: those that have taken the same ones since they began share one record of their
 * times, and part when they cease to.
 *
 * Threads: belong to their monitor's. Memory: taken as values come, given back by rule_times_leave(). Failure: none;
 * where there is no memory, times of before are not known, or less well.
 */
#ifndef DRIFT_LIB_MONITOR_RULE_TIMES_H
#define DRIFT_LIB_MONITOR_RULE_TIMES_H

#include "lib/monitor/moments.h"

struct rule_state;

struct rule_times {
    uint32_t users; /* rules */
    uint32_t moved; /* of them, in the midst of rule_times_add() */
    struct moments moments;
};

/* The rules that have taken `values` values, which came at `at_s`, are those of `states` that say `moved`: not any more
 * afterwards. */
void rule_times_add(struct rule_state *const *states, uint32_t count, const double *at_s, uint32_t values);

/* Asks the memory for what mostly is touched of them. */
void rule_times_prefetch(const struct rule_times *self);

/* A rule forgets its times; it may have none. */
void rule_times_leave(struct rule_state *state);

/* Has rules share what is the same, after they were loaded. */
void rule_times_share(struct rule_state *const *states, uint32_t count);

/* Saves the times of a rule that has taken so many values, or loads them into one that has none. */
void rule_times_walk(struct rule_state *state, uint64_t taken, struct codec *codec);

#endif

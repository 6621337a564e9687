/* delay.h - how soon a rule or a budget sees a change of given size.
 *
 * Expected numbers of values, from the theory that the thresholds come from too: for charts the run length at the shift
 * that is left after logarithm and prewhitening, for evidence its mean growth, for distances the windows that a change
 * has to fill, for a budget the part of its window.
 *
 * Threads: pure functions. Memory: none. Failure: NAN: it cannot be said; INFINITY: it is not found.
 */
#ifndef DRIFT_LIB_EXPLAIN_DELAY_H
#define DRIFT_LIB_EXPLAIN_DELAY_H

#include "lib/explain/explain.h"

#define DELAY_POINTS 0.05 /* five points of a rate, or five percent of another metric's level */

/* What is asked: a change of so many standard deviations of the single values, or of five points. */
struct delay_question {
    double sds; /* 0: of DELAY_POINTS */
    bool down;
    bool beyond; /* of evidence: not from the present level, but from the budget on */
};

struct delay_answer {
    double amount; /* how far the mean moves, in the metric's unit, with its sign; NAN: not known */
    double values; /* until it is found, on average */
};

/* Whether the metric is a rate of 0 to 1: then a change is counted in points. */
bool delay_is_rate(const char *metric);

struct delay_answer delay_of_rule(const struct explain_rule *rule, const struct delay_question *question);
struct delay_answer delay_of_kpi(const struct explain_kpi *kpi, const struct monitor_settings *settings,
                                 const struct delay_question *question);

#endif

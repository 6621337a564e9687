/* budget.h - one KPI's window against its budget.
 *
 * Threads: pure functions. Memory: none. Failure: none.
 */
#ifndef DRIFT_LIB_MONITOR_BUDGET_H
#define DRIFT_LIB_MONITOR_BUDGET_H

#include "lib/monitor/monitor.h"

struct breach {
    bool violated;
    char sign; /* of what is wrong: '<' or '>' */
    double observed, limit;
    double severity; /* as in struct trigger; 0 where nothing is violated */
};

/* The window is not empty, and ordered where the KPI's statistic needs it. */
struct breach budget_judge(const struct kpi_budget *kpi, const struct window *window);

/* Writes "accuracy mean < 0.8". */
void budget_rule(const struct kpi_budget *kpi, const struct breach *breach, char out[MONITOR_RULE_MAX]);

#endif

/* rule_alarm.h - what a drift rule found, as a trigger.
 *
 * Threads: pure functions. Memory: none. Failure: none.
 */
#ifndef DRIFT_LIB_MONITOR_RULE_ALARM_H
#define DRIFT_LIB_MONITOR_RULE_ALARM_H

#include "lib/monitor/monitor.h"
#include "lib/monitor/rule_set.h"

/* Fills *out but for failures and window_end_s, which the monitor knows. `window` is that of a KPI's metric, or NULL.
 */
void rule_alarm_trigger(const struct rule_alarm *alarm, const struct drift_rule *rule, const struct window *window,
                        struct trigger *out);

#endif

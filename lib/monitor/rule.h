/* rule.h - one drift rule: which detector watches which metric, and how often it may be wrong.
 *
 * A model's budget of false alarms is shared out evenly over those of its rules that can promise a rate. The budget is
 * a time, a number of events, or both (the stricter counts); a time becomes events through the rate at which the metric
 * comes. Where that rate is not known beforehand a threshold is worked out for each of RULE_STEPS_MAX rates, a decade
 * apart, and a monitor takes the one for the next rate above what it measures: with settings that a hundred thousand
 * models share, none of them solves an integral equation. What is promised is kept; up to a decade of it is given away.
 * A chart whose reference is too short for the promise of some rate has the strictest threshold there is in its place,
 * and a promise of 0.
 *
 * Threads: pure functions. Memory: the caller's. Failure: as said.
 */
#ifndef DRIFT_LIB_MONITOR_RULE_H
#define DRIFT_LIB_MONITOR_RULE_H

#include "lib/detect/detect.h"
#include "lib/wire/metric_message.h"

#define RULE_STEPS_MAX 6
#define RULE_NO_KPI UINT32_MAX
#define RULE_TEXT_MAX 128

/* One false alarm at most in so much; 0: not bounded in this unit. */
struct alarm_budget {
    double every_s, every_events;
};

struct drift_rule {
    char metric[METRIC_NAME_MAX + 1];
    const char *detector;        /* of detect_name() */
    struct detect_params params; /* as they were given, before any promise */
    uint32_t kpi;                /* whose `test: evidence` it is, or RULE_NO_KPI */

    /* Filled by drift_rules_promise(). */
    const struct detect_params *steps; /* for rule_step_rate(), rising; one where the rate makes no difference */
    uint32_t step_count;               /* 0: promises nothing, and runs with its own parameters */
};

/* Values a second that step `index` of RULE_STEPS_MAX is good for. */
double rule_step_rate(uint32_t index);

/* The step for a measured rate. */
uint32_t rule_step_for(const struct drift_rule *rule, double rate);

/* Values for each false alarm of a rule that is one of so many, where they come at such a rate. */
double rule_events(const struct alarm_budget *alarms, double rate, double rules);

/* Whether the rule can promise a rate at all, and so has a share in the budget of false alarms. */
bool rule_promises(const struct drift_rule *rule);

/* Whether a detector of error streams watches a share of right answers, and so takes one minus the value. */
bool rule_of_errors(const struct drift_rule *rule);

/* Sets the promises of a model's rules. event_rate: values a second of each rule's metric; 0: not known. `steps` has
 * room for count * RULE_STEPS_MAX and must outlive the rules. Up to half a second for each chart: once for each
 * distinct setting. A step that cannot keep to its share promises 0. Returns 0 or -ENOMEM. */
int drift_rules_promise(struct drift_rule *rules, uint32_t count, const struct alarm_budget *alarms, double event_rate,
                        struct detect_params *steps);

/* "latency_ms cusum up": metric, detector, and where a change does harm. */
void drift_rule_text(const struct drift_rule *rule, char out[RULE_TEXT_MAX]);

#endif

#include "lib/monitor/rule_alarm.h"

#include <math.h>
#include <stdio.h>

static double relative(double excess, double limit)
{
    return excess / (limit == 0 ? 1 : fabs(limit));
}

/* Evidence in words that people know: the mean of the window against the budget. */
static void tell_evidence(const struct drift_rule *rule, const struct window *window, struct trigger *out)
{
    const bool harms_up = detect_params_get(&rule->params, "direction") == DETECT_UP;
    out->limit = detect_params_get(&rule->params, "budget");
    out->observed = window_get(window, WINDOW_MEAN);
    const double over = out->observed - out->limit;
    out->severity = relative(fmax(0, harms_up ? over : -over), out->limit);
}

void rule_alarm_trigger(const struct rule_alarm *alarm, const struct drift_rule *rule, const struct window *window,
                        struct trigger *out)
{
    const struct detect_verdict *v = &alarm->verdict;
    *out = (struct trigger){
        .observed = v->statistic,
        .limit = v->threshold,
        .severity = relative(fabs(v->statistic - v->threshold), v->threshold),
        .window = v->n < UINT32_MAX ? (uint32_t)v->n : UINT32_MAX,
        .change_at_s = alarm->change_at_s,
        .window_start_s = alarm->change_at_s,
        .by_drift_rule = true,
        .statistic = v->statistic,
        .threshold = v->threshold,
        .n = v->n,
        .size = v->size,
        .size_lower = v->lower,
        .size_upper = v->upper,
    };
    memcpy(out->metric, rule->metric, sizeof rule->metric);
    snprintf(out->detector, sizeof out->detector, "%s", rule->detector);
    drift_rule_text(rule, out->rule);
    if (window)
        tell_evidence(rule, window, out);
}

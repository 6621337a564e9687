#include "lib/monitor/budget.h"

#include <math.h>
#include <stdio.h>

struct breach budget_judge(const struct kpi_budget *kpi, const struct window *window)
{
    struct breach b = {.observed = window_get(window, kpi->over)};
    if (!isnan(kpi->min) && window_below(b.observed, kpi->min)) {
        b.sign = '<';
        b.limit = kpi->min;
    } else if (!isnan(kpi->max) && window_above(b.observed, kpi->max)) {
        b.sign = '>';
        b.limit = kpi->max;
    } else {
        return b;
    }
    b.violated = true;
    b.severity = fabs(b.observed - b.limit) / (b.limit == 0 ? 1 : fabs(b.limit));
    return b;
}

void budget_rule(const struct kpi_budget *kpi, const struct breach *breach, char out[MONITOR_RULE_MAX])
{
    snprintf(out, MONITOR_RULE_MAX, "%s %s %c %.15g", kpi->metric, window_stat_name(kpi->over), breach->sign,
             breach->limit);
}

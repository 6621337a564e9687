#include "lib/monitor/budget.h"

#include <math.h>
#include <stdio.h>

struct breach budget_judge(const struct kpi_budget *kpi, const struct window *window)
{
    struct breach b = {0};
    const int side = window_judge(window, kpi->over, kpi->min, kpi->max, &b.observed);
    if (side == 0)
        return b;
    b.sign = side < 0 ? '<' : '>';
    b.limit = side < 0 ? kpi->min : kpi->max;
    b.violated = true;
    b.severity = fabs(b.observed - b.limit) / (b.limit == 0 ? 1 : fabs(b.limit));
    return b;
}

void budget_rule(const struct kpi_budget *kpi, const struct breach *breach, char out[MONITOR_RULE_MAX])
{
    snprintf(out, MONITOR_RULE_MAX, "%s %s %c %.15g", kpi->metric, window_stat_name(kpi->over), breach->sign,
             breach->limit);
}

/* live.h - how a model's rules and budgets stand, as figures that can be handed from thread to thread.
 *
 * Threads: explain_live_json() by the monitor's thread; the rest are pure functions. Memory: texts are the caller's,
 * lists the struct's until explain_live_clear(). Failure: NULL, or -EINVAL for what is no such text, or -ENOMEM.
 */
#ifndef DRIFT_LIB_EXPLAIN_LIVE_H
#define DRIFT_LIB_EXPLAIN_LIVE_H

#include "lib/monitor/monitor.h"

struct explain_live_rule {
    bool known;
    uint32_t step;               /* of the rule's promise */
    double rate;                 /* values a second, measured; 0: not */
    double statistic, threshold; /* NAN: it does not judge yet */
    uint64_t taken, refused, clipped;
    bool has_reference, has_moments;
    struct detect_reference reference;
    struct detect_moments moments;
};

/* What a KPI's window holds. */
struct explain_live_kpi {
    bool known;
    double observed, mean, sd, autocorrelation; /* NAN: not known */
    uint64_t total;                             /* values since the model's start */
};

struct explain_live {
    uint64_t events;
    struct explain_live_rule *rules;
    uint32_t rule_count;
    struct explain_live_kpi *kpis;
    uint32_t kpi_count;
};

/* A JSON object of the monitor's figures. */
char *explain_live_json(const struct monitor *monitor);

/* Reads it back; members that others have added are passed over. */
int explain_live_parse(struct explain_live *out, struct text json);
void explain_live_clear(struct explain_live *self);

#endif

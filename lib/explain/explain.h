/* explain.h - what a model is judged by, in the words of a person who knows no statistics.
 *
 * For each rule and each budget: how often it will be wrong, or why it cannot promise that; how soon it sees a change of
 * given size; the threshold in force and how the reference stands. One JSON object holds the figures and the sentences,
 * for the control socket, for `driftc explain` and for the status page alike.
 *
 * Threads: pure functions; a struct explain holds copies, so that the configuration may change meanwhile. Memory: the
 * struct owns what it points to until explain_clear(). Failure: NULL or -ENOMEM.
 */
#ifndef DRIFT_LIB_EXPLAIN_EXPLAIN_H
#define DRIFT_LIB_EXPLAIN_EXPLAIN_H

#include "lib/explain/live.h"

/* Where something was set; `file` NULL: nowhere, the default stands. */
struct explain_place {
    char *file;
    uint32_t line;
};

struct explain_rule {
    struct drift_rule rule;         /* its `steps` are not to be read: see `in_force` */
    bool promises;                  /* its detector can promise a rate */
    struct detect_params in_force;  /* `promise` 0: it promises nothing */
    bool rate_assumed;              /* the rate is not known yet: in_force is for the highest there is */
    double kept_up_to;              /* where it is measured: the highest rate a second with a promise, 0: none */
    struct explain_place place;
    struct explain_live_rule live;  /* all zero: the model has not been heard of */
};

struct explain_kpi {
    struct kpi_budget kpi;
    struct explain_place place;
    struct explain_live_kpi live;
};

struct explain {
    char *model;         /* project/name/version */
    char *settings_json; /* a list: key, value, file, line */
    bool seen;           /* there is a monitor of it */
    bool matched;        /* some block of budgets is for it */
    uint64_t events;
    struct monitor_settings settings; /* the plain figures; kpis and rules are below */
    struct explain_place alarms_place;
    struct explain_rule *rules;
    uint32_t rule_count;
    struct explain_kpi *kpis;
    uint32_t kpi_count;
};

/* The whole explanation as a JSON object, the caller's; NULL: no memory. Some milliseconds for each rule. */
char *explain_json(const struct explain *self);

void explain_clear(struct explain *self);

#endif

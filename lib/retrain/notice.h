/* notice.h - what the keepers of models and the keeper of requests tell each other. Plain values, sent as messages.
 *
 * Threads: a message has one owner at a time; whoever hands it on forgets it. Memory: made with calloc(3); freed by
 * retrain_notice_destroy() and retrain_update_destroy().
 */
#ifndef DRIFT_LIB_RETRAIN_NOTICE_H
#define DRIFT_LIB_RETRAIN_NOTICE_H

#include "lib/model_id.h"
#include "lib/monitor/monitor.h"

enum retrain_notice_kind {
    NOTICE_TRIGGERED, /* a monitor asks for retraining: trigger, metrics_json */
    NOTICE_RECOVERED, /* recover_after healthy evaluations: trigger.metric is the KPI that had triggered */
    NOTICE_SERVING,   /* a model has published min_events events; first_seen_ns says since when it is known */
    NOTICE_SILENT,    /* a model has been silent for stale_after */
    NOTICE_SHOWN,     /* the answer to `shows`: trigger.metric, trigger.observed over trigger.n values */
    NOTICE_KINDS
};

/* keeper of models -> keeper of requests */
struct retrain_notice {
    enum retrain_notice_kind kind;
    char model[MODEL_ID_MAX + 1];
    int64_t at_ns; /* steady clock */
    double at_s;   /* seconds since the epoch */
    int64_t first_seen_ns;
    struct trigger trigger;
    char *metrics_json; /* {"accuracy": {"last":, "mean":, "n":}} as job messages carry it, numbers as measures; owned;
                           NULL: none */
};

/* keeper of requests -> keeper of models: how the requests of one model stand; or, with `shows`, a question alone: what
 * that metric shows once there are min_events values of it, and once more when they fill its window. A model that is not
 * known is not made for it, and does not answer. */
struct retrain_update {
    char model[MODEL_ID_MAX + 1];
    char shows[METRIC_NAME_MAX + 1]; /* not empty: the members below, but `fresh`, mean nothing */
    bool replaced; /* what its retraining made serves in its place: then the members below mean nothing */
    bool fresh;                      /* values from now on alone count, and only a whole window of them */
    bool gone;          /* all of this is longer ago than is kept: it is for a model that is there, and makes none */
    bool live;          /* a request is under way */
    bool unrecoverable; /* give_up_after fruitless episodes; cleared by a person */
    uint64_t episode;   /* the latest; 0: none yet */
    int64_t triggered_ns; /* steady clock: the last trigger, may lie before this process began */
    int64_t ended_ns;     /* steady clock: when the last request ended; meaningful when !live and episode > 0 */
};

static inline int64_t retrain_never_ns(void)
{
    return INT64_MIN;
}

void retrain_notice_destroy(struct retrain_notice **self_p);
void retrain_update_destroy(struct retrain_update **self_p);

#endif

/* monitor_inside.h - what the files of a monitor share; for them alone.
 *
 * Threads, memory, failure: as monitor.h says.
 */
#ifndef DRIFT_LIB_MONITOR_MONITOR_INSIDE_H
#define DRIFT_LIB_MONITOR_MONITOR_INSIDE_H

#include <assert.h>
#include <math.h>

#include "lib/lines.h"
#include "lib/monitor/episode.h"
#include "lib/monitor/metric_table.h"
#include "lib/monitor/monitor.h"
#include "lib/monitor/monitor_batch.h"
#include "lib/monitor/rule_set.h"

#define NO_KPI UINT32_MAX

/* How one KPI stands. */
struct kpi_state {
    uint32_t row;  /* of its metric; METRIC_TABLE_NONE until it is seen */
    uint32_t held; /* evaluations in a row that found it within its budget */
    bool violated; /* by its latest evaluation */
};

/* What an event that waits touches comes first, on two lines of the cache. */
struct monitor {
    struct batch batch;
    uint64_t events;
    int64_t last_event_ns;

    /* What is touched when the windows take what waited, and before others may wait. */
    const struct monitor_settings *settings;
    uint32_t violated;    /* KPIs whose latest evaluation found them so */
    uint32_t failures;    /* evaluations in a row; a trigger begins them anew */
    uint32_t healthy;     /* evaluations in a row */
    bool judged;
    bool triggered;      /* `trigger` holds one, and stays; room alone is given back */
    bool wants_expected; /* something watches EXPECTED_METRIC */
    struct episode episode;
    int64_t held_until_ns; /* no trigger before; INT64_MIN: none is held */
    struct rule_set rules;

    uint64_t left_out, events_before; /* of `events` those that were loaded */
    double violated_since_s;
    uint32_t kpis_unseen; /* metrics of KPIs that have no row yet: rows are kept free for them */
    struct trigger *trigger;
    const struct allowance *allowance; /* NULL: nobody has to be asked */
    struct metric_table metrics; /* of which this is touched again, */
    struct kpi_state kpis[];     /* as many as budgets; the rules behind them */
};

static_assert(offsetof(struct monitor, settings) == MONITOR_HEAD_BYTES && MONITOR_HEAD_BYTES == 2 * LINES_BYTES,
              "an event that waits touches two lines");

/* When the event was measured. A timestamp is evidence for people, no more: where it is decades off, it is none. */
static inline double monitor_measured_at(const struct metric_event *event, double now_s)
{
    return fabs(event->timestamp_s - now_s) < 1e9 ? event->timestamp_s : now_s;
}

/* A count that stays at its end. */
static inline uint32_t monitor_more(uint32_t count, uint32_t more)
{
    return count < UINT32_MAX - more ? count + more : UINT32_MAX;
}

/* Memory for a monitor of these settings, of lines_new(), zeroed but for the rules' part. 0, -ENOMEM, or -EINVAL: a rule's
 * parameters make no sense. */
int monitor_room(const struct monitor_settings *settings, struct monitor **out);

/* Where its rules stand. */
static inline void *monitor_rules_at(struct monitor *self, const struct monitor_settings *settings)
{
    return self->kpis + settings->kpi_count;
}

/* The first KPI of a metric, or NO_KPI. */
uint32_t monitor_kpi_of(const struct monitor_settings *settings, struct text metric);

/* What has to be kept of a metric: an order where some KPI asks for a statistic that needs one, times where it is
 * judged. */
struct metric_keep monitor_keep_of(const struct monitor_settings *settings, struct text metric);

/* monitor_bytes.c: of a metric, of its weights. */
uint64_t monitor_row_bytes(const struct metric_keep *keep);
uint64_t monitor_weight_bytes(const struct metric_keep *keep);

/* Whether a KPI or a rule watches the accuracy that confidences let expect. */
bool monitor_expected_wanted(const struct monitor_settings *settings);

/* Whether each setting is within its range. */
bool monitor_settings_valid(const struct monitor_settings *settings);

/* Sees to room for a trigger. 0 or -ENOMEM. */
int monitor_trigger_room(struct monitor *self);

/* A row for a metric that is seen for the first time. METRIC_TABLE_NONE in *row_p: there is no room for it. 0 or
 * -ENOMEM. */
int monitor_place_new(struct monitor *self, struct text name, uint32_t *row_p);

/* The rows of all KPIs, once there are new ones. */
void monitor_find_kpis(struct monitor *self);

#endif

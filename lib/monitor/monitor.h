/* monitor.h - one model's drift monitor: events in, verdicts out.
 *
 * Holds the model's windows, judges each event against the KPI budgets, counts consecutive failures, keeps the back-off
 * and the episode. It reads no clock: the time of arrival comes with each event, in nanoseconds of a clock that does
 * not jump (any origin), and as seconds since the epoch for what people read.
 *
 * One event is at most one evaluation. A KPI is judged by the events that carry its metric, from the min_events-th
 * value on, and stays violated or not until it is judged again. An event that finds a KPI violated is failing; one that
 * judges a KPI and leaves none violated is healthy; any other is no evaluation, and the count of failures stays.
 *
 * Drift rules (and KPIs with `test: evidence`, which are rules with a budget) are asked next, value by value. They make no
 * evaluation. The first that finds a drift triggers, and opens an episode that no healthy evaluation closes: it ends with
 * the back-off, once no request is live. Until then no rule is fed (rule_set.h).
 *
 * Threads: an instance belongs to one thread; two instances share only settings, which do not change. Memory: windows
 * are taken when a metric is first seen, detectors at the start, room for weights and for the first trigger when they come near;
 * monitor_add() returns -ENOMEM then, and has taken nothing of the event.
 */
#ifndef DRIFT_LIB_MONITOR_MONITOR_H
#define DRIFT_LIB_MONITOR_MONITOR_H

#include <stdint.h>

#include "lib/lines.h"
#include "lib/monitor/allowance.h"
#include "lib/monitor/rule.h"
#include "lib/stats/window.h"
#include "lib/wire/metric_message.h"

#define MONITOR_METRICS_MAX 64 /* metrics kept for a model; further ones are counted and left out */
#define MONITOR_RULE_MAX RULE_TEXT_MAX /* bytes of a rule's text */
#define MONITOR_DRIFT_MAX 64 /* rules that a person lists */
#define MONITOR_RULES_MAX (MONITOR_DRIFT_MAX + 2 * MONITOR_METRICS_MAX) /* and one for each limit of a KPI */
#define MONITOR_DETECTOR_MAX 24 /* bytes of a detector's name, with its NUL */

enum kpi_test {
    KPI_WINDOW,  /* `over` of the window against the limits */
    KPI_EVIDENCE /* a drift rule does it; the window is kept for people */
};

struct kpi_budget {
    char metric[METRIC_NAME_MAX + 1];
    double min, max; /* NAN: no such limit */
    enum window_stat over;
    enum kpi_test test;
    double range[2]; /* of the metric, for KPI_EVIDENCE; both 0: not given */
};

/* What a model is judged by. Immutable once a monitor has it; must outlive the monitor. */
struct monitor_settings {
    uint32_t window;               /* values, >= 1 */
    uint64_t min_events;           /* values of a metric before it is judged */
    uint32_t consecutive_failures; /* >= 1 */
    uint32_t recover_after;        /* healthy evaluations in a row, >= 1 */
    int64_t backoff_ns;
    int64_t stale_after_ns;        /* 0: silence is not reported */
    const struct kpi_budget *kpis; /* in the order of the configuration */
    uint32_t kpi_count;            /* at most MONITOR_METRICS_MAX */
    const struct drift_rule *rules; /* promises included; those of KPI_EVIDENCE first */
    uint32_t rule_count;            /* at most MONITOR_RULES_MAX */
    struct alarm_budget alarms;     /* that the promises keep to */
    double event_rate;              /* values a second, as it was given; 0: measured */
    bool named;                     /* the configuration calls the model by its name: nothing to judge by, but to be shown by */
};

/* What made a monitor ask for retraining: names and figures, by value. It names the first KPI, in the order of the
 * configuration, that the event which triggered found violated. Times are the events' own timestamps, and times of
 * arrival where there is none (or one that is decades off). */
struct trigger {
    char rule[MONITOR_RULE_MAX];       /* "accuracy mean < 0.8" */
    char metric[METRIC_NAME_MAX + 1];
    double observed, limit;
    double severity;                   /* (observed - limit) / |limit| in the harmful direction (limit 0: the difference
                                          itself), the largest of all that this event found violated */
    uint32_t window;                   /* values that were judged */
    uint32_t failures;                 /* evaluations in a row */
    double change_at_s;                /* the first failing evaluation since a healthy one, seconds since the epoch */
    double window_start_s, window_end_s; /* the oldest and the newest value that were judged */

    /* Of a drift rule. Its observed and limit are statistic and threshold; those of KPI_EVIDENCE the window's mean and
     * the KPI's budget. `window` is n. The window begins with the change. */
    bool by_drift_rule;         /* no recovery cancels the request */
    char detector[MONITOR_DETECTOR_MAX]; /* "" for a window against a budget, and what follows is then NAN or 0 */
    double statistic, threshold;
    uint64_t n;                 /* values since the detector began */
    double size, size_lower, size_upper; /* how far the mean moved, in the metric's unit, about 95 %; NAN: not known */
};

enum model_state { MODEL_WARMING, MODEL_HEALTHY, MODEL_FAILING, MODEL_DRIFTING, MODEL_RETRAINING, MODEL_STALE,
                   MODEL_SILENCED, MODEL_UNRECOVERABLE, MODEL_STATES };
const char *model_state_name(enum model_state state);

enum evaluation { EVALUATION_NONE, EVALUATION_HEALTHY, EVALUATION_FAILING };

struct verdict {
    enum evaluation evaluation;
    bool violation_began; /* the first failing evaluation of a run: driftd.budget.violated */
    bool triggered;       /* monitor_trigger() has the figures, until the next event */
    bool recovered;       /* recover_after healthy evaluations in a row while an episode was open, which ends here */
    bool held;            /* the KPI that opened the episode kept its budget in recover_after evaluations of its own,
                             while an episode is open or a request live: what was asked for its sake is not needed any
                             more. After a restart, which forgets that KPI: recovered */
};

/* Whether there is more in it than how the event was found. */
static inline bool verdict_tells(const struct verdict *verdict)
{
    return verdict->violation_began || verdict->triggered || verdict->recovered || verdict->held;
}

struct monitor;

/* Returns 0, -ENOMEM, or -EINVAL where a setting is out of its range; on failure *self_p is NULL. */
int monitor_new(struct monitor **self_p, const struct monitor_settings *settings);

/* From now on `allowance` (which outlives the monitor; NULL: nobody) is asked for what is taken beyond what monitor_bytes()
 * says now. Refused, a new metric is left out of the event and counted in monitor_metrics_left_out(); a first histogram or
 * categories are refused to the rule; events of the first weight other than 1, and of more categories than before, are
 * not taken: -ENOMEM. */
void monitor_allow(struct monitor *self, const struct allowance *allowance);

/* Bytes that a monitor has, or comes to without asking: an upper end, which changes with settings and with what is asked
 * for, and with nothing else. Of these settings before any metric is seen; of one with `metrics` of them, those that are
 * judged first; and of one rule. */
uint64_t monitor_bytes(const struct monitor *self);
uint64_t monitor_least_bytes(const struct monitor_settings *settings);
uint64_t drift_rule_bytes(const struct drift_rule *rule);

/* Of one metric that is, or is not, judged, with its weights: the most that it can be. */
uint64_t monitor_metric_most_bytes(uint32_t window, bool judged);

/* Takes over other settings, which must outlive the monitor from then on. What they do not touch stays as it is: windows of
 * the same length, how an unchanged KPI stands, rules that are the same, episode and back-off. The count of failures
 * begins anew where what is judged has changed, a rule where its detector or its parameters have. Another promise for a
 * chart moves its thresholds and nothing else. It may be another monitor then, in *self_p. Returns 0; -EINVAL as
 * monitor_new(), -ENOMEM: it goes on as before. */
int monitor_change(struct monitor **self_p, const struct monitor_settings *settings);

/* Whether a model would not notice the difference. */
bool monitor_settings_same(const struct monitor_settings *a, const struct monitor_settings *b);

/* Takes one event. now_ns: time of arrival on the steady clock; now_s: the same as seconds since the epoch. Returns 0,
 * or -ENOMEM: *out is then all zero. */
int monitor_add(struct monitor *self, const struct metric_event *event, int64_t now_ns, double now_s,
                struct verdict *out);

/* Takes as many of several events that came together as are of no consequence, from the first on, with what
 * monitor_add() comes to for each; *out: what it says of each, which nobody is to be told. Returns how many: 0 where
 * that is not known of the first, or too few are left for it to pay. Whatever follows is for monitor_add(). */
#define MONITOR_MANY_LEAST 8
uint32_t monitor_add_many(struct monitor *self, const struct metric_event *events, uint32_t count, int64_t now_ns,
                          double now_s, struct verdict *out);

/* Begins to load what monitor_add() will touch: first where that is, then in MONITOR_PREFETCH_STEPS steps, from 0 on, what
 * it is: each needs what the one before has brought, so between two of them there should be as much else to do as memory
 * takes. False: the rest may be left out, since the event is likely to wait. */
#define MONITOR_PREFETCH_STEPS 3
#define MONITOR_HEAD_BYTES 128 /* what an event that waits touches of the monitor itself */
static inline void monitor_prefetch_head(const struct monitor *self)
{
    lines_ask(self);
    lines_ask((const char *)self + MONITOR_HEAD_BYTES / 2);
}
bool monitor_prefetch(const struct monitor *self, unsigned step);

/* Asks for what monitor_state() will look at. */
void monitor_prefetch_state(const struct monitor *self);

/* The figures of the last trigger; borrowed, valid until the next monitor_add(). NULL before the first one. */
const struct trigger *monitor_trigger(const struct monitor *self);

/* What the life of its requests tells a monitor. `live`: a request for the model is under way. Its end begins the
 * back-off anew; the episode closes with the back-off. `since_ns` may lie before the monitor was made: after a restart
 * the store tells when the last trigger was. A trigger that is news opens an episode; one that is known, or older than
 * the last, changes nothing. */
void monitor_triggered_at(struct monitor *self, int64_t since_ns);
void monitor_request_live(struct monitor *self, bool live, int64_t since_ns);

/* Before until_ns nothing triggers; INT64_MIN: no longer so. KPIs are judged and failures counted as ever: the first
 * evaluation after it that still fails, with failures enough, triggers at once. Rules are not fed: what happens to the
 * numbers meanwhile neither raises an alarm nor becomes what they compare with. */
void monitor_hold(struct monitor *self, int64_t until_ns);

/* How the model stands at now_ns; MODEL_SILENCED and MODEL_UNRECOVERABLE are for others to say. */
enum model_state monitor_state(const struct monitor *self, int64_t now_ns);
enum model_state monitor_standing(const struct monitor *self, int64_t now_ns); /* its silence left aside */

uint32_t monitor_failures(const struct monitor *self);
bool monitor_episode_open(const struct monitor *self); /* as of the last event: time alone closes one too */
int64_t monitor_backoff_left_ns(const struct monitor *self, int64_t now_ns);
int64_t monitor_last_event_ns(const struct monitor *self); /* INT64_MIN before the first */
uint64_t monitor_events(const struct monitor *self);
uint64_t monitor_events_before(const struct monitor *self); /* of these, what was there when it was loaded */
uint64_t monitor_metrics_left_out(const struct monitor *self); /* values, not names */

/* The metrics seen so far, in the order they came. */
uint32_t monitor_metric_count(const struct monitor *self);
const char *monitor_metric_name(const struct monitor *self, uint32_t index);
const struct window *monitor_metric_window(const struct monitor *self, uint32_t index);

/* How the rules stand, in the order of the settings. */
struct monitor_rule {
    char text[MONITOR_RULE_MAX];
    const char *detector;
    double statistic, threshold; /* NAN: it does not judge yet, or not now */
    double promise;              /* values for each false alarm; 0: this rule promises nothing */
    uint32_t step;               /* of the rule's steps, in force */
    bool approximate;            /* the promise rests on an extrapolated tail */
    bool rate_known;             /* given, not needed, or measured: `promise` is the one that was asked for */
    double rate;                 /* values a second, measured; 0: not */
    double reference;            /* values of a whole reference; NAN: needs none */
    uint64_t taken;              /* values since it began */
    uint64_t refused;            /* values of a kind that its detector does not take */
};
uint32_t monitor_rule_count(const struct monitor *self);
void monitor_rule_at(const struct monitor *self, uint32_t index, struct monitor_rule *out);

/* Its detector, to be looked at; borrowed, until the next event. */
const struct detect *monitor_rule_detect(const struct monitor *self, uint32_t index);

const struct monitor_settings *monitor_settings_of(const struct monitor *self);

/* Writes all that the monitor knows, so that one made of it goes on bit for bit. Returns the bytes needed; where `size`
 * is less, what was written is of no use. Little-endian, with a version; not protected against damage. */
size_t monitor_save(const struct monitor *self, void *buffer, size_t size);

/* A monitor that begins with what was saved. `settings` may be others: a window goes on where its length is the same, a
 * KPI's state where it and its window are, the counts of evaluations where all KPIs are, a rule where its metric,
 * detector and parameters are; whatever else there is begins anew. The clock may be another: `shift_ns` is added to the
 * moments of the one that saved. The last trigger is remembered and no more: it counts once monitor_triggered_at() tells
 * of it. Returns 0; -EPROTO: damaged, or of another version; -ENOMEM; -EINVAL as monitor_new(). On failure *self_p is
 * NULL. */
int monitor_load(struct monitor **self_p, const struct monitor_settings *settings, const void *buffer, size_t size,
                 int64_t shift_ns);
void monitor_destroy(struct monitor **self_p);

#endif

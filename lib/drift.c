#include "lib/drift.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/monitor/monitor.h"

struct drift_monitor {
    struct monitor *monitor;
    struct monitor_settings settings;
    struct drift_trigger trigger;
    struct kpi_budget kpis[];
};

const char *drift_version(void)
{
    return DRIFT_VERSION;
}

/* [a-z][a-z0-9_.]{0,63}, whatever the locale. */
static bool name_valid(const char *name)
{
    static const char head[] = "abcdefghijklmnopqrstuvwxyz", rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_.";
    if (!name || strspn(name, head) == 0)
        return false;
    size_t len = strspn(name, rest);
    return len <= METRIC_NAME_MAX && name[len] == '\0';
}

/* A hundred years: nanoseconds of such times, and their differences, are far from the ends of 64 bits. */
static bool time_valid(double s)
{
    return fabs(s) < 3.2e9;
}

static int64_t ns_of(double s)
{
    return llround(s * 1e9);
}

/* A duration: 0 stands for the default, below 0 for none at all. */
static int64_t duration_ns(double s, double standard_s)
{
    return s < 0 ? 0 : ns_of(s == 0 ? standard_s : s);
}

static int budget_of(struct kpi_budget *out, const struct drift_budget *budget)
{
    if (!name_valid(budget->metric) || !budget->over || !isfinite(budget->limit) ||
        (budget->side != DRIFT_AT_LEAST && budget->side != DRIFT_AT_MOST) ||
        window_stat_of(text_of(budget->over), &out->over) != 0)
        return -EINVAL;
    memcpy(out->metric, budget->metric, strlen(budget->metric) + 1);
    out->min = budget->side == DRIFT_AT_LEAST ? budget->limit : NAN;
    out->max = budget->side == DRIFT_AT_MOST ? budget->limit : NAN;
    return 0;
}

static int fill(struct drift_monitor *self, const struct drift_settings *s)
{
    for (size_t i = 0; i < s->budget_count; i++)
        if (budget_of(&self->kpis[i], &s->budgets[i]) != 0)
            return -EINVAL;
    self->settings = (struct monitor_settings){
        .window = s->window ? s->window : 64,
        .min_events = s->min_events ? s->min_events : 16,
        .consecutive_failures = s->consecutive_failures ? s->consecutive_failures : 3,
        .recover_after = s->recover_after ? s->recover_after : 32,
        .backoff_ns = duration_ns(s->backoff_s, 1800),
        .stale_after_ns = duration_ns(s->stale_after_s, 600),
        .kpis = self->kpis,
        .kpi_count = (uint32_t)s->budget_count,
    };
    return monitor_new(&self->monitor, &self->settings);
}

int drift_monitor_new(struct drift_monitor **self_p, const struct drift_settings *settings)
{
    *self_p = NULL;
    if (settings->budget_count > MONITOR_METRICS_MAX || !time_valid(settings->backoff_s) ||
        !time_valid(settings->stale_after_s))
        return -EINVAL;
    struct drift_monitor *self = calloc(1, sizeof *self + settings->budget_count * sizeof self->kpis[0]);
    if (!self)
        return -ENOMEM;
    int error = fill(self, settings);
    if (error)
        drift_monitor_destroy(&self);
    *self_p = self;
    return error;
}

static void verdict_of(struct drift_monitor *self, const struct verdict *verdict, struct drift_verdict *out)
{
    out->healthy = verdict->evaluation == EVALUATION_HEALTHY;
    out->failing = verdict->evaluation == EVALUATION_FAILING;
    out->recovered = verdict->recovered;
    out->failures = monitor_failures(self->monitor);
    if (!verdict->triggered)
        return;
    const struct trigger *t = monitor_trigger(self->monitor);
    self->trigger = (struct drift_trigger){t->rule,     t->metric, t->observed, t->limit,
                                           t->severity, t->window, t->failures, t->change_at_s};
    out->trigger = &self->trigger;
}

int drift_monitor_add(struct drift_monitor *self, double now_s, uint64_t n, const struct drift_metric *metrics,
                      size_t count, struct drift_verdict *out)
{
    struct metric taken[MONITOR_METRICS_MAX];
    struct metric_event event = {.timestamp_s = NAN, .n = n, .metrics = taken};
    struct verdict verdict;
    *out = (struct drift_verdict){0};
    if (count > MONITOR_METRICS_MAX)
        return -E2BIG;
    if (n < 1)
        return -EINVAL;
    if (!time_valid(now_s))
        return -EDOM;
    for (size_t i = 0; i < count; i++) {
        if (!name_valid(metrics[i].name))
            return -EINVAL;
        if (!isfinite(metrics[i].value))
            return -EDOM;
        taken[i] = (struct metric){text_of(metrics[i].name), METRIC_NUMBER, .number = metrics[i].value};
    }
    event.metric_count = (uint32_t)count;
    int error = monitor_add(self->monitor, &event, ns_of(now_s), now_s, &verdict);
    if (error)
        return error;
    verdict_of(self, &verdict, out);
    return 0;
}

void drift_monitor_retraining(struct drift_monitor *self, bool under_way, double now_s)
{
    if (time_valid(now_s))
        monitor_request_live(self->monitor, under_way, ns_of(now_s));
}

const char *drift_monitor_state(const struct drift_monitor *self, double now_s)
{
    int64_t now_ns = time_valid(now_s) ? ns_of(now_s) : monitor_last_event_ns(self->monitor);
    return model_state_name(monitor_state(self->monitor, now_ns));
}

double drift_monitor_get(const struct drift_monitor *self, const char *metric, const char *over)
{
    enum window_stat stat;
    if (!metric || !over || window_stat_of(text_of(over), &stat) != 0)
        return NAN;
    for (uint32_t i = 0; i < monitor_metric_count(self->monitor); i++)
        if (strcmp(monitor_metric_name(self->monitor, i), metric) == 0)
            return window_get(monitor_metric_window(self->monitor, i), stat);
    return NAN;
}

void drift_monitor_destroy(struct drift_monitor **self_p)
{
    if (!*self_p)
        return;
    monitor_destroy(&(*self_p)->monitor);
    free(*self_p);
    *self_p = NULL;
}

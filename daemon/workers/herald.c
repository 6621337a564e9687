#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/workers/shard_inside.h"
#include "lib/wire/cloud_event.h"

/* --- cloud events --- */

/* Begins an event; its data follow, and herald_send(). */
static void event_begin(struct shard *self, struct json_write *out, struct cloud_event_head *head, const char *type,
                        const char *subject, char id[64], struct now now)
{
    snprintf(id, 64, "%016llx/%u/%llu", (unsigned long long)self->options.run, self->options.number,
             (unsigned long long)++self->events_told);
    *head = (struct cloud_event_head){
        .type = type, .source = self->ports.source, .id = id, .subject = subject, .time_s = now.wall_s};
    cloud_event_open(out, head);
    json_write_bracket(out, '{');
}

static void model_event_begin(struct shard *self, struct json_write *out, struct cloud_event_head *head,
                              const char *type, const struct model *model, char id[64], struct now now)
{
    event_begin(self, out, head, type, model->text, id, now);
    head->of_model = true;
    const struct model_id named = model_id_of(model);
    cloud_event_model(out, &named);
}

static void event_send(struct shard *self, struct json_write *out, const struct cloud_event_head *head)
{
    json_write_bracket(out, '}');
    json_write_bracket(out, '}');
    struct text json = json_write_whole(out);
    struct cloud_event *event = cloud_event_new(head->type, head->subject, head->of_model, json.at, json.len);
    free(json_write_take(out));
    if (event)
        self->ports.event(self->ports.argument, event);
    else
        self->no_memory++;
}

static const struct window *window_of(const struct monitor *monitor, const char *metric)
{
    for (uint32_t i = 0; i < monitor_metric_count(monitor); i++) {
        if (strcmp(monitor_metric_name(monitor, i), metric) == 0)
            return monitor_metric_window(monitor, i);
    }
    return NULL;
}

/* The budgets that are broken as the windows stand. */
static void write_violations(struct json_write *out, const struct monitor *monitor)
{
    const struct monitor_settings *settings = monitor_settings_of(monitor);
    json_write_key(out, "violations");
    json_write_bracket(out, '[');
    for (uint32_t i = 0; i < settings->kpi_count; i++) {
        const struct kpi_budget *kpi = &settings->kpis[i];
        const struct window *window = window_of(monitor, kpi->metric);
        if (kpi->test != KPI_WINDOW || !window || window_total(window) < settings->min_events)
            continue;
        double observed = window_get(window, kpi->over);
        bool below = !isnan(kpi->min) && window_below(observed, kpi->min);
        if (!below && (isnan(kpi->max) || !window_above(observed, kpi->max)))
            continue;
        json_write_bracket(out, '{');
        json_write_key(out, "metric");
        json_write_string(out, kpi->metric);
        json_write_key(out, "over");
        json_write_string(out, window_stat_name(kpi->over));
        json_write_key(out, "observed");
        json_write_measure(out, observed);
        json_write_key(out, below ? "min" : "max");
        json_write_number(out, below ? kpi->min : kpi->max);
        json_write_bracket(out, '}');
    }
    json_write_bracket(out, ']');
}

static void tell_violation(struct shard *self, struct model *model, struct now now)
{
    struct json_write out = {.at = NULL};
    struct cloud_event_head head;
    char id[64];
    model_event_begin(self, &out, &head, "driftd.budget.violated", model, id, now);
    write_violations(&out, model->monitor);
    event_send(self, &out, &head);
}

static void tell_recovery(struct shard *self, struct model *model, struct now now)
{
    struct json_write out = {.at = NULL};
    struct cloud_event_head head;
    char id[64];
    model_event_begin(self, &out, &head, "driftd.model.recovered", model, id, now);
    json_write_key(&out, "healthy");
    json_write_integer(&out, monitor_settings_of(model->monitor)->recover_after);
    event_send(self, &out, &head);
    log_info("recovered: the budgets held again for recover_after evaluations", LOG_TEXT("model", model->text));
}

/* --- notices to the keeper of requests --- */

static struct retrain_notice *notice_new(struct shard *self, enum retrain_notice_kind kind, const struct model *model,
                                         struct now now)
{
    struct retrain_notice *notice = calloc(1, sizeof *notice);
    if (!notice) {
        self->no_memory++;
        return NULL;
    }
    notice->kind = kind;
    memcpy(notice->model, model->text, (size_t)model->len + 1);
    notice->at_ns = now.steady_ns;
    notice->at_s = now.wall_s;
    notice->first_seen_ns = model->first_seen_ns;
    return notice;
}

static void send(struct shard *self, enum retrain_notice_kind kind, const struct model *model, struct now now)
{
    struct retrain_notice *notice = notice_new(self, kind, model, now);
    if (!notice)
        return;
    const struct trigger *trigger = monitor_trigger(model->monitor);
    if (kind == NOTICE_RECOVERED && trigger)
        notice->trigger = *trigger;
    self->ports.notice(self->ports.argument, notice);
}

/* {"accuracy": {"last": 0.5, "mean": 0.52, "n": 64}, ...}, as job messages carry it. */
static char *metrics_text(const struct monitor *monitor)
{
    struct json_write out = {.at = NULL};
    json_write_bracket(&out, '{');
    for (uint32_t i = 0; i < monitor_metric_count(monitor); i++) {
        const struct window *window = monitor_metric_window(monitor, i);
        json_write_key(&out, monitor_metric_name(monitor, i));
        json_write_bracket(&out, '{');
        json_write_key(&out, "last");
        json_write_measure(&out, window_get(window, WINDOW_LAST));
        json_write_key(&out, "mean");
        json_write_measure(&out, window_get(window, WINDOW_MEAN));
        json_write_key(&out, "n");
        json_write_integer(&out, window_count(window));
        json_write_bracket(&out, '}');
    }
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

static void tell_drift(struct shard *self, const struct model *model, const struct trigger *trigger, struct now now)
{
    struct json_write out = {.at = NULL};
    struct cloud_event_head head;
    char id[64];
    model_event_begin(self, &out, &head, "driftd.drift.detected", model, id, now);
    json_write_key(&out, "rule");
    json_write_string(&out, trigger->rule);
    json_write_key(&out, "metric");
    json_write_string(&out, trigger->metric);
    json_write_key(&out, "detector");
    json_write_string(&out, trigger->detector);
    json_write_key(&out, "statistic");
    json_write_measure(&out, trigger->statistic);
    json_write_key(&out, "threshold");
    json_write_measure(&out, trigger->threshold);
    json_write_key(&out, "n");
    json_write_integer(&out, (int64_t)trigger->n);
    json_write_key(&out, "change_at");
    json_write_time(&out, trigger->change_at_s);
    json_write_key(&out, "size");
    json_write_measure(&out, trigger->size);
    event_send(self, &out, &head);
}

static void log_trigger(const struct model *model, const struct trigger *trigger)
{
    if (trigger->by_drift_rule)
        log_info("drift: a metric has changed", LOG_TEXT("model", model->text), LOG_TEXT("rule", trigger->rule),
                 LOG_NUMBER("statistic", trigger->statistic), LOG_NUMBER("threshold", trigger->threshold),
                 LOG_NUMBER("values", trigger->n), LOG_NUMBER("episodes_before", model->episode));
    else
        log_info("drift: a budget is broken", LOG_TEXT("model", model->text), LOG_TEXT("rule", trigger->rule),
                 LOG_NUMBER("observed", trigger->observed), LOG_NUMBER("limit", trigger->limit),
                 LOG_NUMBER("failures", trigger->failures), LOG_NUMBER("episodes_before", model->episode));
}

static void send_trigger(struct shard *self, const struct model *model, struct now now)
{
    const struct trigger *trigger = monitor_trigger(model->monitor);
    struct retrain_notice *notice = notice_new(self, NOTICE_TRIGGERED, model, now);
    log_trigger(model, trigger);
    if (trigger->by_drift_rule)
        tell_drift(self, model, trigger, now);
    if (!notice)
        return;
    notice->trigger = *trigger;
    notice->metrics_json = metrics_text(model->monitor);
    self->ports.notice(self->ports.argument, notice);
}

/* --- what the others call --- */

void herald_verdict(struct shard *self, struct model *model, const struct verdict *verdict, struct now now)
{
    if (!model->serving_told && monitor_events(model->monitor) >= monitor_settings_of(model->monitor)->min_events) {
        model->serving_told = true;
        send(self, NOTICE_SERVING, model, now);
    }
    if (verdict->violation_began)
        tell_violation(self, model, now);
    if (verdict->triggered)
        send_trigger(self, model, now);
    if (verdict->held || verdict->recovered)
        send(self, NOTICE_RECOVERED, model, now);
    if (verdict->recovered)
        tell_recovery(self, model, now);
}

void herald_shown(struct shard *self, const struct model *model, const char *metric, double shown, uint64_t n,
                  struct now now)
{
    struct retrain_notice *notice = notice_new(self, NOTICE_SHOWN, model, now);
    if (!notice)
        return;
    snprintf(notice->trigger.metric, sizeof notice->trigger.metric, "%s", metric);
    notice->trigger.observed = shown;
    notice->trigger.n = n;
    self->ports.notice(self->ports.argument, notice);
}

void herald_silent(struct shard *self, struct model *model, struct now now)
{
    struct json_write out = {.at = NULL};
    struct cloud_event_head head;
    char id[64];
    send(self, NOTICE_SILENT, model, now);
    model_event_begin(self, &out, &head, "driftd.model.stale", model, id, now);
    json_write_key(&out, "silent_s");
    json_write_number(&out, round((double)(now.steady_ns - model->heard_ns) / 1e6) / 1e3);
    event_send(self, &out, &head);
}

void herald_lost(struct shard *self, const struct ledger_node *node, uint64_t fresh, struct now now)
{
    struct json_write out = {.at = NULL};
    struct cloud_event_head head;
    char id[64];
    const char *name = *node->name ? node->name : "unnamed";
    event_begin(self, &out, &head, "driftd.frames.lost", name, id, now);
    json_write_key(&out, "node");
    json_write_string(&out, name);
    json_write_key(&out, "lost");
    json_write_integer(&out, (int64_t)fresh);
    json_write_key(&out, "lost_in_all");
    json_write_integer(&out, (int64_t)node->lost);
    event_send(self, &out, &head);
    log_warning("messages of a node were lost on their way", LOG_TEXT("node", name), LOG_NUMBER("lost", fresh),
                LOG_NUMBER("lost_in_all", node->lost));
}

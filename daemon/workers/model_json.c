#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/workers/shard_inside.h"

#define RECENT_IN_LISTS 16

/* Windows keep single precision: seven digits are what a value has, and all that people want to read. */
static json_t *figure(double value)
{
    char text[32];
    if (!isfinite(value))
        return json_null();
    snprintf(text, sizeof text, "%.7g", value);
    return json_real(strtod(text, NULL));
}

static json_t *text_json(struct text text)
{
    return json_stringn(text.at, text.len);
}

static json_t *recent_json(const struct model *model, uint32_t metric, uint32_t most)
{
    float values[RECORDER_VALUES];
    uint32_t count = model->records
                         ? recorder_recent(&model->recorder, metric, values, most)
                         : window_recent(monitor_metric_window(model->monitor, metric), values, most);
    json_t *list = json_array();
    for (uint32_t i = 0; i < count; i++)
        json_array_append_new(list, figure((double)values[i]));
    return list;
}

/* The place of a metric among those the model has shown; -1: not shown yet. */
static int metric_place(const struct monitor *monitor, const char *name)
{
    for (uint32_t i = 0; i < monitor_metric_count(monitor); i++) {
        if (strcmp(monitor_metric_name(monitor, i), name) == 0)
            return (int)i;
    }
    return -1;
}

static json_t *kpi_json(const struct model *model, const struct kpi_budget *kpi, bool whole)
{
    const struct monitor_settings *settings = monitor_settings_of(model->monitor);
    int place = metric_place(model->monitor, kpi->metric);
    const struct window *window = place < 0 ? NULL : monitor_metric_window(model->monitor, (uint32_t)place);
    double observed = window ? window_get(window, kpi->over) : NAN;
    bool judged = window && !isnan(observed) && window_total(window) >= settings->min_events;
    bool violated = judged && ((!isnan(kpi->min) && window_below(observed, kpi->min)) ||
                               (!isnan(kpi->max) && window_above(observed, kpi->max)));
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:I, s:o}", "name", kpi->metric, "test",
        kpi->test == KPI_EVIDENCE ? "evidence" : "window", "over", window_stat_name(kpi->over),
        "observed", figure(observed), "min", figure(kpi->min), "max", figure(kpi->max), "judged", (int)judged,
        "violated", (int)violated, "n", (json_int_t)(window ? window_count(window) : 0), "recent",
        place < 0 ? json_array() : recent_json(model, (uint32_t)place, whole ? RECORDER_VALUES : RECENT_IN_LISTS));
}

static json_t *kpis_json(const struct model *model, bool whole)
{
    const struct monitor_settings *settings = monitor_settings_of(model->monitor);
    json_t *list = json_array();
    for (uint32_t i = 0; i < settings->kpi_count; i++)
        json_array_append_new(list, kpi_json(model, &settings->kpis[i], whole));
    return list;
}

static json_t *metrics_json(const struct model *model)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < monitor_metric_count(model->monitor); i++) {
        const struct window *window = monitor_metric_window(model->monitor, i);
        json_array_append_new(
            list, json_pack("{s:s, s:o, s:o, s:I, s:I, s:o}", "name", monitor_metric_name(model->monitor, i), "last",
                            figure(window_get(window, WINDOW_LAST)), "mean", figure(window_get(window, WINDOW_MEAN)),
                            "n", (json_int_t)window_count(window), "total", (json_int_t)window_total(window), "recent",
                            recent_json(model, i, RECORDER_VALUES)));
    }
    return list;
}

/* Each rule's statistic against its threshold; null where it does not judge yet. */
static json_t *rules_json(const struct model *model)
{
    json_t *list = json_array();
    uint32_t count = monitor_rule_count(model->monitor);
    for (uint32_t i = 0; i < count; i++) {
        struct monitor_rule rule;
        monitor_rule_at(model->monitor, i, &rule);
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:o, s:I, s:I}", "rule", rule.text, "detector",
                            rule.detector, "statistic", figure(rule.statistic), "threshold", figure(rule.threshold),
                            "promise", figure(rule.promise), "approximate", (int)rule.approximate, "reference",
                            figure(rule.reference), "taken", (json_int_t)rule.taken, "refused",
                            (json_int_t)rule.refused));
    }
    return list;
}

static json_t *settings_json(const struct monitor_settings *settings)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f}", "window", (json_int_t)settings->window, "min_events",
                     (json_int_t)settings->min_events, "consecutive_failures",
                     (json_int_t)settings->consecutive_failures, "recover_after", (json_int_t)settings->recover_after,
                     "backoff_s", (double)settings->backoff_ns / 1e9, "stale_after_s",
                     (double)settings->stale_after_ns / 1e9);
}

enum model_state model_state(const struct model *model, int64_t now_ns)
{
    if (model->unrecoverable)
        return MODEL_UNRECOVERABLE;
    if (now_ns < model->silenced_ns)
        return MODEL_SILENCED;
    enum model_state state;
    if (model->silent_told && !model->heard) /* the monitor, which has heard nothing, cannot know */
        state = MODEL_STALE;
    else if (!model->silent_told && now_ns - model->back_ns < monitor_settings_of(model->monitor)->stale_after_ns)
        state = monitor_standing(model->monitor, now_ns);
    else
        state = monitor_state(model->monitor, now_ns);
    return state == MODEL_STALE && model->replaced ? MODEL_SILENCED : state;
}

json_t *model_json(const struct model *model, struct now now, bool whole)
{
    const struct monitor *monitor = model->monitor;
    json_t *json = json_pack(
        "{s:o, s:s, s:I, s:I, s:I, s:b, s:b, s:f, s:I, s:I, s:o, s:o}", "model", text_json(model_id_of(model).whole), "state",
        model_state_name(model_state(model, now.steady_ns)), "failures", (json_int_t)monitor_failures(monitor),
        "consecutive_failures", (json_int_t)monitor_settings_of(monitor)->consecutive_failures, "episode",
        (json_int_t)model->episode, "episode_open", (int)monitor_episode_open(monitor), "request_live",
        (int)model->live, "backoff_left_s", round((double)monitor_backoff_left_ns(monitor, now.steady_ns) / 1e6) / 1e3,
        "events", (json_int_t)monitor_events(monitor), "events_since_start",
        (json_int_t)(monitor_events(monitor) - monitor_events_before(monitor)), "last_event_s",
        model->heard ? figure((double)(now.steady_ns - model->heard_ns) / 1e9) : json_null(), "kpis",
        kpis_json(model, whole));
    if (json && now.steady_ns < model->silenced_ns)
        json_object_set_new(json, "silenced_left_s", figure((double)(model->silenced_ns - now.steady_ns) / 1e9));
    if (!json || !whole)
        return json;
    json_object_set_new(json, "metrics", metrics_json(model));
    json_object_set_new(json, "metrics_left_out", json_integer((json_int_t)monitor_metrics_left_out(monitor)));
    json_object_set_new(json, "rules", rules_json(model));
    json_object_set_new(json, "settings", settings_json(monitor_settings_of(monitor)));
    return json;
}

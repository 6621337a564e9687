#include "lib/explain/live.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "lib/wire/json_write.h"

#define RECENT_MOST 1024 /* values of a window that deviation and autocorrelation are taken from */
#define RECENT_LEAST 8

/* Writing --------------------------------------------------------------------------------------------------------- */

static void number(struct json_write *out, const char *key, double value)
{
    json_write_key(out, key);
    json_write_number(out, value);
}

static void whole(struct json_write *out, const char *key, uint64_t value)
{
    json_write_key(out, key);
    json_write_integer(out, (int64_t)value);
}

static void write_reference(struct json_write *out, const struct detect_reference *reference)
{
    json_write_key(out, "reference");
    json_write_bracket(out, '{');
    whole(out, "collected", reference->collected);
    whole(out, "wanted", reference->wanted);
    json_write_key(out, "judging");
    json_write_bool(out, reference->judging);
    json_write_key(out, "logs");
    json_write_bool(out, reference->logs);
    number(out, "phi", reference->phi);
    number(out, "level", reference->level);
    number(out, "sd", reference->sd);
    number(out, "limit", reference->limit);
    number(out, "slack", reference->slack);
    number(out, "cut", reference->cut);
    number(out, "up", reference->scale[0]);
    number(out, "down", reference->scale[1]);
    json_write_bracket(out, '}');
}

static void write_moments(struct json_write *out, const struct detect_moments *moments)
{
    json_write_key(out, "moments");
    json_write_bracket(out, '{');
    whole(out, "n", moments->n);
    number(out, "mean", moments->mean);
    number(out, "sd", moments->sd);
    number(out, "autocorrelation", moments->autocorrelation);
    json_write_bracket(out, '}');
}

static void write_rule(struct json_write *out, const struct monitor *monitor, uint32_t index)
{
    const struct detect *detect = monitor_rule_detect(monitor, index);
    struct monitor_rule rule;
    struct detect_reference reference;
    struct detect_moments moments;
    monitor_rule_at(monitor, index, &rule);
    json_write_bracket(out, '{');
    whole(out, "step", rule.step);
    number(out, "rate", rule.rate);
    number(out, "statistic", rule.statistic);
    number(out, "threshold", rule.threshold);
    whole(out, "taken", rule.taken);
    whole(out, "refused", rule.refused);
    whole(out, "clipped", detect_clipped(detect));
    if (detect_reference(detect, &reference) == 0)
        write_reference(out, &reference);
    if (detect_moments(detect, &moments) == 0)
        write_moments(out, &moments);
    json_write_bracket(out, '}');
}

static const struct window *window_of(const struct monitor *monitor, const char *metric)
{
    for (uint32_t i = 0; i < monitor_metric_count(monitor); i++)
        if (strcmp(monitor_metric_name(monitor, i), metric) == 0)
            return monitor_metric_window(monitor, i);
    return NULL;
}

/* Deviation and lag-1 autocorrelation of the newest values. */
static void write_spread(struct json_write *out, const struct window *window)
{
    float values[RECENT_MOST];
    uint32_t count = window_recent(window, values, RECENT_MOST);
    double mean = 0, squares = 0, along = 0;
    for (uint32_t i = 0; i < count; i++)
        mean += (double)values[i] / count;
    for (uint32_t i = 0; i < count; i++) {
        double apart = (double)values[i] - mean;
        squares += apart * apart;
        along += i ? apart * ((double)values[i - 1] - mean) : 0;
    }
    const bool enough = count >= RECENT_LEAST;
    number(out, "sd", enough ? sqrt(squares / (count - 1)) : (double)NAN);
    number(out, "autocorrelation", enough && squares > 0 ? along / squares : (double)NAN);
}

static void write_kpi(struct json_write *out, const struct monitor *monitor, const struct kpi_budget *kpi)
{
    const struct window *window = window_of(monitor, kpi->metric);
    json_write_bracket(out, '{');
    if (window) {
        number(out, "observed", window_get(window, kpi->over));
        number(out, "mean", window_get(window, WINDOW_MEAN));
        write_spread(out, window);
        whole(out, "total", window_total(window));
    }
    json_write_bracket(out, '}');
}

char *explain_live_json(const struct monitor *monitor)
{
    const struct monitor_settings *settings = monitor_settings_of(monitor);
    struct json_write out = {0};
    json_write_bracket(&out, '{');
    whole(&out, "events", monitor_events(monitor));
    json_write_key(&out, "rules");
    json_write_bracket(&out, '[');
    for (uint32_t i = 0; i < monitor_rule_count(monitor); i++)
        write_rule(&out, monitor, i);
    json_write_bracket(&out, ']');
    json_write_key(&out, "kpis");
    json_write_bracket(&out, '[');
    for (uint32_t k = 0; k < settings->kpi_count; k++)
        write_kpi(&out, monitor, &settings->kpis[k]);
    json_write_bracket(&out, ']');
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

/* Reading --------------------------------------------------------------------------------------------------------- */

static double number_of(const json_t *object, const char *key, double otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

static uint64_t whole_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

static void read_reference(const json_t *object, struct detect_reference *out)
{
    *out = (struct detect_reference){
        .collected = (uint32_t)whole_of(object, "collected"),
        .wanted = (uint32_t)whole_of(object, "wanted"),
        .judging = json_is_true(json_object_get(object, "judging")),
        .logs = json_is_true(json_object_get(object, "logs")),
        .phi = number_of(object, "phi", 0),
        .level = number_of(object, "level", NAN),
        .sd = number_of(object, "sd", NAN),
        .limit = number_of(object, "limit", NAN),
        .slack = number_of(object, "slack", NAN),
        .cut = number_of(object, "cut", INFINITY),
        .scale = {number_of(object, "up", 1), number_of(object, "down", 1)},
    };
}

static void read_rule(const json_t *object, struct explain_live_rule *out)
{
    const json_t *reference = json_object_get(object, "reference"), *moments = json_object_get(object, "moments");
    *out = (struct explain_live_rule){
        .known = true,
        .step = (uint32_t)whole_of(object, "step"),
        .rate = number_of(object, "rate", 0),
        .statistic = number_of(object, "statistic", NAN),
        .threshold = number_of(object, "threshold", NAN),
        .taken = whole_of(object, "taken"),
        .refused = whole_of(object, "refused"),
        .clipped = whole_of(object, "clipped"),
        .has_reference = reference != NULL,
        .has_moments = moments != NULL,
        .moments = {.n = whole_of(moments, "n"),
                    .mean = number_of(moments, "mean", NAN),
                    .sd = number_of(moments, "sd", NAN),
                    .autocorrelation = number_of(moments, "autocorrelation", NAN)},
    };
    read_reference(reference, &out->reference);
}

static void read_kpi(const json_t *object, struct explain_live_kpi *out)
{
    *out = (struct explain_live_kpi){.known = json_object_size(object) > 0,
                                     .observed = number_of(object, "observed", NAN),
                                     .mean = number_of(object, "mean", NAN),
                                     .sd = number_of(object, "sd", NAN),
                                     .autocorrelation = number_of(object, "autocorrelation", NAN),
                                     .total = whole_of(object, "total")};
}

int explain_live_parse(struct explain_live *out, struct text text)
{
    *out = (struct explain_live){0};
    json_t *json = json_loadb(text.at, text.len, 0, NULL);
    const json_t *rules = json_object_get(json, "rules"), *kpis = json_object_get(json, "kpis");
    int error = json_is_array(rules) && json_is_array(kpis) ? 0 : -EINVAL;
    if (error == 0) {
        out->events = whole_of(json, "events");
        out->rules = calloc(json_array_size(rules) + 1, sizeof(*out->rules));
        out->kpis = calloc(json_array_size(kpis) + 1, sizeof(*out->kpis));
        error = out->rules && out->kpis ? 0 : -ENOMEM;
    }
    for (size_t i = 0; error == 0 && i < json_array_size(rules); i++)
        read_rule(json_array_get(rules, i), &out->rules[out->rule_count++]);
    for (size_t k = 0; error == 0 && k < json_array_size(kpis); k++)
        read_kpi(json_array_get(kpis, k), &out->kpis[out->kpi_count++]);
    json_decref(json);
    if (error)
        explain_live_clear(out);
    return error;
}

void explain_live_clear(struct explain_live *self)
{
    free(self->rules);
    free(self->kpis);
    *self = (struct explain_live){0};
}

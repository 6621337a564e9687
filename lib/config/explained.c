#include "lib/config/explained.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/json_write.h"

static int copy_place(const struct config_place *from, struct explain_place *to)
{
    to->line = from->line;
    to->file = from->file ? strdup(from->file) : NULL;
    return from->file && !to->file ? -ENOMEM : 0;
}

static void write_setting(void *argument, const char *key, const char *value, const struct config_place *place)
{
    struct json_write *out = argument;
    json_write_bracket(out, '{');
    json_write_key(out, "key");
    json_write_string(out, key);
    json_write_key(out, "value");
    json_write_string(out, value);
    json_write_key(out, "file");
    json_write_string(out, place->file);
    json_write_key(out, "line");
    if (place->file)
        json_write_integer(out, place->line);
    else
        json_write_null(out);
    json_write_bracket(out, '}');
}

static int gather_settings(const struct config *config, const struct model_id *model,
                           const struct monitor_settings *settings, struct explain *out)
{
    struct json_write list = {0};
    json_write_bracket(&list, '[');
    config_effective(config, model, settings, write_setting, &list);
    json_write_bracket(&list, ']');
    out->settings_json = json_write_take(&list);
    out->model = strndup(model->whole.at, model->whole.len);
    return out->settings_json && out->model ? 0 : -ENOMEM;
}

/* `live` was told of other rules where the configuration has changed meanwhile: then it is not used. */
static int gather_rules(const struct config *config, const struct monitor_settings *settings,
                        const struct explain_live *live, struct explain *out)
{
    const bool same = live->rule_count == settings->rule_count;
    out->rules = calloc(settings->rule_count + 1, sizeof(*out->rules));
    if (!out->rules)
        return -ENOMEM;
    for (uint32_t i = 0; i < settings->rule_count; i++) {
        const struct drift_rule *rule = &settings->rules[i];
        struct explain_rule *to = &out->rules[out->rule_count++];
        struct config_place place;
        to->rule = *rule;
        to->promises = rule_promises(rule);
        to->live = same ? live->rules[i] : (struct explain_live_rule){.statistic = NAN, .threshold = NAN};
        uint32_t step = to->live.known ? to->live.step : rule->step_count - 1;
        to->in_force = step < rule->step_count ? rule->steps[step] : rule->params;
        to->rate_assumed = rule->step_count > 1 && !(to->live.rate > 0);
        for (uint32_t k = 0; rule->step_count > 1 && k < rule->step_count; k++)
            if (rule->steps[k].promise > 0)
                to->kept_up_to = rule_step_rate(k);
        to->rule.steps = NULL;
        config_rule_place(config, settings, i, &place);
        if (copy_place(&place, &to->place) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int gather_kpis(const struct config *config, const struct monitor_settings *settings,
                       const struct explain_live *live, struct explain *out)
{
    const bool same = live->kpi_count == settings->kpi_count;
    out->kpis = calloc(settings->kpi_count + 1, sizeof(*out->kpis));
    if (!out->kpis)
        return -ENOMEM;
    for (uint32_t k = 0; k < settings->kpi_count; k++) {
        struct explain_kpi *to = &out->kpis[out->kpi_count++];
        struct config_place place;
        char key[METRIC_NAME_MAX + sizeof("kpis..min")];
        to->kpi = settings->kpis[k];
        to->live = (struct explain_live_kpi){.observed = NAN, .mean = NAN, .sd = NAN, .autocorrelation = NAN};
        if (same && live->kpis[k].known)
            to->live = live->kpis[k];
        snprintf(key, sizeof(key), "kpis.%s.%s", to->kpi.metric, isnan(to->kpi.min) ? "max" : "min");
        config_settings_place(config, settings, key, &place);
        if (copy_place(&place, &to->place) != 0)
            return -ENOMEM;
    }
    return 0;
}

int config_explain(struct config *config, const struct model_id *model, struct text live_text, struct explain *out)
{
    const struct monitor_settings *settings = NULL;
    struct config_place place = {0};
    struct explain_live live = {0};
    *out = (struct explain){0};
    int error = live_text.len ? explain_live_parse(&live, live_text) : 0;
    if (error == 0)
        error = config_settings_for(config, model, &settings);
    if (error == 0)
        error = gather_settings(config, model, settings, out);
    if (error == 0 && settings) {
        config_settings_place(config, settings, "false_alarms", &place);
        error = gather_rules(config, settings, &live, out);
    }
    if (error == 0 && settings)
        error = gather_kpis(config, settings, &live, out);
    if (error == 0)
        error = copy_place(&place, &out->alarms_place);
    out->seen = live_text.len > 0;
    out->events = live.events;
    out->matched = settings != NULL;
    out->settings = settings ? *settings : *config_settings_default();
    out->settings.kpis = NULL;
    out->settings.rules = NULL;
    explain_live_clear(&live);
    if (error)
        explain_clear(out);
    return error;
}

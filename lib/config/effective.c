/* What is in force for one model, key by key, as a person would write it. */
#include <math.h>
#include <stdio.h>

#include "lib/config/box.h"

#define VALUE_MAX 256
#define KEY_MAX 192
#define DAY_S 86400.0

struct telling {
    const struct config *config;
    const struct monitor_settings *settings;
    config_effective_fn *tell;
    void *argument;
};

/* "30m", "250ms": the largest unit in which it is whole. */
static void write_duration(int64_t ns, char out[VALUE_MAX])
{
    static const struct {
        const char *unit;
        int64_t ns;
    } units[] = {{"d", INT64_C(86400000000000)}, {"h", INT64_C(3600000000000)}, {"m", INT64_C(60000000000)},
                 {"s", 1000000000},              {"ms", 1000000},               {"us", 1000}};
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (ns != 0 && ns % units[i].ns == 0) {
            snprintf(out, VALUE_MAX, "%lld%s", (long long)(ns / units[i].ns), units[i].unit);
            return;
        }
    snprintf(out, VALUE_MAX, "%.15gs", (double)ns / 1e9);
}

static void write_alarms(const struct alarm_budget *alarms, char out[VALUE_MAX])
{
    int at = 0;
    if (alarms->every_s > 0) {
        bool days = alarms->every_s >= DAY_S;
        at = snprintf(out, VALUE_MAX, "1 per %.6g%s", alarms->every_s / (days ? DAY_S : 1), days ? "d" : "s");
    }
    if (alarms->every_events > 0)
        at += snprintf(out + at, VALUE_MAX - (size_t)at, "%s1 per %.15g events", at ? " and " : "",
                       alarms->every_events);
    if (at == 0)
        snprintf(out, VALUE_MAX, "none");
}

static bool write_word(const struct schema_row *row, int64_t value, char out[VALUE_MAX])
{
    for (const struct schema_word *word = row->words; word && word->word; word++)
        if (word->value == value) {
            snprintf(out, VALUE_MAX, "%s", word->word);
            return true;
        }
    return false;
}

/* A number that may be a word: "none", "auto". */
static void write_number(const struct schema_row *row, double value, char out[VALUE_MAX])
{
    if (value != floor(value) || fabs(value) > 1e9 || !write_word(row, (int64_t)value, out))
        snprintf(out, VALUE_MAX, "%.15g", value);
}

/* The value of a row in its record; false: none is set, or it is no value but a section. */
static bool write_value(const struct schema_row *row, const void *record, char out[VALUE_MAX])
{
    union {
        uint32_t count;
        uint64_t count64;
        double number, range[2];
        int64_t ns;
        int32_t word;
        struct alarm_budget alarms;
    } value;
    if (row->offset == SCHEMA_NOWHERE)
        return false;
    const char *field = (const char *)record + row->offset;
    size_t width = schema_width(row->type);
    if (row->type == SCHEMA_CHOICE) {
        snprintf(out, VALUE_MAX, "%s", field);
        return true;
    }
    if (width == 0 || width > sizeof(value))
        return false;
    memcpy(&value, field, width);
    switch (row->type) {
    case SCHEMA_COUNT:
        write_number(row, row->words && row->words->value < 0 ? (double)value.word : (double)value.count, out);
        return true;
    case SCHEMA_COUNT64:
        snprintf(out, VALUE_MAX, "%llu", (unsigned long long)value.count64);
        return true;
    case SCHEMA_NUMBER:
    case SCHEMA_LIMIT:
        write_number(row, value.number, out);
        return !isnan(value.number);
    case SCHEMA_RATE:
        snprintf(out, VALUE_MAX, value.number > 0 ? "%.10g/s" : "auto", value.number);
        return true;
    case SCHEMA_DURATION:
        write_duration(value.ns, out);
        return true;
    case SCHEMA_WORD:
        return write_word(row, value.word, out);
    case SCHEMA_ALARMS:
        write_alarms(&value.alarms, out);
        return true;
    case SCHEMA_RANGE:
        snprintf(out, VALUE_MAX, "[%.15g, %.15g]", value.range[0], value.range[1]);
        return value.range[0] < value.range[1];
    default: /* what a model has not got */
        return false;
    }
}

static void tell_settings(const struct telling *self)
{
    static const char prefix[] = "budgets[].";
    const struct monitor_settings *settings = self->settings ? self->settings : config_settings_default();
    for (uint32_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        struct config_place place = {0};
        char value[VALUE_MAX];
        if (!schema_is_in(row, "budgets[]") || row->type == SCHEMA_PATTERN || row->type == SCHEMA_DRIFT ||
            !write_value(row, settings, value))
            continue;
        if (self->settings)
            config_settings_place(self->config, settings, row->path + sizeof(prefix) - 1, &place);
        self->tell(self->argument, row->path + sizeof(prefix) - 1, value, &place);
    }
}

static void tell_kpi(const struct telling *self, const struct kpi_budget *kpi)
{
    for (uint32_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        struct config_place place;
        char value[VALUE_MAX], key[KEY_MAX];
        if (!schema_is_in(row, "budgets[].kpis.<metric>") || !write_value(row, kpi, value))
            continue;
        snprintf(key, sizeof(key), "kpis.%s.%s", kpi->metric, schema_key(row));
        config_settings_place(self->config, self->settings, key, &place);
        self->tell(self->argument, key, value, &place);
    }
}

static void tell_drift(const struct telling *self)
{
    for (uint32_t i = 0; i < self->settings->rule_count; i++) {
        const struct drift_rule *rule = &self->settings->rules[i];
        struct config_place place;
        char text[RULE_TEXT_MAX];
        if (rule->kpi != RULE_NO_KPI)
            continue;
        drift_rule_text(rule, text);
        config_rule_place(self->config, self->settings, i, &place);
        self->tell(self->argument, "drift", text, &place);
    }
}

/* The rows of one section; `prefix` is what the section is called, `record` where its values are. */
static void tell_section(const struct telling *self, const char *section, const char *prefix, const void *record)
{
    for (uint32_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        struct config_place place;
        char value[VALUE_MAX], key[KEY_MAX];
        if (!schema_is_in(row, section) || !write_value(row, record, value))
            continue;
        snprintf(key, sizeof(key), "%s.%s", prefix, schema_key(row));
        config_place_of(self->config, key, &place);
        self->tell(self->argument, key, value, &place);
    }
}

static void tell_retraining(const struct telling *self, const struct model_id *model)
{
    const struct config *config = self->config;
    char prefix[KEY_MAX];
    tell_section(self, "retraining.limits", "retraining.limits", config);
    for (uint32_t i = 0; i < config->retraining.project_count; i++) {
        if (!text_is(model->project, config->retraining.projects[i].project))
            continue;
        snprintf(prefix, sizeof(prefix), "retraining.limits.projects.%s", config->retraining.projects[i].project);
        tell_section(self, "retraining.limits.projects.<project>", prefix, &config->retraining.projects[i]);
    }
    tell_section(self, "retraining", "retraining", config);
    for (uint32_t i = 0; i < config->retraining.strategy_count; i++) {
        snprintf(prefix, sizeof(prefix), "retraining.strategies.%s", config->retraining.strategies[i].name);
        tell_section(self, "retraining.strategies.<name>", prefix, &config->retraining.strategies[i]);
    }
}

bool config_rule_place(const struct config *self, const struct monitor_settings *settings, uint32_t index,
                       struct config_place *out)
{
    const struct budget_set *set = (const struct budget_set *)settings;
    const struct drift_rule *rule = &settings->rules[index];
    char key[KEY_MAX];
    if (rule->kpi != RULE_NO_KPI) {
        const bool down = detect_params_get(&rule->params, "direction") == (double)DETECT_DOWN;
        snprintf(key, sizeof(key), "kpis.%s.%s", rule->metric, down ? "min" : "max");
        return config_settings_place(self, settings, key, out);
    }
    uint32_t item = 0;
    for (uint32_t i = 0; i < index; i++)
        item += settings->rules[i].kpi == RULE_NO_KPI;
    if (!config_settings_place(self, settings, "drift", out) || item >= set->drift.count)
        return false;
    out->line = set->drift.marks[item].line;
    out->column = set->drift.marks[item].column;
    return true;
}

void config_effective(const struct config *self, const struct model_id *model, const struct monitor_settings *settings,
                      config_effective_fn *tell, void *argument)
{
    const struct telling telling = {.config = self, .settings = settings, .tell = tell, .argument = argument};
    struct config_place place;
    char value[VALUE_MAX];
    tell_settings(&telling);
    for (uint32_t k = 0; settings && k < settings->kpi_count; k++)
        tell_kpi(&telling, &settings->kpis[k]);
    if (settings)
        tell_drift(&telling);
    write_alarms(&self->fleet_alarms, value);
    config_place_of(self, "fleet_false_alarms", &place);
    tell(argument, "fleet_false_alarms", value, &place);
    tell_retraining(&telling, model);
}

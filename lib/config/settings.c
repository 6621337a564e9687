/* What the rest of the program asks of a configuration once it is loaded. */
#include <errno.h>
#include <stdio.h>

#include "lib/config/box.h"

#define DEFAULT_WINDOW 64
#define DEFAULT_MIN_EVENTS 16
#define DEFAULT_FAILURES 3
#define DEFAULT_RECOVER_AFTER 32
#define DEFAULT_ALARM_S (30.0 * 86400)
#define MINUTE_NS INT64_C(60000000000)

int config_settings_for(struct config *self, const struct model_id *model, const struct monitor_settings **out_p)
{
    const struct budget_set *set = NULL;
    int error = budgets_for(self->budgets, model, &set);
    if (error == 0)
        *out_p = set ? &set->settings : NULL;
    return error;
}

void config_inherit(struct config *self, const struct config *before)
{
    self->budgets->inherited = before ? before->budgets->promises : NULL;
}

const struct monitor_settings *config_settings_default(void)
{
    /* The defaults of the schema, which a test compares with these: no configuration is at hand here. */
    static const struct monitor_settings settings = {
        .window = DEFAULT_WINDOW,
        .min_events = DEFAULT_MIN_EVENTS,
        .consecutive_failures = DEFAULT_FAILURES,
        .recover_after = DEFAULT_RECOVER_AFTER,
        .backoff_ns = 30 * MINUTE_NS,
        .stale_after_ns = 10 * MINUTE_NS,
        .alarms = {.every_s = DEFAULT_ALARM_S},
    };
    return &settings;
}

static bool tell_place(const struct config_box *box, const struct record *keys, const char *path,
                       struct config_place *out)
{
    const struct key_place *place = record_at(keys, path);
    *out = (struct config_place){0};
    if (!place)
        return false;
    *out = (struct config_place){
        .file = box->files[place->mark.file], .line = place->mark.line, .column = place->mark.column};
    return true;
}

/* Splits "prefix.name.key" behind a prefix that ends with a dot; a name may hold dots. */
static bool split(const char *path, const char *prefix, struct text *name, const char **key_p)
{
    size_t length = strlen(prefix);
    const char *dot = strrchr(path, '.');
    if (strncmp(path, prefix, length) != 0 || !dot || dot <= path + length)
        return false;
    *name = (struct text){.at = path + length, .len = (size_t)(dot - path) - length};
    *key_p = dot + 1;
    return true;
}

bool config_place_of(const struct config *self, const char *key, struct config_place *out)
{
    const struct config_box *box = (const struct config_box *)self;
    char path[SCHEMA_ALLOWED_MAX];
    struct text name;
    const char *last;
    if (split(key, "retraining.strategies.", &name, &last)) {
        snprintf(path, sizeof(path), "retraining.strategies.<name>.%s", last);
        for (uint32_t i = 0; i < self->retraining.strategy_count; i++)
            if (text_is(name, self->retraining.strategies[i].name))
                return tell_place(box, &box->strategy_keys[i], path, out);
    } else if (split(key, "retraining.limits.projects.", &name, &last)) {
        snprintf(path, sizeof(path), "retraining.limits.projects.<project>.%s", last);
        for (uint32_t i = 0; i < self->retraining.project_count; i++)
            if (text_is(name, self->retraining.projects[i].project))
                return tell_place(box, &box->project_keys[i], path, out);
    } else if (split(key, "projects.", &name, &last)) {
        snprintf(path, sizeof(path), "projects.<project>.%s", last);
        for (uint32_t i = 0; i < self->projects.count; i++)
            if (text_is(name, self->projects.at[i].project))
                return tell_place(box, &box->own_keys[i], path, out);
    }
    return tell_place(box, &box->keys, key, out);
}

bool config_settings_place(const struct config *self, const struct monitor_settings *settings, const char *key,
                           struct config_place *out)
{
    const struct config_box *box = (const struct config_box *)self;
    const struct budget_set *set = (const struct budget_set *)settings;
    char path[SCHEMA_ALLOWED_MAX];
    struct text metric;
    const char *last;
    if (split(key, "kpis.", &metric, &last)) {
        snprintf(path, sizeof(path), "budgets[].kpis.<metric>.%s", last);
        for (uint32_t i = 0; i < set->settings.kpi_count; i++)
            if (text_is(metric, set->kpis[i].budget.metric))
                return tell_place(box, &set->kpis[i].keys, path, out);
    }
    snprintf(path, sizeof(path), "budgets[].%s", key);
    return tell_place(box, &set->keys, path, out);
}

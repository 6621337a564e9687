#include "daemon/observe/history.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/monitor/monitor.h"
#include "lib/wire/json_write.h"

struct sample {
    double wall_s;
    uint8_t state;
};

struct past {
    char *model; /* NULL: free */
    char *kpis[HISTORY_KPIS_MAX];
    uint32_t kpi_count;
    struct sample *samples; /* rings */
    float *values;          /* kpi_count for each sample */
    uint32_t next, count;
    int64_t last_ns;
};

struct history {
    struct past at[HISTORY_MODELS_MAX];
};

int history_new(struct history **self_p)
{
    *self_p = calloc(1, sizeof **self_p);
    return *self_p ? 0 : -ENOMEM;
}

static void forget(struct past *past)
{
    free(past->model);
    for (uint32_t i = 0; i < past->kpi_count; i++)
        free(past->kpis[i]);
    free(past->samples);
    free(past->values);
    *past = (struct past){.model = NULL};
}

static struct past *find(const struct history *self, const char *model)
{
    for (uint32_t i = 0; i < HISTORY_MODELS_MAX; i++) {
        if (self->at[i].model && strcmp(self->at[i].model, model) == 0)
            return (struct past *)(uintptr_t)&self->at[i];
    }
    return NULL;
}

/* A free place, or that of the model that was not seen for longest. */
static struct past *place(struct history *self)
{
    struct past *oldest = &self->at[0];
    for (uint32_t i = 0; i < HISTORY_MODELS_MAX; i++) {
        if (!self->at[i].model)
            return &self->at[i];
        if (self->at[i].last_ns < oldest->last_ns)
            oldest = &self->at[i];
    }
    forget(oldest);
    return oldest;
}

static const char *kpi_name(const json_t *kpis, size_t index)
{
    const char *name = json_string_value(json_object_get(json_array_get(kpis, index), "name"));
    return name ? name : "";
}

static uint32_t kpi_count(const json_t *kpis)
{
    size_t count = json_array_size(kpis);
    return (uint32_t)(count < HISTORY_KPIS_MAX ? count : HISTORY_KPIS_MAX);
}

static bool same_kpis(const struct past *past, const json_t *kpis)
{
    bool same = past->kpi_count == kpi_count(kpis);
    for (uint32_t i = 0; same && i < past->kpi_count; i++)
        same = strcmp(past->kpis[i], kpi_name(kpis, i)) == 0;
    return same;
}

static struct past *begin(struct history *self, const char *model, const json_t *kpis)
{
    struct past *past = place(self);
    bool good = true;
    past->kpi_count = kpi_count(kpis);
    for (uint32_t i = 0; i < past->kpi_count; i++) {
        past->kpis[i] = strdup(kpi_name(kpis, i));
        good = good && past->kpis[i];
    }
    past->model = strdup(model);
    past->samples = calloc(HISTORY_SAMPLES, sizeof *past->samples);
    past->values = calloc((size_t)HISTORY_SAMPLES * (past->kpi_count + 1), sizeof *past->values);
    if (good && past->model && past->samples && past->values)
        return past;
    forget(past);
    return NULL;
}

static uint8_t state_of(const json_t *model)
{
    const char *name = json_string_value(json_object_get(model, "state"));
    for (uint8_t i = 0; name && i < MODEL_STATES; i++) {
        if (strcmp(name, model_state_name((enum model_state)i)) == 0)
            return i;
    }
    return MODEL_HEALTHY;
}

void history_add(struct history *self, const json_t *model, int64_t now_ns, double wall_s)
{
    const char *name = json_string_value(json_object_get(model, "model"));
    const json_t *kpis = json_object_get(model, "kpis");
    if (!name || !json_array_size(kpis))
        return;
    struct past *past = find(self, name);
    if (past && now_ns - past->last_ns < HISTORY_EVERY_NS - HISTORY_EVERY_NS / 10)
        return;
    if (past && !same_kpis(past, kpis)) /* the configuration has changed */
        forget(past);
    if (!past || !past->model)
        past = begin(self, name, kpis);
    if (!past)
        return;
    past->samples[past->next] = (struct sample){.wall_s = wall_s, .state = state_of(model)};
    for (uint32_t i = 0; i < past->kpi_count; i++) {
        const json_t *observed = json_object_get(json_array_get(kpis, i), "observed");
        past->values[past->next * past->kpi_count + i] =
            json_is_number(observed) ? (float)json_number_value(observed) : NAN;
    }
    past->next = (past->next + 1) % HISTORY_SAMPLES;
    past->count += past->count < HISTORY_SAMPLES;
    past->last_ns = now_ns;
}

static void write_sample(struct json_write *out, const struct past *past, uint32_t at)
{
    json_write_bracket(out, '[');
    json_write_number(out, round(past->samples[at].wall_s * 10) / 10);
    json_write_string(out, model_state_name((enum model_state)past->samples[at].state));
    for (uint32_t i = 0; i < past->kpi_count; i++)
        json_write_measure(out, (double)past->values[at * past->kpi_count + i]);
    json_write_bracket(out, ']');
}

char *history_text(const struct history *self, const char *model)
{
    const struct past *past = find(self, model);
    struct json_write out = {.at = NULL};
    if (!past)
        return NULL;
    json_write_bracket(&out, '{');
    json_write_key(&out, "ok");
    json_write_bool(&out, true);
    json_write_key(&out, "model");
    json_write_string(&out, past->model);
    json_write_key(&out, "every_s");
    json_write_integer(&out, HISTORY_EVERY_NS / 1000000000);
    json_write_key(&out, "kpis");
    json_write_bracket(&out, '[');
    for (uint32_t i = 0; i < past->kpi_count; i++)
        json_write_string(&out, past->kpis[i]);
    json_write_bracket(&out, ']');
    json_write_key(&out, "samples");
    json_write_bracket(&out, '[');
    for (uint32_t i = 0; i < past->count; i++)
        write_sample(&out, past, (past->next + HISTORY_SAMPLES - past->count + i) % HISTORY_SAMPLES);
    json_write_bracket(&out, ']');
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

void history_destroy(struct history **self_p)
{
    struct history *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    for (uint32_t i = 0; i < HISTORY_MODELS_MAX; i++)
        forget(&self->at[i]);
    free(self);
}

/* What the keeper of requests wants to know of new versions: what a KPI shows. Looked at once a second, not with each
 * event. */
#include <math.h>
#include <stdlib.h>

#include "daemon/workers/shard_inside.h"

/* One model's; models do not move. */
struct ask {
    struct model *model;
    char metric[METRIC_NAME_MAX + 1];
    uint64_t first, last; /* values of the metric since the model's start: for the first answer and for the last */
};

static const struct window *window_of(const struct ask *ask)
{
    const struct monitor *monitor = ask->model->monitor;
    for (uint32_t i = 0; i < monitor_metric_count(monitor); i++) {
        if (strcmp(monitor_metric_name(monitor, i), ask->metric) == 0)
            return monitor_metric_window(monitor, i);
    }
    return NULL;
}

/* As its budget looks at it. */
static double shown(const struct ask *ask, const struct window *window)
{
    const struct monitor_settings *settings = monitor_settings_of(ask->model->monitor);
    for (uint32_t i = 0; i < settings->kpi_count; i++) {
        const struct kpi_budget *kpi = &settings->kpis[i];
        if (kpi->test == KPI_WINDOW && strcmp(kpi->metric, ask->metric) == 0)
            return window_get(window, kpi->over);
    }
    return window_get(window, WINDOW_MEAN);
}

static struct ask *ask_of(struct shard *self, struct model *model)
{
    for (uint32_t i = 0; i < self->ask_count; i++) {
        if (self->asks[i].model == model)
            return &self->asks[i];
    }
    if (self->ask_count == self->ask_room) {
        uint32_t room = self->ask_room ? 2 * self->ask_room : 16;
        struct ask *asks = realloc(self->asks, room * sizeof *asks);
        if (!asks)
            return NULL;
        self->asks = asks;
        self->ask_room = room;
    }
    return &self->asks[self->ask_count++];
}

bool shard_asks_about(const struct shard *self, const struct model *model)
{
    for (uint32_t i = 0; i < self->ask_count; i++) {
        if (self->asks[i].model == model)
            return true;
    }
    return false;
}

void shard_shows(struct shard *self, const struct retrain_update *update)
{
    struct model_id id;
    if (model_id_parse(&id, text_of(update->model)) < 0)
        return;
    struct model *model = models_find(self->models, siphash13(&self->options.key, id.whole.at, id.whole.len), id.whole);
    if (!model) /* the keeper of requests asks again when it serves */
        return;
    struct ask *ask = ask_of(self, model);
    if (!ask) {
        self->no_memory++;
        return;
    }
    const struct monitor_settings *settings = monitor_settings_of(model->monitor);
    *ask = (struct ask){.model = model, .first = settings->min_events, .last = settings->window};
    memcpy(ask->metric, update->shows, sizeof ask->metric);
    if (update->fresh) {
        const struct window *window = window_of(ask);
        ask->first = ask->last = (window ? window_total(window) : 0) + settings->window;
    }
}

void shard_asks(struct shard *self, struct now now)
{
    for (uint32_t i = 0; i < self->ask_count;) {
        struct ask *ask = &self->asks[i];
        const struct window *window = window_of(ask);
        uint64_t total = window ? window_total(window) : 0;
        if (total == 0 || total < ask->first) {
            i++;
            continue;
        }
        herald_shown(self, ask->model, ask->metric, shown(ask, window), window_count(window), now);
        if (total < ask->last) {
            ask->first = ask->last;
            i++;
        } else {
            *ask = self->asks[--self->ask_count];
        }
    }
}

/* How a monitor is saved and loaded: one walk for both ways, over what it knows and not over how that lies in memory.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/monitor/monitor_inside.h"

/* A layout that is not this one is refused: that costs the history of a window, and nothing else. */
#define SAVE_VERSION 1

/* What is read before it is known where it belongs. */
struct saved {
    int64_t shift_ns;
    int64_t last_trigger_ns;
    uint32_t episode_kpi; /* of the KPIs that were saved */
    bool episode_open;
    bool same_windows;                 /* in length, and in when they are judged */
    uint32_t kpis;                     /* that were saved, */
    uint32_t kpis_found;               /* and that there are still */
    uint32_t kpi[MONITOR_METRICS_MAX]; /* where one is now, or NO_KPI */
};

static bool same_limit(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b;
}

static bool same_kpi(const struct kpi_budget *a, const struct kpi_budget *b)
{
    return strcmp(a->metric, b->metric) == 0 && same_limit(a->min, b->min) && same_limit(a->max, b->max) &&
           a->over == b->over && a->test == b->test;
}

static void walk_counts(struct monitor *self, struct saved *saved, struct codec *codec)
{
    codec_u64(codec, &self->events);
    codec_u64(codec, &self->left_out);
    codec_moment(codec, &self->last_event_ns, saved->shift_ns);
    codec_f64(codec, &self->violated_since_s);
    codec_u32(codec, &self->failures, UINT32_MAX);
    codec_u32(codec, &self->healthy, UINT32_MAX);
    codec_flag(codec, &self->judged);
    codec_moment(codec, &saved->last_trigger_ns, saved->shift_ns);
    codec_u32(codec, &saved->episode_kpi, UINT32_MAX);
    codec_flag(codec, &saved->episode_open);
}

static void walk_kpi(struct kpi_budget *budget, struct kpi_state *state, struct codec *codec)
{
    uint32_t over = budget->over, test = budget->test;
    codec_text(codec, budget->metric, sizeof budget->metric);
    codec_f64(codec, &budget->min);
    codec_f64(codec, &budget->max);
    codec_u32(codec, &over, WINDOW_STATS - 1);
    codec_u32(codec, &test, KPI_EVIDENCE);
    codec_flag(codec, &state->violated);
    codec_u32(codec, &state->held, UINT32_MAX);
    budget->over = (enum window_stat)over;
    budget->test = (enum kpi_test)test;
}

/* Where the KPI that was saved as number `index` is now. One in the same place is it before another that is alike. */
static uint32_t find_kpi(const struct monitor *self, uint32_t index, const struct kpi_budget *kpi)
{
    const struct monitor_settings *settings = self->settings;
    if (index < settings->kpi_count && same_kpi(kpi, &settings->kpis[index]))
        return index;
    for (uint32_t k = 0; k < settings->kpi_count; k++)
        if (same_kpi(kpi, &settings->kpis[k]))
            return k;
    return NO_KPI;
}

static void load_kpi(struct monitor *self, struct saved *saved, uint32_t index, struct codec *codec)
{
    struct kpi_budget budget = {.min = NAN, .max = NAN};
    struct kpi_state state = {.row = METRIC_TABLE_NONE};
    walk_kpi(&budget, &state, codec);
    uint32_t k = codec->failed ? NO_KPI : find_kpi(self, index, &budget);
    saved->kpi[index] = k;
    if (k == NO_KPI)
        return;
    saved->kpis_found++;
    if (!saved->same_windows)
        return;
    self->violated = self->violated - self->kpis[k].violated + state.violated;
    self->kpis[k].violated = state.violated;
    self->kpis[k].held = state.held;
}

static void walk_kpis(struct monitor *self, struct saved *saved, struct codec *codec)
{
    uint32_t window = self->settings->window;
    uint64_t min_events = self->settings->min_events;
    saved->kpis = self->settings->kpi_count;
    codec_u32(codec, &window, WINDOW_CAPACITY_MAX);
    codec_u64(codec, &min_events);
    codec_u32(codec, &saved->kpis, MONITOR_METRICS_MAX);
    saved->same_windows = window == self->settings->window && min_events == self->settings->min_events;
    for (uint32_t k = 0; k < saved->kpis && !codec->failed; k++) {
        if (codec_loads(codec)) {
            load_kpi(self, saved, k, codec);
        } else {
            struct kpi_budget budget = self->settings->kpis[k];
            walk_kpi(&budget, &self->kpis[k], codec);
        }
    }
}

static void load_metric(struct monitor *self, struct codec *codec)
{
    char name[METRIC_NAME_MAX + 1] = "";
    uint32_t row = METRIC_TABLE_NONE;
    codec_text(codec, name, sizeof name);
    if (codec->failed)
        return;
    if (metric_table_find(&self->metrics, text_of(name), 0) == METRIC_TABLE_NONE &&
        monitor_place_new(self, text_of(name), &row) != 0)
        codec->failed = codec->out_of_memory = true;
    metric_table_walk(&self->metrics, row, codec);
}

static void walk_metrics(struct monitor *self, struct codec *codec)
{
    uint32_t count = self->metrics.count;
    codec_u32(codec, &count, MONITOR_METRICS_MAX);
    for (uint32_t row = 0; row < count && !codec->failed; row++) {
        if (codec_loads(codec)) {
            load_metric(self, codec);
            continue;
        }
        char name[METRIC_NAME_MAX + 1];
        const char *known = metric_table_name(&self->metrics, row);
        memcpy(name, known, strlen(known) + 1);
        codec_text(codec, name, sizeof name);
        metric_table_walk(&self->metrics, row, codec);
    }
}

static void walk_trigger(struct trigger *trigger, struct codec *codec)
{
    codec_text(codec, trigger->rule, sizeof trigger->rule);
    codec_text(codec, trigger->metric, sizeof trigger->metric);
    codec_f64(codec, &trigger->observed);
    codec_f64(codec, &trigger->limit);
    codec_f64(codec, &trigger->severity);
    codec_u32(codec, &trigger->window, UINT32_MAX);
    codec_u32(codec, &trigger->failures, UINT32_MAX);
    codec_f64(codec, &trigger->change_at_s);
    codec_f64(codec, &trigger->window_start_s);
    codec_f64(codec, &trigger->window_end_s);
    codec_flag(codec, &trigger->by_drift_rule);
    codec_text(codec, trigger->detector, sizeof trigger->detector);
    codec_f64(codec, &trigger->statistic);
    codec_f64(codec, &trigger->threshold);
    codec_u64(codec, &trigger->n);
    codec_f64(codec, &trigger->size);
    codec_f64(codec, &trigger->size_lower);
    codec_f64(codec, &trigger->size_upper);
}

static void walk_last_trigger(struct monitor *self, struct codec *codec)
{
    codec_flag(codec, &self->triggered);
    if (codec->failed || !self->triggered)
        return;
    if (monitor_trigger_room(self) != 0) {
        codec->failed = codec->out_of_memory = true;
        return;
    }
    if (codec_loads(codec))
        *self->trigger = (struct trigger){0};
    walk_trigger(self->trigger, codec);
}

static void walk(struct monitor *self, struct saved *saved, struct codec *codec)
{
    uint32_t version = SAVE_VERSION;
    codec_u32(codec, &version, UINT32_MAX);
    if (version != SAVE_VERSION)
        codec->failed = true;
    walk_counts(self, saved, codec);
    walk_kpis(self, saved, codec);
    walk_metrics(self, codec);
    rule_set_walk(&self->rules, codec, saved->shift_ns);
    walk_last_trigger(self, codec);
}

size_t monitor_save(const struct monitor *self, void *buffer, size_t size)
{
    /* The walk reads only when it saves; it is one function for both ways, hence the cast. */
    struct monitor *source = (struct monitor *)(uintptr_t)self;
    monitor_settle(source);
    struct codec saving = {.out = buffer, .size = size}, counting = {0};
    const struct episode *episode = &self->episode;
    const bool told = episode->last_trigger_ns != EPISODE_NEVER_NS;
    struct saved saved = {.last_trigger_ns = told ? episode->last_trigger_ns : episode->remembered_ns,
                          .episode_kpi = episode->kpi,
                          .episode_open = episode->open};
    walk(source, &saved, &saving);
    if (!saving.failed)
        return saving.at;
    walk(source, &saved, &counting);
    return counting.at;
}

/* What hangs together with the settings that were saved. */
static void settle(struct monitor *self, const struct saved *saved)
{
    const bool same_kpis = saved->kpis == self->settings->kpi_count && saved->kpis_found == saved->kpis;
    uint32_t kpi = saved->episode_kpi;
    if (kpi != EPISODE_KPI_NONE && kpi != EPISODE_KPI_UNKNOWN)
        kpi = kpi < saved->kpis && saved->kpi[kpi] != NO_KPI ? saved->kpi[kpi] : EPISODE_KPI_UNKNOWN;
    episode_remember(&self->episode, saved->last_trigger_ns, kpi, saved->episode_open);
    if (!saved->same_windows || !same_kpis) {
        self->failures = self->healthy = 0;
        self->judged = self->rules.judged;
        self->violated_since_s = 0;
    }
    monitor_find_kpis(self);
}

int monitor_load(struct monitor **self_p, const struct monitor_settings *settings, const void *buffer, size_t size,
                 int64_t shift_ns)
{
    struct codec loading = {.in = buffer, .size = size};
    struct saved saved = {.shift_ns = shift_ns, .last_trigger_ns = EPISODE_NEVER_NS};
    int error = monitor_new(self_p, settings);
    if (error)
        return error;
    walk(*self_p, &saved, &loading);
    if (loading.failed || loading.at != size) {
        monitor_destroy(self_p);
        return loading.out_of_memory ? -ENOMEM : -EPROTO;
    }
    (*self_p)->events_before = (*self_p)->events;
    metric_table_share(&(*self_p)->metrics);
    settle(*self_p, &saved);
    return 0;
}

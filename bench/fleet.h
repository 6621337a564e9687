/* fleet.h - a fleet of healthy models, each with its own drift monitor, for as long as one likes: how often is somebody
 * asked to retrain what is well?
 *
 * Each model sends ten metrics in one event a minute: independent and autocorrelated, normal, skewed, bounded, single
 * answers, shares of batches. Everything that judges is the real thing, from the configuration to the monitor; a request
 * lives six hours and closes the episode.
 *
 * Threads: one. Memory: a monitor at a time. Failure: the program ends.
 */
#ifndef DRIFT_BENCH_FLEET_H
#define DRIFT_BENCH_FLEET_H

#include <stdio.h>
#include <stdlib.h>

#include "bench/streams.h"
#include "lib/config/config.h"

#define FLEET_METRICS 10
#define FLEET_REQUEST_S (6 * 3600)
#define FLEET_SECOND_NS INT64_C(1000000000)

struct fleet_rule {
    const char *metric, *detector; /* as in a list `drift`; a detector of NULL: `test: evidence` */
};

static const struct fleet_rule fleet_rules[FLEET_METRICS] = {
    {"accuracy", NULL},
    {"latency_ms", "detector: cusum, direction: up"},
    {"processed_fps", "detector: ewma, direction: down"},
    {"mean_confidence", "detector: cusum"},
    {"brightness", "detector: ks"},
    {"contrast", "detector: psi"},
    {"objects", "detector: wasserstein"},
    {"queue_ms", "detector: shewhart, direction: up"},
    {"temperature", "detector: ewma"},
    {"share_right", "detector: cusum, direction: down"},
};

/* One value of metric `index` of a healthy model. */
static inline double fleet_value(struct stream *self, int index)
{
    switch (index) {
    case 0:
        return stream_uniform(self) < 0.92; /* single answers, against a budget of 0.85 */
    case 1:
        return 80 * exp(0.4 * stream_autoregressive(self, 0.8));
    case 2:
        return 30 + 2 * stream_autoregressive(self, 0.5);
    case 3:
        return 0.8 + 0.05 * stream_autoregressive(self, 0.3);
    case 4:
        return 100 + 20 * stream_normal(self);
    case 5:
        return 10 * exp(0.3 * stream_normal(self));
    case 6:
        return 5 + floor(4 * stream_uniform(self));
    case 7:
        return 20 * exp(0.2 * stream_normal(self));
    case 8:
        return 60 + stream_autoregressive(self, 0.9);
    default:
        return stream_share(self, 64, 0.9);
    }
}

static inline void fleet_mistake(void *argument, const char *line)
{
    (void)argument;
    fprintf(stderr, "%s\n", line);
}

/* `head`: lines above the block; `alarms` and `rate` as they stand in a file. */
static inline struct config *fleet_configuration(const char *head, const char *alarms, const char *rate)
{
    char yaml[4096];
    struct config *config = NULL;
    int at = snprintf(yaml, sizeof(yaml),
                      "%sbudgets:\n  - models: \"*\"\n    false_alarms: %s\n    event_rate: %s\n    kpis:\n"
                      "      accuracy: {min: 0.85, test: evidence}\n    drift:\n",
                      head, alarms, rate);
    for (int i = 0; i < FLEET_METRICS; i++)
        if (fleet_rules[i].detector)
            at += snprintf(yaml + at, sizeof(yaml) - (size_t)at, "      - {metric: %s, %s}\n", fleet_rules[i].metric,
                           fleet_rules[i].detector);
    if (config_parse(&config, "fleet.yaml", text_of(yaml), NULL, fleet_mistake, NULL) != 0)
        exit(1);
    return config;
}

/* Requests of one healthy model in so many minutes, counted by rule in `by_rule`. */
static inline uint64_t fleet_requests(const struct monitor_settings *settings, uint64_t model, uint64_t minutes,
                                      uint64_t by_rule[FLEET_METRICS])
{
    struct stream streams[FLEET_METRICS];
    struct metric metrics[FLEET_METRICS];
    struct monitor *monitor;
    uint64_t requests = 0, ends_s = 0;
    if (monitor_new(&monitor, settings) != 0)
        exit(1);
    for (int i = 0; i < FLEET_METRICS; i++) {
        streams[i] = stream_seeded(100 + (uint64_t)i, model);
        metrics[i] = (struct metric){.name = text_of(fleet_rules[i].metric), .kind = METRIC_NUMBER};
    }
    for (uint64_t minute = 1; minute <= minutes; minute++) {
        const uint64_t now_s = 60 * minute;
        const int64_t now_ns = (int64_t)now_s * FLEET_SECOND_NS;
        struct verdict verdict;
        for (int i = 0; i < FLEET_METRICS; i++)
            metrics[i].number = fleet_value(&streams[i], i);
        if (ends_s && now_s >= ends_s) {
            monitor_request_live(monitor, false, now_ns);
            ends_s = 0;
        }
        const struct metric_event event = {
            .timestamp_s = NAN, .n = 1, .metrics = metrics, .metric_count = FLEET_METRICS};
        if (monitor_add(monitor, &event, now_ns, 1.76e9 + (double)now_s, &verdict) != 0)
            exit(1);
        if (!verdict.triggered)
            continue;
        requests++;
        for (int i = 0; i < FLEET_METRICS; i++)
            by_rule[i] += strcmp(monitor_trigger(monitor)->metric, fleet_rules[i].metric) == 0;
        monitor_request_live(monitor, true, now_ns);
        ends_s = now_s + FLEET_REQUEST_S;
    }
    monitor_destroy(&monitor);
    return requests;
}

#endif

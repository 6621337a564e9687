/* story.h - tables of what happens to a model, and what its monitor must say to each line, under a virtual clock.
 *
 * A line of a table is an event (accuracy and latency, NAN where it carries none), a notice about the model's requests,
 * or a look at its state. What must come out is one text, so that a table reads like the story it tells: "failing 3
 * began triggered recovered held: drifting" - evaluation, failures, what else the verdict says, state.
 */
#ifndef DRIFT_TESTS_STORY_H
#define DRIFT_TESTS_STORY_H

#include <check.h>
#include <math.h>
#include <stdio.h>

#include "lib/monitor/monitor.h"
#include "tests/run_suite.h"

#define STORY_MS INT64_C(1000000)
#define STORY_EPOCH_S 1764000000.0 /* what the wall clock says at 0 ms */

enum step_kind { STEP_EVENT, STEP_LOOK, STEP_LIVE, STEP_ENDED, STEP_TRIGGERED };

struct step {
    enum step_kind kind;
    int64_t at_ms;
    double accuracy, latency_ms;
    const char *expected;
};

#define EVENT(at_ms, accuracy, latency_ms, expected)                                                                   \
    {                                                                                                                  \
        STEP_EVENT, at_ms, accuracy, latency_ms, expected                                                              \
    }
#define LOOK(at_ms, state)                                                                                             \
    {                                                                                                                  \
        STEP_LOOK, at_ms, NAN, NAN, state                                                                              \
    }
#define LIVE(at_ms)                                                                                                    \
    {                                                                                                                  \
        STEP_LIVE, at_ms, NAN, NAN, NULL                                                                               \
    }
#define ENDED(at_ms)                                                                                                   \
    {                                                                                                                  \
        STEP_ENDED, at_ms, NAN, NAN, NULL                                                                              \
    }
#define TRIGGERED(at_ms)                                                                                               \
    {                                                                                                                  \
        STEP_TRIGGERED, at_ms, NAN, NAN, NULL                                                                          \
    }
#define NONE NAN

/* The budgets of most stories: window 4, accuracy at least 0.80 in the mean, latency at most 400 ms in the last value,
 * three failures, a second of back-off, recovered after three healthy evaluations, stale after a minute. */
static const struct kpi_budget story_kpis[] = {
    {.metric = "accuracy", .min = 0.80, .max = NAN, .over = WINDOW_MEAN},
    {.metric = "latency_ms", .min = NAN, .max = 400, .over = WINDOW_LAST},
};

static inline struct monitor_settings story_settings(void)
{
    return (struct monitor_settings){
        .window = 4,
        .min_events = 1,
        .consecutive_failures = 3,
        .recover_after = 3,
        .backoff_ns = 1000 * STORY_MS,
        .stale_after_ns = 60000 * STORY_MS,
        .kpis = story_kpis,
        .kpi_count = 2,
    };
}

static inline struct monitor *story_monitor(const struct monitor_settings *settings)
{
    struct monitor *monitor;
    ck_assert_int_eq(monitor_new(&monitor, settings), 0);
    return monitor;
}

static inline struct verdict story_event(struct monitor *monitor, int64_t at_ms, double accuracy, double latency_ms)
{
    struct metric metrics[2];
    struct metric_event event = {.timestamp_s = NAN, .n = 1, .metrics = metrics};
    struct verdict verdict;
    if (!isnan(accuracy))
        metrics[event.metric_count++] = (struct metric){text_of("accuracy"), METRIC_NUMBER, .number = accuracy};
    if (!isnan(latency_ms))
        metrics[event.metric_count++] = (struct metric){text_of("latency_ms"), METRIC_NUMBER, .number = latency_ms};
    ck_assert_int_eq(monitor_add(monitor, &event, at_ms * STORY_MS, STORY_EPOCH_S + (double)at_ms / 1e3, &verdict), 0);
    return verdict;
}

static inline void story_step(struct monitor *monitor, const struct step *step, size_t line)
{
    static const char *const evaluations[] = {"none", "healthy", "failing"};
    const int64_t at_ns = step->at_ms * STORY_MS;
    char said[128];
    struct verdict v;
    switch (step->kind) {
    case STEP_EVENT:
        v = story_event(monitor, step->at_ms, step->accuracy, step->latency_ms);
        snprintf(said, sizeof said, "%s %u%s%s%s%s: %s", evaluations[v.evaluation], monitor_failures(monitor),
                 v.violation_began ? " began" : "", v.triggered ? " triggered" : "", v.recovered ? " recovered" : "",
                 v.held ? " held" : "", model_state_name(monitor_state(monitor, at_ns)));
        ck_assert_msg(strcmp(said, step->expected) == 0, "line %zu, at %lld ms: \"%s\", expected \"%s\"", line,
                      (long long)step->at_ms, said, step->expected);
        break;
    case STEP_LOOK:
        ck_assert_msg(strcmp(model_state_name(monitor_state(monitor, at_ns)), step->expected) == 0,
                      "line %zu, at %lld ms: %s, expected %s", line, (long long)step->at_ms,
                      model_state_name(monitor_state(monitor, at_ns)), step->expected);
        break;
    case STEP_LIVE:
        monitor_request_live(monitor, true, at_ns);
        break;
    case STEP_ENDED:
        monitor_request_live(monitor, false, at_ns);
        break;
    case STEP_TRIGGERED:
        monitor_triggered_at(monitor, at_ns);
        break;
    }
}

#define STORY_TELL(monitor, steps)                                                                                     \
    do {                                                                                                               \
        for (size_t line_ = 0; line_ < sizeof(steps) / sizeof((steps)[0]); line_++)                                    \
            story_step(monitor, &(steps)[line_], line_);                                                               \
    } while (0)

/* A whole story of one monitor with the usual settings. */
#define STORY_TELL_USUAL(steps)                                                                                        \
    do {                                                                                                               \
        struct monitor_settings settings_ = story_settings();                                                          \
        struct monitor *monitor_ = story_monitor(&settings_);                                                          \
        STORY_TELL(monitor_, steps);                                                                                   \
        monitor_destroy(&monitor_);                                                                                    \
    } while (0)

#endif

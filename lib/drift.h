/* drift.h - watch a model's metrics inside your own program, as driftd would from outside.
 *
 * A monitor takes the metrics of each served batch, keeps a rolling window of each, compares it with your budgets, and
 * says when the model should be retrained: after so many failures in a row, and never again before a back-off has
 * passed. It starts no thread, reads no clock and does no I/O.
 *
 *     #include <drift.h>
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         static const struct drift_budget budgets[] = {
 *             {"accuracy", "mean", DRIFT_AT_LEAST, 0.80},
 *             {"latency_ms", "p95", DRIFT_AT_MOST, 400},
 *         };
 *         struct drift_settings settings = {.window = 4, .min_events = 1, .budgets = budgets, .budget_count = 2};
 *         struct drift_monitor *monitor;
 *         if (drift_monitor_new(&monitor, &settings) != 0)
 *             return 1;
 *         for (int second = 0; second < 4; second++) {
 *             struct drift_metric metrics[] = {{"accuracy", 0.50}, {"latency_ms", 250}};
 *             struct drift_verdict verdict;
 *             if (drift_monitor_add(monitor, second, 32, metrics, 2, &verdict) == 0 && verdict.trigger)
 *                 printf("retrain: %s, observed %g\n", verdict.trigger->rule, verdict.trigger->observed);
 *         }
 *         drift_monitor_destroy(&monitor);
 *         return 0;
 *     }
 *
 * prints once, at the third batch: "retrain: accuracy mean < 0.8, observed 0.5". Link with -ldrift.
 *
 * Threads: a monitor belongs to one thread at a time; two monitors share nothing. Memory: settings are copied; what is
 * returned by pointer is the monitor's. Failure: functions that return int return 0 or a negative errno.
 */
#ifndef DRIFT_H
#define DRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define DRIFT_API __attribute__((visibility("default")))

/* "major.minor.patch" */
DRIFT_API const char *drift_version(void);

enum drift_side { DRIFT_AT_LEAST, DRIFT_AT_MOST };

/* One limit on one statistic of one metric. `over`: last, mean, min, max, median, p90, p95, p99 or ewma. A metric's
 * name is [a-z][a-z0-9_.]{0,63}. */
struct drift_budget {
    const char *metric, *over;
    enum drift_side side;
    double limit;
};

/* 0 stands for the default. */
struct drift_settings {
    uint32_t window;                    /* values: 64 */
    uint64_t min_events;                /* values of a metric before it is judged: 16 */
    uint32_t consecutive_failures;      /* before a trigger: 3 */
    uint32_t recover_after;             /* healthy evaluations in a row: 32 */
    double backoff_s;                   /* between triggers: 1800; below 0: none */
    double stale_after_s;               /* silence that is reported: 600; below 0: never */
    const struct drift_budget *budgets; /* most important first */
    size_t budget_count;                /* at most 64 */
};

struct drift_metric {
    const char *name;
    double value;
};

/* Why the model should be retrained. */
struct drift_trigger {
    const char *rule;   /* "accuracy mean < 0.8" */
    const char *metric; /* the first violated one, in the order of the budgets */
    double observed, limit;
    double severity;        /* |observed - limit| / |limit|, the largest of all that are violated */
    uint32_t window;        /* values that were judged */
    uint32_t failures;      /* in a row */
    double failing_since_s; /* on the clock that the events came with */
};

struct drift_verdict {
    bool healthy, failing;               /* both false: nothing could be judged */
    bool recovered;                      /* the drift that had triggered is over */
    uint32_t failures;                   /* in a row, since the last trigger */
    const struct drift_trigger *trigger; /* NULL, or: retrain now; until the next drift_monitor_add() */
};

struct drift_monitor;

/* Returns 0, -EINVAL (a name, a statistic or a number that is none of the above) or -ENOMEM; *self_p is then NULL. */
DRIFT_API int drift_monitor_new(struct drift_monitor **self_p, const struct drift_settings *settings);

/* Takes the metrics of one batch of `n` predictions (the weight of its values, at least 1). `now_s`: seconds of a clock
 * that does not jump, of any origin within 100 years. Returns 0; -EINVAL: a name or `n` is wrong; -EDOM: a value or the
 * time is not finite or out of range; -E2BIG: more than 64 metrics; -ENOMEM. Nothing has been taken then, and *out is
 * all zero. */
DRIFT_API int drift_monitor_add(struct drift_monitor *self, double now_s, uint64_t n,
                                const struct drift_metric *metrics, size_t count, struct drift_verdict *out);

/* Says that a retraining has begun, or that it has ended: the back-off runs from its end. */
DRIFT_API void drift_monitor_retraining(struct drift_monitor *self, bool under_way, double now_s);

/* "warming", "healthy", "failing", "drifting", "retraining" or "stale". */
DRIFT_API const char *drift_monitor_state(const struct drift_monitor *self, double now_s);

/* One statistic over a metric's window; NAN where there is none: the metric was never seen, or nothing is called so. */
DRIFT_API double drift_monitor_get(const struct drift_monitor *self, const char *metric, const char *over);

/* Frees *self_p and sets it to NULL. *self_p may be NULL already. */
DRIFT_API void drift_monitor_destroy(struct drift_monitor **self_p);

#ifdef __cplusplus
}
#endif

#endif

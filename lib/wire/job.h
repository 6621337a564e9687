/* job.h - the job message: one attempt of a retraining request, as trainers pull it. docs/protocol.md has its shape.
 *
 * Threads: pure functions. Memory: what is returned is the caller's to free; what goes in is borrowed. Failure: NULL when
 * memory was short.
 */
#ifndef DRIFT_LIB_WIRE_JOB_H
#define DRIFT_LIB_WIRE_JOB_H

#include "lib/model_id.h"
#include "lib/wire/json_write.h"

/* Why retraining is asked for. Figures that are not known are NAN, times too. */
struct job_trigger {
    const char *rule;
    const char *metric; /* NULL or "": asked for by hand */
    double observed, limit, severity;
    uint32_t window, failures;
    double change_at_s, window_start_s, window_end_s; /* since the epoch */

    /* Of a drift rule; `detector` is NULL or "" for a window against a budget, and the rest is then not read. */
    const char *detector;
    double statistic, threshold;
    uint64_t n;                          /* values since the detector began */
    double size, size_lower, size_upper; /* how far the mean moved, in the metric's unit */
};

/* The trigger's JSON object, kept with the request. */
char *job_trigger_json(const struct job_trigger *trigger);

/* One attempt of the model's past. NAN: not known. */
struct job_previous {
    const char *request, *strategy, *outcome;
    double gain, gpu_hours;
};

struct job {
    const char *source; /* "driftd/<host>" */
    double time_s, created_s;
    const char *request;
    uint32_t attempt;
    struct model_id model;
    const char *strategy, *strategy_reason;
    const char *parameters_json; /* passed through as it stands */
    int64_t accept_within_ns, lease_ns;
    const char *trigger_json, *metrics_json; /* objects */
    const struct job_previous *previous;     /* oldest first */
    uint32_t previous_count;
};

char *job_text(const struct job *job);

#endif

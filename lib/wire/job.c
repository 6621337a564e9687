#include "lib/wire/job.h"

#include <math.h>
#include <stdio.h>

#include "lib/wire/cloud_event.h"

/* Members whose keys are literals. */
#define write_member(out, key, number) (json_write_name(out, key), json_write_measure(out, number))
#define write_time(out, key, seconds) (json_write_name(out, key), json_write_time(out, seconds))
#define write_string(out, key, string) (json_write_name(out, key), json_write_string(out, string))
#define write_integer(out, key, number) (json_write_name(out, key), json_write_integer(out, number))

/* The figures that the decision rests on. */
static void write_evidence(struct json_write *out, const struct job_trigger *trigger)
{
    bool by_rule = trigger->detector && *trigger->detector;
    if (by_rule)
        write_string(out, "detector", trigger->detector);
    write_member(out, "statistic", by_rule ? trigger->statistic : trigger->observed);
    write_member(out, "threshold", by_rule ? trigger->threshold : trigger->limit);
    write_integer(out, "n", by_rule ? (int64_t)trigger->n : (int64_t)trigger->window);
    write_member(out, "severity", trigger->severity);
    if (!by_rule)
        return;
    write_member(out, "size", trigger->size);
    write_member(out, "size_lower", trigger->size_lower);
    write_member(out, "size_upper", trigger->size_upper);
}

char *job_trigger_json(const struct job_trigger *trigger)
{
    struct json_write out = {.at = NULL};
    bool by_hand = !trigger->metric || !*trigger->metric;
    json_write_bracket(&out, '{');
    write_string(&out, "rule", trigger->rule);
    write_string(&out, "metric", by_hand ? NULL : trigger->metric);
    write_member(&out, "observed", trigger->observed);
    write_member(&out, "limit", trigger->limit);
    write_integer(&out, "window", trigger->window);
    write_integer(&out, "failures", trigger->failures);
    write_time(&out, "change_at", trigger->change_at_s);
    json_write_name(&out, "evidence");
    json_write_bracket(&out, '{');
    if (!by_hand)
        write_evidence(&out, trigger);
    json_write_bracket(&out, '}');
    write_time(&out, "window_start", trigger->window_start_s);
    write_time(&out, "window_end", trigger->window_end_s);
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

static void write_previous(struct json_write *out, const struct job *job)
{
    json_write_name(out, "previous");
    json_write_bracket(out, '[');
    for (uint32_t i = 0; i < job->previous_count; i++) {
        const struct job_previous *previous = &job->previous[i];
        json_write_bracket(out, '{');
        write_string(out, "request", previous->request);
        write_string(out, "strategy", previous->strategy);
        write_string(out, "outcome", previous->outcome);
        write_member(out, "gain", previous->gain);
        json_write_name(out, "gpu_hours");
        json_write_number(out, previous->gpu_hours);
        json_write_bracket(out, '}');
    }
    json_write_bracket(out, ']');
}

static void write_data(struct json_write *out, const struct job *job)
{
    json_write_bracket(out, '{');
    write_string(out, "request", job->request);
    write_integer(out, "attempt", job->attempt);
    cloud_event_model(out, &job->model);
    write_time(out, "created_at", job->created_s);
    write_string(out, "strategy", job->strategy);
    write_string(out, "strategy_reason", job->strategy_reason);
    json_write_name(out, "accept_within_s");
    json_write_number(out, (double)job->accept_within_ns / 1e9);
    json_write_name(out, "lease_s");
    json_write_number(out, (double)job->lease_ns / 1e9);
    json_write_name(out, "trigger");
    json_write_raw(out, text_of(job->trigger_json));
    json_write_name(out, "metrics");
    json_write_raw(out, text_of(job->metrics_json));
    write_previous(out, job);
    json_write_name(out, "parameters");
    json_write_raw(out, text_of(job->parameters_json));
    json_write_bracket(out, '}');
}

char *job_text(const struct job *job)
{
    char id[80], subject[MODEL_ID_MAX + 1];
    snprintf(id, sizeof id, "%s/%u", job->request, job->attempt);
    snprintf(subject, sizeof subject, "%.*s", (int)job->model.whole.len, job->model.whole.at);
    struct json_write out = {.at = NULL};
    cloud_event_open(&out, &(struct cloud_event_head){.type = "driftd.retraining.requested",
                                                      .source = job->source,
                                                      .id = id,
                                                      .subject = subject,
                                                      .time_s = job->time_s});
    write_data(&out, job);
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

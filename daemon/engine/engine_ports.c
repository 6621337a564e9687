#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/engine/inside.h"

/* --- called by shards, each in its own thread --- */

static int settings_for(void *argument, const struct model_id *model, const struct monitor_settings **out)
{
    struct engine *self = argument;
    const struct monitor_settings *settings = NULL;
    pthread_mutex_lock(&self->settings_mutex);
    int rc = config_settings_for(self->config, model, &settings);
    if (rc == 0)
        roll_add(&self->roll, model->whole, self->config->metrics.max_models);
    pthread_mutex_unlock(&self->settings_mutex);
    if (rc == 0)
        *out = settings ? settings : config_settings_default();
    return rc;
}

static void notice_drop(void *body)
{
    struct retrain_notice *notice = body;
    retrain_notice_destroy(&notice);
}

/* Shards start after the requests station and end before it. */
static void put_notice(void *argument, struct retrain_notice *notice)
{
    struct engine *self = argument;
    struct letter letter = {.kind = LETTER_NOTICE, .body = notice, .drop = notice_drop};
    if (inbox_put(requests_inbox(self->requests), letter) == 0)
        return;
    log_error("no memory to pass on what a model needs", LOG_TEXT("model", notice->model));
    notice_drop(notice);
}

/* --- called by shards and by the requests station --- */

static void put_tape(void *argument, struct tape *tape)
{
    struct engine *self = argument;
    tap_put(self->tap, tape);
}

static void put_event(void *argument, struct cloud_event *event)
{
    struct engine *self = argument;
    if (self->tap)
        tap_event(self->tap, event, clock_now().wall_s);
    observe_put(self->observe, event);
}

/* --- called by the requests station: during its start in the main thread, later in its own --- */

static void put_update(void *argument, struct retrain_update *update)
{
    struct engine *self = argument;
    atomic_fetch_add_explicit(&self->restored, 1, memory_order_relaxed);
    workers_update(self->workers, update);
}

static void put_silences(void *argument, const struct silences *silences)
{
    struct engine *self = argument;
    workers_silences(self->workers, silences);
}

/* --- called by the checkpoint station: in the main thread while nothing else runs, and in its own --- */

static int ask_slice(void *argument, struct slice *slice)
{
    struct engine *self = argument;
    return workers_slice(self->workers, slice);
}

static void fill_slice(void *argument, struct slice *slice)
{
    struct engine *self = argument;
    workers_slice_whole(self->workers, slice);
}

static int restore_model(void *argument, const void *bytes, size_t size, int64_t shift_ns, struct now now)
{
    struct engine *self = argument;
    return workers_restore(self->workers, bytes, size, shift_ns, now);
}

/* --- called by the control station --- */

typedef bool endpoint_at(void *station, uint32_t n, char out[ENDPOINT_MAX]);

static bool copy_if(const char *endpoint, char out[ENDPOINT_MAX])
{
    if (endpoint)
        snprintf(out, ENDPOINT_MAX, "%s", endpoint);
    return endpoint != NULL;
}

static bool metrics_at(void *station, uint32_t n, char out[ENDPOINT_MAX])
{
    return ingest_endpoint(station, n, out);
}

static bool events_at(void *station, uint32_t n, char out[ENDPOINT_MAX])
{
    return observe_endpoint(station, n, out);
}

static bool control_at(void *station, uint32_t n, char out[ENDPOINT_MAX])
{
    return copy_if(n < control_endpoint_count(station) ? control_endpoint(station, n) : NULL, out);
}

static bool jobs_at(void *station, uint32_t n, char out[ENDPOINT_MAX])
{
    return dispatch_jobs_endpoint(station, n, out);
}

static bool feedback_at(void *station, uint32_t n, char out[ENDPOINT_MAX])
{
    return dispatch_feedback_endpoint(station, n, out);
}

static bool http_at(void *station, uint32_t n, char out[ENDPOINT_MAX])
{
    return copy_if(station && n == 0 ? http_address(station) : NULL, out);
}

static bool record_at(void *station, uint32_t n, char out[ENDPOINT_MAX])
{
    return copy_if(station && n == 0 ? tap_endpoint(station) : NULL, out);
}

static json_t *list_endpoints(endpoint_at *at, void *station)
{
    json_t *list = json_array();
    char endpoint[ENDPOINT_MAX];
    for (uint32_t i = 0; at(station, i, endpoint); i++)
        json_array_append_new(list, json_string(endpoint));
    return list;
}

static json_t *recording(const struct engine *self)
{
    const struct tap *tap = self->tap;
    return json_pack("{s:b, s:I, s:I}", "on", tap && atomic_load(tap_session(tap)) != 0, "sent",
                     (json_int_t)(tap ? tap_sent(tap) : 0), "lost", (json_int_t)(tap ? tap_lost(tap) : 0));
}

static json_t *security_facts(const struct engine *self)
{
    if (!self->security)
        return json_pack("{s:s}", "curve", "off");
    struct security_counts counts = security_counts(self->security);
    return json_pack("{s:s, s:I, s:I, s:{s:I, s:I, s:I}}", "curve", "on", "clients",
                     (json_int_t)keyring_count(self->keyring), "accepted", (json_int_t)counts.accepted, "refused",
                     "unknown_key", (json_int_t)counts.unknown, "wrong_role", (json_int_t)counts.wrong_role, "malformed",
                     (json_int_t)counts.malformed);
}

static json_t *handshakes_facts(const struct engine *self)
{
    struct handshakes_counts counts = handshakes_counts(self->handshakes);
    return json_pack("{s:I, s:I, s:I}", "failed", (json_int_t)counts.failed, "broken_off", (json_int_t)counts.broken_off,
                     "reconnected", (json_int_t)counts.reconnected);
}

/* What the keeper of requests did not hear of, beside what it says itself. */
static json_t *feedback_facts(const struct engine *self, const json_t *status)
{
    const struct dispatch_counts counts = dispatch_counts(self->dispatch);
    json_t *feedback = json_deep_copy(json_object_get(status, "feedback"));
    if (!feedback)
        feedback = json_pack("{s:{}}", "refused");
    json_t *refused = json_object_get(feedback, "refused");
    const json_int_t heard = json_integer_value(json_object_get(refused, "unauthorized"));
    if (counts.unauthorized)
        json_object_set_new(refused, "unauthorized", json_integer(heard + (json_int_t)counts.unauthorized));
    json_object_set_new(feedback, "replies_lost", json_integer((json_int_t)counts.replies_lost));
    return feedback;
}

static json_t *own_endpoints(const struct engine *self, const char *project)
{
    char endpoint[ENDPOINT_MAX];
    json_t *jobs = json_array(), *events = json_array();
    for (uint32_t n = 0; dispatch_own_endpoint(self->dispatch, project, n, endpoint); n++)
        json_array_append_new(jobs, json_string(endpoint));
    for (uint32_t n = 0; observe_own_endpoint(self->observe, project, n, endpoint); n++)
        json_array_append_new(events, json_string(endpoint));
    return json_pack("{s:o, s:o}", "jobs", jobs, "events", events);
}

/* Of the projects that have endpoints of their own; nothing where none has. */
static void add_own(struct engine *self, json_t *endpoints)
{
    json_t *all = json_object();
    pthread_mutex_lock(&self->settings_mutex);
    for (uint32_t i = 0; i < self->config->projects.count; i++) {
        const char *project = self->config->projects.at[i].project;
        json_object_set_new(all, project, own_endpoints(self, project));
    }
    pthread_mutex_unlock(&self->settings_mutex);
    if (json_object_size(all) > 0)
        json_object_set(endpoints, "projects", all);
    json_decref(all);
}

static json_t *all_endpoints(const struct engine *self)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "metrics", list_endpoints(metrics_at, self->ingest), "jobs",
                     list_endpoints(jobs_at, self->dispatch), "feedback", list_endpoints(feedback_at, self->dispatch),
                     "events", list_endpoints(events_at, self->observe), "control",
                     list_endpoints(control_at, self->control), "http", list_endpoints(http_at, self->http), "record",
                     list_endpoints(record_at, self->tap));
}

static json_t *checkpoint_json(const struct engine *self)
{
    struct checkpoint_figures last;
    char at[CLOCK_TEXT_MAX] = "";
    checkpoint_last(self->checkpoint, &last);
    if (last.at_s > 0)
        clock_text(last.at_s, at);
    return json_pack("{s:s?, s:I, s:I, s:f, s:I, s:s?, s:I}", "at", last.at_s > 0 ? at : NULL, "models",
                     (json_int_t)last.models, "bytes", (json_int_t)last.bytes, "seconds", last.seconds, "failed",
                     (json_int_t)last.failed, "error", *last.error ? last.error : NULL, "restored",
                     (json_int_t)self->back.models);
}

/* What it reads does not change while the daemon runs, is atomic, or has a mutex. */
static void add_facts(void *argument, json_t *status)
{
    struct engine *self = argument;
    struct now now = clock_now();
    json_object_set_new(status, "version", json_string(DRIFT_VERSION));
    json_object_set_new(status, "up_s", json_real((double)(now.steady_ns - self->started.steady_ns) / 1e9));
    json_object_set_new(status, "source", json_string(self->source));
    json_object_set_new(status, "config", json_string(self->files.file));
    json_object_set_new(status, "workers", json_integer(workers_judging(self->workers)));
    json_object_set_new(status, "received", json_integer((json_int_t)ingest_messages(self->ingest)));
    json_object_set_new(status, "connections", json_integer(ingest_connections(self->ingest)));
    json_object_set_new(status, "connections_ended", json_integer((json_int_t)ingest_connections_ended(self->ingest)));
    json_object_set_new(status, "feedback", feedback_facts(self, status));
    json_object_set_new(status, "observers",
                        json_pack("{s:I, s:I, s:I}", "sent", (json_int_t)observe_sent(self->observe), "dropped",
                                  (json_int_t)observe_dropped(self->observe), "behind",
                                  (json_int_t)observe_behind(self->observe)));
    json_object_set_new(status, "recording", recording(self));
    json_object_set_new(status, "memory", engine_memory_facts(self));
    json_object_set_new(status, "log_lost", json_integer((json_int_t)log_lost()));
    if (self->http)
        json_object_set_new(status, "http", http_facts(self->http));
    json_t *endpoints = all_endpoints(self);
    add_own(self, endpoints);
    json_object_set_new(status, "endpoints", endpoints);
    json_object_set_new(status, "security", security_facts(self));
    json_object_set_new(status, "handshakes", handshakes_facts(self));
    json_object_set_new(status, "checkpoint", checkpoint_json(self));
    json_object_set_new(status, "reload", engine_reload_status(self));
}

struct shard_ports engine_shard_ports(struct engine *self)
{
    return (struct shard_ports){.argument = self,
                                .settings = settings_for,
                                .notice = put_notice,
                                .event = put_event,
                                .tape = put_tape,
                                .tape_session = self->tap ? tap_session(self->tap) : NULL,
                                .source = self->source};
}

struct requests_ports engine_requests_ports(struct engine *self)
{
    return (struct requests_ports){.job = dispatch_port(self->dispatch),
                                   .update = put_update,
                                   .silences = put_silences,
                                   .event = put_event,
                                   .argument = self,
                                   .engine = self->inbox};
}

struct checkpoint_ports engine_checkpoint_ports(struct engine *self)
{
    return (struct checkpoint_ports){.argument = self,
                                     .ask = ask_slice,
                                     .fill = fill_slice,
                                     .restore = restore_model,
                                     .event = put_event,
                                     .source = self->source};
}

struct control_ports engine_control_ports(struct engine *self)
{
    struct control_ports ports = {.shard_count = workers_shards(self->workers),
                                  .requests = requests_inbox(self->requests),
                                  .checkpoint = checkpoint_inbox(self->checkpoint),
                                  .engine = self->inbox,
                                  .facts = add_facts,
                                  .answer = engine_answer,
                                  .argument = self};
    for (uint32_t i = 0; i < ports.shard_count; i++)
        ports.shards[i] = workers_inbox(self->workers, i);
    return ports;
}

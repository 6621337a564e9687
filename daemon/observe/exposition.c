#include "daemon/observe/exposition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/monitor/monitor.h"
#include "lib/retrain/request.h"
#include "lib/wire/metric_message.h"

struct page {
    FILE *out;
    bool open_metrics;
    char sample[96];
};

enum kind { COUNTER, GAUGE };

/* In text 0.0.4 the head carries the name of the samples, _total included; in OpenMetrics the family's own. */
static void family(struct page *page, enum kind kind, const char *name, const char *help)
{
    snprintf(page->sample, sizeof page->sample, "%s%s", name, kind == COUNTER ? "_total" : "");
    const char *head = page->open_metrics ? name : page->sample;
    fprintf(page->out, "# HELP %s %s\n# TYPE %s %s\n", head, help, head, kind == COUNTER ? "counter" : "gauge");
}

static void label_text(struct page *page, const char *text)
{
    for (const char *c = text; *c; c++) {
        if (*c == '\\' || *c == '"')
            fputc('\\', page->out);
        if (*c == '\n')
            fputs("\\n", page->out);
        else
            fputc(*c, page->out);
    }
}

/* Up to three labels; an absent one has the name NULL. */
struct label {
    const char *name, *value;
};

static void sample(struct page *page, const struct label *labels, size_t count, double value)
{
    fputs(page->sample, page->out);
    for (size_t i = 0; i < count; i++) {
        fprintf(page->out, "%s%s=\"", i ? "," : "{", labels[i].name);
        label_text(page, labels[i].value);
        fputc('"', page->out);
    }
    if (count)
        fputc('}', page->out);
    if (isnan(value))
        fputs(" NaN\n", page->out);
    else if (value == floor(value) && fabs(value) < 9007199254740992.0)
        fprintf(page->out, " %.0f\n", value);
    else
        fprintf(page->out, " %.17g\n", value);
}

#define LABELS(...)                                                                                                    \
    (const struct label[])                                                                                             \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static void plain(struct page *page, enum kind kind, const char *name, const char *help, double value)
{
    family(page, kind, name, help);
    sample(page, NULL, 0, value);
}

static double number(const json_t *object, const char *member)
{
    return json_number_value(json_object_get(object, member));
}

static double truth(const json_t *object, const char *member)
{
    return json_is_true(json_object_get(object, member)) ? 1 : 0;
}

static const char *string(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

/* --- the line --- */

static void write_line(struct page *page, const json_t *status)
{
    family(page, GAUGE, "driftd_build_info", "The version that runs; always 1.");
    sample(page, LABELS({"version", string(status, "version")}), 1, 1);
    plain(page, GAUGE, "driftd_up_seconds", "Seconds since the start.", number(status, "up_s"));
    plain(page, GAUGE, "driftd_worker_threads", "Threads that judge models; 0: the receiving thread does it.",
          number(status, "workers"));
    plain(page, COUNTER, "driftd_messages_received", "Messages that arrived on the metrics socket.",
          number(status, "received"));
    plain(page, GAUGE, "driftd_connections", "Connections of nodes, but for those that libzmq reads.", number(status, "connections"));
    plain(page, COUNTER, "driftd_connections_ended", "Of these, ended by the daemon for what they sent or did not.",
          number(status, "connections_ended"));
    plain(page, COUNTER, "driftd_events", "Metric events that were taken.", number(status, "events"));
    plain(page, COUNTER, "driftd_beacons", "Beacons of nodes that were taken.", number(status, "beacons"));
    plain(page, COUNTER, "driftd_ignored_members",
          "Text and boolean members under unknown names, which are passed over.", number(status, "ignored"));
    plain(page, COUNTER, "driftd_no_memory", "Events, models and reports left out for want of memory.",
          number(status, "no_memory"));
    const json_t *memory = json_object_get(status, "memory");
    plain(page, GAUGE, "driftd_memory_ceiling_bytes", "Memory that the process is kept to.", number(memory, "ceiling"));
    plain(page, GAUGE, "driftd_memory_in_use_bytes", "Memory that the process holds, measured once a second.",
          number(memory, "in_use"));
    plain(page, GAUGE, "driftd_memory_models_most_bytes", "Memory that models may take.", number(memory, "models_most"));
    plain(page, GAUGE, "driftd_memory_models_bytes", "Memory that was granted to models.", number(memory, "models"));
    plain(page, COUNTER, "driftd_memory_refused",
          "Models, metrics and the like that were not made because memory was at its ceiling.",
          number(memory, "refused"));
    const json_t *large = json_object_get(memory, "large_pages");
    plain(page, GAUGE, "driftd_memory_large_pages_bytes", "Memory in large pages, as last looked at.",
          number(large, "bytes"));
    plain(page, COUNTER, "driftd_memory_large_pages_failed",
          "Pieces of 2 MiB that the kernel could not put into a large page.", number(large, "failed"));
    family(page, COUNTER, "driftd_dropped", "Events and messages dropped at the door, by reason.");
    for (int i = 0; i < DROP_REASONS; i++) {
        const char *reason = metric_drop_name((enum metric_drop)i);
        sample(page, LABELS({"reason", reason}), 1, number(json_object_get(status, "dropped"), reason));
    }
}

struct node_figure {
    const char *name, *member, *help;
};

static void write_nodes(struct page *page, const json_t *status)
{
    static const struct node_figure figures[] = {
        {"driftd_lost", "lost", "Messages that a node sent and that never arrived, by its sequence numbers."},
        {"driftd_node_messages", "messages", "Numbered messages that arrived from a node."},
        {"driftd_before_joining", "before_joining", "Messages that a node sent before the daemon first heard of it."},
        {"driftd_while_down", "while_down",
         "Messages that a node sent while the daemon was stopped and that never arrived, by its sequence numbers."},
        {"driftd_repeated", "repeated", "Messages of a node whose number had come before."},
        {"driftd_node_restarts", "restarts", "Times that a node's publisher began anew, by its boot or by numbers that go back."}};
    const json_t *nodes = json_object_get(status, "nodes");
    size_t count = json_array_size(nodes), shown = count < EXPOSITION_NODES_MAX ? count : EXPOSITION_NODES_MAX;
    const json_t *others = json_object_get(status, "other_nodes");
    plain(page, GAUGE, "driftd_nodes", "Nodes that number their messages.", number(status, "node_count"));
    for (size_t f = 0; f < sizeof figures / sizeof *figures; f++) {
        double rest = number(others, figures[f].member);
        family(page, COUNTER, figures[f].name, figures[f].help);
        for (size_t i = 0; i < count; i++) {
            const json_t *node = json_array_get(nodes, i);
            double value = number(node, figures[f].member);
            if (i < shown)
                sample(page, LABELS({"node", string(node, "node")}), 1, value);
            else
                rest += value;
        }
        if (others || count > shown)
            sample(page, LABELS({"node", "(others)"}), 1, rest);
    }
    plain(page, COUNTER, "driftd_streams_not_followed",
          "Messages of streams beyond those that are followed for losses.", number(status, "streams_not_followed"));
}

/* --- models --- */

static void write_states(struct page *page, const json_t *status)
{
    family(page, GAUGE, "driftd_models", "Models by state.");
    for (int i = 0; i < MODEL_STATES; i++) {
        const char *state = model_state_name((enum model_state)i);
        sample(page, LABELS({"state", state}), 1, number(json_object_get(status, "models"), state));
    }
}

static void write_model_states(struct page *page, const json_t *list)
{
    size_t i;
    json_t *model;
    family(page, GAUGE, "driftd_model_state", "1 for the state that the model is in.");
    json_array_foreach(list, i, model)
    {
        for (int s = 0; s < MODEL_STATES; s++) {
            const char *state = model_state_name((enum model_state)s);
            sample(page, LABELS({"model", string(model, "model")}, {"state", state}), 2,
                   strcmp(state, string(model, "state")) == 0);
        }
    }
}

static void write_model_figures(struct page *page, const json_t *list)
{
    static const struct {
        enum kind kind;
        const char *name, *member, *help;
    } figures[] = {
        {COUNTER, "driftd_model_events", "events_since_start", "Events of the model since the start."},
        {GAUGE, "driftd_model_failures", "failures", "Evaluations in a row that failed."},
        {GAUGE, "driftd_model_episode", "episode", "The model's latest episode; 0: none yet."},
        {GAUGE, "driftd_model_silent_seconds", "last_event_s", "Seconds since the model's last event."},
        {GAUGE, "driftd_model_backoff_left_seconds", "backoff_left_s", "Seconds in which nothing more is asked for."}};
    size_t i;
    json_t *model;
    for (size_t f = 0; f < sizeof figures / sizeof *figures; f++) {
        family(page, figures[f].kind, figures[f].name, figures[f].help);
        json_array_foreach(list, i, model)
        {
            json_t *value = json_object_get(model, figures[f].member);
            sample(page, LABELS({"model", string(model, "model")}), 1,
                   json_is_number(value) ? json_number_value(value) : (double)NAN);
        }
    }
}

enum kpi_figure { KPI_OBSERVED, KPI_MIN, KPI_MAX, KPI_VIOLATED };

static void write_kpis(struct page *page, const json_t *list, enum kpi_figure figure)
{
    static const char *const members[] = {"observed", "min", "max", "violated"};
    size_t i, k;
    json_t *model, *kpi;
    json_array_foreach(list, i, model)
    {
        json_array_foreach(json_object_get(model, "kpis"), k, kpi)
        {
            json_t *value = json_object_get(kpi, members[figure]);
            const struct label labels[] = {
                {"model", string(model, "model")}, {"kpi", string(kpi, "name")}, {"over", string(kpi, "over")}};
            if (figure == KPI_VIOLATED)
                sample(page, labels, 2, json_is_true(value));
            else if (json_is_number(value))
                sample(page, labels, figure == KPI_OBSERVED ? 3 : 2, json_number_value(value));
        }
    }
}

static void write_models(struct page *page, const json_t *status, const json_t *models)
{
    json_t *list = json_object_get(models, "models"), *model;
    const char *state;
    double all = 0, labelled_events = 0;
    size_t i;
    json_object_foreach(json_object_get(status, "models"), state, model)
    {
        all += json_number_value(model);
    }
    json_array_foreach(list, i, model)
    {
        labelled_events += number(model, "events_since_start");
    }
    write_states(page, status);
    write_model_states(page, list);
    write_model_figures(page, list);
    family(page, GAUGE, "driftd_model_kpi", "What is judged: the KPI's statistic over the model's window.");
    write_kpis(page, list, KPI_OBSERVED);
    family(page, GAUGE, "driftd_model_kpi_min", "The least that the budget allows.");
    write_kpis(page, list, KPI_MIN);
    family(page, GAUGE, "driftd_model_kpi_max", "The most that the budget allows.");
    write_kpis(page, list, KPI_MAX);
    family(page, GAUGE, "driftd_model_kpi_violated", "1 while the KPI is outside its budget.");
    write_kpis(page, list, KPI_VIOLATED);
    plain(page, GAUGE, "driftd_unlabelled_models",
          "Models without series of their own: the configuration does not call them by their name.",
          all - (double)json_array_size(list));
    plain(page, COUNTER, "driftd_unlabelled_events", "Events of the models without series of their own.",
          fmax(0, number(status, "events") - labelled_events));
}

/* --- requests, configuration, and what may have to be looked after --- */

/* Of projects that have trainers of their own; no such family where none has. */
static void write_project_requests(struct page *page, const json_t *projects)
{
    static const char *const reasons[] = {"retry", "limit", "trainer"};
    const char *project;
    const json_t *queue;
    if (json_object_size(projects) == 0)
        return;
    family(page, GAUGE, "driftd_project_requests_waiting",
           "Pending requests of a project with trainers of its own, by what they wait for.");
    json_object_foreach ((json_t *)(uintptr_t)projects, project, queue) {
        for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
            sample(page, LABELS({"project", project}, {"for", reasons[i]}), 2, number(queue, reasons[i]));
    }
    family(page, GAUGE, "driftd_project_trainer_wait_seconds",
           "How long the request waits that waits longest for a trainer of its project's own.");
    json_object_foreach ((json_t *)(uintptr_t)projects, project, queue) {
        sample(page, LABELS({"project", project}), 1, number(queue, "trainer_wait_s"));
    }
}

static void write_feedback(struct page *page, const json_t *feedback)
{
    static const char *const errors[] = {"bad_message",   "not_accepted", "unauthorized", "unknown_request",
                                         "stale_attempt", "ended",        "unavailable"};
    const json_t *refused = json_object_get(feedback, "refused");
    plain(page, COUNTER, "driftd_feedback_messages", "Messages of trainers.", number(feedback, "messages"));
    family(page, COUNTER, "driftd_feedback_refused", "Messages of trainers that were refused, by the error of the reply.");
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        sample(page, LABELS({"error", errors[i]}), 1, number(refused, errors[i]));
    plain(page, COUNTER, "driftd_feedback_replies_lost", "Replies to trainers that had gone, or that read nothing.",
          number(feedback, "replies_lost"));
}

static void write_requests(struct page *page, const json_t *status)
{
    static const char *const reasons[] = {"retry", "limit", "trainer"};
    const json_t *queue = json_object_get(status, "queue");
    family(page, GAUGE, "driftd_requests", "Retraining requests in the store, by state.");
    for (int i = 0; i < REQUEST_STATES; i++) {
        const char *state = request_state_name((enum request_state)i);
        sample(page, LABELS({"state", state}), 1, number(json_object_get(status, "requests"), state));
    }
    family(page, GAUGE, "driftd_requests_waiting", "Pending requests, by what they wait for.");
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        sample(page, LABELS({"for", reasons[i]}), 1, number(queue, reasons[i]));
    plain(page, GAUGE, "driftd_trainer_wait_seconds",
          "How long the request that waits longest for a trainer has waited; 0: none does.",
          number(queue, "trainer_wait_s"));
    write_project_requests(page, json_object_get(queue, "projects"));
}

static void write_checkpoint(struct page *page, const json_t *checkpoint)
{
    static const struct {
        enum kind kind;
        const char *name, *member, *help;
    } figures[] = {{GAUGE, "driftd_checkpoint_models", "models", "Models in the last checkpoint."},
                   {GAUGE, "driftd_checkpoint_bytes", "bytes", "Bytes of the last checkpoint."},
                   {GAUGE, "driftd_checkpoint_duration_seconds", "seconds", "How long the last checkpoint took."},
                   {GAUGE, "driftd_restored_models", "restored", "Models that went on at the start as they had stood."},
                   {COUNTER, "driftd_checkpoint_failures", "failed", "Checkpoints that could not be written."}};
    if (!checkpoint)
        return;
    plain(page, GAUGE, "driftd_checkpoint_ok", "1 when the last checkpoint of the monitors was written.",
          !json_is_string(json_object_get(checkpoint, "error")));
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        const json_t *value = json_object_get(checkpoint, figures[i].member);
        if (json_is_number(value))
            plain(page, figures[i].kind, figures[i].name, figures[i].help, json_number_value(value));
    }
}

static void write_house(struct page *page, const json_t *status)
{
    const json_t *observers = json_object_get(status, "observers"), *http = json_object_get(status, "http");
    const json_t *reload = json_object_get(status, "reload");
    plain(page, GAUGE, "driftd_config_reload_ok",
          "1 when the last reload of the configuration took, or there was none.", truth(reload, "ok"));
    plain(page, GAUGE, "driftd_store_full", "1 while the store cannot be written, mostly since the disk is full.",
          truth(status, "store_full"));
    plain(page, GAUGE, "driftd_incomplete",
          "Stations that did not answer when these figures were asked for; what they know is missing here.",
          (double)json_array_size(json_object_get(status, "incomplete")));
    write_checkpoint(page, json_object_get(status, "checkpoint"));
    plain(page, COUNTER, "driftd_observer_events", "Events published on the events socket.", number(observers, "sent"));
    plain(page, COUNTER, "driftd_observer_events_dropped", "Events that could not be published.",
          number(observers, "dropped"));
    plain(page, COUNTER, "driftd_observer_behind",
          "Times that an observer had no room left for an event; it misses those until it has read half of what waits.",
          number(observers, "behind"));
    plain(page, COUNTER, "driftd_handshakes_failed",
          "Peers that libzmq turned away, but for keys that were refused; the log says why.",
          number(json_object_get(status, "handshakes"), "failed"));
    plain(page, COUNTER, "driftd_handshakes_broken_off",
          "Peers that ended a handshake of libzmq's or did not finish it: probes, and sockets of another type.",
          number(json_object_get(status, "handshakes"), "broken_off"));
    plain(page, COUNTER, "driftd_publishers_reconnected",
          "Times that a publisher of metrics.connect had broken the protocol and was connected to again.",
          number(json_object_get(status, "handshakes"), "reconnected"));
    plain(page, COUNTER, "driftd_log_lost", "Lines of the log that could not be written.", number(status, "log_lost"));
    plain(page, COUNTER, "driftd_http_requests", "Requests answered over HTTP.", number(http, "requests"));
    plain(page, COUNTER, "driftd_http_refused", "Requests refused over HTTP: wrong host, method or path, or too many.",
          number(http, "refused"));
}

char *exposition_text(const json_t *status, const json_t *models, bool open_metrics)
{
    char *text = NULL;
    size_t size = 0;
    struct page page = {.out = open_memstream(&text, &size), .open_metrics = open_metrics};
    if (!page.out)
        return NULL;
    write_line(&page, status);
    write_nodes(&page, status);
    write_models(&page, status, models);
    write_requests(&page, status);
    write_feedback(&page, json_object_get(status, "feedback"));
    write_house(&page, status);
    if (open_metrics)
        fputs("# EOF\n", page.out);
    if (fclose(page.out) == 0)
        return text;
    free(text);
    return NULL;
}

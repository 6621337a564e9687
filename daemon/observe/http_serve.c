/* What is under which address, and how it is sent. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/clock.h"
#include "daemon/observe/exposition.h"
#include "daemon/observe/http_inside.h"
#include "daemon/observe/http_listen.h"
#include "daemon/observe/http_send.h"
#include "daemon/observe/page.h"
#include "lib/siphash.h"

#define JSON_TYPE "application/json"
#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define OPEN_METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* One request on its way. */
struct serving {
    struct http *http;
    struct http_exchange *exchange;
    struct MHD_Connection *connection;
    const char *rest; /* of the address, behind the route's own */
    bool one_model;   /* the reply is a model */
    enum MHD_Result result;
};

/* --- asking --- */

/* Takes `ask` over. NULL: the request waits, or was refused; its result is set. */
static const struct answer *ask_for(struct serving *serving, json_t *ask)
{
    struct http *self = serving->http;
    const struct answer *answer = NULL;
    char *text = json_dumps(ask, JSON_COMPACT);
    json_decref(ask);
    enum answers_state state = ANSWERS_BUSY;
    if (text && !self->stopping)
        state = answers_get(self->answers, text, serving->exchange->since_ns, self->now_ns, &answer);
    free(text);
    if (state == ANSWERS_READY && answer_body(answer))
        return answer;
    if (state == ANSWERS_WAIT) {
        http_wait(self, serving->exchange);
        serving->result = MHD_YES;
    } else {
        serving->result =
            http_refuse(self, serving->connection, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
                        self->stopping ? "the daemon is stopping" : "too many questions are under way; ask again");
    }
    return NULL;
}

/* A refusal of the control station begins with its "ok": so much of a reply need not be read for all the others. */
static unsigned status_of(const struct body *body)
{
    static const char refused[] = "{\"ok\":false";
    static const struct {
        const char *code;
        unsigned status;
    } known[] = {{"unknown_model", MHD_HTTP_NOT_FOUND},
                 {"unknown_request", MHD_HTTP_NOT_FOUND},
                 {"bad_message", MHD_HTTP_BAD_REQUEST},
                 {"not_built", MHD_HTTP_NOT_IMPLEMENTED},
                 {"unknown_command", MHD_HTTP_NOT_IMPLEMENTED}};
    if (strncmp(body->text, refused, sizeof refused - 1) != 0)
        return MHD_HTTP_OK;
    json_t *json = json_loads(body->text, 0, NULL);
    const char *code = json_string_value(json_object_get(json, "error"));
    unsigned status = MHD_HTTP_SERVICE_UNAVAILABLE;
    for (size_t i = 0; code && i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].code, code) == 0)
            status = known[i].status;
    }
    json_decref(json);
    return status;
}

/* Who is looked at gets a history. */
static void note_model(struct http *self, const struct body *body)
{
    json_t *model = json_loads(body->text, 0, NULL);
    history_add(self->history, model, self->now_ns, self->wall_s);
    json_decref(model);
}

/* What the control station said, as it stands. */
static void send_body(struct serving *serving, const struct body *body)
{
    unsigned status = status_of(body);
    if (status != MHD_HTTP_OK)
        http_count(&serving->http->refused);
    else if (serving->one_model)
        note_model(serving->http, body);
    body_hold((struct body *)(uintptr_t)body);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        body->len, body->text, body_release, (void *)(uintptr_t)body);
    if (!response)
        body_release((void *)(uintptr_t)body);
    serving->result = status == MHD_HTTP_OK ? http_send_tagged(serving->connection, body->tag, response, JSON_TYPE)
                                            : http_queue(serving->connection, status, response, JSON_TYPE);
}

static void send_reply(struct serving *serving, json_t *ask)
{
    const struct answer *answer = ask_for(serving, ask);
    if (answer)
        send_body(serving, answer_body(answer));
}

/* An answer to make something else of. NULL: it is not there yet, or was refused, and that was sent. */
static json_t *read_reply(struct serving *serving, json_t *ask)
{
    const struct answer *answer = ask_for(serving, ask);
    if (!answer)
        return NULL;
    const struct body *body = answer_body(answer);
    if (status_of(body) == MHD_HTTP_OK)
        return json_loads(body->text, 0, NULL);
    send_body(serving, body);
    return NULL;
}

/* --- parameters --- */

static const char *parameter(const struct serving *serving, const char *name)
{
    return MHD_lookup_connection_value(serving->connection, MHD_GET_ARGUMENT_KIND, name);
}

static void put_text(const struct serving *serving, json_t *ask, const char *parameter_name, const char *member)
{
    const char *value = parameter(serving, parameter_name);
    json_t *text = value && *value ? json_string(value) : NULL;
    if (text)
        json_object_set_new(ask, member, text);
    else if (value && *value) /* no UTF-8: no string either, which is refused */
        json_object_set_new(ask, member, json_false());
}

/* What is no whole number goes on as -1, which nobody takes: the refusal says what is allowed. */
static void put_number(const struct serving *serving, json_t *ask, const char *parameter_name, const char *member)
{
    const char *value = parameter(serving, parameter_name);
    char *end;
    if (!value)
        return;
    long long read = strtoll(value, &end, 10);
    json_object_set_new(ask, member, json_integer(*value && !*end ? (json_int_t)read : -1));
}

/* --- routes --- */

static void serve_status(struct serving *serving)
{
    send_reply(serving, json_pack("{s:s}", "do", "status"));
}

static void serve_rejects(struct serving *serving)
{
    send_reply(serving, json_pack("{s:s}", "do", "rejects"));
}

static void serve_models(struct serving *serving)
{
    json_t *ask = json_pack("{s:s, s:s}", "do", "models", "sort", "name");
    put_text(serving, ask, "sort", "sort");
    put_text(serving, ask, "pattern", "pattern");
    put_text(serving, ask, "state", "state");
    put_text(serving, ask, "contains", "contains");
    put_text(serving, ask, "after", "after");
    put_number(serving, ask, "offset", "offset");
    put_number(serving, ask, "limit", "limit");
    send_reply(serving, ask);
}

/* An address that is no UTF-8 names nothing. */
static void serve_one(struct serving *serving, const char *command, const char *member)
{
    json_t *name = json_string(serving->rest);
    send_reply(serving, json_pack("{s:s, s:o}", "do", command, member, name ? name : json_string("")));
}

static void serve_model(struct serving *serving)
{
    serving->one_model = true;
    serve_one(serving, "model", "model");
}

static void serve_history(struct serving *serving)
{
    char *text = history_text(serving->http->history, serving->rest);
    if (!text) /* nothing was noted yet: it begins with the next look at the model */
        text = strdup("{\"ok\":true,\"every_s\":10,\"kpis\":[],\"samples\":[]}");
    serving->result = http_send_text(serving->connection, MHD_HTTP_OK, text, JSON_TYPE);
}

static void serve_explain(struct serving *serving)
{
    serve_one(serving, "explain", "model");
}

static void serve_requests(struct serving *serving)
{
    json_t *ask = json_pack("{s:s}", "do", "requests");
    put_text(serving, ask, "state", "state");
    put_number(serving, ask, "most", "most");
    put_number(serving, ask, "limit", "most");
    send_reply(serving, ask);
}

static void serve_request(struct serving *serving)
{
    serve_one(serving, "request", "request");
}

static void serve_metrics(struct serving *serving)
{
    const char *accept = MHD_lookup_connection_value(serving->connection, MHD_HEADER_KIND, "Accept");
    bool open_metrics = accept && strstr(accept, "application/openmetrics-text");
    /* Of what was refused no figures are made: counters that are 0 for once would be taken for a restart. */
    json_t *status = read_reply(serving, json_pack("{s:s}", "do", "status"));
    json_t *models = status ? read_reply(serving, json_pack("{s:s, s:b, s:s, s:i}", "do", "models", "named", 1, "sort",
                                                            "name", "limit", EXPOSITION_MODELS_MAX))
                            : NULL;
    if (models)
        serving->result =
            http_send_text(serving->connection, MHD_HTTP_OK, exposition_text(status, models, open_metrics),
                           open_metrics ? OPEN_METRICS_TYPE : TEXT_TYPE);
    json_decref(status);
    json_decref(models);
}

static void serve_health(struct serving *serving)
{
    serving->result = http_send_text(serving->connection, MHD_HTTP_OK, strdup("ok\n"), "text/plain; charset=utf-8");
}

/* Ready: it takes events, and what follows from them is kept. What is wrong beside that is told, and is no reason. */
static void serve_ready(struct serving *serving)
{
    size_t i;
    json_t *who;
    const struct answer *answer = ask_for(serving, json_pack("{s:s}", "do", "status"));
    if (!answer)
        return;
    json_t *status = json_loads(answer_body(answer)->text, 0, NULL), *reasons = json_array(), *warnings = json_array();
    if (!status || json_is_false(json_object_get(status, "ok")))
        json_array_append_new(reasons, json_string("the stations of the daemon do not answer in time"));
    json_array_foreach(json_object_get(status, "incomplete"), i, who)
    {
        char sentence[96];
        snprintf(sentence, sizeof sentence, "%.32s does not answer in time", json_string_value(who));
        json_array_append_new(reasons, json_string(sentence));
    }
    if (json_is_true(json_object_get(status, "store_full")))
        json_array_append_new(reasons, json_string("the store cannot be written, mostly since its disk is full: no "
                                                   "retraining is asked for until there is room"));
    if (json_is_false(json_object_get(json_object_get(status, "reload"), "ok")))
        json_array_append_new(warnings, json_string("the last reload failed: the configuration before it is in force"));
    if (json_is_string(json_object_get(json_object_get(status, "checkpoint"), "error")))
        json_array_append_new(warnings,
                              json_string("the monitors cannot be written down: after a restart they would go "
                                          "on from an older state"));
    bool ready = json_array_size(reasons) == 0;
    json_t *json = json_pack("{s:b, s:b, s:o, s:o}", "ok", (int)ready, "ready", (int)ready, "reasons", reasons,
                             "warnings", warnings);
    serving->result = http_send_text(serving->connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                                     json_dumps(json, JSON_COMPACT), JSON_TYPE);
    json_decref(json);
    json_decref(status);
}

static const struct route {
    const char *path; /* ends with '/': and what follows it */
    void (*serve)(struct serving *serving);
} routes[] = {
    {"/metrics", serve_metrics},          {"/healthz", serve_health},          {"/readyz", serve_ready},
    {"/api/v1/status", serve_status},     {"/api/v1/models", serve_models},    {"/api/v1/models/", serve_model},
    {"/api/v1/explain/", serve_explain},  {"/api/v1/history/", serve_history}, {"/api/v1/requests", serve_requests},
    {"/api/v1/requests/", serve_request}, {"/api/v1/rejects", serve_rejects}};

static const struct route *route_of(const char *url, const char **rest_p)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        size_t len = strlen(routes[i].path);
        bool open = routes[i].path[len - 1] == '/';
        if (open ? strncmp(url, routes[i].path, len) == 0 && url[len] : strcmp(url, routes[i].path) == 0) {
            *rest_p = url + len;
            return &routes[i];
        }
    }
    return NULL;
}

static enum MHD_Result send_file(struct MHD_Connection *connection, const struct page_file *file)
{
    size_t len = (size_t)(file->end - file->at);
    struct siphash_key key = {0, 0};
    return http_send_tagged(connection, siphash13(&key, file->at, len),
                            MHD_create_response_from_buffer(len, (void *)(uintptr_t)file->at, MHD_RESPMEM_PERSISTENT),
                            file->type);
}

/* Two names for one request: a proxy may have gone by the one, and the check by the other. */
static enum MHD_Result count_host(void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
    unsigned *count = argument;
    (void)kind;
    (void)value;
    *count += strcasecmp(name, "Host") == 0;
    return MHD_YES;
}

/* Takes the host off an address as a proxy is asked for it, `http://host/path`: it counts instead of the header (RFC
 * 9112, 3.2.2). False: the address names one that nobody has. */
static bool take_host(const char **url, const char **host, char room[HTTP_NAME_MAX + 8])
{
    static const char scheme[] = "http://";
    if (strncasecmp(*url, scheme, sizeof scheme - 1) != 0)
        return true;
    const char *at = *url + sizeof scheme - 1;
    size_t len = strcspn(at, "/");
    if (len >= HTTP_NAME_MAX + 8 || memchr(at, '@', len))
        return false;
    memcpy(room, at, len);
    room[len] = '\0';
    *host = room;
    *url = at[len] ? at + len : "/";
    return true;
}

static enum MHD_Result answer_request(struct http *self, struct http_exchange *exchange, const char *url,
                                      const char *version)
{
    struct serving serving = {.http = self, .exchange = exchange, .connection = exchange->connection, .result = MHD_NO};
    const char *host = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Host");
    char room[HTTP_NAME_MAX + 8];
    unsigned hosts = 0;
    MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, count_host, &hosts);
    if (hosts > 1 || (hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_0) != 0))
        return http_refuse(self, exchange->connection, MHD_HTTP_BAD_REQUEST, "bad_request", "a request names one Host");
    if (!take_host(&url, &host, room) || !http_host_allowed(self, host))
        return http_refuse(self, exchange->connection, MHD_HTTP_MISDIRECTED_REQUEST, "unknown_host",
                           "the daemon does not answer under this host name; if it should, add it to http.hosts");
    const struct page_file *file = page_find(url);
    if (file)
        return send_file(exchange->connection, file);
    const struct route *route = route_of(url, &serving.rest);
    if (!route)
        return http_refuse(self, exchange->connection, MHD_HTTP_NOT_FOUND, "not_found",
                           "there is nothing at this address");
    route->serve(&serving);
    return serving.result;
}

enum MHD_Result http_serve(void *argument, struct MHD_Connection *connection, const char *url, const char *method,
                           const char *version, const char *upload, size_t *upload_bytes, void **exchange_p)
{
    (void)upload;
    struct http *self = argument;
    struct http_exchange *exchange = *exchange_p;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
        *upload_bytes = 0;
        return http_refuse(self, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "method_not_allowed",
                           "nothing can be changed here: GET and HEAD only; commands go to the control socket");
    }
    if (!exchange) {
        exchange = calloc(1, sizeof *exchange);
        if (!exchange)
            return MHD_NO;
        *exchange = (struct http_exchange){.connection = connection, .since_ns = self->now_ns};
        *exchange_p = exchange;
        http_count(&self->requests);
        return MHD_YES;
    }
    if (*upload_bytes) { /* a GET may bring something along: it is passed over, and the answer follows behind it */
        *upload_bytes = 0;
        return MHD_YES;
    }
    return answer_request(self, exchange, url, version);
}

void http_served(void *argument, struct MHD_Connection *connection, void **exchange_p,
                 enum MHD_RequestTerminationCode code)
{
    (void)code;
    http_request_ended(argument, connection);
    free(*exchange_p);
    *exchange_p = NULL;
}

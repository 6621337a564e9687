#include "daemon/control/commands.h"

#include <stdio.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/base/model_order.h"
#include "lib/model_id.h"
#include "lib/monitor/monitor.h"

#define MODELS_SHOWN 1000
#define MODELS_SHOWN_MAX 100000
#define MODEL_BYTES ((int64_t)16 << 10) /* in a list, with a dozen budgets or two */
#define REQUEST_BYTES ((int64_t)1 << 10)
#define LIST_BYTES_MIN ((int64_t)1 << 20)
#define REQUESTS_SHOWN 1000
#define SILENCE_MAX_S 31622400.0

json_t *command_refuse(const char *code, const char *sentence)
{
    json_t *message = json_string(sentence);
    return json_pack("{s:b, s:s, s:o}", "ok", 0, "error", code, "message",
                     message ? message : json_string("the question is not UTF-8"));
}

/* The argument's text; *refusal_p where it is there and no string. */
static const char *argument(const json_t *ask, const char *name, json_t **refusal_p)
{
    const json_t *value = json_object_get(ask, name);
    if (!value || json_is_null(value) || json_is_string(value))
        return json_string_value(value);
    char sentence[64];
    snprintf(sentence, sizeof sentence, "\"%s\" must be a string", name);
    *refusal_p = command_refuse("bad_message", sentence);
    return NULL;
}

static bool state_known(const char *name)
{
    for (int i = 0; i < MODEL_STATES; i++) {
        if (strcmp(name, model_state_name((enum model_state)i)) == 0)
            return true;
    }
    return false;
}

static json_t *check_order(const json_t *ask)
{
    json_t *refusal = NULL, *offset = json_object_get(ask, "offset");
    const char *sort = argument(ask, "sort", &refusal);
    if (refusal)
        return refusal;
    argument(ask, "contains", &refusal);
    const char *after = argument(ask, "after", &refusal);
    if (refusal)
        return refusal;
    if (after && (offset || !sort || model_order_of(sort) != ORDER_NAME))
        return command_refuse("bad_message", "\"after\" goes with \"sort\": \"name\", and not with \"offset\"");
    if (sort && model_order_of(sort) == MODEL_ORDERS)
        return command_refuse("bad_message",
                              "\"sort\" must be worst, name, failures, silence, events or episodes");
    if (offset && (!json_is_integer(offset) || json_integer_value(offset) < 0 ||
                   json_integer_value(offset) > MODEL_LIST_OFFSET_MAX))
        return command_refuse("bad_message", "\"offset\" must be a whole number from 0 to 1000000");
    if (offset && !sort)
        return command_refuse("bad_message", "\"offset\" goes with \"sort\": without it there is no order to go on in");
    return NULL;
}

static json_t *begin_models(json_t *ask)
{
    json_t *refusal = NULL;
    const char *pattern = argument(ask, "pattern", &refusal), *state = argument(ask, "state", &refusal), *why;
    if (refusal)
        return refusal;
    if (pattern && model_pattern_check(text_of(pattern), &why) < 0)
        return command_refuse("bad_message", why);
    if (state && !state_known(state))
        return command_refuse("bad_message",
                              "\"state\" must be warming, healthy, failing, drifting, retraining, stale, "
                              "silenced or unrecoverable");
    refusal = check_order(ask);
    if (refusal)
        return refusal;
    json_t *limit = json_object_get(ask, "limit");
    if (!limit)
        json_object_set_new(ask, "limit", json_integer(MODELS_SHOWN));
    else if (json_integer_value(limit) < 1 || json_integer_value(limit) > MODELS_SHOWN_MAX)
        return command_refuse("bad_message", "\"limit\" must be a whole number from 1 to 100000");
    return NULL;
}

static int64_t list_bytes(int64_t count, int64_t each)
{
    int64_t bytes = count < MODEL_LIST_BYTES_MAX ? count * each : MODEL_LIST_BYTES_MAX;
    if (bytes > MODEL_LIST_BYTES_MAX)
        return MODEL_LIST_BYTES_MAX;
    return bytes < LIST_BYTES_MIN ? LIST_BYTES_MIN : bytes;
}

static int64_t models_bytes(const json_t *ask)
{
    return list_bytes(json_integer_value(json_object_get(ask, "limit")) +
                          json_integer_value(json_object_get(ask, "offset")),
                      MODEL_BYTES);
}

static int64_t requests_bytes(const json_t *ask)
{
    const json_t *most = json_object_get(ask, "most");
    json_int_t count = json_is_integer(most) ? json_integer_value(most) : REQUESTS_SHOWN;
    return list_bytes(count > 0 ? count : 0, REQUEST_BYTES);
}

static json_t *begin_model(json_t *ask)
{
    json_t *refusal = NULL;
    struct model_id id;
    const char *model = argument(ask, "model", &refusal);
    if (!refusal)
        argument(ask, "reason", &refusal);
    if (refusal)
        return refusal;
    if (!model || model_id_parse(&id, text_of(model)) < 0)
        return command_refuse("bad_message", "\"model\" must be project/name/version");
    return NULL;
}

static json_t *begin_request(json_t *ask)
{
    json_t *refusal = NULL;
    const char *request = argument(ask, "request", &refusal);
    if (!refusal)
        argument(ask, "reason", &refusal);
    if (refusal)
        return refusal;
    return request && *request ? NULL : command_refuse("bad_message", "\"request\" must be a request's id");
}

static json_t *begin_silence(json_t *ask)
{
    json_t *refusal = NULL, *for_s = json_object_get(ask, "for_s");
    const char *pattern = argument(ask, "pattern", &refusal), *why = "\"pattern\" must name models: project, "
                                                                     "project/name or project/name/version";
    if (!refusal)
        argument(ask, "reason", &refusal);
    if (refusal)
        return refusal;
    if (!pattern || model_pattern_check(text_of(pattern), &why) < 0)
        return command_refuse("bad_message", why);
    if (!json_is_number(for_s) || !(json_number_value(for_s) >= 0.001) || json_number_value(for_s) > SILENCE_MAX_S)
        return command_refuse("bad_message", "\"for_s\" must be seconds from 0.001 to 31622400 (366 days)");
    return NULL;
}

static json_t *begin_unsilence(json_t *ask)
{
    json_t *refusal = NULL;
    const char *pattern = argument(ask, "pattern", &refusal), *why;
    if (!refusal && pattern && model_pattern_check(text_of(pattern), &why) < 0)
        return command_refuse("bad_message", why);
    return refusal;
}

static json_t *begin_log_level(json_t *ask)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    json_t *refusal = NULL;
    const char *level = argument(ask, "level", &refusal);
    if (refusal)
        return refusal;
    for (int i = 0; level && i < 4; i++) {
        if (strcmp(level, levels[i]) != 0)
            continue;
        log_set_level((enum log_level)i);
        log_info("the log level was set by the operator", LOG_TEXT("log_level", level));
        return json_pack("{s:b, s:s}", "ok", 1, "level", level);
    }
    return command_refuse("bad_message", "\"level\" must be debug, info, warning or error");
}

static const struct command commands[] = {
    {"status", ASK_SHARDS | ASK_REQUESTS, true, merge_status, NULL, NULL},
    {"models", ASK_SHARDS, true, merge_models, begin_models, models_bytes},
    {"model", ASK_SHARDS, false, merge_model, begin_model, NULL},
    {"explain", ASK_SHARDS | ASK_ENGINE, false, merge_model, begin_model, NULL},
    {"requests", ASK_REQUESTS, false, merge_only, NULL, requests_bytes},
    {"request", ASK_REQUESTS, false, merge_only, begin_request, NULL},
    {"retrain", ASK_REQUESTS, false, merge_only, begin_model, NULL},
    {"cancel", ASK_REQUESTS, false, merge_only, begin_request, NULL},
    {"requeue", ASK_REQUESTS, false, merge_only, begin_request, NULL},
    {"silence", ASK_REQUESTS, false, merge_only, begin_silence, NULL},
    {"unsilence", ASK_REQUESTS, false, merge_only, begin_unsilence, NULL},
    {"rejects", ASK_SHARDS, true, merge_rejects, NULL, NULL},
    {"reload", ASK_MAIN_LOOP, false, merge_only, NULL, NULL},
    {"log_level", ASK_NOBODY, false, NULL, begin_log_level, NULL},
    {"checkpoint", ASK_CHECKPOINT, false, merge_only, NULL, NULL},
};
#define COMMANDS (sizeof commands / sizeof *commands)

static json_t *refuse_unknown(const char *name)
{
    char sentence[512];
    int used = snprintf(sentence, sizeof sentence, "there is no command \"%.64s\"; there are", name);
    for (size_t i = 0; i < COMMANDS; i++)
        used += snprintf(sentence + used, sizeof sentence - (size_t)used, "%s %s", i ? "," : "", commands[i].name);
    return command_refuse("unknown_command", sentence);
}

const struct command *command_find(const json_t *ask, json_t **refusal_p)
{
    const char *name = json_string_value(json_object_get(ask, "do"));
    if (!name) {
        *refusal_p = command_refuse("bad_message", "a question is one JSON object {\"do\": \"<command>\", ...}");
        return NULL;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return &commands[i];
    }
    *refusal_p = refuse_unknown(name);
    return NULL;
}

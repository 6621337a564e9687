#include <stdlib.h>

#include "daemon/engine/inside.h"
#include "lib/config/explained.h"

static json_t *refusal(const char *code, const char *sentence)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", code, "message", sentence);
}

/* Called by the control station. Figures are copied under the lock, and what takes long is worked out without it: shards
 * wait for the lock when they meet a new model. */
json_t *engine_answer(void *argument, const json_t *ask, json_t *answer)
{
    struct engine *self = argument;
    const char *live = json_string_value(json_object_get(answer, "live"));
    const char *name = json_string_value(json_object_get(ask, "model"));
    struct explain explain;
    struct model_id id;
    if (!name || model_id_parse(&id, text_of(name)) < 0) {
        json_decref(answer);
        return refusal("bad_message", "\"model\" must be project/name/version");
    }
    pthread_mutex_lock(&self->settings_mutex);
    int error = config_explain(self->config, &id, text_of(live ? live : ""), &explain);
    pthread_mutex_unlock(&self->settings_mutex);
    json_decref(answer);
    char *text = error ? NULL : explain_json(&explain);
    if (error == 0)
        explain_clear(&explain);
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;
    free(text);
    if (!json)
        return refusal("no_memory", "there is no memory for an explanation");
    json_object_set_new(json, "config", json_string(self->files.file));
    return json;
}

/* What a person asks for: retrain, cancel, requeue; silences.c has the rest. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/requests/core.h"
#include "lib/wire/feedback.h"
#include "lib/wire/job.h"

#define REASON_MAX 256

/* {"ok": true, "request": id, "state": state}, and where there is one, "warning": a sentence. */
static char *done_but(const char *request, enum request_state state, const char *warning)
{
    struct json_write out = {.at = NULL};
    json_write_bracket(&out, '{');
    json_write_key(&out, "ok");
    json_write_bool(&out, true);
    json_write_key(&out, "request");
    json_write_string(&out, request);
    json_write_key(&out, "state");
    json_write_string(&out, request_state_name(state));
    if (warning) {
        json_write_key(&out, "warning");
        json_write_string(&out, warning);
    }
    json_write_bracket(&out, '}');
    return json_write_take(&out);
}

static char *done(const char *request, enum request_state state)
{
    return done_but(request, state, NULL);
}

const char *commands_reason(json_t *asked, char *out, size_t size)
{
    const char *reason = json_string_value(json_object_get(asked, "reason"));
    size_t len = reason ? strlen(reason) : 0, most = len < size ? len : size - 1;
    while (most < len && most > 0 && ((unsigned char)reason[most] & 0xc0) == 0x80)
        most--; /* no half of a character */
    snprintf(out, size, "%.*s", (int)most, reason ? reason : "");
    return out;
}

static const char *reason_of(json_t *asked, char out[REASON_MAX])
{
    return commands_reason(asked, out, REASON_MAX);
}

static char *unavailable(struct core *self, int error)
{
    core_fail(self, error);
    return feedback_refused("unavailable", "the store cannot be read now: try again");
}

/* Why no request can be made for a project/name now; NULL: nothing stands against it. */
static char *refuse_live(struct core *self, const char *model, int *rc_p)
{
    struct live *live = live_by_family(self, step_family(model));
    char message[MODEL_ID_MAX + REQUEST_ID_LEN + 96];
    if (!live)
        return NULL;
    const struct request *request = live_value(live);
    if (request_state_final(request->state)) {
        *rc_p = -EAGAIN;
        return NULL;
    }
    snprintf(message, sizeof message, "request %s for %s is live (%s): cancel it first, or wait", request->id,
             request->model, request_state_name(request->state));
    return feedback_refused("live_request", message);
}

/* Takes the two texts over. */
static char *open_by_hand(struct core *self, struct new_request *new, const char *warning)
{
    struct live *live = NULL;
    if (new->trigger_json && new->metrics_json)
        live = episodes_open(self, new);
    if (live)
        return done_but(live_value(live)->id, live_value(live)->state, warning);
    free(new->trigger_json);
    free(new->metrics_json);
    return unavailable(self, -ENOMEM);
}

/* A person may want it all the same; a mistyped id is taken back. */
static const char *warn_unseen(struct core *self, const char *model)
{
    struct store_model row;
    const int rc = store_get_model(self->store, model, &row);
    if (rc < 0)
        core_fail(self, rc);
    return rc == 0 ? "this version has not served yet, as far as is known here: if its id is mistyped, cancel the request" : NULL;
}

static char *retrain(struct core *self, json_t *asked, int *rc_p)
{
    const char *model = json_string_value(json_object_get(asked, "model"));
    char reason[REASON_MAX], why[REASON_MAX + 32];
    struct model_id id;
    if (!model || model_id_parse(&id, text_of(model)) < 0)
        return feedback_refused("bad_message", "\"model\" must be project/name/version");
    char *refused = refuse_live(self, model, rc_p);
    if (refused || *rc_p)
        return refused;
    snprintf(why, sizeof why, "by hand%s%s", *reason_of(asked, reason) ? ": " : "", reason);
    struct job_trigger shown = {.rule = why,
                                .observed = NAN,
                                .limit = NAN,
                                .severity = NAN,
                                .change_at_s = NAN,
                                .window_start_s = NAN,
                                .window_end_s = NAN};
    struct new_request new = {.model = model,
                              .by = "operator",
                              .why = why,
                              .severity = INFINITY, /* a person waits */
                              .metric = "",
                              .observed = NAN,
                              .limit = NAN,
                              .trigger_json = job_trigger_json(&shown),
                              .metrics_json = strdup("{}"),
                              .triggered = self->now};
    return open_by_hand(self, &new, warn_unseen(self, model));
}

static char *cancel(struct core *self, json_t *asked)
{
    const char *id = json_string_value(json_object_get(asked, "request"));
    char reason[REASON_MAX];
    if (!id)
        return feedback_refused("bad_message", "\"request\" must be the id of a request");
    struct live *live = live_by_id(self, text_of(id));
    if (live && !request_state_final(live_value(live)->state)) {
        step_apply(self, live, &(struct request_event){.kind = REQUEST_CANCEL, .note = reason_of(asked, reason)});
        return done(id, live_value(live)->state);
    }
    struct request stored = {.state = REQUEST_STATES};
    int rc = live ? 1 : store_get_ended(self->store, id, &stored);
    if (rc < 0)
        return unavailable(self, rc);
    request_texts_free(&stored);
    return rc == 0 ? feedback_refused("unknown_request", "no request has this id")
                   : feedback_refused("ended", "the request has ended already");
}

static char *requeue_stored(struct core *self, struct request *old, json_t *asked, int *rc_p)
{
    char reason[REASON_MAX], why[REASON_MAX + REQUEST_ID_LEN + 32];
    char *refused = refuse_live(self, old->model, rc_p);
    if (refused || *rc_p)
        return refused;
    snprintf(why, sizeof why, "again after %s%s%s", old->id, *reason_of(asked, reason) ? ": " : "", reason);
    struct new_request new = {.model = old->model,
                              .by = "operator",
                              .why = why,
                              .severity = old->severity,
                              .metric = old->metric,
                              .observed = old->observed,
                              .limit = old->limit,
                              .trigger_json = old->trigger_json,
                              .metrics_json = old->metrics_json,
                              .triggered = self->now};
    old->trigger_json = old->metrics_json = NULL;
    return open_by_hand(self, &new, NULL);
}

static char *requeue(struct core *self, json_t *asked, int *rc_p)
{
    const char *id = json_string_value(json_object_get(asked, "request"));
    if (!id)
        return feedback_refused("bad_message", "\"request\" must be the id of a request");
    struct live *live = live_by_id(self, text_of(id));
    if (live && request_state_final(live_value(live)->state)) {
        *rc_p = -EAGAIN;
        return NULL;
    }
    if (live)
        return feedback_refused("live_request", "the request is live: there is nothing to put back");
    struct request stored;
    int rc = store_get_ended(self->store, id, &stored);
    if (rc < 0)
        return unavailable(self, rc);
    if (rc == 0)
        return feedback_refused("unknown_request", "no request has this id");
    char *answer = requeue_stored(self, &stored, asked, rc_p);
    request_texts_free(&stored);
    return answer;
}

int commands_take(struct core *self, struct question *question)
{
    json_t *asked = json_loads(question->ask, JSON_REJECT_DUPLICATES, NULL);
    const char *command = json_string_value(json_object_get(asked, "do"));
    char *answer = NULL;
    int rc = 0;
    if (command && strcmp(command, "retrain") == 0)
        answer = retrain(self, asked, &rc);
    else if (command && strcmp(command, "cancel") == 0)
        answer = cancel(self, asked);
    else if (command && strcmp(command, "requeue") == 0)
        answer = requeue(self, asked, &rc);
    else if (command && strcmp(command, "silence") == 0)
        answer = silences_begin(self, asked, &rc);
    else if (command && strcmp(command, "unsilence") == 0)
        answer = silences_end(self, asked, &rc);
    else
        rc = -ENOENT;
    json_decref(asked);
    if (rc < 0)
        return rc;
    question->answer = answer;
    effects_answer(self, question);
    return 0;
}

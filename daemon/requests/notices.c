/* What the keepers of models say: triggers, recoveries, who serves and who is silent. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/requests/core.h"
#include "lib/retrain/patience.h"
#include "lib/wire/cloud_event.h"
#include "lib/wire/job.h"

static void read_failed(struct core *self, int rc)
{
    if (rc < 0)
        core_fail(self, rc);
}

/* The row of a model, new where there is none. */
static struct store_model model_row(struct core *self, const char *model, const struct retrain_notice *notice)
{
    struct store_model row = {.episode = 0};
    int rc = store_get_model(self->store, model, &row);
    read_failed(self, rc);
    if (rc == 1)
        return row;
    text_put(row.model, sizeof row.model, model);
    row.first_seen = row.served = row.triggered = row.ended = moment_never();
    row.first_seen = self->now;
    if (notice && notice->first_seen_ns > 0 && notice->first_seen_ns < self->now.steady_ns)
        row.first_seen = moment_after(self->now, notice->first_seen_ns - self->now.steady_ns);
    return row;
}

static struct store_family family_row(struct core *self, struct text family)
{
    struct store_family row = {.requests = 0};
    read_failed(self, store_get_family(self->store, family, &row));
    return row;
}

/* -- triggers -------------------------------------------------------------------------------------------------------- */

/* A person has said otherwise: every version that was told of the end hears of it. */
static void tell_recoverable(void *argument, const struct store_model *model)
{
    step_tell_model(argument, model, false, false);
}

struct live *episodes_open(struct core *self, const struct new_request *new)
{
    struct model_id id;
    if (model_id_parse(&id, text_of(new->model)) < 0)
        return NULL;
    struct text family = model_id_family(&id);
    struct store_model model = new->model_row ? *new->model_row : model_row(self, new->model, NULL);
    struct store_family row = new->family_row ? *new->family_row : family_row(self, family);
    struct request request = {.episode = model.episode + 1,
                              .state = REQUEST_PENDING,
                              .attempt = 1,
                              .severity = isnan(new->severity) ? 0 : new->severity,
                              .observed = new->observed,
                              .limit = new->limit,
                              .fraction = NAN,
                              .trigger_json = new->trigger_json,
                              .metrics_json = new->metrics_json,
                              .created = self->now,
                              .not_before = self->now,
                              .first_offered = moment_never(),
                              .offered = moment_never(),
                              .accepted = moment_never(),
                              .ended = moment_never()};
    request_make_id(&id, request.episode, request.id);
    text_put(request.model, sizeof request.model, new->model);
    text_put(request.metric, sizeof request.metric, new->metric);
    step_choose(self, &request, family, row.requests);
    struct live *live = live_add(self, &request, true);
    if (!live || !live_touch(self, live)) {
        core_fail(self, -ENOMEM);
        return NULL;
    }
    live->notice = new->notice;
    if (new->notice)
        new->notice->metrics_json = NULL;
    step_begin(self, live, new->by, new->why);
    live_settle(self, live, live->next); /* so that this very turn can offer it: one commit for both */
    model.episode = request.episode;
    model.triggered = new->triggered;
    text_put(model.request, sizeof model.request, request.id);
    store_put_model(self->store, &model);
    if (row.unrecoverable)
        read_failed(self, store_each_of_family(self->store, family, tell_recoverable, self));
    row.requests++;
    row.fruitless = new->fruitless;
    row.unrecoverable = row.recovered = false;
    text_put(row.last_request, sizeof row.last_request, request.id);
    store_put_family(self->store, family, &row);
    step_tell_model(self, &model, true, false);
    return live;
}

/* The trigger's moment: when the notice was written, which is never in the future. */
static struct moment moment_of(const struct core *self, const struct retrain_notice *notice)
{
    struct moment at = {.steady_ns = notice->at_ns, .wall_s = notice->at_s};
    return at.steady_ns > self->now.steady_ns ? self->now : at;
}

/* Notes on a request whether its version is silent. */
static void heard(struct core *self, struct live *live, const char *model, bool silent)
{
    if (!live || strcmp(live_value(live)->model, model) != 0 || live_value(live)->silent == silent)
        return;
    struct request *request = live_touch(self, live);
    if (!request)
        return;
    request->silent = silent;
    store_set_request(self->store, request);
}

/* A request of this project/name is live: the trigger is kept in its history. */
static void join(struct core *self, struct live *live, const struct retrain_notice *notice)
{
    const struct request *request = live_value(live);
    struct store_model model = model_row(self, notice->model, notice);
    char why[MODEL_ID_MAX + MONITOR_RULE_MAX + 64];
    snprintf(why, sizeof why, "triggered again by %s: %s, observed %.7g", notice->model, notice->trigger.rule,
             notice->trigger.observed);
    step_note(self, request, "monitor", why);
    live->well = false;
    model.triggered = moment_of(self, notice);
    if (strcmp(model.request, request->id) != 0) {
        /* Another version: its episode waits for the same request. */
        model.episode++;
        text_put(model.request, sizeof model.request, request->id);
    }
    store_put_model(self->store, &model);
    step_tell_model(self, &model, true, false);
    heard(self, live, notice->model, false);
}

static struct patience_past past_of(struct core *self, const struct store_family *row, const char *model)
{
    struct patience_past past = {
        .fruitless = row->fruitless, .unrecoverable = row->unrecoverable, .recovered = row->recovered};
    struct request last;
    int rc = *row->last_request ? store_get_ended(self->store, row->last_request, &last) : 0;
    read_failed(self, rc);
    if (rc != 1)
        return past;
    past.any = true;
    past.last_state = last.state;
    past.last_ended_ns = moment_is_never(last.ended) ? last.created.steady_ns : last.ended.steady_ns;
    past.same_version = strcmp(last.model, model) == 0;
    request_texts_free(&last);
    return past;
}

static void give_up(struct core *self, const struct retrain_notice *notice, struct store_family *row)
{
    char why[REQUEST_WHY_MAX], id[REQUEST_ID_LEN + 32];
    struct text family = step_family(notice->model);
    struct request last;
    snprintf(why, sizeof why,
             "%u episodes in a row brought no recovery: no more requests for %.*s until `driftc retrain` or `driftc requeue`",
             row->fruitless, (int)family.len, family.at);
    row->unrecoverable = true;
    store_put_family(self->store, family, row);
    int rc = store_get_ended(self->store, row->last_request, &last);
    read_failed(self, rc);
    if (rc != 1)
        return;
    step_note(self, &last, "monitor", why);
    struct model_id model;
    json_write_clear(&self->data);
    json_write_bracket(&self->data, '{');
    if (model_id_parse(&model, text_of(notice->model)) == 0)
        cloud_event_model(&self->data, &model);
    json_write_key(&self->data, "fruitless");
    json_write_integer(&self->data, row->fruitless);
    json_write_key(&self->data, "last_request");
    json_write_string(&self->data, last.id);
    json_write_key(&self->data, "why");
    json_write_string(&self->data, why);
    json_write_bracket(&self->data, '}');
    /* Told about the model that triggers now, which may be another version than the last request's. */
    text_put(last.model, sizeof last.model, notice->model);
    snprintf(id, sizeof id, "%s/unrecoverable", last.id);
    effects_news(self, "driftd.model.unrecoverable", id, &last, "a model is unrecoverable", true, why,
                 json_write_whole(&self->data));
    request_texts_free(&last);
}

static void open_episode(struct core *self, struct retrain_notice *notice, const struct store_model *model,
                         const struct store_family *family)
{
    const struct trigger *trigger = &notice->trigger;
    char why[REQUEST_WHY_MAX];
    struct job_trigger shown = {.rule = trigger->rule,
                                .metric = trigger->metric,
                                .observed = trigger->observed,
                                .limit = trigger->limit,
                                .severity = trigger->severity,
                                .window = trigger->window,
                                .failures = trigger->failures,
                                .change_at_s = trigger->change_at_s,
                                .window_start_s = trigger->window_start_s,
                                .window_end_s = trigger->window_end_s,
                                .detector = trigger->detector,
                                .statistic = trigger->statistic,
                                .threshold = trigger->threshold,
                                .n = trigger->n,
                                .size = trigger->size,
                                .size_lower = trigger->size_lower,
                                .size_upper = trigger->size_upper};
    notices_why(trigger, why);
    struct new_request new = {.model = notice->model,
                              .by = "monitor",
                              .why = why,
                              .severity = trigger->severity,
                              .metric = trigger->metric,
                              .observed = trigger->observed,
                              .limit = trigger->limit,
                              .trigger_json = job_trigger_json(&shown),
                              .metrics_json = notice->metrics_json ? notice->metrics_json : strdup("{}"),
                              .notice = notice->metrics_json ? notice : NULL,
                              .triggered = moment_of(self, notice),
                              .fruitless = family->fruitless,
                              .model_row = model,
                              .family_row = family};
    if (!new.trigger_json || !new.metrics_json || !episodes_open(self, &new)) {
        core_fail(self, -ENOMEM);
        free(new.trigger_json);
        if (!new.notice)
            free(new.metrics_json);
    }
}

static void triggered_idle(struct core *self, struct retrain_notice *notice)
{
    struct text family = step_family(notice->model);
    struct store_family row = family_row(self, family);
    if (row.requests)
        learn_triggered(self, notice); /* before the next choice */
    struct store_model model = model_row(self, notice->model, notice);
    struct patience_past past = past_of(self, &row, notice->model);
    /* Both are times of the events themselves, which need not be those of their arrival. */
    double ago_s = notice->trigger.window_end_s - notice->trigger.change_at_s;
    int64_t change_ns = ago_s > 0 && ago_s < 1e8 ? notice->at_ns - (int64_t)(ago_s * 1e9) : notice->at_ns;
    enum patience_verdict verdict =
        patience_judge(&past, change_ns, model.served.steady_ns, self->options.give_up_after, &row.fruitless);
    if (verdict == PATIENCE_GOES_ON) {
        open_episode(self, notice, &model, &row);
        return;
    }
    if (verdict == PATIENCE_ENDS)
        give_up(self, notice, &row);
    model.triggered = moment_of(self, notice);
    store_put_model(self->store, &model);
    step_tell_model(self, &model, false, true);
}

static int triggered(struct core *self, struct retrain_notice *notice)
{
    struct live *live = live_by_family(self, step_family(notice->model));
    if (!live) {
        triggered_idle(self, notice);
    } else if (request_state_final(live_value(live)->state)) {
        return -EAGAIN; /* it ended in this very turn */
    } else {
        join(self, live, notice);
    }
    return 0;
}

/* -- recovery, replacement ------------------------------------------------------------------------------------------- */

/* A drift rule made the request: its evidence names a detector. The text is our own, as job_trigger_json() wrote it. */
static bool by_drift_rule(const struct request *request)
{
    json_t *trigger = json_loads(request->trigger_json, 0, NULL);
    bool found = json_object_get(json_object_get(trigger, "evidence"), "detector") != NULL;
    json_decref(trigger);
    return found;
}

static void recovered(struct core *self, const struct retrain_notice *notice)
{
    struct text family = step_family(notice->model);
    struct store_family row = family_row(self, family);
    if (*row.last_request && (!row.recovered || row.fruitless)) {
        row.recovered = true;
        row.fruitless = 0;
        store_put_family(self->store, family, &row);
    }
    struct live *live = live_by_family(self, family);
    if (!live) {
        learn_recovered(self, notice);
        return;
    }
    const struct request *request = live_value(live);
    /* A monitor that was started anew has forgotten which KPI it was: then all of them hold. */
    bool same_metric = !*notice->trigger.metric || strcmp(request->metric, notice->trigger.metric) == 0;
    if (strcmp(request->model, notice->model) != 0 || !*request->metric || !same_metric || by_drift_rule(request))
        return;
    live->well = request->state == REQUEST_RUNNING;
    if (!live->well)
        step_apply(self, live, &(struct request_event){.kind = REQUEST_RECOVERED});
}

struct successor {
    const struct request *request;
    char model[MODEL_ID_MAX + 1]; /* empty: none found */
};

static void find_successor(void *argument, const struct store_model *version)
{
    struct successor *successor = argument;
    if (strcmp(version->model, successor->request->model) != 0 &&
        version->first_seen.steady_ns > successor->request->created.steady_ns)
        text_put(successor->model, sizeof successor->model, version->model);
}

/* A version first seen after the request was made serves, and the requested one is silent. */
static void look_for_successor(struct core *self, struct live *live)
{
    const struct request *request = live_value(live);
    struct successor successor = {.request = request};
    char why[MODEL_ID_MAX + 96];
    if (!request->silent || (request->state != REQUEST_PENDING && request->state != REQUEST_OFFERED))
        return;
    read_failed(self, store_each_version(self->store, step_family(request->model), find_successor, &successor));
    if (!*successor.model)
        return;
    snprintf(why, sizeof why, "%s serves and the requested version is silent", successor.model);
    step_apply(self, live, &(struct request_event){.kind = REQUEST_REPLACED, .note = why});
}

static void serving(struct core *self, const struct retrain_notice *notice)
{
    struct store_model model = model_row(self, notice->model, notice);
    if (moment_is_never(model.served)) {
        model.served = moment_of(self, notice);
        store_put_model(self->store, &model);
    }
    learn_serving(self, notice);
    struct live *live = live_by_family(self, step_family(notice->model));
    heard(self, live, notice->model, false);
    if (live)
        look_for_successor(self, live);
}

static void silent(struct core *self, const struct retrain_notice *notice)
{
    struct live *live = live_by_family(self, step_family(notice->model));
    heard(self, live, notice->model, true);
    if (live)
        look_for_successor(self, live);
}

int notices_take(struct core *self, struct retrain_notice *notice)
{
    struct model_id id;
    if (model_id_parse(&id, text_of(notice->model)) < 0) {
        log_warning("a notice names no model; it is passed over", LOG_TEXT("model", notice->model));
        return 0;
    }
    switch (notice->kind) {
    case NOTICE_TRIGGERED:
        return triggered(self, notice);
    case NOTICE_RECOVERED:
        recovered(self, notice);
        break;
    case NOTICE_SERVING:
        serving(self, notice);
        break;
    case NOTICE_SILENT:
        silent(self, notice);
        break;
    case NOTICE_SHOWN:
        learn_shown(self, notice);
        break;
    case NOTICE_KINDS:
        break;
    }
    return 0;
}

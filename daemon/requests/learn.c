/* What strategies have brought: counted when an attempt ends by what its trainer claims, and corrected by what the
 * monitors then see. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/requests/core.h"

#define TRIED_IN_VAIN "the drift that it was to cure was found again"

/* -- the choice ------------------------------------------------------------------------------------------------------ */

/* The fleet's sums are read once for all choices of a turn. */
static int take_fleet(struct core *self)
{
    const struct requests_options *options = &self->options;
    if (self->fleet_known)
        return 0;
    struct history_row *fleet = reallocarray(self->fleet, options->strategy_count, sizeof *fleet);
    if (!fleet)
        return -ENOMEM;
    self->fleet = fleet;
    memset(fleet, 0, options->strategy_count * sizeof *fleet);
    int rc = store_get_fleet(self->store, options->strategies, options->strategy_count, fleet);
    self->fleet_known = rc >= 0;
    return rc;
}

static void put_tally(struct core *self, struct text family, const char *strategy, const struct history_row *row)
{
    store_put_tally(self->store, family, strategy, row);
    self->fleet_known = false;
}

/* What each strategy has brought; borrowed until the next choice. NULL: the turn fails. */
static const struct history_row *rows_of(struct core *self, const struct strategy_context *context)
{
    const struct requests_options *options = &self->options;
    bool first = context->attempt == 1 && context->family_requests == 0; /* nothing was ever tried here */
    int rc = take_fleet(self);
    for (uint32_t i = 0; rc >= 0 && i < options->strategy_count; i++)
        self->fleet[i].here = (struct history_tally){.attempts = 0};
    if (rc >= 0 && !first)
        rc = store_get_tallies(self->store, context->family, options->strategies, options->strategy_count, self->fleet);
    if (rc < 0)
        core_fail(self, rc);
    return rc < 0 ? NULL : self->fleet;
}

uint32_t learn_choose(struct core *self, const struct strategy_context *context, char reason[STRATEGY_REASON_MAX])
{
    const struct requests_options *options = &self->options;
    struct strategy_context with = *context;
    with.history = strcmp(options->choose, "history") == 0 ? rows_of(self, context) : NULL;
    return strategy_choose(text_of(options->choose), options->strategies, options->strategy_count, &with, reason);
}

/* -- what came of an attempt ----------------------------------------------------------------------------------------- */

/* A drift rule's figures are a statistic and its threshold, not the KPI and its budget. */
static bool trigger_judges_kpi(const struct trigger *trigger)
{
    return !*trigger->detector || fabs(trigger->statistic - trigger->observed) > 0;
}

/* The text is our own, as job_trigger_json() wrote it. */
static bool judges_kpi(const struct request *request)
{
    if (!*request->metric)
        return false;
    json_t *trigger = json_loads(request->trigger_json, 0, NULL), *evidence = json_object_get(trigger, "evidence");
    double statistic = json_number_value(json_object_get(evidence, "statistic"));
    bool detector = json_object_get(evidence, "detector") != NULL;
    double observed = json_number_value(json_object_get(trigger, "observed"));
    json_decref(trigger);
    return !detector || fabs(statistic - observed) > 0;
}

/* What the KPI gained: positive is better, whichever way its budget points. */
static double gain_of(const struct request *request, double shown)
{
    return request->observed < request->limit ? shown - request->observed : request->observed - shown;
}

/* What fails early is not cheap, it was cut short: a failed attempt counts with what its strategy was expected to cost, at
 * least. Else the sooner a strategy dies the more it would be tried. */
static double cost_of(const struct store_outcome *outcome)
{
    const bool failed = outcome->outcome == ATTEMPT_FAILED || outcome->outcome == ATTEMPT_LOST;
    return failed && outcome->gpu_hours < outcome->expected_gpu_hours ? outcome->expected_gpu_hours : outcome->gpu_hours;
}

static void count(struct core *self, struct text family, const struct store_outcome *outcome)
{
    struct history_row row;
    int rc = store_get_tally(self->store, family, outcome->strategy, &row);
    if (rc < 0)
        core_fail(self, rc);
    history_count(&row, outcome->recovery, cost_of(outcome));
    put_tally(self, family, outcome->strategy, &row);
}

void learn_ended(struct core *self, const struct request *request, const struct feedback *report,
                 struct store_outcome *outcome)
{
    outcome->recovery = NAN;
    switch (outcome->outcome) {
    case ATTEMPT_DONE: {
        double claimed = report && *request->metric ? feedback_metric(report, request->metric) : NAN;
        outcome->recovery = 1.0; /* until something is seen of it */
        if (isnan(claimed) || !judges_kpi(request))
            break;
        outcome->gain = gain_of(request, claimed);
        outcome->recovery = history_recovery(request->observed, request->limit, claimed);
        break;
    }
    case ATTEMPT_FAILED:
    case ATTEMPT_LOST:
        if (!request->cancel_asked) /* whom a person stopped has not failed */
            outcome->recovery = 0.0;
        break;
    case ATTEMPT_RUNNING:
    case ATTEMPT_DELIVERED: /* nobody says how it went: what is seen counts */
    case ATTEMPT_OUTCOMES:
        break;
    }
    if (!isnan(outcome->recovery))
        count(self, step_family(request->model), outcome);
}

/* -- what the monitors see of it ------------------------------------------------------------------------------------- */

/* The family's latest training, and whether `model` shows what came of it. */
struct training {
    bool any;
    struct store_outcome outcome; /* its texts are below or NULL */
    char request[REQUEST_ID_LEN + 1], strategy[STRATEGY_NAME_MAX + 1], version[FEEDBACK_NAME_MAX + 1];
};

static void keep(void *argument, const struct store_outcome *outcome)
{
    struct training *training = argument;
    training->any = true;
    training->outcome = *outcome;
    text_put(training->request, sizeof training->request, outcome->request);
    text_put(training->strategy, sizeof training->strategy, outcome->strategy);
    text_put(training->version, sizeof training->version, outcome->version ? outcome->version : "");
    training->outcome.request = training->request;
    training->outcome.strategy = training->strategy;
    training->outcome.trainer = training->outcome.version = training->outcome.artifact = NULL;
    training->outcome.metrics_json = training->outcome.error = NULL;
}

static bool is_version(struct text model, const char *version)
{
    struct model_id id;
    return model_id_parse(&id, model) == 0 && text_is(id.version, version);
}

/* Without a new version the model that was asked for shows it, or one that appeared when it was done. */
static bool shows(struct core *self, const struct training *training, const struct request *request, const char *model)
{
    if (*training->version)
        return is_version(text_of(model), training->version);
    struct store_model row;
    int rc = strcmp(request->model, model) == 0 ? 0 : store_get_model(self->store, model, &row);
    if (rc < 0)
        core_fail(self, rc);
    if (rc != 1)
        return rc == 0 && strcmp(request->model, model) == 0;
    return row.first_seen.steady_ns > request->ended.steady_ns;
}

/* 1: `model` shows what came of *training, which was asked for by *request, whose texts are then the caller's; 0 it does
 * not. */
static int find_training(struct core *self, const char *model, struct training *training, struct request *request)
{
    *training = (struct training){.any = false};
    int rc = store_last_trained(self->store, step_family(model), keep, training);
    if (rc == 1)
        rc = store_get_ended(self->store, training->request, request);
    if (rc < 0)
        core_fail(self, rc);
    if (rc != 1)
        return 0;
    if (request_state_final(request->state) && shows(self, training, request, model))
        return 1;
    request_texts_free(request);
    return 0;
}

static void set_recovery(struct core *self, const struct request *request, struct training *training, double recovery)
{
    struct history_row row;
    struct text family = step_family(request->model);
    struct store_outcome *outcome = &training->outcome;
    int rc = store_get_tally(self->store, family, outcome->strategy, &row);
    if (rc < 0)
        core_fail(self, rc);
    if (isnan(outcome->recovery))
        history_count(&row, recovery, outcome->gpu_hours);
    else
        history_correct(&row, outcome->recovery, recovery);
    outcome->recovery = recovery;
    put_tally(self, family, outcome->strategy, &row);
    store_measured(self->store, outcome);
}

static void measured(struct core *self, const struct request *request, struct training *training, const char *model,
                     double shown, uint64_t n)
{
    char why[REQUEST_WHY_MAX];
    double recovery = history_recovery(request->observed, request->limit, shown);
    if (isnan(recovery))
        return;
    training->outcome.measured = gain_of(request, shown);
    set_recovery(self, request, training, recovery);
    snprintf(why, sizeof why, "%s shows %s %.7g over %llu values: gain %.4g, recovery %.3g of what %s was asked for", model,
             request->metric, shown, (unsigned long long)n, training->outcome.measured, recovery, training->strategy);
    step_note(self, request, "monitor", why);
}

void learn_shown(struct core *self, const struct retrain_notice *notice)
{
    struct training training;
    struct request request;
    if (!find_training(self, notice->model, &training, &request))
        return;
    if (strcmp(request.metric, notice->trigger.metric) == 0 && judges_kpi(&request))
        measured(self, &request, &training, notice->model, notice->trigger.observed, notice->trigger.n);
    request_texts_free(&request);
}

void learn_triggered(struct core *self, const struct retrain_notice *notice)
{
    struct training training;
    struct request request;
    const struct trigger *trigger = &notice->trigger;
    if (!find_training(self, notice->model, &training, &request))
        return;
    bool same = isnan(training.outcome.measured) && strcmp(request.metric, trigger->metric) == 0;
    bool kpi = judges_kpi(&request);
    if (same && kpi && trigger_judges_kpi(trigger)) {
        measured(self, &request, &training, notice->model, trigger->observed, trigger->window);
    } else if (same && !kpi && !trigger_judges_kpi(trigger)) {
        set_recovery(self, &request, &training, 0.0);
        step_note(self, &request, "monitor", TRIED_IN_VAIN);
    }
    request_texts_free(&request);
}

void learn_recovered(struct core *self, const struct retrain_notice *notice)
{
    struct training training;
    struct request request;
    if (!find_training(self, notice->model, &training, &request))
        return;
    if (isnan(training.outcome.measured) && !*training.version)
        set_recovery(self, &request, &training, 1.0);
    request_texts_free(&request);
}

/* -- asking the keepers of models ------------------------------------------------------------------------------------- */

static void ask(struct core *self, const char *model, const char *metric, bool fresh)
{
    struct retrain_update *update = calloc(1, sizeof *update);
    if (!update) {
        core_fail(self, -ENOMEM);
        return;
    }
    text_put(update->model, sizeof update->model, model);
    text_put(update->shows, sizeof update->shows, metric);
    update->fresh = fresh;
    effects_update(self, update);
}

void learn_ask(struct core *self, const struct request *request, const char *version)
{
    char model[MODEL_ID_MAX + FEEDBACK_NAME_MAX + 2];
    if (!judges_kpi(request))
        return;
    if (!version || is_version(text_of(request->model), version)) {
        ask(self, request->model, request->metric, true);
        return;
    }
    struct text family = step_family(request->model);
    snprintf(model, sizeof model, "%.*s/%s", (int)family.len, family.at, version);
    ask(self, model, request->metric, false);
}

struct latest {
    struct core *core;
    const struct training *training;
    const struct request *request;
};

/* A version that appeared when the training was done. */
static void ask_what_came(void *argument, const struct store_model *row)
{
    const struct latest *latest = argument;
    if (strcmp(latest->request->model, row->model) != 0 &&
        shows(latest->core, latest->training, latest->request, row->model))
        ask(latest->core, row->model, latest->request->metric, false);
}

void learn_ask_again(struct core *self, const struct store_model *row)
{
    struct training training = {.any = false};
    struct request request;
    const struct latest latest = {self, &training, &request};
    struct text family = step_family(row->model);
    int rc = store_last_trained(self->store, family, keep, &training);
    if (rc == 1)
        rc = isnan(training.outcome.measured) ? store_get_ended(self->store, training.request, &request) : 0;
    if (rc < 0)
        core_fail(self, rc);
    if (rc != 1)
        return;
    if (strcmp(request.model, row->model) == 0 && request_state_final(request.state) && judges_kpi(&request)) {
        learn_ask(self, &request, *training.version ? training.version : NULL);
        rc = *training.version ? 0 : store_each_version(self->store, family, ask_what_came, (void *)&latest);
        if (rc < 0)
            core_fail(self, rc);
    }
    request_texts_free(&request);
}

/* Whether the family's latest training named a version that came after this one, and serves. */
static bool is_replaced(struct core *self, const struct store_model *row)
{
    struct training training = {.any = false};
    struct store_model made = {.episode = 0};
    char model[MODEL_ID_MAX + FEEDBACK_NAME_MAX + 2];
    struct text family = step_family(row->model);
    int rc = store_last_trained(self->store, family, keep, &training);
    if (rc == 1 && (!*training.version || is_version(text_of(row->model), training.version)))
        return false;
    if (rc == 1) {
        snprintf(model, sizeof model, "%.*s/%s", (int)family.len, family.at, training.version);
        rc = store_get_model(self->store, model, &made);
    }
    if (rc < 0)
        core_fail(self, rc);
    return rc == 1 && !moment_is_never(made.served) && made.first_seen.steady_ns > row->first_seen.steady_ns;
}

void learn_tell_replaced(struct core *self, const struct store_model *row)
{
    if (*row->request || !is_replaced(self, row))
        return;
    struct retrain_update *update = calloc(1, sizeof *update);
    if (!update) {
        core_fail(self, -ENOMEM);
        return;
    }
    text_put(update->model, sizeof update->model, row->model);
    update->replaced = true;
    effects_update(self, update);
}

static void tell_replaced(void *argument, const struct store_model *row)
{
    learn_tell_replaced(argument, row);
}

void learn_done(struct core *self, const struct request *request)
{
    const bool done = request->state == REQUEST_DONE;
    const int rc = done ? store_each_of_family(self->store, step_family(request->model), tell_replaced, self) : 0;
    if (rc < 0)
        core_fail(self, rc);
}

void learn_serving(struct core *self, const struct retrain_notice *notice)
{
    struct training training;
    struct request request;
    if (!find_training(self, notice->model, &training, &request))
        return;
    if (isnan(training.outcome.measured) && judges_kpi(&request))
        ask(self, notice->model, request.metric, false);
    request_texts_free(&request);
    int rc = *training.version ? store_each_of_family(self->store, step_family(notice->model), tell_replaced, self) : 0;
    if (rc < 0)
        core_fail(self, rc);
}

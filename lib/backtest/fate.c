/* What becomes of triggers: requests, and what their life says to monitors. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/backtest/inside.h"
#include "lib/retrain/patience.h"

#define ASSUMED_NS INT64_C(5000000000) /* the daemon's monitors hear of a request within that */

#define SAME_NS INT64_C(1000000000)

struct strategies {
    const struct strategy *at;
    uint32_t count;
};

static struct strategies strategies_of(const struct config *config)
{
    if (config->retraining.strategy_count == 0)
        return (struct strategies){strategy_defaults, strategy_default_count};
    return (struct strategies){config->retraining.strategies, config->retraining.strategy_count};
}

/* The keeper of requests dates a trigger by its own look at the clock where that is the earlier one. */
static bool own_trigger(const struct past_model *model, int64_t at_ns)
{
    uint32_t known = model->trigger_count < TRIGGERS_KNOWN ? model->trigger_count : TRIGGERS_KNOWN;
    for (uint32_t i = 0; i < known; i++)
        if (model->triggers[i] >= at_ns && model->triggers[i] - at_ns < SAME_NS)
            return true;
    return false;
}

/* -- triggers -------------------------------------------------------------------------------------------------------- */

/* Makes the request of a new episode, and has it done. */
static void request(struct backtest *self, struct past_model *model, struct backtest_trigger *out,
                    char reason[STRATEGY_REASON_MAX])
{
    struct family *family = model->family;
    const struct config *config = self->options.config;
    const struct strategies strategies = strategies_of(config);
    const char *choose = *config->retraining.choose ? config->retraining.choose : "cheapest";
    model->episode++;
    request_make_id(&model->id, model->episode, family->request);
    struct strategy_context context = {.seed = config->retraining.seed,
                                       .request = text_of(family->request),
                                       .family = text_of(family->name),
                                       .family_requests = family->requests,
                                       .attempt = 1};
    uint32_t index = strategy_choose(text_of(choose), strategies.at, strategies.count, &context, reason);
    family->any = true;
    family->state = REQUEST_DONE;
    family->ended_ns = model->now_ns;
    family->of = model;
    family->recovered = family->unrecoverable = false;
    family->assumed = model->steady;
    model->joined = ++family->requests;
    out->fate = BACKTEST_REQUESTED;
    out->request = family->request;
    out->strategy = strategies.at[index].name;
    out->strategy_reason = reason;
    out->gpu_hours = strategies.at[index].gpu_hours;
    self->sums.gpu_hours += out->gpu_hours;
}

/* As the keeper of requests judges a trigger while no request is live. */
static enum patience_verdict patience(const struct backtest *self, const struct past_model *model,
                                      const struct trigger *trigger)
{
    struct family *family = model->family;
    struct patience_past past = {.any = family->any,
                                 .last_state = family->state,
                                 .last_ended_ns = family->ended_ns,
                                 .same_version = family->of == model,
                                 .recovered = family->recovered,
                                 .fruitless = family->fruitless,
                                 .unrecoverable = family->unrecoverable};
    double ago_s = trigger->window_end_s - trigger->change_at_s;
    int64_t change_ns = ago_s > 0 && ago_s < 1e8 ? model->now_ns - (int64_t)(ago_s * 1e9) : model->now_ns;
    return patience_judge(&past, change_ns, model->served_ns, self->options.config->retraining.give_up_after,
                          &family->fruitless);
}

/* A request that the daemon has just made is live although its monitors have not heard of it: another version may trigger
 * meanwhile. Where the recording stays silent it was done at once. */
static bool live(const struct family *family, const struct past_model *model)
{
    return family->live || (family->assumed && model->steady && model->now_ns - family->ended_ns < ASSUMED_NS);
}

static void triggered(struct backtest *self, struct past_model *model)
{
    struct family *family = model->family;
    char reason[STRATEGY_REASON_MAX] = "";
    struct backtest_trigger out = {.model = model->text,
                                   .time_s = model->now_s,
                                   .figures = monitor_trigger(model->monitor),
                                   .request = "",
                                   .strategy = "",
                                   .strategy_reason = ""};
    model->triggers[model->trigger_count++ % TRIGGERS_KNOWN] = model->now_ns;
    model->following = false;
    if (live(family, model)) {
        out.fate = BACKTEST_JOINED;
        out.request = family->request;
        model->episode += model->joined != family->requests;
        model->joined = family->requests;
    } else if (patience(self, model, out.figures) == PATIENCE_GOES_ON) {
        request(self, model, &out, reason);
    } else {
        out.fate = BACKTEST_GIVEN_UP;
        family->unrecoverable = true;
    }
    model->fate = out.fate;
    model->cost = out.gpu_hours;
    model->asked = false;
    out.labelled = labels_trigger(model);
    self->sums.triggers++;
    self->sums.false_alarms += !out.labelled;
    self->sums.fates[out.fate]++;
    if (self->options.trigger)
        self->options.trigger(self->options.argument, &out);
}

void fate_event(struct backtest *self, struct past_model *model, const struct verdict *verdict)
{
    struct family *family = model->family;
    if (model->served_ns == INT64_MIN &&
        monitor_events(model->monitor) >= monitor_settings_of(model->monitor)->min_events)
        model->served_ns = model->now_ns;
    if (verdict->triggered)
        triggered(self, model);
    if ((verdict->held || verdict->recovered) && family->any && (!family->recovered || family->fruitless)) {
        family->recovered = true;
        family->fruitless = 0;
    }
}

/* -- what was recorded ----------------------------------------------------------------------------------------------- */

/* Whether a monitor of this run hears of a standing, as the daemon's did. */
static bool concerns(const struct past_model *model, const struct recorded_standing *stands, int64_t triggered_ns)
{
    const bool never = stands->triggered_ns == INT64_MIN;
    if (never || !model->begun || triggered_ns < model->first_ns)
        return true; /* of before the recording */
    if (own_trigger(model, triggered_ns))
        return true;
    return model->by_hand || (model->following && stands->episode == model->standing.episode);
}

static int64_t shift(int64_t at_ns, int64_t offset_ns)
{
    return at_ns == INT64_MIN ? at_ns : at_ns + offset_ns;
}

static void tell_monitor(struct past_model *model)
{
    const struct recorded_standing *stands = &model->standing;
    if (stands->triggered_ns != INT64_MIN)
        monitor_triggered_at(model->monitor, stands->triggered_ns);
    monitor_request_live(model->monitor, stands->live, stands->live ? stands->triggered_ns : stands->ended_ns);
}

/* What became of the last trigger, which was a guess: the daemon's keeper of requests is another thread. */
static void correct(struct backtest *self, struct past_model *model, enum backtest_fate fate, double cost)
{
    if (model->fate == fate || model->fate == BACKTEST_FATES)
        return;
    self->sums.fates[model->fate]--;
    self->sums.fates[fate]++;
    self->sums.gpu_hours += cost - model->cost;
    model->fate = fate;
    model->cost = cost;
}

/* The latest request of a family is this one of `model`. */
static void follow(struct past_model *model)
{
    struct family *family = model->family;
    const struct recorded_standing *stands = &model->standing;
    const bool news = model->episode != stands->episode;
    family->assumed = false;
    model->episode = stands->episode;
    family->unrecoverable = stands->unrecoverable;
    if (stands->live) {
        if (!family->live && (news || !family->any)) {
            request_make_id(&model->id, model->episode, family->request);
            family->requests += !family->any || news;
            family->of = model;
            family->recovered = false;
        }
        family->live = family->any = true;
        family->state = REQUEST_PENDING;
    } else if (family->any && stands->episode > 0) {
        family->live = false;
        if (!request_state_final(family->state))
            family->state = REQUEST_DONE; /* its own transition was not recorded */
        family->ended_ns = stands->ended_ns;
    }
    model->joined = family->requests;
}

static int stands(struct backtest *self, struct past_model *model, const struct recorded_line *line)
{
    struct recorded_standing standing = line->standing;
    if (line->at.place == 0 && model->monitor && monitor_events(model->monitor)) {
        int error = past_model_restart(self, model);
        if (error)
            return error;
        self->sums.restarted++;
        model->place = 0;
    }
    if (!model->monitor) {
        int error = past_model_restart(self, model);
        if (error)
            return error;
    }
    monitor_hold(model->monitor, shift(standing.held_ns, model->offset_ns));
    if (standing.episode == 0)
        return 0;
    standing.triggered_ns = shift(standing.triggered_ns, model->offset_ns);
    standing.ended_ns = shift(standing.ended_ns, model->offset_ns);
    if (!concerns(model, &line->standing, standing.triggered_ns)) {
        self->sums.foreign += standing.live;
        model->following = false;
        return 0;
    }
    if (own_trigger(model, standing.triggered_ns) && self->transitions && !model->asked &&
        (standing.live || standing.unrecoverable))
        correct(self, model, standing.live ? BACKTEST_JOINED : BACKTEST_GIVEN_UP, 0);
    self->sums.followed += standing.live && !(model->following && model->standing.episode == standing.episode);
    model->standing = standing;
    model->stands = model->following = true;
    model->by_hand = false;
    tell_monitor(model);
    follow(model);
    return 0;
}

static double cost_of(const struct backtest *self, const char *strategy)
{
    const struct strategies strategies = strategies_of(self->options.config);
    for (uint32_t i = 0; i < strategies.count; i++)
        if (strcmp(strategies.at[i].name, strategy) == 0)
            return strategies.at[i].gpu_hours;
    return 0;
}

static void requested(struct backtest *self, struct past_model *model, const struct recorded_line *line)
{
    const uint32_t last = (model->trigger_count - 1) % TRIGGERS_KNOWN;
    if (strcmp(line->by, "monitor") != 0) {
        model->by_hand = true;
    } else if (model->trigger_count > 0 && model->now_ns - model->triggers[last] < ASSUMED_NS) {
        model->asked = true;
        correct(self, model, BACKTEST_REQUESTED, cost_of(self, line->strategy));
    }
}

/* A step of a request that this run follows, or will once its monitor hears of it. */
static void transition(struct backtest *self, struct past_model *model, const struct recorded_line *line)
{
    struct family *family = model->family;
    enum request_state state;
    self->transitions = true;
    if (request_state_of(text_of(line->state), &state) < 0)
        return;
    if (strcmp(line->type, "driftd.retraining.requested") == 0)
        requested(self, model, line);
    if (!family->any || strcmp(line->request, family->request) != 0)
        return;
    if (request_state_final(state) || family->live)
        family->state = state;
    if (strcmp(line->type, "driftd.retraining.failed") == 0)
        self->sums.gpu_hours += cost_of(self, line->strategy);
}

int fate_recorded(struct backtest *self, const struct recorded_line *line)
{
    struct model_id id;
    struct past_model *model;
    if (line->kind == RECORDED_LOST) {
        self->sums.missing += line->lost;
        return 0;
    }
    if (model_id_parse(&id, text_of(line->model)) < 0)
        return 0;
    int error = past_model_get(self, &id, &model);
    if (error)
        return error == -ENOSPC ? 0 : error;
    if (line->kind == RECORDED_STANDS)
        return stands(self, model, line);
    transition(self, model, line);
    return 0;
}

/* What becomes of triggers: this run's guess, until the recording tells (told.c). */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "lib/backtest/inside.h"
#include "lib/retrain/patience.h"

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

double fate_cost(const struct backtest *self, const char *strategy)
{
    const struct strategies strategies = strategies_of(self->options.config);
    for (uint32_t i = 0; i < strategies.count; i++)
        if (strcmp(strategies.at[i].name, strategy) == 0)
            return strategies.at[i].gpu_hours;
    return 0;
}

/* -- saying so ------------------------------------------------------------------------------------------------------- */

struct choice {
    const char *strategy;
    double gpu_hours;
    char reason[STRATEGY_REASON_MAX];
};

static const struct choice no_choice = {.strategy = ""};

/* The strategy of the family's latest request, which is not counted yet. */
static void choose(const struct backtest *self, const struct family *family, struct choice *out)
{
    const struct config *config = self->options.config;
    const struct strategies strategies = strategies_of(config);
    const char *choose_by = *config->retraining.choose ? config->retraining.choose : "cheapest";
    struct strategy_context context = {.seed = config->retraining.seed,
                                       .request = text_of(family->past.request),
                                       .family = text_of(family->name),
                                       .family_requests = family->past.requests,
                                       .attempt = 1};
    uint32_t index = strategy_choose(text_of(choose_by), strategies.at, strategies.count, &context, out->reason);
    out->strategy = strategies.at[index].name;
    out->gpu_hours = strategies.at[index].gpu_hours;
}

/* From now on this is what became of a trigger. */
static void become(struct backtest *self, struct past_model *model, struct past_trigger *trigger,
                   enum backtest_fate fate, const struct choice *choice)
{
    const bool first = trigger->fate == BACKTEST_FATES;
    if (!first)
        self->sums.fates[trigger->fate]--;
    self->sums.fates[fate]++;
    self->sums.gpu_hours += choice->gpu_hours - trigger->gpu_hours;
    trigger->fate = fate;
    trigger->gpu_hours = choice->gpu_hours;
    void (*hear)(void *, const struct backtest_trigger *) = first ? self->options.trigger : self->options.corrected;
    if (!hear)
        return;
    hear(self->options.argument,
         &(struct backtest_trigger){.number = trigger->number,
                                    .model = model->text,
                                    .time_s = trigger->at_s,
                                    .figures = first ? monitor_trigger(model->monitor) : NULL,
                                    .fate = fate,
                                    .request = fate == BACKTEST_GIVEN_UP ? "" : model->family->past.request,
                                    .strategy = choice->strategy,
                                    .strategy_reason = choice->reason,
                                    .gpu_hours = choice->gpu_hours,
                                    .labelled = trigger->labelled});
}

/* -- requests -------------------------------------------------------------------------------------------------------- */

/* The family's latest request, whose id stands there, is one of `model`, and done at once. */
static void begin(struct past_model *model, int64_t at_ns)
{
    struct family *family = model->family;
    struct family_past *past = &family->past;
    past->any = true;
    past->state = REQUEST_DONE;
    past->ended_ns = at_ns;
    past->of = model;
    past->recovered = past->unrecoverable = false;
    family->assumed = model->steady;
    model->joined = ++past->requests;
}

/* As the keeper of requests judges a trigger while no request is live. */
static enum patience_verdict patience(const struct backtest *self, const struct past_model *model, int64_t change_ns)
{
    struct family_past *family = &model->family->past;
    struct patience_past past = {.any = family->any,
                                 .last_state = family->state,
                                 .last_ended_ns = family->ended_ns,
                                 .same_version = family->of == model,
                                 .recovered = family->recovered,
                                 .fruitless = family->fruitless,
                                 .unrecoverable = family->unrecoverable};
    return patience_judge(&past, change_ns, model->served_ns, self->options.config->retraining.give_up_after,
                          &family->fruitless);
}

/* Two versions trigger at about the same time, and one request is made: what this run guessed to be another's is none. */
static void take_back_guess(struct backtest *self, struct family *family, int64_t at_ns)
{
    struct past_model *model = family->past.of;
    struct past_trigger *guess = family->guess == NO_GUESS ? NULL : known_numbered(model, family->guess);
    if (guess && llabs(at_ns - guess->at_ns) < ASSUMED_NS)
        fate_made_none(self, model, guess, BACKTEST_JOINED);
    family->guess = NO_GUESS;
}

void fate_made(struct backtest *self, struct past_model *model, struct past_trigger *trigger,
               struct past_request *request)
{
    struct family *family = model->family;
    struct choice choice = no_choice;
    if (request->maker == trigger->number)
        return;
    request->maker = trigger->number;
    self->sums.gpu_hours += request->gpu_hours;
    request->gpu_hours = 0;
    if (family->guess == trigger->number) {
        family->guess = NO_GUESS;
        text_put(family->past.request, sizeof family->past.request, request->id);
    } else {
        take_back_guess(self, family, trigger->at_ns);
        patience(self, model, trigger->change_ns); /* for its count alone */
        text_put(family->past.request, sizeof family->past.request, request->id);
        choose(self, family, &choice);
        begin(model, trigger->at_ns);
    }
    if (request_state_final(request->state)) {
        family->past.state = request->state;
        family->assumed = false;
    }
    if (trigger->fate != BACKTEST_REQUESTED)
        become(self, model, trigger, BACKTEST_REQUESTED, &choice);
}

void fate_made_none(struct backtest *self, struct past_model *model, struct past_trigger *trigger,
                    enum backtest_fate fate)
{
    struct family *family = model->family;
    struct past_request *request = known_made_by(model, trigger->number);
    if (request)
        request->maker = MAKER_NOT_KNOWN;
    if (family->guess == trigger->number) {
        family->past = family->before;
        family->guess = NO_GUESS;
    }
    if (trigger->fate != fate)
        become(self, model, trigger, fate, &no_choice);
}

/* -- triggers -------------------------------------------------------------------------------------------------------- */

/* A request that the daemon has just made is live although its monitors have not heard of it: another version may trigger
 * meanwhile. Where the recording stays silent it was done at once. */
static bool live(const struct family *family, const struct past_model *model)
{
    return family->live || (family->assumed && model->steady && model->now_ns - family->past.ended_ns < ASSUMED_NS);
}

static struct past_trigger *add_trigger(struct backtest *self, struct past_model *model)
{
    struct past_trigger *trigger = known_add_trigger(model);
    if (!trigger)
        return NULL;
    const struct trigger *figures = monitor_trigger(model->monitor);
    double ago_s = figures->window_end_s - figures->change_at_s;
    *trigger = (struct past_trigger){.number = self->sums.triggers++,
                                     .at_ns = model->now_ns,
                                     .change_ns = model->now_ns,
                                     .at_s = model->now_s,
                                     .observed = figures->observed,
                                     .limit = figures->limit,
                                     .fate = BACKTEST_FATES,
                                     .labelled = labels_trigger(model)};
    if (ago_s > 0 && ago_s < 1e8)
        trigger->change_ns -= (int64_t)(ago_s * 1e9);
    self->sums.false_alarms += !trigger->labelled;
    return trigger;
}

static void guess(struct backtest *self, struct past_model *model, struct past_trigger *trigger)
{
    struct family *family = model->family;
    struct choice choice;
    if (live(family, model)) {
        model->episode += model->joined != family->past.requests;
        model->joined = family->past.requests;
        become(self, model, trigger, BACKTEST_JOINED, &no_choice);
        return;
    }
    const struct family_past before = family->past;
    if (patience(self, model, trigger->change_ns) != PATIENCE_GOES_ON) {
        family->past.unrecoverable = true;
        become(self, model, trigger, BACKTEST_GIVEN_UP, &no_choice);
        return;
    }
    family->before = before;
    family->guess = trigger->number;
    request_make_id(&model->id, ++model->episode, family->past.request);
    choose(self, family, &choice);
    begin(model, model->now_ns);
    become(self, model, trigger, BACKTEST_REQUESTED, &choice);
}

int fate_event(struct backtest *self, struct past_model *model, const struct verdict *verdict)
{
    struct family_past *past = &model->family->past;
    if (model->served_ns == INT64_MIN &&
        monitor_events(model->monitor) >= monitor_settings_of(model->monitor)->min_events)
        model->served_ns = model->now_ns;
    if (verdict->triggered) {
        struct past_trigger *trigger = add_trigger(self, model);
        struct past_request *request = trigger ? known_request_of(model, trigger) : NULL;
        if (!trigger)
            return -ENOMEM;
        model->following = false;
        if (request)
            fate_made(self, model, trigger, request);
        else
            guess(self, model, trigger);
    }
    if ((verdict->held || verdict->recovered) && past->any && (!past->recovered || past->fruitless)) {
        past->recovered = true;
        past->fruitless = 0;
    }
    return 0;
}

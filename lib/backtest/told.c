/* What a recording tells of requests. The keeper of requests is another thread than the shards, and each hands over its
 * lines when it can: a request may stand in front of the trigger that made it, and of two versions that trigger at about
 * the same time the one that stands behind the other may have made it. So a trigger's fate is told by ids: a request's
 * is made of its model and the number of the episode, and the standing that a model's monitor hears has that number. The
 * line of the request always stands in front of that of the standing. */
#include <errno.h>
#include <math.h>

#include "lib/backtest/inside.h"

/* -- how a model stands ---------------------------------------------------------------------------------------------- */

/* Whether a monitor of this run hears of a standing, as the daemon's did. */
static bool concerns(const struct past_model *model, const struct recorded_standing *stands, int64_t triggered_ns)
{
    const bool never = stands->triggered_ns == INT64_MIN;
    if (never || !model->begun || triggered_ns < model->first_ns)
        return true; /* of before the recording */
    if (known_dated(model, triggered_ns))
        return true;
    return model->by_hand || (model->following && stands->episode == model->standing.episode);
}

static int64_t shift(int64_t at_ns, int64_t offset_ns)
{
    return at_ns == INT64_MIN ? at_ns : at_ns + offset_ns;
}

static struct past_request *request_of(const struct past_model *model, uint64_t episode)
{
    char id[REQUEST_ID_LEN + 1];
    request_make_id(&model->id, episode, id);
    return known_request(model, id);
}

/* What a standing says of the trigger that it is about. */
static void tell_trigger(struct backtest *self, struct past_model *model, const struct recorded_standing *stands)
{
    struct past_trigger *trigger = known_dated(model, stands->triggered_ns);
    struct past_request *request = request_of(model, stands->episode);
    const bool given_up = stands->unrecoverable && !stands->live;
    if (!trigger || trigger->told) {
        if (request && request->maker == MAKER_NOT_KNOWN)
            request->maker = MAKER_OTHER;
        return;
    }
    if (!self->transitions)
        return; /* nothing is told of requests: the guess has to do */
    trigger->told = true;
    if (request && (request->maker == trigger->number || (request->maker == MAKER_NOT_KNOWN && !given_up)))
        fate_made(self, model, trigger, request);
    else
        fate_made_none(self, model, trigger, given_up ? BACKTEST_GIVEN_UP : BACKTEST_JOINED);
}

static void tell_monitor(struct past_model *model)
{
    const struct recorded_standing *stands = &model->standing;
    if (stands->triggered_ns != INT64_MIN)
        monitor_triggered_at(model->monitor, stands->triggered_ns);
    monitor_request_live(model->monitor, stands->live, stands->live ? stands->triggered_ns : stands->ended_ns);
}

/* Nothing else is known of a request that a model's episode waits for: it is the family's latest. */
static void adopt(struct past_model *model)
{
    struct family_past *past = &model->family->past;
    request_make_id(&model->id, model->episode, past->request);
    past->of = model;
    past->recovered = false;
    past->requests++;
}

/* The family's requests stand as the recording says of this model. */
static void follow(struct past_model *model)
{
    struct family *family = model->family;
    struct family_past *past = &family->past;
    const struct recorded_standing *stands = &model->standing;
    const struct past_trigger *trigger = known_dated(model, stands->triggered_ns);
    const struct past_request *request = request_of(model, stands->episode);
    const bool news = model->episode != stands->episode, joined = trigger && trigger->told;
    family->assumed = false;
    model->episode = stands->episode;
    past->unrecoverable = stands->unrecoverable;
    if (stands->live && !(request && request_state_final(request->state))) {
        if (!family->live && (!past->any || (news && !joined)))
            adopt(model);
        family->live = past->any = true;
        past->state = REQUEST_PENDING;
    } else if (past->any && stands->episode > 0) {
        family->live = false;
        if (!request_state_final(past->state))
            past->state = REQUEST_DONE; /* its own transition was not recorded */
        if (!stands->live)
            past->ended_ns = stands->ended_ns;
    }
    model->joined = past->requests;
}

/* A daemon that was started anew without what the monitor knew; or the first that is heard of it. */
static int begin_anew(struct backtest *self, struct past_model *model, const struct recorded_line *line)
{
    int error = 0;
    if (line->at.place == 0 && model->monitor && monitor_events(model->monitor)) {
        error = past_model_restart(self, model);
        self->sums.restarted += error == 0;
        model->place = 0;
    } else if (!model->monitor) {
        error = past_model_restart(self, model);
    }
    return error;
}

static int stands(struct backtest *self, struct past_model *model, const struct recorded_line *line)
{
    struct recorded_standing standing = line->standing;
    int error = begin_anew(self, model, line);
    if (error)
        return error;
    monitor_hold(model->monitor, shift(standing.held_ns, model->offset_ns));
    if (standing.episode == 0)
        return 0;
    standing.triggered_ns = shift(standing.triggered_ns, model->offset_ns);
    standing.ended_ns = shift(standing.ended_ns, model->offset_ns);
    tell_trigger(self, model, &standing);
    if (!concerns(model, &line->standing, standing.triggered_ns)) {
        self->sums.foreign += standing.live;
        model->following = false;
        return 0;
    }
    self->sums.followed += standing.live && !(model->following && model->standing.episode == standing.episode);
    model->standing = standing;
    model->stands = model->following = true;
    model->by_hand = false;
    tell_monitor(model);
    follow(model);
    return 0;
}

/* -- the steps of a request ------------------------------------------------------------------------------------------ */

static int requested(struct backtest *self, struct past_model *model, const struct recorded_line *line)
{
    struct past_request *request = known_add_request(model);
    if (!request)
        return -ENOMEM;
    *request = (struct past_request){.maker = MAKER_NOT_KNOWN,
                                     .at_s = line->at.received_s,
                                     .observed = line->observed,
                                     .limit = line->limit,
                                     .state = REQUEST_PENDING};
    text_put(request->id, sizeof request->id, line->request);
    if (strcmp(line->by, "monitor") != 0) {
        request->maker = MAKER_OTHER;
        model->by_hand = true;
        return 0;
    }
    struct past_trigger *trigger = known_trigger_of(model, request);
    if (trigger)
        fate_made(self, model, trigger, request);
    return 0;
}

/* An attempt failed, and there is another. */
static void failed(struct backtest *self, const struct past_model *model, struct past_request *request,
                   const struct recorded_line *line)
{
    const double cost = fate_cost(self, line->strategy);
    const struct family_past *past = &model->family->past;
    if (request && request->maker == MAKER_NOT_KNOWN)
        request->gpu_hours += cost;
    else if ((request && request->maker < MAKER_OTHER) || (past->any && strcmp(line->request, past->request) == 0))
        self->sums.gpu_hours += cost;
}

static int transition(struct backtest *self, struct past_model *model, const struct recorded_line *line)
{
    struct family *family = model->family;
    struct past_request *request = known_request(model, line->request);
    enum request_state state;
    self->transitions = true;
    if (request_state_of(text_of(line->state), &state) < 0)
        return 0;
    if (strcmp(line->type, "driftd.retraining.requested") == 0)
        return requested(self, model, line);
    if (request)
        request->state = state;
    if (strcmp(line->type, "driftd.retraining.failed") == 0)
        failed(self, model, request, line);
    if (!family->past.any || strcmp(line->request, family->past.request) != 0)
        return 0;
    if (request_state_final(state) || family->live)
        family->past.state = state;
    return 0;
}

int told_line(struct backtest *self, const struct recorded_line *line)
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
    return line->kind == RECORDED_STANDS ? stands(self, model, line) : transition(self, model, line);
}

/* How the station begins: options copied, the store read, every live request brought into the present. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/base/log.h"
#include "daemon/requests/core.h"
#include "daemon/requests/failpoint.h"

/* -- options --------------------------------------------------------------------------------------------------------- */

static void *own(struct core *self, void *memory)
{
    void **wider = memory ? reallocarray(self->memory, self->memory_count + 1, sizeof *wider) : NULL;
    if (!wider) {
        free(memory);
        return NULL;
    }
    self->memory = wider;
    self->memory[self->memory_count++] = memory;
    return memory;
}

static const char *own_text(struct core *self, const char *text)
{
    return own(self, strdup(text ? text : ""));
}

static int copy_strategies(struct core *self, const struct requests_options *options)
{
    uint32_t count = options->strategy_count ? options->strategy_count : strategy_default_count;
    const struct strategy *from = options->strategy_count ? options->strategies : strategy_defaults;
    struct strategy *strategies = own(self, calloc(count, sizeof *strategies));
    if (!strategies)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        strategies[i] = from[i];
        strategies[i].parameters_json = own_text(self, from[i].parameters_json ? from[i].parameters_json : "{}");
        if (!strategies[i].parameters_json)
            return -ENOMEM;
    }
    self->options.strategies = strategies;
    self->options.strategy_count = count;
    return 0;
}

static int copy_options(struct core *self, const struct requests_options *options)
{
    self->options = *options;
    self->options.state_dir = own_text(self, options->state_dir);
    self->options.source = own_text(self, options->source);
    self->options.choose = own_text(self, options->choose && *options->choose ? options->choose : "history");
    self->options.projects = NULL; /* the limits have their own */
    if (!self->options.state_dir || !self->options.source || !self->options.choose)
        return -ENOMEM;
    self->rules = (struct request_rules){.feedback_required = options->feedback_required,
                                         .accept_within_ns = options->accept_within_ns,
                                         .lease_ns = options->lease_ns,
                                         .max_run_ns = options->max_run_ns,
                                         .retry_first_ns = options->retry_first_ns,
                                         .retry_max_ns = options->retry_max_ns,
                                         .attempts = options->attempts ? options->attempts : 1};
    return copy_strategies(self, options);
}

static struct limit_set limit_set_of(const struct requests_project *from)
{
    return (struct limit_set){.concurrent = from->concurrent,
                              .per_model_per_day = from->per_model_per_day,
                              .per_day = from->per_day,
                              .micro_gpu_hours_per_day = limits_micro(from->gpu_hours_per_day)};
}

/* What the limits take from the options; freed by the caller. NULL: no memory. */
static struct limit_project *limit_projects_of(const struct requests_options *options)
{
    struct limit_project *projects = calloc(options->project_count + 1, sizeof *projects);
    for (uint32_t i = 0; projects && i < options->project_count; i++)
        projects[i] = (struct limit_project){options->projects[i].project, limit_set_of(&options->projects[i])};
    return projects;
}

static int make_queue(struct core *self, struct queue **queue_p)
{
    int64_t *costs = calloc(self->options.strategy_count, sizeof *costs);
    if (!costs)
        return -ENOMEM;
    for (uint32_t i = 0; i < self->options.strategy_count; i++)
        costs[i] = limits_micro(self->options.strategies[i].gpu_hours);
    int rc = queue_new(queue_p, self->limits, costs, self->options.strategy_count, self->ports.job.outlets);
    free(costs);
    return rc;
}

static int make_limits(struct core *self, const struct requests_options *options, const struct siphash_key *key)
{
    struct limit_set fleet = limit_set_of(&options->fleet);
    struct limit_project *projects = limit_projects_of(options);
    int rc = projects ? limits_new(&self->limits, &fleet, projects, options->project_count, key) : -ENOMEM;
    if (rc == 0)
        rc = make_queue(self, &self->queue);
    free(projects);
    return rc;
}

/* -- what the store holds ---------------------------------------------------------------------------------------------- */

static int load_request(void *argument, struct request *request)
{
    struct core *self = argument;
    int64_t farthest = self->now.steady_ns + self->rules.retry_max_ns + self->rules.retry_max_ns / 5;
    if (request->not_before.steady_ns > farthest)
        request->not_before.steady_ns = farthest;
    /* A full fresh lease comes with REQUEST_RESTART; the time that it may run in all goes on. */
    request->run_end_ns = moment_is_never(request->accepted) ? INT64_MAX
                                                             : request->accepted.steady_ns + self->rules.max_run_ns;
    request->lease_end_ns = request->run_end_ns;
    if (!live_add(self, request, false))
        return -ENOMEM;
    request->trigger_json = request->metrics_json = NULL;
    return 0;
}

static int load_use(void *argument, const char *id, uint32_t attempt, struct text family, double gpu_hours,
                    struct moment at)
{
    struct core *self = argument;
    struct model_id model;
    char whole[MODEL_ID_MAX + 1];
    snprintf(whole, sizeof whole, "%.*s/v", (int)family.len, family.at);
    if (model_id_parse(&model, text_of(whole)) < 0)
        return 0;
    struct limit_account *account = limits_account(self->limits, model.project);
    if (!account)
        return -ENOMEM;
    struct live *live = live_by_id(self, text_of(id));
    struct limit_ticket *nobody = NULL, **ticket = &nobody;
    bool start = attempt == 0;
    if (live && start)
        ticket = &live->start_ticket;
    if (live && live->now.state == REQUEST_RUNNING && attempt == live->now.attempt) {
        ticket = &live->spend_ticket;
        live->spend_attempt = attempt;
    }
    int rc = start ? limits_start(self->limits, account, family, at.steady_ns, ticket)
                   : limits_spend(self->limits, account, limits_micro(gpu_hours), at.steady_ns, ticket);
    if (ticket == &nobody)
        limits_let_go(&nobody);
    return rc;
}

static void tell_episode(void *argument, const struct store_model *model)
{
    struct core *self = argument;
    struct store_family family = {.requests = 0};
    int rc = store_get_family(self->store, step_family(model->model), &family);
    if (rc < 0)
        core_fail(self, rc);
    step_tell_model(self, model, *model->request != '\0', family.unrecoverable);
    learn_tell_replaced(self, model);
    learn_ask_again(self, model);
}

static void each_live(struct core *self, void (*visit)(struct core *self, struct live *live))
{
    for (size_t i = 0; i <= self->by_id.mask; i++) {
        for (struct map_link *link = self->by_id.slots[i]; link; link = link->next)
            visit(self, MAP_THING(link, struct live, by_id));
    }
}

static void restart(struct core *self, struct live *live)
{
    /* What was counted before is in the limits already, be it in the last 24 hours or not. */
    live->started = !moment_is_never(live->now.first_offered);
    if (live->now.state == REQUEST_RUNNING)
        live->spend_attempt = live->now.attempt;
    step_apply(self, live, &(struct request_event){.kind = REQUEST_RESTART});
}

/* -- other options while it runs --------------------------------------------------------------------------------------- */

static void leave_queue(struct core *self, struct live *live)
{
    queue_remove(self->queue, &live->item);
}

static void settle(struct core *self, struct live *live)
{
    live_settle(self, live, &live->now);
}

/* Takes options and limits over and makes their queue; on failure the options are as they were, and the limits, which say
 * no more than who may go first, may be the new ones already. */
static int exchange(struct core *self, const struct requests_options *options, struct queue **queue_p)
{
    struct core before = *self;
    struct limit_set fleet = limit_set_of(&options->fleet);
    struct limit_project *projects = limit_projects_of(options);
    self->memory = NULL;
    self->memory_count = 0;
    int rc = projects ? copy_options(self, options) : -ENOMEM;
    if (rc == 0)
        rc = limits_change(self->limits, &fleet, projects, options->project_count);
    if (rc == 0)
        rc = make_queue(self, queue_p);
    void **unused = rc < 0 ? self->memory : before.memory;
    size_t count = rc < 0 ? self->memory_count : before.memory_count;
    if (rc < 0) {
        self->options = before.options;
        self->rules = before.rules;
        self->memory = before.memory;
        self->memory_count = before.memory_count;
    }
    for (size_t i = 0; i < count; i++)
        free(unused[i]);
    free(unused);
    free(projects);
    return rc;
}

void core_choose_anew(struct core *self)
{
    each_live(self, step_renew_strategy);
    self->choose_due = false; /* if it is not kept it is due again */
}

bool core_renew(struct core *self)
{
    struct queue *queue = NULL;
    if (exchange(self, &self->renewal->options, &queue) < 0)
        return false;
    self->fleet_known = false;
    each_live(self, leave_queue);
    queue_destroy(&self->queue);
    self->queue = queue;
    each_live(self, settle);
    self->choose_due = true;
    if (self->renewal->doors && self->ports.job.renew)
        self->ports.job.renew(self->ports.job.argument, self->renewal->doors);
    struct letter done = {.kind = LETTER_RENEWED};
    while (inbox_put(self->renewal->reply_to, done) < 0)
        ; /* a few bytes, which somebody is about to give back */
    free(self->renewal);
    self->renewal = NULL;
    return true;
}

static int load(struct core *self)
{
    int rc = store_each_live(self->store, load_request, self);
    if (rc >= 0)
        rc = store_count_states(self->store, self->counts);
    if (rc >= 0)
        rc = store_each_use(self->store, self->now, load_use, self);
    if (rc < 0)
        return rc;
    each_live(self, restart);
    rc = self->error ? self->error : store_commit(self->store);
    if (rc < 0)
        return rc;
    failpoint("restart_committed");
    live_publish(self);
    rc = store_each_episode(self->store, tell_episode, self);
    if (rc < 0 || self->error)
        return rc < 0 ? rc : self->error;
    effects_act(self);
    return self->ended || !silences_tell(self) ? -ENOMEM : 0;
}

static int make_outlets(struct core *self)
{
    uint32_t count = self->ports.job.outlets;
    self->outlets = calloc(count, sizeof *self->outlets);
    self->closed = calloc(count, sizeof *self->closed);
    if (!self->outlets || !self->closed)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        self->outlets[i] = (struct outlet){.burst = 1, .offer_ns = INT64_MIN};
    return 0;
}

static int begin(struct core *self, const struct requests_options *options, const char *boot,
                 const struct siphash_key *key, char why[STORE_WHY_MAX])
{
    int rc = copy_options(self, options);
    if (rc == 0)
        rc = make_outlets(self);
    if (rc == 0)
        rc = map_init(&self->by_id, key);
    if (rc == 0)
        rc = map_init(&self->by_family, key);
    if (rc == 0)
        rc = make_limits(self, options, key);
    if (rc < 0) {
        snprintf(why, STORE_WHY_MAX, "no memory for requests");
        return rc;
    }
    heap_init(&self->timers, live_timer_before, offsetof(struct live, timer_place));
    rc = store_open(&self->store, self->options.state_dir, boot, self->now, why);
    if (rc < 0)
        return rc;
    rc = load(self);
    if (rc < 0)
        store_give_up(self->store, rc);
    if (rc < 0)
        snprintf(why, STORE_WHY_MAX, "%s/requests.db cannot be read: %s", self->options.state_dir,
                 rc == -ENOMEM ? "memory is short" : store_complaint(self->store));
    return rc;
}

int core_new(struct core **self_p, const struct requests_options *options, const struct requests_ports *ports,
             struct inbox *inbox, const char *boot, const struct siphash_key *key, struct now now,
             char why[STORE_WHY_MAX])
{
    *self_p = NULL;
    struct core *self = calloc(1, sizeof *self);
    if (!self) {
        snprintf(why, STORE_WHY_MAX, "no memory for requests");
        return -ENOMEM;
    }
    self->ports = *ports;
    self->inbox = inbox;
    self->now = (struct moment){.steady_ns = now.steady_ns, .wall_s = now.wall_s};
    self->busy_ns = now.steady_ns;
    self->began = self->now;
    self->forget_ns = now.steady_ns + CORE_FORGET_NS / 10;
    int rc = begin(self, options, boot, key, why);
    if (rc < 0) {
        core_destroy(&self);
        return rc;
    }
    *self_p = self;
    return 0;
}

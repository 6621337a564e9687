/* The requests that are live, and what is derived from each: its place in the queue, its timer, what the limits count. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "daemon/requests/core.h"

bool live_timer_before(const void *a, const void *b)
{
    return ((const struct live *)a)->timer_ns < ((const struct live *)b)->timer_ns;
}

struct live *live_by_id(struct core *self, struct text id)
{
    struct map_link *link = map_get(&self->by_id, id);
    return link ? MAP_THING(link, struct live, by_id) : NULL;
}

struct live *live_by_family(struct core *self, struct text family)
{
    struct map_link *link = map_get(&self->by_family, family);
    return link ? MAP_THING(link, struct live, by_family) : NULL;
}

/* -- room for them ---------------------------------------------------------------------------------------------------- */

/* The allocator makes a thread's heap accessible page by page, with a call of the system each: so it is asked for many
 * at a time. Sanitizers are to see each by itself. */
#ifdef __SANITIZE_ADDRESS__
#define LIVES_A_BLOCK 1
#else
#define LIVES_A_BLOCK 64
#endif

struct live_block {
    struct live_block *before, *next; /* among those that have room */
    uint32_t taken, fresh;            /* how many there are, and were ever */
    struct live *spare;               /* that were given back */
    struct live lives[LIVES_A_BLOCK];
};

static bool has_room(const struct live_block *block)
{
    return block->spare || block->fresh < LIVES_A_BLOCK;
}

static void block_link(struct core *self, struct live_block *block)
{
    block->before = NULL;
    block->next = self->roomy;
    if (block->next)
        block->next->before = block;
    self->roomy = block;
}

static void block_unlink(struct core *self, struct live_block *block)
{
    if (block->next)
        block->next->before = block->before;
    if (block->before)
        block->before->next = block->next;
    else
        self->roomy = block->next;
}

/* Its `block` is set. NULL: no memory. */
static struct live *take_room(struct core *self)
{
    struct live_block *block = self->roomy;
    if (!block) {
        block = malloc(sizeof *block);
        if (!block)
            return NULL;
        block->taken = block->fresh = 0;
        block->spare = NULL;
        block_link(self, block);
    }
    struct live *live = block->spare;
    if (live)
        block->spare = live->next_touched;
    else
        live = &block->lives[block->fresh++];
    block->taken++;
    if (!has_room(block))
        block_unlink(self, block);
    live->block = block;
    return live;
}

/* A block that nobody is in goes back, unless it is the only one with room. */
static void give_room(struct core *self, struct live *live)
{
    struct live_block *block = live->block;
    if (!has_room(block))
        block_link(self, block);
    live->next_touched = block->spare;
    block->spare = live;
    if (--block->taken == 0 && (block->before || block->next)) {
        block_unlink(self, block);
        free(block);
    }
}

/* -- one of them ----------------------------------------------------------------------------------------------------- */

static uint32_t outlet_of(struct core *self, struct text project)
{
    const struct job_port *port = &self->ports.job;
    return port->outlet ? port->outlet(port->argument, project.at, project.len) : 0;
}

struct live *live_add(struct core *self, const struct request *value, bool born)
{
    struct model_id id;
    if (model_id_parse(&id, text_of(value->model)) < 0)
        return NULL;
    struct limit_account *account = limits_account(self->limits, id.project);
    if (!account || heap_reserve(&self->timers, self->by_id.count + 1) < 0)
        return NULL;
    struct live *live = take_room(self);
    if (!live)
        return NULL;
    *live = (struct live){.block = live->block,
                          .now = *value,
                          .born = born,
                          .account = account,
                          .item = {.outlet = outlet_of(self, id.project)},
                          .timer_ns = INT64_MAX,
                          .ended_gpu_hours = NAN};
    map_put(&self->by_id, &live->by_id, text_of(live->now.id));
    map_put(&self->by_family, &live->by_family, step_family(live->now.model));
    return live;
}

struct request *live_touch(struct core *self, struct live *live)
{
    if (live->next)
        return live->next;
    live->next = live->born ? &live->now : malloc(sizeof *live->next);
    if (!live->next) {
        core_fail(self, -ENOMEM);
        return NULL;
    }
    if (!live->born)
        *live->next = live->now;
    live->next_touched = self->touched;
    self->touched = live;
    return live->next;
}

/* After a commit there is no way back: without memory to follow it, the station ends and starts anew from the store. */
static void check(struct core *self, int error)
{
    if (error < 0)
        self->ended = true;
}

static void settle_limits(struct core *self, struct live *live, const struct request *value)
{
    bool running = value->state == REQUEST_OFFERED || value->state == REQUEST_RUNNING;
    if (running && !live->running)
        limits_enter(self->limits, live->account);
    else if (!running && live->running)
        limits_leave(self->limits, live->account);
    live->running = running;

    bool started = !moment_is_never(value->first_offered) && (!request_state_final(value->state) || value->taken);
    if (started && !live->started)
        check(self, limits_start(self->limits, live->account, step_family(value->model),
                                 value->first_offered.steady_ns, &live->start_ticket));
    else if (!started && live->started)
        limits_refund(self->limits, &live->start_ticket);
    live->started = started;

    uint32_t spends = running ? value->attempt : 0;
    if (live->spend_attempt && live->spend_attempt != spends) {
        if (live->spend_attempt == live->ended_attempt) {
            if (live->spend_ticket && !isnan(live->ended_gpu_hours))
                limits_correct(self->limits, live->spend_ticket, limits_micro(live->ended_gpu_hours));
            limits_let_go(&live->spend_ticket);
        } else {
            limits_refund(self->limits, &live->spend_ticket);
        }
    }
    if (spends && live->spend_attempt != spends)
        check(self, limits_spend(self->limits, live->account, limits_micro(value->gpu_hours), value->offered.steady_ns,
                                 &live->spend_ticket));
    live->spend_attempt = spends;
}

/* Its strategy's place among the costs. One that is configured no more, but was offered, counts as the next dearer. */
static uint32_t strategy_index(const struct core *self, const struct request *value)
{
    const struct strategy *all = self->options.strategies;
    uint32_t near = 0;
    for (uint32_t i = 0; i < self->options.strategy_count; i++) {
        if (strcmp(all[i].name, value->strategy) == 0)
            return i;
        bool enough = all[i].gpu_hours >= value->gpu_hours, was_enough = all[near].gpu_hours >= value->gpu_hours;
        if (enough != was_enough ? enough : enough == (all[i].gpu_hours < all[near].gpu_hours))
            near = i;
    }
    return near;
}

static void settle_queue(struct core *self, struct live *live, const struct request *value, bool wants)
{
    struct queue_item *item = &live->item;
    bool first = moment_is_never(value->first_offered);
    uint32_t strategy = strategy_index(self, value);
    if (item->place && (!wants || item->first != first || item->strategy != strategy))
        queue_remove(self->queue, item);
    if (!wants || item->place)
        return;
    item->severity = value->severity;
    item->since_ns = value->created.steady_ns;
    item->id = live->now.id;
    item->account = live->account;
    item->strategy = strategy;
    item->first = first;
    check(self, queue_put(self->queue, item));
}

void live_settle(struct core *self, struct live *live, const struct request *value)
{
    settle_limits(self, live, value);
    int64_t due_ns = request_deadline_ns(value, &self->rules);
    bool wants = false;
    if (value->state == REQUEST_PENDING) {
        if (moment_is_never(value->first_offered)) {
            int64_t free_ns = limits_model_free_ns(self->limits, live->account, step_family(value->model));
            due_ns = free_ns > due_ns ? free_ns : due_ns;
        }
        wants = due_ns <= self->now.steady_ns;
        if (wants)
            due_ns = INT64_MAX;
    }
    settle_queue(self, live, value, wants);
    heap_remove(&self->timers, live);
    live->timer_ns = due_ns;
    if (due_ns != INT64_MAX)
        check(self, heap_put(&self->timers, live));
}

static void drop_next(struct live *live)
{
    if (live->next != &live->now)
        free(live->next);
    live->next = NULL;
}

/* Takes a live request out of all that knows it, and frees it. */
static void live_free(struct core *self, struct live *live)
{
    queue_remove(self->queue, &live->item);
    heap_remove(&self->timers, live);
    limits_let_go(&live->start_ticket);
    limits_let_go(&live->spend_ticket);
    map_remove(&self->by_id, &live->by_id);
    map_remove(&self->by_family, &live->by_family);
    request_texts_free(&live->now);
    drop_next(live);
    give_room(self, live);
}

/* Makes the next value the present one. */
static void publish(struct core *self, struct live *live)
{
    if (!live->born) {
        self->counts[live->now.state]--;
        live->now = *live->next;
    }
    drop_next(live);
    self->counts[live->now.state]++;
    live->born = false;
    live->notice = NULL;
    live_settle(self, live, &live->now);
    live->ended_attempt = 0;
}

void live_sent_recorded(struct core *self)
{
    for (struct live *sent = self->sent; sent; sent = sent->next_sent)
        sent->sent = SENT_NOT;
    self->sent = NULL;
}

void live_publish(struct core *self)
{
    struct live *live = self->touched;
    self->touched = NULL;
    while (live) {
        struct live *next = live->next_touched;
        publish(self, live);
        if (request_state_final(live->now.state))
            live_free(self, live);
        live = next;
    }
}

void live_undo(struct core *self)
{
    struct live *live = self->touched;
    self->touched = NULL;
    while (live) {
        struct live *next = live->next_touched;
        live->ended_attempt = 0;
        drop_next(live);
        if (live->born) { /* as if it had ended before anybody had it: nothing is counted of it */
            if (live->notice) {
                live->notice->metrics_json = live->now.metrics_json;
                live->now.metrics_json = NULL;
            }
            live->now.state = REQUEST_CANCELLED;
            live->now.taken = false;
        }
        live_settle(self, live, &live->now);
        if (live->born)
            live_free(self, live);
        live = next;
    }
}

void live_renew_leases(struct core *self)
{
    for (size_t i = 0; i <= self->by_id.mask; i++) {
        for (struct map_link *link = self->by_id.slots[i]; link; link = link->next) {
            struct live *live = MAP_THING(link, struct live, by_id);
            int64_t lease_end_ns = self->now.steady_ns + self->rules.lease_ns;
            if (live->now.state != REQUEST_RUNNING || live->now.lease_end_ns >= lease_end_ns)
                continue;
            live->now.lease_end_ns = lease_end_ns;
            live_settle(self, live, &live->now);
        }
    }
}

static void free_drained(void *argument, struct map_link *link)
{
    struct live *live = MAP_THING(link, struct live, by_id);
    limits_let_go(&live->start_ticket);
    limits_let_go(&live->spend_ticket);
    request_texts_free(&live->now);
    drop_next(live);
    give_room(argument, live);
}

void live_free_all(struct core *self)
{
    map_drain(&self->by_id, free_drained, self);
    free(self->roomy);
    self->roomy = NULL;
}

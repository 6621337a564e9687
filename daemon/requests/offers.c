/* What happens by itself: timers, offers, and what became of the jobs that were sent. */
#include "daemon/requests/core.h"

void offers_record_sent(struct core *self)
{
    /* The list is let go with the commit of this turn: live_sent_recorded(). */
    for (struct live *live = self->sent; live; live = live->next_sent) {
        struct request_event event = {.kind = live->sent == SENT_HANDED ? REQUEST_HANDED : REQUEST_NOT_TAKEN};
        step_apply(self, live, &event);
    }
}

void offers_timers(struct core *self)
{
    for (int i = 0; i < CORE_TIMERS_A_TURN; i++) {
        struct live *live = heap_first(&self->timers);
        if (!live || live->timer_ns > self->now.steady_ns)
            return;
        if (live->now.state == REQUEST_PENDING && !live->next) {
            live_settle(self, live, &live->now);
            continue;
        }
        if (!live_touch(self, live))
            return;
        heap_remove(&self->timers, live); /* it comes back when the turn is over */
        step_apply(self, live, &(struct request_event){.kind = REQUEST_TIME});
    }
    self->again = true;
}

void offers_begin(struct core *self)
{
    for (uint32_t i = 0; i < self->ports.job.outlets; i++) {
        struct outlet *outlet = &self->outlets[i];
        outlet->made = 0;
        outlet->asked = false;
        self->closed[i] = outlet->offer_ns > self->now.steady_ns;
    }
}

bool offers_possible(struct core *self)
{
    return !self->stopping && !self->full && queue_best(self->queue, self->closed) != NULL;
}

/* Whether one more job may leave there in this turn; else it is closed. */
static bool may_leave(struct core *self, uint32_t number)
{
    struct job_port *port = &self->ports.job;
    struct outlet *outlet = &self->outlets[number];
    bool full = outlet->made == outlet->burst;
    outlet->asked = outlet->asked || port->ready(port->argument, number);
    self->closed[number] = full || !outlet->asked;
    if (full)
        self->again = true; /* the next turn makes the others */
    return !self->closed[number];
}

void offers_make(struct core *self)
{
    struct queue_item *item;
    if (self->stopping || self->full)
        return;
    while ((item = queue_best(self->queue, self->closed))) {
        struct live *live = (struct live *)(void *)((char *)item - offsetof(struct live, item));
        if (!may_leave(self, item->outlet))
            continue;
        if (live->next && !live->born) {
            self->again = true;
            return; /* something else happens to it in this turn: it is looked at again in the next */
        }
        if (live_value(live)->state == REQUEST_PENDING) {
            step_apply(self, live, &(struct request_event){.kind = REQUEST_OFFER});
            if (!live->next)
                return;
            effects_job(self, live);
            self->outlets[item->outlet].made++;
        }
        live_settle(self, live, live->next); /* it leaves the queue */
    }
}

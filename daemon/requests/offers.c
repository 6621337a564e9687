/* What happens by itself: timers, offers, and what became of the jobs that were sent. */
#include "daemon/requests/core.h"

void offers_record_sent(struct core *self)
{
    /* The list is let go with the commit. */
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

bool offers_possible(struct core *self)
{
    return !self->stopping && !self->full && !self->no_trainer && self->now.steady_ns >= self->offer_ns &&
           queue_best(self->queue) != NULL;
}

void offers_make(struct core *self)
{
    struct job_port *port = &self->ports.job;
    if (!offers_possible(self))
        return;
    if (!port->ready(port->argument)) {
        self->no_trainer = true;
        return;
    }
    for (uint32_t made = 0; made < self->burst;) {
        struct queue_item *item = queue_best(self->queue);
        if (!item)
            return;
        struct live *live = (struct live *)(void *)((char *)item - offsetof(struct live, item));
        if (live->next && !live->born)
            break; /* something else happens to it in this turn: it is looked at again in the next */
        if (live_value(live)->state == REQUEST_PENDING) {
            step_apply(self, live, &(struct request_event){.kind = REQUEST_OFFER});
            if (!live->next)
                return;
            effects_job(self, live);
            made++;
        }
        live_settle(self, live, live->next); /* it leaves the queue */
    }
    self->again = true;
}

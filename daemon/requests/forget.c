/* Requests that ended longer ago than they are to be kept leave the store, some in each turn that has nothing else to do. */
#include "daemon/base/log.h"
#include "daemon/requests/core.h"

#define FORGET_A_TURN 64

/* By the steady clock, also for what other boots left: a wall clock that jumps clears nothing away. */
static struct moment kept_from(const struct core *self)
{
    struct moment now = moment_after(self->began, self->now.steady_ns - self->began.steady_ns);
    return moment_after(now, -self->options.keep_ns);
}

void forget_some(struct core *self)
{
    if (self->options.keep_ns == 0 || self->stopping || self->now.steady_ns < self->forget_ns)
        return;
    if (self->touched || self->taken.count || self->effect_count) { /* work goes first; it will be quiet again */
        self->again = true;
        return;
    }
    int count = store_forget(self->store, kept_from(self), FORGET_A_TURN, self->gone);
    if (count < 0)
        core_fail(self, count);
    else if (count == FORGET_A_TURN)
        self->again = true;
    else
        self->forget_ns = self->now.steady_ns + CORE_FORGET_NS;
}

void forget_settle(struct core *self, bool committed)
{
    uint64_t sum = 0;
    for (int i = 0; i < REQUEST_STATES; i++) {
        sum += self->gone[i];
        if (committed)
            self->counts[i] -= self->gone[i];
        self->gone[i] = 0;
    }
    if (committed && sum)
        log_info("requests that ended longer than state.keep ago are cleared away", LOG_NUMBER("requests", sum));
}

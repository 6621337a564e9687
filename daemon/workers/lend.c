#include "daemon/workers/lend.h"

/* What is borrowed comes from connections that the receiving thread reads itself, which takes a tenth to a fifth of
 * what judging takes: a thread would bring no more than that, and copying and handing over takes it away again. Else a
 * message is worth a thread where judging it takes LEND_WORTH times what receiving it takes, and the receiving thread
 * is busy for LEND_BUSY of the time: two cores then do 1.2 to 1.4 times as much (docs/performance.md). It is taken back
 * where judging takes less than receiving, or of a core less than LEND_IDLE, where the hand-over and its wake-ups are
 * all that a thread brings. */
#define LEND_WORTH 2.0
#define LEND_BORROWED 0.5
#define LEND_BUSY 0.6
#define LEND_IDLE 0.2
#define LEND_LOOKS 3
#define RETURN_LOOKS 10

static bool change_wished(const struct lend *self, double passed_ns, const struct lend_sums *now)
{
    const double messages = (double)(now->messages - self->sums.messages);
    const double receiving_ns = (double)(now->receiving_ns - self->sums.receiving_ns);
    const double borrowed = (double)(now->borrowed - self->sums.borrowed);
    if (messages <= 0 || borrowed > LEND_BORROWED * messages)
        return self->lent;
    if (self->lent)
        return self->judge_ns < self->other_ns || self->judge_ns * messages < LEND_IDLE * passed_ns;
    return self->judge_ns >= LEND_WORTH * self->other_ns && receiving_ns >= LEND_BUSY * passed_ns;
}

/* Where nothing was timed, what was known before stands. */
static void measure(struct lend *self, const struct lend_sums *now)
{
    const double messages = (double)(now->messages - self->sums.messages);
    const double measured = (double)(now->measured - self->sums.measured);
    if (measured > 0)
        self->judge_ns = (double)(now->judging_ns - self->sums.judging_ns) / measured;
    if (messages > 0)
        self->other_ns = (double)(now->receiving_ns - self->sums.receiving_ns) / messages;
    if (messages > 0 && !self->lent)
        self->other_ns = self->other_ns > self->judge_ns ? self->other_ns - self->judge_ns : 0;
}

bool lend_look(struct lend *self, int64_t now_ns, const struct lend_sums *sums)
{
    if (!lend_due(self, now_ns))
        return false;
    const double passed_ns = (double)(now_ns - self->looked_ns);
    const bool first = self->looked_ns == 0;
    measure(self, sums);
    self->looks = !first && change_wished(self, passed_ns, sums) ? self->looks + 1 : 0;
    self->looked_ns = now_ns;
    self->sums = *sums;
    if (self->looks < (self->lent ? RETURN_LOOKS : LEND_LOOKS))
        return false;
    self->lent = !self->lent;
    self->looks = 0;
    return true;
}

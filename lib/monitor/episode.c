#include "lib/monitor/episode.h"

#define SAME_NS INT64_C(1000000000)

int64_t episode_since_ns(int64_t now_ns, int64_t then_ns)
{
    int64_t passed;
    if (__builtin_sub_overflow(now_ns, then_ns, &passed))
        return then_ns < now_ns ? INT64_MAX : INT64_MIN;
    return passed;
}

struct episode episode_none(void)
{
    return (struct episode){.last_trigger_ns = EPISODE_NEVER_NS,
                            .request_end_ns = EPISODE_NEVER_NS,
                            .remembered_ns = EPISODE_NEVER_NS,
                            .kpi = EPISODE_KPI_UNKNOWN};
}

int64_t episode_backoff_left_ns(const struct episode *self, int64_t backoff_ns, int64_t now_ns)
{
    int64_t from = self->last_trigger_ns > self->request_end_ns ? self->last_trigger_ns : self->request_end_ns;
    int64_t left = episode_since_ns(backoff_ns, episode_since_ns(now_ns, from));
    return from != EPISODE_NEVER_NS && left > 0 ? left : 0;
}

bool episode_open_at(const struct episode *self, int64_t backoff_ns, int64_t now_ns)
{
    return self->open && (self->request_live || episode_backoff_left_ns(self, backoff_ns, now_ns) > 0);
}

void episode_trigger(struct episode *self, uint32_t kpi, int64_t now_ns)
{
    self->last_trigger_ns = now_ns;
    self->remembered_ns = EPISODE_NEVER_NS;
    if (!self->open)
        self->kpi = kpi;
    self->open = true;
}

void episode_remember(struct episode *self, int64_t last_trigger_ns, uint32_t kpi, bool open)
{
    self->remembered_ns = last_trigger_ns;
    self->kpi = kpi;
    self->open = open;
}

/* A trigger that is remembered as it was: its moment is known better here than to those who were told of it. */
static bool confirm(struct episode *self, int64_t since_ns)
{
    const int64_t then_ns = self->remembered_ns, apart_ns = episode_since_ns(since_ns, then_ns);
    if (then_ns == EPISODE_NEVER_NS)
        return false;
    self->remembered_ns = EPISODE_NEVER_NS;
    if (apart_ns < -SAME_NS || apart_ns > SAME_NS) {
        self->open = false;
        self->kpi = EPISODE_KPI_UNKNOWN;
        return false;
    }
    self->last_trigger_ns = then_ns;
    return true;
}

void episode_triggered_at(struct episode *self, int64_t since_ns)
{
    if (confirm(self, since_ns))
        return;
    if (since_ns > self->last_trigger_ns)
        episode_trigger(self, EPISODE_KPI_UNKNOWN, since_ns);
}

void episode_request_live(struct episode *self, bool live, int64_t since_ns)
{
    self->request_live = live;
    if (!live && since_ns > self->request_end_ns)
        self->request_end_ns = since_ns;
}

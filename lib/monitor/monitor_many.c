/* Many events of a model that came together: those of no consequence go to windows and rules at once, from where they
 * stand. What is done for each where they come one by one is done once here: to ask for bounds, to hold values against
 * them, to count. Some 200 instructions an event of five metrics without rules. */
#include <math.h>

#include "lib/monitor/monitor_inside.h"

#define AT_ONCE_WITH_RULES 16 /* whose bounds are the closer the more there are */

/* So many of them are like the first, each metric as far behind the one before; *at_s is when they were measured. */
static uint32_t alike(const struct metric_event *events, uint32_t count, double now_s, double *at_s)
{
    const struct metric_event *event = events;
    const struct metric *metrics = events->metrics;
    for (uint32_t i = 0; i < count; i++, event++, metrics += events->metric_count) {
        if (event->shape != events->shape || event->n != 1 || event->metrics != metrics)
            return i;
        at_s[i] = monitor_measured_at(event, now_s);
    }
    return count;
}

/* How many numbers, which are `stride` bytes apart, are within the bounds before the first that is not. Mostly all are.
 */
static uint32_t within(const char *first, size_t stride, uint32_t count, const struct asked_bounds *bounds)
{
    double least[2] = {INFINITY, INFINITY}, most[2] = {-INFINITY, -INFINITY};
    const char *at = first;
    for (uint32_t i = count / 2; i > 0; i--, at += 2 * stride) {
        const double one = *(const double *)(const void *)at, other = *(const double *)(const void *)(at + stride);
        least[0] = one < least[0] ? one : least[0];
        most[0] = one > most[0] ? one : most[0];
        least[1] = other < least[1] ? other : least[1];
        most[1] = other > most[1] ? other : most[1];
    }
    const uint32_t all = count & ~1u;
    if (fmin(least[0], least[1]) >= bounds->low && fmax(most[0], most[1]) <= bounds->high && all == count)
        return count;
    at = first;
    for (uint32_t i = 0; i < count; i++, at += stride) {
        const double value = *(const double *)(const void *)at;
        if (!(value >= bounds->low && value <= bounds->high))
            return i;
    }
    return count;
}

/* How many of so many events keep to what was found. */
static uint32_t keep(struct asking *asked, const struct metric_event *events, uint32_t count)
{
    const struct metric *metrics = events->metrics;
    const size_t stride = asked->metrics * sizeof *metrics;
    for (uint32_t i = 0; i < asked->metrics && count > 0; i++)
        count = within((const char *)&metrics[i].number, stride, count, &asked->bounds[i]);
    for (struct batch_link *link = asked->link, *end = link + asked->links; link < end; link++)
        for (uint32_t i = 0; i < count; i++)
            if (!batch_link_keeps(link, events[i].metrics[link->metric].number))
                count = i;
    return count;
}

static uint32_t at_once(const struct monitor *self, uint32_t count)
{
    const uint32_t most = self->rules.count ? AT_ONCE_WITH_RULES : WINDOW_MANY;
    const uint32_t least = most < self->settings->window ? most : self->settings->window;
    return count < least ? count : least;
}

/* The first of them, at most WINDOW_MANY; *more: those behind may be asked for. */
static uint32_t take_some(struct monitor *self, const struct metric_event *events, uint32_t count, int64_t now_ns,
                          double now_s, struct verdict *out, bool *more)
{
    struct asking asked;
    double at_s[WINDOW_MANY];
    *more = false;
    const uint32_t like = alike(events, at_once(self, count), now_s, at_s);
    if (like < MONITOR_MANY_LEAST || !batch_find(self, events, now_ns, like, &asked) || asked.eager ||
        now_ns >= asked.until_ns)
        return 0;
    const uint32_t most = asked.most < like ? asked.most : like, kept = keep(&asked, events, most);
    const struct metric_columns columns = {
        at_s,
        {(const char *)&events->metrics->number, (uint32_t)(asked.metrics * sizeof *events->metrics), false},
        sizeof *events->metrics,
        kept};
    if (kept == 0)
        return 0;
    batch_take(self, asked.metrics, asked.healthy, &columns);
    self->events += kept;
    self->last_event_ns = now_ns;
    *out = (struct verdict){.evaluation = asked.healthy ? EVALUATION_HEALTHY : EVALUATION_NONE};
    *more = kept == most;
    return kept;
}

uint32_t monitor_add_many(struct monitor *self, const struct metric_event *events, uint32_t count, int64_t now_ns,
                          double now_s, struct verdict *out)
{
    uint32_t taken = 0;
    if (count < MONITOR_MANY_LEAST || self->batch.unasked > 0)
        return 0;
    monitor_settle(self);
    for (bool more = true; more && count - taken >= MONITOR_MANY_LEAST;)
        taken += take_some(self, events + taken, count - taken, now_ns, now_s, out, &more);
    return taken;
}

/* episode.h - one model's drift episode, and the back-off between triggers.
 *
 * An episode opens with a trigger. It closes when the model recovers, or when the back-off has passed and no request is
 * live. The back-off runs from the later of the last trigger and the end of the last request. Times are nanoseconds of
 * a clock that does not jump, of any origin.
 *
 * Who restores a monitor remembers how the episode stood at its last trigger, and is told by others when that was: what
 * was open and for whose sake counts again only if they speak of the same trigger, to a second.
 *
 * Threads: values, no state of their own. Memory: none. Failure: none.
 */
#ifndef DRIFT_LIB_MONITOR_EPISODE_H
#define DRIFT_LIB_MONITOR_EPISODE_H

#include <stdbool.h>
#include <stdint.h>

#define EPISODE_NEVER_NS INT64_MIN
#define EPISODE_KPI_UNKNOWN UINT32_MAX
#define EPISODE_KPI_NONE (UINT32_MAX - 1) /* a drift rule opened it: health does not close it */

struct episode {
    int64_t last_trigger_ns, request_end_ns; /* EPISODE_NEVER_NS */
    int64_t remembered_ns;                   /* a last trigger that nobody has confirmed yet, or EPISODE_NEVER_NS */
    uint32_t kpi;                            /* that opened the latest episode, or EPISODE_KPI_... */
    bool open;                               /* as of the last look at the time */
    bool request_live;
};

/* Nanoseconds from `then` to `now`, at the ends of what 64 bits hold where they do not suffice. */
int64_t episode_since_ns(int64_t now_ns, int64_t then_ns);

struct episode episode_none(void);

/* Back-off that is left at now_ns; 0: a trigger may go out. */
int64_t episode_backoff_left_ns(const struct episode *self, int64_t backoff_ns, int64_t now_ns);
bool episode_open_at(const struct episode *self, int64_t backoff_ns, int64_t now_ns);

/* The model's own trigger. */
void episode_trigger(struct episode *self, uint32_t kpi, int64_t now_ns);

/* How an episode stood before a restart. */
void episode_remember(struct episode *self, int64_t last_trigger_ns, uint32_t kpi, bool open);

/* What others tell: see monitor_triggered_at() and monitor_request_live(). */
void episode_triggered_at(struct episode *self, int64_t since_ns);
void episode_request_live(struct episode *self, bool live, int64_t since_ns);

#endif

/* rule_batch.h - events that wait for a model's rules, since no rule can have a word to say about them.
 *
 * What a rule touches of memory has mostly left the cache when its model's next event comes, and there are four to six
 * lines of it a rule. So a rule says in advance between which bounds values are of no consequence (detect_quiet()), for
 * so many of them. As long as all keep to them they are only written down, one line of memory an event; then each rule
 * takes its own together. An event that may matter to any rule makes all take what waits before it, and is taken at
 * once: every decision is the one that would have been made, at the same event, to the last bit.
 *
 * Cost of an event that waits: some 25 instructions a rule; the bounds, once in RULE_BATCH events, about 100 a rule.
 *
 * Threads, memory, failure: as in rule_state.h.
 */
#ifndef DRIFT_LIB_MONITOR_RULE_BATCH_H
#define DRIFT_LIB_MONITOR_RULE_BATCH_H

#include "lib/monitor/rule_state.h"

#define RULE_BATCH 8 /* events that wait at most: the more, the closer the bounds */

#define RULE_BATCH_BYTES 384 /* of memory for each rule, at most: that of the only one */
#define RULE_BATCH_ABSENT UINT32_MAX

/* What an event is held against for one rule. */
struct rule_band {
    double low, high, phi, previous; /* as in struct detect_quiet, */
    bool logs;                       /* and so is this */
    bool eager;                      /* takes each event at once: its kind of detector has no bounds */
    bool errors;                     /* the detector takes errors, the metric tells what is right */
    uint32_t at;                     /* which of the event's metrics is the rule's; RULE_BATCH_ABSENT: none */
};

struct rule_batch {
    struct rule_band *bands; /* one a rule, and behind them RULE_BATCH rows: when an event was measured, and its value
                                for each rule; NAN: it has none */
    uint64_t shape;          /* of the events (struct metric_event) that the bands know their way in; 0: of none */
    uint32_t rules, eager;   /* rules; those that are */
    uint32_t stride;         /* numbers from row to row */
    uint32_t waiting, most;  /* events; and how many may */
    int64_t until_ns;        /* none from then on */
    uint32_t in_vain;        /* times in a row that the next event did not keep to new bounds */
    uint32_t unasked;        /* events that are taken before the bounds are asked for again */
};

/* For so many rules; 0 or -ENOMEM. */
int rule_batch_open(struct rule_batch *self, const struct drift_rule *rules, uint32_t count);
void rule_batch_close(struct rule_batch *self);

/* Finds each rule's metric in an event. */
void rule_batch_place(struct rule_batch *self, const struct drift_rule *rules, const struct metric_event *event);

/* Whether the event, whose metrics have been found, waits: then all rules but those that are eager are done with it. */
bool rule_batch_wait(struct rule_batch *self, struct rule_state *const *states, const struct drift_rule *rules,
                     const struct metric_event *event, int64_t now_ns, double at_s);

/* Lets the rules take what waits. Until the bounds are asked for again nothing does. */
void rule_batch_flush(struct rule_batch *self, struct rule_state *const *states, const struct drift_rule *rules);

/* Asks the memory for what an event that waits will touch. */
void rule_batch_prefetch(const struct rule_batch *self);

#endif

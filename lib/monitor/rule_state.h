/* rule_state.h - one drift rule at work on one model.
 *
 * State and detector stand one behind the other on lines of the cache of their own, with what every value touches
 * first; when its values came is kept apart, mostly for several rules together (rule_times.h).
 *
 * Threads: belongs to its monitor's. Memory: the rule set's, which may move it as it is; rule_state_take() takes
 * more while a reference is collected, as a stream gets long, and for a first histogram or categories. Failure:
 * -ENOMEM; an event that a rule could not take is as if it had not carried the metric.
 */
#ifndef DRIFT_LIB_MONITOR_RULE_STATE_H
#define DRIFT_LIB_MONITOR_RULE_STATE_H

#include "lib/monitor/rule.h"
#include "lib/monitor/rule_times.h"

/* One line of the cache. */
struct rule_state {
    uint64_t key;   /* where an event had the metric the last time: under which key (struct metric); 0: none, */
    uint16_t guess; /* and which of its metrics it was */
    uint16_t place; /* the same in events that wait (monitor_batch.h); RULE_NO_PLACE: they have none */
    uint16_t step;  /* of the promise */
    bool errors;    /* the detector takes errors, the metric tells what is right */
    bool moved;     /* it has taken what rule_times_add() is to hear of */
    double rate;    /* values a second, measured; 0: not yet */
    int64_t counted_since_ns;    /* when the measurement under way began, */
    uint32_t counted;            /* and its values */
    uint32_t refused;            /* values of a kind that the detector does not take, or that it had no memory for */
    double statistic, threshold; /* the latest; NAN: it does not judge yet */
    struct rule_times *times;    /* of the values that the detector has taken since it began; NULL: not known */
};

#define RULE_NO_PLACE UINT16_MAX

/* Its detector, which begins on a line of its own behind the state. */
struct detect *rule_state_detect(const struct rule_state *self);

/* Whether the rule's parameters make sense. */
bool rule_state_possible(const struct drift_rule *rule);

/* Whole lines that the state of such a rule takes, detector included. */
size_t rule_state_bytes(const struct drift_rule *rule);

/* Begins one in so many bytes; gives back what it took beside them. */
void rule_state_open(struct rule_state *self, const struct drift_rule *rule);
void rule_state_close(struct rule_state *self);

/* Asks the memory for what value number `index` will touch: of a rule that took all so far, the next. */
void rule_state_prefetch(const struct rule_state *self, const struct drift_rule *rule, uint64_t index);

/* Where an event carries the rule's metric; NULL: it does not. */
const struct metric *rule_state_find(struct rule_state *self, const struct drift_rule *rule,
                                     const struct metric_event *event);

/* Takes a metric; `room` holds its categories if it has some. True: *out is a drift. When it came rule_times_add() is
 * to say. */
bool rule_state_take(struct rule_state *self, const struct drift_rule *rule, const struct metric *metric,
                     struct detect_category *room, int64_t now_ns, struct detect_verdict *out);

/* What may come without a word, for so many values at most, and until when. False: its kind of detector never knows. */
bool rule_state_quiet(const struct rule_state *self, const struct drift_rule *rule, uint32_t most,
                      struct detect_quiet *out, int64_t *until_ns);

bool rule_state_knows_quiet(const struct rule_state *self);

/* Takes numbers that kept to it, errors where the detector takes these; the same goes for when they came. */
void rule_state_take_quiet(struct rule_state *self, const struct drift_rule *rule, const double *values,
                           uint32_t count);

/* Thresholds for another promise of the same rule, without forgetting anything. */
void rule_state_keep_promise(struct rule_state *self, const struct drift_rule *rule);

/* Looks at the parameters of the same rule in other settings from now on. */
void rule_state_adopt(struct rule_state *self, const struct drift_rule *rule);

/* Counts a value that was not taken. */
void rule_state_refuse(struct rule_state *self);

/* Values taken since it began. */
uint64_t rule_state_taken(const struct rule_state *self);

/* Saves the state, or loads it into one that is new, which then goes on bit for bit. A state of other parameters, or
 * any for NULL, is passed over: false. For shift_ns see codec_moment(). */
bool rule_state_walk(struct rule_state *self, const struct drift_rule *rule, struct codec *codec, int64_t shift_ns);

/* Begins anew, with a new reference; what is known of the rate stays. */
void rule_state_restart(struct rule_state *self);

/* Values go by that the rule does not see: the rate is measured anew behind them. */
void rule_state_pause(struct rule_state *self);

/* When the change of a verdict began; `otherwise` where there is no estimate. */
double rule_state_change_s(const struct rule_state *self, const struct detect_verdict *verdict, double otherwise);

/* Values for each false alarm that the thresholds in force promise; 0: nothing is promised. */
double rule_state_promise(const struct rule_state *self, const struct drift_rule *rule);

#endif

/* rule_set.h - all drift rules of one model.
 *
 * While a model has an open episode, a live request or back-off left, its rules are not fed: nothing they could say
 * would be heard, and they would learn from a model that is known to be ill. When that is over they begin anew, with a
 * new reference; but where the model recovered by itself they go on as they stood: it is what it was.
 *
 * Threads, memory, failure: as in rule_state.h.
 */
#ifndef DRIFT_LIB_MONITOR_RULE_SET_H
#define DRIFT_LIB_MONITOR_RULE_SET_H

#include "lib/monitor/allowance.h"
#include "lib/monitor/rule_state.h"

struct rule_set {
    const struct drift_rule *rules;
    struct rule_state **states; /* which stand behind their places */
    const struct rule_times *times; /* of the first rule, for rule_set_prefetch() */
    uint32_t count;
    bool paused;    /* by a person */
    bool blind;     /* values went by unseen */
    bool recovered; /* and meanwhile the model did */
    bool judged;
    struct detect_category *room;
    uint32_t room_count;
};

/* What the first rule says that found a drift. */
struct rule_alarm {
    uint32_t rule;
    struct detect_verdict verdict;
    double change_at_s;
};

/* How many bytes a block has that begins on a line, with `before` bytes of something else, and states and their places
 * behind these. 0 or -EINVAL: parameters of a rule make no sense. */
int rule_set_room(const struct drift_rule *rules, uint32_t count, size_t before, size_t *bytes);

/* Begins all rules in such a block, which is the caller's and outlives the set; `at` is behind what stands before. */
void rule_set_open(struct rule_set *self, const struct drift_rule *rules, uint32_t count, void *at);

/* The same without any state: each place is to get one, begun or moved from another set, of which it is taken out. */
void rule_set_lay_out(struct rule_set *self, const struct drift_rule *rules, uint32_t count, void *at);
void rule_set_close(struct rule_set *self);

/* Takes the memory that rule_set_take() may need. -ENOMEM also where it is not allowed. */
int rule_set_prepare(struct rule_set *self, const struct metric_event *event, const struct allowance *allowance);

/* Takes one event. True: *out has an alarm. A first histogram that is not allowed the memory for its cells is refused.
 */
bool rule_set_take(struct rule_set *self, const struct metric_event *event, const struct allowance *allowance,
                   int64_t now_ns, double at_s, struct rule_alarm *out);

/* monitor_bytes.c: what the cells take that a first histogram or categories would make; 0: none are needed. */
uint64_t rule_cells_bytes(const struct drift_rule *rule, const struct detect *detect);

/* The same of an event that otherwise waits, for the rules that take such at once. */
bool rule_set_take_eager(struct rule_set *self, const struct metric_event *event, int64_t now_ns, double at_s,
                         struct rule_alarm *out);

/* Goes on with the same rules, which stand elsewhere. */
void rule_set_adopt(struct rule_set *self, const struct drift_rule *rules);

/* When the values came that rules have been given without rule_set_take(). */
void rule_set_came(struct rule_set *self, const double *at_s, uint32_t values);

/* Saves the set, or loads what a set of the same or of other rules has saved into a new one: a rule goes on bit for bit
 * where one of the same metric, detector and parameters was saved, and is new elsewhere. For shift_ns see
 * codec_moment(). */
void rule_set_walk(struct rule_set *self, struct codec *codec, int64_t shift_ns);

/* Lets an event go by. */
void rule_set_skip(struct rule_set *self, bool recovered);

/* Asks the memory for what event number `index` will touch: step 0 for where it is, 1 for itself. */
void rule_set_prefetch(const struct rule_set *self, unsigned step, uint64_t index);

/* The same while a person keeps the model from triggering: the rules go on afterwards with what they knew. */
void rule_set_pause(struct rule_set *self);

#endif

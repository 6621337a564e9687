#include "lib/monitor/rule_state.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/detect/detector.h"
#include "lib/lines.h"

#define RATE_FIRST 100                     /* values of the first measurement: charts do not judge before */
#define RATE_VALUES 500                    /* of each later one, */
#define RATE_LEAST_NS INT64_C(60000000000) /* which lasts that long at least: values may come in heaps */

static_assert(sizeof(struct rule_state) == LINES_BYTES, "a state is a cache line");

struct detect *rule_state_detect(const struct rule_state *self)
{
    return (struct detect *)(uintptr_t)(self + 1);
}

/* The step to begin with: for the highest rate. */
static uint16_t first_step(const struct drift_rule *rule)
{
    return rule->step_count ? (uint16_t)(rule->step_count - 1) : 0;
}

static const struct detect_params *first_params(const struct drift_rule *rule)
{
    return rule->step_count ? &rule->steps[first_step(rule)] : &rule->params;
}

bool rule_state_possible(const struct drift_rule *rule)
{
    const struct detect_params *params = first_params(rule);
    return params->type && strcmp(params->type->name, rule->detector) == 0 && detect_params_check(params, NULL) == 0;
}

size_t rule_state_bytes(const struct drift_rule *rule)
{
    const size_t bytes = sizeof(struct rule_state) + detect_room(first_params(rule));
    return (bytes + LINES_BYTES - 1) / LINES_BYTES * LINES_BYTES;
}

void rule_state_open(struct rule_state *self, const struct drift_rule *rule)
{
    *self = (struct rule_state){
        .step = first_step(rule), .errors = rule_of_errors(rule), .statistic = NAN, .threshold = NAN};
    detect_open(rule_state_detect(self), first_params(rule));
}

void rule_state_close(struct rule_state *self)
{
    detect_close(rule_state_detect(self));
    rule_times_leave(self);
}

void rule_state_prefetch(const struct rule_state *self, const struct drift_rule *rule, uint64_t index)
{
    lines_ask(self);
    detect_prefetch(rule_state_detect(self), &rule->params, index);
}

const struct metric *rule_state_find(struct rule_state *self, const struct drift_rule *rule,
                                     const struct metric_event *event)
{
    uint32_t at = self->guess < event->metric_count ? self->guess : 0;
    if (at < event->metric_count && self->key && event->metrics[at].key == self->key)
        return &event->metrics[at];
    for (uint32_t tried = 0; tried < event->metric_count; tried++) {
        if (text_is(event->metrics[at].name, rule->metric)) {
            self->guess = (uint16_t)at;
            self->key = event->metrics[at].key;
            return &event->metrics[at];
        }
        at = at + 1 == event->metric_count ? 0 : at + 1;
    }
    return NULL;
}

/* A count that stays at its end. */
static uint32_t more(uint32_t count, uint32_t values)
{
    return count < UINT32_MAX - values ? count + values : UINT32_MAX;
}

/* Counts one value; true when a measurement is complete. */
static bool measure(struct rule_state *self, int64_t now_ns)
{
    self->counted = more(self->counted, 1);
    if (self->counted == 1) {
        self->counted_since_ns = now_ns;
        return false;
    }
    if (self->counted < RATE_VALUES && !(self->rate <= 0 && self->counted >= RATE_FIRST))
        return false;
    int64_t passed_ns;
    if (__builtin_sub_overflow(now_ns, self->counted_since_ns, &passed_ns) || passed_ns <= 0)
        return false;
    const bool whole = self->counted >= RATE_VALUES && passed_ns >= RATE_LEAST_NS;
    if (!whole && !(self->rate <= 0 && self->counted >= RATE_FIRST))
        return false;
    self->rate = (double)(self->counted - 1) * 1e9 / (double)passed_ns;
    if (whole) {
        self->counted = 1;
        self->counted_since_ns = now_ns;
    }
    return true;
}

/* The thresholds of a step of the promise. */
static void take_step(struct rule_state *self, const struct drift_rule *rule, uint32_t step)
{
    int error = detect_retune(rule_state_detect(self), rule->step_count ? &rule->steps[step] : &rule->params);
    assert(error == 0);
    (void)error;
    self->step = (uint16_t)step;
}

void rule_state_adopt(struct rule_state *self, const struct drift_rule *rule)
{
    take_step(self, rule, self->step);
}

void rule_state_keep_promise(struct rule_state *self, const struct drift_rule *rule)
{
    take_step(self, rule, self->rate > 0 ? rule_step_for(rule, self->rate) : rule->step_count - 1);
}

static void follow_rate(struct rule_state *self, const struct drift_rule *rule, int64_t now_ns)
{
    if (rule->step_count < 2 || !measure(self, now_ns))
        return;
    uint32_t step = rule_step_for(rule, self->rate);
    if (step != self->step)
        take_step(self, rule, step);
}

static int add_categories(struct rule_state *self, const struct metric *metric, struct detect_category *room,
                          struct detect_verdict *out)
{
    for (uint32_t i = 0; i < metric->categories.count; i++)
        room[i] = (struct detect_category){metric->categories.at[i].name, metric->categories.at[i].count};
    return detect_add_categories(rule_state_detect(self), room, metric->categories.count, out);
}

static int add(struct rule_state *self, const struct metric *metric, struct detect_category *room,
               struct detect_verdict *out)
{
    switch (metric->kind) {
    case METRIC_NUMBER:
        detect_take(rule_state_detect(self), self->errors ? 1 - metric->number : metric->number, out);
        return 0;
    case METRIC_HISTOGRAM:
        return detect_add_histogram(rule_state_detect(self), metric->histogram.edges, metric->histogram.counts,
                                    metric->histogram.bins, out);
    case METRIC_CATEGORIES:
        return add_categories(self, metric, room, out);
    }
    return -EINVAL;
}

void rule_state_refuse(struct rule_state *self)
{
    self->refused = more(self->refused, 1);
}

bool rule_state_take(struct rule_state *self, const struct drift_rule *rule, const struct metric *metric,
                     struct detect_category *room, int64_t now_ns, struct detect_verdict *out)
{
    const uint64_t taken = rule_state_taken(self);
    follow_rate(self, rule, now_ns);
    if (add(self, metric, room, out) != 0) {
        rule_state_refuse(self);
        return false;
    }
    if (out->n == taken)
        return false;
    self->moved = true;
    if (isfinite(out->statistic)) {
        self->statistic = out->statistic;
        self->threshold = out->threshold;
    }
    return out->state == DETECT_DRIFT;
}

/* Values of which none ends a measurement: until the first so many less one; later until RATE_VALUES may be there and
 * their time has passed. */
static uint32_t unmeasured(const struct rule_state *self, uint32_t most, int64_t *until_ns)
{
    if (self->counted == 0)
        return 0;
    if (self->rate <= 0) {
        const uint32_t left = self->counted < RATE_FIRST - 1 ? RATE_FIRST - 1 - self->counted : 0;
        return left < most ? left : most;
    }
    if (more(self->counted, most) >= RATE_VALUES &&
        __builtin_add_overflow(self->counted_since_ns, RATE_LEAST_NS, until_ns))
        *until_ns = INT64_MAX;
    return most;
}

/* The first value that is judged is of consequence: from then on the model is no longer one that warms up. */
static bool begins(const struct rule_state *self)
{
    struct detect_reference reference;
    return isnan(self->statistic) && detect_reference(rule_state_detect(self), &reference) == 0 && reference.judging;
}

bool rule_state_quiet(const struct rule_state *self, const struct drift_rule *rule, uint32_t most,
                      struct detect_quiet *out, int64_t *until_ns)
{
    *until_ns = INT64_MAX;
    if (!detect_quiet(rule_state_detect(self), most, out))
        return false;
    if (begins(self))
        out->values = 0;
    const uint32_t uncounted = rule->step_count < 2 ? most : unmeasured(self, most, until_ns);
    out->values = out->values < uncounted ? out->values : uncounted;
    return true;
}

bool rule_state_knows_quiet(const struct rule_state *self)
{
    return detect_knows_quiet(rule_state_detect(self));
}

uint64_t rule_state_taken(const struct rule_state *self)
{
    return detect_taken(rule_state_detect(self));
}

void rule_state_take_quiet(struct rule_state *self, const struct drift_rule *rule, const double *values, uint32_t count)
{
    struct detect_verdict verdict;
    if (rule->step_count >= 2)
        self->counted = more(self->counted, count);
    detect_take_quiet(rule_state_detect(self), values, count, &verdict);
    self->moved = true;
    if (isfinite(verdict.statistic)) {
        self->statistic = verdict.statistic;
        self->threshold = verdict.threshold;
    }
}

void rule_state_restart(struct rule_state *self)
{
    detect_reset(rule_state_detect(self));
    self->statistic = self->threshold = NAN;
    rule_times_leave(self);
    rule_state_pause(self);
}

void rule_state_pause(struct rule_state *self)
{
    self->counted = 0;
}

double rule_state_change_s(const struct rule_state *self, const struct detect_verdict *verdict, double otherwise)
{
    return verdict->changed_at == DETECT_UNKNOWN || !self->times
               ? otherwise
               : moments_get(&self->times->moments, verdict->changed_at);
}

double rule_state_promise(const struct rule_state *self, const struct drift_rule *rule)
{
    return rule->step_count ? rule->steps[self->step].promise : 0;
}

static void save_detect(const struct detect *detect, struct codec *codec)
{
    const size_t opened = codec_open(codec);
    const bool writes = codec->out && !codec->failed;
    codec_skip(codec,
               detect_save(detect, writes ? codec->out + codec->at : NULL, writes ? codec->size - codec->at : 0));
    codec_close(codec, opened);
}

/* The step that was in force; where the rule has others now, the one for the rate that was measured. The detector has
 * to have its thresholds before it is loaded. */
static void load_step(struct rule_state *self, const struct drift_rule *rule, uint32_t steps, uint32_t step,
                      double rate)
{
    if (rule->step_count < 2)
        return;
    if (steps != rule->step_count)
        step = rate > 0 ? rule_step_for(rule, rate) : self->step;
    if (step < rule->step_count && detect_retune(rule_state_detect(self), &rule->steps[step]) == 0)
        self->step = (uint16_t)step;
}

/* The detector's own part; false: it is of other parameters, or damaged. */
static bool load_detect(struct detect *detect, const uint8_t *saved, size_t size, struct codec *codec)
{
    int error = detect_load(detect, saved, size);
    if (error == -ENOMEM)
        codec->failed = codec->out_of_memory = true;
    return error == 0;
}

/* A count that has become narrower. */
static void walk_count(uint32_t *count, struct codec *codec)
{
    uint64_t whole = *count;
    codec_u64(codec, &whole);
    *count = whole < UINT32_MAX ? (uint32_t)whole : UINT32_MAX;
}

static void walk_head(struct rule_state *at, uint64_t taken, uint32_t *steps, uint32_t *step, struct codec *codec,
                      int64_t shift_ns)
{
    codec_u64(codec, &taken);
    walk_count(&at->refused, codec);
    codec_u32(codec, steps, RULE_STEPS_MAX);
    codec_u32(codec, step, RULE_STEPS_MAX - 1);
    codec_f64(codec, &at->rate);
    walk_count(&at->counted, codec);
    codec_moment(codec, &at->counted_since_ns, shift_ns);
    codec_f64(codec, &at->statistic);
    codec_f64(codec, &at->threshold);
    rule_times_walk(at, taken, codec);
}

bool rule_state_walk(struct rule_state *self, const struct drift_rule *rule, struct codec *codec, int64_t shift_ns)
{
    struct rule_state at = {0};
    if (!codec_loads(codec))
        at = *self;
    uint32_t steps = codec_loads(codec) ? 0 : rule->step_count, step = at.step;
    walk_head(&at, codec_loads(codec) ? 0 : rule_state_taken(self), &steps, &step, codec, shift_ns);
    if (!codec_loads(codec)) {
        save_detect(rule_state_detect(self), codec);
        return true;
    }
    const size_t size = codec_open(codec);
    const uint8_t *saved = codec->in + codec->at;
    codec_skip(codec, size);
    if (!codec->failed && self) {
        load_step(self, rule, steps, step, at.rate);
        if (load_detect(rule_state_detect(self), saved, size, codec)) {
            at.step = self->step;
            at.errors = self->errors;
            *self = at;
            return true;
        }
    }
    rule_times_leave(&at);
    return false;
}

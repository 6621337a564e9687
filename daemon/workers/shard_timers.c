#include <stdio.h>

#include "daemon/base/log.h"
#include "daemon/workers/shard_inside.h"

#define ROUND_SLICE 256   /* models looked at in one turn: some ten microseconds, and */
#define ROUND_PASSED 8192 /* so many that need not be: a few more */
#define STREAMS_SLICE 2048
#define LOSSES_A_ROUND 16
#define LOST_EVERY_NS (10 * CLOCK_S_NS) /* one report of losses a node */
#define LOG_EVERY_NS (60 * CLOCK_S_NS)  /* one line about drops a shard */
#define DOWN_GATHER_NS (10 * CLOCK_S_NS) /* before the line about what is missing from while the daemon was down */

static void sample_rate(struct shard *self, int64_t now_ns)
{
    uint32_t at = self->sample_count++ % RATE_SAMPLES;
    self->samples[at].at_ns = now_ns;
    self->samples[at].events = self->events;
    if (self->sample_count == 2 * RATE_SAMPLES)
        self->sample_count = RATE_SAMPLES;
}

/* Events a second since the oldest sample, which is about five seconds old; 0 before there is one. */
double shard_rate(const struct shard *self, int64_t now_ns)
{
    if (self->sample_count == 0)
        return 0.0;
    uint32_t oldest = self->sample_count < RATE_SAMPLES ? 0 : self->sample_count % RATE_SAMPLES;
    int64_t span_ns = now_ns - self->samples[oldest].at_ns;
    if (span_ns < CLOCK_S_NS / 10)
        return 0.0;
    return (double)(self->events - self->samples[oldest].events) / ((double)span_ns / (double)CLOCK_S_NS);
}

static void tell_losses(struct shard *self, struct now now)
{
    uint64_t fresh;
    for (int i = 0; i < LOSSES_A_ROUND; i++) {
        const struct ledger_node *node = ledger_untold(self->ledger, LOST_EVERY_NS, now.steady_ns, &fresh);
        if (!node)
            break;
        herald_lost(self, node, fresh, now);
    }
}

/* Nodes come back one after the other: one line for those of DOWN_GATHER_NS. */
static void log_while_down(struct shard *self, struct now now)
{
    const uint64_t missing = ledger_while_down(self->ledger) - self->down_told;
    if (missing == 0)
        return;
    if (self->down_ns == 0)
        self->down_ns = now.steady_ns + DOWN_GATHER_NS;
    if (now.steady_ns < self->down_ns)
        return;
    log_warning("messages that nodes sent while the daemon was down never arrived: a node that the daemon connects to keeps "
                "none meanwhile",
                LOG_NUMBER("missing", missing));
    self->down_told += missing;
    self->down_ns = 0;
}

/* At most one line a minute, with the reason that has grown most seldom told: the last one seen. */
static void log_drops(struct shard *self, struct now now)
{
    uint64_t sum = rejects_sum(&self->rejects);
    if (sum == self->rejects.told || (self->log_ns != 0 && now.steady_ns - self->log_ns < LOG_EVERY_NS))
        return;
    const struct reject *last = NULL;
    int reason = 0;
    for (int i = 0; i < DROP_REASONS; i++) {
        const struct reject *reject = &self->rejects.of[i];
        if (reject->count && (!last || reject->at_s >= last->at_s)) {
            last = reject;
            reason = i;
        }
    }
    if (!last)
        return;
    char topic[REJECT_TOPIC_MAX + 1];
    snprintf(topic, sizeof topic, "%.*s", (int)last->topic_len, last->topic);
    log_warning("dropped at the door; `driftc rejects` shows the last of each kind",
                LOG_NUMBER("dropped", sum - self->rejects.told), LOG_TEXT("last_reason", metric_drop_name(reason)),
                LOG_TEXT("detail", last->detail), LOG_TEXT("topic", topic));
    self->rejects.told = sum;
    self->log_ns = now.steady_ns;
}

/* The model that the round is at has said nothing for state.keep. Somebody who counts places or holds on to it has it stay
 * for now, and so has a request, its back-off or a person's word that is still to come. A checkpoint counts those behind it
 * only: into its place comes the last, which is still to be written like itself. */
static bool may_go(const struct shard *self, struct now now)
{
    const struct model *model = models_at(self->models, self->round_at);
    const bool counted = self->walks || self->slice_at > self->round_at || self->renewal || self->silences_at != UINT32_MAX;
    return self->options.keep_ns > 0 && now.steady_ns - model->heard_ns > self->options.keep_ns && !model->live &&
           !model->unrecoverable && !counted && !shard_asks_about(self, model) &&
           monitor_backoff_left_ns(model->monitor, now.steady_ns) == 0;
}

static void forget(struct shard *self)
{
    struct model *model = models_at(self->models, self->round_at);
    shard_give_back(self, model);
    ledger_part(self->ledger, &model->sender, model->hash);
    models_remove(self->models, self->round_at);
    atomic_fetch_sub_explicit(self->options.model_count, 1, memory_order_relaxed);
    self->forgotten++;
}

static uint32_t second_of(int64_t ns)
{
    const int64_t second = ns / CLOCK_S_NS;
    return second < 0 ? 0 : second < UINT32_MAX ? (uint32_t)second : UINT32_MAX;
}

/* The model that the round is at may have fallen silent. When it has to be looked at again, at the latest: before it can
 * have been silent for so long from now on, as nobody says then that it was heard. */
static int64_t look_for_silence(struct shard *self, struct now now)
{
    struct model *model = models_at(self->models, self->round_at);
    const int64_t patience_ns = monitor_settings_of(model->monitor)->stale_after_ns;
    const int64_t since_ns = model->heard_ns > model->back_ns ? model->heard_ns : model->back_ns;
    if (patience_ns == 0)
        return INT64_MAX;
    if (!model->silent_told && now.steady_ns - since_ns < patience_ns)
        return since_ns + patience_ns;
    if (!model->silent_told) {
        model->silent_told = model->changed = true; /* the next checkpoint knows it too */
        herald_silent(self, model, now);
        self->silent++;
        self->silent_example = model->text;
    }
    return now.steady_ns + patience_ns;
}

/* When it will have said nothing for state.keep; once it has, whether it may go is asked each second. */
static int64_t kept_until(const struct shard *self, struct now now)
{
    const struct model *model = models_at(self->models, self->round_at);
    if (self->options.keep_ns == 0)
        return INT64_MAX;
    return now.steady_ns - model->heard_ns > self->options.keep_ns ? 0 : model->heard_ns + self->options.keep_ns;
}

static void look(struct shard *self, struct now now)
{
    if (may_go(self, now)) {
        forget(self);
        return;
    }
    const int64_t silent_ns = look_for_silence(self, now), kept_ns = kept_until(self, now);
    models_put_off(self->models, self->round_at++, second_of(silent_ns < kept_ns ? silent_ns : kept_ns));
}

static void look_at_some(struct shard *self, struct now now)
{
    const uint32_t from = self->round_at, second = second_of(now.steady_ns);
    for (uint32_t looked = 0; looked < ROUND_SLICE; looked++) {
        const uint32_t count = models_count(self->models),
                       end = count - from < ROUND_PASSED ? count : from + ROUND_PASSED;
        self->round_at = models_due(self->models, self->round_at, end, second);
        if (self->round_at >= end)
            break;
        look(self, now);
    }
}

static void end_round(struct shard *self)
{
    self->round = false;
    if (self->silent)
        log_warning("models have fallen silent: nothing came from them for stale_after",
                    LOG_NUMBER("count", self->silent), LOG_TEXT("model", self->silent_example));
    if (self->forgotten)
        log_info("models are forgotten: nothing came from them for state.keep", LOG_NUMBER("count", self->forgotten));
}

bool shard_timers(struct shard *self, struct now now)
{
    if (!self->round && (self->second_ns == 0 || now.steady_ns - self->second_ns >= CLOCK_S_NS)) {
        self->second_ns = now.steady_ns;
        self->round = true;
        self->round_at = 0;
        self->silent = self->forgotten = 0;
        sample_rate(self, now.steady_ns);
        tell_losses(self, now);
        ledger_sweep(self->ledger, STREAMS_SLICE, now.steady_ns);
        log_while_down(self, now);
        log_drops(self, now);
        shard_asks(self, now);
    }
    if (!self->round)
        return false;
    look_at_some(self, now);
    if (self->round_at >= models_count(self->models))
        end_round(self);
    return self->round;
}

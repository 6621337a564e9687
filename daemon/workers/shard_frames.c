/* What a shard makes of a frame whose model was looked up. */
#include <errno.h>
#include <stdio.h>

#include "daemon/workers/shard_inside.h"
#include "daemon/workers/stages.h"
#include "daemon/workers/topic.h"

#define APART 3 /* runs: what is left to do with one is little */

/* The streams of batch/<node> must not meet those of metrics/<model>. */
#define BATCH_STREAM UINT64_C(0x9e3779b97f4a7c15)

/* --- events --- */

/* Each event goes past those who observe its model, in this order; the monitor's verdict is for those behind it. They
 * are asked first whether they have anything to do: mostly only the monitor has, which then takes many at once. */
static void take_events(struct shard *self, struct model *model, const struct metric_event *events, uint32_t count,
                        struct now now)
{
    const bool records = model->records, taped = self->tape.session != 0;
    const struct metric_event *alone = events, *end = events + count; /* before `alone` one by one */
    model->heard = model->changed = true;
    model->heard_ns = now.steady_ns;
    if (model->silent_told) /* it is back, and serves again once it has shown enough */
        model->silent_told = model->serving_told = model->replaced = false;
    self->events += count;
    for (const struct metric_event *event = events; event < end; event++) {
        struct verdict verdict;
        if (event >= alone && end - event >= MONITOR_MANY_LEAST && model->serving_told && !records && !taped) {
            const uint32_t many =
                monitor_add_many(model->monitor, event, (uint32_t)(end - event), now.steady_ns, now.wall_s, &verdict);
            event += many;
            if (event == end)
                break;
            alone = event + (many < MONITOR_MANY_LEAST / 2 ? MONITOR_MANY_LEAST : 1);
        }
        if (monitor_add(model->monitor, event, now.steady_ns, now.wall_s, &verdict) < 0)
            self->no_memory++;
        if (records)
            recorder_add(&model->recorder, model->monitor, event);
        if (!model->serving_told || verdict_tells(&verdict))
            herald_verdict(self, model, &verdict, now);
        if (taped)
            tape_event(self, model, event, now);
    }
}

/* --- one message --- */

static struct text topic_of(const struct frame *frame)
{
    return (struct text){.at = frame->topic, .len = frame->topic_len};
}

static struct text payload_of(const struct frame *frame)
{
    return (struct text){.at = frame->payload, .len = frame->payload_len};
}

static void reject(struct shard *self, struct frame *frame, enum metric_drop reason, uint64_t count, const char *detail,
                   struct now now)
{
    rejects_count(&self->rejects, reason, count, topic_of(frame), payload_of(frame), detail, now.wall_s);
}

static void reject_all(struct shard *self, struct frame *frame, const uint32_t dropped[DROP_REASONS],
                       const char *const detail[DROP_REASONS], struct now now)
{
    for (int i = 0; i < DROP_REASONS; i++) {
        if (dropped[i])
            reject(self, frame, (enum metric_drop)i, dropped[i], detail[i], now);
    }
}

/* Events whose model cannot be made. */
static void reject_model(struct shard *self, struct frame *frame, uint32_t events, int why, struct now now)
{
    if (why == -ENOSPC)
        reject(self, frame, DROP_TOO_MANY_MODELS, events, "metrics.max_models are known already", now);
    else if (why == -EDQUOT)
        reject(self, frame, DROP_TOO_MANY_MODELS, events, "the memory that models may take is used up", now);
    else
        self->no_memory += events;
}

/* Whether the sender of the message at hand may speak of a project. */
static bool may(const struct shard *self, struct text project)
{
    return !self->sender || keyring_may(self->sender, KEYRING_NODE, project.at, project.len);
}

static const char not_this_project[] = "the sender's key is not for this project";

/* Finds out who sent the frame: a connection outlives the revocation of its key. */
static bool know_sender(struct shard *self, struct frame *frame, struct now now)
{
    if (!self->options.keyring)
        return true;
    self->sender = keyring_find(&self->keys, zmq_msg_gets(&frame->topic_message, "User-Id"));
    if (self->sender && self->sender->role == KEYRING_NODE)
        return true;
    if (frame->accounts)
        reject(self, frame, DROP_UNAUTHORIZED, 1, "the sender's key is not, or no longer, that of a node", now);
    return false;
}

/* What the message says of itself as a whole. */
static inline void account(struct shard *self, struct frame *frame, const struct metric_message *message,
                           uint64_t stream, struct ledger_memo *memo, struct now now)
{
    if (!frame->accounts)
        return;
    self->messages++;
    self->ignored += message->ignored;
    if (message->drops)
        reject_all(self, frame, message->dropped, message->detail, now);
    if (message->has_seq && !(message->same_sender && ledger_again(self->ledger, memo, message->seq, now.steady_ns)))
        ledger_message(self->ledger, memo, stream, message->node, message->boot, message->seq, now.steady_ns);
}

/* A model is made once one of its events has been found good: what is malformed takes no place. */
static void take_metrics(struct shard *self, struct frame *frame, struct text payload, struct model *model,
                         struct now now)
{
    struct text node;
    struct model_id id;
    const struct metric_message *message;
    if (model) {
        id = model_id_of(model);
    } else if (metric_topic_parse(topic_of(frame), &id, &node) != TOPIC_METRICS) {
        reject(self, frame, DROP_TOPIC, 1, "the topic is not metrics/<project>/<name>/<version>", now);
        return;
    }
    if (!may(self, id.project)) {
        reject(self, frame, DROP_UNAUTHORIZED, 1, not_this_project, now);
        return;
    }
    uint16_t unknown = 0;
    if (metric_decode_like(self->decoder, &id, payload, now.wall_s, model ? &model->sender.sender : NULL,
                           model ? &model->like : &unknown, &message) < 0) {
        self->no_memory++;
        return;
    }
    account(self, frame, message, frame->hash, model ? &model->sender : NULL, now);
    if (message->event_count == 0)
        return;
    int why = 0;
    if (!model)
        model = shard_model(self, frame->hash, &id, now.steady_ns, &why);
    if (model)
        take_events(self, model, message->events, message->event_count, now);
    else
        reject_model(self, frame, message->event_count, why, now);
}

/* How many events from the `first` on, in a row, are of one model. */
static uint32_t run_of(const struct metric_message *message, uint32_t first)
{
    const struct model_id *id = message->events[first].model;
    uint32_t end = first + 1;
    while (end < message->event_count && message->events[end].model == id)
        end++;
    return end - first;
}

/* Events of one model in a batch of many models'. */
struct run {
    const struct metric_event *events;
    struct model *model; /* as guessed, then as found */
    uint64_t hash;
    uint32_t count, guess;
    bool own, asks; /* this shard's; its monitor has more to ask the memory for */
};

static void begin_run(struct shard *self, const struct metric_message *message, uint32_t first, struct run *out)
{
    out->events = &message->events[first];
    out->count = run_of(message, first);
    out->guess = models_guess(self->models, out->events->model->whole);
}

static void find_run(struct shard *self, struct run *run)
{
    const struct text id = run->events->model->whole;
    struct model *model = models_known(run->model, id);
    run->hash = model ? model->hash : siphash13(&self->options.key, id.at, id.len);
    run->own = shard_owner(run->hash, self->options.shards) == self->options.number;
    if (!run->own)
        return;
    if (!model && (model = models_find(self->models, run->hash, id)))
        models_learn(self->models, run->guess, model);
    run->model = model;
    run->asks = model != NULL;
    if (model)
        model_prefetch(model);
}

static void take_run(struct shard *self, struct frame *frame, const struct run *run, struct now now)
{
    const struct model_id *id = run->events->model;
    struct model *model = run->model;
    int why = 0;
    if (!may(self, id->project)) {
        reject(self, frame, DROP_UNAUTHORIZED, run->count, not_this_project, now);
        return;
    }
    if (!model) { /* a run before it may have made it */
        model = shard_model(self, run->hash, id, now.steady_ns, &why);
        if (model)
            models_learn(self->models, run->guess, model);
    }
    if (model)
        take_events(self, model, run->events, run->count, now);
    else
        reject_model(self, frame, run->count, why, now);
}

struct taking_runs {
    struct shard *shard;
    struct frame *frame;
    struct now now;
    struct run runs[FRAME_BATCH_MAX];
};

enum run_stage { GUESSED, FIND, ASK, TAKE = ASK + MONITOR_PREFETCH_STEPS, STAGES };

static inline void pass_run(void *context, uint32_t i, uint32_t stage)
{
    struct taking_runs *self = context;
    struct run *run = &self->runs[i];
    switch (stage) {
    case GUESSED:
        run->model = models_guessed(self->shard->models, run->guess);
        break;
    case FIND:
        find_run(self->shard, run);
        break;
    case TAKE:
        if (run->own)
            take_run(self->shard, self->frame, run, self->now);
        break;
    default:
        if (run->asks)
            run->asks = monitor_prefetch(run->model->monitor, stage - ASK);
    }
}

/* Many runs, from the event `first` on, by stages as in shard_take(); the event behind them. */
static uint32_t take_runs(struct shard *self, struct frame *frame, const struct metric_message *message, uint32_t first,
                          struct now now)
{
    struct taking_runs taking = {.shard = self, .frame = frame, .now = now};
    uint32_t count = 0;
    for (; count < FRAME_BATCH_MAX && first < message->event_count; first += taking.runs[count++].count)
        begin_run(self, message, first, &taking.runs[count]);
    stages_run(&taking, count, STAGES, APART, pass_run);
    return first;
}

/* Every shard gets the message and takes the events of its own models. */
static void take_batch(struct shard *self, struct frame *frame, struct now now)
{
    struct text topic = topic_of(frame), node;
    struct model_id none;
    const struct metric_message *message;
    if (metric_topic_parse(topic, &none, &node) != TOPIC_BATCH) {
        if (frame->accounts)
            reject(self, frame, DROP_TOPIC, 1, "the topic is not batch/<node>", now);
        return;
    }
    if (metric_decode(self->decoder, NULL, payload_of(frame), now.wall_s, &message) < 0) {
        self->no_memory += frame->accounts;
        return;
    }
    account(self, frame, message, frame->hash ^ BATCH_STREAM, NULL, now);
    for (uint32_t next = 0; next < message->event_count;)
        next = take_runs(self, frame, message, next, now);
}

/* Every shard gets the beacon and looks at the topics whose sequences it keeps. */
static void take_beacon(struct shard *self, struct frame *frame, struct now now)
{
    struct text topic = topic_of(frame), node;
    struct model_id none;
    const struct beacon_message *beacon;
    if (metric_topic_parse(topic, &none, &node) != TOPIC_BEACON) {
        if (frame->accounts)
            reject(self, frame, DROP_TOPIC, 1, "the topic is not beacon/<node>", now);
        return;
    }
    if (beacon_decode(self->decoder, payload_of(frame), &beacon) < 0) {
        self->no_memory += frame->accounts;
        return;
    }
    if (frame->accounts) {
        self->beacons++;
        reject_all(self, frame, beacon->dropped, beacon->detail, now);
    }
    for (uint32_t i = 0; i < beacon->topic_count; i++) {
        const struct beacon_topic *said = &beacon->topics[i];
        bool batch = text_is(said->topic, "batch");
        uint64_t hash = batch ? frame->hash : siphash13(&self->options.key, said->topic.at, said->topic.len);
        if (shard_owner(hash, self->options.shards) != self->options.number)
            continue;
        struct model_id model;
        if (!batch && (model_id_parse(&model, said->topic) < 0 || !may(self, model.project))) {
            reject(self, frame, DROP_UNAUTHORIZED, 1, not_this_project, now);
            continue;
        }
        ledger_beacon(self->ledger, batch ? hash ^ BATCH_STREAM : hash, beacon->node, beacon->boot, said->seq,
                      now.steady_ns);
    }
}

static void reject_wrong(struct shard *self, struct frame *frame, struct now now)
{
    if (!frame->accounts)
        return;
    if (frame->parts == 2) {
        reject(self, frame, DROP_TOPIC, 1, "the topic begins with none of metrics/, batch/ and beacon/", now);
        return;
    }
    char detail[64];
    snprintf(detail, sizeof detail, "%u frames where there must be two", frame->parts);
    reject(self, frame, DROP_FRAMES, 1, detail, now);
}

static void reject_unreceived(struct shard *self, struct frame *frame, struct now now)
{
    if (frame->accounts)
        reject(self, frame, DROP_TOO_LARGE, 1, "so much larger than metrics.max_message that its connection was ended",
               now);
}

void shard_frame(struct shard *self, struct frame *frame, struct text payload, struct model *model, struct now now)
{
    if (!know_sender(self, frame, now))
        return;
    if (frame_is_ours(frame->kind) && payload.len > self->options.max_message_bytes) {
        if (frame->accounts)
            reject(self, frame, DROP_TOO_LARGE, 1, "the payload is larger than metrics.max_message", now);
        return;
    }
    switch (frame->kind) {
    case FRAME_METRICS:
        if (!model) /* it may have come to be since the batch was looked up */
            model = models_find(self->models, frame->hash, topic_about(frame));
        take_metrics(self, frame, payload, model, now);
        break;
    case FRAME_BATCH:
        take_batch(self, frame, now);
        break;
    case FRAME_BEACON:
        take_beacon(self, frame, now);
        break;
    case FRAME_WRONG:
        reject_wrong(self, frame, now);
        break;
    case FRAME_TOO_LARGE:
        reject_unreceived(self, frame, now);
        break;
    }
}

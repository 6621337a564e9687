#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/workers/shard_inside.h"
#include "lib/explain/live.h"

/* Models looked at in one turn, so that no answer holds the line up: some hundred microseconds each. What they need is
 * asked of the memory ahead, each from where the one before leads to. */
#define COUNT_SLICE 1024
#define COUNT_AHEAD 16
#define NODES_SHOWN 1000

/* Takes the text over; NULL: no memory. */
static void answer(struct shard *self, struct question *question, char *text)
{
    question->answer = text;
    if (!question->answer)
        question->answer =
            strdup("{\"ok\":false,\"error\":\"no_memory\",\"message\":\"there is no memory for the answer\"}");
    question->from = (int)self->options.number;
    struct letter letter = {.kind = LETTER_ANSWER, .body = question, .drop = question_drop};
    if (inbox_put(question->reply_to, letter) < 0)
        question_drop(question);
}

/* What stands behind the first byte that is no UTF-8 is not shown. */
static json_t *name_json(const char *name)
{
    json_t *json = json_string(*name ? name : "unnamed");
    return json ? json : json_string("(not UTF-8)");
}

static const char *node_key(const char *name)
{
    return *name ? name : "unnamed";
}

static json_t *dropped_json(const struct shard *self)
{
    json_t *dropped = json_object();
    for (int i = 0; i < DROP_REASONS; i++) {
        if (self->rejects.of[i].count)
            json_object_set_new(dropped, metric_drop_name((enum metric_drop)i),
                                json_integer((json_int_t)self->rejects.of[i].count));
    }
    return dropped;
}

static json_t *figures_json(const struct ledger_node *node)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "messages", (json_int_t)node->messages, "lost",
                     (json_int_t)node->lost, "before_joining", (json_int_t)node->before_joining, "while_down",
                     (json_int_t)node->while_down, "repeated", (json_int_t)node->repeated, "restarts",
                     (json_int_t)node->restarts);
}

static void add_up(struct ledger_node *sum, const struct ledger_node *node)
{
    sum->messages += node->messages;
    sum->lost += node->lost;
    sum->before_joining += node->before_joining;
    sum->while_down += node->while_down;
    sum->repeated += node->repeated;
    sum->restarts += node->restarts;
}

/* The nodes by name, and how much each has lost; those for which there is no room are summed up. */
static void add_nodes(const struct shard *self, json_t *status)
{
    json_t *lost = json_object(), *nodes = json_array();
    struct ledger_node others = {.messages = 0};
    const uint32_t count = ledger_node_count(self->ledger);
    uint64_t others_lost = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct ledger_node *node = ledger_node_at(self->ledger, i);
        if (json_object_size(lost) >= NODES_SHOWN)
            others_lost += node->lost;
        else if (node->lost)
            json_object_set_new(lost, node_key(node->name), json_integer((json_int_t)node->lost));
        if (i >= NODES_SHOWN) {
            add_up(&others, node);
            continue;
        }
        json_t *json = figures_json(node);
        json_object_set_new(json, "node", name_json(node->name));
        json_array_append_new(nodes, json);
    }
    if (others_lost)
        json_object_set_new(lost, "(others)", json_integer((json_int_t)others_lost));
    json_object_set_new(status, "lost", lost);
    json_object_set_new(status, "nodes", nodes);
    if (count > NODES_SHOWN)
        json_object_set_new(status, "other_nodes", figures_json(&others));
    json_object_set_new(status, "node_count", json_integer(count));
}

static json_t *status_json(const struct shard *self, const struct walk *walk, struct now now)
{
    json_t *states = json_object();
    for (int i = 0; i < MODEL_STATES; i++) {
        if (walk->states[i])
            json_object_set_new(states, model_state_name((enum model_state)i),
                                json_integer((json_int_t)walk->states[i]));
    }
    json_t *status = json_pack(
        "{s:b, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:o, s:I, s:I}", "ok", 1, "events", (json_int_t)self->events, "messages",
        (json_int_t)self->messages, "beacons", (json_int_t)self->beacons, "ignored", (json_int_t)self->ignored,
        "no_memory", (json_int_t)self->no_memory, "events_per_s", shard_rate(self, now.steady_ns), "dropped",
        dropped_json(self), "models", states, "streams_not_followed", (json_int_t)ledger_not_followed(self->ledger),
        "while_down", (json_int_t)ledger_while_down(self->ledger));
    if (status)
        add_nodes(self, status);
    return status;
}

static json_t *rejects_json(const struct shard *self)
{
    json_t *list = json_array();
    for (int i = 0; i < DROP_REASONS; i++) {
        const struct reject *reject = &self->rejects.of[i];
        if (!reject->count)
            continue;
        char topic[REJECT_TOPIC_MAX * 4 + 1], payload[REJECT_PAYLOAD_MAX * 4 + 1], detail[REJECT_DETAIL_MAX * 4 + 1];
        rejects_visible(reject->topic, reject->topic_len, topic, sizeof topic);
        rejects_visible(reject->payload, reject->payload_len, payload, sizeof payload);
        rejects_visible(reject->detail, strlen(reject->detail), detail, sizeof detail);
        json_array_append_new(list, json_pack("{s:s, s:I, s:{s:f, s:s, s:s, s:s, s:I}}", "reason",
                                              metric_drop_name((enum metric_drop)i), "count", (json_int_t)reject->count,
                                              "last", "at_s", reject->at_s, "topic", topic, "detail", detail, "payload",
                                              payload, "payload_bytes", (json_int_t)reject->payload_bytes));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "rejects", list);
}

static struct text ask_text(const struct walk *walk, const char *member)
{
    json_t *value = json_object_get(walk->ask, member);
    return (struct text){.at = json_is_string(value) ? json_string_value(value) : "",
                         .len = json_string_length(value)};
}

static json_t *one_model_json(const struct shard *self, struct text name, struct now now)
{
    uint64_t hash = siphash13(&self->options.key, name.at, name.len);
    const struct model *model = models_find(self->models, hash, name);
    if (!model)
        return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", "unknown_model", "message",
                         "no such model has been heard of");
    json_t *json = model_json(model, now, true);
    if (json)
        json_object_set_new(json, "ok", json_true());
    return json;
}

/* How a model's rules stand; what they are judged by is for the engine to add. */
static json_t *live_json(const struct shard *self, struct text name)
{
    uint64_t hash = siphash13(&self->options.key, name.at, name.len);
    const struct model *model = models_find(self->models, hash, name);
    char *live = model ? explain_live_json(model->monitor) : NULL;
    json_t *json = model ? json_pack("{s:b, s:s}", "ok", live != NULL, "live", live ? live : "")
                         : json_pack("{s:b, s:s, s:s}", "ok", 0, "error", "unknown_model", "message",
                                     "no such model has been heard of");
    free(live);
    return json;
}

static void look_ahead(const struct models *models, uint32_t at)
{
    const uint32_t count = models_count(models);
    if (count - at > 2 * COUNT_AHEAD)
        model_prefetch_state(models_at(models, at + 2 * COUNT_AHEAD));
    if (count - at > COUNT_AHEAD)
        monitor_prefetch_state(models_at(models, at + COUNT_AHEAD)->monitor);
}

/* The next slice of the census; true when all models have been counted. */
static bool count_slice(struct shard *self, struct walk *walk, struct now now)
{
    uint32_t count = models_count(self->models);
    for (uint32_t i = 0; i < COUNT_SLICE && walk->at < count; i++) {
        look_ahead(self->models, walk->at);
        walk->states[model_state(models_at(self->models, walk->at++), now.steady_ns)]++;
    }
    return walk->at >= count;
}

void shard_ask(struct shard *self, struct question *question)
{
    struct walk *walk = calloc(1, sizeof *walk);
    if (!walk) {
        answer(self, question, NULL);
        return;
    }
    json_write_bracket(&walk->found, '[');
    walk->question = question;
    walk->ask = json_loads(question->ask, JSON_REJECT_DUPLICATES, NULL);
    if (self->walks_last)
        self->walks_last->next = walk;
    else
        self->walks = walk;
    self->walks_last = walk;
}

static void walk_free(struct walk *walk)
{
    json_decref(walk->ask);
    free(json_write_take(&walk->found));
    free(walk->picks);
    free(walk);
}

static char *models_text(struct walk *walk)
{
    struct json_write out = {.len = 0};
    json_write_bracket(&walk->found, ']');
    char *list = json_write_take(&walk->found);
    json_write_bracket(&out, '{');
    json_write_key(&out, "ok");
    json_write_bool(&out, true);
    json_write_key(&out, "matched");
    json_write_integer(&out, (int64_t)walk->matched);
    json_write_key(&out, "behind");
    json_write_integer(&out, (int64_t)walk->behind);
    json_write_key(&out, "skipped");
    json_write_integer(&out, walk->skip);
    json_write_key(&out, "cut");
    json_write_bool(&out, walk->cut);
    json_write_key(&out, "models");
    json_write_raw(&out, text_of(list ? list : "null"));
    json_write_bracket(&out, '}');
    char *text = json_write_take(&out);
    if (list)
        free(list);
    else
        free(text), text = NULL;
    return text;
}

static char *text_taken(json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(json);
    return text;
}

/* Goes on with one question; true and the answer once it is finished. */
static bool walk_on(struct shard *self, struct walk *walk, struct now now, char **out)
{
    struct text what = ask_text(walk, "do");
    json_t *json = NULL;
    if (text_is(what, "models")) {
        bool whole = shard_list_models(self, walk, now);
        *out = whole ? models_text(walk) : NULL;
        return whole;
    }
    if (text_is(what, "status")) {
        if (!count_slice(self, walk, now))
            return false;
        json = status_json(self, walk, now);
    } else if (text_is(what, "model")) {
        json = one_model_json(self, ask_text(walk, "model"), now);
    } else if (text_is(what, "explain")) {
        json = live_json(self, ask_text(walk, "model"));
    } else if (text_is(what, "rejects")) {
        json = rejects_json(self);
    } else {
        json = json_pack("{s:b, s:s, s:s}", "ok", 0, "error", "unknown_command", "message",
                         "shards do not know this command");
    }
    *out = text_taken(json);
    return true;
}

bool shard_answers(struct shard *self, struct now now)
{
    struct walk *walk = self->walks;
    char *text;
    if (!walk)
        return false;
    if (!walk_on(self, walk, now, &text))
        return true;
    self->walks = walk->next;
    if (!self->walks)
        self->walks_last = NULL;
    answer(self, walk->question, text);
    walk_free(walk);
    return self->walks != NULL;
}

void shard_forget_questions(struct shard *self)
{
    while (self->walks) {
        struct walk *walk = self->walks;
        self->walks = walk->next;
        question_drop(walk->question);
        walk_free(walk);
    }
    self->walks_last = NULL;
}

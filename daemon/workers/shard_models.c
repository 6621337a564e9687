/* The question "models": which of them are shown, and in which order. */
#include <stdlib.h>

#include "daemon/base/model_order.h"
#include "daemon/workers/shard_inside.h"

/* Models looked at, and models written, in one turn: some hundred microseconds. */
#define LOOK_SLICE 1024
#define WRITE_SLICE 32

/* Which models are asked for. */
struct filter {
    struct text pattern, state, contains, after;
    bool named;
};

static struct text text_member(const json_t *ask, const char *name)
{
    const json_t *value = json_object_get(ask, name);
    return (struct text){.at = json_is_string(value) ? json_string_value(value) : "", .len = json_string_length(value)};
}

static struct filter filter_of(const json_t *ask)
{
    return (struct filter){.pattern = text_member(ask, "pattern"),
                           .state = text_member(ask, "state"),
                           .contains = text_member(ask, "contains"),
                           .after = text_member(ask, "after"),
                           .named = json_is_true(json_object_get(ask, "named"))};
}

static bool passes(const struct filter *filter, const struct model *model, int64_t now_ns)
{
    if (filter->named && !monitor_settings_of(model->monitor)->named)
        return false;
    const struct model_id id = model_id_of(model);
    if (filter->pattern.len && !model_pattern_matches(filter->pattern, &id))
        return false;
    if (filter->contains.len && !memmem(id.whole.at, id.whole.len, filter->contains.at, filter->contains.len))
        return false;
    return !filter->state.len || text_is(filter->state, model_state_name(model_state(model, now_ns)));
}

/* Takes `json` over. False: the list is at its bytes, and goes no further. */
static bool show(struct walk *walk, json_t *json)
{
    const json_t *bytes = json_object_get(walk->ask, "bytes");
    int64_t most = bytes ? json_integer_value(bytes) : MODEL_LIST_BYTES_MAX;
    char *text = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(15)) : NULL;
    struct text model = text_of(text ? text : "null");
    json_decref(json);
    walk->cut = walk->cut || (walk->shown && (int64_t)(walk->found.len + model.len + 1) > most);
    if (!walk->cut) {
        json_write_raw(&walk->found, model);
        walk->shown++;
    }
    free(text);
    return !walk->cut;
}

/* --- in an order: the first `pick_room` of all are kept in a heap whose root comes last, then sorted, then written ---
 */

/* How far up in the list a state stands. */
static double urgency(enum model_state state)
{
    switch (state) {
    case MODEL_UNRECOVERABLE:
        return 7;
    case MODEL_DRIFTING:
        return 6;
    case MODEL_FAILING:
        return 5;
    case MODEL_RETRAINING:
        return 4;
    case MODEL_STALE:
        return 3;
    case MODEL_SILENCED:
        return 2;
    case MODEL_WARMING:
        return 1;
    case MODEL_HEALTHY:
    case MODEL_STATES:
        break;
    }
    return 0;
}

static double key_of(const struct model *model, enum model_order order, int64_t now_ns)
{
    double failures = monitor_failures(model->monitor);
    switch (order) {
    case ORDER_WORST:
        return urgency(model_state(model, now_ns)) * 1e10 + failures;
    case ORDER_FAILURES:
        return failures;
    case ORDER_SILENCE:
        return model->heard ? (double)(now_ns - model->heard_ns) / 1e9 : 1e12;
    case ORDER_EVENTS:
        return (double)monitor_events(model->monitor);
    case ORDER_EPISODES:
        return (double)model->episode;
    case ORDER_NAME:
    case MODEL_ORDERS:
        break;
    }
    return 0;
}

static bool comes_before(const struct shard *self, const struct walk_pick *a, const struct walk_pick *b)
{
    if (a->key != b->key)
        return a->key > b->key;
    return strcmp(models_at(self->models, a->place)->text, models_at(self->models, b->place)->text) < 0;
}

static void sink(const struct shard *self, struct walk_pick *heap, uint32_t at, uint32_t count)
{
    struct walk_pick moved = heap[at];
    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && comes_before(self, &heap[child], &heap[child + 1]))
            child++;
        if (!comes_before(self, &moved, &heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

static void rise(const struct shard *self, struct walk_pick *heap, uint32_t at)
{
    struct walk_pick moved = heap[at];
    while (at > 0 && comes_before(self, &heap[(at - 1) / 2], &moved)) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = moved;
}

static void pick(const struct shard *self, struct walk *walk, struct walk_pick candidate)
{
    if (walk->pick_count < walk->pick_room) {
        walk->picks[walk->pick_count] = candidate;
        rise(self, walk->picks, walk->pick_count++);
    } else if (walk->pick_count && comes_before(self, &candidate, &walk->picks[0])) {
        walk->picks[0] = candidate;
        sink(self, walk->picks, 0, walk->pick_count);
    }
}

static void sort_picks(const struct shard *self, struct walk *walk)
{
    for (uint32_t left = walk->pick_count; left > 1; left--) {
        struct walk_pick last = walk->picks[0];
        walk->picks[0] = walk->picks[left - 1];
        walk->picks[left - 1] = last;
        sink(self, walk->picks, 0, left - 1);
    }
}

/* One shard alone knows already what lies before the page; several have to hand it out to be counted together. */
static void begin_picks(struct shard *self, struct walk *walk)
{
    json_int_t offset = json_integer_value(json_object_get(walk->ask, "offset"));
    json_int_t wanted = offset + json_integer_value(json_object_get(walk->ask, "limit"));
    json_int_t room = models_count(self->models);
    walk->skip = self->options.shards == 1 ? (uint32_t)offset : 0;
    walk->pick_room = (uint32_t)(wanted < room ? wanted : room);
    walk->picks = calloc(walk->pick_room + 1, sizeof *walk->picks);
    if (!walk->picks)
        walk->pick_room = 0;
}

static bool pick_slice(struct shard *self, struct walk *walk, enum model_order order, struct now now)
{
    struct filter filter = filter_of(walk->ask);
    uint32_t count = models_count(self->models);
    if (!walk->picks)
        begin_picks(self, walk);
    for (uint32_t seen = 0; walk->at < count && seen < LOOK_SLICE; seen++, walk->at++) {
        const struct model *model = models_at(self->models, walk->at);
        if (!passes(&filter, model, now.steady_ns))
            continue;
        walk->matched++;
        if (filter.after.len && strcmp(model->text, filter.after.at) <= 0)
            continue;
        walk->behind++;
        pick(self, walk, (struct walk_pick){.key = key_of(model, order, now.steady_ns), .place = walk->at});
    }
    if (walk->at < count)
        return false;
    sort_picks(self, walk);
    walk->picked = true;
    walk->written = walk->skip;
    return false;
}

static bool write_slice(struct shard *self, struct walk *walk, struct now now)
{
    for (uint32_t i = 0; i < WRITE_SLICE && walk->written < walk->pick_count; i++) {
        const struct walk_pick *next = &walk->picks[walk->written++];
        json_t *json = model_json(models_at(self->models, next->place), now, false);
        if (json)
            json_object_set_new(json, "key", json_real(next->key));
        if (!show(walk, json))
            return true;
    }
    return walk->written >= walk->pick_count;
}

/* --- in no order --- */

/* Every model that matches is counted; the first `limit` are shown. */
static bool list_slice(struct shard *self, struct walk *walk, struct now now)
{
    struct filter filter = filter_of(walk->ask);
    json_int_t limit = json_integer_value(json_object_get(walk->ask, "limit"));
    uint32_t count = models_count(self->models);
    for (uint32_t shown = 0, seen = 0; walk->at < count && shown < WRITE_SLICE && seen < LOOK_SLICE; seen++) {
        const struct model *model = models_at(self->models, walk->at++);
        if (!passes(&filter, model, now.steady_ns))
            continue;
        walk->matched++;
        walk->behind++;
        if (walk->cut || walk->shown >= limit)
            continue;
        show(walk, model_json(model, now, false));
        shown++;
    }
    return walk->at >= count;
}

bool shard_list_models(struct shard *self, struct walk *walk, struct now now)
{
    const char *sort = json_string_value(json_object_get(walk->ask, "sort"));
    enum model_order order = sort ? model_order_of(sort) : MODEL_ORDERS;
    if (order == MODEL_ORDERS)
        return list_slice(self, walk, now);
    return walk->picked ? write_slice(self, walk, now) : pick_slice(self, walk, order, now);
}

#include "daemon/control/merge.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_ok(const json_t *answer)
{
    return json_is_true(json_object_get(answer, "ok"));
}

/* Adds the numbers of `from` to those of `to`, through objects; whatever else `to` has not got it gets. Lists are put
 * one behind the other. */
static void add_up(json_t *to, json_t *from)
{
    const char *name;
    json_t *value;
    json_object_foreach (from, name, value) {
        json_t *there = json_object_get(to, name);
        if (!there)
            json_object_set_new(to, name, json_deep_copy(value));
        else if (json_is_object(there) && json_is_object(value))
            add_up(there, value);
        else if (json_is_array(there) && json_is_array(value))
            json_array_extend(there, value);
        else if (json_is_integer(there) && json_is_integer(value))
            json_integer_set(there, json_integer_value(there) + json_integer_value(value));
        else if (json_is_number(there) && json_is_number(value))
            json_object_set_new(to, name, json_real(json_number_value(there) + json_number_value(value)));
    }
}

static json_int_t restarts_of(const json_t *node)
{
    return json_integer_value(json_object_get(node, "restarts"));
}

/* Several shards may have heard of one node. Each that has its topics sees a new boot: the node started anew as often as
 * the one that saw most of it. */
static json_t *nodes_together(json_t *nodes)
{
    json_t *by_name = json_object(), *list = json_array();
    size_t i;
    json_t *node;
    json_array_foreach (nodes, i, node) {
        const char *name = json_string_value(json_object_get(node, "node"));
        json_t *there = name ? json_object_get(by_name, name) : NULL;
        if (there) {
            json_int_t one = restarts_of(there), other = restarts_of(node);
            add_up(there, node);
            json_object_set_new(there, "restarts", json_integer(one > other ? one : other));
        } else if (name) {
            json_object_set(by_name, name, node);
        }
    }
    const char *name;
    json_object_foreach (by_name, name, node) {
        json_array_append(list, node);
    }
    json_decref(by_name);
    return list;
}

/* Several shards know of one node: they are as many as are listed, or as the shard knows that knows most. */
static json_int_t nodes_counted(const json_t *nodes, json_t *const *answers, uint32_t count)
{
    json_int_t most = (json_int_t)json_array_size(nodes);
    for (uint32_t i = 0; i < count; i++) {
        const json_int_t known = json_integer_value(json_object_get(answers[i], "node_count"));
        if (known > most)
            most = known;
    }
    return most;
}

json_t *merge_status(const json_t *ask, json_t *const *answers, uint32_t count)
{
    (void)ask;
    json_t *status = json_object();
    for (uint32_t i = 0; i < count; i++) {
        if (is_ok(answers[i]))
            add_up(status, answers[i]);
    }
    json_t *nodes = json_object_get(status, "nodes");
    if (nodes) {
        nodes = nodes_together(nodes);
        json_object_set_new(status, "node_count", json_integer(nodes_counted(nodes, answers, count)));
        json_object_set_new(status, "nodes", nodes);
    }
    json_object_set_new(status, "ok", json_true());
    return status;
}

static int by_model(const void *a, const void *b)
{
    const char *left = json_string_value(json_object_get(*(json_t *const *)a, "model"));
    const char *right = json_string_value(json_object_get(*(json_t *const *)b, "model"));
    return strcmp(left ? left : "", right ? right : "");
}

/* The shards' own key, which stands in the list only where one was asked for. */
static double key_of(const json_t *model)
{
    return json_number_value(json_object_get(model, "key"));
}

static int by_key(const void *a, const void *b)
{
    double left = key_of(*(json_t *const *)a), right = key_of(*(json_t *const *)b);
    if (left != right)
        return left > right ? -1 : 1;
    return by_model(a, b);
}

/* The models of all shards, in order. */
struct listed {
    json_t **at;
    size_t count;
    json_int_t matched, behind, skipped;
};

/* Where a shard has ended its list early, its next model may come before one of another shard: what is listed is in order up
 * to the last model of that shard, and no further. */
static void cut_to_order(struct listed *all, json_t *const *answers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const json_t *models = json_object_get(answers[i], "models");
        json_t *last = json_array_get(models, json_array_size(models) - 1);
        if (!last || !json_is_true(json_object_get(answers[i], "cut")))
            continue;
        while (all->count > 0 && by_key(&all->at[all->count - 1], &last) > 0)
            all->count--;
    }
}

static int list_all(struct listed *all, json_t *const *answers, uint32_t count)
{
    size_t found = 0, j;
    json_t *model;
    *all = (struct listed){.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        found += json_array_size(json_object_get(answers[i], "models"));
        all->matched += json_integer_value(json_object_get(answers[i], "matched"));
        all->behind += json_integer_value(json_object_get(answers[i], "behind"));
        all->skipped += json_integer_value(json_object_get(answers[i], "skipped"));
    }
    all->at = calloc(found + 1, sizeof *all->at);
    for (uint32_t i = 0; i < count && all->at; i++) {
        json_array_foreach (json_object_get(answers[i], "models"), j, model) {
            all->at[all->count++] = model;
        }
    }
    if (all->at)
        qsort(all->at, all->count, sizeof *all->at, by_key);
    return all->at ? 0 : -1;
}

static json_t *too_far(void)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 0, "error", "bad_message", "message",
                     "\"offset\" is further down the list than one answer can hold: go on by \"sort\": \"name\" with "
                     "\"after\", or ask for fewer models");
}

json_t *merge_models(const json_t *ask, json_t *const *answers, uint32_t count)
{
    struct listed all;
    const char *sort = json_string_value(json_object_get(ask, "sort"));
    if (list_all(&all, answers, count) < 0)
        return NULL;
    if (sort)
        cut_to_order(&all, answers, count);
    json_int_t offset = json_integer_value(json_object_get(ask, "offset"));
    size_t limit = (size_t)json_integer_value(json_object_get(ask, "limit"));
    size_t first = offset > all.skipped ? (size_t)(offset - all.skipped) : 0;
    if (first >= all.count && first > 0 && offset < all.behind) {
        free(all.at);
        return too_far();
    }
    json_t *models = json_array();
    for (size_t i = first; i < all.count && i - first < limit; i++) {
        json_object_del(all.at[i], "key");
        json_array_append(models, all.at[i]);
    }
    free(all.at);
    const json_int_t shown = (json_int_t)json_array_size(models);
    json_t *last = json_array_get(models, (size_t)shown - 1);
    json_t *json = json_pack("{s:b, s:I, s:I, s:o}", "ok", 1, "matched", all.matched, "left_out", all.matched - shown,
                             "models", models);
    if (json && last && sort && strcmp(sort, "name") == 0 && all.behind > offset + shown)
        json_object_set(json, "next", json_object_get(last, "model"));
    return json;
}

json_t *merge_model(const json_t *ask, json_t *const *answers, uint32_t count)
{
    (void)ask;
    json_t *best = count ? answers[0] : NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (is_ok(answers[i]))
            best = answers[i];
    }
    return json_incref(best);
}

static double age_of(const json_t *reject)
{
    return json_number_value(json_object_get(json_object_get(reject, "last"), "at_s"));
}

json_t *merge_rejects(const json_t *ask, json_t *const *answers, uint32_t count)
{
    (void)ask;
    json_t *by_reason = json_object(), *list = json_array();
    for (uint32_t i = 0; i < count; i++) {
        size_t j;
        json_t *reject;
        json_array_foreach (json_object_get(answers[i], "rejects"), j, reject) {
            const char *reason = json_string_value(json_object_get(reject, "reason"));
            json_t *there = reason ? json_object_get(by_reason, reason) : NULL;
            if (!there) {
                if (reason)
                    json_object_set_new(by_reason, reason, json_copy(reject));
                continue;
            }
            json_int_t sum = json_integer_value(json_object_get(there, "count")) +
                             json_integer_value(json_object_get(reject, "count"));
            if (age_of(reject) > age_of(there))
                json_object_set(there, "last", json_object_get(reject, "last"));
            json_object_set_new(there, "count", json_integer(sum));
        }
    }
    const char *reason;
    json_t *reject;
    json_object_foreach (by_reason, reason, reject) {
        json_array_append(list, reject);
    }
    json_decref(by_reason);
    return json_pack("{s:b, s:o}", "ok", 1, "rejects", list);
}

json_t *merge_only(const json_t *ask, json_t *const *answers, uint32_t count)
{
    (void)ask;
    return count ? json_incref(answers[0]) : NULL;
}

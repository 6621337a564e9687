#include "lib/config/budgets.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define SETS_FIRST_ROOM 16

static bool has_wildcard(struct text text)
{
    return memchr(text.at, '*', text.len) || memchr(text.at, '?', text.len);
}

/* What a pattern spells out: "project/name", "project", or nothing. */
static struct text named_part(struct text pattern)
{
    const char *slash = memchr(pattern.at, '/', pattern.len);
    struct text project = {.at = pattern.at, .len = slash ? (size_t)(slash - pattern.at) : pattern.len};
    if (has_wildcard(project))
        return (struct text){0};
    if (!slash)
        return project;
    struct text rest = {.at = slash + 1, .len = pattern.len - project.len - 1};
    slash = memchr(rest.at, '/', rest.len);
    rest.len = slash ? (size_t)(slash - rest.at) : rest.len;
    if (has_wildcard(rest))
        return project;
    return (struct text){.at = pattern.at, .len = project.len + 1 + rest.len};
}

static int text_order(struct text a, struct text b)
{
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = shorter > 0 ? memcmp(a.at, b.at, shorter) : 0;
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int by_key(const void *a_, const void *b_)
{
    const struct budgets_named *a = a_, *b = b_;
    int order = text_order(a->key, b->key);
    return order != 0 ? order : (a->block > b->block) - (a->block < b->block);
}

int budgets_index(struct config_budgets *self)
{
    size_t room = self->block_count > 0 ? self->block_count : 1;
    self->named = arena_take(self->memory, room, sizeof(*self->named));
    self->wild = arena_take(self->memory, room, sizeof(*self->wild));
    self->matching = arena_take(self->memory, room, sizeof(*self->matching));
    if (!self->named || !self->wild || !self->matching)
        return -ENOMEM;
    self->named_count = self->wild_count = 0;
    for (uint32_t i = 0; i < self->block_count; i++) {
        if (!self->blocks[i].models)
            continue;
        struct text key = named_part(text_of(self->blocks[i].models));
        if (key.len > 0)
            self->named[self->named_count++] = (struct budgets_named){.key = key, .block = i};
        else
            self->wild[self->wild_count++] = i;
    }
    if (self->named_count > 1)
        qsort(self->named, self->named_count, sizeof(*self->named), by_key);
    return 0;
}

static int by_number(const void *a_, const void *b_)
{
    uint32_t a = *(const uint32_t *)a_, b = *(const uint32_t *)b_;
    return (a > b) - (a < b);
}

static uint32_t first_named(const struct config_budgets *self, struct text key)
{
    uint32_t low = 0, high = self->named_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (text_order(self->named[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool matches(const struct config_budgets *self, uint32_t block, const struct model_id *model)
{
    return model_pattern_matches(text_of(self->blocks[block].models), model);
}

uint32_t budgets_match(struct config_budgets *self, const struct model_id *model)
{
    uint32_t count = 0, wild;
    for (uint32_t i = 0; i < self->wild_count; i++)
        if (matches(self, self->wild[i], model))
            self->matching[count++] = self->wild[i];
    wild = count;
    const struct text keys[] = {model->project, model_id_family(model)};
    for (size_t k = 0; k < 2; k++)
        for (uint32_t i = first_named(self, keys[k]); i < self->named_count && text_equal(self->named[i].key, keys[k]);
             i++)
            if (matches(self, self->named[i].block, model))
                self->matching[count++] = self->named[i].block;
    if (count > wild && count > 1)
        qsort(self->matching, count, sizeof(*self->matching), by_number);
    return count;
}

/* Copies what `from` sets into `to`, where the same fields lie at the same offsets. */
static int merge_keys(struct arena *memory, const void *from, const struct record *keys, void *to,
                      struct record *merged)
{
    for (uint32_t i = 0; i < keys->count; i++) {
        const struct key_place *place = &keys->places[i];
        size_t width = schema_width(place->row->type);
        if (place->bad || width == 0)
            continue;
        if (place->row->offset != SCHEMA_NOWHERE)
            memcpy((char *)to + place->row->offset, (const char *)from + place->row->offset, width);
        if (record_note(merged, memory, place) != 0)
            return -ENOMEM;
    }
    return 0;
}

static int merge_kpi(const struct config_budgets *self, struct arena *memory, const struct budget_kpi *kpi,
                     struct budget_kpi *list, uint32_t *count)
{
    uint32_t at = 0;
    while (at < *count && strcmp(list[at].budget.metric, kpi->budget.metric) != 0)
        at++;
    if (kpi->off) {
        if (at < *count)
            memmove(&list[at], &list[at + 1], (--*count - at) * sizeof(*list));
        return 0;
    }
    if (at == *count) {
        list[at] = (struct budget_kpi){.budget = self->kpi_defaults, .mark = kpi->mark};
        memcpy(list[at].budget.metric, kpi->budget.metric, sizeof(kpi->budget.metric));
        ++*count;
    }
    return merge_keys(memory, &kpi->budget, &kpi->keys, &list[at].budget, &list[at].keys);
}

/* A KPI that no block gave a limit judges nothing, and is left out. So are those beyond what is kept of a model, which
 * check_budgets() tells of. */
static int keep_limited(struct arena *memory, const struct budget_kpi *list, uint32_t count, struct budget_set *out)
{
    struct kpi_budget *budgets = arena_take(memory, count + 1, sizeof(*budgets));
    out->kpis = arena_take(memory, count + 1, sizeof(*out->kpis));
    if (!budgets || !out->kpis)
        return -ENOMEM;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (isnan(list[i].budget.min) && isnan(list[i].budget.max))
            continue;
        if (kept == MONITOR_METRICS_MAX) {
            out->kpis_beyond = true;
            break;
        }
        out->kpis[kept] = list[i];
        budgets[kept++] = list[i].budget;
    }
    out->settings.kpis = budgets;
    out->settings.kpi_count = kept;
    return 0;
}

static int merge_drift(struct arena *memory, const struct budget_block *block, struct budget_set *out)
{
    const struct key_place *place = record_at(&block->keys, "budgets[].drift");
    out->drift = block->drift;
    return place ? record_note(&out->keys, memory, place) : 0;
}

int budgets_merge(const struct config_budgets *self, struct arena *memory, const uint32_t *blocks, uint32_t count,
                  struct budget_set *out)
{
    uint32_t room = 1, kpi_count = 0;
    for (uint32_t i = 0; i < count; i++)
        room += self->blocks[blocks[i]].kpi_count;
    struct budget_kpi *list = calloc(room, sizeof(*list));
    if (!list)
        return -ENOMEM;
    *out = (struct budget_set){.settings = self->defaults};
    int error = 0;
    for (uint32_t i = 0; i < count && error == 0; i++) {
        const struct budget_block *block = &self->blocks[blocks[i]];
        error = merge_keys(memory, &block->settings, &block->keys, &out->settings, &out->keys);
        if (block->drift.given && error == 0)
            error = merge_drift(memory, block, out);
        for (uint32_t k = 0; k < block->kpi_count && error == 0; k++)
            if (!block->kpis[k].bad)
                error = merge_kpi(self, memory, &block->kpis[k], list, &kpi_count);
    }
    if (error == 0)
        error = keep_limited(memory, list, kpi_count, out);
    free(list);
    return error;
}

/* FNV-1a over the numbers of the blocks: they come from the configuration, not from the network. */
static uint64_t hash_of(const uint32_t *blocks, uint32_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < count; i++)
        hash = (hash ^ blocks[i]) * 0x100000001b3u;
    return hash ^ hash >> 32;
}

/* Where a set stands in the table, or the empty place where it would. */
static uint32_t place_of(struct budget_set **sets, uint32_t room, uint64_t hash, const uint32_t *blocks, uint32_t count)
{
    uint32_t at = (uint32_t)hash & (room - 1);
    while (sets[at] && (sets[at]->hash != hash || sets[at]->block_count != count ||
                        memcmp(sets[at]->blocks, blocks, count * sizeof(*blocks)) != 0))
        at = (at + 1) & (room - 1);
    return at;
}

/* Makes room for one set more; half of the table stays empty. */
static int grow(struct config_budgets *self)
{
    if (2 * (self->set_count + 1) <= self->set_room)
        return 0;
    uint32_t room = self->set_room ? 2 * self->set_room : SETS_FIRST_ROOM;
    struct budget_set **sets = arena_take(self->memory, room, sizeof(struct budget_set *));
    if (!sets)
        return -ENOMEM;
    for (uint32_t i = 0; i < self->set_room; i++) {
        struct budget_set *set = self->sets[i];
        if (set)
            sets[place_of(sets, room, set->hash, set->blocks, set->block_count)] = set;
    }
    self->sets = sets;
    self->set_room = room;
    return 0;
}

/* Whether a block calls models by their name, without a wildcard. */
static bool is_named(const struct config_budgets *self, const uint32_t *blocks, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *pattern = self->blocks[blocks[i]].models;
        if (strchr(pattern, '/') && !strpbrk(pattern, "*?"))
            return true;
    }
    return false;
}

static int make_set(struct config_budgets *self, uint32_t count, uint64_t hash, struct budget_set **out_p)
{
    uint32_t *blocks = arena_take(self->memory, count, sizeof(*blocks));
    struct budget_set *set = arena_take(self->memory, 1, sizeof(*set));
    if (!blocks || !set || budgets_merge(self, self->memory, self->matching, count, set) != 0)
        return -ENOMEM;
    memcpy(blocks, self->matching, count * sizeof(*blocks));
    if (budgets_rules(self, set) != 0)
        return -ENOMEM;
    set->settings.named = is_named(self, blocks, count);
    set->blocks = blocks;
    set->block_count = count;
    set->hash = hash;
    *out_p = set;
    return 0;
}

int budgets_for(struct config_budgets *self, const struct model_id *model, const struct budget_set **out_p)
{
    uint32_t count = budgets_match(self, model);
    if (count == 0) {
        *out_p = NULL;
        return 0;
    }
    if (grow(self) != 0)
        return -ENOMEM;
    uint64_t hash = hash_of(self->matching, count);
    uint32_t at = place_of(self->sets, self->set_room, hash, self->matching, count);
    if (!self->sets[at]) {
        struct budget_set *set = NULL;
        if (make_set(self, count, hash, &set) != 0)
            return -ENOMEM;
        self->sets[at] = set;
        self->set_count++;
    }
    *out_p = self->sets[at];
    return 0;
}

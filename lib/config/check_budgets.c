#include "lib/config/check.h"

#include <math.h>
#include <stdio.h>

#include "lib/config/crossing.h"

#define CROSSING_BLOCKS_MAX 512 /* a tenth of a million pairs take a moment */

/* Makes a model that a pattern matches: '*' and '?' are taken for characters, and "*" for what the pattern leaves out.
 * No pattern spells these characters out, so this model meets exactly the blocks that some real model meets, and what
 * it comes to is what that one would come to. */
static bool stand_in(struct text pattern, struct arena *memory, struct model_id *out)
{
    char *whole = arena_take(memory, pattern.len + sizeof("/*/*"), 1);
    if (!whole)
        return false;
    struct text *segments[] = {&out->project, &out->name, &out->version};
    size_t length = 0, from = 0;
    for (int i = 0; i < 3; i++) {
        struct text segment = text_of("*");
        if (from <= pattern.len) {
            const char *slash = memchr(pattern.at + from, '/', pattern.len - from);
            size_t end = slash ? (size_t)(slash - pattern.at) : pattern.len;
            segment = (struct text){.at = pattern.at + from, .len = end - from};
            from = end + 1;
        }
        if (i > 0)
            whole[length++] = '/';
        memcpy(whole + length, segment.at, segment.len);
        *segments[i] = (struct text){.at = whole + length, .len = segment.len};
        length += segment.len;
    }
    out->whole = (struct text){.at = whole, .len = length};
    return true;
}

static bool is_later(struct mark a, struct mark b)
{
    if (a.file != b.file)
        return a.file > b.file;
    return a.line > b.line || (a.line == b.line && a.column > b.column);
}

static void check_limits(struct checker *self, const struct budget_kpi *kpi)
{
    char name[METRIC_NAME_MAX + 32];
    if (!(kpi->budget.min > kpi->budget.max))
        return;
    const struct key_place *min = record_at(&kpi->keys, "budgets[].kpis.<metric>.min");
    const struct key_place *max = record_at(&kpi->keys, "budgets[].kpis.<metric>.max");
    char place[MISTAKES_PLACE_MAX];
    bool min_later = is_later(min->mark, max->mark);
    snprintf(name, sizeof(name), "budgets[].kpis.%s.%s", kpi->budget.metric, min_later ? "min" : "max");
    if (min_later)
        mistakes_add(self->mistakes, min->mark, name,
                     "%g is above the max %g of %s, which holds for some of the same "
                     "models; allowed: a min up to the max",
                     kpi->budget.min, kpi->budget.max, mistakes_place(self->mistakes, max->mark, min->mark, place));
    else
        mistakes_add(self->mistakes, max->mark, name,
                     "%g is below the min %g of %s, which holds for some of the same "
                     "models; allowed: a max from the min on",
                     kpi->budget.max, kpi->budget.min, mistakes_place(self->mistakes, min->mark, max->mark, place));
}

/* Where a limit of `test: evidence` stands, or else its test. */
static struct mark evidence_mark(const struct budget_kpi *kpi, const char *limit)
{
    const struct key_place *place = record_at(&kpi->keys, limit);
    if (!place)
        place = record_at(&kpi->keys, "budgets[].kpis.<metric>.test");
    return place ? place->mark : kpi->mark;
}

/* Whether one of the matching blocks has a mistake in the metric's entry: it lacks what was meant then. */
static bool any_bad(const struct config_budgets *budgets, uint32_t matching, const char *metric)
{
    for (uint32_t i = 0; i < matching; i++) {
        const struct budget_block *block = &budgets->blocks[budgets->matching[i]];
        for (uint32_t k = 0; k < block->kpi_count; k++) {
            const struct budget_kpi *kpi = &block->kpis[k];
            for (uint32_t at = 0; at < kpi->keys.count && strcmp(kpi->budget.metric, metric) == 0; at++)
                if (kpi->keys.places[at].bad)
                    return true;
        }
    }
    return false;
}

static void check_edge(struct checker *self, const struct budget_kpi *kpi, double limit, const char *key)
{
    double low, high;
    char name[METRIC_NAME_MAX + 32], row[64];
    if (isnan(limit) || !budgets_range(&kpi->budget, &low, &high) || (limit > low && limit < high))
        return;
    snprintf(name, sizeof(name), "budgets[].kpis.%s.%s", kpi->budget.metric, key);
    snprintf(row, sizeof(row), "budgets[].kpis.<metric>.%s", key);
    mistakes_add(self->mistakes, evidence_mark(kpi, row), name,
                 "%g leaves nothing to test on one side; with test: evidence allowed: above %g and below %g", limit, low,
                 high);
}

/* An e-detector bets on values between two bounds, and against a budget that lies between them. */
static void check_evidence(struct checker *self, const struct budget_kpi *kpi)
{
    double low, high;
    char name[METRIC_NAME_MAX + 32];
    if (kpi->budget.test != KPI_EVIDENCE)
        return;
    if (!budgets_range(&kpi->budget, &low, &high)) {
        snprintf(name, sizeof(name), "budgets[].kpis.%s.test", kpi->budget.metric);
        mistakes_add(self->mistakes, evidence_mark(kpi, "budgets[].kpis.<metric>.test"), name,
                     "evidence needs a metric with bounds; allowed: with range: [least, largest], or window");
        return;
    }
    check_edge(self, kpi, kpi->budget.min, "min");
    check_edge(self, kpi, kpi->budget.max, "max");
}

static bool has_limit(const struct budget_kpi *kpi)
{
    return !isnan(kpi->budget.min) || !isnan(kpi->budget.max);
}

/* Whether one of the first `blocks` blocks, whatever its pattern, gives the metric a limit. */
static bool limited_before(const struct config_budgets *budgets, uint32_t blocks, const char *metric)
{
    for (uint32_t i = 0; i < blocks; i++)
        for (uint32_t k = 0; k < budgets->blocks[i].kpi_count; k++) {
            const struct budget_kpi *kpi = &budgets->blocks[i].kpis[k];
            if (!kpi->off && strcmp(kpi->budget.metric, metric) == 0 && (kpi->bad || has_limit(kpi)))
                return true;
        }
    return false;
}

/* A KPI of which no limit is known judges nothing: surely not what was meant. */
static void check_unlimited(struct checker *self, uint32_t block)
{
    const struct config_budgets *budgets = &self->box->budgets;
    char name[METRIC_NAME_MAX + 32];
    for (uint32_t k = 0; k < budgets->blocks[block].kpi_count && !mistakes_full(self->mistakes); k++) {
        const struct budget_kpi *kpi = &budgets->blocks[block].kpis[k];
        bool tried = record_at(&kpi->keys, "budgets[].kpis.<metric>.min") ||
                     record_at(&kpi->keys, "budgets[].kpis.<metric>.max");
        if (kpi->off || kpi->bad || tried || limited_before(budgets, block, kpi->budget.metric))
            continue;
        snprintf(name, sizeof(name), "budgets[].kpis.%s", kpi->budget.metric);
        mistakes_add(self->mistakes, kpi->mark, name,
                     "neither min nor max is given, here or in a block above; allowed: at least one of them, or off");
    }
}

static bool touches(const struct budget_block *block, const char *metric)
{
    for (uint32_t k = 0; k < block->kpi_count; k++)
        if (strcmp(block->kpis[k].budget.metric, metric) == 0)
            return true;
    return false;
}

static void check_count(struct checker *self, const struct budget_block *block, const struct budget_set *set)
{
    if (set->kpis_beyond && block->kpi_count > 0)
        mistakes_add(self->mistakes, block->mark, "budgets[].kpis",
                     "these and those of the other blocks that hold for some of the same models are too many; allowed: as "
                     "many as metrics are kept of a model, %d",
                     MONITOR_METRICS_MAX);
}

/* What the blocks come to that hold for a model, of which `block` is one; how many they are. */
static uint32_t check_merged(struct checker *self, uint32_t block, const struct model_id *model, struct arena *memory,
                             struct budget_set *set)
{
    struct config_budgets *budgets = &self->box->budgets;
    const uint32_t count = budgets_match(budgets, model);
    if (count == 0 || budgets_merge(budgets, memory, budgets->matching, count, set) != 0)
        return 0;
    check_count(self, &budgets->blocks[block], set);
    for (uint32_t k = 0; k < set->settings.kpi_count; k++) {
        if (count > 1)
            check_limits(self, &set->kpis[k]);
        /* Told where its last word is said: other blocks that meet it would only repeat it. */
        if (touches(&budgets->blocks[block], set->kpis[k].budget.metric) &&
            !any_bad(budgets, count, set->kpis[k].budget.metric))
            check_evidence(self, &set->kpis[k]);
    }
    return count;
}

static void check_block(struct checker *self, uint32_t block)
{
    struct arena memory = {0};
    struct budget_set set;
    struct model_id model;
    const bool made = stand_in(text_of(self->box->budgets.blocks[block].models), &memory, &model);
    const uint32_t count = made ? check_merged(self, block, &model, &memory, &set) : 0;
    if (count > 0 && !memory.failed && self->mistakes->count == 0)
        check_set(self, &set, &memory);
    if (memory.failed)
        self->scratch->failed = true;
    arena_free(&memory);
}

/* Two blocks of which neither's stand-in meets the other may have models in common all the same. */
static void check_crossing(struct checker *self, uint32_t one, uint32_t other)
{
    const struct config_budgets *budgets = &self->box->budgets;
    struct arena memory = {0};
    struct budget_set set;
    struct model_id model;
    if (budgets->blocks[one].kpi_count && budgets->blocks[other].kpi_count &&
        crossing_model(text_of(budgets->blocks[one].models), text_of(budgets->blocks[other].models), &memory, &model))
        check_merged(self, other, &model, &memory, &set);
    if (memory.failed)
        self->scratch->failed = true;
    arena_free(&memory);
}

void check_budgets(struct checker *self)
{
    const struct config_budgets *budgets = &self->box->budgets;
    for (uint32_t i = 0; i < budgets->block_count && !mistakes_full(self->mistakes); i++) {
        check_unlimited(self, i);
        if (budgets->blocks[i].models)
            check_block(self, i);
    }
    /* Each of these would repeat what was told of one block, or of the pair before. */
    for (uint32_t i = 0; i < budgets->block_count && budgets->block_count <= CROSSING_BLOCKS_MAX; i++)
        for (uint32_t j = 0; j < i && self->mistakes->count == 0; j++)
            if (budgets->blocks[i].models && budgets->blocks[j].models)
                check_crossing(self, j, i);
}

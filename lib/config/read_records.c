/* Readers of what a person names or lists: blocks of budgets, KPIs, projects, strategies. */
#include "lib/config/read.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "lib/config/scalar.h"

static bool metric_name_valid(struct text name)
{
    if (name.len < 1 || name.len > METRIC_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (!((c >= 'a' && c <= 'z') || (i > 0 && ((c >= '0' && c <= '9') || c == '_' || c == '.'))))
            return false;
    }
    return true;
}

bool read_metric_name(struct reader *self, const struct node *key, const char *shown)
{
    static const char *const members[] = {"timestamp", "node", "boot", "seq", "n", "model"};
    if (!metric_name_valid(key->text)) {
        mistakes_add(self->mistakes, key->mark, shown,
                     "no name of a metric; allowed: a small letter, then up to 63 small letters, digits, '_' and '.'");
        return false;
    }
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        if (!text_is(key->text, members[i]))
            continue;
        mistakes_add(self->mistakes, key->mark, shown,
                     "a member of every event and no metric; allowed: accuracy, "
                     "latency_ms or any other metric");
        return false;
    }
    return true;
}

static const struct key_place *good_key(const struct record *keys, const char *path)
{
    const struct key_place *place = record_at(keys, path);
    return place && !place->bad ? place : NULL;
}

static void read_kpi(struct reader *self, const struct node *node, const char *shown, struct budget_kpi *kpi)
{
    static const char section[] = "budgets[].kpis.<metric>";
    const struct schema_row *row = schema_row_of(section);
    kpi->mark = node->key->mark;
    kpi->budget.min = kpi->budget.max = (double)NAN;
    kpi->bad = true;
    if (!read_metric_name(self, node->key, shown))
        return;
    memcpy(kpi->budget.metric, node->key->text.at, node->key->text.len);
    if (node->unknown)
        return;
    if (node->kind == NODE_SCALAR && scalar_is_off(node->text)) {
        kpi->off = true;
        kpi->bad = false;
        return;
    }
    if (!read_expect(self, row, node, shown, NODE_MAP))
        return;
    const struct target target = {.base = &kpi->budget, .keys = &kpi->keys, .name = kpi->budget.metric};
    read_section(self, node, section, shown, &target);
    kpi->bad = false;
    const struct key_place *min = good_key(&kpi->keys, "budgets[].kpis.<metric>.min");
    if (min && good_key(&kpi->keys, "budgets[].kpis.<metric>.max") && kpi->budget.min > kpi->budget.max)
        mistakes_add(self->mistakes, min->mark, shown, "min %g is above max %g; allowed: a min up to the max",
                     kpi->budget.min, kpi->budget.max);
}

bool read_kpis(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
               const struct target *into)
{
    struct budget_block *block = into->base;
    char name[READ_KEY_MAX];
    if (node_is_empty(node))
        return true;
    if (!read_expect(self, row, node, shown, NODE_MAP))
        return false;
    if (node->count > MONITOR_METRICS_MAX)
        return read_refuse(self, row, node, shown, "more than the %d metrics that are kept of a model",
                           MONITOR_METRICS_MAX);
    block->kpis = arena_take(&self->box->memory, node->count, sizeof(*block->kpis));
    if (!block->kpis)
        return false;
    for (const struct node *member = node->first; member; member = member->next) {
        read_join(name, shown, member->key->text);
        if (!member->key->unknown)
            read_kpi(self, member, name, &block->kpis[block->kpi_count++]);
    }
    return true;
}

static void read_block(struct reader *self, const struct node *node, const char *shown, struct budget_block *block)
{
    const struct schema_row *models = schema_row_of("budgets[].models");
    char allowed[SCHEMA_ALLOWED_MAX];
    block->mark = node->mark;
    if (node->unknown)
        return;
    if (!read_expect(self, schema_row_of("budgets"), node, shown, NODE_MAP))
        return;
    const struct target target = {.base = block, .keys = &block->keys};
    read_section(self, node, shown, shown, &target);
    if (!record_find(&block->keys, models))
        mistakes_add(self->mistakes, block->mark, shown, "the key models is missing; it takes %s",
                     schema_allowed(models, allowed));
}

bool read_blocks(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                 const struct target *into)
{
    struct config_budgets *budgets = &self->box->budgets;
    (void)into;
    if (node_is_empty(node))
        return true;
    if (!read_expect(self, row, node, shown, NODE_LIST))
        return false;
    if (node->count > BUDGETS_BLOCKS_MAX - budgets->block_count)
        return read_refuse(self, row, node, shown, "more than %d blocks", BUDGETS_BLOCKS_MAX);
    struct budget_block *blocks =
        arena_take(&self->box->memory, (size_t)budgets->block_count + node->count, sizeof(*blocks));
    if (!blocks)
        return false;
    if (budgets->block_count > 0)
        memcpy(blocks, budgets->blocks, budgets->block_count * sizeof(*blocks));
    budgets->blocks = blocks;
    for (const struct node *item = node->first; item; item = item->next)
        read_block(self, item, "budgets[]", &budgets->blocks[budgets->block_count++]);
    return true;
}

static bool check_project(struct reader *self, const struct node *member, const char *section, const char *shown)
{
    if (model_id_segment_valid(member->key->text))
        return read_expect(self, schema_row_of(section), member, shown, NODE_MAP);
    mistakes_add(self->mistakes, member->key->mark, shown,
                 "no name of a project; allowed: 1 to 128 bytes without /, *, ?, [, control characters, and "
                 "without a blank at either end");
    return false;
}

bool read_projects(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                   const struct target *into)
{
    struct config *config = into->base;
    static const char section[] = "retraining.limits.projects.<project>";
    char name[READ_KEY_MAX];
    if (node_is_empty(node))
        return true;
    if (!read_expect(self, row, node, shown, NODE_MAP))
        return false;
    config->retraining.projects = arena_take(&self->box->memory, node->count, sizeof(*config->retraining.projects));
    self->box->project_keys = arena_take(&self->box->memory, node->count, sizeof(*self->box->project_keys));
    if (!config->retraining.projects || !self->box->project_keys)
        return false;
    for (const struct node *member = node->first; member; member = member->next) {
        read_join(name, shown, member->key->text);
        if (member->key->unknown || member->unknown)
            continue;
        if (!check_project(self, member, section, name))
            continue;
        uint32_t index = config->retraining.project_count++;
        struct config_project_limits *limits = &config->retraining.projects[index];
        memcpy(limits->project, member->key->text.at, member->key->text.len);
        const struct target target = {.base = limits, .keys = &self->box->project_keys[index]};
        read_defaults(self, section, limits);
        read_section(self, member, section, name, &target);
    }
    return true;
}

/* A place for one more, by its name: nothing depends on the order in the file. */
static uint32_t place_for(struct reader *self, struct text project)
{
    struct config_projects *own = &self->box->config.projects;
    uint32_t at = own->count++;
    struct config_project read = {.project = ""};
    memcpy(read.project, project.at, project.len);
    while (at > 0 && strcmp(own->at[at - 1].project, read.project) > 0) {
        own->at[at] = own->at[at - 1];
        self->box->own_keys[at] = self->box->own_keys[at - 1];
        at--;
    }
    own->at[at] = read;
    self->box->own_keys[at] = (struct record){.count = 0};
    return at;
}

bool read_own(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
              const struct target *into)
{
    struct config_projects *own = &self->box->config.projects;
    static const char section[] = "projects.<project>";
    char name[READ_KEY_MAX];
    (void)into;
    if (node_is_empty(node) || (node->kind == NODE_MAP && node->count == 0))
        return true;
    if (!read_expect(self, row, node, shown, NODE_MAP))
        return false;
    if (node->count > CONFIG_PROJECTS_MAX)
        return read_refuse(self, row, node, shown, "more than %d projects", CONFIG_PROJECTS_MAX);
    own->at = arena_take(&self->box->memory, node->count, sizeof(*own->at));
    self->box->own_keys = arena_take(&self->box->memory, node->count, sizeof(*self->box->own_keys));
    if (!own->at || !self->box->own_keys)
        return false;
    for (const struct node *member = node->first; member; member = member->next) {
        read_join(name, shown, member->key->text);
        if (member->key->unknown || member->unknown || !check_project(self, member, section, name))
            continue;
        uint32_t index = place_for(self, member->key->text);
        const struct target target = {.base = &own->at[index], .keys = &self->box->own_keys[index]};
        read_defaults(self, section, &own->at[index]);
        read_section(self, member, section, name, &target);
    }
    return true;
}

static bool check_strategy_name(struct reader *self, const struct node *key, const char *shown)
{
    bool good = key->text.len >= 1 && key->text.len <= STRATEGY_NAME_MAX;
    for (size_t i = 0; good && i < key->text.len; i++) {
        char c = key->text.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        good = letter || (i > 0 && (c == '_' || c == '-' || c == '.'));
    }
    if (!good) {
        mistakes_add(self->mistakes, key->mark, shown,
                     "no name of a strategy; allowed: a letter or digit, then up to %d of letters, digits, '_', '-' "
                     "and '.'",
                     STRATEGY_NAME_MAX - 1);
        return false;
    }
    for (const struct schema_word *word = schema_row_of("retraining.choose")->words; word->word; word++) {
        if (!text_is(key->text, word->word))
            continue;
        mistakes_add(self->mistakes, key->mark, shown,
                     "a way to choose, which retraining.choose could not tell from a strategy; allowed: another name");
        return false;
    }
    return true;
}

/* What an entry does not say comes from the shipped strategy of that name, or else from the table. */
static void begin_strategy(struct reader *self, struct strategy *strategy, const char *section, struct text name)
{
    read_defaults(self, section, strategy);
    for (uint32_t i = 0; i < strategy_default_count; i++)
        if (text_is(name, strategy_defaults[i].name))
            *strategy = strategy_defaults[i];
    memset(strategy->name, 0, sizeof(strategy->name));
    memcpy(strategy->name, name.at, name.len);
}

bool read_strategies(struct reader *self, const struct schema_row *row, const struct node *node, const char *shown,
                     const struct target *into)
{
    struct config *config = into->base;
    static const char section[] = "retraining.strategies.<name>";
    char name[READ_KEY_MAX];
    if (node_is_empty(node) || (node->kind == NODE_MAP && node->count == 0))
        return true;
    if (!read_expect(self, row, node, shown, NODE_MAP))
        return false;
    if (node->count > CONFIG_STRATEGIES_MAX)
        return read_refuse(self, row, node, shown, "more than %d strategies", CONFIG_STRATEGIES_MAX);
    config->retraining.strategy_count = 0;
    for (const struct node *member = node->first; member; member = member->next) {
        read_join(name, shown, member->key->text);
        if (member->key->unknown || !check_strategy_name(self, member->key, name))
            continue;
        uint32_t index = config->retraining.strategy_count++;
        struct strategy *strategy = &config->retraining.strategies[index];
        begin_strategy(self, strategy, section, member->key->text);
        const struct target target = {.base = strategy, .keys = &self->box->strategy_keys[index]};
        if (!member->unknown && !node_is_empty(member) &&
            read_expect(self, schema_row_of(section), member, name, NODE_MAP))
            read_section(self, member, section, name, &target);
    }
    return true;
}

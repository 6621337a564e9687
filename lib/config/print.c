#include "lib/config/print.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/config/box.h"

#define COMMENT_COLUMN 48

struct printer {
    const struct config_box *box;
    struct print_text text; /* the line that is being made */
    config_line_fn *line;
    void *argument;
};

static void end_line(struct printer *self)
{
    print_put(&self->text, "%s", "");
    if (!self->text.failed)
        self->line(self->argument, self->text.at ? self->text.at : "");
    self->text.len = 0;
}

static void begin_line(struct printer *self, unsigned indent, const char *key)
{
    print_put(&self->text, "%*s%s:", (int)indent, "", key);
}

/* Ends a line with where its value was set. */
static void end_with_place(struct printer *self, const struct key_place *place)
{
    size_t column = self->text.len;
    print_put(&self->text, "%*s # ", column < COMMENT_COLUMN ? (int)(COMMENT_COLUMN - column) : 0, "");
    if (place)
        print_put(&self->text, "%s:%u", self->box->files[place->mark.file], place->mark.line);
    else
        print_put(&self->text, "default");
    /* A file's name may hold anything; a comment ends with its line. */
    for (size_t i = column; !self->text.failed && i < self->text.len; i++)
        if ((unsigned char)self->text.at[i] < 0x20)
            self->text.at[i] = '?';
    end_line(self);
}

static void print_keys(struct printer *self, const char *section, const void *base, const struct record *keys,
                       unsigned indent, bool all);

/* "key: value  # place"; a key without a value, or one that is not set where only those are wanted, is left out. */
static void print_row(struct printer *self, const struct schema_row *row, const void *base, const struct record *keys,
                      unsigned indent, bool all)
{
    const struct key_place *place = record_find(keys, row);
    if (!place && !all)
        return;
    begin_line(self, indent, schema_key(row));
    print_put(&self->text, " ");
    if (print_value(&self->text, row, base))
        end_with_place(self, place);
    else
        self->text.len = 0;
}

static void print_name(struct printer *self, unsigned indent, struct text name)
{
    print_put(&self->text, "%*s", (int)indent, "");
    print_quoted_key(&self->text, name);
    print_put(&self->text, ":");
    end_line(self);
}

static void print_projects(struct printer *self, unsigned indent)
{
    const struct config *config = &self->box->config;
    begin_line(self, indent, "projects");
    print_put(&self->text, "%s", config->retraining.project_count > 0 ? "" : " {}");
    end_line(self);
    for (uint32_t i = 0; i < config->retraining.project_count; i++) {
        print_name(self, indent + 2, text_of(config->retraining.projects[i].project));
        print_keys(self, "retraining.limits.projects.<project>", &config->retraining.projects[i],
                   &self->box->project_keys[i], indent + 4, true);
    }
}

static void print_strategies(struct printer *self, unsigned indent)
{
    const struct config *config = &self->box->config;
    begin_line(self, indent, "strategies");
    end_line(self);
    for (uint32_t i = 0; i < config->retraining.strategy_count; i++) {
        print_name(self, indent + 2, text_of(config->retraining.strategies[i].name));
        print_keys(self, "retraining.strategies.<name>", &config->retraining.strategies[i],
                   &self->box->strategy_keys[i], indent + 4, true);
    }
}

static void put_parameter(struct print_text *text, const struct detect_param *param, double value)
{
    const char *word = param->words;
    print_put(text, ", %s: ", param->name);
    switch (param->kind) {
    case DETECT_NUMBER:
    case DETECT_WHOLE:
        print_number(text, value);
        break;
    case DETECT_SWITCH:
        print_put(text, "%s", value != 0 ? "true" : "false");
        break;
    case DETECT_CHOICE:
        for (int i = 0; i < (int)value; i++)
            word += strcspn(word, "|") + 1;
        print_put(text, "%.*s", (int)strcspn(word, "|"), word);
        break;
    }
}

static void print_drift(struct printer *self, const struct budget_block *block, unsigned indent)
{
    const struct key_place *place = record_at(&block->keys, "budgets[].drift");
    if (!block->drift.given)
        return;
    begin_line(self, indent, "drift");
    print_put(&self->text, "%s", block->drift.count > 0 ? "" : " []");
    end_with_place(self, place);
    for (uint32_t i = 0; i < block->drift.count; i++) {
        const struct drift_rule *rule = &block->drift.rules[i];
        const struct detect_param *param;
        print_put(&self->text, "%*s- {metric: %s, detector: %s", (int)indent + 2, "", rule->metric, rule->detector);
        for (uint32_t p = 0; (param = detect_param(rule->detector, p)); p++) {
            double value = detect_params_get(&rule->params, param->name);
            if (!isnan(value))
                put_parameter(&self->text, param, value);
        }
        print_put(&self->text, "}");
        end_line(self);
    }
}

static void print_kpis(struct printer *self, const struct budget_block *block, unsigned indent)
{
    if (block->kpi_count == 0)
        return;
    begin_line(self, indent, "kpis");
    end_line(self);
    for (uint32_t i = 0; i < block->kpi_count; i++) {
        const struct budget_kpi *kpi = &block->kpis[i];
        const struct key_place place = {.mark = kpi->mark};
        begin_line(self, indent + 2, kpi->budget.metric);
        if (kpi->off) {
            print_put(&self->text, " off");
            end_with_place(self, &place);
            continue;
        }
        print_put(&self->text, "%s", kpi->keys.count > 0 ? "" : " {}");
        end_line(self);
        print_keys(self, "budgets[].kpis.<metric>", &kpi->budget, &kpi->keys, indent + 4, false);
    }
}

static void print_blocks(struct printer *self)
{
    const struct config_budgets *budgets = &self->box->budgets;
    begin_line(self, 0, "budgets");
    print_put(&self->text, "%s", budgets->block_count > 0 ? "" : " []");
    end_line(self);
    for (uint32_t i = 0; i < budgets->block_count; i++) {
        const struct budget_block *block = &budgets->blocks[i];
        const struct key_place *place = record_at(&block->keys, "budgets[].models");
        print_put(&self->text, "  - models: ");
        print_quoted(&self->text, text_of(block->models));
        end_with_place(self, place);
        print_keys(self, "budgets[]", block, &block->keys, 4, false);
        print_kpis(self, block, 4);
        print_drift(self, block, 4);
    }
}

static void print_keys(struct printer *self, const char *section, const void *base, const struct record *keys,
                       unsigned indent, bool all)
{
    for (uint32_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        if (!schema_is_in(row, section) || row->type == SCHEMA_PATTERN)
            continue;
        if (row->type == SCHEMA_MAP) {
            begin_line(self, indent, schema_key(row));
            end_line(self);
            print_keys(self, row->path, base, keys, indent + 2, all);
        } else if (row->type == SCHEMA_PROJECTS) {
            print_projects(self, indent);
        } else if (row->type == SCHEMA_STRATEGIES) {
            print_strategies(self, indent);
        } else if (row->type != SCHEMA_BLOCKS) {
            print_row(self, row, base, keys, indent, all);
        }
    }
}

int config_print(const struct config *self, config_line_fn *line, void *argument)
{
    struct printer printer = {
        .box = (const struct config_box *)self, .line = line, .argument = argument};
    print_keys(&printer, "", self, &printer.box->keys, 0, true);
    print_blocks(&printer);
    free(printer.text.at);
    return printer.text.failed ? -ENOMEM : 0;
}

char *config_value(const struct config *self, const char *key)
{
    const struct schema_row *row = schema_row_of(key);
    struct print_text text = {0};
    if (row && print_value(&text, row, self) && !text.failed)
        return text.at;
    free(text.at);
    return NULL;
}

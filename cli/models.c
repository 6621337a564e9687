#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/kpi.h"
#include "cli/member.h"
#include "cli/say.h"
#include "cli/state.h"
#include "cli/table.h"

static const struct column columns[] = {
    {"MODEL", COLUMN_GIVES_WAY}, {"STATE", 0}, {"FAILURES", COLUMN_NUMBER}, {"EPISODE", COLUMN_NUMBER | COLUMN_OPTIONAL},
    {"BACK-OFF", COLUMN_NUMBER | COLUMN_OPTIONAL}, {"BUDGETS", COLUMN_GIVES_WAY | COLUMN_OPTIONAL}, {0},
};

/* Who needs somebody first; then who fails more; then by name. */
static int compare(const void *a_p, const void *b_p)
{
    const json_t *a = *(json_t *const *)a_p, *b = *(json_t *const *)b_p;
    unsigned rank_a = state_rank(member_text(a, "state")), rank_b = state_rank(member_text(b, "state"));
    if (rank_a != rank_b)
        return rank_a < rank_b ? -1 : 1;
    int64_t failures_a = member_count(a, "failures"), failures_b = member_count(b, "failures");
    if (failures_a != failures_b)
        return failures_a > failures_b ? -1 : 1;
    struct text name_a = member_text(a, "model"), name_b = member_text(b, "model");
    int order = memcmp(name_a.at, name_b.at, name_a.len < name_b.len ? name_a.len : name_b.len);
    return order ? order : (name_a.len > name_b.len) - (name_a.len < name_b.len);
}

static void add_budgets(struct table *table, const json_t *kpis)
{
    char *text = NULL;
    size_t size, index;
    const json_t *kpi;
    bool violated = false;
    FILE *out = must(open_memstream(&text, &size));
    json_array_foreach (kpis, index, kpi) {
        fputs(index ? ", " : "", out);
        kpi_put(out, kpi);
        violated = violated || member_true(kpi, "violated");
    }
    fclose(out);
    table_text(table, violated ? RED : PLAIN, (struct text){.at = must(text), .len = size});
    free(text);
}

static void add_row(struct table *table, const json_t *model)
{
    struct text state = member_text(model, "state");
    int64_t failures = member_count(model, "failures"), episode = member_count(model, "episode");
    double backoff_s = member_number(model, "backoff_left_s", 0);
    table_row(table);
    table_text(table, PLAIN, member_text(model, "model"));
    table_text(table, state_colour(state), state);
    table_cell(table, failures ? RED : PLAIN, "%s", figure_count(failures).text);
    table_cell(table, PLAIN, "%s", episode ? figure_count(episode).text : "-");
    table_cell(table, PLAIN, "%s", backoff_s > 0 ? figure_span(backoff_s).text : "-");
    add_budgets(table, json_object_get(model, "kpis"));
}

static void show(const json_t *answer, const void *argument)
{
    const char *pattern = argument;
    const json_t *models = json_object_get(answer, "models");
    size_t count = json_array_size(models);
    if (!count) {
        printf(pattern ? "No model matches.\n" : "No model has been heard of yet.\n");
        return;
    }
    const json_t **sorted = must(calloc(count, sizeof *sorted));
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_array_get(models, i);
    qsort(sorted, count, sizeof *sorted, compare);
    struct table *table;
    table_new(&table, columns);
    for (size_t i = 0; i < count; i++)
        add_row(table, sorted[i]);
    table_print(table);
    table_destroy(&table);
    free(sorted);
    int64_t matched = member_count(answer, "matched");
    if (matched > (int64_t)count)
        printf("%s of %s models; a pattern narrows them down.\n", figure_count((int64_t)count).text,
               figure_count(matched).text);
}

int models_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {.most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    json_t *question = must(json_pack("{s:s}", "do", "models"));
    const char *pattern = arguments.count ? arguments.words[0] : NULL, *why;
    if (pattern) {
        if (model_pattern_check(text_of(pattern), &why) < 0)
            say_and_end(EX_USAGE, "'%s' is no pattern: %s", pattern, why);
        json_object_set_new(question, "pattern", json_string(pattern));
    }
    return control_ask(common, question, show, pattern);
}

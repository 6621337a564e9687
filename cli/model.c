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
#include "cli/visible.h"

static const struct column budget_columns[] = {
    {"BUDGET", COLUMN_GIVES_WAY},       {"OVER", 0}, {"NOW", COLUMN_NUMBER}, {"LIMIT", COLUMN_NUMBER}, {"", 0},
    {"LATEST VALUES", COLUMN_OPTIONAL}, {0},
};
static const struct column metric_columns[] = {
    {"METRIC", COLUMN_GIVES_WAY},
    {"LAST", COLUMN_NUMBER},
    {"MEAN", COLUMN_NUMBER},
    {"VALUES", COLUMN_NUMBER},
    {"LATEST VALUES", COLUMN_OPTIONAL},
    {0},
};

static void add_history(struct table *table, enum colour colour, const json_t *recent)
{
    double values[SPARKLINE_MAX];
    size_t count = json_array_size(recent), from = count > SPARKLINE_MAX ? count - SPARKLINE_MAX : 0;
    for (size_t i = from; i < count; i++) {
        const json_t *value = json_array_get(recent, i);
        values[i - from] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    table_cell(table, colour, "%s", figure_sparkline(values, (uint32_t)(count - from)).text);
}

static void add_limits(struct table *table, const json_t *kpi)
{
    char *text = NULL;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));
    kpi_put_limits(out, kpi);
    fclose(out);
    table_text(table, PLAIN, text_of(must(text)));
    free(text);
}

static void show_budgets(const json_t *kpis)
{
    struct table *table;
    const json_t *kpi;
    size_t index;
    table_new(&table, budget_columns);
    json_array_foreach(kpis, index, kpi)
    {
        bool violated = member_true(kpi, "violated");
        enum colour colour = violated ? RED : member_true(kpi, "judged") ? GREEN : PLAIN;
        table_row(table);
        table_text(table, PLAIN, member_text(kpi, "name"));
        table_text(table, PLAIN, member_text(kpi, "over"));
        table_cell(table, colour, "%s", figure_value(member_number(kpi, "observed", NAN)).text);
        add_limits(table, kpi);
        table_cell(table, colour, "%s", violated ? "violated" : member_true(kpi, "judged") ? "held" : "not judged yet");
        add_history(table, colour, json_object_get(kpi, "recent"));
    }
    if (json_array_size(kpis))
        putchar('\n');
    table_print(table);
    table_destroy(&table);
}

static void show_metrics(const json_t *metrics)
{
    struct table *table;
    const json_t *metric;
    size_t index;
    table_new(&table, metric_columns);
    json_array_foreach(metrics, index, metric)
    {
        table_row(table);
        table_text(table, PLAIN, member_text(metric, "name"));
        table_cell(table, PLAIN, "%s", figure_value(member_number(metric, "last", NAN)).text);
        table_cell(table, PLAIN, "%s", figure_value(member_number(metric, "mean", NAN)).text);
        table_cell(table, PLAIN, "%s", figure_count(member_count(metric, "total")).text);
        add_history(table, PLAIN, json_object_get(metric, "recent"));
    }
    if (json_array_size(metrics))
        putchar('\n');
    table_print(table);
    table_destroy(&table);
}

static void show_standing(const json_t *model)
{
    const json_t *settings = json_object_get(model, "settings");
    int64_t episode = member_count(model, "episode"), needed = member_count(settings, "consecutive_failures");
    double backoff_s = member_number(model, "backoff_left_s", 0), last_s = member_number(model, "last_event_s", NAN);
    printf("Failures   %s in a row", figure_count(member_count(model, "failures")).text);
    if (needed)
        printf(" (%s trigger)", figure_count(needed).text);
    printf("\nEpisode    ");
    if (episode)
        printf("%s, %s", figure_count(episode).text, member_true(model, "episode_open") ? "open" : "closed");
    else
        printf("none yet");
    printf("%s\n", member_true(model, "request_live") ? ", a request is under way" : "");
    printf("Back-off   %s\n", backoff_s > 0 ? figure_span(backoff_s).text : "none");
    printf("Events     %s", figure_count(member_count(model, "events")).text);
    if (!isnan(last_s))
        printf(", the last %s ago", figure_span(last_s).text);
    putchar('\n');
    int64_t left_out = member_count(model, "metrics_left_out");
    if (left_out)
        printf("Left out   %s values of further metrics\n", figure_count(left_out).text);
}

static void show(const json_t *model, const void *argument)
{
    (void)argument;
    struct text state = member_text(model, "state");
    printf("%s", terminal_on(BOLD));
    visible_put(stdout, member_text(model, "model"));
    printf("%s  %s", terminal_off(BOLD), terminal_on(state_colour(state)));
    visible_put(stdout, state);
    printf("%s\n\n", terminal_off(state_colour(state)));
    show_standing(model);
    show_budgets(json_object_get(model, "kpis"));
    show_metrics(json_object_get(model, "metrics"));
}

int model_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {.least = 1, .most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    struct model_id id;
    if (model_id_parse(&id, text_of(arguments.words[0])) < 0)
        say_and_end(EX_USAGE, "'%s' is no model; a model is project/name/version", arguments.words[0]);
    return control_ask(common, json_pack("{s:s, s:s}", "do", "model", "model", arguments.words[0]), show, NULL);
}

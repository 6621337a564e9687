#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/request_id.h"
#include "cli/say.h"
#include "cli/state.h"
#include "cli/table.h"
#include "cli/visible.h"

static const struct column history_columns[] = {
    {"AT", 0}, {"FROM", COLUMN_OPTIONAL}, {"TO", 0}, {"BY", COLUMN_GIVES_WAY | COLUMN_OPTIONAL}, {"WHY", COLUMN_WRAPS},
    {0},
};
static const struct column outcome_columns[] = {
    {"TRY", COLUMN_NUMBER},
    {"STRATEGY", COLUMN_GIVES_WAY | COLUMN_OPTIONAL},
    {"TRAINER", COLUMN_GIVES_WAY},
    {"OUTCOME", 0},
    {"GPU-HOURS", COLUMN_NUMBER | COLUMN_OPTIONAL},
    {"GAIN", COLUMN_NUMBER | COLUMN_OPTIONAL},
    {"VERSION", COLUMN_GIVES_WAY | COLUMN_OPTIONAL},
    {"RESULT", COLUMN_WRAPS},
    {0},
};

static void line(const char *label, struct text value)
{
    if (!value.len)
        return;
    printf("%-10s ", label);
    visible_put(stdout, value);
    putchar('\n');
}

static void show_history(const json_t *history)
{
    struct table *table;
    const json_t *step;
    size_t index;
    table_new(&table, history_columns);
    json_array_foreach(history, index, step)
    {
        struct text from = member_text(step, "from"), to = member_text(step, "to");
        table_row(table);
        table_cell(table, DIM, "%s", figure_stamp(member_text(step, "at")).text);
        table_text(table, PLAIN, from.len ? from : text_of("-"));
        table_text(table, state_colour(to), to);
        table_text(table, PLAIN, member_text(step, "by"));
        table_text(table, PLAIN, member_text(step, "why"));
    }
    if (json_array_size(history))
        putchar('\n');
    table_print(table);
    table_destroy(&table);
}

static void show_outcomes(const json_t *outcomes)
{
    struct table *table;
    const json_t *outcome;
    size_t index;
    table_new(&table, outcome_columns);
    json_array_foreach(outcomes, index, outcome)
    {
        struct text error = member_text(outcome, "error"), name = member_text(outcome, "outcome");
        table_row(table);
        table_cell(table, PLAIN, "%s", figure_count(member_count(outcome, "attempt")).text);
        table_text(table, PLAIN, member_text(outcome, "strategy"));
        table_text(table, PLAIN, member_text(outcome, "trainer"));
        table_text(table, text_is(name, "done") ? GREEN : error.len ? RED : PLAIN, name);
        table_cell(table, PLAIN, "%s", figure_value(member_number(outcome, "gpu_hours", NAN)).text);
        table_cell(table, PLAIN, "%s", figure_value(member_number(outcome, "gain", NAN)).text);
        table_text(table, PLAIN, member_text(outcome, "version"));
        table_text(table, PLAIN, error.len ? error : member_text(outcome, "artifact"));
    }
    if (json_array_size(outcomes))
        putchar('\n');
    table_print(table);
    table_destroy(&table);
}

static void show_trigger(const json_t *trigger)
{
    double observed = member_number(trigger, "observed", NAN);
    line("Trigger", member_text(trigger, "rule"));
    if (!isnan(observed))
        printf("%-10s %s, limit %s, %s failures in a row\n", "Observed", figure_value(observed).text,
               figure_value(member_number(trigger, "limit", NAN)).text,
               figure_count(member_count(trigger, "failures")).text);
}

static void show_held(struct text by, struct text until)
{
    if (!by.len)
        return;
    printf("%-10s ", "Held by");
    visible_put(stdout, by);
    if (until.len)
        printf(", until %s", figure_stamp(until).text);
    putchar('\n');
}

static void show_standing(const json_t *request)
{
    double fraction = member_number(request, "fraction", NAN), lease_s = member_number(request, "lease_left_s", NAN);
    double due_s = member_number(request, "due_in_s", NAN);
    int64_t attempts = member_count(request, "attempts");
    printf("%-10s %s", "Attempt", figure_count(member_count(request, "attempt")).text);
    if (attempts)
        printf(" of at most %s", figure_count(attempts).text);
    putchar('\n');
    line("Trainer", member_text(request, "trainer"));
    if (!isnan(fraction))
        printf("%-10s %.0f %%\n", "Progress", fraction * 100);
    line("Note", member_text(request, "note"));
    if (!isnan(lease_s))
        printf("%-10s %s left\n", "Lease", figure_span(lease_s).text);
    line("Waits for", member_text(request, "waiting_for"));
    if (!isnan(due_s))
        printf("%-10s in %s\n", "Due", figure_span(due_s).text);
    show_held(member_text(request, "held_by"), member_text(request, "held_until"));
    if (member_true(request, "cancel_asked"))
        printf("%-10s asked for; the trainer is told with its next progress\n", "Cancel");
}

static void show(const json_t *request, const void *argument)
{
    struct text state = member_text(request, "state");
    (void)argument;
    printf("%s", terminal_on(BOLD));
    visible_put(stdout, member_text(request, "id"));
    printf("%s  %s", terminal_off(BOLD), terminal_on(state_colour(state)));
    visible_put(stdout, state);
    printf("%s\n\n", terminal_off(state_colour(state)));
    line("Model", member_text(request, "model"));
    show_trigger(json_object_get(request, "trigger"));
    struct text reason = member_text(request, "strategy_reason");
    line("Strategy", reason.len ? reason : member_text(request, "strategy"));
    show_standing(request);
    line("Created", text_of(figure_stamp(member_text(request, "created_at")).text));
    show_outcomes(json_object_get(request, "outcomes"));
    show_history(json_object_get(request, "history"));
}

int request_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {.least = 1, .most = 1};
    char *id;
    command_arguments(self, common, argc, argv, &arguments);
    int status = request_id_find(common, arguments.words[0], &id);
    if (status)
        return status;
    status = control_ask(common, must(json_pack("{s:s, s:s}", "do", "request", "request", id)), show, NULL);
    free(id);
    return status;
}

#include <math.h>
#include <stdio.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/say.h"
#include "cli/state.h"
#include "cli/table.h"
#include "cli/visible.h"

static const struct column columns[] = {
    {"AT", 0}, {"FROM", 0}, {"TO", 0}, {"BY", COLUMN_GIVES_WAY}, {"WHY", COLUMN_GIVES_WAY | COLUMN_OPTIONAL}, {0},
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
    table_new(&table, columns);
    json_array_foreach (history, index, step) {
        struct text from = member_text(step, "from"), to = member_text(step, "to");
        table_row(table);
        table_text(table, DIM, member_text(step, "at"));
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

static void show_trigger(const json_t *trigger)
{
    double observed = member_number(trigger, "observed", NAN);
    line("Trigger", member_text(trigger, "rule"));
    if (!isnan(observed))
        printf("%-10s %s, limit %s, %s failures in a row\n", "Observed", figure_value(observed).text,
               figure_value(member_number(trigger, "limit", NAN)).text,
               figure_count(member_count(trigger, "failures")).text);
}

static void show(const json_t *answer, const void *argument)
{
    (void)argument;
    const json_t *nested = json_object_get(answer, "request");
    const json_t *request = json_is_object(nested) ? nested : answer;
    struct text state = member_text(request, "state");
    printf("%s", terminal_on(BOLD));
    visible_put(stdout, member_text(request, "id"));
    printf("%s  %s", terminal_off(BOLD), terminal_on(state_colour(state)));
    visible_put(stdout, state);
    printf("%s\n\n", terminal_off(state_colour(state)));
    line("Model", member_text(request, "model"));
    show_trigger(json_object_get(request, "trigger"));
    line("Strategy", member_text(request, "strategy"));
    line("", member_text(request, "strategy_reason"));
    printf("%-10s %s\n", "Attempt", figure_count(member_count(request, "attempt")).text);
    line("Held by", member_text(request, "held_by"));
    line("Note", member_text(request, "note"));
    line("Created", member_text(request, "created_at"));
    show_history(json_object_get(request, "history"));
}

int request_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {.least = 1, .most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    json_t *question = json_pack("{s:s, s:s}", "do", "request", "request", arguments.words[0]);
    if (!question)
        say_and_end(EX_USAGE, "'%s' is no request", arguments.words[0]);
    return control_ask(common, question, show, NULL);
}

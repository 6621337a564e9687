#include <stdio.h>

#include "cli/control.h"
#include "cli/member.h"
#include "cli/say.h"
#include "cli/state.h"
#include "cli/table.h"

static const struct column columns[] = {
    {"REQUEST", 0}, {"MODEL", COLUMN_GIVES_WAY}, {"STATE", 0}, {"ATTEMPT", COLUMN_NUMBER},
    {"STRATEGY", COLUMN_GIVES_WAY | COLUMN_OPTIONAL}, {"HELD BY", COLUMN_GIVES_WAY | COLUMN_OPTIONAL},
    {"CREATED", COLUMN_OPTIONAL}, {0},
};

static void show(const json_t *answer, const void *argument)
{
    const json_t *requests = json_object_get(answer, "requests"), *request;
    struct table *table;
    size_t index;
    if (!json_array_size(requests)) {
        printf(argument ? "No request is in that state.\n" : "No request yet.\n");
        return;
    }
    table_new(&table, columns);
    json_array_foreach (requests, index, request) {
        struct text state = member_text(request, "state");
        table_row(table);
        table_text(table, PLAIN, member_text(request, "id"));
        table_text(table, PLAIN, member_text(request, "model"));
        table_text(table, state_colour(state), state);
        table_cell(table, PLAIN, "%lld", (long long)member_count(request, "attempt"));
        table_text(table, PLAIN, member_text(request, "strategy"));
        table_text(table, PLAIN, member_text(request, "held_by"));
        table_text(table, PLAIN, member_text(request, "created_at"));
    }
    table_print(table);
    table_destroy(&table);
}

static const char *option(void *input, int key, const char *value)
{
    const char **state_p = input;
    (void)key;
    for (const char *const *state = request_states; *state; state++) {
        if (strcasecmp(*state, value) == 0) {
            *state_p = *state;
            return NULL;
        }
    }
    return "pending, offered, running, done, dead, cancelled or superseded";
}

int requests_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"state", 'S', "STATE", 0, "Only those: pending, offered, running, done, dead, cancelled, superseded", 0}, {0}};
    const char *state = NULL;
    struct arguments arguments = {.options = options, .option = option, .input = &state};
    command_arguments(self, common, argc, argv, &arguments);
    json_t *question = must(json_pack("{s:s}", "do", "requests"));
    if (state)
        json_object_set_new(question, "state", json_string(state));
    return control_ask(common, question, show, state);
}

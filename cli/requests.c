#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/request_id.h"
#include "cli/say.h"
#include "cli/state.h"
#include "cli/table.h"

static const struct column columns[] = {
    {"REQUEST", 0},
    {"MODEL", COLUMN_GIVES_WAY},
    {"STATE", 0},
    {"ATTEMPT", COLUMN_NUMBER},
    {"STRATEGY", COLUMN_GIVES_WAY | COLUMN_OPTIONAL},
    {"CREATED", COLUMN_OPTIONAL},
    {"NOW", COLUMN_GIVES_WAY},
    {0},
};

/* What a live request is about: who works on it and how far, or what it waits for. */
static void add_now(struct table *table, const json_t *request)
{
    struct text state = member_text(request, "state"), trainer = member_text(request, "trainer");
    struct text waits = member_text(request, "waiting_for"), held = member_text(request, "held_by");
    double fraction = member_number(request, "fraction", NAN), due_s = member_number(request, "due_in_s", NAN);
    if (text_is(state, "RUNNING") && !isnan(fraction))
        table_cell(table, PLAIN, "%.*s, %.0f %%", (int)trainer.len, trainer.at, fraction * 100);
    else if (text_is(state, "RUNNING"))
        table_text(table, PLAIN, trainer.len ? trainer : held);
    else if (waits.len && !isnan(due_s))
        table_cell(table, PLAIN, "waits for %.*s%s%.*s, %s", (int)waits.len, waits.at, held.len ? " " : "",
                   (int)held.len, held.at, figure_span(due_s).text);
    else if (waits.len)
        table_cell(table, PLAIN, "waits for %.*s%s%.*s", (int)waits.len, waits.at, held.len ? " " : "", (int)held.len,
                   held.at);
    else
        table_text(table, PLAIN, held);
}

static void add_row(struct table *table, const json_t *request)
{
    struct text state = member_text(request, "state");
    table_row(table);
    table_text(table, PLAIN, request_id_shown(member_text(request, "id")));
    table_text(table, PLAIN, member_text(request, "model"));
    table_text(table, state_colour(state), state);
    table_cell(table, PLAIN, "%s", figure_count(member_count(request, "attempt")).text);
    table_text(table, PLAIN, member_text(request, "strategy"));
    table_cell(table, PLAIN, "%s", figure_stamp(member_text(request, "created_at")).text);
    add_now(table, request);
}

static bool live(const json_t *request)
{
    struct text state = member_text(request, "state");
    return text_is(state, "RUNNING") || text_is(state, "OFFERED") || text_is(state, "PENDING");
}

/* What is asked for. */
struct wanted {
    const char *state; /* NULL: any */
    double most;
};

/* Live ones first; beyond that the daemon's order, the newest first. */
static void show(const json_t *answer, const void *argument)
{
    const struct wanted *wanted = argument;
    const json_t *requests = json_object_get(answer, "requests"), *request;
    struct table *table;
    size_t index, shown = json_array_size(requests);
    int64_t all = member_count(answer, "count");
    if (!shown) {
        printf(wanted->state ? "No request is %s.\n" : "No request yet%s.\n", wanted->state ? wanted->state : "");
        return;
    }
    table_new(&table, columns);
    for (int pass = 0; pass < 2; pass++) {
        json_array_foreach(requests, index, request)
        {
            if (live(request) == (pass == 0))
                add_row(table, request);
        }
    }
    table_print(table);
    table_destroy(&table);
    if (all > (int64_t)shown)
        printf("%s older ones are not shown: --limit or --state\n", figure_count(all - (int64_t)shown).text);
}

enum { KEY_STATE = 'S', KEY_LIMIT = 'l' };

static const char *option(void *input, int key, const char *value)
{
    struct wanted *wanted = input;
    if (key == KEY_LIMIT)
        return option_number(value, 1, 100000, &wanted->most) ? NULL : "a number from 1 to 100000";
    for (const char *const *state = request_states; *state; state++) {
        if (strcasecmp(*state, value) == 0)
            wanted->state = *state;
    }
    return wanted->state ? NULL : "pending, offered, running, done, dead, cancelled or superseded";
}

int requests_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"state", KEY_STATE, "STATE", 0, "Only those: pending, offered, running, done, dead, ...", 0},
        {"limit", KEY_LIMIT, "N", 0, "At most so many, the newest (1000)", 0},
        {0}};
    struct wanted wanted = {.most = 1000};
    struct arguments arguments = {.options = options, .option = option, .input = &wanted};
    command_arguments(self, common, argc, argv, &arguments);
    json_t *question = must(json_pack("{s:s, s:I}", "do", "requests", "most", (json_int_t)wanted.most));
    if (wanted.state)
        json_object_set_new(question, "state", json_string(wanted.state));
    return control_ask(common, question, show, &wanted);
}

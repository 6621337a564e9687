#include <math.h>
#include <stdio.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/table.h"

static const struct column columns[] = {
    {"REASON", 0}, {"COUNT", COLUMN_NUMBER}, {"LAST", COLUMN_OPTIONAL}, {"TOPIC", COLUMN_GIVES_WAY | COLUMN_OPTIONAL},
    {"WHAT WAS WRONG", COLUMN_GIVES_WAY}, {"EXAMPLE", COLUMN_GIVES_WAY | COLUMN_OPTIONAL}, {0},
};

static void show(const json_t *answer, const void *argument)
{
    const json_t *rejects = json_object_get(answer, "rejects"), *reject;
    struct table *table;
    size_t index;
    (void)argument;
    if (!json_array_size(rejects)) {
        printf("Nothing was dropped.\n");
        return;
    }
    table_new(&table, columns);
    json_array_foreach (rejects, index, reject) {
        const json_t *last = json_object_get(reject, "last");
        table_row(table);
        table_text(table, YELLOW, member_text(reject, "reason"));
        table_cell(table, PLAIN, "%s", figure_count(member_count(reject, "count")).text);
        table_cell(table, DIM, "%s", figure_time(member_number(last, "at_s", NAN)).text);
        table_text(table, PLAIN, member_text(last, "topic"));
        table_text(table, PLAIN, member_text(last, "detail"));
        table_text(table, DIM, member_text(last, "payload"));
    }
    table_print(table);
    table_destroy(&table);
}

int rejects_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {0};
    command_arguments(self, common, argc, argv, &arguments);
    return control_ask(common, json_pack("{s:s}", "do", "rejects"), show, NULL);
}

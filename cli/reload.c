#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/visible.h"

#define PATIENCE_S 600 /* thresholds of many drift rules take their time */

static void show(const json_t *answer, const void *argument)
{
    (void)argument;
    printf("The configuration is in force: %s budgets, %s of %s models have other settings than before (%s)\n",
           figure_count(member_count(answer, "budgets")).text, figure_count(member_count(answer, "changed")).text,
           figure_count(member_count(answer, "models")).text, figure_span(member_number(answer, "took_s", NAN)).text);
    size_t i;
    json_t *warning;
    json_array_foreach (json_object_get(answer, "warnings"), i, warning) {
        char *text = visible_of(text_of(json_is_string(warning) ? json_string_value(warning) : ""));
        printf("Warning: %s\n", text);
        free(text);
    }
}

int reload_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {0};
    command_arguments(self, common, argc, argv, &arguments);
    if (!common->timeout_given)
        common->timeout_s = PATIENCE_S;
    return control_ask(common, json_pack("{s:s}", "do", "reload"), show, NULL);
}

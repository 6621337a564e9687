#include <math.h>
#include <stdio.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"

#define PATIENCE_S 600 /* as long as the daemon has: a million models take a minute */

static void show(const json_t *answer, const void *argument)
{
    (void)argument;
    printf("%s models written, %s bytes, in %s\n", figure_count(member_count(answer, "models")).text,
           figure_count(member_count(answer, "bytes")).text, figure_span(member_number(answer, "seconds", NAN)).text);
}

int checkpoint_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {0};
    command_arguments(self, common, argc, argv, &arguments);
    if (!common->timeout_given)
        common->timeout_s = PATIENCE_S;
    return control_ask(common, json_pack("{s:s}", "do", "checkpoint"), show, NULL);
}

#include <stdio.h>
#include <string.h>

#include "cli/control.h"
#include "cli/member.h"
#include "cli/say.h"
#include "cli/visible.h"

static void show(const json_t *answer, const void *argument)
{
    (void)argument;
    printf("The log level is ");
    visible_put(stdout, member_text(answer, "level"));
    printf(", until the next reload or restart\n");
}

int log_level_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    struct arguments arguments = {.least = 1, .most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(arguments.words[0], levels[i]) == 0)
            return control_ask(common, json_pack("{s:s, s:s}", "do", "log_level", "level", levels[i]), show, NULL);
    say_and_end(EX_USAGE, "'%s' is no level; there are debug, info, warning and error", arguments.words[0]);
}

#include <stdio.h>

#include "cli/command.h"
#include "cli/say.h"
#include "cli/terminal.h"

static void list_commands(void)
{
    printf("Usage: driftc [--socket ENDPOINT] [--json] [--timeout SECONDS] COMMAND ...\n\n");
    for (const struct command *command = commands; command->name; command++)
        printf("  %s%-9s%s %-12s %s\n", terminal_on(BOLD), command->name, terminal_off(BOLD), command->usage,
               command->help);
    printf("\n`driftc help COMMAND` says how one of them is used.\n");
}

int help_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct arguments arguments = {.most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    if (!arguments.count) {
        list_commands();
        return 0;
    }
    const struct command *command = command_find(arguments.words[0]);
    if (!command)
        say_and_end(EX_USAGE, "there is no command '%s' (driftc help lists what there is)", arguments.words[0]);
    char name[1] = "", ask[] = "--help", *words[] = {name, ask, NULL};
    return command->run(command, common, 2, words); /* argp prints, and ends the program */
}

/* driftc: the operator's tool. Reads the options before the command, finds the command in the table, runs it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/say.h"
#include "cli/visible.h"

struct front {
    struct common common;
    int command_at; /* in argv; 0: none */
};

static error_t front_option(int key, char *value, struct argp_state *state)
{
    struct front *front = state->input;
    (void)value;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &front->common;
        return 0;
    case ARGP_KEY_ARG:
        front->command_at = state->next - 1;
        state->next = state->argc; /* what follows is the command's */
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct command *command_of(const char *name)
{
    const struct command *command = command_find(name);
    if (command)
        return command;
    const struct command *nearest = command_nearest(name);
    if (nearest)
        say_and_end(EX_USAGE, "there is no command '%s'; did you mean '%s'? (driftc help)", name, nearest->name);
    say_and_end(EX_USAGE, "there is no command '%s' (driftc help lists what there is)", name);
}

/* What was printed has to have arrived: a full disk or a closed pipe is a failure as any other. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    say("cannot write the output: %s", strerror(errno));
    return status ? status : EX_IOERR;
}

/* Argp prints help and version by itself, and ends the program. */
static void finish_argp(int status, void *nothing)
{
    (void)nothing;
    if (status == 0 && finish(status))
        _exit(EX_IOERR);
}

int main(int argc, char **argv)
{
    static const struct argp_child children[] = {{&common_argp, 0, NULL, 0}, {0}};
    static char doc[] = "Looks at driftd and gives it orders. `driftc help` lists the commands.";
    static const struct argp argp = {
        .parser = front_option, .args_doc = "COMMAND ...", .doc = doc, .children = children};
    struct front front = {.common = {.timeout_s = 5}};
    visible_init();
    on_exit(finish_argp, NULL);
    argp_program_version = "driftc " DRIFT_VERSION;
    static char name[] = "driftc";
    if (argc == 0)
        return EX_USAGE;
    argv[0] = name;
    error_t error = argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &front);
    if (error)
        say_and_end(EX_USAGE, "wrong usage (driftc help)");
    if (!front.command_at)
        say_and_end(EX_USAGE, "say what to do (driftc help lists what there is)");
    argc -= front.command_at;
    argv += front.command_at;
    const struct command *command = command_of(argv[0]);
    return finish(command->run(command, &front.common, argc, argv));
}

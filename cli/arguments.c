#include <math.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/say.h"

enum { KEY_SOCKET = 's', KEY_JSON = 'j', KEY_TIMEOUT = 't' };

static const struct argp_option common_options[] = {
    {"socket", KEY_SOCKET, "ENDPOINT", 0, "The daemon's control socket (default: the system's daemon, or one's own)",
     -2},
    {"json", KEY_JSON, NULL, 0, "One JSON value instead of tables", -2},
    {"timeout", KEY_TIMEOUT, "SECONDS", 0, "How long to wait for an answer (5)", -2},
    {0},
};

bool option_number(const char *text, double least, double most, double *out)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value) || value < least || value > most)
        return false;
    *out = value;
    return true;
}

/* argp writes two lines about a mistake; one is enough. getopt(3) has written it by then. */
static void hush(struct argp_state *state)
{
    static FILE *nowhere;
    if (!nowhere)
        nowhere = must(fopen("/dev/null", "we"));
    state->err_stream = nowhere;
}

static error_t common_option(int key, char *value, struct argp_state *state)
{
    struct common *common = state->input;
    switch (key) {
    case KEY_SOCKET:
        common->socket = value;
        return 0;
    case KEY_JSON:
        common->json = true;
        return 0;
    case KEY_TIMEOUT:
        if (!option_number(value, 0.001, 86400, &common->timeout_s))
            say_and_end(EX_USAGE, "--timeout takes a number of seconds above 0, not '%s'", value);
        common->timeout_given = true;
        return 0;
    case ARGP_KEY_INIT:
        hush(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp common_argp = {.options = common_options, .parser = common_option};

/* What parses one command's arguments. */
struct parse {
    const struct command *self;
    struct common *common;
    struct arguments *arguments;
};

static const char *option_name(const struct argp_option *options, int key)
{
    while (options->key != key)
        options++;
    return options->name;
}

static error_t command_option(int key, char *value, struct argp_state *state)
{
    struct parse *parse = state->input;
    struct arguments *arguments = parse->arguments;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = parse->common;
        hush(state);
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->count == arguments->most)
            say_and_end(EX_USAGE, "%s: '%s' is one word too many (driftc help %s)", parse->self->name, value,
                        parse->self->name);
        arguments->words[arguments->count++] = value;
        return 0;
    case ARGP_KEY_END:
        if (arguments->count < arguments->least)
            say_and_end(EX_USAGE, "%s wants %s (driftc help %s)", parse->self->name, parse->self->usage,
                        parse->self->name);
        return 0;
    default:
        if (!arguments->options || key <= 0 || key >= 0x1000000)
            return ARGP_ERR_UNKNOWN;
        const char *wrong = arguments->option(arguments->input, key, value);
        if (wrong)
            say_and_end(EX_USAGE, "%s: --%s takes %s, not '%s'", parse->self->name,
                        option_name(arguments->options, key), wrong, value);
        return 0;
    }
}

static char *help_text(const struct command *self)
{
    char *text;
    if (asprintf(&text, "%s.\v%s%sExample:\n  %s", self->help, self->more, *self->more ? "\n\n" : "", self->example) <
        0)
        must(NULL);
    return text;
}

void command_arguments(const struct command *self, struct common *common, int argc, char **argv,
                       struct arguments *arguments)
{
    static char **words; /* kept to the end of the program, which runs one command */
    static const struct argp_child children[] = {{&common_argp, 0, "Of every command:", -2}, {0}};
    struct parse parse = {.self = self, .common = common, .arguments = arguments};
    bool styled = getenv("ARGP_HELP_FMT");
    char *doc = help_text(self), name[64];
    struct argp argp = {.options = arguments->options,
                        .parser = command_option,
                        .args_doc = self->usage,
                        .doc = doc,
                        .children = children};
    snprintf(name, sizeof name, "driftc %s", self->name);
    argv[0] = name;
    words = must(reallocarray(words, (size_t)argc + 1, sizeof *words));
    arguments->words = words;
    setenv("ARGP_HELP_FMT", "no-dup-args-note", 0); /* unless somebody has a taste of their own */
    error_t error = argp_parse(&argp, argc, argv, 0, NULL, &parse);
    free(doc);
    if (!styled)
        unsetenv("ARGP_HELP_FMT"); /* what this program starts is not to inherit it */
    if (error)
        say_and_end(EX_USAGE, "%s: wrong usage (driftc help %s)", self->name, self->name);
}

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/say.h"
#include "cli/visible.h"

struct check {
    const struct common *common;
    bool no_env;
    json_t *mistakes; /* of one file, with --json */
};

static const char *option(void *input, int key, const char *value)
{
    struct check *check = input;
    (void)key;
    (void)value;
    check->no_env = true;
    return NULL;
}

/* Each mistake is a line of its own, as a compiler writes it. */
static void mistake(void *argument, const char *line)
{
    struct check *check = argument;
    char *visible = visible_of(text_of(line));
    if (check->common->json)
        json_array_append_new(check->mistakes, json_string(visible));
    else
        fprintf(stderr, "%s\n", visible);
    free(visible);
}

static void add_note(void *argument, const char *line)
{
    char *visible = visible_of(text_of(line));
    json_array_append_new(argument, json_string(visible));
    free(visible);
}

/* What is no mistake, and worth knowing. */
static json_t *notes_of(const struct config *config)
{
    json_t *notes = must(json_array());
    if (config && !config->has_budgets)
        json_array_append_new(notes, json_string("without budgets: no model will be judged"));
    if (config && config->security.curve == CONFIG_CURVE_ON)
        json_array_append_new(notes, json_string("the files of keys that security names are not opened here; driftd "
                                                 "--check does, on the machine that has them"));
    if (config)
        config_notes(config, add_note, notes);
    return notes;
}

static void show_good(const char *name, const json_t *notes)
{
    printf("%s: ok\n", name);
    for (size_t i = 0; i < json_array_size(notes); i++)
        printf("%s: note: %s\n", name, json_string_value(json_array_get(notes, i)));
}

static bool check_one(struct check *check, const char *path, json_t *files)
{
    struct config_options options = config_options_here();
    struct config *config = NULL;
    options.no_env = check->no_env;
    check->mistakes = must(json_array());
    int error = config_load(&config, path, &options, mistake, check);
    if (error == -ENOMEM)
        must(NULL);
    char *name = visible_of(text_of(path));
    json_t *notes = notes_of(config);
    if (error == 0 && !check->common->json)
        show_good(name, notes);
    json_array_append_new(files, json_pack("{s:s, s:b, s:o, s:o}", "file", name, "ok", error == 0, "errors",
                                           check->mistakes, "notes", notes));
    free(name);
    config_destroy(&config);
    return error == 0;
}

int check_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"no-env", 'n', NULL, 0, "A ${NAME} without a value is no mistake: secrets may be absent here", 0}, {0}};
    struct check check = {.common = common};
    struct arguments arguments = {.options = options, .option = option, .input = &check, .least = 1, .most = argc};
    command_arguments(self, common, argc, argv, &arguments);
    json_t *files = must(json_array());
    int wrong = 0;
    for (int i = 0; i < arguments.count; i++)
        wrong += !check_one(&check, arguments.words[i], files);
    if (common->json) {
        json_t *all = must(json_pack("{s:b, s:O}", "ok", (int)(wrong == 0), "files", files));
        json_dumpf(all, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(all);
    }
    json_decref(files);
    if (wrong && common->json)
        say("%d of %d files have mistakes", wrong, arguments.count);
    return wrong ? EX_CONFIG : 0;
}

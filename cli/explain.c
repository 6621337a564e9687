#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/say.h"
#include "cli/table.h"
#include "cli/visible.h"
#include "lib/config/explained.h"

static const struct column setting_columns[] = {
    {"SETTING", COLUMN_GIVES_WAY}, {"VALUE", COLUMN_GIVES_WAY}, {"SET IN", COLUMN_WRAPS}, {0}};

/* Words of the daemon's, broken into lines behind a margin. */
#define MARGIN 16
static void put_wrapped(struct text about, struct text text, unsigned width)
{
    size_t at = MARGIN;
    printf("  %-*.*s", MARGIN - 2, (int)about.len, about.at);
    while (text.len > 0) {
        size_t length = 0;
        while (length < text.len && text.at[length] != ' ')
            length++;
        if (at > MARGIN && at + 1 + length > width) {
            printf("\n%*s", MARGIN, "");
            at = MARGIN;
        } else if (at > MARGIN) {
            putchar(' ');
            at++;
        }
        visible_put(stdout, (struct text){.at = text.at, .len = length});
        at += length;
        length += length < text.len;
        text = (struct text){.at = text.at + length, .len = text.len - length};
    }
    putchar('\n');
}

static void put_place(const json_t *object)
{
    struct text file = member_text(object, "file");
    if (!file.len)
        return;
    visible_put(stdout, file);
    printf(":%lld", (long long)member_count(object, "line"));
}

static void show_rule(const json_t *rule, unsigned width)
{
    const json_t *says;
    size_t index;
    printf("\n%s", terminal_on(BOLD));
    visible_put(stdout, member_text(rule, "rule"));
    printf("%s  ", terminal_off(BOLD));
    put_place(rule);
    putchar('\n');
    json_array_foreach(json_object_get(rule, "says"), index, says)
    {
        put_wrapped(member_text(says, "about"), member_text(says, "text"), width);
    }
}

static void show_settings(const json_t *settings)
{
    struct table *table;
    const json_t *setting;
    size_t index;
    table_new(&table, setting_columns);
    json_array_foreach(settings, index, setting)
    {
        struct text file = member_text(setting, "file");
        table_row(table);
        table_text(table, PLAIN, member_text(setting, "key"));
        table_text(table, PLAIN, member_text(setting, "value"));
        if (file.len) {
            char place[4200];
            snprintf(place, sizeof(place), "%.*s:%lld", (int)(file.len < 4096 ? file.len : 4096), file.at,
                     (long long)member_count(setting, "line"));
            table_text(table, PLAIN, text_of(place));
        } else {
            table_text(table, PLAIN, text_of("default"));
        }
    }
    putchar('\n');
    table_print(table);
    table_destroy(&table);
}

static void show(const json_t *answer, const void *argument)
{
    const json_t *rule;
    size_t index;
    unsigned width = terminal_width();
    (void)argument;
    printf("%s", terminal_on(BOLD));
    visible_put(stdout, member_text(answer, "model"));
    printf("%s  ", terminal_off(BOLD));
    if (member_true(answer, "seen"))
        printf("%s events\n\n", figure_count(member_count(answer, "events")).text);
    else
        printf("not heard of yet: from the configuration alone\n\n");
    put_wrapped(text_of("on the whole"), member_text(answer, "summary"), width);
    json_array_foreach(json_object_get(answer, "rules"), index, rule)
    {
        show_rule(rule, width);
    }
    show_settings(json_object_get(answer, "settings"));
}

/* Without a daemon ------------------------------------------------------------------------------------------------ */

static void print_mistake(void *argument, const char *line)
{
    (void)argument;
    fprintf(stderr, "%s\n", line);
}

/* Which files to explain by; neither: the daemon is asked. */
struct files {
    const char *file, *folder;
};

static int explain_file(const struct common *common, const struct files *files, const struct model_id *model)
{
    struct config_options options = config_options_here();
    struct config *config;
    struct explain explain;
    options.no_env = true;
    options.folder = files->folder;
    if (config_load(&config, files->file, &options, print_mistake, NULL) < 0)
        return EX_CONFIG;
    char *text = config_explain(config, model, text_of(""), &explain) == 0 ? explain_json(&explain) : NULL;
    must(text);
    explain_clear(&explain);
    config_destroy(&config);
    if (common->json) {
        printf("%s\n", text);
    } else {
        json_t *answer = must(json_loads(text, 0, NULL));
        show(answer, NULL);
        json_decref(answer);
    }
    free(text);
    return 0;
}

static const char *option(void *input, int key, const char *value)
{
    struct files *files = input;
    *(key == 'c' ? &files->file : &files->folder) = value;
    return NULL;
}

int explain_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"config", 'c', "FILE", 0, "Ask no daemon: what this file would make of the model", 0},
        {"conf-dir", 256, "DIR", 0, "With --config: every *.yaml in DIR as well, in name order, as driftd reads them", 0},
        {0}};
    struct files files = {NULL, NULL};
    struct arguments arguments = {.options = options, .option = option, .input = &files, .least = 1, .most = 1};
    command_arguments(self, common, argc, argv, &arguments);
    struct model_id id;
    if (model_id_parse(&id, text_of(arguments.words[0])) < 0)
        say_and_end(EX_USAGE, "'%s' is no model; a model is project/name/version", arguments.words[0]);
    if (files.folder && !files.file)
        say_and_end(EX_USAGE, "explain: --conf-dir goes with --config only (driftc help explain)");
    if (files.file)
        return explain_file(common, &files, &id);
    return control_ask(common, json_pack("{s:s, s:s}", "do", "explain", "model", arguments.words[0]), show, NULL);
}

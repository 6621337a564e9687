#include "lib/config/config.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/config/box.h"
#include "lib/config/check.h"
#include "lib/config/endpoint.h"
#include "lib/config/file.h"
#include "lib/config/mistakes.h"
#include "lib/config/read.h"
#include "lib/config/source.h"
#include "lib/config/tree.h"

#define NOTES_MAX 20 /* further ones say nothing new */

static const struct config_options no_options;

/* One of the files that are read. */
struct source {
    const char *name;
    struct text yaml;
    int error; /* it could not be read */
};

/* A variable's value where it is an absolute path (what the XDG base directory specification asks for), else NULL. */
static const char *path_variable(const struct config_options *options, const char *name)
{
    const char *value = options->getenv ? options->getenv(options->getenv_argument, name) : NULL;
    return value && *value == '/' && source_is_utf8(text_of(value)) ? value : NULL;
}

int config_control_default(char out[CONFIG_ENDPOINT_MAX], const struct config_options *options)
{
    const char *folder = options && options->as_user ? path_variable(options, "XDG_RUNTIME_DIR") : NULL;
    int length;
    if (!options || !options->as_user)
        length = snprintf(out, CONFIG_ENDPOINT_MAX, "ipc:///run/driftd/control.sock");
    else if (folder)
        length = snprintf(out, CONFIG_ENDPOINT_MAX, "ipc://%s/driftd/control.sock", folder);
    else
        length = snprintf(out, CONFIG_ENDPOINT_MAX, "ipc:///tmp/driftd-%u/control.sock", options->uid);
    return length < CONFIG_ENDPOINT_MAX && !endpoint_check(text_of(out), ENDPOINT_CONTROL) ? 0 : -ENAMETOOLONG;
}

static char *state_default(struct arena *memory, const struct config_options *options)
{
    const char *state = path_variable(options, "XDG_STATE_HOME"), *home = path_variable(options, "HOME");
    char *path = NULL, *kept = NULL;
    int length;
    if (state)
        length = asprintf(&path, "%s/driftd", state);
    else if (home)
        length = asprintf(&path, "%s/.local/state/driftd", home);
    else
        length = asprintf(&path, "/tmp/driftd-%u/state", options->uid);
    if (length >= 0) {
        kept = arena_text(memory, text_of(path));
        free(path);
    } else {
        memory->failed = true;
    }
    return kept;
}

/* Where somebody's own daemon keeps its state and its socket. */
static int user_defaults(struct config_box *box, const struct config_options *options)
{
    char control[CONFIG_ENDPOINT_MAX];
    if (!options->as_user)
        return 0;
    int error = config_control_default(control, options);
    if (error != 0)
        return error;
    box->config.state.dir = state_default(&box->memory, options);
    box->config.control = (struct config_endpoints){.at = {arena_text(&box->memory, text_of(control))}, .count = 1};
    return box->memory.failed ? -ENOMEM : 0;
}

static void defaults(struct reader *reader)
{
    struct config_box *box = reader->box;
    struct budget_block block = {0};
    read_defaults(reader, "", &box->config);
    read_defaults(reader, "budgets[]", &block);
    box->budgets.defaults = block.settings;
    box->budgets.kpi_defaults = (struct kpi_budget){.min = (double)NAN, .max = (double)NAN};
    read_defaults(reader, "budgets[].kpis.<metric>", &box->budgets.kpi_defaults);
    for (uint32_t i = 0; i < strategy_default_count; i++)
        box->config.retraining.strategies[box->config.retraining.strategy_count++] = strategy_defaults[i];
}

static struct config_box *box_new(const struct source *sources, uint32_t count)
{
    struct config_box *box = calloc(1, sizeof(*box));
    if (!box)
        return NULL;
    box->files = arena_take(&box->memory, count, sizeof(*box->files));
    for (uint32_t i = 0; i < count && box->files; i++)
        box->files[box->file_count++] = arena_text(&box->memory, text_of(sources[i].name));
    box->strategy_keys = arena_take(&box->memory, CONFIG_STRATEGIES_MAX, sizeof(*box->strategy_keys));
    box->budgets.memory = &box->memory;
    box->config.budgets = &box->budgets;
    return box;
}

static bool begins_section(struct text key)
{
    return schema_find("", key) != NULL;
}

/* Says of a file as a whole what is wrong. */
static void tell_file(struct mistakes *mistakes, uint32_t file, int error)
{
    const struct mark mark = {.file = file};
    if (error == -EFBIG)
        mistakes_add(mistakes, mark, "", "larger than %d MiB; allowed: a smaller one", SOURCE_BYTES_MAX >> 20);
    else if (error == -ENOENT)
        mistakes_add(mistakes, mark, "", "there is no such file; an empty one is a valid configuration");
    else if (error == -ESPIPE)
        mistakes_add(mistakes, mark, "", "a pipe, which a reload could not read again; allowed: a file");
    else
        mistakes_add(mistakes, mark, "", "cannot be read: %s", strerror(-error));
}

/* Reads one file into the box. Returns 0, also where there were mistakes, or -ENOMEM. */
static int fill_from(struct reader *reader, const struct source *from, uint32_t file, struct expansion *expansion,
                     bool *broken_p)
{
    const struct tree_source source = {.yaml = source_without_mark(from->yaml),
                                       .memory = reader->scratch,
                                       .mistakes = reader->mistakes,
                                       .expansion = expansion,
                                       .file = file,
                                       .begins_section = begins_section};
    struct tree tree = {0};
    struct mark mark;
    if (from->error != 0) {
        tell_file(reader->mistakes, file, from->error);
        *broken_p = true;
        return from->error == -ENOMEM ? -ENOMEM : 0;
    }
    const char *wrong = source_check(source.yaml, &mark);
    if (wrong) {
        mark.file = file;
        mistakes_add(reader->mistakes, mark, "YAML", "%s", wrong);
        *broken_p = true;
        return 0;
    }
    if (tree_parse(&tree, &source) != 0)
        return -ENOMEM;
    read_root(reader, tree.root);
    *broken_p = *broken_p || tree.broken;
    return 0;
}

static void keep_note(void *argument, const char *line)
{
    struct config_box *box = argument;
    if (!box->notes)
        box->notes = arena_take(&box->memory, NOTES_MAX, sizeof *box->notes);
    char *note = box->notes && box->note_count < NOTES_MAX ? arena_text(&box->memory, text_of(line)) : NULL;
    if (note)
        box->notes[box->note_count++] = note;
}

/* Reads the files into the box; mistakes are left in `mistakes`. */
static int fill(struct config_box *box, const struct source *sources, const struct config_options *options,
                struct arena *scratch, struct mistakes *mistakes)
{
    struct expansion expansion = {.options = options, .memory = scratch};
    struct mistakes notes = {.files = mistakes->files, .memory = scratch};
    struct reader reader = {
        .box = box, .mistakes = mistakes, .notes = &notes, .scratch = scratch, .expansion = &expansion};
    bool broken = false;
    defaults(&reader);
    int error = user_defaults(box, options);
    if (error == -ENOMEM)
        return error;
    for (uint32_t i = 0; i < box->file_count; i++)
        if (fill_from(&reader, &sources[i], i, &expansion, &broken) != 0)
            return -ENOMEM;
    if (error == -ENAMETOOLONG && !broken && !record_at(&box->keys, "control.bind"))
        mistakes_add(mistakes, (struct mark){0}, "control.bind",
                     "the path in XDG_RUNTIME_DIR is too long for a socket; set control.bind");
    /* A time is shared by all models that there can be; a number of events is each one's own, however many there are. */
    box->budgets.fleet.every_s = box->config.fleet_alarms.every_s * box->config.metrics.max_models;
    box->budgets.fleet.every_events = box->config.fleet_alarms.every_events;
    box->config.has_budgets = box->budgets.block_count > 0;
    if (budgets_index(&box->budgets) != 0)
        return -ENOMEM;
    struct checker checker = {.box = box, .mistakes = mistakes, .notes = &notes, .scratch = scratch};
    if (!broken && !box->memory.failed) {
        check_file(&checker);
        check_budgets(&checker);
        mistakes_tell(&notes, keep_note, box);
    }
    return mistakes->count > 0 ? -EINVAL : 0;
}

static int parse(struct config **self_p, const struct source *sources, uint32_t count,
                 const struct config_options *options, config_error_fn *error, void *argument)
{
    struct arena scratch = {0};
    struct config_box *box = box_new(sources, count);
    struct mistakes mistakes = {.files = box ? box->files : NULL, .memory = &scratch};
    int result = box && !box->memory.failed ? fill(box, sources, options, &scratch, &mistakes) : -ENOMEM;
    if (scratch.failed || (box && box->memory.failed))
        result = -ENOMEM;
    if (result == -EINVAL)
        mistakes_tell(&mistakes, error, argument);
    struct config *config = box ? &box->config : NULL;
    if (result != 0)
        config_destroy(&config);
    else
        *self_p = config;
    arena_free(&scratch);
    return result;
}

/* Says what is wrong with a file, or folder, without which there is nothing to read; lack of memory as well. */
static void tell_alone(const char *name, bool folder, int result, config_error_fn *error, void *argument)
{
    struct arena memory = {0};
    struct mistakes mistakes = {.files = &name, .memory = &memory};
    if (folder && result == -ENOENT)
        mistakes_add(&mistakes, (struct mark){0}, "", "there is no such folder; an empty one is good");
    else if (folder && result == -E2BIG)
        mistakes_add(&mistakes, (struct mark){0}, "", "more than %d files; allowed: up to that many", FILE_FOLDER_MAX);
    else
        tell_file(&mistakes, 0, result);
    mistakes_tell(&mistakes, error, argument);
    arena_free(&memory);
}

int config_parse(struct config **self_p, const char *name, struct text yaml, const struct config_options *options,
                 config_error_fn *error, void *argument)
{
    const struct source source = {.name = name, .yaml = yaml};
    *self_p = NULL;
    int result = yaml.len > SOURCE_BYTES_MAX
                     ? -EFBIG
                     : parse(self_p, &source, 1, options ? options : &no_options, error, argument);
    if (result != 0 && result != -EINVAL)
        tell_alone(name, false, result, error, argument);
    return result == -EFBIG ? -EINVAL : result;
}

/* What is wrong with one file of the folder is told with all other mistakes. */
static int read_sources(struct source **sources_p, uint32_t *count_p, const char *path,
                        const struct config_options *options, struct arena *memory, const char **wrong_p)
{
    char **paths = NULL;
    uint32_t more = 0;
    int error = options->folder ? file_list(&paths, &more, options->folder, memory) : 0;
    *wrong_p = options->folder;
    if (error == -ENOENT && options->folder_may_lack)
        error = 0;
    if (error != 0)
        return error;
    struct source *sources = arena_take(memory, (size_t)more + 1, sizeof(*sources));
    *wrong_p = path;
    if (!sources)
        return -ENOMEM;
    for (uint32_t i = 0; i <= more; i++) {
        sources[i].name = i == 0 ? path : paths[i - 1];
        sources[i].error = file_read(&sources[i].yaml, sources[i].name, options->lasting, memory);
    }
    *sources_p = sources;
    *count_p = more + 1;
    return sources[0].error;
}

int config_load(struct config **self_p, const char *path, const struct config_options *options, config_error_fn *error,
                void *argument)
{
    struct arena memory = {0};
    struct source *sources = NULL;
    uint32_t count = 0;
    const char *wrong = path;
    *self_p = NULL;
    if (!options)
        options = &no_options;
    int result = read_sources(&sources, &count, path, options, &memory, &wrong);
    bool told = false;
    if (result == 0) {
        result = parse(self_p, sources, count, options, error, argument);
        told = result == -EINVAL;
    }
    if (result != 0 && !told)
        tell_alone(wrong, wrong == options->folder, result, error, argument);
    arena_free(&memory);
    return result;
}

void config_destroy(struct config **self_p)
{
    if (!*self_p)
        return;
    struct config_box *box = (struct config_box *)*self_p;
    arena_free(&box->memory);
    free(box);
    *self_p = NULL;
}

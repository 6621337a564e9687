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

static const struct config_options no_options;

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

static struct config_box *box_new(const char *file)
{
    struct config_box *box = calloc(1, sizeof(*box));
    if (!box)
        return NULL;
    box->file = arena_text(&box->memory, text_of(file));
    box->strategy_keys = arena_take(&box->memory, CONFIG_STRATEGIES_MAX, sizeof(*box->strategy_keys));
    box->budgets.memory = &box->memory;
    box->config.budgets = &box->budgets;
    return box;
}

static bool begins_section(struct text key)
{
    return schema_find("", key) != NULL;
}

/* Reads the text into the box; mistakes are left in `mistakes`. */
static int fill(struct config_box *box, struct text yaml, const struct config_options *options, struct arena *scratch,
                struct mistakes *mistakes)
{
    struct expansion expansion = {.options = options, .memory = scratch};
    struct reader reader = {.box = box, .mistakes = mistakes, .scratch = scratch, .expansion = &expansion};
    const struct tree_source source = {.yaml = source_without_mark(yaml),
                                       .memory = scratch,
                                       .mistakes = mistakes,
                                       .expansion = &expansion,
                                       .begins_section = begins_section};
    struct tree tree = {0};
    struct mark mark;
    defaults(&reader);
    int error = user_defaults(box, options);
    const char *wrong = source_check(source.yaml, &mark);
    if (wrong) {
        mistakes_add(mistakes, mark, "YAML", "%s", wrong);
        return -EINVAL;
    }
    if (error == -ENOMEM || tree_parse(&tree, &source) != 0)
        return -ENOMEM;
    read_root(&reader, tree.root);
    if (error == -ENAMETOOLONG && !record_find(&box->keys, schema_row_of("control.bind")))
        mistakes_add(mistakes, (struct mark){0}, "control.bind",
                     "the path in XDG_RUNTIME_DIR is too long for a socket; set control.bind");
    /* A time is shared by all models that there can be; a number of events is each one's own, however many there are. */
    box->budgets.fleet.every_s = box->config.fleet_alarms.every_s * box->config.metrics.max_models;
    box->budgets.fleet.every_events = box->config.fleet_alarms.every_events;
    box->config.has_budgets = box->budgets.block_count > 0;
    if (budgets_index(&box->budgets) != 0)
        return -ENOMEM;
    struct checker checker = {.box = box, .mistakes = mistakes, .scratch = scratch};
    if (!tree.broken && !box->memory.failed) {
        check_file(&checker);
        check_budgets(&checker);
    }
    return mistakes->count > 0 ? -EINVAL : 0;
}

static int parse(struct config **self_p, const char *name, struct text yaml, const struct config_options *options,
                 config_error_fn *error, void *argument)
{
    struct arena scratch = {0};
    struct mistakes mistakes = {.file = name, .memory = &scratch};
    struct config_box *box = box_new(name);
    int result = box && !box->memory.failed ? fill(box, yaml, options, &scratch, &mistakes) : -ENOMEM;
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

/* Says of the file as a whole what is wrong; lack of memory as well. */
static void tell_file(const char *name, int result, config_error_fn *error, void *argument)
{
    struct arena memory = {0};
    struct mistakes mistakes = {.file = name, .memory = &memory};
    if (result == -EFBIG)
        mistakes_add(&mistakes, (struct mark){0}, "", "larger than %d MiB; allowed: a smaller one",
                     SOURCE_BYTES_MAX >> 20);
    else if (result == -ENOENT)
        mistakes_add(&mistakes, (struct mark){0}, "", "there is no such file; an empty one is a valid configuration");
    else
        mistakes_add(&mistakes, (struct mark){0}, "", "cannot be read: %s", strerror(-result));
    mistakes_tell(&mistakes, error, argument);
    arena_free(&memory);
}

int config_parse(struct config **self_p, const char *name, struct text yaml, const struct config_options *options,
                 config_error_fn *error, void *argument)
{
    *self_p = NULL;
    int result = yaml.len > SOURCE_BYTES_MAX
                     ? -EFBIG
                     : parse(self_p, name, yaml, options ? options : &no_options, error, argument);
    if (result != 0 && result != -EINVAL)
        tell_file(name, result, error, argument);
    return result == -EFBIG ? -EINVAL : result;
}

int config_load(struct config **self_p, const char *path, const struct config_options *options, config_error_fn *error,
                void *argument)
{
    struct arena memory = {0};
    struct text yaml = {0};
    *self_p = NULL;
    int result = file_read(&yaml, path, &memory);
    if (result == 0)
        result = config_parse(self_p, path, yaml, options, error, argument);
    else
        tell_file(path, result, error, argument);
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

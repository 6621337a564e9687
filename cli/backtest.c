/* driftc backtest: reads recordings line by line into lib/backtest. */
#include "lib/backtest/backtest.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/control.h"
#include "cli/figure.h"
#include "cli/member.h"
#include "cli/progress.h"
#include "cli/recording.h"
#include "cli/replay_report.h"
#include "cli/say.h"
#include "cli/visible.h"
#include "lib/wire/rfc3339.h"

#define BAD_NAMED_MAX 10    /* bad lines that are named; further ones are counted */
#define PROGRESS_LINES 4096 /* between two looks at the clock */

struct replay {
    const char *config_file, *config_folder, *labels;
    char *model;

    struct config *config;
    struct backtest *backtest;
    struct replay_report *report;
    struct recording *recording;
    const char *file;
    uint64_t bad, lines, triggers;
    struct progress progress;
};

enum { KEY_CONFIG = 'c', KEY_LABELS = 'l', KEY_MODEL = 'm', KEY_CONF_DIR = 256 };

static const struct argp_option options[] = {
    {"config", KEY_CONFIG, "FILE", 0, "The configuration to judge by", 0},
    {"conf-dir", KEY_CONF_DIR, "DIR", 0, "Every *.yaml in DIR as well, in name order, as driftd reads them", 0},
    {"labels", KEY_LABELS, "FILE", 0, "True changes: lines of {\"model\", \"from\", \"to\"}, seconds since the epoch",
     0},
    {"model", KEY_MODEL, "ID", 0, "The model of every event, whatever the files say", 0},
    {0},
};

static const char *option(void *input, int key, const char *value)
{
    struct replay *self = input;
    struct model_id id;
    if (key == KEY_CONFIG)
        self->config_file = value;
    if (key == KEY_CONF_DIR)
        self->config_folder = value;
    if (key == KEY_LABELS)
        self->labels = value;
    if (key != KEY_MODEL)
        return NULL;
    if (model_id_parse(&id, text_of(value)) < 0)
        return "project/name/version";
    free(self->model);
    self->model = must(strdup(value));
    return NULL;
}

/* -- the configuration and the labels --------------------------------------------------------------------------------
 */

static void mistake(void *argument, const char *line)
{
    (void)argument;
    char *visible = visible_of(text_of(line));
    fprintf(stderr, "%s\n", visible);
    free(visible);
}

/* Secrets are of no concern here, and may be absent. */
static int load(struct replay *self)
{
    struct config_options how = config_options_here();
    how.no_env = true;
    how.folder = self->config_folder;
    int error = config_load(&self->config, self->config_file, &how, mistake, NULL);
    if (error == -ENOMEM)
        must(NULL);
    if (error == 0 && !self->config->has_budgets)
        say("%s has no budgets: no model is judged", self->config_file);
    return error ? EX_CONFIG : 0;
}

static double time_of(const json_t *label, const char *name)
{
    const json_t *value = json_object_get(label, name);
    double at_s;
    if (json_is_number(value))
        return json_number_value(value);
    return rfc3339_parse(member_text(label, name), &at_s) == 0 ? at_s : (double)NAN;
}

static int add_label(struct replay *self, struct recording *labels, const json_t *label)
{
    struct model_id id;
    double from_s = time_of(label, "from"), to_s = time_of(label, "to");
    struct text model = member_text(label, "model");
    if (model_id_parse(&id, model) < 0 || isnan(from_s) || isnan(to_s) || from_s > to_s) {
        say("%s: a label is {\"model\": \"project/name/version\", \"from\": seconds, \"to\": seconds}",
            recording_place(labels));
        return EX_DATAERR;
    }
    if (backtest_label(self->backtest, &id, from_s, to_s))
        must(NULL);
    return 0;
}

static int read_labels(struct replay *self)
{
    struct recording *labels;
    const char *why;
    uint64_t read = 0;
    int status = 0, error = recording_open(&labels, self->labels);
    if (error) {
        say("%s: %s", self->labels, strerror(-error));
        return EX_NOINPUT;
    }
    for (bool more = true; more && status == 0;) {
        json_t *label = NULL;
        switch (recording_next(labels, -1, &label, &why)) {
        case RECORDING_EVENT:
            status = add_label(self, labels, label);
            read++;
            json_decref(label);
            break;
        case RECORDING_WAIT:
            break;
        case RECORDING_END:
            more = false;
            break;
        case RECORDING_WRONG:
        case RECORDING_BAD:
            say("%s", why);
            status = EX_DATAERR;
            break;
        }
    }
    recording_close(&labels);
    if (status == 0 && read == 0)
        say("%s: there is no label in it, so every trigger counts as a false alarm", self->labels);
    return status;
}

/* -- the events ------------------------------------------------------------------------------------------------------
 */

static void show_progress(struct replay *self)
{
    if (++self->lines % PROGRESS_LINES || !progress_due(&self->progress))
        return;
    double part = recording_fraction(self->recording);
    fprintf(stderr, "%s: ", self->file);
    if (!isnan(part))
        fprintf(stderr, "%.0f %%, ", 100 * part);
    fprintf(stderr, "%s lines, %s triggers", figure_count((int64_t)self->lines).text,
            figure_count((int64_t)self->triggers).text);
}

static void on_trigger(void *argument, const struct backtest_trigger *trigger)
{
    struct replay *self = argument;
    self->triggers++;
    replay_report_trigger(self->report, self->file, recording_line(self->recording), trigger);
}

static void on_corrected(void *argument, const struct backtest_trigger *trigger)
{
    struct replay *self = argument;
    replay_report_correct(self->report, trigger);
}

/* A bad line costs itself alone, as in the daemon. */
static void say_bad(struct replay *self, enum metric_drop reason, const char *why)
{
    if (self->bad++ < BAD_NAMED_MAX) {
        progress_end();
        say("%s: dropped (%s): %s", recording_place(self->recording), metric_drop_name(reason), why);
    } else if (self->bad == BAD_NAMED_MAX + 1) {
        say("further bad lines are counted, not named");
    }
}

static void take_line(struct replay *self, struct text line)
{
    struct backtest_line took;
    if (backtest_take(self->backtest, line, &took))
        must(NULL);
    if (took.dropped)
        say_bad(self, took.reason, took.detail ? took.detail : "no event");
}

static int replay_file(struct replay *self, const char *path)
{
    struct text line;
    const char *why;
    int status = 0, error = recording_open(&self->recording, path);
    if (error) {
        say("%s: %s", path, strerror(-error));
        return EX_NOINPUT;
    }
    self->file = strcmp(path, "-") == 0 ? "standard input" : path;
    for (bool more = true; more && status == 0;) {
        switch (recording_next_line(self->recording, -1, &line, &why)) {
        case RECORDING_EVENT:
            take_line(self, line);
            show_progress(self);
            break;
        case RECORDING_BAD:
            backtest_drop(self->backtest, DROP_SYNTAX);
            say_bad(self, DROP_SYNTAX, why);
            break;
        case RECORDING_WAIT:
            break;
        case RECORDING_END:
            more = false;
            break;
        case RECORDING_WRONG:
            say("%s", why);
            status = EX_DATAERR;
            break;
        }
    }
    progress_end();
    recording_close(&self->recording);
    return status;
}

static int finish(struct replay *self, const struct common *common, int status)
{
    struct backtest_sums sums;
    backtest_sums(self->backtest, &sums);
    if (common->json)
        replay_report_show_json(self->report, self->backtest);
    else if (sums.events || status == 0)
        replay_report_show(self->report, self->backtest);
    if (status == 0 && sums.events == 0) {
        say(self->bad && !self->model ? "no event could be taken; --model ID gives one to events that name none"
                                      : "there is no event to replay");
        status = EX_DATAERR;
    }
    return status;
}

int backtest_run(const struct command *self, struct common *common, int argc, char **argv)
{
    struct replay replay = {.config_file = NULL};
    struct arguments arguments = {.options = options, .option = option, .input = &replay, .least = 1, .most = argc};
    struct model_id model;
    command_arguments(self, common, argc, argv, &arguments);
    if (!replay.config_file)
        say_and_end(EX_USAGE, "backtest: say by which configuration to judge (--config FILE)");
    int status = load(&replay);
    if (status)
        return status;
    struct backtest_options how = {
        .config = replay.config, .trigger = on_trigger, .corrected = on_corrected, .argument = &replay};
    if (replay.model && model_id_parse(&model, text_of(replay.model)) == 0)
        how.model = &model;
    if (backtest_new(&replay.backtest, &how))
        must(NULL);
    replay_report_new(&replay.report, replay.config_file, arguments.count);
    if (replay.labels)
        status = read_labels(&replay);
    bool labelled = status == 0;
    for (int i = 0; i < arguments.count && status == 0; i++)
        status = replay_file(&replay, arguments.words[i]);
    if (labelled && status != EX_NOINPUT)
        status = finish(&replay, common, status);
    replay_report_destroy(&replay.report);
    backtest_destroy(&replay.backtest);
    config_destroy(&replay.config);
    free(replay.model);
    return status;
}

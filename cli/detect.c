#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/lines.h"
#include "cli/say.h"
#include "cli/settings.h"
#include "lib/detect/detect.h"

struct detecting {
    struct settings settings;
    bool warnings;
};

static const char *option(void *input, int key, const char *value)
{
    struct detecting *self = input;
    if (key == 'w') {
        self->warnings = true;
        return NULL;
    }
    return settings_add(&self->settings, value);
}

/* A finite number and nothing else; white space around it does not count. */
static bool read_value(struct text line, double *out)
{
    char text[512], *end;
    while (line.len && (*line.at == ' ' || *line.at == '\t')) {
        line.at++;
        line.len--;
    }
    while (line.len && (line.at[line.len - 1] == ' ' || line.at[line.len - 1] == '\t'))
        line.len--;
    if (line.len == 0 || line.len >= sizeof text || memchr(line.at, '\0', line.len))
        return false;
    memcpy(text, line.at, line.len);
    text[line.len] = '\0';
    if (strspn(text, "+-.0123456789eE") != line.len)
        return false;
    *out = strtod(text, &end);
    return *end == '\0' && isfinite(*out);
}

static bool blank(struct text line)
{
    for (size_t i = 0; i < line.len; i++)
        if (!strchr(" \t\r", line.at[i]) || !line.at[i])
            return false;
    return true;
}

static void put_number(const char *name, double value)
{
    if (isfinite(value))
        printf(", \"%s\": %.17g", name, value);
    else
        printf(", \"%s\": null", name);
}

static void put(uint64_t index, const struct detect_verdict *verdict)
{
    printf("{\"index\": %" PRIu64 ", \"state\": \"%s\"", index, detect_state_name(verdict->state));
    put_number("statistic", verdict->statistic);
    put_number("threshold", verdict->threshold);
    printf(", \"n\": %" PRIu64, verdict->n);
    if (verdict->changed_at == DETECT_UNKNOWN)
        printf(", \"change_at\": null");
    else
        printf(", \"change_at\": %" PRIu64, verdict->changed_at);
    put_number("size", verdict->size);
    put_number("lower", verdict->lower);
    put_number("upper", verdict->upper);
    printf("}\n");
}

/* The detector counts the values that it was fed since its start; people count lines. `at` remembers each value that
 * lines without one stand before, since the last alarm: from it to the next such value the two counts go in step. */
struct fed {
    struct after_gap {
        uint64_t value, index;
    } * at;
    size_t count, room;
    uint64_t values;
};

static uint64_t fed_index(const struct fed *self, uint64_t value)
{
    size_t i = self->count;
    while (i && self->at[i - 1].value > value)
        i--;
    return i ? self->at[i - 1].index + (value - self->at[i - 1].value) : value;
}

static void fed_add(struct fed *self, uint64_t index)
{
    uint64_t value = self->values++;
    if (fed_index(self, value) == index)
        return;
    if (self->count == self->room) {
        self->room = self->room ? 2 * self->room : 64;
        self->at = must(reallocarray(self->at, self->room, sizeof *self->at));
    }
    self->at[self->count++] = (struct after_gap){.value = value, .index = index};
}

/* A detector that alarmed starts anew: no change that it finds later lies before. */
static void fed_alarm(struct fed *self)
{
    if (self->count) {
        self->at[0] = self->at[self->count - 1];
        self->count = 1;
    }
}

/* Says what is worth it of the value on line `index`. */
static void tell(struct fed *fed, uint64_t index, struct detect_verdict verdict, bool warned)
{
    if (verdict.changed_at != DETECT_UNKNOWN)
        verdict.changed_at = fed_index(fed, verdict.changed_at);
    if (verdict.state == DETECT_DRIFT || warned)
        put(index, &verdict);
    if (verdict.state == DETECT_DRIFT)
        fed_alarm(fed);
}

static int run_over(struct detect *detect, struct lines *lines, bool warnings)
{
    struct fed fed = {0};
    struct text line;
    enum lines_outcome outcome;
    enum detect_state before = DETECT_NONE;
    uint64_t index = 0;
    while ((outcome = lines_next(lines, -1, &line)) != LINES_END) {
        double value;
        if (outcome == LINES_WRONG) {
            free(fed.at);
            say("%s", strerror(errno));
            return EX_IOERR;
        }
        if (outcome == LINES_WAIT || blank(line))
            continue;
        uint64_t at = index++;
        if (!read_value(line, &value))
            continue;
        fed_add(&fed, at);
        struct detect_verdict verdict = detect_add(detect, value);
        tell(&fed, at, verdict, warnings && verdict.state == DETECT_WARNING && before != DETECT_WARNING);
        before = verdict.state;
    }
    free(fed.at);
    return 0;
}

int detect_run(const struct command *self, struct common *common, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"set", 's', "KEY=VALUE", 0, "A parameter by its name in the literature; may be given again", 0},
        {"warnings", 'w', NULL, 0, "Also the first index of each run of warnings", 0},
        {0}};
    struct detecting detecting = {0};
    struct arguments arguments = {.options = options, .option = option, .input = &detecting, .least = 2, .most = 2};
    command_arguments(self, common, argc, argv, &arguments);
    struct detect_params params;
    settings_apply(&detecting.settings, arguments.words[0], &params);

    struct detect *detect;
    if (detect_new(&detect, arguments.words[0], &params))
        say_and_end(EX_OSERR, "no memory for %s", arguments.words[0]);
    struct lines lines;
    int error = lines_open(&lines, arguments.words[1]);
    if (error)
        say_and_end(EX_NOINPUT, "%s: %s", arguments.words[1], strerror(-error));
    int status = run_over(detect, &lines, detecting.warnings);
    lines_close(&lines);
    detect_destroy(&detect);
    return status;
}

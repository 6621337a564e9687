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

static void put(uint64_t index, uint64_t first, const struct detect_verdict *verdict)
{
    printf("{\"index\": %" PRIu64 ", \"state\": \"%s\"", index, detect_state_name(verdict->state));
    put_number("statistic", verdict->statistic);
    put_number("threshold", verdict->threshold);
    printf(", \"n\": %" PRIu64, verdict->n);
    if (verdict->changed_at == DETECT_UNKNOWN)
        printf(", \"change_at\": null");
    else
        printf(", \"change_at\": %" PRIu64, first + verdict->changed_at);
    put_number("size", verdict->size);
    put_number("lower", verdict->lower);
    put_number("upper", verdict->upper);
    printf("}\n");
}

/* The detector counts the values it was fed since its last alarm; people count lines. `fed` remembers for each value
 * of this run which index it had. */
struct fed {
    uint64_t *index;
    size_t count, room;
};

static void fed_add(struct fed *self, uint64_t index)
{
    if (self->count == self->room) {
        self->room = self->room ? 2 * self->room : 1024;
        self->index = must(realloc(self->index, self->room * sizeof *self->index));
    }
    self->index[self->count++] = index;
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
            free(fed.index);
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
        if (verdict.changed_at != DETECT_UNKNOWN && verdict.changed_at < fed.count)
            verdict.changed_at = fed.index[verdict.changed_at];
        if (verdict.state == DETECT_DRIFT || (warnings && verdict.state == DETECT_WARNING && before != DETECT_WARNING))
            put(at, 0, &verdict);
        if (verdict.state == DETECT_DRIFT)
            fed.count = 0;
        before = verdict.state;
    }
    free(fed.index);
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

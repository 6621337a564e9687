#include "cli/step.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/clock.h"
#include "cli/figure.h"
#include "cli/say.h"
#include "cli/visible.h"

#define ECHO_MOST 1000 /* bytes shown of a line; escaped they fit what a pipe takes at once (PIPE_BUF) */

/* A line that is being put together. */
struct line {
    FILE *out;
    char *text;
    size_t len;
};

static void begin(struct line *line)
{
    line->text = NULL;
    line->out = must(open_memstream(&line->text, &line->len));
}

static bool would_wait(int fd)
{
    struct pollfd item = {.fd = fd, .events = POLLOUT};
    return poll(&item, 1, 0) == 0;
}

static void end(struct line *line, int fd)
{
    static unsigned long left_out;
    char note[64];
    fclose(line->out);
    must(line->text);
    if (would_wait(fd)) {
        left_out++;
    } else {
        int len = snprintf(note, sizeof note, "  (%lu lines left out: the log was not read)\n", left_out);
        bool told = left_out == 0 || fd != STDERR_FILENO || write(fd, note, (size_t)len) == len;
        left_out = told ? 0 : left_out;
        if (!would_wait(fd) && write(fd, line->text, line->len) < 0)
            left_out++;
    }
    free(line->text);
}

static void put_json(FILE *out, const struct job *job, const char *name, const char *visible)
{
    json_t *line = must(json_pack("{s:f, s:s, s:s}", "at", clock_epoch_s(), "step", name, "message", visible));
    if (job) {
        json_object_set_new(line, "request", json_string(job->request));
        json_object_set_new(line, "attempt", json_integer(job->attempt));
        json_object_set_new(line, "model", json_string(job->model));
    }
    char *text = must(json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(14)));
    visible_put_json(out, text_of(text));
    fputc('\n', out);
    free(text);
    json_decref(line);
}

static void put_text(FILE *out, const struct job *job, const char *visible)
{
    fprintf(out, "%s ", figure_time(clock_epoch_s()).text);
    if (job) {
        visible_put(out, text_of(job->request));
        fprintf(out, "/%lld %s: ", (long long)job->attempt, job->model);
    }
    fprintf(out, "%s\n", visible);
}

void step_say(bool json, const struct job *job, const char *name, const char *format, va_list arguments)
{
    char *sentence;
    struct line line;
    if (vasprintf(&sentence, format, arguments) < 0)
        must(NULL);
    char *visible = visible_of(text_of(sentence));
    begin(&line);
    if (json)
        put_json(line.out, job, name, visible);
    else
        put_text(line.out, job, visible);
    end(&line, json ? STDOUT_FILENO : STDERR_FILENO);
    free(visible);
    free(sentence);
}

void step_echo(struct text text)
{
    struct line line;
    bool whole = text.len <= ECHO_MOST;
    if (!whole)
        text.len = ECHO_MOST;
    begin(&line);
    fputs("  | ", line.out);
    visible_put(line.out, text);
    fputs(whole ? "\n" : " ...\n", line.out);
    end(&line, STDERR_FILENO);
}

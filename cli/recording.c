#include "cli/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/csv.h"
#include "cli/lines.h"
#include "cli/member.h"
#include "cli/say.h"
#include "lib/wire/rfc3339.h"

enum form { FORM_UNKNOWN, FORM_JSON, FORM_CSV };

struct recording {
    struct lines lines;
    char *name, *place, *why;
    enum form form;
    struct csv csv;
    char *record; /* the lines of a CSV record so far */
    size_t record_len;
    uint64_t record_line; /* where it begins */
};

int recording_open(struct recording **self_p, const char *path)
{
    *self_p = NULL;
    struct lines lines;
    int error = lines_open(&lines, path);
    if (error)
        return error;
    struct recording *self = must(calloc(1, sizeof *self));
    self->lines = lines;
    self->name = must(strdup(strcmp(path, "-") == 0 ? "standard input" : path));
    *self_p = self;
    return 0;
}

const char *recording_place(struct recording *self)
{
    free(self->place);
    uint64_t line = self->form == FORM_CSV ? self->record_line : self->lines.number;
    if (asprintf(&self->place, "%s:%" PRIu64, self->name, line) < 0)
        must(NULL);
    return self->place;
}

/* Puts the place before the sentence. */
static enum recording_outcome wrong(struct recording *self, const char *why, const char **why_p)
{
    free(self->why);
    if (asprintf(&self->why, "%s: %s", recording_place(self), why) < 0)
        must(NULL);
    *why_p = self->why;
    return RECORDING_WRONG;
}

static struct text without_space(struct text line)
{
    while (line.len && (*line.at == ' ' || *line.at == '\t')) {
        line.at++;
        line.len--;
    }
    return line;
}

static struct text without_mark(struct text line)
{
    if (line.len < 3 || memcmp(line.at, "\xef\xbb\xbf", 3) != 0)
        return line;
    return (struct text){.at = line.at + 3, .len = line.len - 3};
}

static enum recording_outcome take_json(struct recording *self, struct text line, json_t **out, const char **why_p)
{
    json_error_t error;
    *out = json_loadb(line.at, line.len, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(*out))
        return RECORDING_EVENT;
    char why[JSON_ERROR_TEXT_LENGTH + 32];
    if (*out)
        snprintf(why, sizeof why, "an event is a JSON object");
    else
        snprintf(why, sizeof why, "no JSON: %s (column %d)", error.text, error.column);
    json_decref(*out);
    *out = NULL;
    return wrong(self, why, why_p);
}

/* Adds a line to the record; true when it is whole. */
static bool gather(struct recording *self, struct text line)
{
    bool first = self->record_len == 0;
    if (first)
        self->record_line = self->lines.number;
    self->record = must(realloc(self->record, self->record_len + line.len + 1));
    if (!first)
        self->record[self->record_len++] = '\n';
    if (line.len)
        memcpy(self->record + self->record_len, line.at, line.len);
    self->record_len += line.len;
    return csv_whole((struct text){.at = self->record, .len = self->record_len});
}

/* RECORDING_WAIT: no event yet, go on reading. */
static enum recording_outcome take_csv(struct recording *self, struct text line, json_t **out, const char **why_p)
{
    if (self->record_len == 0 && line.len == 0)
        return RECORDING_WAIT;
    if (!gather(self, line)) {
        if (self->record_len <= LINES_BYTES_MAX)
            return RECORDING_WAIT;
        return wrong(self, "a quote that is opened here is not closed", why_p);
    }
    struct text record = {.at = self->record, .len = self->record_len};
    char *why = NULL;
    bool header = !self->csv.count;
    self->record_len = 0;
    if (header && csv_header(&self->csv, record, &why))
        return RECORDING_WAIT;
    *out = header ? NULL : csv_event(&self->csv, record, &why);
    if (*out)
        return RECORDING_EVENT;
    enum recording_outcome outcome = wrong(self, why, why_p);
    free(why);
    return outcome;
}

static enum recording_outcome take_line(struct recording *self, struct text line, json_t **out, const char **why_p)
{
    if (self->lines.number == 1)
        line = without_mark(line);
    struct text bare = without_space(line);
    if (self->form == FORM_UNKNOWN && bare.len)
        self->form = *bare.at == '{' ? FORM_JSON : FORM_CSV;
    if (self->form == FORM_CSV)
        return take_csv(self, line, out, why_p);
    return bare.len ? take_json(self, bare, out, why_p) : RECORDING_WAIT;
}

enum recording_outcome recording_next(struct recording *self, int timeout_ms, json_t **out, const char **why_p)
{
    struct text line;
    for (;;) {
        enum recording_outcome outcome;
        switch (lines_next(&self->lines, timeout_ms, &line)) {
        case LINES_LINE:
            outcome = take_line(self, line, out, why_p);
            if (outcome != RECORDING_WAIT)
                return outcome;
            break;
        case LINES_WAIT:
            return RECORDING_WAIT;
        case LINES_WRONG:
            return wrong(self, errno == EMSGSIZE ? "the next line is longer than 16 MiB" : strerror(errno), why_p);
        case LINES_END:
            if (self->record_len)
                return wrong(self, "a quote that is opened here is not closed", why_p);
            return RECORDING_END;
        }
    }
}

double recording_time(const json_t *event)
{
    static const char *const names[] = {"received_at", "timestamp"};
    for (size_t i = 0; i < 2; i++) {
        const json_t *value = json_object_get(event, names[i]);
        if (json_is_number(value))
            return json_number_value(value);
        double at_s;
        if (rfc3339_parse(member_text(event, names[i]), &at_s) == 0)
            return at_s;
    }
    return NAN;
}

void recording_close(struct recording **self_p)
{
    struct recording *self = *self_p;
    if (!self)
        return;
    lines_close(&self->lines);
    csv_close(&self->csv);
    free(self->record);
    free(self->name);
    free(self->place);
    free(self->why);
    free(self);
    *self_p = NULL;
}

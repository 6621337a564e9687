#include "cli/recording.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/csv.h"
#include "cli/lines.h"
#include "cli/member.h"
#include "cli/say.h"
#include "lib/wire/json_wide.h"
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
    uint64_t header_lines;
    off_t size; /* 0: it is no file */
    struct json_write json; /* a record as JSON */
};

int recording_open(struct recording **self_p, const char *path)
{
    *self_p = NULL;
    struct lines lines;
    int error = lines_open(&lines, path);
    if (error)
        return error;
    struct recording *self = must(calloc(1, sizeof *self));
    struct stat about;
    self->lines = lines;
    if (fstat(lines.fd, &about) == 0 && S_ISREG(about.st_mode))
        self->size = about.st_size;
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

/* What a recorder wrote beside the events. */
static bool is_other(const json_t *line)
{
    return json_is_object(json_object_get(line, "stands")) || json_is_object(json_object_get(line, "transition")) ||
           (json_object_size(line) == 1 && json_is_integer(json_object_get(line, "lost")));
}

static enum recording_outcome take_json(struct recording *self, struct text line, json_t **out, const char **why_p)
{
    json_error_t error;
    *out = json_wide_read(line, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(*out) && !is_other(*out))
        return RECORDING_EVENT;
    if (json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        return RECORDING_WAIT;
    }
    char why[JSON_ERROR_TEXT_LENGTH + 32];
    if (*out)
        snprintf(why, sizeof why, "a line is one JSON object");
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

/* Gathers a record and reads the header. RECORDING_WAIT: no record of events yet, go on reading. */
static enum recording_outcome take_record(struct recording *self, struct text line, struct text *out,
                                          const char **why_p)
{
    if (self->record_len == 0 && line.len == 0)
        return RECORDING_WAIT;
    if (!gather(self, line)) {
        if (self->record_len <= LINES_BYTES_MAX)
            return RECORDING_WAIT;
        return wrong(self, "a quote that is opened here is not closed", why_p);
    }
    char *why = NULL;
    *out = (struct text){.at = self->record, .len = self->record_len};
    self->record_len = 0;
    if (self->csv.count)
        return RECORDING_EVENT;
    self->header_lines = self->lines.number;
    if (csv_header(&self->csv, *out, &why))
        return RECORDING_WAIT;
    wrong(self, why, why_p);
    free(why);
    return RECORDING_WRONG;
}

static enum recording_outcome take_csv(struct recording *self, struct text line, json_t **out, const char **why_p)
{
    struct text record;
    char *why = NULL;
    enum recording_outcome outcome = take_record(self, line, &record, why_p);
    if (outcome != RECORDING_EVENT)
        return outcome;
    *out = csv_event(&self->csv, record, &why);
    if (*out)
        return RECORDING_EVENT;
    wrong(self, why, why_p);
    free(why);
    return RECORDING_WRONG;
}

static enum recording_outcome take_csv_line(struct recording *self, struct text line, struct text *out,
                                            const char **why_p)
{
    struct text record;
    char *why = NULL;
    enum recording_outcome outcome = take_record(self, line, &record, why_p);
    if (outcome != RECORDING_EVENT)
        return outcome;
    self->json.len = 0;
    bool good = csv_json(&self->csv, record, &self->json, &why);
    if (self->json.failed)
        must(NULL);
    *out = (struct text){.at = self->json.at, .len = self->json.len};
    if (good)
        return RECORDING_EVENT;
    free(self->why);
    *why_p = self->why = why;
    return RECORDING_BAD;
}

/* The line without what may stand before the first one; it tells which form the file has. */
static struct text know_form(struct recording *self, struct text line)
{
    if (self->lines.number == 1)
        line = without_mark(line);
    struct text bare = without_space(line);
    if (self->form == FORM_UNKNOWN && bare.len)
        self->form = *bare.at == '{' || *bare.at == '[' ? FORM_JSON : FORM_CSV;
    return self->form == FORM_CSV ? line : bare;
}

/* The next line of the file, whatever it is. RECORDING_EVENT: there is one. */
static enum recording_outcome next(struct recording *self, int timeout_ms, struct text *out, const char **why_p)
{
    switch (lines_next(&self->lines, timeout_ms, out)) {
    case LINES_LINE:
        *out = know_form(self, *out);
        return RECORDING_EVENT;
    case LINES_WAIT:
        return RECORDING_WAIT;
    case LINES_WRONG:
        return wrong(self, errno == EMSGSIZE ? "the next line is longer than 16 MiB" : strerror(errno), why_p);
    case LINES_END:
        break;
    }
    if (self->record_len)
        return wrong(self, "a quote that is opened here is not closed", why_p);
    return RECORDING_END;
}

enum recording_outcome recording_next(struct recording *self, int timeout_ms, json_t **out, const char **why_p)
{
    struct text line;
    enum recording_outcome outcome;
    do {
        outcome = next(self, timeout_ms, &line, why_p);
        if (outcome != RECORDING_EVENT)
            return outcome;
        if (self->form == FORM_CSV)
            outcome = take_csv(self, line, out, why_p);
        else
            outcome = line.len ? take_json(self, line, out, why_p) : RECORDING_WAIT;
    } while (outcome == RECORDING_WAIT);
    return outcome;
}

enum recording_outcome recording_next_line(struct recording *self, int timeout_ms, struct text *out, const char **why_p)
{
    struct text line;
    enum recording_outcome outcome;
    do {
        outcome = next(self, timeout_ms, &line, why_p);
        if (outcome != RECORDING_EVENT)
            return outcome;
        if (self->form == FORM_CSV)
            outcome = take_csv_line(self, line, out, why_p);
        else
            *out = line;
    } while (outcome == RECORDING_WAIT || (outcome == RECORDING_EVENT && out->len == 0));
    return outcome;
}

uint64_t recording_line(const struct recording *self)
{
    uint64_t line = self->form == FORM_CSV ? self->record_line : self->lines.number;
    return line - 1 - self->header_lines;
}

double recording_fraction(const struct recording *self)
{
    off_t at = self->size > 0 ? lseek(self->lines.fd, 0, SEEK_CUR) : -1;
    return at < 0 ? (double)NAN : (double)at / (double)self->size;
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
    free(self->json.at);
    free(self);
    *self_p = NULL;
}

#include "cli/csv.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/say.h"
#include "lib/wire/metric_rules.h"
#include "lib/wire/rfc3339.h"

#define NUMBER_MAX 512 /* characters; further digits of a number change nothing */

bool csv_whole(struct text record)
{
    size_t quotes = 0;
    for (size_t i = 0; i < record.len; i++)
        quotes += record.at[i] == '"';
    return quotes % 2 == 0;
}

__attribute__((format(printf, 2, 3))) static void wrong(char **why_p, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vasprintf(why_p, format, arguments) < 0)
        must(NULL);
    va_end(arguments);
}

/* Takes the next cell off the record, without its quotes; the caller frees it. NULL, with a sentence: badly quoted. */
static char *take_cell(struct text *record, bool *more_p, char **why_p)
{
    char *cell = must(malloc(record->len + 1)), *to = cell;
    const char *at = record->at, *end = record->at + record->len;
    bool quoted = at < end && *at == '"';
    at += quoted;
    while (at < end && (quoted || *at != ',')) {
        if (quoted && *at == '"') {
            at++;
            if (at == end || *at != '"')
                break;
        }
        *to++ = *at++;
    }
    *to = '\0';
    if (at < end && *at != ',') {
        wrong(why_p, "'%c' behind a closing quote", *at);
        free(cell);
        return NULL;
    }
    *more_p = at < end;
    record->len = (size_t)(end - at) - (at < end);
    record->at = at + (at < end);
    return cell;
}

static bool name_is_new(const struct csv *self, const char *name)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->names[i], name) == 0)
            return false;
    }
    return true;
}

/* Whether a column may hold what is judged: one of a file with other separators never does. */
static bool names_a_metric(const char *name)
{
    enum member member = member_of(text_of(name), true);
    return (member == MEMBER_RATIO || member == MEMBER_NOT_NEGATIVE || member == MEMBER_METRIC) &&
           strcmp(name, "received_at") != 0 && strcmp(name, "taken") != 0;
}

bool csv_header(struct csv *self, struct text record, char **why_p)
{
    const struct text whole = record;
    bool more = true, metrics = false;
    *self = (struct csv){0};
    while (more) {
        char *name = take_cell(&record, &more, why_p);
        if (!name)
            return false;
        if (!*name || !name_is_new(self, name)) {
            wrong(why_p, *name ? "the header names '%s' twice" : "the header has a column without a name%s", name);
            free(name);
            return false;
        }
        self->names = must(reallocarray(self->names, self->count + 1, sizeof *self->names));
        self->names[self->count++] = name;
        metrics = metrics || names_a_metric(name);
    }
    if (!metrics)
        wrong(why_p,
              "no column of the header '%.*s' is a metric; allowed: names of a-z, 0-9, '_' and '.' that begin with "
              "a letter, and commas between them",
              whole.len > 64 ? 64 : (int)whole.len, whole.at);
    return metrics;
}

static json_t *number_of(const char *cell)
{
    char *end;
    if (strlen(cell) > NUMBER_MAX || strpbrk(cell, "xX"))
        return NULL;
    double number = strtod(cell, &end);
    if (end == cell || *end || !isfinite(number))
        return NULL;
    if (strspn(cell, "-0123456789") == strlen(cell) && fabs(number) < 9e15)
        return json_integer(strtoll(cell, NULL, 10));
    return json_real(number);
}

static bool may_be_text(const char *name)
{
    return strcmp(name, "model") == 0 || strcmp(name, "node") == 0 || strcmp(name, "boot") == 0 ||
           strcmp(name, "timestamp") == 0 || strcmp(name, "received_at") == 0;
}

/* From when to when a label holds: in a table of those; of events these are metrics like others. */
static bool is_time_of_label(const char *name, const char *cell)
{
    double at_s;
    return (strcmp(name, "from") == 0 || strcmp(name, "to") == 0) && rfc3339_parse(text_of(cell), &at_s) == 0;
}

static json_t *value_of(const char *name, const char *cell, char **why_p)
{
    bool text = may_be_text(name),
         name_only = text && strcmp(name, "timestamp") != 0 && strcmp(name, "received_at") != 0;
    json_t *value = name_only ? NULL : number_of(cell);
    if (!value && (text || is_time_of_label(name, cell)))
        value = json_string(cell);
    if (!value)
        wrong(why_p, "column %s: '%.64s' is not %s", name, cell, text ? "UTF-8" : "a finite number");
    return value;
}

json_t *csv_event(const struct csv *self, struct text record, char **why_p)
{
    json_t *event = must(json_object());
    bool more = true;
    size_t column = 0;
    for (; more; column++) {
        char *cell = take_cell(&record, &more, why_p);
        if (!cell || column == self->count) {
            if (cell)
                wrong(why_p, "more cells than the header has names (%zu)", self->count);
            free(cell);
            json_decref(event);
            return NULL;
        }
        json_t *value = *cell ? value_of(self->names[column], cell, why_p) : NULL;
        bool bad = *cell && (!value || json_object_set_new(event, self->names[column], value) < 0);
        free(cell);
        if (bad) {
            if (value)
                wrong(why_p, "the name of column %zu is not UTF-8", column + 1);
            json_decref(event);
            return NULL;
        }
    }
    if (column == self->count)
        return event;
    wrong(why_p, "%zu cells, the header has %zu names", column, self->count);
    json_decref(event);
    return NULL;
}

/* -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool is_json_number(const char *at)
{
    at += *at == '-';
    if (*at == '0')
        at++;
    else if (*at >= '1' && *at <= '9')
        at += strspn(at, "0123456789");
    else
        return false;
    if (*at == '.') {
        size_t digits = strspn(at + 1, "0123456789");
        if (digits == 0)
            return false;
        at += 1 + digits;
    }
    if (*at == 'e' || *at == 'E') {
        at += at[1] == '+' || at[1] == '-' ? 2 : 1;
        if (strspn(at, "0123456789") == 0)
            return false;
        at += strspn(at, "0123456789");
    }
    return *at == '\0';
}

/* A number however people write it: "+1", ".5", " 2", "nan". */
static bool is_loose_number(const char *cell, double *out)
{
    char *end;
    if (strlen(cell) > NUMBER_MAX || strpbrk(cell, "xX"))
        return false;
    *out = strtod(cell, &end);
    return end != cell && *end == '\0';
}

static void write_cell(const char *name, const char *cell, struct json_write *out)
{
    bool text = strcmp(name, "taken") == 0 ||
                (may_be_text(name) && strcmp(name, "timestamp") != 0 && strcmp(name, "received_at") != 0);
    double number;
    json_write_key(out, name);
    if (!text && (*cell == '{' || is_json_number(cell)))
        json_write_raw(out, text_of(cell));
    else if (text || !is_loose_number(cell, &number))
        json_write_string(out, cell);
    else if (isfinite(number))
        json_write_number(out, number);
    else
        json_write_raw(out, text_of("1e999")); /* so that it is dropped for what it is */
}

bool csv_json(const struct csv *self, struct text record, struct json_write *out, char **why_p)
{
    bool more = true;
    size_t column = 0;
    json_write_bracket(out, '{');
    for (; more; column++) {
        char *cell = take_cell(&record, &more, why_p);
        if (cell && column < self->count && *cell)
            write_cell(self->names[column], cell, out);
        free(cell);
        if (cell && column < self->count)
            continue;
        if (cell)
            wrong(why_p, "more cells than the header has names (%zu)", self->count);
        return false;
    }
    json_write_bracket(out, '}');
    if (column == self->count)
        return true;
    wrong(why_p, "%zu cells, the header has %zu names", column, self->count);
    return false;
}

void csv_close(struct csv *self)
{
    for (size_t i = 0; i < self->count; i++)
        free(self->names[i]);
    free(self->names);
    *self = (struct csv){0};
}

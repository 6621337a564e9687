/* Values as a person would write them. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "lib/config/print.h"

static bool make_room(struct print_text *self, size_t more)
{
    if (self->len + more < self->room)
        return true;
    size_t room = 2 * (self->len + more) + 64;
    char *at = self->failed ? NULL : realloc(self->at, room);
    if (!at) {
        self->failed = true;
        return false;
    }
    self->at = at;
    self->room = room;
    return true;
}

void print_put(struct print_text *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (wanted < 0 || !make_room(self, (size_t)wanted + 1))
        return;
    va_start(arguments, format);
    vsnprintf(self->at + self->len, (size_t)wanted + 1, format, arguments);
    va_end(arguments);
    self->len += (size_t)wanted;
}

/* Bytes of the character at `at` that YAML has only as an escape, and its number; 0: it may stand as it is. */
static size_t special(const unsigned char *at, size_t left, unsigned *code)
{
    *code = at[0];
    if (at[0] < 0x20 || at[0] == 0x7f)
        return 1;
    if (left >= 2 && at[0] == 0xc2 && at[1] < 0xa0) { /* C1 controls */
        *code = at[1];
        return 2;
    }
    if (left >= 3 && at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9)) { /* line separators */
        *code = 0x2000u + (at[2] & 0x3fu);
        return 3;
    }
    if (left >= 3 && at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf) { /* byte order mark */
        *code = 0xfeff;
        return 3;
    }
    return 0;
}

static void put_quoted(struct print_text *self, struct text text, bool expands)
{
    print_put(self, "\"");
    for (size_t i = 0; i < text.len;) {
        unsigned code;
        size_t bytes = special((const unsigned char *)text.at + i, text.len - i, &code);
        if (bytes > 0)
            print_put(self, "\\u%04X", code);
        else if (text.at[i] == '"' || text.at[i] == '\\')
            print_put(self, "\\%c", text.at[i]);
        else if (expands && text.at[i] == '$' && i + 1 < text.len && text.at[i + 1] == '{')
            print_put(self, "$$");
        else
            print_put(self, "%c", text.at[i]);
        i += bytes > 0 ? bytes : 1;
    }
    print_put(self, "\"");
}

void print_quoted(struct print_text *self, struct text text)
{
    put_quoted(self, text, true);
}

void print_quoted_key(struct print_text *self, struct text text)
{
    put_quoted(self, text, false);
}

void print_number(struct print_text *self, double value)
{
    char text[32];
    int digits = 15;
    do
        snprintf(text, sizeof(text), "%.*g", digits, value);
    while (strtod(text, NULL) != value && ++digits <= 17);
    print_put(self, "%s", text);
}

struct unit {
    const char *name;
    uint64_t size;
};

/* In the largest unit that leaves no fraction; the smallest takes one. */
static void put_amount(struct print_text *self, uint64_t amount, const struct unit *units)
{
    while (units[1].name && (amount % units->size != 0 || amount == 0))
        units++;
    if (amount % units->size == 0)
        print_put(self, "%" PRIu64, amount / units->size);
    else
        print_number(self, (double)amount / (double)units->size);
    print_put(self, "%s", units->name);
}

static void put_duration(struct print_text *self, int64_t ns)
{
    static const struct unit units[] = {{"d", UINT64_C(86400000000000)},
                                        {"h", UINT64_C(3600000000000)},
                                        {"m", UINT64_C(60000000000)},
                                        {"s", 1000000000},
                                        {"ms", 1000000},
                                        {"us", 1000},
                                        {0}};
    put_amount(self, (uint64_t)ns, units);
}

static void put_size(struct print_text *self, uint64_t bytes)
{
    static const struct unit units[] = {{"GiB", 1u << 30}, {"MiB", 1u << 20}, {"KiB", 1u << 10}, {"B", 1}, {0}};
    put_amount(self, bytes, units);
}

static bool put_word(struct print_text *self, const struct schema_row *row, double value)
{
    for (const struct schema_word *word = row->words; word && word->word; word++) {
        if ((double)word->value != value)
            continue;
        print_put(self, "%s", word->word);
        return true;
    }
    return false;
}

static bool put_alarms(struct print_text *self, const struct alarm_budget *alarms)
{
    if (alarms->every_events > 0) {
        print_put(self, "1 per ");
        print_number(self, alarms->every_events);
        print_put(self, " events");
    } else if (alarms->every_s > 0) {
        print_put(self, "1 per ");
        put_duration(self, llround(alarms->every_s * 1e9));
    }
    return alarms->every_events > 0 || alarms->every_s > 0;
}

static void put_endpoints(struct print_text *self, const struct config_endpoints *endpoints)
{
    print_put(self, "[");
    for (uint32_t i = 0; i < endpoints->count; i++) {
        print_put(self, "%s", i > 0 ? ", " : "");
        print_quoted(self, text_of(endpoints->at[i]));
    }
    print_put(self, "]");
}

static void put_own(struct print_text *self, const struct config_projects *own)
{
    print_put(self, "{");
    for (uint32_t i = 0; i < own->count; i++) {
        print_put(self, "%s", i > 0 ? ", " : "");
        print_quoted_key(self, text_of(own->at[i].project));
        print_put(self, ": {jobs: ");
        put_endpoints(self, &own->at[i].jobs);
        print_put(self, ", events: ");
        put_endpoints(self, &own->at[i].events);
        print_put(self, "}");
    }
    print_put(self, "}");
}

/* JSON as YAML takes it: with blanks, and with the same escapes as all other texts. */
static void put_json(struct print_text *self, const json_t *value)
{
    const char *name, *between = "";
    size_t index;
    const json_t *item;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        print_put(self, "{");
        json_object_foreach ((json_t *)(uintptr_t)value, name, item) {
            print_put(self, "%s", between);
            print_quoted_key(self, text_of(name));
            print_put(self, ": ");
            put_json(self, item);
            between = ", ";
        }
        print_put(self, "}");
        break;
    case JSON_ARRAY:
        print_put(self, "[");
        json_array_foreach (value, index, item) {
            print_put(self, "%s", index > 0 ? ", " : "");
            put_json(self, item);
        }
        print_put(self, "]");
        break;
    case JSON_STRING:
        print_quoted(self, (struct text){.at = json_string_value(value), .len = json_string_length(value)});
        break;
    case JSON_INTEGER:
        print_put(self, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL: {
        size_t from = self->len;
        print_number(self, json_real_value(value));
        if (!self->failed && !strpbrk(self->at + from, ".e"))
            print_put(self, ".0"); /* it stays what it is, and no whole number */
        break;
    }
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        print_put(self, "%s", json_is_null(value) ? "null" : json_is_true(value) ? "true" : "false");
        break;
    }
}

static void put_parameters(struct print_text *self, const char *text)
{
    json_t *json = json_loads(text && *text ? text : "{}", 0, NULL);
    if (json)
        put_json(self, json);
    else
        self->failed = true;
    json_decref(json);
}

static bool put_count(struct print_text *self, const struct schema_row *row, const void *field)
{
    int32_t narrow;
    uint64_t wide = 0;
    memcpy(&narrow, field, sizeof(narrow));
    if (row->type == SCHEMA_COUNT64)
        memcpy(&wide, field, sizeof(wide));
    if (row->type == SCHEMA_COUNT64)
        print_put(self, "%" PRIu64, wide);
    else if (!put_word(self, row, narrow))
        print_put(self, "%" PRIu32, (uint32_t)narrow);
    return true;
}

static bool put_number(struct print_text *self, const struct schema_row *row, double value)
{
    if (isnan(value))
        return false;
    if (!put_word(self, row, value))
        print_number(self, value);
    return true;
}

static bool put_text(struct print_text *self, const char *text)
{
    if (!text)
        return false;
    print_quoted(self, text_of(text));
    return true;
}

bool print_value(struct print_text *self, const struct schema_row *row, const void *base)
{
    const void *field = row->offset == SCHEMA_NOWHERE ? NULL : (const char *)base + row->offset;
    const double *number = field;
    if (!field)
        return false;
    switch (row->type) {
    case SCHEMA_COUNT:
    case SCHEMA_COUNT64:
        return put_count(self, row, field);
    case SCHEMA_NUMBER:
    case SCHEMA_LIMIT:
        return put_number(self, row, *number);
    case SCHEMA_DURATION:
        put_duration(self, *(const int64_t *)field);
        return true;
    case SCHEMA_SIZE:
        put_size(self, *(const uint64_t *)field);
        return true;
    case SCHEMA_WORD:
        return put_word(self, row, *(const int32_t *)field);
    case SCHEMA_PATH:
    case SCHEMA_PATTERN:
        return put_text(self, *(char *const *)field);
    case SCHEMA_LISTEN:
        if (!put_text(self, *(char *const *)field))
            print_put(self, "off");
        return true;
    case SCHEMA_CHOICE:
        return put_text(self, field);
    case SCHEMA_BIND:
    case SCHEMA_CONNECT:
    case SCHEMA_CONTROL:
    case SCHEMA_HOSTS:
        put_endpoints(self, field);
        return true;
    case SCHEMA_OWN:
        put_own(self, field);
        return true;
    case SCHEMA_PARAMETERS:
        put_parameters(self, *(char *const *)field);
        return true;
    case SCHEMA_ALARMS:
        return put_alarms(self, field);
    case SCHEMA_RATE:
        if (put_number(self, row, *number) && *number > 0)
            print_put(self, "/s");
        return true;
    case SCHEMA_RANGE:
        if (!(number[0] < number[1]))
            return false;
        print_put(self, "[");
        print_number(self, number[0]);
        print_put(self, ", ");
        print_number(self, number[1]);
        print_put(self, "]");
        return true;
    case SCHEMA_MAP:
    case SCHEMA_BLOCKS:
    case SCHEMA_KPIS:
    case SCHEMA_KPI:
    case SCHEMA_PROJECTS:
    case SCHEMA_PROJECT:
    case SCHEMA_STRATEGIES:
    case SCHEMA_STRATEGY:
    case SCHEMA_DRIFT:
    case SCHEMA_TYPES:
        break;
    }
    return false;
}

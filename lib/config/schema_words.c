/* How rows are found, and how they are put in words. */
#include "lib/config/schema.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/config/endpoint.h"
#include "lib/config/nearest.h"
#include "lib/config/scalar.h"
#include "lib/monitor/rule.h"

const char *schema_key(const struct schema_row *row)
{
    const char *dot = strrchr(row->path, '.');
    return dot ? dot + 1 : row->path;
}

bool schema_is_in(const struct schema_row *row, const char *section)
{
    size_t length = strlen(section);
    const char *key = schema_key(row);
    if (length == 0)
        return key == row->path;
    return key == row->path + length + 1 && memcmp(row->path, section, length) == 0;
}

const struct schema_row *schema_find(const char *section, struct text key)
{
    for (uint32_t i = 0; i < schema_row_count; i++)
        if (schema_is_in(&schema_rows[i], section) && text_is(key, schema_key(&schema_rows[i])))
            return &schema_rows[i];
    return NULL;
}

const struct schema_row *schema_row_of(const char *path)
{
    for (uint32_t i = 0; i < schema_row_count; i++)
        if (strcmp(schema_rows[i].path, path) == 0)
            return &schema_rows[i];
    return NULL;
}

const struct schema_row *schema_nearest(const char *section, struct text key)
{
    const struct schema_row *nearest = NULL;
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        if (!schema_is_in(row, section))
            continue;
        struct text known = text_of(schema_key(row));
        uint32_t distance = nearest_distance(key, known);
        size_t longer = key.len > known.len ? key.len : known.len;
        /* With more than a third of it changed there is no likeness. */
        if (distance < least && distance <= (longer + 1) / 3) {
            least = distance;
            nearest = row;
        }
    }
    return nearest;
}

struct writer {
    char *at;
    size_t room;
};

static void say(struct writer *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct writer *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(self->at, self->room, format, arguments);
    va_end(arguments);
    size_t written = wanted < 0 ? 0 : (size_t)wanted < self->room ? (size_t)wanted : self->room - 1;
    self->at += written;
    self->room -= written;
}

static void say_keys(struct writer *self, const char *section)
{
    const char *between = "";
    for (uint32_t i = 0; i < schema_row_count; i++) {
        if (!schema_is_in(&schema_rows[i], section))
            continue;
        say(self, "%s%s", between, schema_key(&schema_rows[i]));
        between = ", ";
    }
}

const char *schema_keys(const char *section, char out[SCHEMA_ALLOWED_MAX])
{
    struct writer writer = {.at = out, .room = SCHEMA_ALLOWED_MAX};
    *out = '\0';
    say_keys(&writer, section);
    return out;
}

/* "a, b or c"; with `more`, "a, b, c or " is left open for what follows. */
static void say_words(struct writer *self, const struct schema_word *words, bool more)
{
    uint32_t count = 0, said = 0;
    for (const struct schema_word *word = words; word->word; word++)
        count++;
    for (const struct schema_word *word = words; word->word; word++) {
        bool last = ++said == count;
        say(self, "%s%s", word->word, last ? (more ? " or " : "") : said + 1 == count && !more ? " or " : ", ");
    }
}

static void say_amount(struct writer *self, const struct schema_row *row, const char *kind)
{
    if (row->words)
        say_words(self, row->words, true);
    say(self, "%s", kind);
    if (row->least && row->most)
        say(self, ", %s to %s", row->least, row->most);
    else if (row->least)
        say(self, ", %s or more", row->least);
}

const char *schema_allowed(const struct schema_row *row, char out[SCHEMA_ALLOWED_MAX])
{
    struct writer writer = {.at = out, .room = SCHEMA_ALLOWED_MAX}, *w = &writer;
    *out = '\0';
    switch (row->type) {
    case SCHEMA_MAP:
    case SCHEMA_PROJECT:
    case SCHEMA_STRATEGY:
    case SCHEMA_KPI:
        say(w, "%sa map of ", row->type == SCHEMA_KPI ? "off or " : "");
        say_keys(w, row->path);
        break;
    case SCHEMA_COUNT:
    case SCHEMA_COUNT64:
        say_amount(w, row, "a whole number");
        break;
    case SCHEMA_NUMBER:
    case SCHEMA_LIMIT:
        say_amount(w, row, "a number");
        break;
    case SCHEMA_DURATION:
        say_amount(w, row, "a duration");
        say(w, ", with a unit: " SCALAR_DURATION_UNITS);
        break;
    case SCHEMA_SIZE:
        say_amount(w, row, "a size");
        say(w, ", with a unit: " SCALAR_SIZE_UNITS);
        break;
    case SCHEMA_WORD:
        say_words(w, row->words, false);
        break;
    case SCHEMA_CHOICE:
        say_words(w, row->words, true);
        say(w, "the name of a strategy");
        break;
    case SCHEMA_PATH:
        say(w, "the path of a folder");
        break;
    case SCHEMA_BIND:
    case SCHEMA_CONNECT:
        say(w, "a list of endpoints: " ENDPOINT_FORMS);
        break;
    case SCHEMA_CONTROL:
        say(w, "a list of endpoints: ipc://path, inproc://name or tcp://127.0.0.1:port");
        break;
    case SCHEMA_LISTEN:
        say_words(w, row->words, true);
        say(w, LISTEN_FORMS);
        break;
    case SCHEMA_HOSTS:
        say(w, "a list of host names or addresses, without a port");
        break;
    case SCHEMA_PATTERN:
        say(w, "project, project/name or project/name/version, with * and ? within a segment");
        break;
    case SCHEMA_PARAMETERS:
        say(w, "a map, which trainers get as it stands");
        break;
    case SCHEMA_BLOCKS:
        say(w, "a list of blocks, each of them a map with the key models");
        break;
    case SCHEMA_KPIS:
        say(w, "a map from metrics to their budgets, as in accuracy: {min: 0.9}");
        break;
    case SCHEMA_PROJECTS:
        say(w, "a map from projects to their limits");
        break;
    case SCHEMA_OWN:
        say(w, "a map from projects to their own endpoints, as in shop: {jobs: tcp://127.0.0.1:5581}");
        break;
    case SCHEMA_STRATEGIES:
        say(w, "a map from names to strategies, as in grid_search: {gpu_hours: 8}");
        break;
    case SCHEMA_ALARMS:
        say(w, "1 per 30d, or 1 per 100000 events");
        break;
    case SCHEMA_RATE:
        if (row->words)
            say_words(w, row->words, true);
        say(w, "values in a time, as in 2/s, 90/m, 5/h or 1/d");
        break;
    case SCHEMA_RANGE:
        say(w, "the least and the largest value there can be, as in [0, 100]");
        break;
    case SCHEMA_DRIFT:
        say(w, "a list of rules, as in - {metric: accuracy, detector: cusum}");
        break;
    case SCHEMA_TYPES:
        break;
    }
    return out;
}

const char *schema_type_name(enum schema_type type)
{
    static const char *const names[SCHEMA_TYPES] = {
        [SCHEMA_MAP] = "map",
        [SCHEMA_COUNT] = "whole number",
        [SCHEMA_COUNT64] = "whole number",
        [SCHEMA_NUMBER] = "number",
        [SCHEMA_LIMIT] = "number",
        [SCHEMA_DURATION] = "duration",
        [SCHEMA_SIZE] = "size",
        [SCHEMA_WORD] = "word",
        [SCHEMA_PATH] = "path",
        [SCHEMA_BIND] = "endpoints",
        [SCHEMA_CONNECT] = "endpoints",
        [SCHEMA_CONTROL] = "endpoints",
        [SCHEMA_LISTEN] = "address",
        [SCHEMA_HOSTS] = "hosts",
        [SCHEMA_CHOICE] = "word",
        [SCHEMA_PATTERN] = "pattern",
        [SCHEMA_PARAMETERS] = "map",
        [SCHEMA_BLOCKS] = "list",
        [SCHEMA_KPIS] = "map",
        [SCHEMA_KPI] = "map",
        [SCHEMA_PROJECTS] = "map",
        [SCHEMA_PROJECT] = "map",
        [SCHEMA_OWN] = "map",
        [SCHEMA_STRATEGIES] = "map",
        [SCHEMA_STRATEGY] = "map",
        [SCHEMA_ALARMS] = "rate of false alarms",
        [SCHEMA_RATE] = "rate",
        [SCHEMA_RANGE] = "range",
        [SCHEMA_DRIFT] = "list",
    };
    return names[type];
}

size_t schema_width(enum schema_type type)
{
    switch (type) {
    case SCHEMA_COUNT:
    case SCHEMA_WORD:
        return sizeof(uint32_t);
    case SCHEMA_COUNT64:
    case SCHEMA_SIZE:
        return sizeof(uint64_t);
    case SCHEMA_DURATION:
        return sizeof(int64_t);
    case SCHEMA_NUMBER:
    case SCHEMA_LIMIT:
    case SCHEMA_RATE:
        return sizeof(double);
    case SCHEMA_ALARMS:
        return sizeof(struct alarm_budget);
    case SCHEMA_RANGE:
        return 2 * sizeof(double);
    case SCHEMA_PATH:
    case SCHEMA_LISTEN:
    case SCHEMA_PARAMETERS:
        return sizeof(char *);
    case SCHEMA_MAP:
    case SCHEMA_BIND:
    case SCHEMA_CONNECT:
    case SCHEMA_CONTROL:
    case SCHEMA_HOSTS:
    case SCHEMA_CHOICE:
    case SCHEMA_PATTERN:
    case SCHEMA_BLOCKS:
    case SCHEMA_KPIS:
    case SCHEMA_KPI:
    case SCHEMA_PROJECTS:
    case SCHEMA_PROJECT:
    case SCHEMA_OWN:
    case SCHEMA_STRATEGIES:
    case SCHEMA_STRATEGY:
    case SCHEMA_DRIFT:
    case SCHEMA_TYPES:
        break;
    }
    return 0;
}

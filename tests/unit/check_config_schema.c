/* conf/driftd.schema.json is what the schema table says: every key, its type, range, words and default.
 *
 * DRIFT_WRITE=1 writes the file anew after a row of the table has changed. */
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/config/schema.h"
#include "lib/config/scalar.h"
#include "lib/detect/detect.h"
#include "tests/run_suite.h"

#define FILE_NAME "conf/driftd.schema.json"

static json_t *text_schema(const char *pattern)
{
    return json_pack("{s:s, s:s}", "type", "string", "pattern", pattern);
}

static json_t *words_schema(const struct schema_row *row)
{
    json_t *words = json_array();
    for (const struct schema_word *word = row->words; word && word->word; word++)
        json_array_append_new(words, json_string(word->word));
    return json_pack("{s:o}", "enum", words);
}

/* A number between two texts of the table. */
static json_t *number_schema(const struct schema_row *row, const char *type)
{
    json_t *schema = json_pack("{s:[s, s], s:s}", "type", type, "string", "pattern", "\\$\\{"); /* or a variable */
    double least, most;
    uint64_t whole;
    bool negative;
    if (row->least && scalar_number(text_of(row->least), &least) == 0)
        json_object_set_new(schema, "minimum", least == (double)(json_int_t)least ? json_integer((json_int_t)least) : json_real(least));
    if (row->most && scalar_whole(text_of(row->most), &whole, &negative) == 0 && whole > INT64_MAX)
        return schema; /* more than JSON's readers agree on */
    if (row->most && scalar_number(text_of(row->most), &most) == 0)
        json_object_set_new(schema, "maximum", most == (double)(json_int_t)most ? json_integer((json_int_t)most) : json_real(most));
    return schema;
}

static json_t *either(json_t *first, json_t *second)
{
    return json_pack("{s:[o, o]}", "anyOf", first, second);
}

static json_t *or_word(const struct schema_row *row, json_t *schema)
{
    return row->words ? either(words_schema(row), schema) : schema;
}

static json_t *section(const char *path);

/* The section that the one name of a map's own leads to. */
static json_t *named(const struct schema_row *row)
{
    for (uint32_t i = 0; i < schema_row_count; i++)
        if (schema_is_in(&schema_rows[i], row->path) && *schema_key(&schema_rows[i]) == '<')
            return json_pack("{s:[s, s], s:o}", "type", "object", "null", "additionalProperties", section(schema_rows[i].path));
    ck_abort_msg("%s names nothing", row->path);
}

static json_t *drift_schema(void)
{
    json_t *names = json_array();
    for (uint32_t i = 0; detect_name(i); i++)
        json_array_append_new(names, json_string(detect_name(i)));
    return json_pack("{s:[s, s], s:i, s:{s:s, s:[s, s], s:{s:o, s:{s:o}}}}", "type", "array", "null", "maxItems", 64, "items", "type",
                     "object", "required", "metric", "detector", "properties", "metric",
                     text_schema("^[a-z][a-z0-9_.]{0,63}$"), "detector", "enum", names);
}

#define VARIABLE "|.*\\$\\{.*"

static json_t *type_schema(const struct schema_row *row)
{
    switch (row->type) {
    case SCHEMA_MAP:
        return section(row->path);
    case SCHEMA_COUNT:
    case SCHEMA_COUNT64:
        return or_word(row, number_schema(row, "integer"));
    case SCHEMA_NUMBER:
    case SCHEMA_LIMIT:
        return or_word(row, number_schema(row, "number"));
    case SCHEMA_DURATION:
        return text_schema("^([0-9][0-9.eE+-]*(d|h|m|s|ms|us)" VARIABLE ")$");
    case SCHEMA_SIZE:
        return text_schema("^([0-9][0-9.eE+-]*(B|KiB|MiB|GiB)" VARIABLE ")$");
    case SCHEMA_WORD:
        return words_schema(row);
    case SCHEMA_CHOICE:
    case SCHEMA_PATH:
    case SCHEMA_PATTERN:
        return json_pack("{s:s, s:i}", "type", "string", "minLength", 1);
    case SCHEMA_PARAMETERS:
        return json_pack("{s:[s, s]}", "type", "object", "null");
    case SCHEMA_BLOCKS: {
        json_t *block = section("budgets[]");
        json_object_set_new(block, "required", json_pack("[s]", "models"));
        return json_pack("{s:[s, s], s:i, s:o}", "type", "array", "null", "maxItems", 10000, "items", block);
    }
    case SCHEMA_KPI:
        return either(section(row->path), json_pack("{s:[s, b]}", "enum", "off", 0));
    case SCHEMA_KPIS: {
        json_t *kpi = either(section("budgets[].kpis.<metric>"), json_pack("{s:[s, b]}", "enum", "off", 0));
        return json_pack("{s:[s, s], s:i, s:b, s:{s:o}}", "type", "object", "null", "maxProperties", 64, "additionalProperties", 0,
                         "patternProperties", "^[a-z][a-z0-9_.]{0,63}$", kpi);
    }
    case SCHEMA_PROJECTS:
    case SCHEMA_OWN:
    case SCHEMA_STRATEGIES:
        return named(row);
    case SCHEMA_PROJECT:
    case SCHEMA_STRATEGY:
        return section(row->path);
    case SCHEMA_ALARMS:
        return text_schema("^([0-9][0-9.eE+-]* +per +[0-9][0-9.eE+-]*(d|h|m|s|ms|us| +events)" VARIABLE ")$");
    case SCHEMA_RATE:
        return or_word(row, text_schema("^([0-9][0-9.eE+-]*/[smhd]" VARIABLE ")$"));
    case SCHEMA_RANGE:
        return json_pack("{s:s, s:{s:s}, s:i, s:i}", "type", "array", "items", "type", "number", "minItems", 2, "maxItems", 2);
    case SCHEMA_DRIFT:
        return drift_schema();
    case SCHEMA_BIND:
    case SCHEMA_CONNECT:
    case SCHEMA_CONTROL: {
        const char *endpoint = "^((tcp|ipc|inproc)://.+" VARIABLE ")$";
        json_t *list = json_pack("{s:s, s:i, s:o}", "type", "array", "maxItems", 32, "items", text_schema(endpoint));
        return either(text_schema(endpoint), list);
    }
    case SCHEMA_TYPES:
        break;
    default: /* what others have added: its words say enough */
        break;
    }
    return json_object();
}

/* What an editor shows of a key: what may stand there, and what stands there when nothing does. */
static json_t *key_schema(const struct schema_row *row)
{
    char allowed[SCHEMA_ALLOWED_MAX];
    json_t *schema = type_schema(row);
    if (*schema_allowed(row, allowed))
        json_object_set_new(schema, "description", json_string(allowed));
    if (row->standard)
        json_object_set_new(schema, "x-default", json_string(row->standard));
    return schema;
}

static json_t *section(const char *path)
{
    json_t *keys = json_object();
    for (uint32_t i = 0; i < schema_row_count; i++)
        if (schema_is_in(&schema_rows[i], path) && *schema_key(&schema_rows[i]) != '<')
            json_object_set_new(keys, schema_key(&schema_rows[i]), key_schema(&schema_rows[i]));
    return json_pack("{s:[s, s], s:b, s:o}", "type", "object", "null", "additionalProperties", 0, "properties", keys);
}

static json_t *whole(void)
{
    json_t *schema = section("");
    json_t *head = json_pack("{s:s, s:s, s:s}", "$schema", "https://json-schema.org/draft/2020-12/schema", "title", "driftd.yaml",
                             "$comment",
                             "Made from the table in lib/config/schema.c, for editors that check while one types. driftd --check "
                             "knows more: ranges of durations and sizes, patterns, and what keys say together.");
    json_object_update(head, schema);
    json_decref(schema);
    return head;
}

START_TEST(the_file_is_what_the_table_says)
{
    json_error_t error;
    json_t *made = whole();
    ck_assert_ptr_nonnull(made);
    if (getenv("DRIFT_WRITE"))
        ck_assert_int_eq(json_dump_file(made, FILE_NAME, JSON_INDENT(2)), 0);
    json_t *kept = json_load_file(FILE_NAME, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(kept != NULL, FILE_NAME ": %s", error.text);
    ck_assert_msg(json_equal(made, kept), FILE_NAME " is not what the table says; write it anew with DRIFT_WRITE=1");
    json_decref(kept);
    json_decref(made);
}
END_TEST

/* And of each row, without the code that made the file: the key is there, and where its range is numbers, they are. */
START_TEST(every_key_of_the_table_is_in_the_file)
{
    json_t *file = json_load_file(FILE_NAME, 0, NULL);
    for (uint32_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        char path[256];
        snprintf(path, sizeof path, "%s", row->path);
        json_t *at = file;
        char *rest = path;
        for (char *key; at && (key = strsep(&rest, ".")) != NULL;) {
            json_t *options = json_object_get(at, "anyOf");
            if (options && !json_object_get(at, "properties"))
                at = json_array_get(options, 0);
            char *list = strstr(key, "[]");
            if (list)
                *list = '\0';
            if (*key == '<')
                at = json_object_get(at, "patternProperties") ? json_object_get(json_object_get(at, "patternProperties"), "^[a-z][a-z0-9_.]{0,63}$")
                                                              : json_object_get(at, "additionalProperties");
            else
                at = json_object_get(json_object_get(at, "properties"), key);
            if (list)
                at = json_object_get(at, "items");
        }
        ck_assert_msg(at, "%s is not in " FILE_NAME, row->path);
        if (row->type != SCHEMA_COUNT)
            continue;
        json_t *options = json_object_get(at, "anyOf"), *number = options ? json_array_get(options, 1) : at;
        ck_assert_msg(json_integer_value(json_object_get(number, "minimum")) == strtoll(row->least, NULL, 10) &&
                          json_integer_value(json_object_get(number, "maximum")) == strtoll(row->most, NULL, 10),
                      "%s: its range is another", row->path);
    }
    json_decref(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config schema");
    TCase *tcase = tcase_create("file");
    tcase_add_test(tcase, the_file_is_what_the_table_says);
    tcase_add_test(tcase, every_key_of_the_table_is_in_the_file);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

/* The documentation and the sample say what the schema says. Run from the root of the sources. */
#include "tests/unit/check_config.h"

#include "lib/config/schema.h"

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s cannot be opened: run from the root of the sources", path);
    char *text = calloc(1, 1 << 20);
    size_t length = fread(text, 1, (1 << 20) - 1, file);
    ck_assert_uint_gt(length, 0);
    fclose(file);
    return text;
}

/* The first four cells of a row as the documentation must have them. */
static void cells_of(const struct schema_row *row, char *out, size_t room)
{
    char allowed[256] = "", standard[128] = "-";
    for (const struct schema_word *word = row->words; word && word->word; word++)
        sprintf(allowed + strlen(allowed), "%s%s", *allowed ? ", " : "", word->word);
    if (row->least)
        sprintf(allowed + strlen(allowed), "%s%s to %s", *allowed ? ", " : "", row->least, row->most);
    if (row->standard)
        snprintf(standard, sizeof(standard), "`%s`", row->standard);
    snprintf(out, room, "\n| `%s` | %s | %s | %s | ", row->path, schema_type_name(row->type), standard,
             *allowed ? allowed : "-");
}

START_TEST(every_key_is_documented)
{
    char *docs = read_whole("docs/configuration.md"), cells[1024];
    for (uint32_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        cells_of(row, cells, sizeof(cells));
        ck_assert_msg(strstr(docs, cells) != NULL, "docs/configuration.md lacks this line:%s", cells);
    }
    free(docs);
}
END_TEST

START_TEST(no_other_key_is_documented)
{
    char *docs = read_whole("docs/configuration.md"), *table = strstr(docs, "\n## All keys");
    uint32_t rows = 0;
    ck_assert_ptr_nonnull(table);
    for (char *line = strstr(table, "\n| `"); line; line = strstr(line + 1, "\n| `")) {
        char path[128] = "";
        ck_assert_int_eq(sscanf(line, "\n| `%127[^`]`", path), 1);
        ck_assert_msg(schema_row_of(path) != NULL, "%s is no key", path);
        rows++;
    }
    ck_assert_uint_eq(rows, schema_row_count);
    free(docs);
}
END_TEST

START_TEST(the_messages_of_the_documentation_are_real)
{
    char *docs = read_whole("docs/configuration.md");
    struct config *config = NULL;
    struct told told;
    ck_assert_int_eq(parse_with(&config,
                                "metrics:\n  quue: 1000\njobs: {lease: 30}\nlog:\n\tlevel: info\nbudgets:\n"
                                "  - models: \"*\"\n    window: 0\n    kpis:\n      accuracy: {min: 0.9x}\n",
                                NULL, &told),
                     -22);
    ck_assert_int_eq(told.count, 5);
    for (int i = 0; i < told.count; i++)
        ck_assert_msg(strstr(docs, told.lines[i]) != NULL, "%s", told.lines[i]);
    told_free(&told);
    free(docs);
}
END_TEST

/* Parses the YAML of the documentation and of the sample with what stands in comments as well. */
START_TEST(the_example_of_the_documentation_works)
{
    char *docs = read_whole("docs/configuration.md"), *yaml = strstr(docs, "```yaml\n");
    ck_assert_ptr_nonnull(yaml);
    yaml += 8;
    *strstr(yaml, "```") = '\0';
    struct config *config = parse_good(yaml);
    ck_assert(config->has_budgets);
    config_destroy(&config);
    free(docs);
}
END_TEST

static void expect_same_endpoints(const struct config_endpoints *a, const struct config_endpoints *b)
{
    ck_assert_uint_eq(a->count, b->count);
    for (uint32_t i = 0; i < a->count; i++)
        ck_assert_str_eq(a->at[i], b->at[i]);
}

static void expect_same_but_budgets(const struct config *a, const struct config *b)
{
    expect_same_endpoints(&a->metrics.bind, &b->metrics.bind);
    expect_same_endpoints(&a->metrics.connect, &b->metrics.connect);
    ck_assert_uint_eq(a->metrics.queue, b->metrics.queue);
    ck_assert_uint_eq(a->metrics.max_message_bytes, b->metrics.max_message_bytes);
    ck_assert_uint_eq(a->metrics.max_models, b->metrics.max_models);
    ck_assert_int_eq(a->metrics.max_future_ns, b->metrics.max_future_ns);
    expect_same_endpoints(&a->jobs.bind, &b->jobs.bind);
    ck_assert_int_eq(a->jobs.feedback, b->jobs.feedback);
    ck_assert_int_eq(a->jobs.accept_within_ns, b->jobs.accept_within_ns);
    ck_assert_int_eq(a->jobs.lease_ns, b->jobs.lease_ns);
    ck_assert_int_eq(a->jobs.max_run_ns, b->jobs.max_run_ns);
    ck_assert_uint_eq(a->jobs.attempts, b->jobs.attempts);
    ck_assert_int_eq(a->jobs.retry_first_ns, b->jobs.retry_first_ns);
    ck_assert_int_eq(a->jobs.retry_max_ns, b->jobs.retry_max_ns);
    expect_same_endpoints(&a->feedback, &b->feedback);
    expect_same_endpoints(&a->events, &b->events);
    expect_same_endpoints(&a->control, &b->control);
    ck_assert_int_eq(a->workers, b->workers);
    ck_assert_str_eq(a->state.dir, b->state.dir);
    ck_assert_int_eq(a->log.level, b->log.level);
    ck_assert_int_eq(a->log.format, b->log.format);
    ck_assert_uint_eq(a->retraining.seed, b->retraining.seed);
    ck_assert_mem_eq(&a->retraining.limits, &b->retraining.limits, sizeof(a->retraining.limits));
    ck_assert_uint_eq(a->retraining.project_count, b->retraining.project_count);
    ck_assert_uint_eq(a->retraining.give_up_after, b->retraining.give_up_after);
    ck_assert_str_eq(a->retraining.choose, b->retraining.choose);
    ck_assert_uint_eq(a->retraining.strategy_count, b->retraining.strategy_count);
    for (uint32_t i = 0; i < a->retraining.strategy_count; i++) {
        ck_assert_str_eq(a->retraining.strategies[i].name, b->retraining.strategies[i].name);
        ck_assert_double_eq(a->retraining.strategies[i].gpu_hours, b->retraining.strategies[i].gpu_hours);
        ck_assert_str_eq(a->retraining.strategies[i].parameters_json, b->retraining.strategies[i].parameters_json);
    }
}

START_TEST(the_sample_shows_the_defaults)
{
    char *sample = read_whole("conf/driftd.yaml");
    struct config *config = parse_good(sample), *defaults = parse_good("");
    struct model_id model;
    const struct monitor_settings *settings = NULL, *standard = config_settings_default();
    expect_same_but_budgets(config, defaults);
    ck_assert(config->has_budgets);
    ck_assert_int_eq(model_id_parse(&model, text_of("any/model/v1")), 0);
    ck_assert_int_eq(config_settings_for(config, &model, &settings), 0);
    ck_assert_uint_eq(settings->kpi_count, 3);
    ck_assert_uint_eq(settings->window, standard->window);
    ck_assert_uint_eq(settings->min_events, standard->min_events);
    ck_assert_uint_eq(settings->consecutive_failures, standard->consecutive_failures);
    ck_assert_uint_eq(settings->recover_after, standard->recover_after);
    ck_assert_int_eq(settings->backoff_ns, standard->backoff_ns);
    ck_assert_int_eq(settings->stale_after_ns, standard->stale_after_ns);
    ck_assert_mem_eq(&settings->alarms, &standard->alarms, sizeof(settings->alarms));
    ck_assert_double_eq(settings->event_rate, standard->event_rate);
    config_destroy(&config);
    config_destroy(&defaults);
    free(sample);
}
END_TEST

START_TEST(what_the_sample_has_in_comments_works)
{
    char *sample = read_whole("conf/driftd.yaml");
    int lines = 0;
    /* In comments, keys stand right behind the '#' or are indented; sentences stand behind one blank. */
    for (char *at = sample; (at = strchr(at, '#')) != NULL; at++) {
        bool begins_line = at == sample || at[-1] == '\n' || (at[-1] == ' ' && at[-2] == ' ' && at[-3] == '\n');
        bool key = at[1] != '\n' && (at[1] != ' ' || at[2] == ' ');
        if (begins_line && key) {
            memmove(at, at + 1, strlen(at));
            lines++;
        }
    }
    ck_assert_int_eq(lines, 14);
    struct config *config = parse_good(sample);
    struct model_id model;
    const struct monitor_settings *settings = NULL;
    ck_assert_int_eq(model_id_parse(&model, text_of("visutility/object-detector/v1")), 0);
    ck_assert_int_eq(config_settings_for(config, &model, &settings), 0);
    ck_assert_uint_eq(settings->kpi_count, 2);
    ck_assert_uint_eq(settings->window, 128);
    ck_assert_uint_eq(settings->rule_count, 2);
    config_destroy(&config);
    free(sample);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("docs");
    tcase_add_test(cases, every_key_is_documented);
    tcase_add_test(cases, no_other_key_is_documented);
    tcase_add_test(cases, the_messages_of_the_documentation_are_real);
    tcase_add_test(cases, the_example_of_the_documentation_works);
    tcase_add_test(cases, the_sample_shows_the_defaults);
    tcase_add_test(cases, what_the_sample_has_in_comments_works);
    return run_tests(cases, "config docs");
}

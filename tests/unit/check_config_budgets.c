/* What blocks of budgets come to for a model. */
#include "tests/unit/check_config.h"

#include <math.h>

#define MINUTE_NS INT64_C(60000000000)

static const struct monitor_settings *settings_of(struct config *config, const char *id)
{
    struct model_id model;
    const struct monitor_settings *settings = (const void *)config;
    ck_assert_int_eq(model_id_parse(&model, text_of(id)), 0);
    ck_assert_int_eq(config_settings_for(config, &model, &settings), 0);
    ck_assert_ptr_ne(settings, config);
    return settings;
}

/* "metric min..max over;" for each KPI. */
static const char *kpis_of(const struct monitor_settings *settings)
{
    static char text[8192];
    *text = '\0';
    for (uint32_t i = 0; i < settings->kpi_count; i++) {
        const struct kpi_budget *kpi = &settings->kpis[i];
        size_t length = strlen(text);
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s ", kpi->metric);
        if (!isnan(kpi->min))
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%g", kpi->min);
        length += (size_t)snprintf(text + length, sizeof(text) - length, "..");
        if (!isnan(kpi->max))
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%g", kpi->max);
        snprintf(text + length, sizeof(text) - length, " %s;", window_stat_name(kpi->over));
    }
    return text;
}

static void expect_kpis(struct config *config, const char *id, const char *kpis)
{
    ck_assert_str_eq(kpis_of(settings_of(config, id)), kpis);
}

static const char example[] = "budgets:\n"
                              "  - models: \"*\"\n"
                              "    window: 64\n"
                              "    min_events: 16\n"
                              "    kpis:\n"
                              "      accuracy:      {min: 0.90, over: mean}\n"
                              "      latency_ms:    {max: 250, over: p95}\n"
                              "      processed_fps: {min: 24, over: mean}\n"
                              "  - models: visutility/object-detector\n"
                              "    window: 128\n"
                              "    backoff: 1s\n"
                              "    kpis:\n"
                              "      accuracy:   {min: 0.80}\n"
                              "      latency_ms: {max: 400, over: last}\n"
                              "      processed_fps: off\n"
                              "  - models: visutility/*/v2*\n"
                              "    consecutive_failures: 1\n"
                              "    kpis: {accuracy: {max: 0.99}, recall: {min: 0.5}}\n";

START_TEST(blocks_merge_key_by_key)
{
    struct config *config = parse_good(example);
    ck_assert(config->has_budgets);
    const struct monitor_settings *s = settings_of(config, "other/model/v1");
    ck_assert_uint_eq(s->window, 64);
    ck_assert_uint_eq(s->min_events, 16);
    ck_assert_uint_eq(s->consecutive_failures, 3);
    ck_assert_uint_eq(s->recover_after, 32);
    ck_assert_int_eq(s->backoff_ns, 30 * MINUTE_NS);
    ck_assert_int_eq(s->stale_after_ns, 10 * MINUTE_NS);
    ck_assert_str_eq(kpis_of(s), "accuracy 0.9.. mean;latency_ms ..250 p95;processed_fps 24.. mean;");
    s = settings_of(config, "visutility/object-detector/v1");
    ck_assert_uint_eq(s->window, 128);
    ck_assert_uint_eq(s->min_events, 16);
    ck_assert_int_eq(s->backoff_ns, MINUTE_NS / 60);
    ck_assert_str_eq(kpis_of(s), "accuracy 0.8.. mean;latency_ms ..400 last;");
    s = settings_of(config, "visutility/object-detector/v2.1");
    ck_assert_uint_eq(s->window, 128);
    ck_assert_uint_eq(s->consecutive_failures, 1);
    ck_assert_str_eq(kpis_of(s), "accuracy 0.8..0.99 mean;latency_ms ..400 last;recall 0.5.. mean;");
    expect_kpis(config, "visutility/other/v2",
                "accuracy 0.9..0.99 mean;latency_ms ..250 p95;processed_fps 24.. mean;recall 0.5.. mean;");
    config_destroy(&config);
}
END_TEST

START_TEST(models_that_match_alike_share)
{
    struct config *config = parse_good(example);
    const struct monitor_settings *s = settings_of(config, "other/model/v1");
    char id[64];
    for (int i = 0; i < 100000; i++) {
        snprintf(id, sizeof(id), "p%d/n%d/v%d", i % 313, i % 1009, i);
        ck_assert_ptr_eq(settings_of(config, id), s);
    }
    ck_assert_ptr_eq(settings_of(config, "visutility/object-detector/v3"),
                     settings_of(config, "visutility/object-detector/v1"));
    ck_assert_ptr_ne(settings_of(config, "visutility/object-detector/v2"),
                     settings_of(config, "visutility/object-detector/v1"));
    config_destroy(&config);
}
END_TEST

START_TEST(no_block_no_settings)
{
    struct config *config = parse_good("budgets: [{models: a/b, kpis: {accuracy: {min: 1}}}]");
    ck_assert(config->has_budgets);
    ck_assert_ptr_null(settings_of(config, "a/c/v1"));
    ck_assert_ptr_null(settings_of(config, "b/b/v1"));
    ck_assert_ptr_nonnull(settings_of(config, "a/b/v1"));
    config_destroy(&config);
    config = parse_good("budgets: [{models: \"*\", kpis: }]");
    ck_assert(config->has_budgets);
    expect_kpis(config, "a/b/c", "");
    config_destroy(&config);
    config = parse_good("");
    ck_assert(!config->has_budgets);
    ck_assert_ptr_null(settings_of(config, "a/c/v1"));
    config_destroy(&config);
}
END_TEST

START_TEST(off_removes)
{
    static const char *const words[] = {"off", "Off", "OFF", "no", "No", "NO", "false", "False", "FALSE", "\"off\""};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        char yaml[512];
        snprintf(yaml, sizeof(yaml),
                 "budgets:\n"
                 "  - {models: \"*\", kpis: {accuracy: {min: 0.9, over: p90}, recall: {min: 0.1}}}\n"
                 "  - {models: a, kpis: {accuracy: %s, precision: %s}}\n"
                 "  - {models: a/b, kpis: {accuracy: {max: 0.5}}}\n",
                 words[i], words[i]);
        struct config *config = parse_good(yaml);
        expect_kpis(config, "c/b/v1", "accuracy 0.9.. p90;recall 0.1.. mean;");
        expect_kpis(config, "a/x/v1", "recall 0.1.. mean;");
        /* What comes after is a new entry: nothing of the removed one is left. */
        expect_kpis(config, "a/b/v1", "recall 0.1.. mean;accuracy ..0.5 mean;");
        config_destroy(&config);
    }
}
END_TEST

START_TEST(a_kpi_without_a_limit_is_left_out)
{
    struct config *config = parse_good("budgets:\n"
                                       "  - {models: a, kpis: {accuracy: {min: 0.9}}}\n"
                                       "  - {models: \"*\", kpis: {accuracy: {over: p99}}}\n");
    expect_kpis(config, "a/x/v1", "accuracy 0.9.. p99;");
    expect_kpis(config, "b/x/v1", "");
    config_destroy(&config);
    expect_told("budgets:\n"
                "  - {models: a, kpis: {accuracy: off, recall: {min: 1}}}\n"
                "  - {models: a, kpis: {accuracy: {over: p99}, recall: {over: p90}, precision: {}}}\n",
                "3:24: budgets[].kpis.accuracy: neither min nor max is given, here or in a block above; allowed: at "
                "least one of them, or off\n"
                "3:68: budgets[].kpis.precision: neither min nor max is given, here or in a block above; allowed: at "
                "least one of them, or off");
}
END_TEST

START_TEST(limits_of_two_blocks)
{
    expect_told("budgets:\n"
                "  - {models: \"*\", kpis: {accuracy: {max: 0.8}}}\n"
                "  - {models: a/b, kpis: {accuracy: {min: 0.9}}}\n"
                "  - {models: a/b/c, kpis: {recall: {min: 0.9}}}\n",
                "3:42: budgets[].kpis.accuracy.min: 0.9 is above the max 0.8 of line 2, which holds for some of the "
                "same models; "
                "allowed: a min up to the max");
    expect_told(
        "budgets:\n"
        "  - {models: a/*, kpis: {latency_ms: {min: 5}}}\n"
        "  - {models: a/b?, kpis: {latency_ms: {max: 4}}}\n",
        "3:45: budgets[].kpis.latency_ms.max: 4 is below the min 5 of line 2, which holds for some of the same models; "
        "allowed: a max from the min on");
    /* Found where the two meet in a third. */
    expect_told("budgets:\n"
                "  - {models: \"*/b\", kpis: {accuracy: {max: 0.5}}}\n"
                "  - {models: a, kpis: {accuracy: {min: 0.6}}}\n"
                "  - {models: a/b/c, window: 3}\n",
                "3:40: budgets[].kpis.accuracy.min: 0.6 is above the max 0.5 of line 2, which holds for some of the "
                "same models; "
                "allowed: a min up to the max");
    expect_told("budgets:\n"
                "  - {models: \"?a*\", kpis: {latency_ms: {max: 4}}}\n"
                "  - {models: \"*a\", kpis: {latency_ms: {min: 5}}}\n",
                "3:45: budgets[].kpis.latency_ms.min: 5 is above the max 4 of line 2, which holds for some of the same "
                "models; allowed: a min up to the max");
    /* Blocks that hold for others, and a later block that sets it right. */
    struct config *config = parse_good("budgets:\n"
                                       "  - {models: a, kpis: {accuracy: {max: 0.8}}}\n"
                                       "  - {models: b, kpis: {accuracy: {min: 0.9}}}\n"
                                       "  - {models: c/?, kpis: {accuracy: {max: 0.5}}}\n"
                                       "  - {models: \"c/*\", kpis: {accuracy: {min: 0.6, max: 0.7}}}\n"
                                       "  - {models: d, kpis: {accuracy: {max: 0.5}}}\n"
                                       "  - {models: d, kpis: {accuracy: off}}\n"
                                       "  - {models: d, kpis: {accuracy: {min: 0.6}}}\n");
    expect_kpis(config, "c/x/1", "accuracy 0.6..0.7 mean;");
    config_destroy(&config);
}
END_TEST

START_TEST(defaults_agree)
{
    struct config *config = parse_good("budgets: [{models: \"*\"}]");
    const struct monitor_settings *a = settings_of(config, "a/b/c"), *b = config_settings_default();
    ck_assert_uint_eq(a->window, b->window);
    ck_assert_uint_eq(a->min_events, b->min_events);
    ck_assert_uint_eq(a->consecutive_failures, b->consecutive_failures);
    ck_assert_uint_eq(a->recover_after, b->recover_after);
    ck_assert_int_eq(a->backoff_ns, b->backoff_ns);
    ck_assert_int_eq(a->stale_after_ns, b->stale_after_ns);
    ck_assert_uint_eq(a->kpi_count, 0);
    ck_assert_uint_eq(b->kpi_count, 0);
    config_destroy(&config);
}
END_TEST

static void expect_place(const struct config *config, const struct monitor_settings *settings, const char *key,
                         uint32_t line, uint32_t column)
{
    struct config_place place;
    ck_assert_msg(config_settings_place(config, settings, key, &place) == (line > 0), "%s", key);
    ck_assert_uint_eq(place.line, line);
    ck_assert_uint_eq(place.column, column);
}

START_TEST(keys_know_where_they_were_set)
{
    struct config *config = parse_good(example);
    const struct monitor_settings *s = settings_of(config, "visutility/object-detector/v2");
    expect_place(config, s, "window", 10, 13);
    expect_place(config, s, "min_events", 4, 17);
    expect_place(config, s, "recover_after", 0, 0);
    expect_place(config, s, "kpis.accuracy.min", 13, 25);
    expect_place(config, s, "kpis.accuracy.max", 18, 28);
    expect_place(config, s, "kpis.accuracy.over", 6, 40);
    expect_place(config, s, "kpis.recall.over", 0, 0);
    expect_place(config, s, "kpis.processed_fps.min", 0, 0);
    config_destroy(&config);
}
END_TEST

/* The plain way, as an oracle: look at every block, in order. */
struct plain_block {
    char pattern[64];
    uint32_t window;
};

static uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

START_TEST(the_index_finds_what_a_search_finds)
{
    static const char *const segments[] = {"a", "b", "ab", "*", "a*", "*b", "?", "a?"};
    static const char *const names[] = {"a", "b", "ab", "abb", "c"};
    static struct plain_block blocks[1000];
    static char yaml[1000 * 80];
    uint32_t random = 7;
    strcpy(yaml, "budgets:\n");
    size_t length = strlen(yaml);
    for (uint32_t i = 0; i < 1000; i++) {
        char *pattern = blocks[i].pattern;
        uint32_t parts = 1 + random_next(&random) % 3;
        for (uint32_t p = 0; p < parts; p++)
            sprintf(pattern + strlen(pattern), "%s%s", p > 0 ? "/" : "", segments[random_next(&random) % 8]);
        if (random_next(&random) % 4 > 0)
            sprintf(pattern, "project%u", i); /* most are of models that do not turn up */
        blocks[i].window = i + 1;
        length += (size_t)sprintf(yaml + length, "- {models: \"%s\", window: %u}\n", pattern, i + 1);
    }
    struct config *config = parse_good(yaml);
    for (int i = 0; i < 125; i++) {
        char id[64];
        struct model_id model;
        uint32_t window = 0;
        snprintf(id, sizeof(id), "%s/%s/%s", names[i % 5], names[i / 5 % 5], names[i / 25]);
        ck_assert_int_eq(model_id_parse(&model, text_of(id)), 0);
        for (uint32_t b = 0; b < 1000; b++)
            if (model_pattern_matches(text_of(blocks[b].pattern), &model))
                window = blocks[b].window;
        const struct monitor_settings *settings = settings_of(config, id);
        ck_assert_uint_eq(settings ? settings->window : 0, window);
    }
    ck_assert_uint_eq(settings_of(config, "project999/x/y")->window > 0 || blocks[999].pattern[0] != 'p', 1);
    config_destroy(&config);
}
END_TEST

START_TEST(many_sets)
{
    /* 12 patterns that each look at one letter: 4096 sets, and the table has to grow. */
    char yaml[2048] = "budgets:\n", id[64];
    for (int i = 0; i < 12; i++)
        sprintf(yaml + strlen(yaml), "- {models: \"*/*/%.*sx*\", kpis: {m%d: {max: %d}}}\n", i, "????????????", i, i);
    struct config *config = parse_good(yaml);
    const struct monitor_settings *seen[4096];
    for (int round = 0; round < 2; round++)
        for (int set = 0; set < 4096; set++) {
            char version[13] = "";
            for (int i = 0; i < 12; i++)
                version[i] = set & 1 << i ? 'x' : 'y';
            snprintf(id, sizeof(id), "p/n/%s", version);
            const struct monitor_settings *settings = settings_of(config, id);
            if (round == 1)
                ck_assert_ptr_eq(settings, seen[set]);
            seen[set] = settings;
            ck_assert_uint_eq(settings ? settings->kpi_count : 0, (uint32_t)__builtin_popcount((unsigned)set));
        }
    config_destroy(&config);
}
END_TEST

START_TEST(bounds)
{
    char *yaml = malloc(400000);
    struct config *config = NULL;
    struct told told;
    strcpy(yaml, "budgets:\n");
    size_t length = strlen(yaml);
    for (int i = 0; i < 10001; i++)
        length += (size_t)sprintf(yaml + length, "- {models: m%d}\n", i);
    ck_assert_int_eq(parse_with(&config, yaml, NULL, &told), -22);
    ck_assert_int_eq(strncmp(told.lines[0], "driftd.yaml:2:1: budgets: more than 10000 blocks; ", 50), 0);
    told_free(&told);
    strcpy(yaml, "budgets: [{models: a, kpis: {");
    length = strlen(yaml);
    for (int i = 0; i < 65; i++)
        length += (size_t)sprintf(yaml + length, "m%d: off, ", i);
    strcpy(yaml + length, "}}]");
    ck_assert_int_eq(parse_with(&config, yaml, NULL, &told), -22);
    ck_assert_int_eq(strncmp(told.lines[0], "driftd.yaml:1:29: budgets[].kpis: more than the 64 metrics", 58), 0);
    told_free(&told);
    free(yaml);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("budgets");
    tcase_add_test(cases, blocks_merge_key_by_key);
    tcase_add_test(cases, models_that_match_alike_share);
    tcase_add_test(cases, no_block_no_settings);
    tcase_add_test(cases, off_removes);
    tcase_add_test(cases, a_kpi_without_a_limit_is_left_out);
    tcase_add_test(cases, limits_of_two_blocks);
    tcase_add_test(cases, defaults_agree);
    tcase_add_test(cases, keys_know_where_they_were_set);
    tcase_add_test(cases, the_index_finds_what_a_search_finds);
    tcase_add_test(cases, many_sets);
    tcase_add_test(cases, bounds);
    return run_tests(cases, "config budgets");
}

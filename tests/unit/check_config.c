/* What a configuration that is right comes to. */
#include "tests/unit/check_config.h"

#define SECOND_NS INT64_C(1000000000)

static void expect_defaults(const struct config *c)
{
    expect_one(&c->metrics.bind, "tcp://127.0.0.1:5570");
    ck_assert_uint_eq(c->metrics.connect.count, 0);
    ck_assert_uint_eq(c->metrics.queue, 1000);
    ck_assert_uint_eq(c->metrics.max_message_bytes, 1048576);
    ck_assert_uint_eq(c->metrics.max_models, 100000);
    ck_assert_int_eq(c->metrics.max_future_ns, 300 * SECOND_NS);
    expect_one(&c->jobs.bind, "tcp://127.0.0.1:5571");
    ck_assert_int_eq(c->jobs.feedback, CONFIG_FEEDBACK_REQUIRED);
    ck_assert_int_eq(c->jobs.accept_within_ns, 30 * SECOND_NS);
    ck_assert_int_eq(c->jobs.lease_ns, 300 * SECOND_NS);
    ck_assert_int_eq(c->jobs.max_run_ns, 12 * 3600 * SECOND_NS);
    ck_assert_uint_eq(c->jobs.attempts, 5);
    ck_assert_int_eq(c->jobs.retry_first_ns, 30 * SECOND_NS);
    ck_assert_int_eq(c->jobs.retry_max_ns, 3600 * SECOND_NS);
    expect_one(&c->feedback, "tcp://127.0.0.1:5572");
    expect_one(&c->events, "tcp://127.0.0.1:5573");
    expect_one(&c->control, "ipc:///run/driftd/control.sock");
    ck_assert_int_eq(c->workers, -1);
    ck_assert_str_eq(c->state.dir, "/var/lib/driftd");
    ck_assert_int_eq(c->log.level, CONFIG_LOG_INFO);
    ck_assert_int_eq(c->log.format, CONFIG_LOG_AUTO);
    ck_assert(!c->has_budgets);
    ck_assert_uint_eq(c->retraining.seed, 0);
    ck_assert_uint_eq(c->retraining.limits.concurrent, 4);
    ck_assert_uint_eq(c->retraining.limits.per_model_per_day, 2);
    ck_assert_uint_eq(c->retraining.limits.per_day, 20);
    ck_assert_double_eq(c->retraining.limits.gpu_hours_per_day, 64);
    ck_assert_uint_eq(c->retraining.project_count, 0);
    ck_assert_uint_eq(c->retraining.give_up_after, 3);
    ck_assert_str_eq(c->retraining.choose, "history");
    ck_assert_int_eq(c->security.curve, CONFIG_CURVE_OFF);
    ck_assert_int_eq(c->security.i_know, CONFIG_NO);
    ck_assert_str_eq(c->security.server_key, "/etc/driftd/curve.secret");
    ck_assert_str_eq(c->security.clients, "/etc/driftd/clients.yaml");
    ck_assert_uint_eq(c->retraining.strategy_count, 3);
    const struct strategy *s = c->retraining.strategies;
    ck_assert_str_eq(s[0].name, "grid_search");
    ck_assert_double_eq(s[0].gpu_hours, 8);
    ck_assert_str_eq(s[0].parameters_json, "{\"grid\":\"small\"}");
    ck_assert_str_eq(s[1].name, "bayesian");
    ck_assert_double_eq(s[1].gpu_hours, 3);
    ck_assert_str_eq(s[2].name, "pbt");
    ck_assert_double_eq(s[2].gpu_hours, 12);
}

START_TEST(nothing_is_a_configuration)
{
    static const char *const empty[] = {
        "",
        "\n\n",
        "# only a comment",
        "---\n...\n",
        "---\n",
        "\xef\xbb\xbf",
        "\xef\xbb\xbf# marked\r\n",
        "{}",
        "~",
        "metrics:\n",
        "metrics: {}\njobs:\n  # nothing\nbudgets:\nretraining: {limits: {projects: }, strategies: {}}",
        "budgets: []",
        "budgets:\n  # - models: a\n",
    };
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        struct config *config = parse_good(empty[i]);
        expect_defaults(config);
        config_destroy(&config);
        ck_assert_ptr_null(config);
        config_destroy(&config);
    }
}
END_TEST

START_TEST(every_key_lands)
{
    struct config *c = parse_good("security: {curve: on, server_key: /k, clients: /c, i_know: true, overlap: {server_key: /n, "
                                  "jobs: 'tcp://*:3'}}\n"
                                  "projects: {b: {events: 'tcp://*:7'}, a.b: {jobs: ['tcp://*:5', 'ipc://@x']}, c: {}}\n"
                                  "metrics:\n"
                                  "  bind: [tcp://*:1, \"ipc:///tmp/metrics\"]\n"
                                  "  connect:\n"
                                  "  - tcp://edge.example.org:5570\n"
                                  "  - tcp://[fe80::1%eth0]:65535\n"
                                  "  queue: 7\n"
                                  "  max_message: 64KiB\n"
                                  "  max_models: 12\n"
                                  "  max_future: 0s\n"
                                  "jobs:\n"
                                  "  bind: tcp://127.0.0.1:*\n"
                                  "  feedback: none\n"
                                  "  accept_within: 250ms\n"
                                  "  lease: 1.5h\n"
                                  "  max_run: 2d\n"
                                  "  attempts: 9\n"
                                  "  retry: {first: 1us, max: 10s}\n"
                                  "feedback: {bind: 'tcp://127.0.0.1:2'}\n"
                                  "events: {bind: []}\n"
                                  "control: {bind: ipc://@driftd}\n"
                                  "workers: 0\n"
                                  "state: {dir: /srv/drift state}\n"
                                  "log: {level: error, format: json}\n"
                                  "retraining:\n"
                                  "  seed: 18446744073709551615\n"
                                  "  limits:\n"
                                  "    concurrent: none\n"
                                  "    per_model_per_day: 3\n"
                                  "    per_day: 4\n"
                                  "    gpu_hours_per_day: 0.5\n"
                                  "    projects:\n"
                                  "      visutility: {per_day: 10, gpu_hours_per_day: none}\n"
                                  "      \"zwei W\xc3\xb6rter\": {concurrent: 1}\n"
                                  "  give_up_after: 8\n"
                                  "  choose: mine\n"
                                  "  strategies:\n"
                                  "    mine: {gpu_hours: 2.5}\n"
                                  "    pbt: {gpu_hours: 1}\n"
                                  "    plain:\n");
    ck_assert_uint_eq(c->metrics.bind.count, 2);
    ck_assert_int_eq(c->security.curve, CONFIG_CURVE_ON);
    ck_assert_int_eq(c->security.i_know, CONFIG_YES);
    ck_assert_str_eq(c->security.server_key, "/k");
    ck_assert_str_eq(c->security.clients, "/c");
    ck_assert_str_eq(c->security.overlap.server_key, "/n");
    ck_assert_str_eq(c->security.overlap.jobs.at[0], "tcp://*:3");
    ck_assert_uint_eq(c->security.overlap.metrics.count, 0);
    ck_assert_uint_eq(c->projects.count, 3);
    ck_assert_str_eq(c->projects.at[0].project, "a.b"); /* in the order of their names */
    ck_assert_uint_eq(c->projects.at[0].jobs.count, 2);
    ck_assert_str_eq(c->projects.at[0].jobs.at[1], "ipc://@x");
    ck_assert_uint_eq(c->projects.at[0].events.count, 0);
    ck_assert_str_eq(c->projects.at[1].project, "b");
    ck_assert_str_eq(c->projects.at[1].events.at[0], "tcp://*:7");
    ck_assert_uint_eq(c->projects.at[2].jobs.count, 0);
    ck_assert_str_eq(c->metrics.bind.at[0], "tcp://*:1");
    ck_assert_str_eq(c->metrics.bind.at[1], "ipc:///tmp/metrics");
    ck_assert_uint_eq(c->metrics.connect.count, 2);
    ck_assert_str_eq(c->metrics.connect.at[1], "tcp://[fe80::1%eth0]:65535");
    ck_assert_uint_eq(c->metrics.queue, 7);
    ck_assert_uint_eq(c->metrics.max_message_bytes, 65536);
    ck_assert_uint_eq(c->metrics.max_models, 12);
    ck_assert_int_eq(c->metrics.max_future_ns, 0);
    expect_one(&c->jobs.bind, "tcp://127.0.0.1:*");
    ck_assert_int_eq(c->jobs.feedback, CONFIG_FEEDBACK_NONE);
    ck_assert_int_eq(c->jobs.accept_within_ns, SECOND_NS / 4);
    ck_assert_int_eq(c->jobs.lease_ns, 5400 * SECOND_NS);
    ck_assert_int_eq(c->jobs.max_run_ns, 172800 * SECOND_NS);
    ck_assert_uint_eq(c->jobs.attempts, 9);
    ck_assert_int_eq(c->jobs.retry_first_ns, 1000);
    ck_assert_int_eq(c->jobs.retry_max_ns, 10 * SECOND_NS);
    expect_one(&c->feedback, "tcp://127.0.0.1:2");
    ck_assert_uint_eq(c->events.count, 0);
    expect_one(&c->control, "ipc://@driftd");
    ck_assert_int_eq(c->workers, 0);
    ck_assert_str_eq(c->state.dir, "/srv/drift state");
    ck_assert_int_eq(c->log.level, CONFIG_LOG_ERROR);
    ck_assert_int_eq(c->log.format, CONFIG_LOG_JSON);
    ck_assert_uint_eq(c->retraining.seed, UINT64_MAX);
    ck_assert_uint_eq(c->retraining.limits.concurrent, 0);
    ck_assert_uint_eq(c->retraining.limits.per_model_per_day, 3);
    ck_assert_uint_eq(c->retraining.limits.per_day, 4);
    ck_assert_double_eq(c->retraining.limits.gpu_hours_per_day, 0.5);
    ck_assert_uint_eq(c->retraining.project_count, 2);
    ck_assert_str_eq(c->retraining.projects[0].project, "visutility");
    ck_assert_uint_eq(c->retraining.projects[0].limits.per_day, 10);
    ck_assert_uint_eq(c->retraining.projects[0].limits.concurrent, 0);
    ck_assert_double_eq(c->retraining.projects[0].limits.gpu_hours_per_day, 0);
    ck_assert_str_eq(c->retraining.projects[1].project, "zwei W\xc3\xb6rter");
    ck_assert_uint_eq(c->retraining.projects[1].limits.concurrent, 1);
    ck_assert_uint_eq(c->retraining.give_up_after, 8);
    ck_assert_str_eq(c->retraining.choose, "mine");
    ck_assert_uint_eq(c->retraining.strategy_count, 3);
    ck_assert_str_eq(c->retraining.strategies[0].name, "mine");
    ck_assert_double_eq(c->retraining.strategies[0].gpu_hours, 2.5);
    ck_assert_str_eq(c->retraining.strategies[0].parameters_json, "{}");
    ck_assert_str_eq(c->retraining.strategies[1].name, "pbt");
    ck_assert_double_eq(c->retraining.strategies[1].gpu_hours, 1);
    ck_assert_str_eq(c->retraining.strategies[1].parameters_json, "{\"population\":8}");
    ck_assert_double_eq(c->retraining.strategies[2].gpu_hours, 1);
    config_destroy(&c);
}
END_TEST

START_TEST(all_words_land)
{
    static const char *const levels[] = {"debug", "info", "warning", "error"};
    static const char *const formats[] = {"auto", "journal", "logfmt", "json"};
    for (int i = 0; i < 4; i++) {
        char yaml[128];
        snprintf(yaml, sizeof(yaml), "log: {level: %s, format: \"%s\"}", levels[i], formats[i]);
        struct config *config = parse_good(yaml);
        ck_assert_int_eq(config->log.level, i);
        ck_assert_int_eq(config->log.format, i);
        config_destroy(&config);
    }
}
END_TEST

START_TEST(ways_to_choose)
{
    static const char *const ways[] = {"cheapest", "round_robin", "random", "grid_search", "bayesian", "pbt"};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        char yaml[64];
        snprintf(yaml, sizeof(yaml), "retraining: {choose: %s}", ways[i]);
        struct config *config = parse_good(yaml);
        ck_assert_str_eq(config->retraining.choose, ways[i]);
        config_destroy(&config);
    }
}
END_TEST

START_TEST(parameters_are_canonical_json)
{
    struct config *c = parse_good(
        "retraining:\n"
        "  strategies:\n"
        "    s:\n"
        "      parameters:\n"
        "        zeta: [1, -2, +3, 007, 0x1F, 0o17, 9223372036854775807, -9223372036854775808]\n"
        "        reals: [1.5, .5, 5., 1e3, -2.5E-3, 0.1, 3.141592653589793, 1e-7]\n"
        "        words: [true, True, FALSE, null, Null, ~, yes, off, on, 1_000, 1:30, 0x, 0xg, 0o8, +-1, -0x1, .e1]\n"
        "        quoted: ['1', \"true\", \"\", \"a\\n\\u00e9\\\"\"]\n"
        "        nested: {b: {}, a: [{x: []}]}\n"
        "        block: |\n"
        "          two\n"
        "          lines\n"
        "        1: number as a key\n");
    ck_assert_str_eq(c->retraining.strategies[0].parameters_json,
                     "{\"1\":\"number as a key\",\"block\":\"two\\nlines\\n\",\"nested\":{\"a\":[{\"x\":[]}],\"b\":{}},"
                     "\"quoted\":[\"1\",\"true\",\"\",\"a\\n\xc3\xa9\\\"\"],"
                     "\"reals\":[1.5,0.5,5.0,1000.0,-0.0025,0.1,3.141592653589793,1e-7],"
                     "\"words\":[true,true,false,null,null,null,\"yes\",\"off\",\"on\",\"1_000\",\"1:30\",\"0x\","
                     "\"0xg\",\"0o8\",\"+-1\",\"-0x1\",\".e1\"],"
                     "\"zeta\":[1,-2,3,7,31,15,9223372036854775807,-9223372036854775808]}");
    config_destroy(&c);
    c = parse_good("retraining: {strategies: {s: {parameters: {exact: 0.30000000000000004, b: }}}}");
    ck_assert_str_eq(c->retraining.strategies[0].parameters_json, "{\"b\":null,\"exact\":0.30000000000000004}");
    config_destroy(&c);
}
END_TEST

START_TEST(variables_are_replaced)
{
    static const char *const variables[] = {"HOST=10.0.0.1", "PORT=99", "EMPTY=", "N=5", "SPACE=a: b # c", NULL};
    const struct config_options options = {.getenv = told_getenv, .getenv_argument = (void *)(uintptr_t)variables};
    struct told told;
    struct config *c = NULL;
    int result = parse_with(&c,
                            "# ${UNSET} is a comment\n"
                            "metrics:\n"
                            "  bind: [\"tcp://${HOST}:${PORT}\"]\n"
                            "  queue: ${N}0\n"
                            "  max_future: ${UNSET:-3}s\n"
                            "state: {dir: '${EMPTY}/${EMPTY:-x}/$HOME/$${N}/${N:-y}/$'}\n"
                            "retraining:\n"
                            "  strategies:\n"
                            "    s: {parameters: {a: '$${N} ${N}', b: '${N}', d: \"${SPACE}\"}}\n"
                            "    t:\n"
                            "      gpu_hours: ${N}\n"
                            "      parameters:\n"
                            "        c: ${N}\n"
                            "        ${N}: key\n"
                            "workers: \"${N}\"\n"
                            "security: {i_know: true}\n",
                            &options, &told);
    ck_assert_msg(result == 0, "%s", told.count > 0 ? told.lines[0] : "");
    expect_one(&c->metrics.bind, "tcp://10.0.0.1:99");
    ck_assert_uint_eq(c->metrics.queue, 50);
    ck_assert_int_eq(c->metrics.max_future_ns, 3 * SECOND_NS);
    ck_assert_str_eq(c->state.dir, "/x/$HOME/${N}/5/$");
    ck_assert_str_eq(c->retraining.strategies[0].parameters_json, "{\"a\":\"${N} 5\",\"b\":\"5\",\"d\":\"a: b # c\"}");
    ck_assert_str_eq(c->retraining.strategies[1].parameters_json, "{\"${N}\":\"key\",\"c\":5}");
    ck_assert_double_eq(c->retraining.strategies[1].gpu_hours, 5);
    ck_assert_int_eq(c->workers, 5);
    config_destroy(&c);
}
END_TEST

START_TEST(what_is_not_known_is_not_judged)
{
    const struct config_options options = {.no_env = true};
    struct told told;
    struct config *c = NULL;
    ck_assert_int_eq(parse_with(&c,
                                "metrics: {queue: '${QUEUE}', bind: [\"tcp://${HOST:?which host}:1\"], max_models: 5}\n"
                                "jobs: {retry: {first: \"${FIRST}\", max: 1s}, feedback: \"${MODE}\"}\n"
                                "log: ${LOG}\n"
                                "budgets:\n"
                                "  - models: ${MODELS}\n"
                                "    kpis: {accuracy: {min: '${MIN}'}, recall: '${RECALL}'}\n"
                                "retraining: {choose: \"${CHOOSE}\", strategies: {s: {parameters: {a: \"${A}\"}}}}\n",
                                &options, &told),
                     0);
    ck_assert_uint_eq(c->metrics.queue, 1000);
    ck_assert_uint_eq(c->metrics.max_models, 5);
    ck_assert_str_eq(c->retraining.strategies[0].parameters_json, "{\"a\":null}");
    config_destroy(&c);
    /* Nor does it take the place of what is known. */
    ck_assert_int_eq(parse_with(&c,
                                "budgets:\n"
                                "  - {models: a, window: 7, kpis: {accuracy: {min: 0.5}, recall: {max: 0.5}}}\n"
                                "  - {models: a, window: '${W}', kpis: {accuracy: {min: '${M}'}, recall: '${R}'}}\n",
                                &options, &told),
                     0);
    struct model_id model;
    const struct monitor_settings *settings = NULL;
    ck_assert_int_eq(model_id_parse(&model, text_of("a/b/c")), 0);
    ck_assert_int_eq(config_settings_for(c, &model, &settings), 0);
    ck_assert_uint_eq(settings->window, 7);
    ck_assert_uint_eq(settings->kpi_count, 2);
    ck_assert_double_eq(settings->kpis[0].min, 0.5);
    config_destroy(&c);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("config");
    tcase_add_test(cases, nothing_is_a_configuration);
    tcase_add_test(cases, every_key_lands);
    tcase_add_test(cases, all_words_land);
    tcase_add_test(cases, ways_to_choose);
    tcase_add_test(cases, parameters_are_canonical_json);
    tcase_add_test(cases, variables_are_replaced);
    tcase_add_test(cases, what_is_not_known_is_not_judged);
    return run_tests(cases, "config");
}

/* What is wrong before a key has a meaning: YAML, bytes, variables, and how much of it is told. */
#include "tests/unit/check_config.h"

#include <errno.h>

#include "lib/config/print.h"

#define TEXT_KEYS "metrics, jobs, feedback, events, control, http, workers, state, log, security, projects, fleet_false_alarms, budgets, retraining"

START_TEST(variables)
{
    static const char *const set[] = {"TEXT=abc", "LATIN=\xe9", NULL};
    const struct config_options options = {.getenv = told_getenv, .getenv_argument = (void *)(uintptr_t)set};
    expect_told("workers: ${WORKERS}", "1:10: workers: WORKERS is not set in the environment; set it, or write "
                                       "${WORKERS:-default}");
    expect_told_with("workers: ${WORKERS:?say how many}", &options, "1:10: workers: WORKERS: say how many");
    /* What is shown is the text of the file: a value of the environment may be a secret. */
    expect_told_with("workers: ${TEXT}", &options,
                     "1:10: workers: \"${TEXT}\" is no whole number; allowed: auto or a whole number, 0 to 64");
    expect_told_with("state: {dir: \"${LATIN}\"}", &options, "1:14: state.dir: the value of LATIN is no UTF-8; set it to a text in UTF-8");
#define SHAPE                                                                                                          \
    "\"${\" begins a variable: write ${NAME}, ${NAME:-default} or ${NAME:?message}, or $${ for the characters "        \
    "themselves"
    expect_told("state:\n  dir: ${}\n", "2:8: state.dir: " SHAPE);
    expect_told("state:\n  dir: ${1A}\n", "2:8: state.dir: " SHAPE);
    expect_told("state:\n  dir: ${A:=b}\n", "2:8: state.dir: " SHAPE);
    expect_told("state:\n  dir: ${A\n", "2:8: state.dir: \"${\" without its \"}\": write ${NAME}, or $${ for the characters themselves");
    expect_told("state:\n  dir: ${A:-${B}}\n",
                "2:8: state.dir: a variable inside the default or message of another; only "
                "plain text may stand there");
    expect_told("workers: ${A:-}", "1:10: workers: there is no value; allowed: auto or a whole number, 0 to 64");
    expect_told("jobs: {lease: ${A:-5}s}", "1:16: jobs: between brackets, \"${NAME}\" stands in quotes");
}
END_TEST

START_TEST(variables_have_a_bound)
{
    char *big = malloc(5 + 60001);
    memcpy(big, "BIG=", 4);
    memset(big + 4, 'x', 60000);
    big[60004] = '\0';
    const char *const set[] = {big, NULL};
    const struct config_options options = {.getenv = told_getenv, .getenv_argument = (void *)(uintptr_t)set};
    expect_told_with("state:\n  dir: ${BIG}${BIG}\n", &options,
                     "2:8: state.dir: longer than 65536 bytes once its variables are in");
    char yaml[8192] = "retraining:\n  strategies:\n    s:\n      parameters:\n        a:\n";
    for (int i = 0; i < 281; i++)
        strcat(yaml, "        - ${BIG}\n");
    expect_told_with(yaml, &options,
                     "285:11: retraining.strategies.s.parameters.a[]: the variables of this file come to "
                     "more than 16 MiB; use shorter ones\n"
                     "286:11: retraining.strategies.s.parameters.a[]: the variables of this file come to "
                     "more than 16 MiB; use shorter ones");
    free(big);
}
END_TEST

START_TEST(yaml_that_is_not_taken)
{
    expect_told("log: &a {level: info}",
                "1:6: log: an anchor (&); anchors and aliases are not supported, write the value "
                "out");
    expect_told(
        "a: &a [x]\nb: *a\n",
        "1:1: a: unknown key; allowed here: " TEXT_KEYS "\n"
        "1:4: a: an anchor (&); anchors and aliases are not supported, write the value out\n"
        "2:1: b: unknown key; allowed here: " TEXT_KEYS "\n"
        "2:4: b: an alias (*); anchors and aliases are not supported, write the value out, and put quotes around a "
        "text that begins with '*'");
    expect_told("budgets:\n  - models: *x\n",
                "2:13: budgets[].models: an alias (*); anchors and aliases are not supported, write the value out, and "
                "put quotes around a text that begins with '*'");
    expect_told("workers: !!int 3",
                "1:10: workers: a tag (!); tags are not supported, a value's kind follows from how it "
                "is written");
    expect_told("workers: ! 3",
                "1:10: workers: a tag (!); tags are not supported, a value's kind follows from how it is "
                "written");
    expect_told("log:\n  <<: {level: info}\n",
                "2:3: log: a merge key (<<); merging is not supported, write the keys out");
    expect_told("[a]: 1\n{b: c}: 2\nworkers: 65\n",
                "1:1: YAML: a list or a map as a key; a key must be a plain text\n"
                "2:1: YAML: a list or a map as a key; a key must be a plain text\n"
                "3:10: workers: 65 is out of range; allowed: auto or a whole number, 0 to 64");
    expect_told("state: {dir: \"a\\0b\"}", "1:14: state.dir: a NUL character in a text; there is no use for one");
    expect_told("workers: 1\n---\nworkers: 2\n", "2:1: YAML: a second document; a file holds one");
    expect_told("workers: 1\n...\nworkers: 2\n", "3:1: YAML: text after the end of the document; a file holds one");
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
    struct config *config = NULL;
    struct told told = {.count = 0};
    const char nul[] = "workers: 1\nlog:\0 {}\n";
    ck_assert_int_eq(config_parse(&config, "f", (struct text){nul, sizeof(nul) - 1}, NULL, told_take, &told), -EINVAL);
    ck_assert_str_eq(told.lines[0], "f:2:5: YAML: a NUL byte; the file must be text in UTF-8");
    ck_assert_int_eq(told.count, 1);
    told_free(&told);
    static const char *const no_utf8[] = {"\xe9",     "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                          "\xe2\x82", "\x80",     "\xff\xfe"};
    for (size_t i = 0; i < sizeof(no_utf8) / sizeof(no_utf8[0]); i++) {
        char yaml[64];
        snprintf(yaml, sizeof(yaml), "# \xc3\xa9\r\n\r# \xe2\x82\xac%s", no_utf8[i]);
        expect_told(yaml, "3:4: YAML: a byte that is no UTF-8; save the file as UTF-8");
    }
    expect_told("log: {} # \x1b[0m", "1:11: YAML: a control character; only tab and line breaks may stand in a text");
    expect_told("log: {} # \xc2\x9b", "1:11: YAML: a control character; only tab and line breaks may stand in a text");
}
END_TEST

START_TEST(syntax)
{
    expect_told("log: level: info",
                "1:11: YAML: a ':' that no key can have here; indent keys of one map alike, and put "
                "quotes around a text that holds ': '");
    expect_told("log: {level: \"info}\n", "1:14: log.level: a quote that is never closed");
    expect_told("log: {level: @info}\n",
                "1:14: log.level: a character that no value can begin with; put quotes around the "
                "text");
    expect_told("log:\n    level: info\n  format: json\n", "3:3: YAML: this is indented unlike the keys above it");
    expect_told("budgets:\n  - models: a\n - models: b\n", "3:2: YAML: this is indented unlike the keys above it");
    expect_told("events: {bind: [ipc://a, ipc://b}\n", "1:16: events.bind[]: a '[' whose ']' or a ',' is missing");
    expect_told("log: {level: info\nworkers: 65\n",
                "1:6: log: a '{' whose '}' or a ',' is missing\n"
                "2:10: workers: 65 is out of range; allowed: auto or a whole number, 0 to 64");
    expect_told("log:\n  level: info\n\tformat: json\nworkers: 65\n",
                "3:1: log.level: a tab in the indentation; indent with spaces\n"
                "4:10: workers: 65 is out of range; allowed: auto or a whole number, 0 to 64");
    expect_told("events: {bind: [ipc://a, , ipc://b]}\n", "1:26: events.bind[]: a value is missing");
    expect_told("workers\nlog: {}\n",
                "2:4: YAML: a ':' that no key can have here; indent keys of one map alike, and put "
                "quotes around a text that holds ': '");
    /* Keys of all the pieces are of one map. */
    expect_told("workers: 1\nlog: {level: @}\nworkers: 2\nstate: {dir: @}\nlog: {}\n",
                "2:14: log.level: a character that no value can begin with; put quotes around the text\n"
                "3:1: workers: given twice, first in line 1; keep one\n"
                "4:14: state.dir: a character that no value can begin with; put quotes around the text\n"
                "5:1: log: given twice, first in line 2; keep one");
}
END_TEST

START_TEST(depth_is_bounded)
{
    static char yaml[200001];
    memset(yaml, '[', 200000);
    expect_told(yaml, "1:65: YAML: nested deeper than 64; nothing here is read further");
    for (size_t i = 0; i < 200000; i += 5)
        memcpy(yaml + i, "{a: ", 5);
    memcpy(yaml, "retraining: {strategies: {s: {parameters: ", 42);
    memset(yaml + 42, '[', 200000 - 42);
    expect_told(yaml, "1:103: YAML: nested deeper than 64; nothing here is read further");
    for (int i = 0; i < 70; i++)
        sprintf(yaml + 2 * i, "- ");
    strcpy(yaml + 140, "x\n");
    expect_told(yaml, "1:129: YAML: nested deeper than 64; nothing here is read further");
    /* 64 are allowed: 4 maps and 60 lists. */
    strcpy(yaml, "retraining: {strategies: {s: {parameters: {a: ");
    memset(yaml + strlen(yaml), 0, 1000);
    memset(yaml + strlen(yaml), '[', 59);
    memset(yaml + strlen(yaml), ']', 59);
    strcat(yaml, "}}}}");
    struct config *config = parse_good(yaml);
    config_destroy(&config);
}
END_TEST

START_TEST(mistakes_have_a_bound)
{
    char *yaml = calloc(1, 40000);
    struct config *config = NULL;
    struct told told;
    for (int i = 0; i < 1005; i++)
        sprintf(yaml + strlen(yaml), "k%d: [{}]\n", i);
    ck_assert_int_eq(parse_with(&config, yaml, NULL, &told), -EINVAL);
    ck_assert_int_eq(told.count, 1001);
    ck_assert_str_eq(told.lines[1000], "driftd.yaml: 5 mistakes more are not shown");
    told_free(&told);
    *yaml = '\0';
    strcpy(yaml, "events: {bind: []}\nbudgets:\n");
    size_t length = strlen(yaml);
    for (int i = 0; i < 1003; i++)
        length += (size_t)sprintf(yaml + length, "- {models: a, window: x}\n");
    ck_assert_int_eq(parse_with(&config, yaml, NULL, &told), -EINVAL);
    ck_assert_int_eq(told.count, 1001);
    ck_assert_str_eq(told.lines[1000], "driftd.yaml: 3 mistakes more are not shown");
    told_free(&told);
    /* A syntax that breaks in every line. */
    *yaml = '\0';
    for (int i = 0; i < 1000; i++)
        strcat(yaml, "log: {level: @}\n");
    ck_assert_int_eq(parse_with(&config, yaml, NULL, &told), -EINVAL);
    ck_assert_int_eq(told.count, 16 + 15);
    told_free(&told);
    free(yaml);
}
END_TEST

START_TEST(long_texts_are_cut)
{
    expect_told(
        "workers: \xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9",
        "1:10: workers: \"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
        "\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9...\" is no whole number; allowed: auto or a whole "
        "number, 0 to 64");
}
END_TEST

static void print_line(void *argument, const char *line)
{
    char *text = argument;
    ck_assert_uint_lt(strlen(text) + strlen(line) + 2, 65536);
    strcat(strcat(text, line), "\n");
}

/* Keys stand for themselves: what is printed is not more of them each time. */
START_TEST(no_variable_stands_in_a_key)
{
    static char printed[65536];
    const char *yaml = "retraining:\n  limits: {projects: {'a${B}': {per_day: 1}}}\n"
                       "  strategies: {s: {parameters: {'${D}': '$${E}'}}}\n";
    struct config *config = parse_good(yaml);
    ck_assert_int_eq(config_print(config, print_line, printed), 0);
    config_destroy(&config);
    ck_assert_ptr_nonnull(strstr(printed, "{\"${D}\": \"$${E}\"}"));
    ck_assert_ptr_nonnull(strstr(printed, "\"a${B}\":"));
    config = parse_good(printed);
    config_destroy(&config);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("yaml");
    tcase_add_test(cases, variables);
    tcase_add_test(cases, variables_have_a_bound);
    tcase_add_test(cases, yaml_that_is_not_taken);
    tcase_add_test(cases, bytes_that_are_no_text);
    tcase_add_test(cases, syntax);
    tcase_add_test(cases, depth_is_bounded);
    tcase_add_test(cases, mistakes_have_a_bound);
    tcase_add_test(cases, long_texts_are_cut);
    tcase_add_test(cases, no_variable_stands_in_a_key);
    return run_tests(cases, "config yaml");
}

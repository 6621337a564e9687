/* The sample, broken at random: whatever comes, it is read or refused, and nothing else happens. */
#include "tests/unit/check_config.h"

#include <errno.h>

#define ROUNDS 4000
#define TEXT_MAX 16384

static uint32_t state = 2463534242u;

/* Marsaglia's xorshift, so that every run breaks the same texts. */
static uint32_t random_below(uint32_t limit)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % limit;
}

static void insert(char *text, size_t *length, size_t at, const char *what, size_t bytes)
{
    if (*length + bytes >= TEXT_MAX)
        return;
    memmove(text + at + bytes, text + at, *length - at);
    memcpy(text + at, what, bytes);
    *length += bytes;
}

static void break_once(char *text, size_t *length)
{
    static const char *const pieces[] = {
        "\n",    "\t",    ": ",       "- ",           "[",           "]",     "{",          "}",       ",",
        "'",     "\"",    "#",        "&a ",          "*a ",         "!!x ",  "<<:",        "|\n",     ">\n",
        "---\n", "...\n", "? ",       "${A}",         "${B:-",       "\\x00", "1e400",      "-1",      "0x1",
        "off",   "\xff",  "\xc3\xa9", "\xe2\x80\xa8", "%YAML 1.3\n", "\0",    "budgets:\n", "kpis: {", "  ",
    };
    size_t at = random_below((uint32_t)*length + 1), bytes = random_below(30);
    char copy[30];
    switch (random_below(5)) {
    case 0:
        if (at < *length)
            text[at] = (char)random_below(256);
        break;
    case 1:
        bytes = bytes > *length - at ? *length - at : bytes;
        memmove(text + at, text + at + bytes, *length - at - bytes);
        *length -= bytes;
        break;
    case 2: {
        const char *piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];
        insert(text, length, at, piece, *piece ? strlen(piece) : 1);
        break;
    }
    case 3:
        bytes = bytes > *length - at ? *length - at : bytes;
        memcpy(copy, text + at, bytes);
        insert(text, length, random_below((uint32_t)*length + 1), copy, bytes);
        break;
    case 4:
        if (random_below(20) == 0)
            *length = at;
        break;
    }
}

static void check_once(const char *text, size_t length, uint32_t round)
{
    static const char *const variables[] = {"A=1", "AB=x: [y", NULL};
    const struct config_options options = {.no_env = round % 2,
                                           .as_user = round % 3 == 0,
                                           .getenv = told_getenv,
                                           .getenv_argument = (void *)(uintptr_t)variables};
    struct config *config = NULL;
    struct told told = {.count = 0};
    char *exact = malloc(length + 1); /* as long as it is, so that a sanitizer sees its end */
    memcpy(exact, text, length);
    exact = realloc(exact, length ? length : 1);
    int result = config_parse(&config, "driftd.yaml", (struct text){exact, length}, &options, told_take, &told);
    free(exact);
    ck_assert(result == 0 || result == -EINVAL);
    ck_assert_int_eq(result == 0, told.count == 0);
    ck_assert_int_eq(result == 0, config != NULL);
    for (int i = 0; i < told.count; i++) {
        unsigned line, column;
        ck_assert_int_eq(sscanf(told.lines[i], "driftd.yaml:%u:%u: ", &line, &column), 2);
        ck_assert_uint_gt(line, 0);
        ck_assert_uint_gt(column, 0);
    }
    if (config) {
        struct model_id model;
        const struct monitor_settings *settings = NULL;
        ck_assert_int_eq(model_id_parse(&model, text_of("visutility/object-detector/v1")), 0);
        ck_assert_int_eq(config_settings_for(config, &model, &settings), 0);
    }
    told_free(&told);
    config_destroy(&config);
}

START_TEST(broken_samples)
{
    static char sample[TEXT_MAX], text[TEXT_MAX];
    FILE *file = fopen("conf/driftd.yaml", "r");
    ck_assert_msg(file != NULL, "run from the root of the sources");
    size_t whole = fread(sample, 1, TEXT_MAX / 2, file);
    fclose(file);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        size_t length = whole;
        memcpy(text, sample, whole);
        for (uint32_t breaks = 1 + random_below(6); breaks > 0; breaks--)
            break_once(text, &length);
        check_once(text, length, round);
    }
}
END_TEST

START_TEST(every_beginning)
{
    static const char yaml[] = "metrics: {bind: [tcp://127.0.0.1:1, 'ipc://a'], queue: 5}\n"
                               "budgets:\n"
                               "  - models: \"a/\\u00e9*\"\n"
                               "    kpis: {accuracy: {min: 0.5, over: p90}, x: off}\n"
                               "retraining:\n"
                               "  strategies: {s: {parameters: {a: [1, {b: |\n"
                               "state: {dir: ${A:-b}/c}\n"
                               "log: &a [*a, !!b c]\n";
    for (size_t length = 0; length < sizeof(yaml); length++)
        check_once(yaml, length, (uint32_t)length);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("random");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, broken_samples);
    tcase_add_test(cases, every_beginning);
    return run_tests(cases, "config random");
}

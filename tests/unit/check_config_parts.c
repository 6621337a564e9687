/* The parts below the reading: amounts, endpoints, likeness, bytes, and that the schema is of one piece. */
#include "tests/unit/check_config.h"

#include <errno.h>

#include "lib/config/arena.h"
#include "lib/config/endpoint.h"
#include "lib/config/nearest.h"
#include "lib/config/scalar.h"
#include "lib/config/schema.h"
#include "lib/config/source.h"
#include "lib/config/tree.h"

START_TEST(whole_numbers)
{
    static const struct {
        const char *text;
        int error;
        uint64_t magnitude;
        bool negative;
    } cases[] = {
        {"0", 0, 0, false},
        {"-0", 0, 0, false},
        {"+7", 0, 7, false},
        {"-7", 0, 7, true},
        {"18446744073709551615", 0, UINT64_MAX, false},
        {"18446744073709551616", -ERANGE, 0, false},
        {"99999999999999999999999", -ERANGE, 0, false},
        {"", -EINVAL, 0, false},
        {"-", -EINVAL, 0, false},
        {"01", -EINVAL, 0, false},
        {"1.", -EINVAL, 0, false},
        {"1 ", -EINVAL, 0, false},
        {"--1", -EINVAL, 0, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t magnitude = 0;
        bool negative = false;
        ck_assert_int_eq(scalar_whole(text_of(cases[i].text), &magnitude, &negative), cases[i].error);
        ck_assert_uint_eq(magnitude, cases[i].magnitude);
        ck_assert_int_eq(negative, cases[i].negative);
    }
}
END_TEST

START_TEST(numbers)
{
    static const char *const good[] = {
        "0", "-1.5", "+.5", "5.", "1e3", "1E-3", "2.5e+10", "007", "1.7976931348623157e308"};
    static const char *const bad[] = {"",     ".",   "e1",  "1e", "1e+",   "0x1",  "inf", "nan",
                                      ".inf", "1,5", "1_0", "1 ", "1.2.3", "0.9x", "--1"};
    double value;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_int_eq(scalar_number(text_of(good[i]), &value), 0);
        ck_assert_double_eq(value, strtod(good[i], NULL));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(scalar_number(text_of(bad[i]), &value), -EINVAL);
    ck_assert_int_eq(scalar_number(text_of("1e400"), &value), -ERANGE);
    ck_assert_int_eq(scalar_number(text_of("-1e400"), &value), -ERANGE);
    ck_assert_int_eq(scalar_number(text_of("1e-400"), &value), -ERANGE);
    char many[600];
    memset(many, '1', sizeof(many));
    ck_assert_int_eq(scalar_number((struct text){many, sizeof(many)}, &value), -EINVAL);
}
END_TEST

START_TEST(durations)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0s", 0},
        {"1us", 1000},
        {"250ms", 250000000},
        {"1s", 1000000000},
        {"30m", 1800000000000},
        {"12h", 43200000000000},
        {"1d", 86400000000000},
        {"1.5h", 5400000000000},
        {"0.001us", 1},
        {"106751d", INT64_C(9223286400000000000)},
        {"00.50s", 500000000},
    };
    static const char *const bad[] = {"",      "s",   "-1s", "+1s",  "1S",  "1 s", "1sec",
                                      "1h30m", "1.s", ".5s", "1e3s", "1ns", "off"};
    static const char *const far[] = {"106752d", "0.0001us", "99999999999999999999999d", "1.00000000000000000001s"};
    int64_t ns = 0;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        ck_assert_msg(scalar_duration(text_of(good[i].text), &ns) == 0, "%s", good[i].text);
        ck_assert_int_eq(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(scalar_duration(text_of(bad[i]), &ns) == -EINVAL, "%s", bad[i]);
    for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
        ck_assert_msg(scalar_duration(text_of(far[i]), &ns) == -ERANGE, "%s", far[i]);
    ck_assert_int_eq(scalar_duration(text_of("5"), &ns), -EDOM);
    ck_assert_int_eq(scalar_duration(text_of("1.5"), &ns), -EDOM);
}
END_TEST

START_TEST(sizes)
{
    uint64_t bytes = 0;
    ck_assert_int_eq(scalar_size(text_of("64MiB"), &bytes), 0);
    ck_assert_uint_eq(bytes, UINT64_C(67108864));
    ck_assert_int_eq(scalar_size(text_of("0.5KiB"), &bytes), 0);
    ck_assert_uint_eq(bytes, 512);
    ck_assert_int_eq(scalar_size(text_of("3GiB"), &bytes), 0);
    ck_assert_uint_eq(bytes, UINT64_C(3221225472));
    ck_assert_int_eq(scalar_size(text_of("1.5B"), &bytes), -ERANGE);
    ck_assert_int_eq(scalar_size(text_of("1MB"), &bytes), -EINVAL);
    ck_assert_int_eq(scalar_size(text_of("7"), &bytes), -EDOM);
}
END_TEST

START_TEST(likeness)
{
    static const struct {
        const char *a, *b;
        uint32_t distance;
    } cases[] = {
        {"", "", 0},          {"abc", "", 3},   {"kitten", "sitting", 3}, {"bind", "bnid", 1},
        {"queue", "quue", 1}, {"ca", "abc", 3}, {"window", "widnow", 1},  {"abcd", "badc", 2},
    };
    char word[65];
    memset(word, 'a', 65);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_uint_eq(nearest_distance(text_of(cases[i].a), text_of(cases[i].b)), cases[i].distance);
        ck_assert_uint_eq(nearest_distance(text_of(cases[i].b), text_of(cases[i].a)), cases[i].distance);
    }
    ck_assert_uint_eq(nearest_distance((struct text){word, 64}, (struct text){word, 64}), 0);
    ck_assert_uint_eq(nearest_distance((struct text){word, 65}, text_of("a")), UINT32_MAX);
}
END_TEST

START_TEST(endpoints_that_zeromq_takes)
{
    static const char *const bind[] = {"tcp://127.0.0.1:5570", "tcp://*:*",        "tcp://eth0:1", "tcp://[::]:65535",
                                       "tcp://[::1%lo]:1",     "ipc:///run/a b",   "ipc://*",      "ipc://@abstract",
                                       "inproc://x",           "tcp://localhost:*"};
    static const char *const bad[] = {"",           "tcp://",         "tcp://h:",    "tcp://h:x",
                                      "tcp://h:-1", "tcp://h:123456", "tcp://[::1",  "tcp://[::1]",
                                      "tcp://[]:1", "tcp://[g]:1",    "ipc://",      "ipc://@",
                                      "inproc://",  "TCP://h:1",      "tcp:/h:1",    "pgm://h:1",
                                      "ipc://a\nb", "tcp://[::1%]:1", "tcp://a;b:1", "tcp://h/x:1",
                                      "tcp://::1"};
    for (size_t i = 0; i < sizeof(bind) / sizeof(bind[0]); i++)
        ck_assert_msg(!endpoint_check(text_of(bind[i]), ENDPOINT_BIND), "%s", bind[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(endpoint_check(text_of(bad[i]), ENDPOINT_BIND) != NULL, "%s", bad[i]);
    char path[6 + 109] = "ipc://";
    memset(path + 6, 'x', 107);
    ck_assert_ptr_null(endpoint_check(text_of(path), ENDPOINT_BIND));
    strcat(path, "x");
    ck_assert_ptr_nonnull(endpoint_check(text_of(path), ENDPOINT_BIND));
    char name[9 + 300] = "inproc://";
    memset(name + 9, 'x', 255);
    ck_assert_ptr_null(endpoint_check(text_of(name), ENDPOINT_BIND));
    strcat(name, "x");
    ck_assert_ptr_nonnull(endpoint_check(text_of(name), ENDPOINT_BIND));
    char host[400] = "tcp://";
    memset(host + 6, 'x', 256);
    strcat(host, ":1");
    ck_assert_ptr_nonnull(endpoint_check(text_of(host), ENDPOINT_BIND));
}
END_TEST

START_TEST(endpoints_of_control)
{
    static const char *const good[] = {"ipc:///run/c",      "inproc://c",        "tcp://127.0.0.1:1",
                                       "tcp://127.9.9.9:*", "tcp://localhost:1", "tcp://[::1]:1",
                                       "tcp://[::1%lo]:1",  "tcp://[0:0:0:0:0:0:0:1]:1", "tcp://[::ffff:127.0.0.1]:1"};
    static const char *const bad[] = {"tcp://*:1", "tcp://0.0.0.0:1", "tcp://10.0.0.1:1", "tcp://127.evil.org:1",
                                      "tcp://[::]:1", "tcp://eth0:1", "tcp://[::2]:1", "tcp://[1::1]:1",
                                      "tcp://[::ffff:10.0.0.1]:1", "tcp://[::127.0.0.1]:1", "tcp://[fe80::1%lo]:1",
                                      "tcp://[1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1]:1"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        ck_assert_msg(!endpoint_check(text_of(good[i]), ENDPOINT_CONTROL), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_msg(endpoint_check(text_of(bad[i]), ENDPOINT_CONTROL) != NULL, "%s", bad[i]);
}
END_TEST

START_TEST(lines_are_counted_as_yaml_does)
{
    struct text text = text_of("a\nb\r\nc\rd\xc2\x85"
                               "e\xe2\x80\xa8"
                               "f\xe2\x80\xa9"
                               "g");
    for (uint32_t line = 0; line < 7; line++)
        ck_assert_int_eq(text.at[source_line(text, line)], "abcdefg"[line]);
    ck_assert_uint_eq(source_line(text, 7), text.len);
    ck_assert_uint_eq(source_line((struct text){0}, 3), 0);
}
END_TEST

START_TEST(memory_has_an_end)
{
    struct arena arena = {0};
    ck_assert_ptr_nonnull(arena_take(&arena, 3, 5));
    ck_assert_ptr_nonnull(arena_take(&arena, 0, 5));
    ck_assert(!arena.failed);
    ck_assert_ptr_null(arena_take(&arena, SIZE_MAX / 2, 3));
    ck_assert_ptr_null(arena_take(&arena, 2, SIZE_MAX / 2));
    ck_assert(arena.failed);
    arena_free(&arena);
    ck_assert(!arena.failed);
}
END_TEST

static bool is_section(const struct schema_row *row)
{
    switch (row->type) {
    case SCHEMA_MAP:
    case SCHEMA_BLOCKS:
    case SCHEMA_KPIS:
    case SCHEMA_KPI:
    case SCHEMA_PROJECTS:
    case SCHEMA_PROJECT:
    case SCHEMA_STRATEGIES:
    case SCHEMA_STRATEGY:
        return true;
    default:
        return false;
    }
}

START_TEST(the_schema_is_of_one_piece)
{
    char allowed[SCHEMA_ALLOWED_MAX];
    for (uint32_t i = 0; i < schema_row_count; i++) {
        const struct schema_row *row = &schema_rows[i];
        ck_assert_ptr_eq(schema_row_of(row->path), row);
        ck_assert_ptr_nonnull(schema_type_name(row->type));
        ck_assert_msg(!row->least == !row->most, "%s", row->path);
        if (is_section(row))
            ck_assert_msg(row->offset == SCHEMA_NOWHERE && !row->standard, "%s", row->path);
        /* Each key lies in a section that is a row of the table, above it. */
        char section[128];
        snprintf(section, sizeof(section), "%.*s", (int)(schema_key(row) - row->path), row->path);
        if (*section) {
            section[strlen(section) - 1] = '\0';
            ck_assert(schema_is_in(row, section));
            ck_assert_ptr_eq(schema_find(section, text_of(schema_key(row))), row);
            if (strcmp(section, "budgets[]") == 0)
                strcpy(section, "budgets");
            ck_assert_msg(schema_row_of(section) && schema_row_of(section) < row, "%s", row->path);
        }
        ck_assert_msg(*schema_allowed(row, allowed) != '\0' && strlen(allowed) < SCHEMA_ALLOWED_MAX - 1, "%s", row->path);
    }
}
END_TEST

START_TEST(the_schema_agrees_with_the_rest)
{
    int words = 0;
    for (const struct schema_word *word = schema_row_of("budgets[].kpis.<metric>.over")->words; word->word;
         word++, words++) {
        enum window_stat stat;
        ck_assert_int_eq(window_stat_of(text_of(word->word), &stat), 0);
        ck_assert_int_eq((int)stat, word->value);
    }
    ck_assert_int_eq(words, WINDOW_STATS);
    ck_assert_int_eq(atoi(schema_row_of("budgets[].window")->most), WINDOW_CAPACITY_MAX);
    for (const struct schema_word *word = schema_row_of("retraining.choose")->words; word->word; word++)
        ck_assert_int_eq(strategy_choice_check(text_of(word->word), strategy_defaults, strategy_default_count), 0);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("parts");
    tcase_add_test(cases, whole_numbers);
    tcase_add_test(cases, numbers);
    tcase_add_test(cases, durations);
    tcase_add_test(cases, sizes);
    tcase_add_test(cases, likeness);
    tcase_add_test(cases, endpoints_that_zeromq_takes);
    tcase_add_test(cases, endpoints_of_control);
    tcase_add_test(cases, lines_are_counted_as_yaml_does);
    tcase_add_test(cases, memory_has_an_end);
    tcase_add_test(cases, the_schema_is_of_one_piece);
    tcase_add_test(cases, the_schema_agrees_with_the_rest);
    return run_tests(cases, "config parts");
}

#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "tests/run_suite.h"

static int read_end, old_stderr;

/* Standard error becomes a pipe; what was written to it is read with written(). */
static void catch_stderr(void)
{
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_NONBLOCK), 0);
    old_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    read_end = ends[0];
}

static void release_stderr(void)
{
    dup2(old_stderr, STDERR_FILENO);
    close(old_stderr);
    close(read_end);
}

static const char *written(void)
{
    static char text[70000];
    ssize_t got = read(read_end, text, sizeof text - 1);
    text[got > 0 ? got : 0] = '\0';
    return text;
}

START_TEST(logfmt_line)
{
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO);
    log_info("models restored", LOG_NUMBER("count", 12), LOG_NUMBER("share", (double)0.1f), LOG_TEXT("file", "a.yaml"));
    const char *line = written();
    ck_assert_int_eq(strncmp(line, "time=2", 6), 0);
    ck_assert_str_eq(strstr(line, " level="), " level=info msg=\"models restored\" count=12 share=0.1 file=a.yaml\n");
}
END_TEST

START_TEST(no_fields)
{
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO);
    log_error("gone");
    ck_assert_str_eq(strstr(written(), " level="), " level=error msg=\"gone\"\n");
}
END_TEST

START_TEST(lower_levels_are_silent)
{
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_WARNING);
    log_info("no");
    log_debug("no");
    ck_assert_str_eq(written(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("yes");
    ck_assert_ptr_nonnull(strstr(written(), "level=debug msg=\"yes\""));
}
END_TEST

/* A model's id, or a trainer's error, that tries to write a line of its own. */
START_TEST(text_from_outside_cannot_forge)
{
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO);
    log_info("a \"quote\"\nlevel=error", LOG_TEXT("model", "x\ny=1 \"z\" \\ \x1b[31m \x7f \xc2\x9b \xff \xe2\x82\xac"),
             LOG_TEXT("empty", ""));
    ck_assert_str_eq(strstr(written(), " level="),
                     " level=info msg=\"a \\\"quote\\\"\\nlevel=error\" "
                     "model=\"x\\ny=1 \\\"z\\\" \\\\ \\x1b[31m \\x7f \\x9b \\xff \xe2\x82\xac\" empty=\"\"\n");
}
END_TEST

START_TEST(json_line_is_json)
{
    log_open(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_warning("quote \" and \xff", LOG_TEXT("model", "a\nb\x1b\xed\xa0\x80"), LOG_NUMBER("n", 3),
                LOG_NUMBER("nan", 0.0 / 0.0));
    const char *line = written();
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
    json_error_t error;
    json_t *value = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(value != NULL, "%s in %s", error.text, line);
    ck_assert_str_eq(json_string_value(json_object_get(value, "level")), "warning");
    ck_assert_str_eq(json_string_value(json_object_get(value, "msg")), "quote \" and \xef\xbf\xbd");
    ck_assert_str_eq(json_string_value(json_object_get(value, "model")),
                     "a\nb\x1b\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    ck_assert_int_eq(json_integer_value(json_object_get(value, "n")), 3);
    ck_assert(json_is_null(json_object_get(value, "nan")));
    json_decref(value);
}
END_TEST

START_TEST(long_lines_are_cut)
{
    static char text[9000];
    memset(text, '"', sizeof text - 1);
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO);
    log_info(text, LOG_TEXT("model", text));
    const char *line = written();
    ck_assert_uint_le(strlen(line), 4096);
    ck_assert_str_eq(line + strlen(line) - 4, "...\n");
    log_open(LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_info(text, LOG_TEXT("model", text), LOG_NUMBER("n", 1));
    line = written();
    ck_assert_uint_le(strlen(line), 4096);
    json_t *value = json_loads(line, 0, NULL);
    ck_assert_ptr_nonnull(value);
    ck_assert(json_is_true(json_object_get(value, "cut")));
    json_decref(value);
    log_info("short", LOG_TEXT("model", text), LOG_NUMBER("n", 1));
    value = json_loads(written(), 0, NULL);
    ck_assert_ptr_nonnull(value);
    ck_assert_int_eq(json_integer_value(json_object_get(value, "n")), 1);
    ck_assert_ptr_null(json_object_get(value, "model"));
    json_decref(value);
}
END_TEST

/* Nobody reads the pipe: the caller goes on, and what was lost is counted. The pipe is made blocking for this. */
START_TEST(a_full_pipe_blocks_nobody)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    log_open(LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO);
    uint64_t before = log_lost();
    char sentence[96];
    for (int i = 0; i < 5000; i++) { /* of one kind only so many would be written */
        snprintf(sentence, sizeof sentence, "%d: a sentence that takes its place in the pipe until there is none left", i);
        log_info(sentence);
    }
    ck_assert_uint_gt(log_lost(), before);
    close(ends[0]);
}
END_TEST

/* JOURNAL_STREAM of another file: standard error was redirected, and gets the lines. */
START_TEST(redirected_stderr_is_no_journal)
{
    setenv("JOURNAL_STREAM", "1:1", 1);
    log_open(LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
    log_info("here");
    ck_assert_ptr_nonnull(strstr(written(), "msg=\"here\""));
    unsetenv("JOURNAL_STREAM");
    log_open(LOG_FORMAT_AUTO, LOG_LEVEL_INFO);
    log_info("there");
    ck_assert_ptr_nonnull(strstr(written(), "msg=\"there\""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_checked_fixture(tcase, catch_stderr, release_stderr);
    tcase_add_test(tcase, logfmt_line);
    tcase_add_test(tcase, no_fields);
    tcase_add_test(tcase, lower_levels_are_silent);
    tcase_add_test(tcase, text_from_outside_cannot_forge);
    tcase_add_test(tcase, json_line_is_json);
    tcase_add_test(tcase, long_lines_are_cut);
    tcase_add_test(tcase, a_full_pipe_blocks_nobody);
    tcase_add_test(tcase, redirected_stderr_is_no_journal);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/feedback.h"
#include "tests/run_suite.h"

#define HEAD "\"request\": \"r\", \"attempt\": 1, \"trainer\": \"t\""

static struct feedback said;
static char why[256];

static int read_text(const char *json)
{
    return feedback_read(&said, text_of(json), why);
}

START_TEST(each_kind_is_read)
{
    ck_assert_int_eq(read_text("{\"say\": \"accept\", " HEAD ", \"more\": [1]}"), 0);
    ck_assert_int_eq(said.say, SAY_ACCEPT);
    ck_assert_str_eq(said.request, "r");
    ck_assert_str_eq(said.trainer, "t");
    ck_assert_uint_eq(said.attempt, 1);
    ck_assert(isnan(said.fraction) && isnan(said.gpu_hours));

    ck_assert_int_eq(read_text("{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 2.0, \"trainer\": \"t\"}"), 0);
    ck_assert_uint_eq(said.attempt, 2);

    ck_assert_int_eq(read_text("{\"say\": \"progress\", " HEAD ", \"fraction\": 0.5, \"note\": \"epoch 3\"}"), 0);
    ck_assert_int_eq(said.say, SAY_PROGRESS);
    ck_assert_double_eq(said.fraction, 0.5);
    ck_assert_str_eq(said.note, "epoch 3");
    ck_assert_int_eq(read_text("{\"say\": \"progress\", " HEAD ", \"fraction\": 1, \"note\": null}"), 0);
    ck_assert_double_eq(said.fraction, 1);
    ck_assert_str_eq(said.note, "");
    ck_assert_int_eq(read_text("{\"say\": \"progress\", " HEAD "}"), 0);
    ck_assert(isnan(said.fraction));

    ck_assert_int_eq(read_text("{\"say\": \"done\", " HEAD ", \"version\": \"v2\", \"artifact\": \"s3://x/y\","
                               " \"metrics\": {\"accuracy\": 0.91, \"name\": \"x\"}, \"gpu_hours\": 2.5}"),
                     0);
    ck_assert_int_eq(said.say, SAY_DONE);
    ck_assert_str_eq(said.version, "v2");
    ck_assert_str_eq(said.artifact, "s3://x/y");
    ck_assert_double_eq(said.gpu_hours, 2.5);
    ck_assert_double_eq(feedback_metric(&said, "accuracy"), 0.91);
    ck_assert(isnan(feedback_metric(&said, "name")));
    ck_assert(feedback_metric_fits(&said, "accuracy") && feedback_metric_fits(&said, "absent"));
    ck_assert(!feedback_metric_fits(&said, "name"));
    ck_assert(isnan(feedback_metric(&said, "latency_ms")));
    feedback_free(&said);

    ck_assert_int_eq(read_text("{\"say\": \"done\", " HEAD ", \"metrics\": {\"hash\": 12345678901234567890, \"rows\": 3}}"), 0);
    ck_assert_uint_eq(said.attempt, 1);
    ck_assert_str_eq(said.metrics_json, "{\"hash\":1.23456789012346e19,\"rows\":3}");
    feedback_free(&said);

    ck_assert_int_eq(read_text("{\"say\": \"fail\", " HEAD ", \"error\": \"out of memory\", \"gpu_hours\": 0}"), 0);
    ck_assert_int_eq(said.say, SAY_FAIL);
    ck_assert_str_eq(said.note, "out of memory");
    ck_assert(said.retry);
    ck_assert_double_eq(said.gpu_hours, 0);
    ck_assert_int_eq(read_text("{\"say\": \"fail\", " HEAD ", \"retry\": false}"), 0);
    ck_assert(!said.retry);
    ck_assert(isnan(feedback_metric(&said, "accuracy")));
}
END_TEST

static const char *const bad[] = {
    "",
    "x",
    "[]",
    "17",
    "{\"say\": \"accept\", " HEAD "} x",
    "{\"say\": \"accept\", \"say\": \"accept\", " HEAD "}",
    "{" HEAD "}",
    "{\"say\": \"Accept\", " HEAD "}",
    "{\"say\": 1, " HEAD "}",
    "{\"say\": null, " HEAD "}",
    "{\"say\": \"accept\", \"attempt\": 1, \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": \"\", \"attempt\": 1, \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": 5, \"attempt\": 1, \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": \"r\", \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 0, \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": -1, \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 1.5, \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": \"1\", \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 12345678901234567890, \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 1.5, \"trainer\": \"t\", \"more\": 12345678901234567890}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 99999999999, \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": true, \"trainer\": \"t\"}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 1}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 1, \"trainer\": \"a\\nb\"}",
    "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 1, \"trainer\": \"a\\u0000b\"}",
    "{\"say\": \"progress\", " HEAD ", \"fraction\": 1.5}",
    "{\"say\": \"progress\", " HEAD ", \"fraction\": -0.1}",
    "{\"say\": \"progress\", " HEAD ", \"fraction\": NaN}",
    "{\"say\": \"progress\", " HEAD ", \"fraction\": \"0.5\"}",
    "{\"say\": \"progress\", " HEAD ", \"fraction\": true}",
    "{\"say\": \"progress\", " HEAD ", \"note\": 5}",
    "{\"say\": \"done\", " HEAD ", \"gpu_hours\": -1}",
    "{\"say\": \"done\", " HEAD ", \"gpu_hours\": 1e400}",
    "{\"say\": \"done\", " HEAD ", \"version\": \"a/b\"}",
    "{\"say\": \"done\", " HEAD ", \"version\": \"\"}",
    "{\"say\": \"done\", " HEAD ", \"version\": 3}",
    "{\"say\": \"done\", " HEAD ", \"metrics\": [1]}",
    "{\"say\": \"done\", " HEAD ", \"metrics\": {\"accuracy\": \"x\"}}",
    "{\"say\": \"done\", " HEAD ", \"metrics\": {\"accuracy\": true}}",
    "{\"say\": \"done\", " HEAD ", \"metrics\": {\"recall\": 1.1}}",
    "{\"say\": \"done\", " HEAD ", \"metrics\": {\"precision\": {\"mean\": 0.9}}}",
    "{\"say\": \"done\", " HEAD ", \"metrics\": {\"latency_ms\": -1}}",
    "{\"say\": \"done\", " HEAD ", \"metrics\": {\"processed_fps\": \"30\"}}",
    "{\"say\": \"fail\", " HEAD ", \"retry\": 0}",
    "{\"say\": \"fail\", " HEAD ", \"error\": {}}",
};

START_TEST(what_is_no_message_is_refused_with_a_sentence)
{
    why[0] = '\0';
    ck_assert_msg(read_text(bad[_i]) == -EINVAL, "%s", bad[_i]);
    ck_assert_uint_gt(strlen(why), 10);
    ck_assert_ptr_null(said.metrics_json);
}
END_TEST

START_TEST(sizes_are_bounded)
{
    static char message[2 * FEEDBACK_BYTES_MAX];
    char name[FEEDBACK_NAME_MAX + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    snprintf(message, sizeof message, "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 1, \"trainer\": \"%s\"}",
             name);
    ck_assert_int_eq(read_text(message), -EINVAL);
    name[FEEDBACK_NAME_MAX] = '\0';
    snprintf(message, sizeof message, "{\"say\": \"accept\", \"request\": \"r\", \"attempt\": 1, \"trainer\": \"%s\"}",
             name);
    ck_assert_int_eq(read_text(message), 0);

    size_t len = (size_t)snprintf(message, sizeof message, "{\"say\": \"accept\", " HEAD "}");
    memset(message + len, ' ', FEEDBACK_BYTES_MAX + 1 - len);
    ck_assert_int_eq(feedback_read(&said, (struct text){message, FEEDBACK_BYTES_MAX}, why), 0);
    ck_assert_int_eq(feedback_read(&said, (struct text){message, FEEDBACK_BYTES_MAX + 1}, why), -EINVAL);

    len = (size_t)snprintf(message, sizeof message, "{\"say\": \"done\", " HEAD ", \"metrics\": {\"m\": \"");
    memset(message + len, 'm', FEEDBACK_METRICS_MAX);
    snprintf(message + len + FEEDBACK_METRICS_MAX, 8, "\"}}");
    ck_assert_int_eq(read_text(message), -EINVAL);

    /* A hundred thousand brackets end in a refusal, not on the stack. */
    memset(message, '[', 100000);
    ck_assert_int_eq(feedback_read(&said, (struct text){message, 100000}, why), -EINVAL);
}
END_TEST

/* RFC 8259 has it, and the output of a program may. */
START_TEST(nul_in_a_text)
{
    ck_assert_int_eq(read_text("{\"say\": \"fail\", " HEAD ", \"retry\": true, \"error\": \"a\\u0000b\"}"), 0);
    ck_assert_str_eq(said.note, "a b");
    ck_assert_int_eq(read_text("{\"say\": \"done\", " HEAD
                               ", \"version\": \"v2\", \"metrics\": {\"x\": \"\\u0000\", \"accuracy\": 0.5}}"),
                     0);
    ck_assert_double_eq(feedback_metric(&said, "accuracy"), 0.5);
    feedback_free(&said);
    ck_assert_int_eq(read_text("{\"say\": \"accept\\u0000x\", " HEAD "}"), -EINVAL);
    ck_assert_int_eq(read_text("{\"say\": \"accept\", \"request\": \"r\\u0000\", \"attempt\": 1, \"trainer\": \"t\"}"),
                     -EINVAL);
}
END_TEST

START_TEST(a_long_note_is_cut_between_characters)
{
    char message[1024], note[512];
    for (size_t i = 0; i + 1 < sizeof note; i += 2)
        memcpy(note + i, "\xc3\xa4", 2);
    note[sizeof note - 2] = '\0';
    snprintf(message, sizeof message, "{\"say\": \"progress\", " HEAD ", \"note\": \"x%s\"}", note);
    ck_assert_int_eq(read_text(message), 0);
    ck_assert_uint_eq(strlen(said.note), FEEDBACK_NOTE_MAX - 1);
}
END_TEST

START_TEST(random_bytes_are_no_message)
{
    static const char good[] = "{\"say\": \"done\", " HEAD ", \"metrics\": {\"accuracy\": 0.91}, \"gpu_hours\": 2.5}";
    srand(8);
    for (int i = 0; i < 20000; i++) {
        char mutant[sizeof good];
        memcpy(mutant, good, sizeof good);
        size_t len = sizeof good - 1;
        for (int k = rand() % 4; k >= 0; k--)
            mutant[(size_t)rand() % len] = (char)rand();
        int rc = feedback_read(&said, (struct text){mutant, (size_t)rand() % len + 1}, why);
        ck_assert(rc == 0 || rc == -EINVAL);
        if (rc == 0)
            feedback_free(&said);
    }
}
END_TEST

START_TEST(replies_have_their_members)
{
    static const struct {
        enum feedback_say say;
        bool cancel;
        const char *text;
    } cases[] = {{SAY_ACCEPT, false, "{\"ok\":true,\"lease_s\":300}"},
                 {SAY_PROGRESS, false, "{\"ok\":true,\"lease_s\":300,\"cancel\":false}"},
                 {SAY_PROGRESS, true, "{\"ok\":true,\"lease_s\":300,\"cancel\":true}"},
                 {SAY_DONE, false, "{\"ok\":true}"},
                 {SAY_FAIL, false, "{\"ok\":true}"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = feedback_granted(cases[i].say, INT64_C(300000000000), cases[i].cancel);
        ck_assert_str_eq(text, cases[i].text);
        free(text);
    }
    char *text = feedback_refused("ended", "the \"request\"");
    ck_assert_str_eq(text, "{\"ok\":false,\"error\":\"ended\",\"message\":\"the \\\"request\\\"\"}");
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("feedback");
    TCase *tests = tcase_create("messages");
    tcase_add_test(tests, each_kind_is_read);
    tcase_add_loop_test(tests, what_is_no_message_is_refused_with_a_sentence, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tests, sizes_are_bounded);
    tcase_add_test(tests, nul_in_a_text);
    tcase_add_test(tests, a_long_note_is_cut_between_characters);
    tcase_add_test(tests, random_bytes_are_no_message);
    tcase_add_test(tests, replies_have_their_members);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

#include <check.h>
#include <stdlib.h>

#include "lib/wire/cloud_event.h"
#include "tests/run_suite.h"

START_TEST(an_event_of_a_model)
{
    struct cloud_event_head head = {.type = "driftd.retraining.done",
                                    .source = "driftd/host",
                                    .id = "abc/7",
                                    .subject = "p/n/v",
                                    .time_s = 1795428000.125};
    char *text = cloud_event_text(&head, text_of("{\"x\":1}"));
    ck_assert_str_eq(text, "{\"specversion\":\"1.0\",\"type\":\"driftd.retraining.done\",\"source\":\"driftd/host\","
                           "\"id\":\"abc/7\",\"time\":\"2026-11-23T10:00:00.125Z\",\"subject\":\"p/n/v\","
                           "\"datacontenttype\":\"application/json\",\"data\":{\"x\":1}}");
    free(text);
}
END_TEST

START_TEST(an_event_of_nobody)
{
    struct cloud_event_head head = {.type = "driftd.alarm", .source = "driftd/host", .id = "1", .time_s = 0};
    char *text = cloud_event_text(&head, text_of("{}"));
    ck_assert_ptr_null(strstr(text, "subject"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cloud_event");
    TCase *tests = tcase_create("shape");
    tcase_add_test(tests, an_event_of_a_model);
    tcase_add_test(tests, an_event_of_nobody);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

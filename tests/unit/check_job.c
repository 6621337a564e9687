#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "lib/wire/job.h"
#include "tests/run_suite.h"

static json_t *at(json_t *root, const char *path)
{
    char key[64];
    while (*path) {
        size_t len = strcspn(path, ".");
        memcpy(key, path, len);
        key[len] = '\0';
        root = json_is_array(root) ? json_array_get(root, (size_t)atoi(key)) : json_object_get(root, key);
        path += len + (path[len] == '.');
    }
    return root;
}

#define STRING(path, value) ck_assert_pstr_eq(json_string_value(at(root, path)), (value))
#define NUMBER(path, value) ck_assert_double_eq_tol(json_number_value(at(root, path)), (value), 1e-12)
#define IS_NULL(path) ck_assert(json_is_null(at(root, path)))

static char *trigger_json(void)
{
    struct job_trigger trigger = {.rule = "accuracy mean < 0.8",
                                  .metric = "accuracy",
                                  .observed = (double)0.52f,
                                  .limit = 0.8,
                                  .severity = 0.35,
                                  .window = 64,
                                  .failures = 3,
                                  .change_at_s = 1795427990.5,
                                  .window_start_s = 1795427000,
                                  .window_end_s = NAN};
    return job_trigger_json(&trigger);
}

START_TEST(a_job_is_a_cloud_event)
{
    char *trigger = trigger_json();
    char *metrics = strdup("{\"accuracy\":{\"last\":0.5,\"mean\":0.52,\"n\":64},\"latency_ms\":{}}");
    struct job_previous previous[] = {{"r1", "grid_search", "failed", NAN, 2.5}, {"r2", "pbt", "done", 0.25, NAN}};
    struct job job = {.source = "driftd/host",
                      .time_s = 1795428000,
                      .created_s = 1795427999.25,
                      .request = "0123456789abcdef0123456789abcdef",
                      .attempt = 2,
                      .strategy = "bayesian",
                      .strategy_reason = "because",
                      .parameters_json = "{\"trials\": 40, \"exact\": 0.1234567890123}",
                      .accept_within_ns = 30000000000,
                      .lease_ns = 300500000000,
                      .trigger_json = trigger,
                      .metrics_json = metrics,
                      .previous = previous,
                      .previous_count = 2};
    ck_assert_int_eq(model_id_parse(&job.model, text_of("visutility/object-detector/v1.2.3")), 0);
    char *text = job_text(&job);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(root != NULL, "%s: %s", error.text, text);
    STRING("specversion", "1.0");
    STRING("type", "driftd.retraining.requested");
    STRING("source", "driftd/host");
    STRING("id", "0123456789abcdef0123456789abcdef/2");
    STRING("time", "2026-11-23T10:00:00.000Z");
    STRING("subject", "visutility/object-detector/v1.2.3");
    STRING("datacontenttype", "application/json");
    STRING("data.request", "0123456789abcdef0123456789abcdef");
    ck_assert(json_is_integer(at(root, "data.attempt")));
    NUMBER("data.attempt", 2);
    STRING("data.model.project", "visutility");
    STRING("data.model.name", "object-detector");
    STRING("data.model.version", "v1.2.3");
    STRING("data.created_at", "2026-11-23T09:59:59.250Z");
    STRING("data.strategy", "bayesian");
    STRING("data.strategy_reason", "because");
    NUMBER("data.accept_within_s", 30);
    NUMBER("data.lease_s", 300.5);
    STRING("data.trigger.rule", "accuracy mean < 0.8");
    STRING("data.trigger.metric", "accuracy");
    NUMBER("data.trigger.observed", 0.52);
    NUMBER("data.trigger.limit", 0.8);
    NUMBER("data.trigger.window", 64);
    NUMBER("data.trigger.failures", 3);
    STRING("data.trigger.change_at", "2026-11-23T09:59:50.500Z");
    STRING("data.trigger.window_start", "2026-11-23T09:43:20.000Z");
    IS_NULL("data.trigger.window_end");
    NUMBER("data.trigger.evidence.n", 64);
    NUMBER("data.trigger.evidence.threshold", 0.8);
    NUMBER("data.metrics.accuracy.mean", 0.52);
    NUMBER("data.metrics.accuracy.n", 64);
    ck_assert(json_is_object(at(root, "data.metrics.latency_ms")));
    ck_assert_uint_eq(json_array_size(at(root, "data.previous")), 2);
    STRING("data.previous.0.request", "r1");
    STRING("data.previous.0.outcome", "failed");
    IS_NULL("data.previous.0.gain");
    NUMBER("data.previous.0.gpu_hours", 2.5);
    NUMBER("data.previous.1.gain", 0.25);
    IS_NULL("data.previous.1.gpu_hours");
    NUMBER("data.parameters.trials", 40);
    /* The user's own numbers go through as they stand; measured ones are not padded with what was never measured. */
    ck_assert_ptr_nonnull(strstr(text, "{\"trials\": 40, \"exact\": 0.1234567890123}"));
    ck_assert_ptr_nonnull(strstr(text, "\"observed\":0.52,\"limit\":0.8,"));
    ck_assert_ptr_nonnull(strstr(text, "\"last\":0.5,\"mean\":0.52,\"n\":64"));
    json_decref(root);
    free(text);
    free(trigger);
    free(metrics);
}
END_TEST

START_TEST(by_hand_has_no_figures)
{
    struct job_trigger trigger = {.rule = "by hand: new data",
                                  .observed = NAN,
                                  .limit = NAN,
                                  .severity = NAN,
                                  .change_at_s = NAN,
                                  .window_start_s = NAN,
                                  .window_end_s = NAN};
    char *text = job_trigger_json(&trigger);
    json_t *root = json_loads(text, 0, NULL);
    STRING("rule", "by hand: new data");
    IS_NULL("metric");
    IS_NULL("observed");
    IS_NULL("limit");
    IS_NULL("change_at");
    ck_assert(json_is_object(at(root, "evidence")));
    json_decref(root);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job");
    TCase *tests = tcase_create("message");
    tcase_add_test(tests, a_job_is_a_cloud_event);
    tcase_add_test(tests, by_hand_has_no_figures);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

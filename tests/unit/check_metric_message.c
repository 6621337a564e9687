/* What a message says besides its events: sentences about drops, topics, and memory from one call to the next.
 *
 * With --dump it is a tool for other tests: reads records from standard input, each a byte ('m' for a metrics/ topic, 'b'
 * for batch/), four bytes of length (little endian) and a payload, and writes one line for each, as wire_message.h says.
 */
#include "tests/run_suite.h"
#include "tests/unit/wire_message.h"

#include <check.h>

#define TIMES_2(x) x x
#define TIMES_32(x) TIMES_2(TIMES_2(TIMES_2(TIMES_2(TIMES_2(x)))))

static const struct {
    const char *model;
    struct text payload;
    enum metric_drop reason;
    const char *detail;
} details[] = {
#define ROW(json, reason, detail) {"p/n/v", {json, sizeof json - 1}, reason, detail}
#define BATCH(json, reason, detail) {NULL, {json, sizeof json - 1}, reason, detail}
    ROW("{\"accuracy\":1.5}", DROP_RANGE, "in \"accuracy\", 1.5: it must lie in [0, 1]"),
    ROW("{\"accuracy\":-3}", DROP_RANGE, "in \"accuracy\", -3: it must lie in [0, 1]"),
    ROW("[{},{\"accuracy\":1.5},{\"accuracy\":2.5},{}]", DROP_RANGE, "event 3: in \"accuracy\", 2.5: it must lie in [0, 1]"),
    ROW("{\"accuracy\":[0.5,1.5,2.5]}", DROP_RANGE, "event 3: in \"accuracy\", 2.5: it must lie in [0, 1]"),
    ROW("{\"accuracy\":\"high\"}", DROP_TYPE, "in \"accuracy\", \"high\": it must be a number"),
    ROW("{\"accuracy\":true}", DROP_TYPE, "in \"accuracy\", true: it must be a number"),
    ROW("{\"x\":{}}", DROP_TYPE,
        "in \"x\", an object: it must be a number, {\"histogram\": ...} or {\"categories\": ...}; in a column a number"),
    ROW("[{\"x\":[1]}]", DROP_TYPE,
        "event 1: in \"x\", an array: it must be a number, {\"histogram\": ...} or {\"categories\": ...}; in a column a number"),
    ROW("{\"x\":1e400}", DROP_NOT_FINITE, "in \"x\", inf: it must be finite and fit a double"),
    ROW("{\"timestamp\":2000000301}", DROP_FUTURE, "in \"timestamp\", 2000000301: it lies too far in the future"),
    ROW("{\"h\":{\"histogram\":{\"edges\":[0,1,0.5],\"counts\":[1,2]}}}", DROP_RANGE,
        "in \"h\", 0.5: the edges of a histogram must rise"),
    ROW("{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[1,2]}}}", DROP_RANGE,
        "in \"h\", an object: a histogram has at least one count, and one edge more than counts"),
    ROW("[7]", DROP_TYPE, "event 1: 7: an event must be an object"),
    ROW(" 7", DROP_TYPE, "a payload must be an object or an array"),
    ROW("\x81\x07\x01", DROP_TYPE, "1: the name of a member must be a string"),
    ROW("\x81\xA1x\xC4\x01\x00", DROP_TYPE,
        "in \"x\", binary data: it must be a number, {\"histogram\": ...} or {\"categories\": ...}; in a column a number"),
    ROW("\x81\xA8" "accuracy\xD6\xFF\x00\x00\x00\x00", DROP_TYPE, "in \"accuracy\", a timestamp: it must be a number"),
    BATCH("[{},{\"x\":1}]", DROP_TYPE, "event 2: an event on a batch/ topic must name its \"model\", a string"),
    BATCH("[{\"model\":\"a/b\"}]", DROP_TOPIC, "event 1: in \"model\", \"a/b\": it must be project/name/version"),

    /* what came from outside is escaped, and cut */
    ROW("{\"a\\nb\\u0000\":1}", DROP_RANGE, "in \"a\\x0Ab\\x00\", 1: the name of a metric must match [a-z][a-z0-9_.]{0,63}"),
    ROW("{\"accuracy\":\"\\\"\\\\\\u001b[31m\\u007f\"}", DROP_TYPE,
        "in \"accuracy\", \"\\\"\\\\\\x1B[31m\\x7F\": it must be a number"),
    ROW("{\"accuracy\":\"\\u00e9\\u20ac\\ud83d\\ude00 \\u0085\\u202e\\u2028\\ufeff\"}", DROP_TYPE,
        "in \"accuracy\", \"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80 \\xC2\\x85\\xE2\\x80\\xAE\\xE2\\x80\\xA8\\xEF\\xBB\\xBF\": "
        "it must be a number"),
    ROW("{\"accuracy\":\"" TIMES_32("abcdefgh") "\"}", DROP_TYPE,
        "in \"accuracy\", \"" TIMES_2(TIMES_2("abcdefgh" "abcdefgh")) "abcdefgh" "abcdefgh" "...\": it must be a number"),
    ROW("{\"" TIMES_32("\\n") "\":\"a\",\"accuracy\":\"" TIMES_32("\\n") "\"}", DROP_TYPE,
        "in \"accuracy\", \"" TIMES_2(TIMES_2("\\x0A\\x0A\\x0A\\x0A")) "\\x0A\\x0A\\x0A\\x0A" "...\": it must be a number"),
    ROW("{\"" TIMES_32("ABCD") "\":{\"a\":1}}", DROP_RANGE,
        "in \"" TIMES_2(TIMES_2("ABCDABCDABCDABCD")) "ABCDABCDABCDABCD" "...\", an object: "
        "the name of a metric must match [a-z][a-z0-9_.]{0,63}"),

    /* where it stops being well formed */
    ROW("", DROP_SYNTAX, "not well formed at byte 0: the payload is empty"),
    ROW("{\"a\":1,\"a\":2}", DROP_SYNTAX, "not well formed at byte 11: an object has the same member twice"),
    ROW("{\"a\":01}", DROP_SYNTAX, "not well formed at byte 6: a comma or a closing bracket is missing"),
    ROW("{\"a\":1}}", DROP_SYNTAX, "not well formed at byte 7: something follows the value"),
};

START_TEST(the_last_drop_of_a_reason_is_told_in_a_sentence)
{
    struct metric_decoder *decoder = test_decoder();
    struct model_id model;
    const struct metric_message *message;
    model_id_parse(&model, text_of("p/n/v"));
    ck_assert_int_eq(metric_decode(decoder, details[_i].model != NULL ? &model : NULL, details[_i].payload, TEST_NOW_S, &message), 0);
    ck_assert_ptr_nonnull(message->detail[details[_i].reason]);
    ck_assert_str_eq(message->detail[details[_i].reason], details[_i].detail);
    for (unsigned i = 0; i < DROP_REASONS; i++)
        ck_assert((message->detail[i] != NULL) == (message->dropped[i] > 0));
    metric_decoder_destroy(&decoder);
}
END_TEST

START_TEST(reasons_have_names)
{
    static const char *const names[] = {"topic", "frames", "syntax", "type", "range", "not_finite", "too_large",
                                        "too_many_models", "future", "unauthorized"};
    ck_assert_uint_eq(sizeof names / sizeof names[0], DROP_REASONS);
    for (unsigned i = 0; i < DROP_REASONS; i++)
        ck_assert_str_eq(metric_drop_name(i), names[i]);
}
END_TEST

static const struct {
    const char *topic;
    enum metric_topic kind;
    const char *name; /* of the model or the node */
} topics[] = {
    {"metrics/p/n/v", TOPIC_METRICS, "p/n/v"},
    {"metrics/visutility/object-detector/v1.2.3", TOPIC_METRICS, "visutility/object-detector/v1.2.3"},
    {"batch/edge-1", TOPIC_BATCH, "edge-1"},
    {"batch/a/b c", TOPIC_BATCH, "a/b c"},
    {"beacon/caf\xC3\xA9", TOPIC_BEACON, "caf\xC3\xA9"},
    {"metrics/p/n", TOPIC_INVALID, NULL},
    {"metrics/p/n/v/w", TOPIC_INVALID, NULL},
    {"metrics/p//v", TOPIC_INVALID, NULL},
    {"metrics/p/*/v", TOPIC_INVALID, NULL},
    {"metrics/", TOPIC_INVALID, NULL},
    {"metrics", TOPIC_INVALID, NULL},
    {"Metrics/p/n/v", TOPIC_INVALID, NULL},
    {"metricsp/n/v", TOPIC_INVALID, NULL},
    {"batch/", TOPIC_INVALID, NULL},
    {"beacon/", TOPIC_INVALID, NULL},
    {"beacon", TOPIC_INVALID, NULL},
    {"batch/\xFF", TOPIC_INVALID, NULL},
    {"other/x", TOPIC_INVALID, NULL},
    {"", TOPIC_INVALID, NULL},
    {"batch/" TIMES_32("abcd"), TOPIC_BATCH, TIMES_32("abcd")},
    {"batch/" TIMES_32("abcd") "e", TOPIC_INVALID, NULL},
};

START_TEST(topics_are_told_apart)
{
    struct model_id model = {0};
    struct text node = {0};
    ck_assert_int_eq(metric_topic_parse(text_of(topics[_i].topic), &model, &node), topics[_i].kind);
    ck_assert((model.whole.at != NULL) == (topics[_i].kind == TOPIC_METRICS));
    ck_assert((node.at != NULL) == (topics[_i].kind == TOPIC_BATCH || topics[_i].kind == TOPIC_BEACON));
    if (topics[_i].name != NULL)
        ck_assert(text_is(topics[_i].kind == TOPIC_METRICS ? model.whole : node, topics[_i].name));
}
END_TEST

/* Runs of one model in a batch of very many: each event has its own, and the pointer says where a run goes on. */
START_TEST(each_row_has_its_model)
{
    enum { ROWS = 5000 };
    struct metric_decoder *decoder = test_decoder();
    const struct metric_message *message;
    for (int times = 0; times < 4; times++) {
        char *json = NULL;
        size_t bytes = 0;
        FILE *out = open_memstream(&json, &bytes);
        for (int i = 0; i < ROWS; i++)
            fprintf(out, "%c{\"model\":\"p/n%d/v\",\"accuracy\":%s}", i ? ',' : '[', i / 3, i % 100 == 50 ? "2" : "0.5");
        fputc(']', out);
        fclose(out);
        metric_decode(decoder, NULL, (struct text){json, bytes}, 0, &message);
        ck_assert_uint_eq(message->event_count, ROWS - ROWS / 100);
        for (uint32_t at = 0, row = 0; at < message->event_count; at++, row++) {
            char id[32];
            row += row % 100 == 50;
            snprintf(id, sizeof id, "p/n%u/v", row / 3);
            ck_assert(text_is(message->events[at].model->whole, id));
            if (at)
                ck_assert_int_eq(message->events[at].model == message->events[at - 1].model,
                                 text_equal(message->events[at].model->whole, message->events[at - 1].model->whole));
        }
        free(json);
    }
    metric_decoder_destroy(&decoder);
}
END_TEST

START_TEST(an_event_has_the_model_of_its_topic)
{
    struct metric_decoder *decoder = test_decoder();
    struct model_id model;
    const struct metric_message *message;
    model_id_parse(&model, text_of("p/n/v"));
    metric_decode(decoder, &model, text_of("[{},{}]"), 0, &message);
    ck_assert_uint_eq(message->event_count, 2);
    ck_assert(text_is(message->events[1].model->whole, "p/n/v") && text_is(message->events[1].model->name, "n"));
    metric_decode(decoder, NULL, text_of("[{\"model\":\"a\\u002fb/c\"}]"), 0, &message);
    ck_assert_uint_eq(message->event_count, 1);
    ck_assert(text_is(message->events[0].model->project, "a") && text_is(message->events[0].model->version, "c"));
    metric_decoder_destroy(&decoder);
    ck_assert_ptr_null(decoder);
    metric_decoder_destroy(&decoder);
}
END_TEST

START_TEST(one_message_leaves_nothing_in_the_next)
{
    static const char *const before[] = {
        "{\"node\":\"a\",\"boot\":7,\"seq\":5,\"note\":\"x\",\"x\":1}",
        "{\"x\":[1,2,3],\"accuracy\":[7,0.5,0.5]}",
        "[{\"x\":1},{\"accuracy\":7},{\"n\":0.5}]",
        "{\"x\":[[[[[[",
        "{\"a\":1,\"b\\n\":\"\\u00e9\",\"a\":1}",
        "{\"x\":[1,2],\"y\":[1]}",
    };
    struct metric_decoder *decoder = test_decoder();
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        free(decoded_line(decoder, "p/n/v", text_of(before[i])));
        char *line = decoded_line(decoder, "p/n/v", text_of("{\"a\":0.5,\"b\":2}"));
        ck_assert_str_eq(line, "[a=0.5 b=2]");
        free(line);
    }
    metric_decoder_destroy(&decoder);
}
END_TEST

START_TEST(time_is_counted_from_arrival)
{
    struct metric_options options = {.max_future_s = 0.5};
    struct metric_decoder *decoder;
    struct model_id model;
    const struct metric_message *message;
    model_id_parse(&model, text_of("p/n/v"));
    ck_assert_int_eq(metric_decoder_new(&decoder, &options), 0);
    metric_decode(decoder, &model, text_of("[{\"timestamp\":100.5},{\"timestamp\":100.51}]"), 100, &message);
    ck_assert_uint_eq(message->event_count, 1);
    ck_assert_uint_eq(message->dropped[DROP_FUTURE], 1);
    metric_decode(decoder, &model, text_of("[{\"timestamp\":100.5},{\"timestamp\":100.51}]"), 101, &message);
    ck_assert_uint_eq(message->event_count, 2);
    metric_decoder_destroy(&decoder);
}
END_TEST

START_TEST(a_payload_is_smaller_than_two_gigabytes)
{
    struct metric_decoder *decoder = test_decoder();
    struct model_id model;
    const struct metric_message *message;
    model_id_parse(&model, text_of("p/n/v"));
    /* Not a byte of it is read. */
    ck_assert_int_eq(metric_decode(decoder, &model, (struct text){"{", (size_t)INT32_MAX + 1}, 0, &message), 0);
    ck_assert_uint_eq(message->dropped[DROP_TOO_LARGE], 1);
    ck_assert_str_eq(message->detail[DROP_TOO_LARGE], "a payload must be smaller than 2 GiB");
    metric_decode(decoder, &model, text_of("{}"), 0, &message);
    ck_assert_uint_eq(message->event_count, 1);
    metric_decoder_destroy(&decoder);
}
END_TEST

static bool read_all(void *at, size_t bytes)
{
    return fread(at, 1, bytes, stdin) == bytes;
}

static int dump(void)
{
    struct metric_decoder *decoder = test_decoder();
    int mode;
    while ((mode = getchar()) != EOF) {
        uint32_t bytes;
        if (!read_all(&bytes, sizeof bytes))
            return 1;
        bytes = le32toh(bytes);
        char *payload = malloc(bytes + (size_t)1);
        if (payload == NULL || !read_all(payload, bytes))
            return 1;
        char *line = decoded_line(decoder, mode == 'b' ? NULL : "p/n/v", (struct text){payload, bytes});
        puts(line);
        free(line);
        free(payload);
    }
    metric_decoder_destroy(&decoder);
    return 0;
}

static int run(void)
{
    Suite *suite = suite_create("metric_message");
    TCase *tcase = tcase_create("metric_message");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, the_last_drop_of_a_reason_is_told_in_a_sentence, 0, sizeof details / sizeof details[0]);
    tcase_add_test(tcase, reasons_have_names);
    tcase_add_loop_test(tcase, topics_are_told_apart, 0, sizeof topics / sizeof topics[0]);
    tcase_add_test(tcase, an_event_has_the_model_of_its_topic);
    tcase_add_test(tcase, each_row_has_its_model);
    tcase_add_test(tcase, one_message_leaves_nothing_in_the_next);
    tcase_add_test(tcase, time_is_counted_from_arrival);
    tcase_add_test(tcase, a_payload_is_smaller_than_two_gigabytes);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

int main(int argc, char **argv)
{
    return argc == 2 && strcmp(argv[1], "--dump") == 0 ? dump() : run();
}

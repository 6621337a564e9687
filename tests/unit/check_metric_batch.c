/* Arrays of events, columnar batches, and batches of many models, in both formats. */
#include "tests/run_suite.h"
#include "tests/unit/wire_message.h"

#include <check.h>

static const struct {
    const char *model; /* of the topic; NULL: batch/<node> */
    const char *json, *line;
} both[] = {
    /* arrays of events */
    {"p/n/v", "[]", ""},
    {"p/n/v", "[{}]", "[]"},
    {"p/n/v", "[{\"x\":1},{\"x\":2},{\"x\":3}]", "[x=1] [x=2] [x=3]"},
    {"p/n/v", "[{\"x\":1},{\"accuracy\":7},{\"x\":3}]", "[x=1] [x=3] range=1"},
    {"p/n/v", "[{\"accuracy\":7},{\"n\":0.5},{\"n\":0},{\"timestamp\":3e9},{\"x\":3}]", "[x=3] type=1 range=2 future=1"},
    {"p/n/v", "[1,\"a\",null,true,[],[{\"x\":1}],{\"x\":2}]", "[x=2] type=6"},
    {"p/n/v", "[{\"x\":[1,2]},{\"x\":3}]", "[x=3] type=1"}, /* columns are not for batches within batches */
    {"p/n/v", "[{\"n\":[1,2]},{\"timestamp\":[3]}]", "type=2"},
    {"p/n/v", "[{\"a\":\"s\"},{\"a\":true,\"b\":\"t\"}]", "ignored=3 [] []"},
    {"p/n/v", "[{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[5]}}},{\"h\":{\"categories\":{\"a\":2}}}]", "[h=H(0,1;5)] [h=C(a:2)]"},

    /* the first event's node, boot and seq are the message's */
    {"p/n/v", "[{\"node\":\"a\",\"boot\":1,\"seq\":5},{\"node\":\"b\",\"boot\":2,\"seq\":6}]", "node=a boot=1 seq=5 [] []"},
    {"p/n/v", "[{},{\"node\":\"b\",\"boot\":2,\"seq\":6}]", "[] []"},
    {"p/n/v", "[{\"seq\":5,\"accuracy\":7},{\"node\":\"b\"}]", "seq=5 [] range=1"},
    {"p/n/v", "[7,{\"node\":\"b\",\"seq\":6}]", "[] type=1"},
    {"p/n/v", "[{\"node\":\"a\"},{\"node\":7,\"x\":1},{\"seq\":-1,\"x\":1},{\"boot\":0.5}]", "node=a [] type=2 range=1"},

    /* columns */
    {"p/n/v", "{\"accuracy\":[0.5,0.25]}", "[accuracy=0.5] [accuracy=0.25]"},
    {"p/n/v", "{\"accuracy\":[0.5,0.25],\"latency_ms\":[3,4],\"fps\":24}",
     "[fps=24 accuracy=0.5 latency_ms=3] [fps=24 accuracy=0.25 latency_ms=4]"},
    {"p/n/v", "{\"fps\":24,\"accuracy\":[0.5,0.25],\"x\":1}", "[fps=24 x=1 accuracy=0.5] [fps=24 x=1 accuracy=0.25]"},
    {"p/n/v", "{\"node\":\"a\",\"boot\":1,\"seq\":5,\"timestamp\":1000,\"n\":8,\"x\":[1,2]}",
     "node=a boot=1 seq=5 [t=1000 n=8 x=1] [t=1000 n=8 x=2]"},
    {"p/n/v", "{\"timestamp\":[1000,1001.5],\"n\":[8,9],\"x\":[1,2]}", "[t=1000 n=8 x=1] [t=1001.5 n=9 x=2]"},
    {"p/n/v", "{\"timestamp\":[\"1970-01-01T00:00:01Z\",2],\"x\":0}", "[t=1 x=0] [t=2 x=0]"},
    {"p/n/v", "{\"n\":[8,9]}", "[n=8] [n=9]"},
    {"p/n/v", "{\"x\":[1,null,3],\"y\":[null,null,6],\"timestamp\":[null,2,3],\"n\":[null,2,3]}",
     "[x=1] [t=2 n=2] [t=3 n=3 x=3 y=6]"},
    {"p/n/v", "{\"x\":[null,null]}", "[] []"},
    {"p/n/v", "{\"x\":[]}", ""},
    {"p/n/v", "{\"x\":[],\"y\":[],\"n\":4,\"node\":\"a\"}", "node=a"},
    {"p/n/v", "{\"x\":[],\"y\":1}", "type=1"},
    {"p/n/v", "{\"x\":[1,2],\"y\":[1]}", "type=1"},
    {"p/n/v", "{\"x\":[1,2],\"y\":[1,2,3]}", "type=1"},
    {"p/n/v", "{\"x\":[1],\"y\":[1,7,3],\"accuracy\":[7]}", "type=1"},
    {"p/n/v", "{\"x\":[1,2],\"timestamp\":[1]}", "type=1"},
    {"p/n/v", "{\"x\":[1,2],\"n\":[]}", "type=1"},
    {"p/n/v", "{\"x\":[1,2],\"seq\":[1,2]}", "type=2"},
    {"p/n/v", "{\"x\":[1,2],\"node\":[\"a\",\"b\"]}", "type=2"},

    /* a mistake in a cell costs its row; one in what all rows share, every row */
    {"p/n/v", "{\"accuracy\":[0.5,7,0.25]}", "[accuracy=0.5] [accuracy=0.25] range=1"},
    {"p/n/v", "{\"accuracy\":[0.5,7,0.25],\"latency_ms\":[1,\"2\",\"3\"]}", "[accuracy=0.5 latency_ms=1] type=1 range=1"},
    {"p/n/v", "{\"x\":[1,[2],{\"y\":3},4]}", "[x=1] [x=4] type=2"},
    {"p/n/v", "{\"x\":[1,2],\"n\":[0,5]}", "[n=5 x=2] range=1"},
    {"p/n/v", "{\"x\":[1,2],\"n\":[1,0.5]}", "[x=1] type=1"},
    {"p/n/v", "{\"x\":[1,2,3],\"timestamp\":[1,3e9,true]}", "[t=1 x=1] type=1 future=1"},
    {"p/n/v", "{\"x\":[1,2],\"accuracy\":7}", "range=2"},
    {"p/n/v", "{\"accuracy\":7,\"x\":[1,2],\"y\":[1,\"2\"]}", "ignored=1 range=2"},
    {"p/n/v", "{\"x\":[1,2],\"Y\":3}", "range=2"},
    {"p/n/v", "{\"x\":[1,2],\"Y\":[3,4]}", "range=2"},
    {"p/n/v", "{\"x\":[1,2],\"timestamp\":3e9}", "future=2"},
    {"p/n/v", "{\"x\":[1,2],\"y\":{}}", "type=2"},
    {"p/n/v", "{\"x\":[1,2],\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[5]}}}", "type=1"},
    {"p/n/v", "{\"x\":[{\"histogram\":{\"edges\":[0,1],\"counts\":[5]}}]}", "type=1"},

    /* strings in columns, as if each row had one */
    {"p/n/v", "{\"x\":[1,2],\"camera\":[\"a\",\"b\"]}", "ignored=2 [x=1] [x=2]"},
    {"p/n/v", "{\"camera\":[\"a\",true],\"x\":[1,2],\"note\":\"c\"}", "ignored=3 [x=1] [x=2]"},
    {"p/n/v", "{\"x\":[1,\"a\",3]}", "ignored=1 [x=1] [] [x=3]"},
    {"p/n/v", "{\"accuracy\":[0.5,\"a\"]}", "[accuracy=0.5] type=1"},
    {"p/n/v", "{\"x\":[1,2],\"camera\":[\"a\"]}", "ignored=1 type=1"},
    {"p/n/v", "{\"accuracy\":0.5,\"tags\":[\"a\",\"b\"]}", "ignored=2 type=1"}, /* that makes no columns */
    {"p/n/v", "{\"accuracy\":0.5,\"tags\":[]}", "type=1"},

    /* many models */
    {NULL, "[]", ""},
    {NULL, "[{\"model\":\"a/b/c\",\"x\":1},{\"x\":2,\"model\":\"d/e/f\"}]", "[a/b/c x=1] [d/e/f x=2]"},
    {NULL, "[{\"model\":\"a/b/c\"},{\"x\":1},{\"model\":7},{\"model\":true},{\"model\":null},{\"model\":[\"a/b/c\"]}]", "[a/b/c] type=5"},
    {NULL, "[{\"model\":\"a/b\"},{\"model\":\"\"},{\"model\":\"a/b/c/d\"},{\"model\":\"a/*/c\"},{\"model\":\"a/b/ c\"}]", "topic=5"},
    {NULL, "[{\"model\":\"a/b\\u0000/c\"},{\"model\":\"\\u00e9/b/c\"}]", "[%C3%A9/b/c] topic=1"},
    {NULL, "[{\"node\":\"a\",\"seq\":1,\"model\":\"a/b/c\"},{\"seq\":9,\"model\":\"a/b/c\"}]", "node=a seq=1 [a/b/c] [a/b/c]"},
    {NULL, "[{\"accuracy\":7},{\"accuracy\":7,\"model\":\"bad\"}]", "range=2"}, /* the first mistake decides */
    {NULL, "[{\"model\":\"bad\",\"accuracy\":7}]", "topic=1"},
    {NULL, "{\"model\":\"a/b/c\",\"x\":1}", "[a/b/c x=1]"}, /* a batch of one */
    {NULL, "{\"model\":\"a/b/c\",\"x\":[1,2]}", "[a/b/c x=1] [a/b/c x=2]"},
    {NULL, "{\"x\":1}", "type=1"},
    {NULL, "{\"x\":[1,2]}", "type=2"},
    {NULL, "{\"model\":[\"a/b/c\",\"a/b/d\"],\"x\":[1,2]}", "type=2"},
};

static const struct {
    struct text json;
    const char *line;
} json_only[] = {
#define ROW(json, line) {{json, sizeof json - 1}, line}
    ROW("[{\"x\":1},{\"x\":1e400},{\"x\":3}]", "[x=1] [x=3] not_finite=1"),
    ROW("{\"x\":[1,1e400,3],\"accuracy\":[1e400,0.5,0.5]}", "[x=3 accuracy=0.5] not_finite=2"),
    ROW("{\"x\":[1,2],\"y\":1e400}", "not_finite=2"),
    ROW("[{\"node\":\"a\",\"seq\":5,\"x\":1},{\"accuracy\":7},{\"y\":2,\"y\":3}]", "syntax=1"),
    ROW("[{\"x\":1},{\"x\":NaN}]", "syntax=1"),
    ROW("[{\"x\":1},{\"x\":2}", "syntax=1"),
    ROW("[{\"x\":1},{\"x\":2},]", "syntax=1"),
    ROW("{\"x\":[1,2],\"x\":[3,4]}", "syntax=1"),
    ROW("{\"x\":[1,01]}", "syntax=1"),
    ROW("{\"x\":[1,2]", "syntax=1"),
    ROW("{\"x\":[1,2],\"y\":[1", "syntax=1"),
};

static struct metric_decoder *decoder;

static void setup(void)
{
    decoder = test_decoder();
}

static void teardown(void)
{
    metric_decoder_destroy(&decoder);
}

static void expect(const char *model, struct text payload, const char *line, const char *label)
{
    char *got = decoded_line(decoder, model, payload);
    ck_assert_msg(strcmp(got, line) == 0, "%s\n  got      %s\n  expected %s", label, got, line);
    free(got);
}

START_TEST(a_batch_in_json)
{
    expect(both[_i].model, text_of(both[_i].json), both[_i].line, both[_i].json);
}
END_TEST

START_TEST(the_same_in_messagepack)
{
    struct text bytes = packed(text_of(both[_i].json));
    ck_assert_msg(bytes.at != NULL, "%s", both[_i].json);
    expect(both[_i].model, bytes, both[_i].line, both[_i].json);
    free((char *)(uintptr_t)bytes.at);
}
END_TEST

START_TEST(what_only_json_can_say)
{
    expect("p/n/v", json_only[_i].json, json_only[_i].line, json_only[_i].json.at);
}
END_TEST

START_TEST(columns_take_messagepack_timestamps)
{
    expect("p/n/v", (struct text){"\x81\xA9timestamp\x92\xD6\xFF\x00\x00\x00\x01\xD6\x05\x00\x00\x00\x01", 24},
           "[t=1] type=1", "timestamps");
}
END_TEST

/* Repeating what all rows share must not make much of little: 200 shared metrics and 60,000 rows are 12 million, from a
 * payload of 62,000 bytes. */
START_TEST(columns_hold_no_more_metrics_than_the_payload_has_bytes)
{
    char *payload = NULL;
    size_t bytes;
    static const struct {
        unsigned shared, rows;
        const char *line;
    } sizes[] = {{200, 60000, "too_large=1"}, {200, 330, "too_large=1"}, {200, 320, NULL}, {0, 100000, NULL}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        FILE *out = open_memstream(&payload, &bytes);
        fputc(0xDE, out);
        put_big_endian(out, sizes[i].shared + 1, 2);
        for (unsigned j = 0; j < sizes[i].shared; j++) {
            char name[8];
            pack_text(out, name, (size_t)snprintf(name, sizeof name, "m%u", j));
            fputc(1, out);
        }
        pack_text(out, "x", 1);
        fputc(0xDD, out);
        put_big_endian(out, sizes[i].rows, 4);
        for (unsigned j = 0; j < sizes[i].rows; j++)
            fputc((int)(j & 0x7F), out);
        fclose(out);
        if (sizes[i].line != NULL) {
            expect("p/n/v", (struct text){payload, bytes}, sizes[i].line, "rows");
        } else {
            struct model_id model;
            const struct metric_message *message;
            model_id_parse(&model, text_of("p/n/v"));
            ck_assert_int_eq(metric_decode(decoder, &model, (struct text){payload, bytes}, 0, &message), 0);
            ck_assert_uint_eq(message->event_count, sizes[i].rows);
            for (unsigned j = 0; j < sizes[i].rows; j++) {
                const struct metric_event *event = &message->events[j];
                const struct metric *last = &event->metrics[event->metric_count - 1];
                if (event->metric_count != sizes[i].shared + 1 || last->number != (j & 0x7F))
                    ck_abort_msg("row %u", j);
            }
        }
        free(payload);
    }
}
END_TEST

START_TEST(a_large_batch_comes_out_whole_and_in_order)
{
    char *json = NULL;
    size_t bytes;
    struct model_id model;
    const struct metric_message *message;
    FILE *out = open_memstream(&json, &bytes);
    for (unsigned i = 0; i < 20000; i++)
        fprintf(out, "%s{\"x\":%u,\"h\":{\"histogram\":{\"edges\":[%u,%u],\"counts\":[%u]}},\"c\":{\"categories\":{\"k\\u0030%u\":%u}}}",
                i == 0 ? "[" : ",", i, i, i + 1, i, i, i);
    fputs("]", out);
    fclose(out);
    model_id_parse(&model, text_of("p/n/v"));
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(metric_decode(decoder, &model, (struct text){json, bytes}, 0, &message), 0);
        ck_assert_uint_eq(message->event_count, 20000);
        for (unsigned i = 0; i < 20000; i++) {
            const struct metric *metrics = message->events[i].metrics;
            char name[16];
            snprintf(name, sizeof name, "k0%u", i);
            if (message->events[i].metric_count != 3 || metrics[0].number != i || metrics[1].histogram.edges[0] != i ||
                metrics[1].histogram.counts[0] != i || metrics[2].categories.at[0].count != i ||
                !text_is(metrics[2].categories.at[0].name, name))
                ck_abort_msg("event %u", i);
        }
    }
    free(json);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_batch");
    TCase *tcase = tcase_create("metric_batch");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_batch_in_json, 0, sizeof both / sizeof both[0]);
    tcase_add_loop_test(tcase, the_same_in_messagepack, 0, sizeof both / sizeof both[0]);
    tcase_add_loop_test(tcase, what_only_json_can_say, 0, sizeof json_only / sizeof json_only[0]);
    tcase_add_test(tcase, columns_take_messagepack_timestamps);
    tcase_add_test(tcase, columns_hold_no_more_metrics_than_the_payload_has_bytes);
    tcase_add_test(tcase, a_large_batch_comes_out_whole_and_in_order);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

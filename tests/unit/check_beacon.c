/* The beacon of a serving node: the highest seq it sent on each topic. */
#include "tests/run_suite.h"
#include "tests/unit/wire_message.h"

#include <check.h>

static const struct {
    const char *json, *line; /* node boot topic:seq … reason=count … */
} both[] = {
    {"{}", "type=1"},
    {"{\"node\":\"a\",\"boot\":\"b\",\"topics\":{\"p/n/v\":5,\"batch\":0}}", "a b p/n/v:5 batch:0"},
    {"{\"topics\":{\"p/n/v\":9223372036854775807},\"boot\":-7}", "-7 p/n/v:9223372036854775807"},
    {"{\"node\":null,\"boot\":null,\"topics\":null}", "type=1"},
    {"{\"topics\":{}}", ""},
    {"{\"topics\":{\"p/n/v\":null,\"p/n/w\":3.0}}", "p/n/w:3"},
    {"{\"topics\":{\"p/n\":1,\"p/n/v\":2,\"Batch\":3,\"\":4}}", "p/n/v:2 topic=3"},
    {"{\"topics\":{\"p/n/v\":\"5\",\"p/n/w\":0.5,\"p/n/x\":-1,\"p/n/y\":1e20,\"p/n/z\":[1],\"p/n/a\":{},\"p/n/b\":8}}",
     "p/n/b:8 type=4 range=2"},
    {"{\"node\":\"a\",\"load\":0.5,\"tags\":[1,{\"a\":2}],\"note\":\"x\",\"topics\":{\"batch\":1}}", "a batch:1"},
    {"{\"node\":7,\"topics\":{\"p/n/v\":5,\"x\":1}}", "type=1"}, /* costs the message */
    {"{\"topics\":{\"p/n/v\":5,\"x\":1},\"boot\":0.5}", "type=1"},
    {"{\"topics\":[1]}", "type=1"},
    {"{\"topics\":5,\"node\":\"a\"}", "type=1"},
    {"[]", "type=1"},
    {"[{\"node\":\"a\"}]", "type=1"},
};

static const struct {
    struct text bytes;
    const char *line;
} other[] = {
#define ROW(bytes, line) {{bytes, sizeof bytes - 1}, line}
    ROW("", "syntax=1"),
    ROW("5", "syntax=1"),
    ROW(" 5", "type=1"),
    ROW("{\"topics\":{\"p/n/v\":5,\"p/n/v\":6}}", "syntax=1"),
    ROW("{\"node\":\"a\",\"topics\":{\"p/n/v\":5}", "syntax=1"),
    ROW("{\"node\":7,\"topics\":{\"p/n/v\":5}", "syntax=1"),
    ROW("{\"topics\":{\"p/n/v\":1e400}}", "not_finite=1"),
    ROW("{\"topics\":{\"p/n/v\":18446744073709551615}}", "p/n/v:18446744073709551615"),
    ROW("{\"topics\":{\"p\\u002fn/v\":5}}", "p/n/v:5"),
    ROW("\x81\xA6topics\x82\x05\x01\xA5" "batch\x02", "batch:2 type=1"),
    ROW("\x82\x05\x81\xA1" "a\x01\xA4node\xA1" "a", "type=1"),
    ROW("{\"node\":\"a\",\"boot\":7}", "type=1"),
};

static void expect(struct text payload, const char *expected, const char *label)
{
    struct metric_decoder *decoder = test_decoder();
    const struct beacon_message *beacon;
    char *line = NULL, *copy = malloc(payload.len > 0 ? payload.len : 1);
    size_t bytes;
    if (payload.len > 0)
        memcpy(copy, payload.at, payload.len);
    ck_assert_int_eq(beacon_decode(decoder, (struct text){copy, payload.len}, &beacon), 0);
    FILE *out = open_memstream(&line, &bytes);
    put_text(out, beacon->node);
    fputc(' ', out);
    put_text(out, beacon->boot);
    for (uint32_t i = 0; i < beacon->topic_count; i++) {
        fputc(' ', out);
        put_text(out, beacon->topics[i].topic);
        fprintf(out, ":%" PRIu64, beacon->topics[i].seq);
    }
    for (unsigned i = 0; i < DROP_REASONS; i++) {
        ck_assert((beacon->detail[i] != NULL) == (beacon->dropped[i] > 0));
        if (beacon->dropped[i] > 0)
            fprintf(out, " %s=%" PRIu32, metric_drop_name(i), beacon->dropped[i]);
    }
    fclose(out);
    char *got = line;
    got += strspn(got, " ");
    if (beacon->node.len > 0 && beacon->boot.len == 0) /* "a  x": one space too many */
        memmove(got + beacon->node.len, got + beacon->node.len + 1, strlen(got + beacon->node.len));
    ck_assert_msg(strcmp(got, expected) == 0, "%s\n  got      %s\n  expected %s", label, got, expected);
    free(line);
    free(copy);
    metric_decoder_destroy(&decoder);
}

START_TEST(a_beacon_in_json)
{
    expect(text_of(both[_i].json), both[_i].line, both[_i].json);
}
END_TEST

START_TEST(the_same_in_messagepack)
{
    struct text bytes = packed(text_of(both[_i].json));
    expect(bytes, both[_i].line, both[_i].json);
    free((char *)(uintptr_t)bytes.at);
}
END_TEST

START_TEST(other_payloads)
{
    expect(other[_i].bytes, other[_i].line, other[_i].bytes.at);
}
END_TEST

START_TEST(many_topics)
{
    struct metric_decoder *decoder = test_decoder();
    const struct beacon_message *beacon;
    char *json = NULL;
    size_t bytes;
    FILE *out = open_memstream(&json, &bytes);
    fputs("{\"topics\":{", out);
    for (unsigned i = 0; i < 50000; i++)
        fprintf(out, "%s\"p/n/v%u\":%u", i == 0 ? "" : ",", i, i);
    fputs("}}", out);
    fclose(out);
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(beacon_decode(decoder, (struct text){json, bytes}, &beacon), 0);
        ck_assert_uint_eq(beacon->topic_count, 50000);
        ck_assert_uint_eq(beacon->topics[49999].seq, 49999);
        ck_assert_int_eq(beacon_decode(decoder, text_of("{\"topics\":{\"batch\":5}}"), &beacon), 0);
        ck_assert_uint_eq(beacon->topic_count, 1);
        ck_assert(text_is(beacon->topics[0].topic, "batch"));
    }
    free(json);
    metric_decoder_destroy(&decoder);
}
END_TEST

START_TEST(a_beacon_and_metrics_share_a_decoder)
{
    struct metric_decoder *decoder = test_decoder();
    const struct beacon_message *beacon;
    for (int round = 0; round < 2; round++) {
        char *line = decoded_line(decoder, "p/n/v", text_of("{\"boot\":5,\"x\":[1,2],\"accuracy\":7}"));
        ck_assert_str_eq(line, "boot=5 range=2");
        free(line);
        ck_assert_int_eq(beacon_decode(decoder, text_of("{\"boot\":6,\"topics\":{\"x\":1}}"), &beacon), 0);
        ck_assert(text_is(beacon->boot, "6"));
        ck_assert_uint_eq(beacon->dropped[DROP_RANGE], 0);
        ck_assert_str_eq(beacon->detail[DROP_TOPIC], "in \"x\", 1: a beacon's topic must be project/name/version or \"batch\"");
    }
    metric_decoder_destroy(&decoder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("beacon");
    TCase *tcase = tcase_create("beacon");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_beacon_in_json, 0, sizeof both / sizeof both[0]);
    tcase_add_loop_test(tcase, the_same_in_messagepack, 0, sizeof both / sizeof both[0]);
    tcase_add_loop_test(tcase, other_payloads, 0, sizeof other / sizeof other[0]);
    tcase_add_test(tcase, many_topics);
    tcase_add_test(tcase, a_beacon_and_metrics_share_a_decoder);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

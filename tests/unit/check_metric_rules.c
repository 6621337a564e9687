/* Every rule about the members of one event, in both formats. */
#include "tests/run_suite.h"
#include "tests/unit/wire_message.h"

#include <check.h>

#define LONG_16 "abcdefghijklmnop"
#define LONG_64 LONG_16 LONG_16 LONG_16 LONG_16
#define LONG_128 LONG_64 LONG_64

/* Payloads that mean the same in both formats. */
static const struct {
    const char *json, *line;
} both[] = {
    /* events */
    {"{}", "[]"},
    {"{\"accuracy\":0.5}", "[accuracy=0.5]"},
    {"{\"accuracy\":0.5,\"precision\":0.25,\"recall\":1,\"latency_ms\":12.5,\"processed_fps\":30}",
     "[accuracy=0.5 precision=0.25 recall=1 latency_ms=12.5 processed_fps=30]"},
    {"{\"node\":\"edge 1\",\"boot\":\"b7\",\"seq\":9,\"timestamp\":1000.5,\"n\":32,\"x\":-2.5}",
     "node=edge%201 boot=b7 seq=9 [t=1000.5 n=32 x=-2.5]"},

    /* null is absent */
    {"{\"accuracy\":null,\"x\":null,\"timestamp\":null,\"n\":null,\"node\":null,\"boot\":null,\"seq\":null}", "[]"},
    {"{\"Any Name\":null,\"model\":null}", "[]"},

    /* ratios */
    {"{\"accuracy\":0,\"precision\":1,\"recall\":0.0}", "[accuracy=0 precision=1 recall=0]"},
    {"{\"accuracy\":-0.0}", "[accuracy=-0]"},
    {"{\"accuracy\":1.0000001}", "range=1"},
    {"{\"precision\":-0.001}", "range=1"},
    {"{\"recall\":2}", "range=1"},
    {"{\"accuracy\":\"0.5\"}", "type=1"},
    {"{\"precision\":true}", "type=1"},
    {"{\"recall\":[0.5]}", "[recall=0.5]"}, /* columnar, one row */
    {"{\"accuracy\":{}}", "type=1"},
    {"{\"accuracy\":{\"histogram\":{\"edges\":[0,1],\"counts\":[1]}}}", "type=1"},

    /* what cannot be negative */
    {"{\"latency_ms\":0,\"processed_fps\":0}", "[latency_ms=0 processed_fps=0]"},
    {"{\"latency_ms\":1e300,\"processed_fps\":1e300}",
     "[latency_ms=1.0000000000000001e+300 processed_fps=1.0000000000000001e+300]"},
    {"{\"latency_ms\":-0.001}", "range=1"},
    {"{\"processed_fps\":-1}", "range=1"},
    {"{\"latency_ms\":\"12\"}", "type=1"},
    {"{\"processed_fps\":false}", "type=1"},
    {"{\"latency_ms\":{\"categories\":{}}}", "type=1"},

    /* metrics of the user's own */
    {"{\"mean_confidence\":-7,\"a\":0,\"z9._\":1e-300}", "[mean_confidence=-7 a=0 z9._=1e-300]"},
    {"{\"" LONG_64 "\":1}", "[" LONG_64 "=1]"},
    {"{\"" LONG_64 "x\":1}", "range=1"},
    {"{\"\":1}", "range=1"},
    {"{\"Accuracy\":1}", "range=1"},
    {"{\"_a\":1}", "range=1"},
    {"{\"9a\":1}", "range=1"},
    {"{\"a-b\":1}", "range=1"},
    {"{\"a b\":1}", "range=1"},
    {"{\"caf\\u00e9\":1}", "range=1"},
    {"{\"aB\":1}", "range=1"},
    {"{\"A\":{\"histogram\":{\"edges\":[0,1],\"counts\":[1]}}}", "range=1"},
    {"{\"A\":[1,2]}", "range=1"},
    {"{\"model\":0.5}", "[model=0.5]"}, /* means something on batch/ only */

    /* strings and booleans under names that mean nothing */
    {"{\"camera\":\"north\",\"ok\":true,\"Any Name\":\"x\",\"\":false,\"accuracy\":0.5}", "ignored=4 [accuracy=0.5]"},
    {"{\"model\":\"p/n/v\"}", "ignored=1 []"},

    /* what is neither */
    {"{\"x\":{}}", "type=1"},
    {"{\"x\":{\"mean\":1}}", "type=1"},
    {"{\"x\":{\"histogram\":5}}", "type=1"},
    {"{\"x\":{\"histogram\":null}}", "type=1"},
    {"{\"x\":{\"categories\":[1]}}", "type=1"},
    {"{\"x\":{\"histogram\":{\"edges\":[0,1],\"counts\":[1]},\"unit\":\"s\"}}", "type=1"},
    {"{\"x\":{\"histogram\":{\"edges\":[0,1],\"counts\":[1]},\"categories\":{\"a\":1}}}", "type=1"},
    {"{\"x\":{\"categories\":{\"a\":1},\"categories2\":{\"a\":1}}}", "type=1"},

    /* timestamp */
    {"{\"timestamp\":0}", "[t=0]"},
    {"{\"timestamp\":-1.5}", "[t=-1.5]"},
    {"{\"timestamp\":2000000300}", "[t=2000000300]"},
    {"{\"timestamp\":2000000300.5}", "future=1"},
    {"{\"timestamp\":1e18}", "future=1"},
    {"{\"timestamp\":-1e18}", "range=1"},
    {"{\"timestamp\":-62167219200}", "[t=-62167219200]"},
    {"{\"timestamp\":-62167219201}", "range=1"},
    {"{\"timestamp\":\"1970-01-01T00:00:01.5Z\"}", "[t=1.5]"},
    {"{\"timestamp\":\"2100-01-01T00:00:00Z\"}", "future=1"},
    {"{\"timestamp\":\"1970-01-01\"}", "range=1"},
    {"{\"timestamp\":\"\"}", "range=1"},
    {"{\"timestamp\":\"12\"}", "range=1"},
    {"{\"timestamp\":true}", "type=1"},
    {"{\"timestamp\":{}}", "type=1"},

    /* n */
    {"{\"n\":1}", "[]"},
    {"{\"n\":9223372036854775807}", "[n=9223372036854775807]"},
    {"{\"n\":3.0}", "[n=3]"},
    {"{\"n\":3e2}", "[n=300]"},
    {"{\"n\":0}", "range=1"},
    {"{\"n\":0.0}", "range=1"},
    {"{\"n\":-3}", "range=1"},
    {"{\"n\":-3.0}", "range=1"},
    {"{\"n\":1e20}", "range=1"},
    {"{\"n\":18446744073709551616.0}", "range=1"},
    {"{\"n\":3.5}", "type=1"},
    {"{\"n\":-3.5}", "type=1"},
    {"{\"n\":\"3\"}", "type=1"},
    {"{\"n\":true}", "type=1"},
    {"{\"n\":{}}", "type=1"},

    /* node, boot, seq: of the message, even when its event is dropped */
    {"{\"node\":\"\",\"boot\":\"\"}", "[]"},
    {"{\"node\":\"" LONG_128 "\",\"boot\":\"" LONG_128 "\"}", "node=" LONG_128 " boot=" LONG_128 " []"},
    {"{\"node\":\"" LONG_128 "x\"}", "range=1"},
    {"{\"boot\":\"" LONG_128 "x\"}", "range=1"},
    {"{\"node\":7}", "type=1"},
    {"{\"node\":true}", "type=1"},
    {"{\"node\":[\"a\"]}", "type=1"},
    {"{\"node\":{}}", "type=1"},
    {"{\"node\":\"a\\u0000\\nb\"}", "node=a%00%0Ab []"},
    {"{\"boot\":7}", "boot=7 []"},
    {"{\"boot\":-7}", "boot=-7 []"},
    {"{\"boot\":7.0}", "boot=7 []"},
    {"{\"boot\":9223372036854775807}", "boot=9223372036854775807 []"},
    {"{\"boot\":7.5}", "type=1"},
    {"{\"boot\":1e30}", "range=1"},
    {"{\"boot\":false}", "type=1"},
    {"{\"boot\":[]}", "type=1"},
    {"{\"seq\":0}", "seq=0 []"},
    {"{\"seq\":5.0}", "seq=5 []"},
    {"{\"seq\":-1}", "range=1"},
    {"{\"seq\":1e20}", "range=1"},
    {"{\"seq\":0.5}", "type=1"},
    {"{\"seq\":\"5\"}", "type=1"},
    {"{\"seq\":[5]}", "type=1"},
    {"{\"node\":\"a\",\"boot\":1,\"seq\":5,\"accuracy\":7}", "node=a boot=1 seq=5 range=1"},
    {"{\"accuracy\":7,\"node\":\"a\",\"boot\":1,\"seq\":5}", "node=a boot=1 seq=5 range=1"},
    {"{\"node\":7,\"seq\":5}", "seq=5 type=1"},

    /* histograms */
    {"{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[5]}}}", "[h=H(0,1;5)]"},
    {"{\"h\":{\"histogram\":{\"counts\":[0,9223372036854775807],\"edges\":[-1.5,0,1e300]}}}",
     "[h=H(-1.5,0,1.0000000000000001e+300;0,9223372036854775807)]"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[3.0]},\"categories\":null}}", "[h=H(0,1;3)]"},
    {"{\"a\":1,\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[5]}},\"b\":2}", "[a=1 h=H(0,1;5) b=2]"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,1,2],\"counts\":[5]}}}", "range=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[5,6]}}}", "range=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0],\"counts\":[]}}}", "range=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[],\"counts\":[]}}}", "range=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,0],\"counts\":[1]}}}", "range=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[1,0],\"counts\":[1]}}}", "range=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[-1]}}}", "range=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[1e20]}}}", "range=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[0.5]}}}", "type=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[null]}}}", "type=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,\"1\"],\"counts\":[1]}}}", "type=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,null],\"counts\":[1]}}}", "type=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,[1]],\"counts\":[1]}}}", "type=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,1]}}}", "type=1"},
    {"{\"h\":{\"histogram\":{\"counts\":[1]}}}", "type=1"},
    {"{\"h\":{\"histogram\":{}}}", "type=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":null}}}", "type=1"},
    {"{\"h\":{\"histogram\":{\"edges\":{},\"counts\":[1]}}}", "type=1"},
    {"{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[1],\"sum\":1}}}", "type=1"},
    {"{\"h\":{\"histogram\":[]}}", "type=1"},

    /* categories */
    {"{\"c\":{\"categories\":{\"cat\":12,\"dog\":0}}}", "[c=C(cat:12,dog:0)]"},
    {"{\"c\":{\"categories\":{}}}", "[c=C()]"},
    {"{\"c\":{\"categories\":{\"\":1,\"a b\\n\":2,\"\\u20ac\":3.0}}}", "[c=C(:1,a%20b%0A:2,%E2%82%AC:3)]"},
    {"{\"c\":{\"categories\":{\"cat\":null,\"dog\":1}}}", "[c=C(dog:1)]"},
    {"{\"c\":{\"categories\":{\"cat\":-1}}}", "range=1"},
    {"{\"c\":{\"categories\":{\"cat\":1e20}}}", "range=1"},
    {"{\"c\":{\"categories\":{\"cat\":0.5}}}", "type=1"},
    {"{\"c\":{\"categories\":{\"cat\":\"1\"}}}", "type=1"},
    {"{\"c\":{\"categories\":{\"cat\":{\"black\":1}}}}", "type=1"},
    {"{\"c\":{\"categories\":\"cat\"}}", "type=1"},

    /* the first mistake decides, and what follows it is read all the same */
    {"{\"accuracy\":7,\"node\":7}", "range=1"},
    {"{\"n\":1.5,\"accuracy\":7}", "type=1"},
    {"{\"x\":{\"y\":{\"z\":[1,{\"deep\":[]}]}},\"accuracy\":0.5}", "type=1"},
};

/* JSON alone can say these. */
static const struct {
    struct text json;
    const char *line;
} json_only[] = {
#define ROW(json, line) {{json, sizeof json - 1}, line}
    ROW("{\"x\":1e400}", "not_finite=1"),
    ROW("{\"x\":-1e400}", "not_finite=1"),
    ROW("{\"accuracy\":1e400}", "not_finite=1"),
    ROW("{\"latency_ms\":-1e400}", "not_finite=1"),
    ROW("{\"timestamp\":1e400}", "not_finite=1"),
    ROW("{\"n\":1e400}", "not_finite=1"),
    ROW("{\"seq\":1e400}", "not_finite=1"),
    ROW("{\"boot\":1e400}", "not_finite=1"),
    ROW("{\"node\":1e400}", "type=1"),
    ROW("{\"h\":{\"histogram\":{\"edges\":[0,1e400],\"counts\":[1]}}}", "not_finite=1"),
    ROW("{\"h\":{\"histogram\":{\"edges\":[0,1],\"counts\":[1e400]}}}", "not_finite=1"),
    ROW("{\"c\":{\"categories\":{\"a\":1e400}}}", "not_finite=1"),
    ROW("{\"x\":1e-400}", "[x=0]"),
    ROW("{\"n\":18446744073709551615,\"seq\":18446744073709551615,\"boot\":18446744073709551615}",
        "boot=18446744073709551615 seq=18446744073709551615 [n=18446744073709551615]"),
    ROW("{\"n\":18446744073709551616}", "range=1"),
    ROW("{\"seq\":18446744073709551616}", "range=1"),
    ROW("{\"seq\":-0}", "seq=0 []"),
    ROW("{\"n\":-0}", "range=1"),
    ROW("{\"acc\\u0075racy\":0.5,\"\\u006eode\":\"\\uD83D\\uDE00\"}", "node=%F0%9F%98%80 [accuracy=0.5]"),
    ROW("{\"accuracy\":0.5,\"acc\\u0075racy\":0.5}", "syntax=1"),
    ROW("{\"accuracy\":0.5,\"accuracy\":0.5}", "syntax=1"),
    ROW("{\"x\":null,\"x\":null}", "syntax=1"),
    ROW("{\"note\":\"a\",\"note\":\"b\"}", "syntax=1"),
    ROW("{\"c\":{\"categories\":{\"a\":1,\"a\":1}}}", "syntax=1"),
    ROW("{\"x\":{\"deep\":[{\"a\":1,\"a\":1}]}}", "syntax=1"),
    ROW("{\"accuracy\":NaN}", "syntax=1"),
    ROW("{\"accuracy\":Infinity}", "syntax=1"),
    ROW("{\"accuracy\":01}", "syntax=1"),
    ROW("{\"accuracy\":.5}", "syntax=1"),
    ROW("{\"accuracy\":0.5", "syntax=1"),
    ROW("{\"accuracy\":0.5}x", "syntax=1"),
    ROW("{\"accuracy\":0.5}{}", "syntax=1"),
    ROW("{\"node\":\"\xFF\"}", "syntax=1"),
    ROW("{\"\xC3\":1}", "syntax=1"),
    ROW("{\"node\":\"a\",\"seq\":5,\"note\":\"x\",\"accuracy\":7,\"n\":}", "syntax=1"), /* nothing else is left of it */
    ROW("", "syntax=1"),
    ROW("0.5", "syntax=1"),
    ROW(" 0.5", "type=1"),
    ROW("\n\"text\"", "type=1"),
    ROW("\tnull", "type=1"),
    ROW(" {\"accuracy\" : 0.5 } \r\n", "[accuracy=0.5]"),
};

/* MessagePack alone can say these; \x81 a map of one, \xA1x the name "x". */
static const struct {
    struct text bytes;
    const char *line;
} msgpack_only[] = {
    ROW("\x81\xA1x\xCB\x7F\xF8\x00\x00\x00\x00\x00\x00", "not_finite=1"),
    ROW("\x81\xA1x\xCB\xFF\xF0\x00\x00\x00\x00\x00\x00", "not_finite=1"),
    ROW("\x81\xA1x\xCA\x7F\x80\x00\x00", "not_finite=1"),
    ROW("\x81\xA8" "accuracy\xCA\x7F\xC0\x00\x00", "not_finite=1"),
    ROW("\x81\xA1n\xCA\x7F\xC0\x00\x00", "not_finite=1"),
    ROW("\x81\xA9timestamp\xCA\x7F\xC0\x00\x00", "not_finite=1"),
    ROW("\x81\xA1x\xCA\x3F\x00\x00\x00", "[x=0.5]"),
    ROW("\x81\xA1x\xCC\xFF", "[x=255]"),
    ROW("\x81\xA1x\xCD\xFF\xFF", "[x=65535]"),
    ROW("\x81\xA1x\xCE\xFF\xFF\xFF\xFF", "[x=4294967295]"),
    ROW("\x81\xA1x\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "[x=1.8446744073709552e+19]"),
    ROW("\x81\xA1x\xD0\xFF", "[x=-1]"),
    ROW("\x81\xA1x\xD1\xFF\xFE", "[x=-2]"),
    ROW("\x81\xA1x\xD2\xFF\xFF\xFF\xFD", "[x=-3]"),
    ROW("\x81\xA1x\xE0", "[x=-32]"),
    ROW("\x81\xA3seq\xCF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "seq=18446744073709551615 []"),
    ROW("\x81\xA3seq\xCA\x40\xA0\x00\x00", "seq=5 []"),
    ROW("\x81\xA4" "boot\xD3\x80\x00\x00\x00\x00\x00\x00\x00", "boot=-9223372036854775808 []"),
    ROW("\x81\xA9timestamp\xD6\xFF\x00\x00\x00\x01", "[t=1]"),
    ROW("\x81\xA9timestamp\xD7\xFF\x77\x35\x94\x00\x00\x00\x00\x01", "[t=1.5]"),
    ROW("\x81\xA9timestamp\xC7\x0C\xFF\x1D\xCD\x65\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFE", "[t=-1.5]"),
    ROW("\x81\xA9timestamp\xC7\x0C\xFF\x3B\x9A\xCA\x00\x00\x00\x00\x00\x00\x00\x00\x00", "range=1"),
    ROW("\x81\xA9timestamp\xC7\x0C\xFF\x00\x00\x00\x00\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", "future=1"),
    ROW("\x81\xA9timestamp\xC7\x0C\xFF\x00\x00\x00\x00\x80\x00\x00\x00\x00\x00\x00\x00", "range=1"),
    ROW("\x81\xA9timestamp\xD6\xFF\x90\x00\x00\x00", "future=1"),
    ROW("\x81\xA9timestamp\xD4\xFF\x01", "type=1"),
    ROW("\x81\xA9timestamp\xC4\x01\x01", "type=1"),
    ROW("\x81\xA1x\xD6\xFF\x00\x00\x00\x01", "type=1"),
    ROW("\x81\xA1x\xC4\x01\xFF", "type=1"),
    ROW("\x81\xA1x\xD4\x05\x00", "type=1"),
    ROW("\x81\xA1X\xC4\x01\xFF", "range=1"),
    ROW("\x81\xA4node\xC4\x01\x61", "type=1"),
    ROW("\x81\xA4" "boot\xC4\x01\x61", "type=1"),
    ROW("\x81\xC4\x01x\x01", "type=1"), /* names must be str */
    ROW("\x81\x01\x02", "type=1"),
    ROW("\x81\xC0\xC0", "type=1"),
    ROW("\x82\x81\xA1" "a\x01\x01\xA1x\x01", "type=1"),
    ROW("\x81\xA1" "c\x81\xAA" "categories\x81\x01\x02", "type=1"),
    ROW("\x81\xA1" "c\x81\x01\x02", "type=1"),
    ROW("\x81\xA1h\x81\xA9histogram\x81\x01\xC0", "type=1"),
    ROW("\x82\xA1x\x01\xA1x\x02", "syntax=1"),
    ROW("\x81\xA1" "c\x81\xAA" "categories\x82\xA1" "a\x01\xA1" "a\x02", "syntax=1"),
    ROW("\x81\xA1x", "syntax=1"),
    ROW("\x82\xA1x\x01", "syntax=1"),
    ROW("\x81\xA1x\x01\x01", "syntax=1"),
    ROW("\x81\xA1x\xC1", "syntax=1"),
    ROW("\x81\xA4node\xA1\xFF", "syntax=1"),
    ROW("\x81\xA1\xFF\x01", "syntax=1"),
    ROW("\xDF\xFF\xFF\xFF\xFF\xA1x\x01", "syntax=1"),
    ROW("\xC0", "syntax=1"),
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

static void expect(struct text payload, const char *line, const char *label)
{
    char *got = decoded_line(decoder, "p/n/v", payload);
    ck_assert_msg(strcmp(got, line) == 0, "%s\n  got      %s\n  expected %s", label, got, line);
    free(got);
}

START_TEST(an_event_in_json)
{
    expect(text_of(both[_i].json), both[_i].line, both[_i].json);
}
END_TEST

START_TEST(the_same_in_messagepack)
{
    struct text bytes = packed(text_of(both[_i].json));
    ck_assert_msg(bytes.at != NULL, "%s", both[_i].json);
    expect(bytes, both[_i].line, both[_i].json);
    free((char *)(uintptr_t)bytes.at);
}
END_TEST

START_TEST(what_only_json_can_say)
{
    expect(json_only[_i].json, json_only[_i].line, json_only[_i].json.at);
}
END_TEST

START_TEST(what_only_messagepack_can_say)
{
    char label[40];
    snprintf(label, sizeof label, "row %d", _i);
    expect(msgpack_only[_i].bytes, msgpack_only[_i].line, label);
}
END_TEST

/* One more than what is allowed, and just as many: {"m0":0,"m1":1,...} and the like. */
static char *many(const char *head, const char *item, unsigned count, const char *tail)
{
    char *json = NULL;
    size_t bytes;
    FILE *out = open_memstream(&json, &bytes);
    fputs(head, out);
    for (unsigned i = 0; i < count; i++) {
        _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wformat-nonliteral\"")
            fprintf(out, item, i == 0 ? "" : ",", i);
        _Pragma("GCC diagnostic pop")
    }
    fputs(tail, out);
    fclose(out);
    return json;
}

static void expect_counts(char *json, uint32_t events, uint32_t metrics, uint32_t bins, uint32_t too_large)
{
    struct model_id model;
    struct text payloads[2] = {text_of(json), packed(text_of(json))};
    model_id_parse(&model, text_of("p/n/v"));
    for (int i = 0; i < 2; i++) {
        const struct metric_message *message;
        ck_assert_int_eq(metric_decode(decoder, &model, payloads[i], TEST_NOW_S, &message), 0);
        ck_assert_uint_eq(message->event_count, events);
        ck_assert_uint_eq(message->dropped[DROP_TOO_LARGE], too_large);
        if (events > 0) {
            const struct metric *last = &message->events[0].metrics[message->events[0].metric_count - 1];
            ck_assert_uint_eq(message->events[0].metric_count, metrics);
            ck_assert(last->kind != METRIC_HISTOGRAM || last->histogram.bins == bins);
            ck_assert(last->kind != METRIC_CATEGORIES || last->categories.count == bins);
        }
    }
    free((char *)(uintptr_t)payloads[1].at);
    free(json);
}

START_TEST(an_event_may_carry_so_many_metrics)
{
    expect_counts(many("{", "%s\"m%u\":1", METRIC_EVENT_MAX, "}"), 1, METRIC_EVENT_MAX, 0, 0);
    expect_counts(many("{", "%s\"m%u\":1", METRIC_EVENT_MAX + 1, "}"), 0, 0, 0, 1);
    expect_counts(many("{", "%s\"m%u\":[1,2]", METRIC_EVENT_MAX, "}"), 2, METRIC_EVENT_MAX, 0, 0);
    expect_counts(many("{", "%s\"m%u\":[1,2]", METRIC_EVENT_MAX + 1, "}"), 0, 0, 0, 2);
    expect_counts(many("{\"x\":[1,2],", "%s\"m%u\":1", METRIC_EVENT_MAX, "}"), 0, 0, 0, 2);
    expect_counts(many("{", "%s\"m%u\":1", METRIC_EVENT_MAX, ",\"x\":[1,2]}"), 0, 0, 0, 2);
    expect_counts(many("{\"n\":[1,2],", "%s\"m%u\":1", METRIC_EVENT_MAX, ",\"timestamp\":[1,2]}"), 2, METRIC_EVENT_MAX, 0, 0);
    expect_counts(many("[{", "%s\"m%u\":1", METRIC_EVENT_MAX + 5, "},{\"x\":1}]"), 1, 1, 0, 1);
}
END_TEST

START_TEST(a_metric_may_have_so_many_bins)
{
    unsigned most = METRIC_BINS_MAX;
    expect_counts(many("{\"c\":{\"categories\":{", "%s\"k%u\":1", most, "}}}"), 1, 1, most, 0);
    expect_counts(many("{\"c\":{\"categories\":{", "%s\"k%u\":1", most + 1, "}}}"), 0, 0, 0, 1);
    for (unsigned over = 0; over < 2; over++) {
        char *json, *edges = many("{\"h\":{\"histogram\":{\"edges\":[", "%s%u", most + over + 1, "],"),
                   *counts = many("\"counts\":[", "%s%u", most + over, "]}}}");
        ck_assert_int_gt(asprintf(&json, "%s%s", edges, counts), 0);
        expect_counts(json, !over, 1, most, over);
        free(edges);
        free(counts);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metric_rules");
    TCase *tcase = tcase_create("metric_rules");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, an_event_in_json, 0, sizeof both / sizeof both[0]);
    tcase_add_loop_test(tcase, the_same_in_messagepack, 0, sizeof both / sizeof both[0]);
    tcase_add_loop_test(tcase, what_only_json_can_say, 0, sizeof json_only / sizeof json_only[0]);
    tcase_add_loop_test(tcase, what_only_messagepack_can_say, 0, sizeof msgpack_only / sizeof msgpack_only[0]);
    tcase_add_test(tcase, an_event_may_carry_so_many_metrics);
    tcase_add_test(tcase, a_metric_may_have_so_many_bins);
    tcase_add_checked_fixture(tcase, setup, teardown);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

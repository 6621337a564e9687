/* A recording: what is written is read back as the same, to the last bit. */
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/wire/recorded.h"
#include "tests/run_suite.h"

static struct metric_decoder *decoder;

static void open_decoder(void)
{
    struct metric_options options = {.recorded = true, .max_future_s = 0};
    ck_assert_int_eq(metric_decoder_new(&decoder, &options), 0);
}

static void close_decoder(void)
{
    metric_decoder_destroy(&decoder);
}

static const struct metric_message *decode(const char *line)
{
    const struct metric_message *message;
    ck_assert_int_eq(metric_decode(decoder, NULL, text_of(line), INFINITY, &message), 0);
    return message;
}

/* Numbers that many writers lose something of. */
static const double awkward[] = {0.1, 1.0 / 3, 1e308, 5e-324, DBL_MIN, DBL_EPSILON, 1764000000.1234567, 123456789012345678.0,
                                 -2.5e-7, 9007199254740993.0, 0.3 - 0.1, 1e22, 4.35, 100};
#define AWKWARD (sizeof awkward / sizeof *awkward)

START_TEST(events_come_back_as_they_were)
{
    struct metric metrics[AWKWARD + 2];
    char names[AWKWARD][8];
    const double edges[] = {0, 0.1, 1.0 / 3};
    const uint64_t counts[] = {7, UINT64_C(9007199254740993)};
    const struct metric_category categories[] = {{{"a \"cat\"\n\xc3\xa9", 10}, 3}, {{"", 0}, 5}};
    for (uint32_t i = 0; i < AWKWARD; i++) {
        snprintf(names[i], sizeof names[i], "m%u", i);
        metrics[i] = (struct metric){.name = text_of(names[i]), .kind = METRIC_NUMBER, .number = awkward[i]};
    }
    metrics[AWKWARD] = (struct metric){
        .name = text_of("bright"), .kind = METRIC_HISTOGRAM, .histogram = {.edges = edges, .counts = counts, .bins = 2}};
    metrics[AWKWARD + 1] =
        (struct metric){.name = text_of("class"), .kind = METRIC_CATEGORIES, .categories = {.at = categories, .count = 2}};
    struct metric_event event = {
        .timestamp_s = 1763999999.987654321, .n = 12, .metrics = metrics, .metric_count = AWKWARD + 2};
    struct model_id id;
    ck_assert_int_eq(model_id_parse(&id, text_of("p/m \"x\"/\xc3\xa9")), 0);
    event.model = &id;
    const struct recorded_at at = {1764000000.000000238418579, INT64_C(987654321987654321), UINT64_C(18446744073709551615)};
    struct json_write out = {.at = NULL};
    recorded_event(&out, &event, &at);
    char *line = json_write_take(&out);
    ck_assert_ptr_null(strchr(line, '\n'));

    const struct metric_message *message = decode(line);
    ck_assert_uint_eq(message->event_count, 1);
    ck_assert_uint_eq(message->ignored, 0);
    const struct metric_event *back = &message->events[0];
    struct recorded_at taken;
    ck_assert(recorded_taken(message->taken, &taken));
    ck_assert(taken.steady_ns == at.steady_ns && taken.place == at.place);
    ck_assert(message->received_s == at.received_s && back->timestamp_s == event.timestamp_s && back->n == 12);
    ck_assert(text_equal(back->model->whole, id.whole));
    ck_assert_uint_eq(back->metric_count, AWKWARD + 2);
    for (uint32_t i = 0; i < AWKWARD; i++)
        ck_assert_msg(memcmp(&back->metrics[i].number, &awkward[i], sizeof(double)) == 0, "%.17g", awkward[i]);
    const struct metric *histogram = &back->metrics[AWKWARD], *classes = &back->metrics[AWKWARD + 1];
    ck_assert(histogram->kind == METRIC_HISTOGRAM && histogram->histogram.bins == 2);
    ck_assert(memcmp(histogram->histogram.edges, edges, sizeof edges) == 0);
    ck_assert(memcmp(histogram->histogram.counts, counts, sizeof counts) == 0);
    ck_assert(classes->kind == METRIC_CATEGORIES && classes->categories.count == 2);
    ck_assert(text_equal(classes->categories.at[0].name, categories[0].name) && classes->categories.at[0].count == 3);
    free(line);
}
END_TEST

/* Who records a recording that somebody published as it stands writes no member twice. */
START_TEST(a_recorded_recording)
{
    struct metric metrics[] = {{.name = text_of("received_at"), .kind = METRIC_NUMBER, .number = 5},
                               {.name = text_of("model"), .kind = METRIC_NUMBER, .number = 4},
                               {.name = text_of("x"), .kind = METRIC_NUMBER, .number = 6}};
    struct metric_event event = {.timestamp_s = NAN, .n = 1, .metrics = metrics, .metric_count = 3};
    struct model_id id;
    ck_assert_int_eq(model_id_parse(&id, text_of("a/b/c")), 0);
    event.model = &id;
    struct json_write out = {.at = NULL};
    recorded_event(&out, &event, &(struct recorded_at){7, 8, 9});
    char *line = json_write_take(&out);
    ck_assert_str_eq(line, "{\"model\":\"a/b/c\",\"received_at\":7,\"taken\":\"8 9\",\"x\":6}");
    free(line);
}
END_TEST

START_TEST(a_plain_decoder_takes_received_at_for_a_metric)
{
    static const char line[] = "{\"model\":\"a/b/c\",\"received_at\":7,\"taken\":\"8 9\",\"x\":6}";
    const struct metric_message *message = decode(line);
    ck_assert_uint_eq(message->events[0].metric_count, 1);
    struct metric_decoder *plain;
    ck_assert_int_eq(metric_decoder_new(&plain, &(struct metric_options){.max_future_s = 0}), 0);
    ck_assert_int_eq(metric_decode(plain, NULL, text_of(line), 0, &message), 0);
    ck_assert_uint_eq(message->events[0].metric_count, 2);
    ck_assert_uint_eq(message->ignored, 1);
    metric_decoder_destroy(&plain);
    ck_assert_double_eq(decode("{\"model\":\"a/b/c\",\"received_at\":\"1970-01-01T00:00:10Z\"}")->received_s, 10);
    ck_assert(isnan(decode("{\"model\":\"a/b/c\",\"received_at\":null}")->received_s));
    ck_assert_uint_eq(decode("{\"model\":\"a/b/c\",\"received_at\":{}}")->dropped[DROP_TYPE], 1);
}
END_TEST

START_TEST(other_lines)
{
    struct json_write out = {.at = NULL};
    struct recorded_line line;
    const struct recorded_at at = {1764000000.5, -5, 17};
    const struct recorded_standing standing = {true, false, 3, INT64_MIN, INT64_MAX, -7};
    recorded_stands(&out, text_of("a/b/c"), &at, &standing);
    char *text = json_write_take(&out);
    ck_assert(recorded_may_be_other(text_of(text)));
    ck_assert_int_eq(recorded_read(text_of(text), &line), RECORDED_STANDS);
    ck_assert_str_eq(line.model, "a/b/c");
    ck_assert(line.at.steady_ns == -5 && line.at.place == 17 && line.at.received_s == at.received_s);
    ck_assert(line.standing.live && !line.standing.unrecoverable && line.standing.episode == 3);
    ck_assert(line.standing.triggered_ns == INT64_MIN && line.standing.ended_ns == INT64_MAX);
    ck_assert(line.standing.held_ns == -7);
    free(text);

    recorded_transition(&out, text_of("a/b/c"), 5,
                        text_of("{\"type\":\"driftd.retraining.done\",\"data\":{\"request\":\"12ab\",\"state\":\"DONE\","
                                "\"strategy\":\"pbt\",\"by\":\"trainer x\",\"trigger\":{\"observed\":0.5,\"limit\":null}}}"));
    text = json_write_take(&out);
    ck_assert(recorded_may_be_other(text_of(text)));
    ck_assert_int_eq(recorded_read(text_of(text), &line), RECORDED_TRANSITION);
    ck_assert_str_eq(line.type, "driftd.retraining.done");
    ck_assert_str_eq(line.request, "12ab");
    ck_assert_str_eq(line.state, "DONE");
    ck_assert_str_eq(line.strategy, "pbt");
    ck_assert_double_eq(line.observed, 0.5);
    ck_assert(isnan(line.limit));
    ck_assert_str_eq(line.by, "trainer x");
    free(text);

    recorded_lost(&out, 12);
    text = json_write_take(&out);
    ck_assert_int_eq(recorded_read(text_of(text), &line), RECORDED_LOST);
    ck_assert_uint_eq(line.lost, 12);
    free(text);

    static const char *const events[] = {"{\"model\":\"a/b/c\",\"lost\":5}", "{\"model\":\"a/b/c\"}", "", "[", "5",
                                         "{\"stands\":{}}", "{\"transition\":5,\"model\":\"a/b/c\"}"};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        ck_assert_msg(recorded_read(text_of(events[i]), &line) == RECORDED_EVENT, "%s", events[i]);
    struct recorded_at taken;
    static const char *const none[] = {"", " ", "5", "5 ", "5 -1", "5 6 ", "a 6", "5 6x"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_msg(!recorded_taken(text_of(none[i]), &taken), "'%s'", none[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recorded");
    TCase *cases = tcase_create("recorded");
    tcase_add_checked_fixture(cases, open_decoder, close_decoder);
    tcase_add_test(cases, events_come_back_as_they_were);
    tcase_add_test(cases, a_recorded_recording);
    tcase_add_test(cases, a_plain_decoder_takes_received_at_for_a_metric);
    tcase_add_test(cases, other_lines);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

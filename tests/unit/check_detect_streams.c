/* Every detector, event for event, against tables that independent scripts worked out from the formulas.
 *
 *     check_detect_streams --dump DETECTOR OPTIONS STREAM
 *
 * prints what it says to a stream instead of testing, one index and state a line; STREAM - reads numbers from standard
 * input. tests/line/test_detect_oracle.py uses that. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/detect/detect.h"
#include "tests/run_suite.h"
#include "tests/unit/detect_expected.h"
#include "tests/unit/detect_streams.h"

#define SHOWN 12

static struct detect *make(const char *name, const char *options)
{
    struct detect_params params;
    struct detect_error error = {""};
    struct detect *detector = NULL;
    char copy[128], *save = NULL;
    snprintf(copy, sizeof(copy), "%s", options);
    int failed = detect_params_init(&params, name, &error);
    for (char *word = strtok_r(copy, " ", &save); word && !failed; word = strtok_r(NULL, " ", &save)) {
        char *equals = strchr(word, '=');
        *equals = '\0';
        failed = detect_params_set_text(&params, word, text_of(equals + 1), &error);
    }
    if (failed || detect_new(&detector, name, &params)) {
        fprintf(stderr, "%s %s: %s\n", name, options, error.text);
        exit(1);
    }
    return detector;
}

START_TEST(says_what_the_formulas_say)
{
    const struct expected *row = &expected[_i];
    const struct stream *stream = stream_find(row->stream);
    ck_assert_ptr_nonnull(stream);
    struct source source = stream_source(stream);
    struct detect *detector = make(row->detector, row->options);
    enum detect_state before = DETECT_NONE;
    int drifts = 0, warnings = 0;
    for (int i = 0; i < STREAM_LENGTH; i++) {
        enum detect_state state = detect_add(detector, stream->draw(&source, i)).state;
        if (state == DETECT_DRIFT && drifts++ < SHOWN)
            ck_assert_msg(i == row->drift[drifts - 1], "%s %s on %s: drift %d at %d, expected %d of %d", row->detector,
                          row->options, row->stream, drifts, i, row->drift[drifts - 1], row->drifts);
        if (state == DETECT_WARNING && before != DETECT_WARNING && warnings++ < SHOWN)
            ck_assert_msg(i == row->warning[warnings - 1], "%s %s on %s: warning %d at %d, expected %d of %d",
                          row->detector, row->options, row->stream, warnings, i, row->warning[warnings - 1],
                          row->warnings);
        before = state;
    }
    ck_assert_int_eq(drifts, row->drifts);
    ck_assert_int_eq(warnings, row->warnings);
    detect_destroy(&detector);
}
END_TEST

/* The first drift after a change is to know when the change was and how large, within what chance allows. */
static const struct {
    const char *detector, *options, *stream;
    int change;
    double size, off; /* how far the size may be off */
    int late;         /* how far the time may be off */
} changes[] = {
    {"cusum", "mean=0 sd=1 h=8", "step", 1500, 1.5, 0.8, 10},
    {"cusum", "h=8", "step", 1500, 1.5, 0.8, 10},
    {"cusum", "mean=0 sd=1 h=8", "fall", 1200, -1, 0.5, 10},
    {"ewma", "mean=0 sd=1 L=4", "step", 1500, 1.5, 0.8, 30},
    {"shewhart", "mean=0 sd=1 L=4", "step", 1500, 3, 2, 60},
    {"page_hinkley", "direction=up delta=0.3", "step", 1500, 1.5, 0.5, 60},
    {"page_hinkley", "direction=down delta=0.3", "fall", 1200, -1, 0.3, 60},
    {"page_hinkley", "reference=200 threshold=25 delta=0.3 direction=up", "step", 1500, 1.5, 0.6, 60},
    {"adwin", "", "step", 1500, 1.5, 0.5, 64},
    {"ddm", "", "errors", 1000, 0.2, 0.15, 300},
    {"hddm_a", "", "errors", 1000, 0.2, 0.12, 100},
    {"hddm_w", "", "errors", 1000, 0.2, 0.3, 700},
    {"kswin", "alpha=0.0001", "step", 1500, 1.5, 0.8, 30},
    {"evidence", "budget=0.15 direction=up alpha=0.00001", "errors", 1000, 0.15, 0.1, 100},
    {"psi", "", "step", 1500, 1.5, 0.8, 200},
    {"wasserstein", "", "step", 1500, 1.5, 0.8, 200},
};

START_TEST(knows_when_and_how_much)
{
    const struct stream *stream = stream_find(changes[_i].stream);
    struct source source = stream_source(stream);
    struct detect *detector = make(changes[_i].detector, changes[_i].options);
    struct detect_verdict verdict = {0};
    for (int i = 0; i < STREAM_LENGTH; i++) {
        verdict = detect_add(detector, stream->draw(&source, i));
        ck_assert_uint_eq(verdict.n, (uint64_t)i + 1);
        if (verdict.state == DETECT_DRIFT && i >= changes[_i].change)
            break;
    }
    ck_assert_int_eq(verdict.state, DETECT_DRIFT);
    double late = (double)verdict.changed_at - changes[_i].change;
    ck_assert_msg(late < changes[_i].late && -late < changes[_i].late, "%s: change at %g, expected %d",
                  changes[_i].detector, (double)verdict.changed_at, changes[_i].change);
    ck_assert_msg(verdict.size > changes[_i].size - changes[_i].off &&
                      verdict.size < changes[_i].size + changes[_i].off,
                  "%s: size %g, expected %g", changes[_i].detector, verdict.size, changes[_i].size);
    ck_assert_double_le(verdict.lower, verdict.size);
    ck_assert_double_ge(verdict.upper, verdict.size);
    detect_destroy(&detector);
}
END_TEST

static int dump(const char *name, const char *options, const char *from)
{
    const struct stream *stream = stream_find(from);
    struct source source = stream ? stream_source(stream) : (struct source){0};
    struct detect *detector = make(name, options);
    double value;
    for (int i = 0; stream ? i < STREAM_LENGTH : scanf("%lf", &value) == 1; i++) {
        if (stream)
            value = stream->draw(&source, i);
        enum detect_state state = detect_add(detector, value).state;
        if (state != DETECT_NONE)
            printf("%d %s\n", i, detect_state_name(state));
    }
    detect_destroy(&detector);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--dump") == 0)
        return dump(argv[2], argv[3], argv[4]);
    Suite *suite = suite_create("detect_streams");
    TCase *table = tcase_create("table");
    tcase_set_timeout(table, 60);
    tcase_add_loop_test(table, says_what_the_formulas_say, 0, sizeof(expected) / sizeof(expected[0]));
    tcase_add_loop_test(table, knows_when_and_how_much, 0, sizeof(changes) / sizeof(changes[0]));
    suite_add_tcase(suite, table);
    return run_suite(suite);
}

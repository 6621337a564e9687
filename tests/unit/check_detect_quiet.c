/* What a detector promises to say nothing about it says nothing about, up to the very bounds; and taken together it
 * comes to what it comes to one by one. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/streams.h"
#include "lib/detect/detect.h"
#include "tests/rounds.h"
#include "tests/run_suite.h"

#define MOST 16
#define LEAST 8
#define VALUES 3000
#define SEEDS ROUNDS_OR(12, 3)

static struct detect_params made(const char *detector, const char *const settings[])
{
    struct detect_params params;
    struct detect_error error;
    ck_assert_int_eq(detect_params_init(&params, detector, &error), 0);
    for (; *settings; settings += 2)
        ck_assert_msg(detect_params_set_text(&params, settings[0], text_of(settings[1]), &error) == 0, "%s",
                      error.text);
    return params;
}

static void *saved(const struct detect *detect, size_t *size)
{
    *size = detect_save(detect, NULL, 0);
    void *bytes = malloc(*size);
    ck_assert_uint_eq(detect_save(detect, bytes, *size), *size);
    return bytes;
}

/* A value that is just allowed, at one end or the other, or somewhere between them, or what comes anyway. */
static double allowed(const struct detect_quiet *quiet, double previous, double usual, struct stream *s)
{
    const double from = quiet->phi * previous, low = quiet->low + from, high = quiet->high + from;
    const double choice = stream_uniform(s);
    double seen = choice < 0.3 ? high : choice < 0.6 ? low : quiet->logs ? detect_log(usual) : usual;
    seen = fmin(fmax(seen, fmax(low, -1e9)), fmin(high, 1e9));
    return quiet->logs ? exp(fmin(seen, 300)) : seen;
}

static bool keeps(const struct detect_quiet *quiet, double previous, double value)
{
    const double rest = (quiet->logs ? detect_log(value) : value) - quiet->phi * previous;
    return rest >= quiet->low && rest <= quiet->high;
}

/* Up to the bounds with one, then with the other; returns how many values went that way. */
static uint32_t go_quietly(struct detect *one, struct detect *other, double usual, struct stream *s)
{
    struct detect_quiet quiet;
    struct detect_verdict verdict, last;
    double values[MOST];
    const uint32_t most = stream_uniform(s) < 0.5 ? LEAST : MOST;
    ck_assert(detect_quiet(one, most, &quiet));
    ck_assert_uint_le(quiet.values, most);
    uint32_t count = 0;
    double previous = quiet.previous;
    for (; count < quiet.values; count++) {
        values[count] = allowed(&quiet, previous, usual, s);
        if (!keeps(&quiet, previous, values[count]))
            break;
        previous = quiet.logs ? detect_log(values[count]) : values[count];
        detect_take(one, values[count], &verdict);
        ck_assert_msg(verdict.state == DETECT_NONE, "%s: value %u of %u, %a, within %a and %a: %a beyond %a",
                      detect_name_of(one), count, quiet.values, values[count], quiet.low, quiet.high, verdict.statistic,
                      verdict.threshold);
    }
    if (count == 0)
        return 0;
    detect_take_quiet(other, values, count, &last);
    ck_assert_uint_eq(last.n, verdict.n);
    ck_assert(isnan(last.statistic) ? isnan(verdict.statistic) : last.statistic == verdict.statistic);
    ck_assert(isnan(last.threshold) ? isnan(verdict.threshold) : last.threshold == verdict.threshold);
    return count;
}

static void ck_assert_same(const struct detect *one, const struct detect *other)
{
    size_t size, size_other;
    void *bytes = saved(one, &size), *bytes_other = saved(other, &size_other);
    ck_assert(size == size_other && memcmp(bytes, bytes_other, size) == 0);
    free(bytes);
    free(bytes_other);
}

/* Runs a detector through a stream that drifts now and then. At least one value in `part` goes quietly. */
static void run(const struct detect_params *params, const char *name, uint32_t part,
                double (*next)(struct stream *, uint32_t))
{
    uint64_t quiet = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stream s = stream_seeded(71, seed);
        struct detect *one, *other;
        ck_assert_int_eq(detect_new(&one, name, params), 0);
        ck_assert_int_eq(detect_new(&other, name, params), 0);
        for (uint32_t i = 0; i < VALUES; i++) {
            struct detect_verdict verdict;
            const double value = next(&s, i);
            quiet += stream_uniform(&s) < 0.4 ? go_quietly(one, other, value, &s) : 0;
            detect_take(one, value, &verdict);
            detect_take(other, value, &verdict);
            if (i % 50 == 0)
                ck_assert_same(one, other);
        }
        ck_assert_same(one, other);
        detect_destroy(&one);
        detect_destroy(&other);
    }
    ck_assert_msg(quiet * part >= SEEDS * VALUES, "%s: only %llu values went quietly", name, (unsigned long long)quiet);
}

static double steps(struct stream *s, uint32_t i)
{
    return 40 + 2 * stream_normal(s) + (i % 1000 > 900 ? 3 : 0);
}

static double shares(struct stream *s, uint32_t i)
{
    return stream_share(s, 40, i % 700 > 640 ? 0.8 : 0.93);
}

static double skewed(struct stream *s, uint32_t i)
{
    return 80 * exp(0.4 * stream_autoregressive(s, 0.6)) * (i % 1000 > 940 ? 2 : 1);
}

static double far_off(struct stream *s, uint32_t i)
{
    return 1e6 + 1e-3 * stream_autoregressive(s, 0.5) + (i % 997 == 3 ? 1e5 : 0);
}

static double (*const streams[])(struct stream *, uint32_t) = {steps, shares, skewed, far_off};

START_TEST(charts_promise_silence_only_where_they_keep_it)
{
    static const char *const charts[] = {"cusum", "ewma", "shewhart"};
    static const char *const settings[][7] = {
        {"reference", "60"},
        {"reference", "60", "direction", "up"},
        {"reference", "250", "prewhiten", "true", "direction", "down"},
        {"reference", "120", "log", "auto", "prewhiten", "true"},
        {"reference", "40", "robust", "true", "log", "on"},
    };
    for (size_t chart = 0; chart < sizeof charts / sizeof *charts; chart++)
        for (size_t k = 0; k < sizeof settings / sizeof *settings; k++)
            for (int promised = 0; promised < 2; promised++) {
                struct detect_params params = made(charts[chart], settings[k]);
                if (promised)
                    ck_assert_int_eq(detect_params_promise(&params, 20000, NULL), 0);
                run(&params, charts[chart], 20, streams[(k + (size_t)promised) % 4]);
            }
}
END_TEST

START_TEST(page_hinkley_promises_silence_only_where_it_keeps_it)
{
    static const char *const settings[][7] = {
        {NULL},
        {"threshold", "5", "delta", "0.1"},
        {"threshold", "20", "alpha", "0.9", "direction", "down"},
        {"reference", "50", "threshold", "12", "delta", "0.2", NULL},
        {"threshold", "1000", "direction", "up"},
    };
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++)
        for (size_t stream = 0; stream < 4; stream++) {
            struct detect_params params = made("page_hinkley", settings[k]);
            run(&params, "page_hinkley", 1000, streams[stream]);
        }
}
END_TEST

START_TEST(evidence_promises_silence_only_where_it_keeps_it)
{
    static const char *const settings[][7] = {
        {"budget", "0.9"},
        {"budget", "0.9", "alpha", "0.02"},
        {"budget", "0.5", "direction", "up"},
        {"budget", "60", "low", "0", "high", "1000", NULL},
    };
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
        struct detect_params params = made("evidence", settings[k]);
        run(&params, "evidence", 1000, k == 3 ? skewed : shares);
    }
}
END_TEST

START_TEST(adwin_promises_silence_only_where_it_keeps_it)
{
    static const char *const settings[][3] = {{NULL}, {"clock", "7"}, {"clock", "100"}, {"delta", "0.3"}};
    for (size_t k = 0; k < sizeof settings / sizeof *settings; k++) {
        struct detect_params params = made("adwin", settings[k]);
        run(&params, "adwin", 10, streams[k]);
    }
}
END_TEST

START_TEST(a_detector_that_cannot_know_says_so)
{
    struct detect_quiet quiet;
    struct detect *ddm;
    ck_assert_int_eq(detect_new(&ddm, "ddm", NULL), 0);
    ck_assert(!detect_quiet(ddm, MOST, &quiet));
    detect_destroy(&ddm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("detect_quiet");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 300);
    tcase_add_test(all, charts_promise_silence_only_where_they_keep_it);
    tcase_add_test(all, page_hinkley_promises_silence_only_where_it_keeps_it);
    tcase_add_test(all, evidence_promises_silence_only_where_it_keeps_it);
    tcase_add_test(all, adwin_promises_silence_only_where_it_keeps_it);
    tcase_add_test(all, a_detector_that_cannot_know_says_so);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

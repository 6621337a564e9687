/* backtest_case.h - what the tests of the backtest share: a run whose triggers are kept, and lines of a recording. */
#ifndef TESTS_BACKTEST_CASE_H
#define TESTS_BACKTEST_CASE_H

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/backtest/backtest.h"
#include "tests/run_suite.h"
#include "tests/unit/check_config.h"

#define MODEL "p/m/1"
#define MOST 128 /* triggers of a test */
#define S INT64_C(1000000000)

/* Three failures in a row, and a minute of back-off. */
static const char budgets[] = "budgets:\n"
                              "  - models: '*'\n"
                              "    window: 1\n"
                              "    min_events: 1\n"
                              "    consecutive_failures: 3\n"
                              "    recover_after: 4\n"
                              "    backoff: 60s\n"
                              "    kpis: {accuracy: {min: 0.8, over: last}}\n"
                              "retraining: {choose: cheapest, give_up_after: 3}\n";

struct seen {
    double time_s;
    enum backtest_fate fate;
    char model[64], request[40], strategy[32], rule[MONITOR_RULE_MAX];
    bool labelled;
};

static struct config *config;
static struct backtest *backtest;
static struct seen seen[MOST];
static uint32_t count;

static inline void on_trigger(void *argument, const struct backtest_trigger *trigger)
{
    (void)argument;
    ck_assert_uint_lt(count, MOST);
    ck_assert_uint_eq(trigger->number, count);
    struct seen *one = &seen[count++];
    *one = (struct seen){.time_s = trigger->time_s, .fate = trigger->fate, .labelled = trigger->labelled};
    snprintf(one->model, sizeof one->model, "%s", trigger->model);
    snprintf(one->request, sizeof one->request, "%s", trigger->request);
    snprintf(one->strategy, sizeof one->strategy, "%s", trigger->strategy);
    snprintf(one->rule, sizeof one->rule, "%s", trigger->figures->rule);
}

static inline void on_corrected(void *argument, const struct backtest_trigger *trigger)
{
    (void)argument;
    ck_assert_uint_lt(trigger->number, count);
    struct seen *one = &seen[trigger->number];
    ck_assert_str_eq(one->model, trigger->model);
    ck_assert_double_eq(one->time_s, trigger->time_s);
    ck_assert_int_ne(one->fate, trigger->fate);
    ck_assert_int_eq(one->labelled, trigger->labelled);
    ck_assert_ptr_null(trigger->figures);
    one->fate = trigger->fate;
    snprintf(one->request, sizeof one->request, "%s", trigger->request);
    snprintf(one->strategy, sizeof one->strategy, "%s", trigger->strategy);
}

static inline void begin(const char *yaml, const struct model_id *model)
{
    config = parse_good(yaml);
    struct backtest_options options = {
        .config = config, .model = model, .trigger = on_trigger, .corrected = on_corrected};
    ck_assert_int_eq(backtest_new(&backtest, &options), 0);
    count = 0;
}

static inline void finish(void)
{
    backtest_destroy(&backtest);
    config_destroy(&config);
}

__attribute__((format(printf, 1, 2))) static inline struct backtest_line take(const char *format, ...)
{
    char line[1024];
    struct backtest_line out;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    ck_assert_int_eq(backtest_take(backtest, text_of(line), &out), 0);
    return out;
}

static inline struct backtest_sums sums(void)
{
    struct backtest_sums out;
    backtest_sums(backtest, &out);
    return out;
}

static inline void send(const char *model, double at_s, double accuracy)
{
    ck_assert_uint_eq(take("{\"model\":\"%s\",\"timestamp\":%.17g,\"accuracy\":%.17g}", model, at_s, accuracy).events, 1);
}

/* -- lines of a recording: milliseconds of the daemon's clock, which was at 0 when the time was 5000 ------------------- */

#define MS INT64_C(1000000)

static inline double wall_s(int64_t ms)
{
    return 5000 + (double)ms / 1000;
}

static inline void event_of(const char *model, uint64_t place, int64_t ms, double accuracy)
{
    take("{\"model\":\"%s\",\"received_at\":%.17g,\"taken\":\"%" PRId64 " %" PRIu64 "\",\"accuracy\":%g}", model, wall_s(ms),
         ms * MS, place, accuracy);
}

/* Times of the request in milliseconds; INT64_MIN: never. */
struct said {
    bool live, unrecoverable;
    uint64_t episode;
    int64_t triggered_ms, ended_ms;
};

static inline int64_t said_ns(int64_t ms)
{
    return ms == INT64_MIN ? ms : ms * MS;
}

static inline void stands_of(const char *model, uint64_t place, int64_t ms, struct said said)
{
    take("{\"stands\":{\"live\":%s,\"unrecoverable\":%s,\"episode\":%" PRIu64 ",\"triggered_ns\":%" PRId64
         ",\"ended_ns\":%" PRId64 "},\"model\":\"%s\",\"received_at\":%.17g,\"taken\":\"%" PRId64 " %" PRIu64 "\"}",
         said.live ? "true" : "false", said.unrecoverable ? "true" : "false", said.episode, said_ns(said.triggered_ms),
         said_ns(said.ended_ms), model, wall_s(ms), ms * MS, place);
}

#endif

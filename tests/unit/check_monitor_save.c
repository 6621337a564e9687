/* A monitor that is saved and loaded goes on as if nothing had happened; and what is damaged does no harm. */
#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/monitor/monitor.h"
#include "tests/run_suite.h"

#define WALL_S 1764000000.0
#define EVENTS 1500
#define STEP_NS INT64_C(200000000)

static const struct kpi_budget kpis[] = {
    {.metric = "a", .min = 0.3, .max = NAN, .over = WINDOW_MEAN},
    {.metric = "a", .min = NAN, .max = 0.995, .over = WINDOW_LAST},
    {.metric = "b", .min = NAN, .max = 0.999, .over = WINDOW_MAX},
    {.metric = "b", .min = 0.0005, .max = NAN, .over = WINDOW_MIN},
    {.metric = "c", .min = 0.1, .max = 0.9, .over = WINDOW_MEDIAN},
    {.metric = "c", .min = NAN, .max = 0.99, .over = WINDOW_P90},
    {.metric = "d", .min = NAN, .max = 0.995, .over = WINDOW_P95},
    {.metric = "d", .min = NAN, .max = 0.999, .over = WINDOW_P99},
    {.metric = "e", .min = 0.3, .max = 0.7, .over = WINDOW_EWMA},
    {.metric = "f", .min = 0.05, .max = NAN, .over = WINDOW_MEAN, .test = KPI_EVIDENCE, .range = {0, 1}},
};
#define KPIS (sizeof kpis / sizeof *kpis)

#define DETECTORS 16
static struct drift_rule rules[DETECTORS + 4];
static struct detect_params steps[(DETECTORS + 4) * RULE_STEPS_MAX];
static struct monitor_settings settings;

static struct drift_rule rule_of(const char *metric, const char *detector)
{
    struct drift_rule rule = {.detector = detector, .kpi = RULE_NO_KPI};
    snprintf(rule.metric, sizeof rule.metric, "%s", metric);
    ck_assert_int_eq(detect_params_init(&rule.params, detector, NULL), 0);
    if (strcmp(detector, "evidence") == 0)
        ck_assert_int_eq(detect_params_set(&rule.params, "budget", 0.05, NULL), 0);
    if (detect_param(detector, 0) && !isnan(detect_params_get(&rule.params, "reference")))
        ck_assert_int_eq(detect_params_set(&rule.params, "reference", 100, NULL), 0);
    return rule;
}

/* A rule for each detector, two more for distributions, one more for the KPI; those of the evidence keep to a budget and
 * follow the rate. */
static void settings_make(void)
{
    static const struct alarm_budget alarms = {.every_s = 86400};
    uint32_t count = 0;
    rules[count] = rule_of("f", "evidence");
    rules[count++].kpi = 9;
    ck_assert_int_eq(drift_rules_promise(rules, 1, &alarms, 0, steps), 0);
    ck_assert_uint_eq(rules[0].step_count, RULE_STEPS_MAX);
    for (uint32_t i = 0; detect_name(i); i++)
        rules[count++] = rule_of("g", detect_name(i));
    rules[count++] = rule_of("h", "psi");
    rules[count++] = rule_of("k", "chi2");
    rules[count++] = rule_of("accuracy", "ddm"); /* takes errors */
    ck_assert_uint_eq(count, DETECTORS + 4);
    settings = (struct monitor_settings){.window = 16,
                                         .min_events = 4,
                                         .consecutive_failures = 3,
                                         .recover_after = 5,
                                         .backoff_ns = 20 * STEP_NS,
                                         .stale_after_ns = 100 * STEP_NS,
                                         .kpis = kpis,
                                         .kpi_count = KPIS,
                                         .rules = rules,
                                         .rule_count = count,
                                         .alarms = alarms};
}

static uint32_t random_next(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Event number i of the stream, the same whenever it is asked for. Now and then all goes badly for a while. */
static void feed(struct monitor *monitor, uint32_t i, int64_t shift_ns, struct verdict *out)
{
    uint32_t state = i * 2654435761u + 1;
    struct metric metrics[10];
    double edges[] = {0, 0.25, 0.5, 0.75, 1};
    uint64_t counts[4];
    struct metric_category categories[3];
    const bool ill = i % 400 > 330, weighted = i % 3 == 0;
    uint32_t count = 0;
    for (uint32_t m = 0; m < 8; m++) {
        static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "accuracy"};
        double value = random_next(&state) / 16777216.0;
        if (m == 6 && i % 400 > 300)
            value += 3;
        if (m == 7)
            value = i % 400 > 300 ? 0 : value > 0.1;
        if (random_next(&state) % 8 != 0)
            metrics[count++] = (struct metric){text_of(names[m]), METRIC_NUMBER, .number = ill ? value / 4 : value};
    }
    for (uint32_t c = 0; c < 4; c++)
        counts[c] = random_next(&state) % 9 + (ill ? 7 * c : 0);
    metrics[count] = (struct metric){.name = text_of("h"), .kind = METRIC_HISTOGRAM};
    metrics[count].histogram.edges = edges;
    metrics[count].histogram.counts = counts;
    metrics[count++].histogram.bins = 4;
    for (uint32_t c = 0; c < 3; c++) {
        static const char *const names[] = {"cat", "dog", "emu"};
        categories[c] = (struct metric_category){text_of(names[c]), random_next(&state) % 9 + (ill ? 7 * c : 0)};
    }
    metrics[count] = (struct metric){.name = text_of("k"), .kind = METRIC_CATEGORIES};
    metrics[count].categories.at = categories;
    metrics[count++].categories.count = 3;
    const struct metric_event event = {.timestamp_s = WALL_S + i * 0.2,
                                       .n = weighted ? random_next(&state) % 50 + 1 : 1,
                                       .metrics = metrics,
                                       .metric_count = count};
    ck_assert_int_eq(monitor_add(monitor, &event, 1000 + (int64_t)i * STEP_NS + shift_ns, WALL_S + i * 0.2, out), 0);
}

static struct monitor *monitor_of(void)
{
    struct monitor *monitor;
    settings_make();
    ck_assert_int_eq(monitor_new(&monitor, &settings), 0);
    return monitor;
}

static uint8_t *save(const struct monitor *monitor, size_t *size_p)
{
    *size_p = monitor_save(monitor, NULL, 0);
    uint8_t *bytes = malloc(*size_p);
    ck_assert_uint_eq(monitor_save(monitor, bytes, *size_p), *size_p);
    return bytes;
}

static struct monitor *copy_of(const struct monitor *monitor, const struct monitor_settings *with, int64_t shift_ns)
{
    size_t size;
    struct monitor *copy;
    uint8_t *bytes = save(monitor, &size);
    ck_assert_int_eq(monitor_load(&copy, with, bytes, size, shift_ns), 0);
    free(bytes);
    return copy;
}

static bool same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* Everything that can be asked of two monitors. */
static void compare(const struct monitor *a, const struct monitor *b, int64_t now_ns, int64_t shift_ns)
{
    ck_assert_uint_eq(monitor_events(a), monitor_events(b));
    ck_assert_uint_eq(monitor_failures(a), monitor_failures(b));
    ck_assert_int_eq(monitor_episode_open(a), monitor_episode_open(b));
    ck_assert_int_eq(monitor_backoff_left_ns(a, now_ns), monitor_backoff_left_ns(b, now_ns + shift_ns));
    ck_assert_int_eq(monitor_last_event_ns(a) + shift_ns, monitor_last_event_ns(b));
    ck_assert_int_eq(monitor_state(a, now_ns), monitor_state(b, now_ns + shift_ns));
    ck_assert_uint_eq(monitor_metric_count(a), monitor_metric_count(b));
    for (uint32_t m = 0; m < monitor_metric_count(a); m++) {
        ck_assert_str_eq(monitor_metric_name(a, m), monitor_metric_name(b, m));
        const struct window *left = monitor_metric_window(a, m), *right = monitor_metric_window(b, m);
        ck_assert_uint_eq(window_total(left), window_total(right));
        for (int stat = 0; stat < WINDOW_STATS; stat++)
            ck_assert(same_bits(window_get(left, (enum window_stat)stat), window_get(right, (enum window_stat)stat)));
    }
    for (uint32_t r = 0; r < monitor_rule_count(a); r++) {
        struct monitor_rule left, right;
        monitor_rule_at(a, r, &left);
        monitor_rule_at(b, r, &right);
        ck_assert_msg(same_bits(left.statistic, right.statistic) && left.taken == right.taken &&
                          left.refused == right.refused && same_bits(left.threshold, right.threshold) &&
                          same_bits(left.promise, right.promise),
                      "rule %u, %s", r, left.text);
    }
    const struct trigger *left = monitor_trigger(a), *right = monitor_trigger(b);
    ck_assert((left == NULL) == (right == NULL));
    if (left && right) {
        ck_assert_str_eq(left->rule, right->rule);
        ck_assert_str_eq(left->metric, right->metric);
        ck_assert_str_eq(left->detector, right->detector);
        ck_assert(same_bits(left->observed, right->observed) && same_bits(left->limit, right->limit));
        ck_assert(same_bits(left->window_start_s, right->window_start_s));
        ck_assert(same_bits(left->change_at_s, right->change_at_s) && same_bits(left->severity, right->severity));
        ck_assert(left->n == right->n && left->window == right->window && left->failures == right->failures);
    }
}

/* What the store would tell. */
struct told {
    int64_t triggered_ns;
    bool any, live;
    uint32_t live_since;
};

static void note(struct told *told, const struct verdict *verdict, uint32_t i)
{
    if (verdict->triggered)
        *told = (struct told){1000 + (int64_t)i * STEP_NS, true, true, i};
}

/* A request takes a while, and ends. */
static void request_goes_on(struct told *told, struct monitor *monitor, uint32_t i, int64_t shift_ns)
{
    if (!told->live)
        return;
    monitor_request_live(monitor, i < told->live_since + 15, told->triggered_ns + shift_ns + 15 * STEP_NS);
}

static void tell(const struct told *told, struct monitor *monitor, int64_t shift_ns)
{
    if (told->any)
        monitor_triggered_at(monitor, told->triggered_ns + shift_ns);
}

static void run_beside(uint32_t from, uint32_t every, int64_t shift_ns)
{
    struct monitor *whole = monitor_of(), *other = NULL;
    struct told told = {0};
    uint32_t triggers = 0;
    int64_t other_ns = 0; /* how far its clock is from that of the whole one */
    for (uint32_t i = 0; i < EVENTS; i++) {
        struct verdict left, right;
        if (i >= from && (i - from) % every == 0) {
            struct monitor *next = copy_of(other ? other : whole, &settings, shift_ns);
            monitor_destroy(&other);
            other = next;
            other_ns += shift_ns;
            tell(&told, other, other_ns);
            if (told.live)
                monitor_request_live(other, i < told.live_since + 16, told.triggered_ns + other_ns + 15 * STEP_NS);
        }
        request_goes_on(&told, whole, i, 0);
        feed(whole, i, 0, &left);
        if (other) {
            request_goes_on(&told, other, i, other_ns);
            feed(other, i, other_ns, &right);
            ck_assert_msg(memcmp(&left, &right, sizeof left) == 0, "event %u, saved from %u on", i, from);
            compare(whole, other, 1000 + (int64_t)i * STEP_NS, other_ns);
        }
        triggers += left.triggered;
        note(&told, &left, i);
    }
    ck_assert_uint_ge(triggers, 4);
    if (shift_ns == 0) {
        size_t left_size, right_size;
        uint8_t *left = save(whole, &left_size), *right = save(other, &right_size);
        ck_assert_uint_eq(left_size, right_size);
        ck_assert_mem_eq(left, right, left_size);
        free(left);
        free(right);
    }
    monitor_destroy(&whole);
    monitor_destroy(&other);
}

/* Saved between the last event of a pause and the next one: what is measured begins behind the pause. */
START_TEST(a_pause_is_no_time_to_measure_after_a_restart)
{
    struct monitor *monitor, *copy = NULL;
    struct monitor_rule rule, other;
    struct monitor_settings quiet;
    struct verdict verdict;
    uint32_t measured = 0;
    settings_make();
    quiet = settings;
    quiet.rule_count = 1;
    quiet.consecutive_failures = UINT32_MAX;
    ck_assert_int_eq(monitor_new(&monitor, &quiet), 0);
    for (uint32_t i = 0; i < 2500; i++) {
        monitor_hold(monitor, i >= 240 && i < 300 ? INT64_MAX : INT64_MIN);
        feed(monitor, i, 0, &verdict);
        if (i < 299)
            continue;
        if (i == 299)
            copy = copy_of(monitor, &quiet, 0);
        else
            feed(copy, i, 0, &verdict);
        monitor_rule_at(monitor, 0, &rule);
        monitor_rule_at(copy, 0, &other);
        ck_assert_double_eq(rule.rate, other.rate);
        measured += rule.rate > 0;
    }
    ck_assert_uint_gt(measured, 0);
    monitor_destroy(&monitor);
    monitor_destroy(&copy);
}
END_TEST

START_TEST(goes_on_bit_for_bit)
{
    static const uint32_t from[] = {0, 1, 3, 16, 99, 100, 101, 335, 340, 500, 777, 1490};
    run_beside(from[_i], EVENTS, 0);
}
END_TEST

START_TEST(goes_on_after_every_few_events)
{
    run_beside(7, 13, 0);
}
END_TEST

START_TEST(the_clock_may_have_another_origin)
{
    run_beside(350, 500, INT64_C(-123456789012345));
    run_beside(350, 500, INT64_C(1) << 60);
}
END_TEST

/* A trigger that the store does not know, or another one than the monitor remembers. */
START_TEST(last_triggers_come_from_others)
{
    struct monitor *monitor = monitor_of();
    struct verdict verdict = {0};
    uint32_t i = 0;
    while (!verdict.triggered)
        feed(monitor, i++, 0, &verdict);
    const int64_t at_ns = 1000 + (int64_t)(i - 1) * STEP_NS;
    ck_assert(monitor_episode_open(monitor));
    ck_assert_int_gt(monitor_backoff_left_ns(monitor, at_ns), 0);

    struct monitor *alone = copy_of(monitor, &settings, 0);
    ck_assert_int_eq(monitor_backoff_left_ns(alone, at_ns), 0);
    feed(alone, i, 0, &verdict);
    ck_assert(!monitor_episode_open(alone));
    monitor_destroy(&alone);

    struct monitor *later = copy_of(monitor, &settings, 0);
    monitor_triggered_at(later, at_ns + 10 * STEP_NS);
    ck_assert(monitor_episode_open(later));
    ck_assert_int_eq(monitor_backoff_left_ns(later, at_ns + 10 * STEP_NS), settings.backoff_ns);
    monitor_destroy(&later);

    /* As it was told: a moment earlier, since who was told looks at the clock once a turn. */
    struct monitor *same = copy_of(monitor, &settings, 0);
    monitor_triggered_at(same, at_ns - 1000000);
    ck_assert_int_eq(monitor_backoff_left_ns(same, at_ns), settings.backoff_ns);
    monitor_destroy(&same);
    monitor_destroy(&monitor);
}
END_TEST

static struct monitor *some_monitor(uint32_t events)
{
    struct monitor *monitor = monitor_of();
    struct verdict verdict;
    for (uint32_t i = 0; i < events; i++)
        feed(monitor, i, 0, &verdict);
    return monitor;
}

static uint64_t taken_of(const struct monitor *monitor, uint32_t index)
{
    struct monitor_rule rule;
    monitor_rule_at(monitor, index, &rule);
    return rule.taken;
}

START_TEST(other_settings_keep_what_fits)
{
    struct monitor *monitor = some_monitor(90), *other;
    struct monitor_settings with = settings;
    with.backoff_ns = 0;
    with.consecutive_failures = 100;
    other = copy_of(monitor, &with, 0);
    compare(monitor, other, 1000 + 90 * STEP_NS, 0);
    monitor_destroy(&other);

    /* One KPI less, another limit: windows and rules stay, the counts begin anew. */
    struct kpi_budget fewer[KPIS];
    memcpy(fewer, kpis, sizeof kpis);
    fewer[0].min = 0.31;
    with = settings;
    with.kpis = fewer;
    other = copy_of(monitor, &with, 0);
    ck_assert_uint_eq(monitor_events(other), 90);
    ck_assert_uint_eq(monitor_failures(other), 0);
    ck_assert_uint_eq(taken_of(other, 5), taken_of(monitor, 5));
    for (uint32_t m = 0; m < monitor_metric_count(monitor); m++)
        ck_assert_uint_eq(window_total(monitor_metric_window(other, m)), window_total(monitor_metric_window(monitor, m)));
    monitor_destroy(&other);

    /* Windows of another length are empty, and in their places; rules stay. */
    with = settings;
    with.window = 17;
    other = copy_of(monitor, &with, 0);
    ck_assert_uint_eq(monitor_metric_count(other), monitor_metric_count(monitor));
    for (uint32_t m = 0; m < monitor_metric_count(monitor); m++) {
        ck_assert_str_eq(monitor_metric_name(other, m), monitor_metric_name(monitor, m));
        ck_assert_uint_eq(window_total(monitor_metric_window(other, m)), 0);
        ck_assert_uint_eq(window_capacity(monitor_metric_window(other, m)), 17);
    }
    ck_assert_uint_eq(taken_of(other, 5), taken_of(monitor, 5));
    monitor_destroy(&other);

    /* Rules in another order, one with other parameters, one of another detector. */
    struct drift_rule turned[DETECTORS + 4];
    for (uint32_t i = 0; i < settings.rule_count; i++)
        turned[i] = rules[settings.rule_count - 1 - i];
    ck_assert_int_eq(detect_params_set(&turned[2].params, "alpha", 0.01, NULL), 0);
    with = settings;
    with.rules = turned;
    other = copy_of(monitor, &with, 0);
    for (uint32_t i = 0; i < settings.rule_count; i++)
        ck_assert_uint_eq(taken_of(other, i), i == 2 ? 0 : taken_of(monitor, settings.rule_count - 1 - i));
    monitor_destroy(&other);

    /* Nothing to judge by at all. */
    with = (struct monitor_settings){.window = 16, .consecutive_failures = 1, .recover_after = 1};
    other = copy_of(monitor, &with, 0);
    ck_assert_uint_eq(monitor_events(other), 90);
    ck_assert_uint_eq(monitor_metric_count(other), monitor_metric_count(monitor));
    ck_assert_uint_gt(window_total(monitor_metric_window(other, 0)), 0);
    struct monitor *back = copy_of(other, &settings, 0); /* windows without times become KPIs: they begin anew */
    struct verdict verdict;
    for (uint32_t i = 0; i < 50; i++)
        feed(back, i, 0, &verdict);
    monitor_destroy(&back);
    monitor_destroy(&other);
    monitor_destroy(&monitor);
}
END_TEST

/* Whatever the bytes are: loaded or refused, and if it is loaded it goes on. */
static void try(const uint8_t *bytes, size_t size, uint32_t *loaded_p)
{
    struct monitor *monitor;
    struct verdict verdict;
    int rc = monitor_load(&monitor, &settings, bytes, size, 12345);
    ck_assert_msg(rc == 0 || rc == -EPROTO, "%d", rc);
    ck_assert((rc == 0) == (monitor != NULL));
    if (!monitor)
        return;
    ++*loaded_p;
    for (uint32_t i = 0; i < 20; i++)
        feed(monitor, i, 0, &verdict);
    size_t again;
    free(save(monitor, &again));
    monitor_destroy(&monitor);
}

START_TEST(damage_does_no_harm)
{
    struct monitor *monitor = some_monitor(340);
    size_t size;
    uint8_t *good = save(monitor, &size), *bad = malloc(size + 1);
    uint32_t state = 7 + (uint32_t)_i, loaded = 0;
    for (int round = 0; round < 300; round++) {
        memcpy(bad, good, size);
        for (uint32_t flips = random_next(&state) % 4 + 1; flips; flips--)
            bad[random_next(&state) % size] ^= (uint8_t)(1u << random_next(&state) % 8);
        try(bad, size, &loaded);
    }
    for (int round = 0; round < 200; round++) { /* the head, where the counts are */
        memcpy(bad, good, size);
        bad[random_next(&state) % 700] = (uint8_t)random_next(&state);
        try(bad, size, &loaded);
    }
    for (int round = 0; round < 100; round++) {
        size_t cut = random_next(&state) % size;
        struct monitor *none;
        memcpy(bad, good, cut); /* in a block of its own size, so that a sanitizer sees a step beyond */
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, good, cut);
        ck_assert_int_eq(monitor_load(&none, &settings, exact, cut, 0), -EPROTO);
        free(exact);
    }
    for (int round = 0; round < 200; round++) {
        for (size_t i = 0; i < size; i++)
            bad[i] = (uint8_t)random_next(&state);
        memcpy(bad, good, round % 2 ? 4 : 60);
        try(bad, size, &loaded);
    }
    memcpy(bad, good, size);
    bad[size] = 0;
    ck_assert_uint_gt(loaded, 0);
    struct monitor *none;
    ck_assert_int_eq(monitor_load(&none, &settings, bad, size + 1, 0), -EPROTO);
    bad[0] = 2;
    ck_assert_int_eq(monitor_load(&none, &settings, bad, size, 0), -EPROTO);
    ck_assert_int_eq(monitor_load(&none, &settings, "", 0, 0), -EPROTO);
    free(good);
    free(bad);
    monitor_destroy(&monitor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("monitor_save");
    TCase *tcase = tcase_create("save and load");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, goes_on_bit_for_bit, 0, 12);
    tcase_add_test(tcase, a_pause_is_no_time_to_measure_after_a_restart);
    tcase_add_test(tcase, goes_on_after_every_few_events);
    tcase_add_test(tcase, the_clock_may_have_another_origin);
    tcase_add_test(tcase, last_triggers_come_from_others);
    tcase_add_test(tcase, other_settings_keep_what_fits);
    tcase_add_loop_test(tcase, damage_does_no_harm, 0, 3);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

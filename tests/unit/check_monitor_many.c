/* Events that come together: a monitor that takes many at once decides as one that takes them one by one, and comes to
 * the same state, to the last bit. */
#include "tests/rounds.h"
#include "tests/run_suite.h"
#include "tests/unit/monitor_stage.h"

#define MESSAGES ROUNDS_OR(130, 40)
#define ROWS_MOST 100
#define LATE_S (1.7e9 + 10000)

enum judges { BUDGETS, RULES, PROMISES, EAGER };

struct rows {
    struct metric metrics[ROWS_MOST * (METRICS_MOST + 1)];
    struct metric_event events[ROWS_MOST];
    uint32_t count;
};

static void draw_row(struct stage *self, uint32_t number, bool turned, struct metric *out)
{
    for (uint32_t i = 0; i < self->metrics; i++) {
        const uint32_t m = turned ? self->metrics - 1 - i : i;
        out[i] = (struct metric){.name = text_of(self->names[m]), .key = 100 + m, .number = value_of(self, number, m)};
    }
}

/* Most messages are of events that are alike and stand side by side; in some there is one that is not, or a gap. One
 * with a weight comes late: its windows keep weights from then on, and nothing is taken at once any more. */
static void draw_rows(struct stage *self, uint32_t *number, double now_s, struct rows *out)
{
    enum { GAP, TURNED, WEIGHT, NOTHING };
    out->count = 1 + (uint32_t)(draw(self) * (ROWS_MOST - 1));
    const uint32_t odd = (uint32_t)(draw(self) * out->count),
                   what = draw(self) < 0.7 ? NOTHING : (uint32_t)(draw(self) * (now_s < LATE_S ? WEIGHT : NOTHING));
    struct metric *metric = out->metrics;
    for (uint32_t i = 0; i < out->count; i++, (*number)++, metric += self->metrics) {
        const uint32_t oddity = i == odd ? what : NOTHING;
        metric += oddity == GAP;
        out->events[i] = (struct metric_event){.shape = oddity == TURNED ? 8 : 7,
                                               .timestamp_s = draw(self) < 0.5 ? (double)NAN : now_s - draw(self),
                                               .n = oddity == WEIGHT ? 2 : 1,
                                               .metrics = metric,
                                               .metric_count = self->metrics};
        draw_row(self, *number, oddity == TURNED, metric);
    }
}

/* As whoever has many takes them. Returns how many were taken at once. */
static uint32_t feed(const struct rows *rows, struct monitor *many, struct monitor *single, int64_t now_ns,
                     double now_s)
{
    uint32_t together = 0;
    for (uint32_t i = 0; i < rows->count;) {
        struct verdict left, right;
        uint32_t taken = monitor_add_many(many, &rows->events[i], rows->count - i, now_ns, now_s, &left);
        ck_assert_uint_le(taken, rows->count - i);
        together += taken;
        if (taken == 0) {
            ck_assert_int_eq(monitor_add(many, &rows->events[i], now_ns, now_s, &left), 0);
            taken = 1;
        }
        for (uint32_t end = i + taken; i < end; i++) {
            ck_assert_int_eq(monitor_add(single, &rows->events[i], now_ns, now_s, &right), 0);
            ck_assert_msg(memcmp(&left, &right, sizeof left) == 0, "event %u of %u", i, rows->count);
        }
    }
    return together;
}

/* The part of the events that was taken at once. */
static double run(uint32_t metrics, enum judges judges, enum kind kind)
{
    static const struct alarm_budget alarms = {.every_s = 30 * 86400.0};
    static struct detect_params steps[6 * RULE_STEPS_MAX];
    static struct rows rows;
    struct stage stage;
    struct monitor *many, *single;
    uint32_t number = 0, together = 0;
    stage_make(&stage, metrics, judges != BUDGETS, kind);
    if (judges == EAGER)
        add_rule(&stage, 0, "hddm_a");
    if (judges == PROMISES) {
        ck_assert_int_eq(drift_rules_promise(stage.rules, stage.settings.rule_count, &alarms, 0, steps), 0);
        stage.settings.alarms = alarms;
    }
    ck_assert_int_eq(monitor_new(&many, &stage.settings), 0);
    ck_assert_int_eq(monitor_new(&single, &stage.settings), 0);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        const int64_t now_ns = number * STEP_NS;
        const double now_s = 1.7e9 + number;
        draw_rows(&stage, &number, now_s, &rows);
        together += feed(&rows, many, single, now_ns, now_s);
        ck_assert_uint_eq(monitor_events(many), number);
        if (i % 10 == 0)
            same_state(many, single);
    }
    same_state(many, single);
    monitor_destroy(&many);
    monitor_destroy(&single);
    return (double)together / number;
}

START_TEST(many_come_to_what_each_comes_to)
{
    static const uint32_t metrics[] = {1, 2, 5, 6, 17, METRICS_MOST};
    static const enum judges judges[] = {BUDGETS, RULES, EAGER};
    run(metrics[_i % 6], judges[_i / 6 % 3], (enum kind)(_i / 18));
}
END_TEST

START_TEST(rates_are_measured_when_they_would_be)
{
    run(5, PROMISES, (enum kind)_i);
}
END_TEST

START_TEST(most_are_taken_at_once)
{
    ck_assert_double_gt(run(5, BUDGETS, STEADY), 0.6);
    ck_assert_double_gt(run(12, BUDGETS, STEADY), 0.6);
    ck_assert_double_gt(run(5, BUDGETS, WALK), 0.4);
    ck_assert_double_gt(run(5, RULES, WALK), 0.3);
}
END_TEST

/* What may not be asked for more than once in a while is not asked for many either. */
START_TEST(few_are_left_to_themselves)
{
    static struct rows rows;
    struct stage stage;
    struct monitor *monitor;
    struct verdict verdict;
    uint32_t number = 0;
    stage_make(&stage, 5, false, STEADY);
    ck_assert_int_eq(monitor_new(&monitor, &stage.settings), 0);
    do
        draw_rows(&stage, &number, 1.7e9, &rows);
    while (rows.count < 50 || rows.events[0].shape != 7 || rows.events[0].n != 1);
    ck_assert_uint_eq(monitor_add_many(monitor, rows.events, rows.count, 0, 1.7e9, &verdict), 0); /* nothing is known */
    for (uint32_t i = 0; i < 50; i++)
        ck_assert_int_eq(monitor_add(monitor, &rows.events[0], STEP_NS, 1.7e9, &verdict), 0);
    ck_assert_uint_eq(monitor_add_many(monitor, rows.events, MONITOR_MANY_LEAST - 1, STEP_NS, 1.7e9, &verdict), 0);
    ck_assert_uint_eq(monitor_events(monitor), 50);
    monitor_destroy(&monitor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("monitor_many");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, many_come_to_what_each_comes_to, 0, 18 * KINDS);
    tcase_add_loop_test(all, rates_are_measured_when_they_would_be, 0, KINDS);
    tcase_add_test(all, most_are_taken_at_once);
    tcase_add_test(all, few_are_left_to_themselves);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}

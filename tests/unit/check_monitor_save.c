/* A monitor that is saved and loaded goes on as if nothing had happened. */
#include "tests/run_suite.h"
#include "tests/unit/monitor_saved.h"

#define EVENTS 1500

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
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

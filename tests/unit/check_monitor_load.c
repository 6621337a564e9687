/* A saved monitor under other settings keeps what fits; what is damaged does no harm. */
#include "tests/run_suite.h"
#include "tests/unit/monitor_saved.h"

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
        ck_assert_uint_eq(window_total(monitor_metric_window(other, m)),
                          window_total(monitor_metric_window(monitor, m)));
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
    Suite *suite = suite_create("monitor_load");
    TCase *tcase = tcase_create("save and load");
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, other_settings_keep_what_fits);
    tcase_add_loop_test(tcase, damage_does_no_harm, 0, 3);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

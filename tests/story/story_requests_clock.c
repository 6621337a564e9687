/* The wall clock jumps a day forward and two back while requests wait, are offered and run: no lease ends, no limit of a day
 * begins anew, nothing is offered that was not due. */
#include "tests/run_suite.h"
#include "tests/unit/requests_rig.h"

enum { MODELS = 60, A_DAY = 30, RUNNING = 20 };

static struct rig rig;

static void begin(void)
{
    rig_new(&rig);
    rig.options.fleet.per_day = A_DAY;
    rig.options.fleet.concurrent = RUNNING;
    rig.options.keep_ns = 86400 * RIG_S;
    rig_start(&rig);
}

static void finish(void)
{
    rig_end(&rig);
}

static int64_t count_of(const char *state)
{
    json_t *answer = rig_ask(&rig, "{\"do\": \"status\"}");
    int64_t count = json_integer_value(json_object_get(json_object_get(answer, "requests"), state));
    json_decref(answer);
    return count;
}

/* Trainers report every 100 s, as leases of 300 s want it. */
static void work(char ids[][REQUEST_ID_LEN + 1], int count, double seconds)
{
    for (double passed = 0; passed < seconds; passed += 100) {
        rig_pass(&rig, 100);
        for (int i = 0; i < count; i++)
            ck_assert_ptr_nonnull(strstr(rig_say(&rig, "progress", ids[i], 1, "t", NULL), "\"ok\":true"));
    }
}

START_TEST(a_jump_of_the_wall_clock_changes_nothing)
{
    static const double jumps_s[] = {86400, -2 * 86400, 86400, 400 * 86400.0, -400 * 86400.0};
    char ids[A_DAY][REQUEST_ID_LEN + 1];
    for (int i = 0; i < MODELS; i++) {
        char model[32];
        snprintf(model, sizeof model, "p/m%d/v", i);
        rig_put(&rig, rig_trigger_notice(&rig, model, 0.01 * i));
    }
    rig_turn(&rig);
    for (int i = 0; i < RUNNING; i++) {
        snprintf(ids[i], sizeof *ids, "%s", rig_job(&rig, i, NULL));
        rig_say(&rig, "accept", ids[i], 1, "t", NULL);
    }
    /* Ten have been done: the day's thirty are used up, ten more wait for the day, and thirty behind them. */
    for (int i = 0; i < 10; i++)
        rig_say(&rig, "done", ids[i], 1, "t", NULL);
    for (int i = 0; i < 10; i++) {
        snprintf(ids[i], sizeof *ids, "%s", rig_job(&rig, RUNNING + i, NULL));
        rig_say(&rig, "accept", ids[i], 1, "t", NULL);
    }
    ck_assert_int_eq(rig.job_count, A_DAY);
    ck_assert_int_eq(count_of("RUNNING"), RUNNING);
    for (size_t i = 0; i < sizeof jumps_s / sizeof *jumps_s; i++) {
        rig.wall_s += jumps_s[i];
        work(ids, RUNNING, 600);
        ck_assert_int_eq(rig.job_count, A_DAY);
        ck_assert_int_eq(count_of("RUNNING"), RUNNING);
        ck_assert_int_eq(count_of("PENDING"), MODELS - A_DAY);
        ck_assert_int_eq(count_of("DONE"), 10);
        /* And so when the daemon is started anew on the clock that jumped. */
        core_destroy(&rig.core);
        rig_start(&rig);
        rig_turn(&rig);
        ck_assert_int_eq(rig.job_count, A_DAY);
        ck_assert_int_eq(count_of("RUNNING"), RUNNING);
    }
    /* When trainers fall silent their leases end on time, and a day later the limit lets go: on the steady clock. */
    rig.free_trainers = 0;
    rig_pass(&rig, 301);
    ck_assert_int_eq(count_of("RUNNING"), 0);
    rig.wall_s -= 86400;
    rig_pass(&rig, 83000);
    ck_assert_int_eq(rig.job_count, A_DAY);
    rig.free_trainers = 40;
    rig_pass(&rig, 4000);
    ck_assert_int_gt(rig.job_count, A_DAY + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tests = tcase_create("clock");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, a_jump_of_the_wall_clock_changes_nothing);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

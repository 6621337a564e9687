#include <check.h>
#include <stdlib.h>

#include "lib/retrain/patience.h"
#include "tests/run_suite.h"

#define H (INT64_C(3600) * 1000000000)

struct row {
    struct patience_past past;
    int64_t change_h, served_h; /* hours; served -1: not known */
    enum patience_verdict verdict;
    uint32_t fruitless;
};

/* give_up_after is 3; the last request ended at hour 100. */
#define PAST(state, same, count) \
    {.any = true, .last_state = REQUEST_##state, .last_ended_ns = 100 * H, .same_version = (same), .fruitless = (count)}

static const struct row rows[] = {
    /* the first trigger ever */
    {{.any = false}, 1, -1, PATIENCE_GOES_ON, 0},
    /* the same version still fails after its retraining */
    {PAST(DONE, true, 0), 99, 1, PATIENCE_GOES_ON, 1},
    {PAST(DONE, true, 1), 101, 1, PATIENCE_GOES_ON, 2},
    {PAST(DONE, true, 2), 101, 1, PATIENCE_ENDS, 3},
    {PAST(DEAD, true, 2), 101, 1, PATIENCE_ENDS, 3},
    /* a drift of its own, more than a day later */
    {PAST(DONE, true, 2), 125, 1, PATIENCE_GOES_ON, 0},
    {PAST(DONE, true, 2), 124, 1, PATIENCE_ENDS, 3},
    /* it had recovered */
    {{.any = true, .last_state = REQUEST_DONE, .last_ended_ns = 100 * H, .same_version = true, .recovered = true,
      .fruitless = 2}, 101, 1, PATIENCE_GOES_ON, 0},
    /* nobody trained: nothing is known */
    {PAST(CANCELLED, true, 2), 101, 1, PATIENCE_GOES_ON, 2},
    {PAST(SUPERSEDED, false, 2), 101, 1, PATIENCE_GOES_ON, 2},
    /* a new version that failed from its first judgement on */
    {PAST(DONE, false, 2), 101, 101, PATIENCE_ENDS, 3},
    {PAST(DONE, false, 1), 100, 101, PATIENCE_GOES_ON, 2},
    /* one that was healthy at first */
    {PAST(DONE, false, 2), 102, 101, PATIENCE_GOES_ON, 0},
    /* one of which nothing is known */
    {PAST(DONE, false, 2), 102, -1, PATIENCE_GOES_ON, 2},
    /* given up already */
    {{.any = true, .last_state = REQUEST_DONE, .last_ended_ns = 100 * H, .unrecoverable = true, .fruitless = 3}, 200, 1,
     PATIENCE_HAS_ENDED, 3},
};

START_TEST(triggers_are_judged)
{
    const struct row *row = &rows[_i];
    uint32_t fruitless = 99;
    enum patience_verdict verdict = patience_judge(&row->past, row->change_h * H,
                                                 row->served_h < 0 ? INT64_MIN : row->served_h * H, 3, &fruitless);
    ck_assert_int_eq(verdict, row->verdict);
    ck_assert_uint_eq(fruitless, row->fruitless);
}
END_TEST

START_TEST(zero_never_gives_up)
{
    struct patience_past past = PAST(DONE, true, 1000);
    uint32_t fruitless;
    ck_assert_int_eq(patience_judge(&past, 101 * H, H, 0, &fruitless), PATIENCE_GOES_ON);
    ck_assert_uint_eq(fruitless, 1001);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("patience");
    TCase *tests = tcase_create("judgement");
    tcase_add_loop_test(tests, triggers_are_judged, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tests, zero_never_gives_up);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

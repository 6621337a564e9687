/* run_suite.h - the end of every test program that is written with check.
 *
 * Threads: called once, by main. */
#ifndef TESTS_RUN_SUITE_H
#define TESTS_RUN_SUITE_H

#include <check.h>

/* Runs all of `suite` and frees it. Returns the program's exit status: 0 when every test passed, else 1. How much is told is
 * check's own choice: CK_VERBOSITY. */
static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

#endif

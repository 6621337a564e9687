/* detect_case.h - what the tests of all detectors share: their names, and one of each to be made. */
#ifndef TESTS_DETECT_CASE_H
#define TESTS_DETECT_CASE_H

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/calibrate/chart.h"
#include "lib/detect/detect.h"
#include "tests/unit/detect_streams.h"

#define DETECTORS 16

static inline void init(struct detect_params *params, const char *name)
{
    ck_assert_int_eq(detect_params_init(params, name, NULL), 0);
    if (strcmp(name, "evidence") == 0)
        ck_assert_int_eq(detect_params_set(params, "budget", 0.3, NULL), 0);
}

static inline struct detect *make(const char *name)
{
    struct detect_params params;
    struct detect *detector = NULL;
    init(&params, name);
    ck_assert_int_eq(detect_new(&detector, name, &params), 0);
    return detector;
}

#endif

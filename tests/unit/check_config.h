/* check_config.h - what the tests of the configuration share: a parse that keeps its messages. */
#ifndef TESTS_CHECK_CONFIG_H
#define TESTS_CHECK_CONFIG_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config/config.h"
#include "tests/run_suite.h"

#define TOLD_MAX 2000

struct told {
    char *lines[TOLD_MAX];
    int count;
};

static inline void told_take(void *argument, const char *line)
{
    struct told *told = argument;
    ck_assert_int_lt(told->count, TOLD_MAX);
    ck_assert_ptr_null(strchr(line, '\n'));
    told->lines[told->count++] = strdup(line);
}

static inline void told_free(struct told *told)
{
    while (told->count > 0)
        free(told->lines[--told->count]);
}

/* Variables: "NAME=value" texts, ended by NULL. */
static inline const char *told_getenv(void *argument, const char *name)
{
    size_t length = strlen(name);
    for (const char *const *variable = argument; *variable; variable++)
        if (strncmp(*variable, name, length) == 0 && (*variable)[length] == '=')
            return *variable + length + 1;
    return NULL;
}

static inline int parse_with(struct config **config, const char *yaml, const struct config_options *options,
                             struct told *told)
{
    *told = (struct told){.count = 0};
    int result = config_parse(config, "driftd.yaml", text_of(yaml), options, told_take, told);
    ck_assert_int_eq(result == 0, told->count == 0);
    ck_assert_int_eq(result == 0, *config != NULL);
    return result;
}

/* Parses what must be right. */
static inline struct config *parse_good(const char *yaml)
{
    struct config *config = NULL;
    struct told told;
    if (parse_with(&config, yaml, NULL, &told) != 0)
        ck_abort_msg("refused: %s", told.lines[0]);
    return config;
}

/* Parses what must be wrong, and compares all that is told, line by line; "driftd.yaml:" is left out of `lines`. */
static inline void expect_told_with(const char *yaml, const struct config_options *options, const char *lines)
{
    struct config *config = NULL;
    struct told told;
    char all[8192] = "";
    ck_assert_int_eq(parse_with(&config, yaml, options, &told), -22 /* EINVAL */);
    for (int i = 0; i < told.count; i++) {
        const char *line = told.lines[i];
        ck_assert_int_eq(strncmp(line, "driftd.yaml:", 12), 0);
        size_t length = strlen(all);
        snprintf(all + length, sizeof(all) - length, "%s%s", i > 0 ? "\n" : "", line + 12);
    }
    ck_assert_str_eq(all, lines);
    told_free(&told);
}

static inline void expect_told(const char *yaml, const char *lines)
{
    expect_told_with(yaml, NULL, lines);
}

static inline void expect_one(const struct config_endpoints *endpoints, const char *endpoint)
{
    ck_assert_uint_eq(endpoints->count, 1);
    ck_assert_str_eq(endpoints->at[0], endpoint);
}

static inline int run_tests(TCase *cases, const char *name)
{
    Suite *suite = suite_create(name);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

#endif

/* Every single allocation of a parse refused once: -ENOMEM, nothing made, nothing left behind. */
#include "tests/unit/check_config.h"

#include <errno.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OWN_MALLOC 0 /* the sanitizer has its own, which cannot be replaced */
#else
#define OWN_MALLOC 1
#endif

static long until_refusal = -1; /* allocations to go; below 0: none is refused */
static long taken, live;
static bool counting;

#if OWN_MALLOC
static bool refused(void)
{
    if (!counting)
        return false;
    taken++;
    return until_refusal >= 0 && until_refusal-- == 0;
}

/* glibc's own functions under the names that it keeps for this. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *at, size_t bytes);
void __libc_free(void *at);

/* Seen by the shared libraries too. */
#define EXPORTED __attribute__((visibility("default")))

EXPORTED void *malloc(size_t bytes)
{
    void *at = refused() ? NULL : __libc_malloc(bytes);
    live += counting && at;
    return at;
}

EXPORTED void *calloc(size_t count, size_t bytes)
{
    void *at = refused() ? NULL : __libc_calloc(count, bytes);
    live += counting && at;
    return at;
}

EXPORTED void *realloc(void *old, size_t bytes)
{
    void *at = refused() ? NULL : __libc_realloc(old, bytes);
    live += counting && at && !old;
    return at;
}

EXPORTED void free(void *at)
{
    live -= counting && at;
    __libc_free(at);
}
#endif

/* Whether our functions stand in for those of the C library: valgrind puts its own before them. */
static bool in_charge(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return OWN_MALLOC && !(preloaded && strstr(preloaded, "vgpreload"));
}

static void count_line(void *argument, const char *line)
{
    int *lines = argument;
    *lines += line != NULL;
}

/* Parses with the given allocation refused; false once the parse needs no more than that. */
static bool parse_refused(const char *yaml, const struct config_options *options, long allocation, int expected)
{
    struct config *config = NULL;
    int lines = 0;
    live = taken = 0;
    until_refusal = allocation;
    counting = true;
    int result = config_parse(&config, "f", text_of(yaml), options, count_line, &lines);
    until_refusal = -1;
    bool made = config != NULL;
    config_destroy(&config);
    counting = false;
    ck_assert_int_eq(live, 0);
    if (taken <= allocation) {
        ck_assert_int_eq(result, expected);
        return false;
    }
    /* What is refused while mistakes are told costs no more than the telling. */
    if (result != expected)
        ck_assert_int_eq(result, -ENOMEM);
    ck_assert_int_eq(made, result == 0);
    ck_assert(result == 0 || lines > 0);
    return true;
}

static void refuse_each(const char *yaml, int expected)
{
    static const char *const variables[] = {"A=1", "XDG_RUNTIME_DIR=/run/x", "HOME=/h", NULL};
    const struct config_options options = {
        .as_user = true, .getenv = told_getenv, .getenv_argument = (void *)(uintptr_t)variables};
    long allocation = 0;
    while (parse_refused(yaml, &options, allocation, expected))
        allocation++;
    ck_assert(!in_charge() || allocation > 50);
}

START_TEST(a_good_file)
{
    refuse_each("metrics: {bind: ['tcp://127.0.0.1:1', 'ipc://a'], queue: \"${A}\"}\n"
                "budgets:\n"
                "  - {models: \"*\", window: 5, kpis: {accuracy: {min: 0.5, max: 0.9}, recall: {max: 1}}}\n"
                "  - {models: a/b, backoff: 1s, kpis: {accuracy: {over: last, test: evidence}, recall: off},"
                " drift: [{metric: a, detector: ewma, lambda: 0.2}, {metric: b, detector: adwin}]}\n"
                "retraining:\n"
                "  limits: {projects: {p: {per_day: 1}}}\n"
                "  strategies: {s: {gpu_hours: 1, parameters: {a: [1, 2.5, {b: c}], d: null}}}\n",
                0);
}
END_TEST

START_TEST(a_file_of_mistakes)
{
    refuse_each("metrics: {bnd: 1, queue: 0, queue: 1}\n"
                "log: {level: @}\n"
                "state: {dir: '${NOT_SET}'}\n"
                "budgets: [{models: a, kpis: {accuracy: {min: 0.9}}}, {models: a, kpis: {accuracy: {max: 0.8}}}]\n"
                "retraining: {choose: x, strategies: {s: {parameters: {a: .nan}}}}\n",
                -EINVAL);
}
END_TEST

START_TEST(the_settings_of_a_model)
{
    struct model_id model;
    ck_assert_int_eq(model_id_parse(&model, text_of("a/b/c")), 0);
    for (long allocation = 0;; allocation++) {
        struct config *config = parse_good("budgets:\n"
                                           "  - {models: \"*\", window: 5, kpis: {accuracy: {min: 0.5, max: 0.9}}}\n"
                                           "  - {models: a/b, kpis: {accuracy: {test: evidence}, recall: {min: 0}},"
                                           " drift: [{metric: a, detector: shewhart}]}\n");
        const struct monitor_settings *settings = (const void *)config;
        taken = 0;
        until_refusal = allocation;
        counting = true;
        int result = config_settings_for(config, &model, &settings);
        until_refusal = -1;
        counting = false;
        if (taken > allocation) {
            ck_assert_int_eq(result, -ENOMEM);
            ck_assert_ptr_eq(settings, config);
        }
        /* And then it works. */
        ck_assert_int_eq(config_settings_for(config, &model, &settings), 0);
        ck_assert_uint_eq(settings->window, 5);
        ck_assert_uint_eq(settings->kpi_count, 2);
        ck_assert_uint_eq(settings->rule_count, 3);
        ck_assert_uint_eq(settings->rules[2].step_count, RULE_STEPS_MAX);
        config_destroy(&config);
        if (taken <= allocation) {
            ck_assert(!in_charge() || allocation > 4);
            break;
        }
    }
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("memory");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_good_file);
    tcase_add_test(cases, a_file_of_mistakes);
    tcase_add_test(cases, the_settings_of_a_model);
    return run_tests(cases, "config memory");
}

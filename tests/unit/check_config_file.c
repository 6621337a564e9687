/* A configuration as a file, a user's own folders, and where each key was set. */
#include "tests/unit/check_config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static struct config *parse_as_user(const char *yaml, const char *const *variables)
{
    const struct config_options options = {
        .as_user = true, .uid = 1234, .getenv = told_getenv, .getenv_argument = (void *)(uintptr_t)variables};
    struct told told;
    struct config *config = NULL;
    ck_assert_int_eq(parse_with(&config, yaml, &options, &told), 0);
    return config;
}

START_TEST(a_user_has_folders_of_their_own)
{
    static const char *const xdg[] = {"XDG_STATE_HOME=/s", "XDG_RUNTIME_DIR=/run/user/7", "HOME=/home/u", NULL};
    static const char *const home[] = {"XDG_STATE_HOME=relative", "XDG_RUNTIME_DIR=", "HOME=/home/u", NULL};
    static const char *const none[] = {NULL};
    struct config *c = parse_as_user("", xdg);
    ck_assert_str_eq(c->state.dir, "/s/driftd");
    expect_one(&c->control, "ipc:///run/user/7/driftd/control.sock");
    expect_one(&c->metrics.bind, "tcp://127.0.0.1:5570");
    config_destroy(&c);
    c = parse_as_user("", home);
    ck_assert_str_eq(c->state.dir, "/home/u/.local/state/driftd");
    expect_one(&c->control, "ipc:///tmp/driftd-1234/control.sock");
    config_destroy(&c);
    c = parse_as_user("", none);
    ck_assert_str_eq(c->state.dir, "/tmp/driftd-1234/state");
    config_destroy(&c);
    c = parse_as_user("state: {dir: /d}\ncontrol: {bind: ipc:///c}", xdg);
    ck_assert_str_eq(c->state.dir, "/d");
    expect_one(&c->control, "ipc:///c");
    config_destroy(&c);
}
END_TEST

START_TEST(tools_find_the_control_socket)
{
    static const char *const xdg[] = {"XDG_RUNTIME_DIR=/run/user/7", NULL};
    char at[CONFIG_ENDPOINT_MAX], folder[400] = "XDG_RUNTIME_DIR=/";
    struct config_options options = {.getenv = told_getenv, .getenv_argument = (void *)(uintptr_t)xdg};
    ck_assert_int_eq(config_control_default(at, NULL), 0);
    ck_assert_str_eq(at, "ipc:///run/driftd/control.sock");
    ck_assert_int_eq(config_control_default(at, &options), 0);
    ck_assert_str_eq(at, "ipc:///run/driftd/control.sock");
    options.as_user = true;
    ck_assert_int_eq(config_control_default(at, &options), 0);
    ck_assert_str_eq(at, "ipc:///run/user/7/driftd/control.sock");
    const char *const deep[] = {folder, NULL};
    memset(folder + strlen(folder), 'x', 86); /* "/", these, and "/driftd/control.sock": 107 */
    options.getenv_argument = (void *)(uintptr_t)deep;
    ck_assert_int_eq(config_control_default(at, &options), 0);
    strcat(folder, "x");
    ck_assert_int_eq(config_control_default(at, &options), -ENAMETOOLONG);
    memset(folder + strlen(folder), 'x', 250);
    options.getenv_argument = (void *)(uintptr_t)deep;
    ck_assert_int_eq(config_control_default(at, &options), -ENAMETOOLONG);
    struct config *config = NULL;
    struct told told;
    ck_assert_int_eq(parse_with(&config, "", &options, &told), -EINVAL);
    ck_assert_str_eq(
        told.lines[0],
        "driftd.yaml: control.bind: the path in XDG_RUNTIME_DIR is too long for a socket; set control.bind");
    told_free(&told);
    ck_assert_int_eq(parse_with(&config, "control: {bind: ipc:///c}", &options, &told), 0);
    config_destroy(&config);
}
END_TEST

START_TEST(a_file_is_read)
{
    char path[] = "/tmp/check_config_XXXXXX";
    struct told told = {.count = 0};
    struct config *config = NULL;
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    const char yaml[] = "workers: 3\n";
    ck_assert_int_eq((int)write(file, yaml, sizeof(yaml) - 1), (int)sizeof(yaml) - 1);
    ck_assert_int_eq(config_load(&config, path, NULL, told_take, &told), 0);
    ck_assert_int_eq(config->workers, 3);
    config_destroy(&config);
    /* Comments of 3 MB, to grow past the first buffer. */
    char *comment = malloc(1 << 20);
    memset(comment, '#', 1 << 20);
    comment[0] = comment[(1 << 20) - 1] = '\n';
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq((int)write(file, comment, 1 << 20), 1 << 20);
    ck_assert_int_eq((int)write(file, "workrs: 1\n", 10), 10);
    free(comment);
    close(file);
    ck_assert_int_eq(config_load(&config, path, NULL, told_take, &told), -EINVAL);
    char expected[256];
    snprintf(expected, sizeof(expected), "%s:8:1: workrs: unknown key; did you mean workers? allowed here: ", path);
    ck_assert_int_eq(strncmp(told.lines[0], expected, strlen(expected)), 0);
    ck_assert_ptr_null(config);
    told_free(&told);
    unlink(path);
    ck_assert_int_eq(config_load(&config, path, NULL, told_take, &told), -ENOENT);
    snprintf(expected, sizeof(expected), "%s: there is no such file; an empty one is a valid configuration", path);
    ck_assert_str_eq(told.lines[0], expected);
    told_free(&told);
    ck_assert_int_eq(config_load(&config, "/tmp", NULL, told_take, &told), -EISDIR);
    ck_assert_str_eq(told.lines[0], "/tmp: cannot be read: Is a directory");
    told_free(&told);
}
END_TEST

START_TEST(a_file_has_an_end)
{
    struct told told = {.count = 0};
    struct config *config = NULL;
    ck_assert_int_eq(config_load(&config, "/dev/zero", NULL, told_take, &told), -EFBIG);
    ck_assert_str_eq(told.lines[0], "/dev/zero: larger than 16 MiB; allowed: a smaller one");
    told_free(&told);
}
END_TEST

static void expect_place(const struct config *config, const char *key, uint32_t line, uint32_t column)
{
    struct config_place place;
    ck_assert_msg(config_place_of(config, key, &place) == (line > 0), "%s", key);
    ck_assert_uint_eq(place.line, line);
    ck_assert_uint_eq(place.column, column);
    if (line > 0)
        ck_assert_str_eq(place.file, "driftd.yaml");
    else
        ck_assert_ptr_null(place.file);
}

START_TEST(keys_know_where_they_were_set)
{
    struct config *config = parse_good("metrics:\n"
                                       "  queue: 5\n"
                                       "retraining:\n"
                                       "  limits: {projects: {a.b: {per_day: 1}}}\n"
                                       "  strategies:\n"
                                       "    x: {gpu_hours: 1}\n"
                                       "    y.z: {gpu_hours: 2}\n"
                                       "  choose: x\n"
                                       "projects: {b: {jobs: 'tcp://127.0.0.1:1'}, a.b: {jobs: []}}\n");
    expect_place(config, "metrics.queue", 2, 10);
    expect_place(config, "metrics.bind", 0, 0);
    expect_place(config, "retraining.choose", 8, 11);
    expect_place(config, "retraining.limits.projects.a.b.per_day", 4, 38);
    expect_place(config, "retraining.limits.projects.a.b.concurrent", 0, 0);
    expect_place(config, "retraining.strategies.y.z.gpu_hours", 7, 22);
    expect_place(config, "retraining.strategies.y.gpu_hours", 0, 0);
    expect_place(config, "projects", 9, 11);
    expect_place(config, "projects.b.jobs", 9, 22);
    expect_place(config, "projects.a.b.jobs", 9, 56);
    expect_place(config, "projects.b.events", 0, 0);
    expect_place(config, "no.such.key", 0, 0);
    config_destroy(&config);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("config");
    tcase_add_test(cases, a_user_has_folders_of_their_own);
    tcase_add_test(cases, tools_find_the_control_socket);
    tcase_add_test(cases, a_file_is_read);
    tcase_add_test(cases, a_file_has_an_end);
    tcase_add_test(cases, keys_know_where_they_were_set);
    return run_tests(cases, "config file");
}

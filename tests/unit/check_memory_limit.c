#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/memory_limit.h"
#include "tests/run_suite.h"

static char root[] = "/tmp/driftd-limit-XXXXXX";
static char list[sizeof root + 8];

static const char *const folders[] = {"/system.slice", "/system.slice/driftd.service", "/memory", "/memory/box"};
static const char *const files[] = {"memory.max", "memory.high", "memory.limit_in_bytes"};

static void path_of(char out[512], const char *folder, const char *file)
{
    snprintf(out, 512, "%s%s%s%s", root, folder, *file ? "/" : "", file);
}

static void enter(void)
{
    char path[512];
    strcpy(root + sizeof root - 7, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        path_of(path, folders[i], "");
        ck_assert_int_eq(mkdir(path, 0700), 0);
    }
    snprintf(list, sizeof list, "%s/list", root);
}

static void leave(void)
{
    char path[512];
    unlink(list);
    for (size_t i = sizeof folders / sizeof *folders; i-- > 0;) {
        for (size_t f = 0; f < sizeof files / sizeof *files; f++) {
            path_of(path, folders[i], files[f]);
            unlink(path);
        }
        path_of(path, folders[i], "");
        rmdir(path);
    }
    rmdir(root);
}

static void write_file(const char *path, const char *text)
{
    FILE *out = fopen(path, "w");
    ck_assert_ptr_nonnull(out);
    fputs(text, out);
    fclose(out);
}

static void write_limit(const char *folder, const char *file, const char *text)
{
    char path[512];
    path_of(path, folder, file);
    write_file(path, text);
}

static int64_t limit(const char *groups)
{
    write_file(list, groups);
    return memory_limit_of_groups(list, root);
}

START_TEST(the_least_of_a_group_and_those_above_it)
{
    const char *ours = "0::/system.slice/driftd.service\n";
    ck_assert_int_eq(limit(ours), MEMORY_NO_LIMIT);
    write_limit("/system.slice/driftd.service", "memory.max", "max\n");
    ck_assert_int_eq(limit(ours), MEMORY_NO_LIMIT);
    write_limit("/system.slice", "memory.max", "4000000\n");
    ck_assert_int_eq(limit(ours), 4000000);
    write_limit("/system.slice/driftd.service", "memory.max", "3000000\n");
    ck_assert_int_eq(limit(ours), 3000000);
    write_limit("/system.slice/driftd.service", "memory.high", "2000000\n");
    ck_assert_int_eq(limit(ours), 2000000);
    ck_assert_int_eq(limit("0::/system.slice\n"), 4000000);
    ck_assert_int_eq(limit("0::/\n"), MEMORY_NO_LIMIT);
}
END_TEST

START_TEST(hierarchies_of_version_1)
{
    write_limit("/memory/box", "memory.limit_in_bytes", "5000000\n");
    ck_assert_int_eq(limit("12:cpu,cpuacct:/box\n4:memory:/box\n"), 5000000);
    ck_assert_int_eq(limit("12:cpu,cpuacct:/box\n"), MEMORY_NO_LIMIT);
}
END_TEST

START_TEST(what_cannot_be_read_is_no_limit)
{
    ck_assert_int_eq(memory_limit_of_groups("/does/not/exist", root), MEMORY_NO_LIMIT);
    ck_assert_int_eq(limit("nonsense\n0:\n::\n"), MEMORY_NO_LIMIT);
    write_limit("/system.slice", "memory.max", "-3\n");
    ck_assert_int_eq(limit("0::/system.slice\n"), MEMORY_NO_LIMIT);
    ck_assert_int_gt(memory_limit_of_machine(), 1 << 20);
}
END_TEST

START_TEST(what_is_in_memory)
{
    const size_t size = 8 << 20;
    const int64_t before = memory_resident();
    char *bytes = malloc(size);
    ck_assert_ptr_nonnull(bytes);
    memset(bytes, 1, size);
    ck_assert_int_gt(before, 0);
    ck_assert_int_ge(memory_resident() - before, (int64_t)size * 3 / 4);
    ck_assert_int_eq(bytes[size - 1], 1);
    free(bytes);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("memory_limit");
    tcase_add_checked_fixture(cases, enter, leave);
    tcase_add_test(cases, the_least_of_a_group_and_those_above_it);
    tcase_add_test(cases, hierarchies_of_version_1);
    tcase_add_test(cases, what_is_in_memory);
    tcase_add_test(cases, what_cannot_be_read_is_no_limit);
    Suite *suite = suite_create("memory_limit");
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

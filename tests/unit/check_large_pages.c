#include <check.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "daemon/base/clock.h"
#include "daemon/base/large_pages.h"
#include "daemon/base/memory_limit.h"
#include "tests/run_suite.h"

#define PIECE ((size_t)2 << 20)
#define PIECES 16
#define ALL_BYTES ((int64_t)(PIECES * PIECE))
#define PATIENCE_NS (60 * CLOCK_S_NS)

static unsigned char *memory; /* at the beginning of a piece */

static unsigned char written(size_t at)
{
    return (unsigned char)(at >> 10 | 1);
}

static void fill(void)
{
    for (size_t at = 0; at < PIECES * PIECE; at += 512)
        memory[at] = written(at);
}

static bool as_written(void)
{
    for (size_t at = 0; at < PIECES * PIECE; at += 512)
        if (memory[at] != written(at))
            return false;
    return true;
}

/* As an allocator takes its memory. */
static void enter(void)
{
    unsigned char *all = mmap(NULL, (PIECES + 1) * PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(all, MAP_FAILED);
    memory = all + (PIECE - (uintptr_t)all % PIECE);
}

static void leave(void)
{
    munmap(memory, PIECES * PIECE);
}

/* What the kernel says, in bytes. */
static int64_t large_bytes(void)
{
    char line[256];
    long long kb = 0, one;
    FILE *in = fopen("/proc/self/smaps_rollup", "r");
    ck_assert_ptr_nonnull(in);
    while (fgets(line, sizeof line, in))
        if (sscanf(line, "AnonHugePages: %lld kB", &one) == 1)
            kb += one;
    fclose(in);
    return kb * 1024;
}

START_TEST(a_pass_leaves_what_is_written_and_takes_no_more_memory)
{
    struct large_pages_figures figures = {.bytes = 0};
    fill();
    const int64_t resident = memory_resident(), large = large_bytes();
    ck_assert_int_eq(large_pages_pass(&figures), 0);
    ck_assert_int_ge(large_bytes() - large, ALL_BYTES * 3 / 4);
    ck_assert_int_ge(figures.bytes, ALL_BYTES * 3 / 4);
    ck_assert_int_gt(figures.slowest_ns, 0);
    ck_assert_int_le(memory_resident() - resident, ALL_BYTES / 16);
    ck_assert(as_written());
}
END_TEST

/* As an allocator gives back what it has too much of: by the page. */
START_TEST(what_is_given_back_stays_so)
{
    struct large_pages_figures figures = {.bytes = 0};
    fill();
    ck_assert_int_eq(large_pages_pass(&figures), 0);
    const int64_t resident = memory_resident();
    for (size_t piece = 0; piece < PIECES; piece++)
        ck_assert_int_eq(madvise(memory + piece * PIECE + PIECE / 8, PIECE / 2, MADV_DONTNEED), 0);
    ck_assert_int_ge(resident - memory_resident(), ALL_BYTES * 7 / 16);
    const int64_t holed = memory_resident();
    ck_assert_int_eq(large_pages_pass(&figures), 0);
    ck_assert_int_le(memory_resident() - holed, ALL_BYTES / 16);
}
END_TEST

/* A mapping that is to have none is passed over, however long, and is no failure. */
START_TEST(what_may_not_be_large_is_left)
{
    struct large_pages_figures figures = {.bytes = 0};
    ck_assert_int_eq(madvise(memory, ALL_BYTES * 3 / 4, MADV_NOHUGEPAGE), 0);
    fill();
    const int64_t large = large_bytes();
    ck_assert_int_eq(large_pages_pass(&figures), 0);
    ck_assert_uint_eq(figures.failed, 0);
    ck_assert_int_ge(large_bytes() - large, ALL_BYTES / 8);
    ck_assert_int_le(large_bytes() - large, ALL_BYTES / 2);
    ck_assert(as_written());
}
END_TEST

START_TEST(the_thread_looks_at_what_has_grown)
{
    struct large_pages *thread;
    struct large_pages_figures figures = {.bytes = 0};
    ck_assert_int_eq(large_pages_start(&thread), 0);
    fill();
    const int64_t until_ns = clock_now().steady_ns + PATIENCE_NS;
    for (; figures.bytes < ALL_BYTES * 3 / 4 && clock_now().steady_ns < until_ns; poll(NULL, 0, 10))
        large_pages_figures(thread, &figures);
    ck_assert_int_ge(figures.bytes, ALL_BYTES * 3 / 4);
    ck_assert_int_ge(large_bytes(), ALL_BYTES * 3 / 4);
    ck_assert(as_written());
    large_pages_stop(&thread);
    ck_assert_ptr_null(thread);
    large_pages_stop(&thread);
}
END_TEST

START_TEST(a_thread_ends_when_it_is_asked)
{
    struct large_pages *thread;
    for (int i = 0; i < 20; i++) {
        ck_assert_int_eq(large_pages_start(&thread), 0);
        large_pages_stop(&thread);
    }
}
END_TEST

/* From now on this process may not make the call. */
static void forbid(uint32_t call)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof rules / sizeof *rules, .filter = rules};
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* A filter of the service manager's or of a container: no thread, and nothing is touched. */
START_TEST(what_may_not_be_asked_for_is_not)
{
    static const uint32_t calls[] = {SYS_mincore, SYS_madvise};
    struct large_pages *thread = (struct large_pages *)&thread;
    struct large_pages_figures figures = {.bytes = 3};
    if (getenv("CK_FORK"))
        return; /* the filter would stay for the tests that follow */
    forbid(calls[_i]);
    ck_assert_int_eq(large_pages_probe(), -EPERM);
    ck_assert_int_eq(large_pages_start(&thread), -EPERM);
    ck_assert_ptr_null(thread);
    ck_assert_int_eq(large_pages_pass(&figures), -EPERM);
    ck_assert_int_eq(figures.bytes, 3);
}
END_TEST

/* A kernel without them, or set to have none. */
START_TEST(where_there_are_none_nothing_is_started)
{
    struct large_pages *thread = (struct large_pages *)&thread;
    struct large_pages_figures figures = {.bytes = 3};
    ck_assert_int_eq(large_pages_start(&thread), large_pages_probe());
    ck_assert_ptr_null(thread);
    ck_assert_int_eq(large_pages_pass(&figures), large_pages_probe());
    ck_assert_int_eq(figures.bytes, 3);
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("large_pages");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, enter, leave);
    const int rc = large_pages_probe();
    if (rc < 0) {
        printf("skipped: this kernel puts nothing into large pages: %s\n", strerror(-rc));
        tcase_add_test(cases, where_there_are_none_nothing_is_started);
    } else {
        tcase_add_test(cases, a_pass_leaves_what_is_written_and_takes_no_more_memory);
        tcase_add_test(cases, what_is_given_back_stays_so);
        tcase_add_test(cases, what_may_not_be_large_is_left);
        tcase_add_test(cases, the_thread_looks_at_what_has_grown);
        tcase_add_test(cases, a_thread_ends_when_it_is_asked);
        tcase_add_loop_test(cases, what_may_not_be_asked_for_is_not, 0, 2);
    }
    Suite *suite = suite_create("large_pages");
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

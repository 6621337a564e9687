#include <check.h>
#include <string.h>

#include "daemon/base/large_pieces.h"
#include "tests/run_suite.h"

#define MOST (UINT64_C(1) << 34)

static struct large_pieces pieces;

static bool taken(const char *line)
{
    pieces = (struct large_pieces){.from = 1, .to = 1};
    return large_pieces_of(line, MOST, &pieces);
}

static void holds(const char *line, uintptr_t from, uintptr_t to)
{
    ck_assert_msg(taken(line), "%s", line);
    ck_assert_uint_eq(pieces.from, from);
    ck_assert_uint_eq(pieces.to, to);
}

START_TEST(the_allocators_memory)
{
    holds("55d000100000-55d000a00000 rw-p 00000000 00:00 0                          [heap]\n", 0x55d000200000, 0x55d000a00000);
    holds("7f0000000000-7f0000400000 rw-p 00000000 00:00 0 \n", 0x7f0000000000, 0x7f0000400000);
    holds("7f0000000000-7f0000400000 rw-p 00000000 00:00 0", 0x7f0000000000, 0x7f0000400000);
}
END_TEST

START_TEST(whole_pieces_alone)
{
    holds("7f00001ff000-7f0000401000 rw-p 00000000 00:00 0 \n", 0x7f0000200000, 0x7f0000400000);
    holds("7f0000000000-7f00003ff000 rw-p 00000000 00:00 0 \n", 0x7f0000000000, 0x7f0000200000);
    ck_assert(!taken("7f0000001000-7f0000200000 rw-p 00000000 00:00 0 \n"));
    ck_assert(!taken("7f0000001000-7f00003ff000 rw-p 00000000 00:00 0 \n"));
    ck_assert(!taken("7f0000001000-7f0000002000 rw-p 00000000 00:00 0 \n"));
    ck_assert(!taken("fffffffffff00000-ffffffffffff0000 rw-p 00000000 00:00 0 \n")); /* the next piece would be at 0 */
    ck_assert_uint_eq(pieces.from, 1); /* untouched */
}
END_TEST

START_TEST(what_is_not_ours)
{
    static const char *const lines[] = {
        "7ffc00000000-7ffc00800000 rw-p 00000000 00:00 0                          [stack]\n",
        "7ffc00000000-7ffc00800000 r--p 00000000 00:00 0                          [vvar]\n",
        "7f0000000000-7f0000400000 rw-p 00000000 00:00 0                          [heap\n",
        "7f0000000000-7f0000400000 rw-p 00000000 00:00 0                          [heap] of another\n",
        "7f0000000000-7f0000400000 rw-p 00001000 fe:01 4711                       /usr/lib/libzmq.so.5\n",
        "7f0000000000-7f0000400000 rw-p 00001000 fe:01 4711 \n",
        "7f0000000000-7f0000400000 rw-s 00000000 00:00 0 \n",
        "7f0000000000-7f0000400000 ---p 00000000 00:00 0 \n",
        "7f0000000000-7f0000400000 r--p 00000000 00:00 0 \n",
        "7f0000000000-7f0000400000 rwxp 00000000 00:00 0 \n",
        "7f0000400000-7f0000000000 rw-p 00000000 00:00 0 \n",
        "", "\n", "7f0000000000", "7f0000000000-7f0000400000 rw-p", "maps\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(!taken(lines[i]), "%s", lines[i]);
}
END_TEST

START_TEST(address_space_is_no_memory)
{
    const char *line = "7f0000000000-7f0400000000 rw-p 00000000 00:00 0 \n"; /* MOST */
    ck_assert(taken(line));
    ck_assert(!large_pieces_of(line, MOST - 1, &pieces));
}
END_TEST

START_TEST(a_piece_may_lack_some_pages)
{
    unsigned char pages[LARGE_PIECE_PAGES];
    memset(pages, 1, sizeof pages);
    ck_assert(large_piece_whole(pages));
    for (int i = 0; i < LARGE_PIECE_LACKS; i++)
        pages[i * 30] = 0;
    ck_assert(large_piece_whole(pages));
    pages[511] = 0xfe; /* only the last bit says that it is there */
    ck_assert(!large_piece_whole(pages));
    memset(pages, 0, sizeof pages);
    ck_assert(!large_piece_whole(pages));
}
END_TEST

START_TEST(a_look_is_due_after_a_sixteenth)
{
    const int64_t step = LARGE_PIECES_STEP_BYTES;
    ck_assert(!large_pieces_due(step - 1, 0));
    ck_assert(large_pieces_due(step, 0));
    ck_assert(!large_pieces_due(100 * step, 100 * step));
    ck_assert(!large_pieces_due(106 * step, 100 * step));
    ck_assert(large_pieces_due(107 * step, 100 * step));
    ck_assert(!large_pieces_due(94 * step, 100 * step));
    ck_assert(large_pieces_due(93 * step, 100 * step)); /* what was given back is to be told, too */
}
END_TEST

int main(void)
{
    TCase *cases = tcase_create("large_pieces");
    tcase_add_test(cases, the_allocators_memory);
    tcase_add_test(cases, whole_pieces_alone);
    tcase_add_test(cases, what_is_not_ours);
    tcase_add_test(cases, address_space_is_no_memory);
    tcase_add_test(cases, a_piece_may_lack_some_pages);
    tcase_add_test(cases, a_look_is_due_after_a_sixteenth);
    Suite *suite = suite_create("large_pieces");
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}

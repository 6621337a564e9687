#include <check.h>
#include <string.h>

#include "tests/run_suite.h"
#include "tests/unit/store_case.h"

static int64_t note_on(struct store *store, int64_t request, const char *reason)
{
    return store_add_line(store, &(struct store_line){.request = request,
                                                      .attempt = 1,
                                                      .at_s = noon.wall_s,
                                                      .from = "PENDING",
                                                      .to = "PENDING",
                                                      .by = "monitor",
                                                      .why = reason});
}

static void join_why(void *argument, const struct store_line *line)
{
    strcat(strcat(argument, line->why), " ");
}

static void has_lines(struct store *store, int64_t request, const char *expected)
{
    char reasons[128] = "";
    ck_assert_int_eq(store_each_line(store, request, join_why, reasons), 0);
    ck_assert_str_eq(reasons, expected);
}

/* What a request begins with is its own, and the others go on behind all that there are. */
START_TEST(lines_are_found_by_their_request)
{
    struct store *store = open_store();
    add_one(store, 1);
    ck_assert_int_eq(note_on(store, 1, "again"), 2);
    add_one(store, 2);
    ck_assert_int_eq(note_on(store, 3, "once"), 4);
    ck_assert_int_eq(note_on(store, 1, "more"), 5);
    ck_assert_int_eq(store_commit(store), 0);
    store_close(&store);
    store = open_store();
    has_lines(store, 1, "drift again more ");
    has_lines(store, 3, "drift once ");
    has_lines(store, 2, "");
    ck_assert_int_eq(note_on(store, 3, "lost"), 6);
    store_rollback(store);
    add_one(store, 3);
    ck_assert_int_eq(store_commit(store), 0);
    has_lines(store, 3, "drift once ");
    has_lines(store, 7, "drift ");
    store_close(&store);
}
END_TEST

/* All that a request leaves behind, and nothing of another. */
START_TEST(lines_go_with_their_request)
{
    struct store *store = open_store();
    struct request ended = example(1);
    uint64_t gone[REQUEST_STATES] = {0};
    add_one(store, 1);
    note_on(store, 1, "again");
    add_one(store, 2);
    note_on(store, 3, "once");
    ended.number = 1;
    ended.state = REQUEST_DONE;
    ended.ended = noon;
    store_set_request(store, &ended);
    ck_assert_int_eq(store_forget(store, moment_after(noon, 1), 5, gone), 1);
    ck_assert_int_eq(store_commit(store), 0);
    ck_assert_uint_eq(gone[REQUEST_DONE], 1);
    has_lines(store, 1, "");
    has_lines(store, 3, "drift once ");
    request_texts_free(&ended);
    store_close(&store);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store_lines");
    TCase *tests = tcase_create("lines");
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, lines_are_found_by_their_request);
    tcase_add_test(tests, lines_go_with_their_request);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

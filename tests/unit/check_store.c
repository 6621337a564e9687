/* Opening a store, what its schema promises, and that requests come back as they went. */
#include "tests/run_suite.h"
#include "tests/unit/store_case.h"

START_TEST(a_new_store_is_made_and_found_again)
{
    struct store *store = open_store();
    ck_assert_int_eq(access(made_file, F_OK), 0);
    ck_assert_int_eq(live_in(store), 0);
    add_one(store, 1);
    ck_assert_int_eq(store_commit(store), 0);
    add_one(store, 2);
    store_close(&store); /* not committed */
    ck_assert_ptr_null(store);
    store_close(&store);
    store = open_store();
    ck_assert_int_eq(live_in(store), 1);
    store_close(&store);
    /* The mark comes back where somebody has taken it. */
    ck_assert_int_eq(unlink(made_file), 0);
    store = open_store();
    ck_assert_int_eq(access(made_file, F_OK), 0);
    store_close(&store);
}
END_TEST

START_TEST(folders_are_made)
{
    char deep[128];
    struct store *store;
    snprintf(deep, sizeof deep, "%s/a/b/c", dir);
    ck_assert_int_eq(store_open(&store, deep, "boot", noon, why), 0);
    store_close(&store);
    snprintf(deep, sizeof deep, "%s/a/b/c/requests.db/x", dir);
    ck_assert_int_lt(store_open(&store, deep, "boot", noon, why), 0);
    ck_assert_uint_gt(strlen(why), 10);
}
END_TEST

START_TEST(two_do_not_share_a_store)
{
    int ready[2], done[2];
    char byte;
    ck_assert_int_eq(pipe(ready) | pipe(done), 0);
    pid_t child = fork();
    if (child == 0) {
        struct store *store = open_store();
        if (write(ready[1], "x", 1) != 1 || read(done[0], &byte, 1) != 1)
            _exit(1);
        store_close(&store);
        _exit(0);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    refuses(-EBUSY, "locked by another process");
    ck_assert_int_eq(write(done[1], "x", 1), 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    struct store *store = open_store();
    store_close(&store);
}
END_TEST

START_TEST(what_is_foreign_is_left_alone)
{
    static const char text[] = "these are somebody's notes, and no database at all\n";
    char back[sizeof text] = "";
    write_file(file, text, sizeof text);
    refuses(-EILSEQ, "no store of driftd");
    FILE *in = fopen(file, "rb");
    ck_assert_uint_eq(fread(back, 1, sizeof back, in), sizeof text);
    fclose(in);
    ck_assert_mem_eq(back, text, sizeof text);
    write_file(file, "SQL", 3);
    refuses(-EILSEQ, "no store of driftd");
    unlink(file);
    sql("CREATE TABLE photos (name TEXT)", SQLITE_OK);
    refuses(-EILSEQ, "belongs to another program");
    sql("PRAGMA application_id = 7", SQLITE_OK);
    refuses(-EILSEQ, "belongs to another program");
    unlink(file);
    ck_assert_int_eq(mkdir(file, 0700), 0);
    refuses(-ENOTSUP, "no regular file");
}
END_TEST

START_TEST(a_newer_store_is_refused)
{
    struct store *store = open_store();
    store_close(&store);
    sql("PRAGMA user_version = 99", SQLITE_OK);
    refuses(-EILSEQ, "newer driftd (version 99, this one knows 9)");
    sql("PRAGMA user_version = 0", SQLITE_OK);
    refuses(-EILSEQ, "damaged");
}
END_TEST

static void note_line(void *argument, const struct store_line *line)
{
    ck_assert_str_eq(line->to, "PENDING");
    ck_assert_str_eq(line->why, "y");
    *(double *)argument += 100 + line->at_s;
}

static void note_model(void *argument, const struct store_model *model)
{
    strcat(argument, model->model);
    strcat(argument, " ");
}

static int note_id(void *argument, struct request *request)
{
    strcat(argument, request->id);
    return 0;
}

static int take_request(void *argument, struct request *request)
{
    *(struct request *)argument = *request;
    request->trigger_json = request->metrics_json = NULL;
    return 0;
}

/* Lines by their requests, models by their families, requests in their order. */
static void what_was_kept_is_still_found(struct store *store)
{
    char models[256] = "", newest[64] = "";
    struct store_family family;
    struct store_model model;
    struct request ended;
    double lines = 0;
    ck_assert_int_eq(store_get_ended(store, "r1", &ended), 1);
    ck_assert_int_eq(store_each_line(store, ended.number, note_line, &lines), 0);
    request_texts_free(&ended);
    ck_assert_double_eq_tol(lines, 209, 1e-12); /* the first of them has another's number */
    ck_assert_int_eq(store_each_of_family(store, text_of("p/n"), note_model, models), 0);
    ck_assert_str_eq(models, "p/n/v p/n/w ");
    ck_assert_int_eq(store_get_model(store, "p/n/v", &model), 1);
    ck_assert_uint_eq(model.episode, 4);
    ck_assert_str_eq(model.request, "r3");
    ck_assert_int_eq(store_get_family(store, text_of("p/n"), &family), 1);
    ck_assert_uint_eq(family.requests, 4);
    ck_assert_uint_eq(family.fruitless, 2);
    ck_assert_str_eq(family.last_request, "r3");
    ck_assert_int_eq(store_each_newest(store, REQUEST_STATES, 2, note_id, newest), 0);
    ck_assert_str_eq(newest, "r3r2");
}

/* A store of the first version: what it knows of outcomes is in the tallies. */
START_TEST(an_older_store_is_brought_up)
{
    char insert[1024];
    sql(store_steps[0], SQLITE_OK);
    sql("PRAGMA application_id = 0x64726674; PRAGMA user_version = 1", SQLITE_OK);
    static const char *const outcomes[] = {"'done', 0.15, 4", "'done', NULL, NULL", "'failed', NULL, 2",
                                           "'running', NULL, NULL"};
    sql("INSERT INTO history (request, attempt, at, \"to\", \"by\", why) VALUES ('r1', 1, 7, 'PENDING', 'x', 'y')", SQLITE_OK);
    for (int i = 0; i < 4; i++) {
        snprintf(
            insert, sizeof insert,
            "INSERT INTO requests (id, model, family, episode, state, attempt, offers, taken, cancel_asked, silent,"
            " strategy, strategy_reason, gpu_hours, severity, observed, bound, trigger_json, metrics_json,"
            " offered_for_ns, boot) VALUES ('r%d', 'p/n/v', 'p/n', %d, '%s', 1, 0, 1, 0, 0, 'pbt', '', 12, 0.1, 0.5,"
            " 0.8, '{}', '{}', 0, 1);"
            "INSERT INTO outcomes (request, attempt, family, strategy, trainer, outcome, gain, gpu_hours, said,"
            " expected_gpu_hours, boot) VALUES ('r%d', 1, 'p/n', 'pbt', 't', %s, 0, 12, 1);"
            "INSERT INTO history (request, attempt, at, \"to\", \"by\", why) VALUES ('r%d', 1, %d, 'PENDING', 'x', "
            "'y')",
            i, i, i == 3 ? "RUNNING" : "DONE", i, outcomes[i], 3 - i, i);
        sql(insert, SQLITE_OK);
    }
    sql("INSERT INTO models (model, family, episode, request, boot) VALUES ('p/n/v', 'p/n', 4, 'r3', 1),"
        " ('p/n/w', 'p/n', 1, NULL, 1), ('p/n0/v', 'p/n0', 1, NULL, 1), ('p/n-/v', 'p/n-', 1, NULL, 1);"
        "INSERT INTO families VALUES ('p/n', 4, 2, 1, 0, 'r3')",
        SQLITE_OK);
    struct store *store = open_store();
    struct history_row row;
    what_was_kept_is_still_found(store);
    ck_assert_int_eq(store_get_tally(store, text_of("p/n"), "pbt", &row), 0);
    ck_assert_double_eq_tol(row.here.attempts, 3, 1e-12);
    ck_assert_double_eq_tol(row.here.recovered, 1.5, 1e-12);
    ck_assert_double_eq_tol(row.here.costs, 2, 1e-12);
    ck_assert_double_eq_tol(row.here.gpu_hours, 6, 1e-12);
    ck_assert_double_eq_tol(row.fleet.families, 1, 1e-12);
    ck_assert_double_eq_tol(row.fleet.attempts, 3, 1e-12);
    ck_assert_double_eq_tol(row.fleet.attempts_squared, 9, 1e-12);
    ck_assert_double_eq_tol(row.fleet.recovered_squared, 0.75, 1e-12);
    ck_assert_double_eq_tol(row.fleet.cost_families, 1, 1e-12);
    ck_assert_double_eq_tol(row.fleet.per_hour, 1.0 / 3, 1e-12);
    ck_assert_double_eq_tol(row.fleet.per_hour_squared, 1.0 / 9, 1e-12);
    ck_assert_int_eq(store_get_tally(store, text_of("p/other"), "bayesian", &row), 0);
    ck_assert_double_eq_tol(row.fleet.families, 0, 1e-12);
    store_close(&store);
    /* The requests are there, and the file still refuses what it did. */
    sql("CREATE TABLE found AS SELECT group_concat(id || state, ' ') AS all_of_them FROM requests", SQLITE_OK);
    sql("CREATE TABLE good (yes INTEGER CHECK (yes = 1)); INSERT INTO good SELECT all_of_them = 'r0DONE r1DONE r2DONE "
        "r3RUNNING'"
        " FROM found",
        SQLITE_OK);
    sql("UPDATE requests SET state = 'PENDING' WHERE id = 'r0'", SQLITE_CONSTRAINT);
    sql("DELETE FROM requests WHERE id = 'r3'", SQLITE_CONSTRAINT);
    sql("UPDATE requests SET state = 'ASLEEP' WHERE id = 'r3'", SQLITE_CONSTRAINT);
    sql("INSERT INTO lines (request, attempt, at, \"to\", \"by\", why) VALUES (1, 1, 0, 'DONE', 'x', '')", SQLITE_OK);
    sql("DELETE FROM lines", SQLITE_CONSTRAINT);
}
END_TEST

START_TEST(history_and_final_states_are_kept_by_the_file_itself)
{
    struct store *store = open_store();
    add_one(store, 1);
    store_add_line(store, &(struct store_line){.request = 1, .from = "PENDING", .to = "PENDING", .by = "x", .why = "y"});
    ck_assert_int_eq(store_commit(store), 0);
    store_close(&store);
    sql("UPDATE lines SET why = 'nothing'", SQLITE_CONSTRAINT);
    sql("DELETE FROM lines", SQLITE_CONSTRAINT);
    sql("UPDATE requests SET asked_why = 'nothing'", SQLITE_CONSTRAINT);
    sql("UPDATE requests SET asked_by = 'nobody'", SQLITE_CONSTRAINT);
    sql("UPDATE requests SET created_s = 0", SQLITE_CONSTRAINT);
    sql("UPDATE requests SET state = 'DONE'", SQLITE_OK);
    sql("UPDATE requests SET silent = 1", SQLITE_OK);
    sql("UPDATE requests SET state = 'PENDING'", SQLITE_CONSTRAINT);
    sql("UPDATE requests SET state = 'LOST'", SQLITE_CONSTRAINT);
}
END_TEST

START_TEST(one_live_request_for_a_family_and_one_for_an_episode)
{
    struct store *store = open_store();
    struct request request = example(1);
    add_one(store, 1);
    ck_assert_int_eq(store_commit(store), 0);
    /* another id, the same family */
    strcpy(request.id, "ffffffffffffffffffffffffffffffff");
    strcpy(request.model, "p/n1/v2");
    store_add_request(store, &request, "monitor", "drift");
    ck_assert_int_eq(store_commit(store), -EEXIST);
    ck_assert_int_eq(live_in(store), 1);
    request_texts_free(&request);
    store_close(&store);
}
END_TEST

START_TEST(the_first_error_sticks_until_the_end)
{
    struct store *store = open_store();
    add_one(store, 1);
    struct request twin = example(1);
    store_add_request(store, &twin, "monitor", "drift");
    twin.episode = 5;
    strcpy(twin.id, "x");
    strcpy(twin.model, "q/n/v");
    store_add_request(store, &twin, "monitor", "drift");
    ck_assert_int_eq(store_commit(store), -EEXIST);
    ck_assert_uint_gt(strlen(store_complaint(store)), 5);
    ck_assert_int_eq(live_in(store), 0); /* all or nothing */
    request_texts_free(&twin);
    store_close(&store);
}
END_TEST

START_TEST(a_request_comes_back_as_it_went)
{
    struct store *store = open_store();
    struct request wrote = example(7), read = {.number = 0};
    wrote.number = store_add_request(store, &wrote, "monitor", "drift");
    wrote.state = REQUEST_RUNNING;
    wrote.attempt = 2;
    wrote.offers = 3;
    wrote.taken = wrote.cancel_asked = wrote.silent = true;
    strcpy(wrote.trainer, "t");
    strcpy(wrote.note, "half");
    strcpy(wrote.strategy, "bayesian");
    wrote.fraction = 0.5;
    wrote.offered_for_ns = 12345;
    wrote.first_offered = moment_after(noon, 5);
    wrote.offered = moment_after(noon, 6);
    wrote.accepted = moment_after(noon, 7);
    store_set_request(store, &wrote);
    ck_assert_int_eq(store_each_live(store, take_request, &read), 0);
    ck_assert_int_eq(read.number, wrote.number);
    ck_assert_str_eq(read.id, wrote.id);
    ck_assert_str_eq(read.model, wrote.model);
    ck_assert_uint_eq(read.episode, 7);
    ck_assert_int_eq(read.state, REQUEST_RUNNING);
    ck_assert_uint_eq(read.attempt, 2);
    ck_assert_uint_eq(read.offers, 3);
    ck_assert(read.taken && read.cancel_asked && read.silent);
    ck_assert_str_eq(read.trainer, "t");
    ck_assert_str_eq(read.note, "half");
    ck_assert_str_eq(read.strategy, "bayesian");
    ck_assert_str_eq(read.strategy_reason, "because");
    ck_assert_double_eq(read.fraction, 0.5);
    ck_assert_double_eq(read.observed, 0.5);
    ck_assert_double_eq(read.limit, 0.8);
    ck_assert_str_eq(read.trigger_json, "{\"rule\":\"x\"}");
    ck_assert_int_eq(read.created.steady_ns, noon.steady_ns);
    ck_assert_int_eq(read.first_offered.steady_ns, noon.steady_ns + 5);
    ck_assert_int_eq(read.offered.steady_ns, noon.steady_ns + 6);
    ck_assert_int_eq(read.accepted.steady_ns, noon.steady_ns + 7);
    ck_assert(moment_is_never(read.ended));
    ck_assert_int_eq(read.offered_for_ns, 12345);
    request_texts_free(&read);
    request_texts_free(&wrote);
    store_close(&store);
}
END_TEST

static void end_one(struct store *store, struct request *request)
{
    request->state = REQUEST_DONE;
    request->ended = moment_after(noon, 9);
    store_set_request(store, request);
}

START_TEST(a_request_is_found_by_its_id_once_it_has_ended)
{
    struct store *store = open_store();
    struct request wrote = example(7), read;
    wrote.number = store_add_request(store, &wrote, "monitor", "drift");
    add_one(store, 8);
    ck_assert_int_eq(store_get_ended(store, wrote.id, &read), 0);
    end_one(store, &wrote);
    ck_assert_int_eq(store_get_ended(store, wrote.id, &read), 1);
    ck_assert_int_eq(read.number, wrote.number);
    ck_assert_int_eq(read.state, REQUEST_DONE);
    ck_assert_int_eq(read.ended.steady_ns, noon.steady_ns + 9);
    request_texts_free(&read);
    ck_assert_int_eq(store_commit(store), 0);
    /* No two of them have the same. */
    wrote.number = store_add_request(store, &wrote, "monitor", "drift");
    ck_assert_int_eq(store_commit(store), -EEXIST);
    request_texts_free(&wrote);
    store_close(&store);
}
END_TEST

START_TEST(moments_of_another_boot_go_by_the_wall_clock)
{
    struct store *store = open_store();
    struct store_model wrote = {.model = "p/n/v", .episode = 3}, read;
    wrote.first_seen = wrote.served = wrote.ended = moment_never();
    wrote.triggered = noon;
    store_put_model(store, &wrote);
    ck_assert_int_eq(store_commit(store), 0);
    store_close(&store);
    struct {
        struct moment now;
        const char *boot;
        int64_t expected_s; /* steady */
    } cases[] = {
        {{.steady_ns = INT64_C(2000000000000), .wall_s = noon.wall_s + 5e6}, "boot", 1000}, /* the wall clock jumped */
        {{.steady_ns = INT64_C(50000000000), .wall_s = noon.wall_s + 600}, "other", 50 - 600},
        {{.steady_ns = INT64_C(50000000000), .wall_s = noon.wall_s - 600}, "third", 50},
    };
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(store_open(&store, dir, cases[i].boot, cases[i].now, why), 0);
        ck_assert_int_eq(store_get_model(store, "p/n/v", &read), 1);
        ck_assert_int_eq(read.triggered.steady_ns / 1000000000, cases[i].expected_s);
        ck_assert(moment_is_never(read.ended));
        ck_assert_uint_eq(read.episode, 3);
        store_close(&store);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tests = tcase_create("file");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, a_new_store_is_made_and_found_again);
    tcase_add_test(tests, folders_are_made);
    tcase_add_test(tests, two_do_not_share_a_store);
    tcase_add_test(tests, what_is_foreign_is_left_alone);
    tcase_add_test(tests, a_newer_store_is_refused);
    tcase_add_test(tests, an_older_store_is_brought_up);
    tcase_add_test(tests, history_and_final_states_are_kept_by_the_file_itself);
    tcase_add_test(tests, one_live_request_for_a_family_and_one_for_an_episode);
    tcase_add_test(tests, the_first_error_sticks_until_the_end);
    tcase_add_test(tests, a_request_comes_back_as_it_went);
    tcase_add_test(tests, a_request_is_found_by_its_id_once_it_has_ended);
    tcase_add_test(tests, moments_of_another_boot_go_by_the_wall_clock);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

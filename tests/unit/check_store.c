#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/requests/store.h"
#include "daemon/requests/store_schema.h"
#include "tests/run_suite.h"

static char dir[64], file[96], made_file[96], why[STORE_WHY_MAX];
static const struct moment noon = {.steady_ns = INT64_C(1000000000000), .wall_s = 1795428000};

static int unlink_one(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

static void begin(void)
{
    strcpy(dir, "/tmp/driftd-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/requests.db", dir);
    snprintf(made_file, sizeof made_file, "%s/requests.db-made", dir);
}

static void finish(void)
{
    nftw(dir, unlink_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct store *open_store(void)
{
    struct store *store;
    int rc = store_open(&store, dir, "boot", noon, why);
    ck_assert_msg(rc == 0, "%d: %s", rc, why);
    return store;
}

static void refuses(int error, const char *word)
{
    struct store *store;
    ck_assert_int_eq(store_open(&store, dir, "boot", noon, why), error);
    ck_assert_ptr_null(store);
    ck_assert_msg(strstr(why, word) != NULL, "%s", why);
    ck_assert_ptr_nonnull(strstr(why, file)); /* says which file */
}

static struct request example(uint64_t number)
{
    struct request request = {.episode = number,
                              .attempt = 1,
                              .strategy = "pbt",
                              .strategy_reason = "because",
                              .gpu_hours = 12,
                              .severity = 0.5,
                              .metric = "accuracy",
                              .observed = 0.5,
                              .limit = 0.8,
                              .fraction = NAN,
                              .trigger_json = strdup("{\"rule\":\"x\"}"),
                              .metrics_json = strdup("{}"),
                              .created = noon,
                              .not_before = noon,
                              .first_offered = moment_never(),
                              .offered = moment_never(),
                              .accepted = moment_never(),
                              .ended = moment_never()};
    snprintf(request.id, sizeof request.id, "%032llu", (unsigned long long)number);
    snprintf(request.model, sizeof request.model, "p/n%llu/v", (unsigned long long)number);
    return request;
}

static void add_one(struct store *store, uint64_t number)
{
    struct request request = example(number);
    store_add_request(store, &request);
    int64_t line = store_add_line(store, &(struct store_line){.request = request.id,
                                                              .attempt = 1,
                                                              .at_s = noon.wall_s,
                                                              .to = "PENDING",
                                                              .by = "monitor",
                                                              .why = "drift"});
    ck_assert_int_gt(line, 0);
    request_texts_free(&request);
}

static int count_live(void *argument, struct request *request)
{
    (void)request;
    ++*(int *)argument;
    return 0;
}

static int live_in(struct store *store)
{
    int count = 0;
    ck_assert_int_eq(store_each_live(store, count_live, &count), 0);
    return count;
}

/* -- opening --------------------------------------------------------------------------------------------------------- */

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

static void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
    fclose(out);
}

static void sql(const char *text, int expected)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), expected);
    sqlite3_close(db);
}

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
    refuses(-EINVAL, "no regular file");
}
END_TEST

START_TEST(a_newer_store_is_refused)
{
    struct store *store = open_store();
    store_close(&store);
    sql("PRAGMA user_version = 99", SQLITE_OK);
    refuses(-EILSEQ, "newer driftd (version 99, this one knows 5)");
    sql("PRAGMA user_version = 0", SQLITE_OK);
    refuses(-EILSEQ, "damaged");
}
END_TEST

/* A store of the first version: what it knows of outcomes is in the tallies. */
START_TEST(an_older_store_is_brought_up)
{
    char insert[1024];
    sql(store_steps[0], SQLITE_OK);
    sql("PRAGMA application_id = 0x64726674; PRAGMA user_version = 1", SQLITE_OK);
    static const char *const outcomes[] = {"'done', 0.15, 4", "'done', NULL, NULL", "'failed', NULL, 2", "'running', NULL, NULL"};
    for (int i = 0; i < 4; i++) {
        snprintf(insert, sizeof insert,
                 "INSERT INTO requests (id, model, family, episode, state, attempt, offers, taken, cancel_asked, silent,"
                 " strategy, strategy_reason, gpu_hours, severity, observed, bound, trigger_json, metrics_json,"
                 " offered_for_ns, boot) VALUES ('r%d', 'p/n/v', 'p/n', %d, '%s', 1, 0, 1, 0, 0, 'pbt', '', 12, 0.1, 0.5,"
                 " 0.8, '{}', '{}', 0, 1);"
                 "INSERT INTO outcomes (request, attempt, family, strategy, trainer, outcome, gain, gpu_hours, said,"
                 " expected_gpu_hours, boot) VALUES ('r%d', 1, 'p/n', 'pbt', 't', %s, 0, 12, 1)",
                 i, i, i == 3 ? "RUNNING" : "DONE", i, outcomes[i]);
        sql(insert, SQLITE_OK);
    }
    struct store *store = open_store();
    struct history_row row;
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
    sql("CREATE TABLE good (yes INTEGER CHECK (yes = 1)); INSERT INTO good SELECT all_of_them = 'r0DONE r1DONE r2DONE r3RUNNING'"
        " FROM found", SQLITE_OK);
    sql("UPDATE requests SET state = 'PENDING' WHERE id = 'r0'", SQLITE_CONSTRAINT);
    sql("DELETE FROM requests WHERE id = 'r3'", SQLITE_CONSTRAINT);
    sql("UPDATE requests SET state = 'ASLEEP' WHERE id = 'r3'", SQLITE_CONSTRAINT);
    sql("INSERT INTO history (request, attempt, at, \"to\", \"by\", why) VALUES ('r0', 1, 0, 'DONE', 'x', '')", SQLITE_OK);
    sql("DELETE FROM history", SQLITE_CONSTRAINT);
}
END_TEST

/* Kills nobody: closes the store's files behind its back, as the end of the process does. */
static void copy_of_the_open_store(const char *from)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s.copy && cp -r %s %s.copy", from, from, from);
    ck_assert_int_eq(system(command), 0);
}

static void give_back_copy(void)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s && cp -r %s.copy %s", dir, dir, dir);
    ck_assert_int_eq(system(command), 0);
}

static void spoil(const char *path, long at, const char *with, size_t bytes)
{
    FILE *spoiled = fopen(path, "r+b");
    ck_assert_ptr_nonnull(spoiled);
    ck_assert_int_eq(fseek(spoiled, at, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(with, 1, bytes, spoiled), bytes);
    fclose(spoiled);
}

/* What was committed last stands in the log alone: whatever is done to it must not pass for an older state. */
START_TEST(a_log_that_is_gone_or_damaged_is_noticed)
{
    char log_file[112], open_file[112], command[256];
    snprintf(log_file, sizeof log_file, "%s-wal", file);
    snprintf(open_file, sizeof open_file, "%s-open", file);
    struct store *store = open_store();
    for (uint64_t i = 1; i <= 40; i++) { /* the log is longer than what making the schema has left in it */
        struct request request = example(i);
        request.state = REQUEST_DONE;
        store_add_request(store, &request);
        ck_assert_int_eq(store_commit(store), 0);
        request_texts_free(&request);
    }
    ck_assert_int_eq(access(open_file, F_OK), 0);
    copy_of_the_open_store(dir);
    store_close(&store);
    ck_assert_int_ne(access(open_file, F_OK), 0);

    give_back_copy();
    ck_assert_int_eq(unlink(log_file), 0);
    refuses(-EILSEQ, "requests.db-wal is missing");
    give_back_copy();
    ck_assert_int_eq(truncate(log_file, 0), 0);
    refuses(-EILSEQ, "requests.db-wal is empty");
    give_back_copy();
    spoil(log_file, 3, "x", 1);
    refuses(-EILSEQ, "requests.db-wal is damaged at its head");
    give_back_copy();
    spoil(log_file, 32 + 4120 + 100, "damage", 6);
    refuses(-EILSEQ, "requests.db-wal is damaged in its middle");
    give_back_copy();
    spoil(log_file, 32 + 4120 + 9, "salt", 4); /* a frame that says it is of another log */
    refuses(-EILSEQ, "requests.db-wal is damaged in its middle");

    /* The end of the log is what a crash leaves: the last transaction was not whole, and nobody was told of it. */
    give_back_copy();
    struct stat st;
    ck_assert_int_eq(stat(log_file, &st), 0);
    ck_assert_int_eq(truncate(log_file, st.st_size - 100), 0);
    store = open_store();
    uint64_t counts[REQUEST_STATES];
    ck_assert_int_eq(store_count_states(store, counts), 0);
    ck_assert_uint_eq(counts[REQUEST_DONE], 39);
    store_close(&store);

    /* A start that has nothing new to write begins the log all the same. */
    store = open_store();
    ck_assert_int_eq(stat(log_file, &st), 0);
    ck_assert_int_gt(st.st_size, 4096);
    store_close(&store);

    /* The way out that the sentence names. */
    give_back_copy();
    ck_assert_int_eq(unlink(log_file), 0);
    ck_assert_int_eq(unlink(open_file), 0);
    store = open_store();
    store_close(&store);
    snprintf(command, sizeof command, "rm -rf %s.copy", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

START_TEST(an_empty_store_that_was_not_is_noticed)
{
    struct store *store = open_store();
    add_one(store, 1);
    ck_assert_int_eq(store_commit(store), 0);
    store_close(&store);
    ck_assert_int_eq(truncate(file, 0), 0);
    refuses(-EILSEQ, "missing or empty");
    ck_assert_int_eq(unlink(file), 0);
    refuses(-EILSEQ, "missing or empty");
    ck_assert_ptr_nonnull(strstr(why, "requests.db-made"));
    sql("PRAGMA page_size = 4096; VACUUM", SQLITE_OK); /* a database with nothing in it */
    refuses(-EILSEQ, "empty");
    /* The way out that the sentence names. */
    unlink(file);
    ck_assert_int_eq(unlink(made_file), 0);
    store = open_store();
    ck_assert_int_eq(live_in(store), 0);
    store_close(&store);
    /* A log without its database is a loss too, and SQLite must not throw it away. */
    unlink(file);
    unlink(made_file);
    char log_file[128];
    snprintf(log_file, sizeof log_file, "%s-wal", file);
    write_file(log_file, "frames", 6);
    refuses(-EILSEQ, "requests.db-wal");
    ck_assert_int_eq(access(log_file, F_OK), 0);
}
END_TEST

START_TEST(damage_is_found_at_the_start)
{
    struct store *store = open_store();
    for (uint64_t i = 1; i <= 300; i++)
        add_one(store, i);
    ck_assert_int_eq(store_commit(store), 0);
    store_close(&store);
    int fd = open(file, O_RDWR);
    char noise[4096];
    memset(noise, 0xa5, sizeof noise);
    off_t size = lseek(fd, 0, SEEK_END);
    ck_assert_int_gt(size, 20 * 4096);
    for (off_t at = 4096; at + 4096 <= size; at += 4096)
        ck_assert_int_eq(pwrite(fd, noise, sizeof noise, at), sizeof noise);
    close(fd);
    refuses(-EILSEQ, "damaged");
    ck_assert_ptr_nonnull(strstr(why, "put back a copy"));
    /* Cut short. */
    ck_assert_int_eq(truncate(file, 4096 + 100), 0);
    refuses(-EILSEQ, "damaged");
}
END_TEST

/* -- the promises of the schema -------------------------------------------------------------------------------------- */

START_TEST(history_and_final_states_are_kept_by_the_file_itself)
{
    struct store *store = open_store();
    add_one(store, 1);
    ck_assert_int_eq(store_commit(store), 0);
    store_close(&store);
    sql("UPDATE history SET why = 'nothing'", SQLITE_CONSTRAINT);
    sql("DELETE FROM history", SQLITE_CONSTRAINT);
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
    store_add_request(store, &request);
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
    store_add_request(store, &twin);
    twin.episode = 5;
    strcpy(twin.id, "x");
    strcpy(twin.model, "q/n/v");
    store_add_request(store, &twin);
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
    struct request wrote = example(7), read;
    store_add_request(store, &wrote);
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
    ck_assert_int_eq(store_get_request(store, wrote.id, &read), 1);
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
    ck_assert_int_eq(store_get_request(store, "nobody", &read), 0);
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

START_TEST(the_log_is_tidied)
{
    struct store *store = open_store();
    char log_file[128];
    struct stat st;
    snprintf(log_file, sizeof log_file, "%s-wal", file);
    for (uint64_t i = 1; i <= 4000; i++)
        add_one(store, i);
    ck_assert_int_eq(store_commit(store), 0);
    ck_assert_int_eq(stat(file, &st), 0);
    off_t before = st.st_size;
    ck_assert_int_eq(store_tidy(store, false), 0); /* too little to disturb anybody */
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_int_eq(st.st_size, before);
    ck_assert_int_eq(store_tidy(store, true), 0);
    ck_assert_int_eq(stat(file, &st), 0);
    ck_assert_int_gt(st.st_size, before);
    store_close(&store);
    ck_assert_int_ne(access(log_file, F_OK), 0);
}
END_TEST

/* -- kill -9 --------------------------------------------------------------------------------------------------------- */

/* A child commits and says so after each commit; it is killed at some moment. Whatever it said is there afterwards, whole,
 * and at most one more. */
START_TEST(what_was_committed_survives_a_kill)
{
    uint64_t said = 0;
    for (int round = 0; round < 20; round++) {
        int told[2];
        ck_assert_int_eq(pipe(told), 0);
        pid_t child = fork();
        if (child == 0) {
            struct store *store = open_store();
            for (uint64_t i = said + 1;; i++) {
                add_one(store, 2 * i);
                add_one(store, 2 * i + 1);
                if (store_commit(store) != 0 || write(told[1], &i, sizeof i) != (ssize_t)sizeof i)
                    _exit(1);
            }
        }
        close(told[1]);
        uint64_t last = said;
        for (int n = 0; n <= round; n++)
            ck_assert_int_eq(read(told[0], &last, sizeof last), (ssize_t)sizeof last);
        kill(child, SIGKILL);
        ck_assert_int_eq(waitpid(child, NULL, 0), child);
        while (read(told[0], &last, sizeof last) == (ssize_t)sizeof last)
            ;
        close(told[0]);
        struct store *store = open_store();
        int live = live_in(store);
        ck_assert_int_ge(live, (int)(2 * last));
        ck_assert_int_le(live, (int)(2 * last + 2));
        ck_assert_int_eq(live % 2, 0); /* both of a transaction, or none */
        said = (uint64_t)live / 2;
        store_close(&store);
    }
    ck_assert_uint_ge(said, 210);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tests = tcase_create("file");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, a_log_that_is_gone_or_damaged_is_noticed);
    tcase_add_test(tests, a_new_store_is_made_and_found_again);
    tcase_add_test(tests, folders_are_made);
    tcase_add_test(tests, two_do_not_share_a_store);
    tcase_add_test(tests, what_is_foreign_is_left_alone);
    tcase_add_test(tests, a_newer_store_is_refused);
    tcase_add_test(tests, an_older_store_is_brought_up);
    tcase_add_test(tests, an_empty_store_that_was_not_is_noticed);
    tcase_add_test(tests, damage_is_found_at_the_start);
    tcase_add_test(tests, history_and_final_states_are_kept_by_the_file_itself);
    tcase_add_test(tests, one_live_request_for_a_family_and_one_for_an_episode);
    tcase_add_test(tests, the_first_error_sticks_until_the_end);
    tcase_add_test(tests, a_request_comes_back_as_it_went);
    tcase_add_test(tests, moments_of_another_boot_go_by_the_wall_clock);
    tcase_add_test(tests, the_log_is_tidied);
    tcase_add_test(tests, what_was_committed_survives_a_kill);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

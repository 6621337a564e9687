/* A store whose files are damaged, gone or empty, and one whose process is killed. */
#include "tests/run_suite.h"
#include "tests/unit/store_case.h"

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
    for (uint64_t i = 1; i <= 60; i++) { /* the log is longer than what making the schema has left in it */
        struct request request = example(i);
        request.state = REQUEST_DONE;
        store_add_request(store, &request, "monitor", "drift");
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
    ck_assert_uint_eq(counts[REQUEST_DONE], 59);
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

START_TEST(the_log_is_tidied)
{
    struct store *store = open_store();
    char log_file[128];
    struct stat st;
    snprintf(log_file, sizeof log_file, "%s-wal", file);
    for (uint64_t i = 1; i <= 6000; i++)
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

/* A child commits and says so after each commit; it is killed at some moment. Whatever it said is there afterwards,
 * whole, and at most one more. */
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
    Suite *suite = suite_create("store_damage");
    TCase *tests = tcase_create("file");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, begin, finish);
    tcase_add_test(tests, a_log_that_is_gone_or_damaged_is_noticed);
    tcase_add_test(tests, an_empty_store_that_was_not_is_noticed);
    tcase_add_test(tests, damage_is_found_at_the_start);
    tcase_add_test(tests, the_log_is_tidied);
    tcase_add_test(tests, what_was_committed_survives_a_kill);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

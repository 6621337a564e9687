/* store_case.h - what the tests of the store share: a folder for each test, and requests to put into it. Add begin()
 * and finish() as the checked fixture. */
#ifndef TESTS_STORE_CASE_H
#define TESTS_STORE_CASE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/requests/store.h"
#include "daemon/requests/store_schema.h"
#include "tests/unit/folder.h"

static char dir[FOLDER_ROOM], file[96], made_file[96], why[STORE_WHY_MAX];
static const struct moment noon = {.steady_ns = INT64_C(1000000000000), .wall_s = 1795428000};

static inline void begin(void)
{
    folder_make(dir);
    snprintf(file, sizeof file, "%s/requests.db", dir);
    snprintf(made_file, sizeof made_file, "%s/requests.db-made", dir);
}

static inline void finish(void)
{
    folder_remove(dir);
}

static inline struct store *open_store(void)
{
    struct store *store;
    int rc = store_open(&store, dir, "boot", noon, why);
    ck_assert_msg(rc == 0, "%d: %s", rc, why);
    return store;
}

static inline void refuses(int error, const char *word)
{
    struct store *store;
    ck_assert_int_eq(store_open(&store, dir, "boot", noon, why), error);
    ck_assert_ptr_null(store);
    ck_assert_msg(strstr(why, word) != NULL, "%s", why);
    ck_assert_ptr_nonnull(strstr(why, file)); /* says which file */
}

static inline struct request example(uint64_t number)
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

static inline void add_one(struct store *store, uint64_t number)
{
    struct request request = example(number);
    ck_assert_int_gt(store_add_request(store, &request, "monitor", "drift"), 0);
    request_texts_free(&request);
}

static inline int count_live(void *argument, struct request *request)
{
    (void)request;
    ++*(int *)argument;
    return 0;
}

static inline int live_in(struct store *store)
{
    int count = 0;
    ck_assert_int_eq(store_each_live(store, count_live, &count), 0);
    return count;
}

static inline void write_file(const char *path, const void *bytes, size_t len)
{
    FILE *out = fopen(path, "wb");
    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
    fclose(out);
}

static inline void sql(const char *text, int expected)
{
    sqlite3 *db;
    ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, text, NULL, NULL, NULL), expected);
    sqlite3_close(db);
}

#endif

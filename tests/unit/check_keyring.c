/* Who may speak of what, and that a reader sees another table at once and keeps the one it looks at. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/keyring.h"

#define A "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define B "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

static const char *const shops[] = {"shop", "bakery"};

static struct keyring_entry entry(const char *key, enum keyring_role role, uint32_t projects)
{
    struct keyring_entry out = {.name = "n", .role = role, .projects = shops, .project_count = projects};
    memcpy(out.key, key, sizeof out.key);
    return out;
}

START_TEST(an_empty_ring_knows_nobody)
{
    struct keyring *ring;
    struct keyring_reader reader;
    ck_assert_int_eq(keyring_new(&ring), 0);
    keyring_open(&reader, ring);
    ck_assert_ptr_null(keyring_find(&reader, A));
    ck_assert_ptr_null(keyring_find(&reader, NULL));
    ck_assert_ptr_null(keyring_find(&reader, ""));
    ck_assert(!keyring_may(NULL, KEYRING_NODE, "shop", 4));
    keyring_close(&reader);
    keyring_close(&reader);
    keyring_destroy(&ring);
    ck_assert_ptr_null(ring);
    keyring_destroy(&ring);
}
END_TEST

START_TEST(role_and_project)
{
    struct keyring *ring;
    struct keyring_reader reader;
    struct keyring_entry entries[] = {entry(B, KEYRING_TRAINER, 0), entry(A, KEYRING_NODE, 2)};
    ck_assert_int_eq(keyring_new(&ring), 0);
    keyring_open(&reader, ring);
    ck_assert_int_eq(keyring_replace(ring, entries, 2, NULL), 0);
    ck_assert_uint_eq(keyring_count(ring), 2);
    const struct keyring_entry *found = keyring_find(&reader, A);
    ck_assert(keyring_may(found, KEYRING_NODE, "shop", 4));
    ck_assert(keyring_may(found, KEYRING_NODE, "bakery", 6));
    ck_assert(!keyring_may(found, KEYRING_NODE, "sho", 3));
    ck_assert(!keyring_may(found, KEYRING_NODE, "shop1", 5));
    ck_assert(!keyring_may(found, KEYRING_NODE, "", 0));
    ck_assert(!keyring_may(found, KEYRING_TRAINER, "shop", 4));
    ck_assert(keyring_may(keyring_find(&reader, B), KEYRING_TRAINER, "anything", 8));
    ck_assert_ptr_null(keyring_find(&reader, "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh7"));
    ck_assert_ptr_null(keyring_find(&reader, A "x"));
    keyring_close(&reader);
    keyring_destroy(&ring);
}
END_TEST

START_TEST(what_is_revoked_is_told_by_role)
{
    struct keyring *ring;
    struct keyring_reader reader;
    bool revoked[KEYRING_ROLES];
    struct keyring_entry both[] = {entry(A, KEYRING_NODE, 0), entry(B, KEYRING_TRAINER, 0)};
    struct keyring_entry changed[] = {entry(A, KEYRING_OBSERVER, 0), entry(B, KEYRING_TRAINER, 0)};
    ck_assert_int_eq(keyring_new(&ring), 0);
    keyring_open(&reader, ring);
    ck_assert_int_eq(keyring_replace(ring, both, 2, revoked), 0);
    ck_assert(!revoked[KEYRING_NODE] && !revoked[KEYRING_TRAINER] && !revoked[KEYRING_OBSERVER]);
    const struct keyring_entry *before = keyring_find(&reader, A);
    ck_assert_int_eq(keyring_replace(ring, changed, 2, revoked), 0);
    ck_assert(revoked[KEYRING_NODE] && !revoked[KEYRING_TRAINER] && !revoked[KEYRING_OBSERVER]);
    ck_assert_int_eq(before->role, KEYRING_NODE); /* what a reader looks at stays */
    ck_assert_int_eq(keyring_find(&reader, A)->role, KEYRING_OBSERVER);
    ck_assert_int_eq(keyring_replace(ring, changed, 1, revoked), 0);
    ck_assert(!revoked[KEYRING_NODE] && revoked[KEYRING_TRAINER] && !revoked[KEYRING_OBSERVER]);
    ck_assert_ptr_null(keyring_find(&reader, B));
    keyring_close(&reader);
    keyring_destroy(&ring);
}
END_TEST

static struct keyring *shared;
static atomic_bool over;

/* A is always there; B comes and goes. */
static void *look(void *argument)
{
    struct keyring_reader reader;
    uint64_t *seen = argument;
    keyring_open(&reader, shared);
    while (!atomic_load(&over)) {
        const struct keyring_entry *found = keyring_find(&reader, A);
        if (!found || strcmp(found->projects[0], "shop") != 0)
            abort();
        *seen += keyring_find(&reader, B) != NULL;
    }
    keyring_close(&reader);
    return NULL;
}

START_TEST(readers_and_changes_at_once)
{
    struct keyring_entry entries[] = {entry(A, KEYRING_NODE, 2), entry(B, KEYRING_NODE, 2)};
    pthread_t threads[3];
    uint64_t seen[3] = {0};
    ck_assert_int_eq(keyring_new(&shared), 0);
    ck_assert_int_eq(keyring_replace(shared, entries, 2, NULL), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, look, &seen[i]), 0);
    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(keyring_replace(shared, entries, 1 + (uint32_t)i % 2, NULL), 0);
    atomic_store(&over, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    keyring_destroy(&shared);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyring");
    TCase *tests = tcase_create("keyring");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, an_empty_ring_knows_nobody);
    tcase_add_test(tests, role_and_project);
    tcase_add_test(tests, what_is_revoked_is_told_by_role);
    tcase_add_test(tests, readers_and_changes_at_once);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? 1 : 0;
}

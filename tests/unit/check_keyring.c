/* Who may speak of what, and that a reader sees another table at once and keeps the one it looks at. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/keyring.h"
#include "tests/run_suite.h"

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
    ck_assert_int_eq(keyring_replace(ring, entries, 2, NULL, 0), 0);
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

/* Sockets whose peers cannot be chosen: of all projects, and of one. */
enum { ALL_JOBS, SHOP_JOBS, BANK_JOBS, ALL_EVENTS, SHOP_EVENTS, SOCKETS };

static struct keyring_socket sockets[SOCKETS] = {{KEYRING_TRAINER, NULL, true},
                                                 {KEYRING_TRAINER, "shop", true},
                                                 {KEYRING_TRAINER, "bank", true},
                                                 {KEYRING_OBSERVER, NULL, true},
                                                 {KEYRING_OBSERVER, "shop", true}};

static void expect_revoked(struct keyring *ring, const struct keyring_entry *entries, uint32_t count, const char *revoked)
{
    char said[SOCKETS + 1] = "";
    ck_assert_int_eq(keyring_replace(ring, entries, count, sockets, SOCKETS), 0);
    for (int i = 0; i < SOCKETS; i++)
        said[i] = sockets[i].revoked ? 'x' : '.';
    ck_assert_str_eq(said, revoked);
}

START_TEST(what_is_revoked_is_told_by_socket)
{
    struct keyring *ring;
    struct keyring_reader reader;
    struct keyring_entry both[] = {entry(A, KEYRING_NODE, 0), entry(B, KEYRING_TRAINER, 0)};
    struct keyring_entry changed[] = {entry(A, KEYRING_OBSERVER, 0), entry(B, KEYRING_TRAINER, 0)};
    ck_assert_int_eq(keyring_new(&ring), 0);
    keyring_open(&reader, ring);
    expect_revoked(ring, both, 2, ".....");
    const struct keyring_entry *before = keyring_find(&reader, A);
    expect_revoked(ring, changed, 2, "....."); /* nodes are asked with each message */
    ck_assert_int_eq(before->role, KEYRING_NODE); /* what a reader looks at stays */
    ck_assert_int_eq(keyring_find(&reader, A)->role, KEYRING_OBSERVER);
    expect_revoked(ring, changed, 1, "xxx..");
    ck_assert_ptr_null(keyring_find(&reader, B));
    expect_revoked(ring, both, 1, "...xx");
    keyring_close(&reader);
    keyring_destroy(&ring);
}
END_TEST

START_TEST(fewer_projects_are_a_revocation)
{
    static const char *const shop[] = {"shop"}, *const two[] = {"bank", "shop"};
    struct keyring *ring;
    struct keyring_entry one = entry(A, KEYRING_TRAINER, 0), other = entry(B, KEYRING_TRAINER, 0);
    ck_assert_int_eq(keyring_new(&ring), 0);
    expect_revoked(ring, &one, 1, ".....");
    one.projects = two;
    one.project_count = 2;
    expect_revoked(ring, &one, 1, "x....");
    one.projects = shop;
    one.project_count = 1;
    expect_revoked(ring, &one, 1, "..x..");
    one.role = KEYRING_OBSERVER;
    expect_revoked(ring, &one, 1, ".x...");
    one.project_count = 0;
    expect_revoked(ring, &one, 1, "....."); /* more is none */
    one.project_count = 1;
    struct keyring_entry all[] = {one, other};
    expect_revoked(ring, all, 2, "...x.");
    keyring_destroy(&ring);
}
END_TEST

START_TEST(who_enters_a_socket)
{
    static const char *const two[] = {"bank", "shop"};
    struct keyring_entry limited = entry(A, KEYRING_TRAINER, 0), whole = entry(B, KEYRING_TRAINER, 0);
    limited.projects = two;
    limited.project_count = 2;
    ck_assert(keyring_enters(&whole, KEYRING_TRAINER, NULL, 0));
    ck_assert(keyring_enters(&whole, KEYRING_TRAINER, "shop", 4));
    ck_assert(!keyring_enters(&limited, KEYRING_TRAINER, NULL, 0));
    ck_assert(keyring_enters(&limited, KEYRING_TRAINER, "shop", 4));
    ck_assert(!keyring_enters(&limited, KEYRING_TRAINER, "shops", 5));
    ck_assert(!keyring_enters(&limited, KEYRING_TRAINER, "", 0));
    ck_assert(!keyring_enters(&limited, KEYRING_OBSERVER, "shop", 4));
    ck_assert(!keyring_enters(NULL, KEYRING_TRAINER, NULL, 0));
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
    ck_assert_int_eq(keyring_replace(shared, entries, 2, NULL, 0), 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, look, &seen[i]), 0);
    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(keyring_replace(shared, entries, 1 + (uint32_t)i % 2, NULL, 0), 0);
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
    tcase_add_test(tests, what_is_revoked_is_told_by_socket);
    tcase_add_test(tests, fewer_projects_are_a_revocation);
    tcase_add_test(tests, who_enters_a_socket);
    tcase_add_test(tests, readers_and_changes_at_once);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

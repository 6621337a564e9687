/* clients.yaml: what it may say, and each mistake in its own words. */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config/clients.h"
#include "tests/run_suite.h"

#define A "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define B "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

static char told[4096];

/* One has endpoints of its own for both, one for jobs alone. */
static struct config_project projects[] = {{.project = "bakery", .jobs.count = 1, .events.count = 1},
                                           {.project = "mill", .jobs.count = 1}};
static const struct config_projects own = {.at = projects, .count = 2};

static void tell(void *argument, const char *line)
{
    (void)argument;
    size_t len = strlen(told);
    snprintf(told + len, sizeof told - len, "%s\n", line);
}

static struct config_clients *good(const char *yaml)
{
    struct config_clients *clients;
    told[0] = '\0';
    int rc = config_clients_parse(&clients, "c", text_of(yaml), &own, tell, NULL);
    ck_assert_msg(rc == 0, "%d: %s", rc, told);
    return clients;
}

static void bad(const char *yaml, const char *words)
{
    struct config_clients *clients;
    told[0] = '\0';
    ck_assert_int_eq(config_clients_parse(&clients, "c", text_of(yaml), &own, tell, NULL), -EINVAL);
    ck_assert_ptr_null(clients);
    ck_assert_msg(strstr(told, words) != NULL, "%s", told);
}

START_TEST(what_stands_there_is_read)
{
    struct config_clients *clients = good("# the shop\n"
                                          "- {key: \"" A "\", name: camera-7, role: node, projects: [shop, bakery]}\n"
                                          "- key: '" B "'\n  name: gpu\n  role: trainer\n  projects: [\"*\"]\n");
    ck_assert_uint_eq(clients->count, 2);
    ck_assert_str_eq(clients->at[0].key, A);
    ck_assert_str_eq(clients->at[0].name, "camera-7");
    ck_assert_int_eq(clients->at[0].role, CONFIG_ROLE_NODE);
    ck_assert_uint_eq(clients->at[0].project_count, 2);
    ck_assert_str_eq(clients->at[0].projects[1], "bakery");
    ck_assert_str_eq(clients->at[1].key, B);
    ck_assert_int_eq(clients->at[1].role, CONFIG_ROLE_TRAINER);
    ck_assert_uint_eq(clients->at[1].project_count, 0);
    config_clients_destroy(&clients);
    ck_assert_ptr_null(clients);
    clients = good("");
    ck_assert_uint_eq(clients->count, 0);
    config_clients_destroy(&clients);
    clients = good("- {key: \"" A "\", name: o, role: observer}\n");
    ck_assert_uint_eq(clients->at[0].project_count, 0);
    config_clients_destroy(&clients);
}
END_TEST

START_TEST(a_key_for_projects_with_endpoints_of_their_own)
{
    struct config_clients *clients = good("- {key: \"" A "\", name: a, role: trainer, projects: [mill, bakery]}\n"
                                          "- {key: \"" B "\", name: b, role: observer, projects: [bakery]}\n");
    ck_assert_uint_eq(clients->at[0].project_count, 2);
    ck_assert_str_eq(clients->at[1].projects[0], "bakery");
    config_clients_destroy(&clients);
}
END_TEST

START_TEST(mistakes_say_what_is_allowed)
{
    bad("clients: []", "no list, or one that is too long; allowed: a list of {key, name, role, projects}");
    bad("- 5\n", "c:1:3: clients: an item that is no map; allowed: a list");
    bad("- {name: a, role: node}\n", "key: missing");
    bad("- {key: \"" A "\", role: node}\n", "name: missing");
    bad("- {key: \"" A "\", name: a}\n", "role: missing");
    bad("- {key: short, name: a, role: node}\n", "no public key; allowed: the 40 characters");
    bad("- {key: \"" A "\", name: a, role: king}\n", "\"king\" is no role; allowed: node, trainer, observer");
    bad("- {key: \"" A "\", name: a, role: node, project: [x]}\n", "project: unknown key");
    bad("- {key: \"" A "\", name: a, role: node, projects: []}\n", "projects: no list of projects; allowed: a list of 1 to");
    bad("- {key: \"" A "\", name: a, role: node, projects: x}\n", "projects: no list of projects; allowed: a list of 1 to");
    bad("- {key: \"" A "\", name: a, role: node, projects: [\"*\", x]}\n", "allowed: \"*\" alone, or names alone");
    bad("- {key: \"" A "\", name: a, role: node, projects: [a/b]}\n", "no project; allowed");
    bad("- {key: \"" A "\", name: a, role: trainer, projects: [shop, a/b]}\n", "no project; allowed");
    bad("- {key: \"" A "\", name: a, role: node}\n- {key: \"" A "\", name: b, role: node}\n", "a key for each");
    /* Jobs and events go to whoever is connected. */
    bad("- {key: \"" A "\", name: a, role: trainer, projects: [shop]}\n",
        "a key with the role trainer cannot be limited to projects: a job goes to whichever trainer is free, unless every "
        "project that it names has jobs endpoints of its own, and shop has none; allowed: [\"*\"], or in the configuration "
        "projects: {\"shop\": {jobs: tcp://host:port}}");
    bad("- {key: \"" A "\", name: a, role: observer, projects: [bakery, mill]}\n",
        "a key with the role observer cannot be limited to projects: an observer hears whatever it subscribes to, unless "
        "every project that it names has events endpoints of its own, and mill has none; allowed: [\"*\"], or in the "
        "configuration projects: {\"mill\": {events: tcp://host:port}}");
    bad("- {key: \"" A "\", name: a, role: king, project: [x]}\n- 7\n", "c:2:3: clients"); /* all of them at once */
}
END_TEST

/* The second would be read into the place of the first, beyond its end where it is longer. */
START_TEST(a_key_given_twice_is_not_read)
{
    char many[8192] = "- {key: \"" A "\", name: a, role: node, projects: [";
    for (int i = 0; i < 999; i++)
        strcat(many, "p, ");
    strcat(many, "q], projects: [r, s]}\n");
    bad(many, "projects: given twice, first in line 1; keep one\n");
    bad("- {key: \"" A "\", name: a, role: node, projects: [x], projects: [a/b], key: short, role: king, name: \"\\n\"}\n", "");
    ck_assert_str_eq(told, "c:1:89: [].projects: given twice, first in line 1; keep one\n"
                           "c:1:106: [].key: given twice, first in line 1; keep one\n"
                           "c:1:118: [].role: given twice, first in line 1; keep one\n"
                           "c:1:130: [].name: given twice, first in line 1; keep one\n");
}
END_TEST

START_TEST(keys_are_those_of_z85)
{
    ck_assert(config_client_key_valid(text_of(A)));
    ck_assert(!config_client_key_valid(text_of("")));
    ck_assert(!config_client_key_valid(text_of(A "0")));
    ck_assert(!config_client_key_valid(text_of("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf~")));
    ck_assert(!config_client_key_valid(text_of("########################################"))); /* more than 32 bits */
}
END_TEST

START_TEST(a_file_that_is_not_there)
{
    struct config_clients *clients;
    told[0] = '\0';
    ck_assert_int_eq(config_clients_load(&clients, "/nowhere/clients.yaml", &own, tell, NULL), -ENOENT);
    ck_assert_ptr_null(clients);
    ck_assert_ptr_nonnull(strstr(told, "/nowhere/clients.yaml: cannot be read"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clients");
    TCase *tests = tcase_create("clients");
    tcase_add_test(tests, what_stands_there_is_read);
    tcase_add_test(tests, a_key_for_projects_with_endpoints_of_their_own);
    tcase_add_test(tests, mistakes_say_what_is_allowed);
    tcase_add_test(tests, a_key_given_twice_is_not_read);
    tcase_add_test(tests, keys_are_those_of_z85);
    tcase_add_test(tests, a_file_that_is_not_there);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

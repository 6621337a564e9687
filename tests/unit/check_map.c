#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/retrain/map.h"
#include "tests/run_suite.h"

struct thing {
    int number;
    char name[24];
    struct map_link link;
};

static const struct siphash_key key = {1, 2};

START_TEST(things_are_found_by_name)
{
    enum { COUNT = 5000 };
    struct map map;
    struct thing *things = calloc(COUNT, sizeof *things);
    ck_assert_int_eq(map_init(&map, &key), 0);
    for (int i = 0; i < COUNT; i++) {
        things[i].number = i;
        snprintf(things[i].name, sizeof things[i].name, "name %d", i);
        map_put(&map, &things[i].link, text_of(things[i].name));
    }
    ck_assert_uint_eq(map.count, COUNT);
    for (int i = 0; i < COUNT; i += 2)
        map_remove(&map, &things[i].link);
    for (int i = 0; i < COUNT; i++) {
        struct map_link *link = map_get(&map, text_of(things[i].name));
        if (i % 2 == 0) {
            ck_assert_ptr_null(link);
            continue;
        }
        ck_assert_ptr_nonnull(link);
        ck_assert_int_eq(MAP_THING(link, struct thing, link)->number, i);
    }
    ck_assert_ptr_null(map_get(&map, text_of("name")));
    ck_assert_ptr_null(map_get(&map, text_of("")));
    map_free(&map);
    free(things);
}
END_TEST

/* Also across the table's growth. */
START_TEST(of_one_name_the_later_is_found)
{
    static struct thing twins[2], others[500];
    struct map map;
    ck_assert_int_eq(map_init(&map, &key), 0);
    map_put(&map, &twins[0].link, text_of("twin"));
    map_put(&map, &twins[1].link, text_of("twin"));
    for (int i = 0; i < 500; i++) {
        snprintf(others[i].name, sizeof others[i].name, "%d", i);
        map_put(&map, &others[i].link, text_of(others[i].name));
        ck_assert_ptr_eq(map_get(&map, text_of("twin")), &twins[1].link);
    }
    map_remove(&map, &twins[1].link);
    ck_assert_ptr_eq(map_get(&map, text_of("twin")), &twins[0].link);
    map_free(&map);
}
END_TEST

static void count_link(void *argument, struct map_link *link)
{
    (void)link;
    ++*(int *)argument;
}

START_TEST(a_map_is_drained)
{
    static struct thing things[100];
    struct map map;
    int count = 0;
    ck_assert_int_eq(map_init(&map, &key), 0);
    for (int i = 0; i < 100; i++) {
        snprintf(things[i].name, sizeof things[i].name, "%d", i);
        map_put(&map, &things[i].link, text_of(things[i].name));
    }
    map_drain(&map, count_link, &count);
    ck_assert_int_eq(count, 100);
    ck_assert_uint_eq(map.count, 0);
    ck_assert_ptr_null(map_get(&map, text_of("5")));
    map_free(&map);
    map_drain(&map, count_link, &count);
    ck_assert_int_eq(count, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("map");
    TCase *tests = tcase_create("names");
    tcase_add_test(tests, things_are_found_by_name);
    tcase_add_test(tests, of_one_name_the_later_is_found);
    tcase_add_test(tests, a_map_is_drained);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

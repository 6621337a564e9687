#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/retrain/heap.h"
#include "tests/run_suite.h"

struct thing {
    int weight;
    size_t place;
};

static bool lighter(const void *a, const void *b)
{
    return ((const struct thing *)a)->weight < ((const struct thing *)b)->weight;
}

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Against a plain search through all things that are inside. */
START_TEST(the_first_is_the_lightest)
{
    enum { COUNT = 300, ROUNDS = 20000 };
    static struct thing things[COUNT];
    struct heap heap;
    uint32_t random = 1;
    size_t inside = 0;
    heap_init(&heap, lighter, offsetof(struct thing, place));
    for (int round = 0; round < ROUNDS; round++) {
        struct thing *thing = &things[draw(&random) % COUNT];
        switch (draw(&random) % 3) {
        case 0:
            if (!heap_holds(&heap, thing)) {
                thing->weight = (int)(draw(&random) % 100);
                ck_assert_int_eq(heap_put(&heap, thing), 0);
                inside++;
            }
            break;
        case 1:
            inside -= heap_holds(&heap, thing);
            heap_remove(&heap, thing);
            ck_assert(!heap_holds(&heap, thing));
            break;
        default:
            if (heap_holds(&heap, thing)) {
                thing->weight = (int)(draw(&random) % 100);
                heap_moved(&heap, thing);
            }
            break;
        }
        const struct thing *first = heap_first(&heap);
        int lightest = INT32_MAX;
        size_t held = 0;
        for (int i = 0; i < COUNT; i++) {
            if (!heap_holds(&heap, &things[i]))
                continue;
            held++;
            lightest = things[i].weight < lightest ? things[i].weight : lightest;
        }
        ck_assert_uint_eq(held, inside);
        ck_assert_uint_eq(heap.count, inside);
        if (inside)
            ck_assert_int_eq(first->weight, lightest);
        else
            ck_assert_ptr_null(first);
    }
    heap_free(&heap);
}
END_TEST

START_TEST(room_is_kept)
{
    static struct thing things[100];
    struct heap heap;
    heap_init(&heap, lighter, offsetof(struct thing, place));
    ck_assert_int_eq(heap_reserve(&heap, 100), 0);
    void **at = heap.at;
    for (int i = 0; i < 100; i++) {
        things[i].weight = -i;
        ck_assert_int_eq(heap_put(&heap, &things[i]), 0);
    }
    ck_assert_ptr_eq(heap.at, at);
    for (int i = 99; i >= 0; i--) {
        ck_assert_ptr_eq(heap_first(&heap), &things[i]);
        heap_remove(&heap, &things[i]);
    }
    heap_free(&heap);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tests = tcase_create("order");
    tcase_add_test(tests, the_first_is_the_lightest);
    tcase_add_test(tests, room_is_kept);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/retrain/queue.h"
#include "tests/run_suite.h"

enum { PROJECTS = 7, STRATEGIES = 3, OUTLETS = 3 };

static const struct siphash_key key = {5, 6};
static struct limits *limits;
static struct queue *queue;
static bool closed[OUTLETS];
static struct limit_account *accounts[PROJECTS];
static const int64_t costs[STRATEGIES] = {8000000, 3000000, 12000000};

static void open_queue(struct limit_set fleet, struct limit_set project)
{
    struct limit_project projects[PROJECTS];
    char names[PROJECTS][16];
    for (int i = 0; i < PROJECTS; i++) {
        snprintf(names[i], sizeof names[i], "p%d", i);
        projects[i] = (struct limit_project){names[i], project};
    }
    ck_assert_int_eq(limits_new(&limits, &fleet, projects, PROJECTS, &key), 0);
    for (int i = 0; i < PROJECTS; i++)
        accounts[i] = limits_account(limits, text_of(names[i]));
    ck_assert_int_eq(queue_new(&queue, limits, costs, STRATEGIES, OUTLETS), 0);
}

static void close_queue(void)
{
    queue_destroy(&queue);
    limits_destroy(&limits);
}

struct request {
    struct queue_item item;
    char id[12];
    int project;
    bool inside;
};

static uint32_t draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static bool goes_before(const struct request *a, const struct request *b)
{
    if (a->item.severity > b->item.severity || a->item.severity < b->item.severity)
        return a->item.severity > b->item.severity;
    if (a->item.since_ns != b->item.since_ns)
        return a->item.since_ns < b->item.since_ns;
    return strcmp(a->id, b->id) < 0;
}

/* The plain way: look at every request. */
static const struct request *search(const struct request *all, int count)
{
    const struct request *best = NULL;
    for (int i = 0; i < count; i++) {
        const struct queue_item *item = &all[i].item;
        if (all[i].inside && !closed[item->outlet] && (!best || goes_before(&all[i], best)) &&
            limits_judge_fleet(limits, item->first, costs[item->strategy]).kind == LIMIT_NONE &&
            limits_judge_project(accounts[all[i].project], item->first, costs[item->strategy]).kind == LIMIT_NONE)
            best = &all[i];
    }
    return best;
}

START_TEST(severest_first_then_oldest)
{
    struct request some[4] = {{.item = {.severity = 0.1, .since_ns = 1}, .id = "a"},
                              {.item = {.severity = 0.5, .since_ns = 9}, .id = "b"},
                              {.item = {.severity = 0.5, .since_ns = 3}, .id = "d"},
                              {.item = {.severity = 0.5, .since_ns = 3}, .id = "c"}};
    static const int order[] = {3, 2, 1, 0};
    open_queue((struct limit_set){0}, (struct limit_set){0});
    ck_assert_ptr_null(queue_best(queue, closed));
    for (int i = 0; i < 4; i++) {
        some[i].item.id = some[i].id;
        some[i].item.account = accounts[i % PROJECTS];
        some[i].item.strategy = (uint32_t)i % STRATEGIES;
        ck_assert_int_eq(queue_put(queue, &some[i].item), 0);
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_uint_eq(queue_count(queue), 4 - (uint32_t)i);
        ck_assert_ptr_eq(queue_best(queue, closed), &some[order[i]].item);
        queue_remove(queue, &some[order[i]].item);
        queue_remove(queue, &some[order[i]].item);
    }
    close_queue();
}
END_TEST

/* What waits before a closed outlet holds nobody else up, however severe it is. */
START_TEST(a_closed_outlet_holds_its_own)
{
    struct request some[2] = {{.item = {.severity = 0.9, .outlet = 1}, .id = "a"}, {.item = {.severity = 0.1}, .id = "b"}};
    open_queue((struct limit_set){0}, (struct limit_set){0});
    for (int i = 0; i < 2; i++) {
        some[i].item.id = some[i].id;
        some[i].item.account = accounts[i];
        ck_assert_int_eq(queue_put(queue, &some[i].item), 0);
    }
    ck_assert_ptr_eq(queue_best(queue, closed), &some[0].item);
    closed[1] = true;
    ck_assert_ptr_eq(queue_best(queue, closed), &some[1].item);
    closed[0] = true;
    ck_assert_ptr_null(queue_best(queue, closed));
    closed[0] = closed[1] = false;
    ck_assert_ptr_eq(queue_best(queue, closed), &some[0].item);
    close_queue();
}
END_TEST

/* A project at its limit holds its own requests, a fleet at its limit all; whatever the limits do, the queue finds what
 * the plain search finds. */
START_TEST(the_queue_agrees_with_a_plain_search)
{
    enum { COUNT = 200, ROUNDS = 30000 };
    static struct request all[COUNT];
    struct { int project; struct limit_ticket *start, *spend; } running[32];
    int running_count = 0, picked = 0, held = 0;
    uint32_t random = 7;
    int64_t now = 0;
    open_queue((struct limit_set){.concurrent = 9, .per_day = 40, .micro_gpu_hours_per_day = 150000000},
               (struct limit_set){.concurrent = 2, .per_day = 10, .micro_gpu_hours_per_day = 50000000});
    memset(running, 0, sizeof running);
    for (int round = 0; round < ROUNDS; round++) {
        now += (int64_t)(draw(&random) % 1000) * 1000000000;
        limits_expire(limits, now);
        struct request *request = &all[draw(&random) % COUNT];
        uint32_t act = draw(&random) % 4;
        if (act == 0 && !request->inside) {
            request->project = (int)(draw(&random) % PROJECTS);
            snprintf(request->id, sizeof request->id, "%d", (int)(request - all));
            request->item = (struct queue_item){.severity = draw(&random) % 5,
                                                .since_ns = now,
                                                .id = request->id,
                                                .account = accounts[request->project],
                                                .outlet = (uint32_t)request->project % OUTLETS,
                                                .strategy = draw(&random) % STRATEGIES,
                                                .first = draw(&random) % 3 != 0};
            ck_assert_int_eq(queue_put(queue, &request->item), 0);
            request->inside = true;
        } else if (act == 1 && request->inside && draw(&random) % 8 == 0) {
            queue_remove(queue, &request->item);
            request->inside = false;
        } else if (act == 2 && running_count) {
            int which = (int)(draw(&random) % (uint32_t)running_count);
            limits_leave(limits, accounts[running[which].project]);
            if (running[which].spend && draw(&random) % 2)
                limits_correct(limits, running[which].spend, draw(&random) % 9000000);
            limits_let_go(&running[which].start);
            if (draw(&random) % 3)
                limits_let_go(&running[which].spend);
            else
                limits_refund(limits, &running[which].spend);
            /* Tickets know where they are looked at: the last one moves by being let go. */
            int last = --running_count;
            limits_let_go(&running[last].start);
            limits_let_go(&running[last].spend);
            running[which].project = running[last].project;
        }
        closed[round % OUTLETS] = draw(&random) % 4 == 0;
        const struct request *wanted = search(all, COUNT);
        struct queue_item *best = queue_best(queue, closed);
        ck_assert_ptr_eq(best, wanted ? &wanted->item : NULL);
        if (!best)
            held += queue_count(queue) > 0;
        if (act == 3 && best) {
            struct request *taken = &all[wanted - all];
            int at = running_count++;
            running[at].project = taken->project;
            limits_enter(limits, best->account);
            if (best->first)
                ck_assert_int_eq(limits_start(limits, best->account, text_of("p/n"), now, &running[at].start), 0);
            ck_assert_int_eq(limits_spend(limits, best->account, costs[best->strategy], now, &running[at].spend), 0);
            queue_remove(queue, best);
            taken->inside = false;
            picked++;
        }
    }
    ck_assert_int_gt(picked, 500);
    ck_assert_int_gt(held, 500);
    memset(closed, 0, sizeof closed);
    close_queue();
}
END_TEST

/* Ten thousand wait, all but a few of them held at any time: a pick looks at shelves, not at requests. With a look at
 * every request a turn this would take a hundred million steps. */
START_TEST(ten_thousand_wait)
{
    enum { COUNT = 10000 };
    struct request *all = calloc(COUNT, sizeof *all);
    int running[COUNT], began = 0, ended = 0;
    double last[PROJECTS];
    open_queue((struct limit_set){0}, (struct limit_set){.concurrent = 1});
    for (int i = 0; i < COUNT; i++) {
        snprintf(all[i].id, sizeof all[i].id, "%d", i);
        all[i].item = (struct queue_item){.severity = i * 7919 % COUNT,
                                          .since_ns = i,
                                          .id = all[i].id,
                                          .account = accounts[i % PROJECTS],
                                          .strategy = (uint32_t)i % STRATEGIES,
                                          .first = true};
        ck_assert_int_eq(queue_put(queue, &all[i].item), 0);
    }
    for (int i = 0; i < PROJECTS; i++)
        last[i] = COUNT;
    while (queue_count(queue)) {
        struct queue_item *best = queue_best(queue, closed);
        if (!best) {
            ck_assert_int_lt(ended, began);
            limits_leave(limits, accounts[running[ended++]]);
            continue;
        }
        int project = 0;
        while (accounts[project] != best->account)
            project++;
        ck_assert_double_lt(best->severity, last[project]);
        last[project] = best->severity;
        limits_enter(limits, best->account);
        queue_remove(queue, best);
        running[began++] = project;
        ck_assert_int_le(began - ended, PROJECTS);
    }
    ck_assert_int_eq(began, COUNT);
    close_queue();
    free(all);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *tests = tcase_create("order");
    tcase_add_test(tests, severest_first_then_oldest);
    tcase_add_test(tests, a_closed_outlet_holds_its_own);
    tcase_add_test(tests, the_queue_agrees_with_a_plain_search);
    tcase_add_test(tests, ten_thousand_wait);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

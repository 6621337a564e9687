#include "lib/retrain/queue.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/retrain/heap.h"

struct queue_shelf {
    struct heap items;
    struct limit_account *account;
    struct lane *lane;
    size_t place; /* in its lane; 0: empty, or put aside */
};

/* The shelves of all projects that agree in the rest, outlet included: the fleet's limits hold all of a lane or none.
 */
struct lane {
    struct heap shelves;
    uint32_t shelf_count; /* in it and put aside: it has room for all */
    bool first;
    int64_t micro_gpu_hours;
};

struct queue {
    struct limits *limits;
    uint32_t count;
    uint32_t width; /* lanes of an outlet, and so shelves of an account */
    uint32_t lane_count;
    struct lane lanes[];
};

static bool item_before(const void *a, const void *b)
{
    const struct queue_item *left = a, *right = b;
    if (left->severity > right->severity || left->severity < right->severity)
        return left->severity > right->severity;
    if (left->since_ns != right->since_ns)
        return left->since_ns < right->since_ns;
    return strcmp(left->id, right->id) < 0;
}

static bool shelf_before(const void *a, const void *b)
{
    const struct queue_shelf *left = a, *right = b;
    return item_before(heap_first(&left->items), heap_first(&right->items));
}

int queue_new(struct queue **self_p, struct limits *limits, const int64_t *micro_gpu_hours, uint32_t strategies,
              uint32_t outlets)
{
    *self_p = NULL;
    struct queue *self = calloc(1, sizeof *self + 2 * (size_t)strategies * outlets * sizeof *self->lanes);
    if (!self)
        return -ENOMEM;
    self->limits = limits;
    self->width = 2 * strategies;
    self->lane_count = self->width * outlets;
    for (uint32_t i = 0; i < self->lane_count; i++) {
        struct lane *lane = &self->lanes[i];
        heap_init(&lane->shelves, shelf_before, offsetof(struct queue_shelf, place));
        lane->first = i % 2;
        lane->micro_gpu_hours = micro_gpu_hours[i % self->width / 2];
    }
    *self_p = self;
    return 0;
}

static void shelves_free(void *argument, struct limit_account *account)
{
    const struct queue *self = argument;
    struct queue_shelf **shelves = *limits_shelf(account);
    if (!shelves)
        return;
    for (uint32_t i = 0; i < self->width; i++) {
        if (shelves[i])
            heap_free(&shelves[i]->items);
        free(shelves[i]);
    }
    free(shelves);
    *limits_shelf(account) = NULL;
}

void queue_destroy(struct queue **self_p)
{
    struct queue *self = *self_p;
    if (!self)
        return;
    limits_each(self->limits, shelves_free, self);
    for (uint32_t i = 0; i < self->lane_count; i++)
        heap_free(&self->lanes[i].shelves);
    free(self);
    *self_p = NULL;
}

static struct queue_shelf *shelf_of(struct queue *self, const struct queue_item *item)
{
    void **place = limits_shelf(item->account);
    if (!*place)
        *place = calloc(self->width, sizeof(struct queue_shelf *));
    struct queue_shelf **shelves = *place;
    if (!shelves)
        return NULL;
    uint32_t index = 2 * item->strategy + item->first;
    if (!shelves[index]) {
        struct lane *lane = &self->lanes[item->outlet * self->width + index];
        struct queue_shelf *shelf = calloc(1, sizeof *shelf);
        if (!shelf || heap_reserve(&lane->shelves, lane->shelf_count + 1) < 0) {
            free(shelf);
            return NULL;
        }
        heap_init(&shelf->items, item_before, offsetof(struct queue_item, place));
        shelf->account = item->account;
        shelf->lane = lane;
        lane->shelf_count++;
        shelves[index] = shelf;
    }
    return shelves[index];
}

int queue_put(struct queue *self, struct queue_item *item)
{
    item->place = 0;
    struct queue_shelf *shelf = shelf_of(self, item);
    if (!shelf)
        return -ENOMEM;
    struct heap *lane = &shelf->lane->shelves;
    bool was_empty = shelf->items.count == 0;
    if (heap_put(&shelf->items, item) < 0)
        return -ENOMEM;
    item->shelf = shelf;
    self->count++;
    if (was_empty)
        heap_put(lane, shelf);
    else if (heap_holds(lane, shelf))
        heap_moved(lane, shelf);
    return 0;
}

void queue_remove(struct queue *self, struct queue_item *item)
{
    if (item->place == 0)
        return;
    struct queue_shelf *shelf = item->shelf;
    struct heap *lane = &shelf->lane->shelves;
    /* Out of its lane before its first item goes: the lane's order asks for it. */
    bool inside = heap_holds(lane, shelf);
    if (inside)
        heap_remove(lane, shelf);
    heap_remove(&shelf->items, item);
    if (inside && shelf->items.count)
        heap_put(lane, shelf);
    item->shelf = NULL;
    self->count--;
}

/* Shelves that were put aside go back to where they are looked at. */
static void take_back(struct queue *self, struct limit_account *account)
{
    struct queue_shelf **shelves = *limits_shelf(account);
    for (uint32_t i = 0; shelves && i < self->width; i++) {
        if (shelves[i] && shelves[i]->items.count && !heap_holds(&shelves[i]->lane->shelves, shelves[i]))
            heap_put(&shelves[i]->lane->shelves, shelves[i]);
    }
}

struct queue_item *queue_best(struct queue *self, const bool *closed)
{
    for (struct limit_account *account; (account = limits_take_eased(self->limits));)
        take_back(self, account);
    struct queue_item *best = NULL;
    for (uint32_t i = 0; i < self->lane_count; i++) {
        struct lane *lane = &self->lanes[i];
        if (!lane->shelves.count || closed[i / self->width] ||
            limits_judge_fleet(self->limits, lane->first, lane->micro_gpu_hours).kind != LIMIT_NONE)
            continue;
        struct queue_shelf *shelf;
        while ((shelf = heap_first(&lane->shelves)) &&
               limits_judge_project(shelf->account, lane->first, lane->micro_gpu_hours).kind != LIMIT_NONE)
            heap_remove(&lane->shelves, shelf);
        if (shelf && (!best || item_before(heap_first(&shelf->items), best)))
            best = heap_first(&shelf->items);
    }
    return best;
}

uint32_t queue_count(const struct queue *self)
{
    return self->count;
}

/* model_order.h - in which orders models can be listed; what control checks, and shards do.
 *
 * Threads: any. Memory: constant. Failure: none.
 */
#ifndef DRIFTD_BASE_MODEL_ORDER_H
#define DRIFTD_BASE_MODEL_ORDER_H

#include <stdint.h>
#include <string.h>

enum model_order {
    ORDER_WORST,    /* what needs a person first; then by failures */
    ORDER_NAME,     /* by id */
    ORDER_FAILURES, /* evaluations in a row that failed */
    ORDER_SILENCE,  /* who was not heard for longest */
    ORDER_EVENTS,   /* who sent most */
    ORDER_EPISODES, /* who was asked to be retrained most often */
    MODEL_ORDERS
};

/* The most bytes of one list, whatever its `limit`: control shares them out among the shards (`bytes` in their question),
 * and each ends its list before it would be longer. One model is always in it. */
#define MODEL_LIST_BYTES_MAX ((int64_t)8 << 20)

/* Lists are put together of what shards hand out, each its first ones, and these are numbers that grow with the page. */
#define MODEL_LIST_OFFSET_MAX 1000000

static inline const char *model_order_name(enum model_order order)
{
    static const char *const names[MODEL_ORDERS] = {"worst", "name", "failures", "silence", "events", "episodes"};
    return names[order];
}

/* MODEL_ORDERS: there is none of this name. */
static inline enum model_order model_order_of(const char *name)
{
    int order = 0;
    while (order < MODEL_ORDERS && strcmp(model_order_name((enum model_order)order), name) != 0)
        order++;
    return (enum model_order)order;
}

#endif

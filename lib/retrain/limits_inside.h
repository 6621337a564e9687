/* limits_inside.h - what limits.c (who may start) and limits_tickets.c (what was used in the last 24 hours) share.
 *
 * Threads: as limits.h says. Memory: tickets are owned by the list of all, and let go of by their owners. Failure: none.
 */
#ifndef DRIFT_LIB_RETRAIN_LIMITS_INSIDE_H
#define DRIFT_LIB_RETRAIN_LIMITS_INSIDE_H

#include "lib/retrain/limits.h"
#include "lib/retrain/map.h"

/* What the fleet or a project uses now, against what it may. */
struct use {
    struct limit_set set;
    uint32_t running, starts;
    int64_t micro_gpu_hours;
};

struct limit_account {
    struct map_link link;
    struct use use;
    bool eased;
    struct limit_account *next_eased;
    void *shelf;
    char name[];
};

/* A project/name that has started requests in the last 24 hours. */
struct family {
    struct map_link link;
    struct limit_ticket *oldest, *newest;
    uint32_t starts;
    char name[];
};

struct limit_ticket {
    int64_t at_ns;
    int64_t micro_gpu_hours; /* of an attempt */
    struct family *family;   /* of a start; NULL: of an attempt */
    struct limit_account *account;
    struct limit_ticket **owner;
    struct limit_ticket *older, *newer;               /* of all, in the order of at_ns */
    struct limit_ticket *family_older, *family_newer; /* of the family's starts */
};

struct limits {
    struct use fleet;
    struct map accounts, families;
    struct limit_project *projects; /* copies; names are owned */
    uint32_t project_count;
    struct limit_ticket *oldest, *newest;
    struct limit_account *eased;
};

/* Something of the account was freed: limits_take_eased() gives it out. */
void limits_ease(struct limits *self, struct limit_account *account);

#endif

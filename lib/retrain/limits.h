/* limits.h - how much retraining is allowed at a time and a day, for the fleet and for each project.
 *
 * Counts what runs, and keeps a ticket for each request started and each attempt's GPU-hours in the last 24 hours. A
 * request counts against the day limits from its first offer, an attempt's cost from its offer; what nobody accepted is
 * refunded. A model here is a project/name: its versions share one count.
 *
 * Threads: one owner. Memory: one account a project, one entry a project/name with a ticket, one ticket a start and an
 * attempt. Failure: -ENOMEM where it is said; nothing has changed then.
 */
#ifndef DRIFT_LIB_RETRAIN_LIMITS_H
#define DRIFT_LIB_RETRAIN_LIMITS_H

#include <stdint.h>

#include "lib/siphash.h"
#include "lib/text.h"

#define LIMITS_DAY_NS (INT64_C(24) * 3600 * 1000000000)

/* 0: no limit. GPU-hours are counted in millionths, so that sums stay exact. */
struct limit_set {
    uint32_t concurrent, per_model_per_day, per_day;
    int64_t micro_gpu_hours_per_day;
};

int64_t limits_micro(double gpu_hours);

struct limit_project {
    const char *project;
    struct limit_set set;
};

enum limit_kind { LIMIT_NONE, LIMIT_CONCURRENT, LIMIT_PER_DAY, LIMIT_GPU_HOURS, LIMIT_PER_MODEL };

/* Which limit holds a request. */
struct limit_hold {
    enum limit_kind kind;
    bool of_project; /* the project's own, not the fleet's */
};

/* "concurrent", "per_day" and so on, as the configuration has them; "" for LIMIT_NONE. */
const char *limit_kind_name(enum limit_kind kind);

struct limits;
struct limit_account; /* a project's use */
struct limit_ticket;  /* what counts for 24 hours */

/* `projects` are copied. `key` is for hashing names that come from the network. */
int limits_new(struct limits **self_p, const struct limit_set *fleet, const struct limit_project *projects,
               uint32_t count, const struct siphash_key *key);
void limits_destroy(struct limits **self_p);

/* Other limits from now on; what was used stays counted, and every account may be held more or less than before. Returns 0
 * or -ENOMEM: nothing has changed then. */
int limits_change(struct limits *self, const struct limit_set *fleet, const struct limit_project *projects,
                  uint32_t count);

/* The account of a project; made when it is new. NULL: no memory. Lives as long as the limits. */
struct limit_account *limits_account(struct limits *self, struct text project);

/* Would this be over a limit now? `first`: the request has not been offered before. */
struct limit_hold limits_judge_fleet(const struct limits *self, bool first, int64_t micro_gpu_hours);
struct limit_hold limits_judge_project(const struct limit_account *account, bool first, int64_t micro_gpu_hours);

/* When per_model_per_day lets a first request of this project/name go; INT64_MIN: now. */
int64_t limits_model_free_ns(const struct limits *self, const struct limit_account *account, struct text family);

/* Whether it is the project's per_model_per_day that decides, because it is the stricter one. */
bool limits_model_of_project(const struct limits *self, const struct limit_account *account);

/* When a limit of 24 hours that holds a request now will have eased enough by itself, if nobody else comes first: `account`
 * NULL for the fleet's. INT64_MAX: nobody knows (concurrent), or never (what it costs is more than a whole day allows). */
int64_t limits_free_ns(const struct limits *self, const struct limit_account *account, enum limit_kind kind,
                       int64_t micro_gpu_hours);

/* A request became, or ceased to be, one that is OFFERED or RUNNING. */
void limits_enter(struct limits *self, struct limit_account *account);
void limits_leave(struct limits *self, struct limit_account *account);

/* A request is offered for the first time; an attempt's cost is taken on. *ticket_p must stay where it is until the
 * ticket is refunded or let go; it becomes NULL when 24 hours have passed. */
int limits_start(struct limits *self, struct limit_account *account, struct text family, int64_t at_ns,
                 struct limit_ticket **ticket_p);
int limits_spend(struct limits *self, struct limit_account *account, int64_t micro_gpu_hours, int64_t at_ns,
                 struct limit_ticket **ticket_p);

/* What was really spent. */
void limits_correct(struct limits *self, struct limit_ticket *ticket, int64_t micro_gpu_hours);

/* It did not happen after all; *ticket_p may be NULL, and is NULL then. */
void limits_refund(struct limits *self, struct limit_ticket **ticket_p);

/* It stands; nobody looks at the ticket any more. */
void limits_let_go(struct limit_ticket **ticket_p);

/* Drops what is older than 24 hours. */
void limits_expire(struct limits *self, int64_t now_ns);

/* When limits_expire() has something to do; INT64_MAX: never. */
int64_t limits_next_expiry_ns(const struct limits *self);

/* Takes an account that may be held less than when it was last taken; NULL: none. */
struct limit_account *limits_take_eased(struct limits *self);

/* A place for whoever orders the waiting. */
void **limits_shelf(struct limit_account *account);

/* Calls `visit` for every account. */
void limits_each(struct limits *self, void (*visit)(void *argument, struct limit_account *account), void *argument);

#endif

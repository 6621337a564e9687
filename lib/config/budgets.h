/* budgets.h - the blocks of budgets, and what they come to for one model.
 *
 * Blocks apply in the order of the file; of those that match, a later one wins key by key. Models that match the same
 * blocks share one settings object, so that a million models make no more objects than there are sets of blocks.
 *
 * Blocks are found through an index: by "project/name" and by "project" where a pattern spells them out, and one by one
 * where its first segment has a wildcard.
 *
 * Threads: one at a time. Memory: of the arena. Failure: -ENOMEM, after which everything is as it was.
 */
#ifndef DRIFT_LIB_CONFIG_BUDGETS_H
#define DRIFT_LIB_CONFIG_BUDGETS_H

#include "lib/config/record.h"
#include "lib/monitor/monitor.h"

#define BUDGETS_BLOCKS_MAX 10000

/* An entry of `kpis`. */
struct budget_kpi {
    struct kpi_budget budget; /* a limit that is not set is NAN */
    struct record keys;
    struct mark mark; /* of its name */
    bool off;         /* removes what earlier blocks set */
    bool bad;
};

/* The list `drift`. */
struct budget_drift {
    struct drift_rule *rules; /* without promises */
    struct mark *marks;       /* where each of them stands */
    uint32_t count;
    bool given;               /* it replaces what earlier blocks set */
};

struct budget_block {
    struct monitor_settings settings; /* only what `keys` names is set; no kpis */
    char *models;                     /* pattern; NULL: a mistake was told */
    struct record keys;
    struct budget_kpi *kpis;
    uint32_t kpi_count;
    struct budget_drift drift;
    struct mark mark;
};

/* What a set of blocks comes to. */
struct budget_set {
    struct monitor_settings settings; /* first: a pointer to it is a pointer to the set */
    struct record keys;
    struct budget_kpi *kpis; /* as many as settings.kpis, in the same order */
    bool kpis_beyond;        /* there were more than are kept of a model; the first stand */
    struct budget_drift drift;
    const uint32_t *blocks;  /* rising */
    uint32_t block_count;
    uint64_t hash;
};

/* Promises that were worked out, for rules that other sets have as well. */
struct budget_promise {
    struct budget_promise *before;
    struct detect_params asked;
    double every_s, every_events, event_rate; /* the rule's share */
    const struct detect_params *steps;
    uint32_t step_count;
};

struct budgets_named {
    struct text key; /* "project" or "project/name" */
    uint32_t block;
};

struct config_budgets {
    struct arena *memory;
    struct budget_block *blocks;
    uint32_t block_count;
    struct monitor_settings defaults; /* where no block says otherwise */
    struct kpi_budget kpi_defaults;
    struct budgets_named *named; /* by key, then by block */
    uint32_t named_count;
    uint32_t *wild; /* blocks whose first segment has a wildcard, rising */
    uint32_t wild_count;
    uint32_t *matching;       /* room for all blocks */
    struct budget_set **sets; /* open addressing; set_room is a power of two, or 0 */
    uint32_t set_count, set_room;
    struct alarm_budget fleet; /* one model's part of `fleet_false_alarms` */
    struct budget_promise *promises;
    const struct budget_promise *inherited; /* of another configuration; NULL: none */
};

/* Builds the index, once all blocks stand and have their patterns. */
int budgets_index(struct config_budgets *self);

/* Fills self->matching with the blocks that match; returns how many. */
uint32_t budgets_match(struct config_budgets *self, const struct model_id *model);

/* Merges blocks into *out, whose lists are then in `memory`. */
int budgets_merge(const struct config_budgets *self, struct arena *memory, const uint32_t *blocks, uint32_t count,
                  struct budget_set *out);

/* What a KPI with `test: evidence` keeps to: its range, given or known. False: there is none. */
bool budgets_range(const struct kpi_budget *kpi, double *low, double *high);

/* Gathers the rules of a merged set, those of `test: evidence`, then the list `drift`; `promising` of them share its budget of
 * false alarms, which the fleet's may have made stricter. */
int budgets_gather(const struct config_budgets *self, struct arena *memory, struct budget_set *set, uint32_t *promising);

/* The same, with their promises. */
int budgets_rules(struct config_budgets *self, struct budget_set *set);

/* The set for a model, made if it is new. *out_p NULL: no block matches. */
int budgets_for(struct config_budgets *self, const struct model_id *model, const struct budget_set **out_p);

#endif

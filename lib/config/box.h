/* box.h - what stands behind a struct config.
 *
 * Threads and memory: as in config.h.
 */
#ifndef DRIFT_LIB_CONFIG_BOX_H
#define DRIFT_LIB_CONFIG_BOX_H

#include "lib/config/arena.h"
#include "lib/config/budgets.h"
#include "lib/config/config.h"
#include "lib/config/record.h"

struct config_box {
    struct config config; /* first: a pointer to it is a pointer to the box */
    struct arena memory;
    const char **files; /* their names, which marks count */
    uint32_t file_count;
    struct record keys;           /* outside `budgets`, and outside records of their own */
    struct record *strategy_keys; /* one for each of config.retraining.strategies */
    struct record *project_keys;  /* one for each of config.retraining.projects */
    struct record *own_keys;      /* one for each of config.projects.at */
    struct config_budgets budgets;
    char **notes; /* whole lines; see config_notes() */
    uint32_t note_count;
};

#endif

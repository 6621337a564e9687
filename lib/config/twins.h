/* twins.h - keys that stand twice in one map of the configuration.
 *
 * Threads: pure functions. Memory: none is kept. Failure: -ENOMEM; nobody was told then.
 */
#ifndef DRIFT_LIB_CONFIG_TWINS_H
#define DRIFT_LIB_CONFIG_TWINS_H

#include "lib/config/tree.h"

/* Tells of them; all but the first become unknown, with their values. `above`: the keys that lead to the map, "" for the
 * outermost. */
int twins_find(const struct node *map, const char *above, struct mistakes *mistakes);

#endif

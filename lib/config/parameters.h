/* parameters.h - the parameters of a strategy as the text of a JSON object.
 *
 * Plain scalars have the types of YAML's core schema (null, true and false, whole numbers also as 0o17 and 0x1f,
 * numbers); all else is text. The JSON is canonical: members in the order of their names, no blanks, numbers as short
 * as they can be without losing a bit.
 *
 * Threads: pure functions. Memory: the text lives in the arena. Failure: -EINVAL, mistakes were told (infinity and NaN,
 * of which JSON has none; whole numbers beyond 64 bits); -ENOMEM.
 */
#ifndef DRIFT_LIB_CONFIG_PARAMETERS_H
#define DRIFT_LIB_CONFIG_PARAMETERS_H

#include "lib/config/tree.h"

int parameters_json(const struct node *node, struct arena *memory, struct mistakes *mistakes, const char *shown,
                    const char **out);

#endif

/* crossing.h - a model that two patterns have in common, where neither says all that the other does: the project "shop"
 * and the name "detector" of any project meet in shop/detector.
 *
 * Threads: pure. Memory: of the arena. Failure: false, and memory->failed where that is why.
 */
#ifndef DRIFT_LIB_CONFIG_CROSSING_H
#define DRIFT_LIB_CONFIG_CROSSING_H

#include "lib/config/arena.h"
#include "lib/model_id.h"

/* '*' and '?' that both leave open are characters of the model; no pattern spells these out, so that it meets only what
 * every such model meets. False: no model is of both, or the patterns are of more than some hundred bytes. */
bool crossing_model(struct text a, struct text b, struct arena *memory, struct model_id *out);

#endif

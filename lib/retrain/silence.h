/* silence.h - models that are judged and shown, but do not trigger: for maintenance, by a person, for a time.
 *
 * A list is a plain value: the keeper of requests makes a new one whenever it changes, and hands copies to the keepers of
 * models.
 *
 * Threads: a list has one owner at a time. Memory: one block, freed by free(3). Failure: none but for memory.
 */
#ifndef DRIFT_LIB_RETRAIN_SILENCE_H
#define DRIFT_LIB_RETRAIN_SILENCE_H

#include <stdint.h>

#include "lib/retrain/request.h"

#define SILENCES_MAX 1024
#define SILENCE_REASON_MAX 256

struct silence {
    char pattern[MODEL_ID_MAX + 1]; /* as model_pattern_check() allows it */
    char reason[SILENCE_REASON_MAX];
    struct moment until;
};

struct silences {
    uint32_t count;
    struct silence at[];
};

/* Until when a model does not trigger, on the steady clock; INT64_MIN: no silence covers it. */
int64_t silences_until_ns(const struct silences *self, const struct model_id *model);

#endif

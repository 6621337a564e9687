/* merge.h - one reply of the answers of many.
 *
 * Threads: pure functions. Memory: answers are borrowed; the reply is the caller's, NULL without memory.
 */
#ifndef DRIFTD_CONTROL_MERGE_H
#define DRIFTD_CONTROL_MERGE_H

#include <jansson.h>
#include <stdint.h>

/* `answers`: what came, JSON objects; `ask`: the question. */
typedef json_t *merge_fn(const json_t *ask, json_t *const *answers, uint32_t count);

merge_fn merge_status;  /* figures are added up, by name; the keeper of requests adds its own members */
merge_fn merge_models;  /* in the order of `sort`, else by name; `limit` of them from `offset` on or behind `after`; left_out says how many
                         * are not shown, `next` where those behind go on */
merge_fn merge_model;   /* the one that knows the model */
merge_fn merge_rejects; /* counts added up by reason, the youngest example of each */
merge_fn merge_only;    /* the only answer, as it stands */

#endif

/* patience.h - whether a trigger opens a new episode, or the model is given up.
 *
 * An episode is fruitless when its request ended and the same drift triggers again. After give_up_after fruitless
 * episodes in a row the model is unrecoverable: no more requests until a person says otherwise. Versions of one
 * project/name share the count, since each retraining makes a new version.
 *
 * Threads: pure functions. Memory: none. Failure: none.
 */
#ifndef DRIFT_LIB_RETRAIN_PATIENCE_H
#define DRIFT_LIB_RETRAIN_PATIENCE_H

#include "lib/retrain/request.h"

/* Failures that began this long after the end of a retraining are a drift of their own. */
#define PATIENCE_APART_NS (INT64_C(24) * 3600 * 1000000000)

/* What is known of a project/name when one of its versions triggers and no request is live. */
struct patience_past {
    bool any; /* there was a request; the last one: */
    enum request_state last_state;
    int64_t last_ended_ns;
    bool same_version; /* as the one that triggers now */
    bool recovered;    /* since then */
    uint32_t fruitless;
    bool unrecoverable;
};

enum patience_verdict { PATIENCE_GOES_ON, PATIENCE_ENDS, PATIENCE_HAS_ENDED };

/* Judges a trigger whose failures began at change_ns; served_ns: since when the triggering version has been judged
 * (INT64_MIN: not known). give_up_after 0: never. *fruitless_p gets the new count. PATIENCE_ENDS: with this trigger
 * the model becomes unrecoverable; PATIENCE_HAS_ENDED: it was already. */
enum patience_verdict patience_judge(const struct patience_past *past, int64_t change_ns, int64_t served_ns,
                                   uint32_t give_up_after, uint32_t *fruitless_p);

#endif

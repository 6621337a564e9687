#include "lib/retrain/patience.h"

enum fruit { FRUITLESS, FRUITFUL, NO_FRUIT_EXPECTED };

static enum fruit last_episode(const struct patience_past *past, int64_t change_ns, int64_t served_ns)
{
    if (past->recovered)
        return FRUITFUL;
    /* Cancelled or superseded: nobody trained, so nothing is known. */
    if (past->last_state != REQUEST_DONE && past->last_state != REQUEST_DEAD)
        return NO_FRUIT_EXPECTED;
    if (change_ns - past->last_ended_ns > PATIENCE_APART_NS)
        return FRUITFUL;
    if (past->same_version)
        return FRUITLESS;
    /* Another version: it was cured when its failures began after it had been judged healthy. */
    if (served_ns == INT64_MIN)
        return NO_FRUIT_EXPECTED;
    return change_ns > served_ns ? FRUITFUL : FRUITLESS;
}

enum patience_verdict patience_judge(const struct patience_past *past, int64_t change_ns, int64_t served_ns,
                                   uint32_t give_up_after, uint32_t *fruitless_p)
{
    *fruitless_p = past->fruitless;
    if (past->unrecoverable)
        return PATIENCE_HAS_ENDED;
    if (!past->any)
        return PATIENCE_GOES_ON;
    switch (last_episode(past, change_ns, served_ns)) {
    case FRUITLESS:
        ++*fruitless_p;
        break;
    case FRUITFUL:
        *fruitless_p = 0;
        break;
    case NO_FRUIT_EXPECTED:
        break;
    }
    return give_up_after && *fruitless_p >= give_up_after ? PATIENCE_ENDS : PATIENCE_GOES_ON;
}

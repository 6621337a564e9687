/* Why a monitor asks for retraining, for the history of its request. */
#include "daemon/requests/core.h"
#include "lib/words.h"

void notices_why(const struct trigger *trigger, char out[REQUEST_WHY_MAX])
{
    struct words words = words_into(out, REQUEST_WHY_MAX);
    words_add(&words, trigger->rule);
    if (trigger->by_drift_rule) {
        words_add(&words, ": statistic ");
        words_add_real(&words, trigger->statistic, 4);
        words_add(&words, " against a threshold of ");
        words_add_real(&words, trigger->threshold, 4);
        words_add(&words, " after ");
        words_add_count(&words, trigger->n);
        words_add(&words, " values");
        return;
    }
    words_add(&words, ", observed ");
    words_add_real(&words, trigger->observed, 7);
    words_add(&words, " over ");
    words_add_count(&words, trigger->window);
    words_add(&words, " values, ");
    words_add_count(&words, trigger->failures);
    words_add(&words, " failures in a row");
}
